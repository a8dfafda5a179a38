"""What a caller may ask of one cut-out: one frozen record, checked once, passed down the stages.

A new option is a field of `CutoutOptions` and its twin in `CutoutOptionsDict`, by which type
checkers know the keywords of `cutout`, `remove` and `map`; a contract test compares the two.
"""

from __future__ import annotations

import inspect
import operator
import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, TypedDict, TypeVar

from nssbg._corrections import Corrections
from nssbg._enhance_options import Enhancement, check_enhancement
from nssbg._errors import OptionError
from nssbg._vocabulary import (
    EFFORTS,
    FOREGROUND_METHODS,
    MATTES,
    QUALITIES,
    REFINE_LEVELS,
    Backend,
    Effort,
    ForegroundMethod,
    LicenseUse,
    Matte,
    PrecisionChoice,
    RefineLevel,
)

__all__ = [
    "CutoutOptions",
    "CutoutOptionsDict",
    "RemoverOptionsDict",
    "check_corrections",
    "checked_quality",
    "one_of",
    "options_from",
    "refuse_unknown",
    "spelled_out",
    "text",
    "whole_number",
]

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class CutoutOptions:
    """How one picture is cut out: keywords of `Remover.cutout`, `remove` and `map`.

    Attributes:
        effort: How often a network may run on a picture. "fast": once. "balanced": again at the
            crop around each subject (four at most) that fills a small part of the frame. "best":
            also at tiles along the outline, 16 more in all. The bundled network averages with the
            mirrored image each time, but for "fast". The studio method runs once.
        refine: Level of the full-size refinement of the alpha: "none" upsamples, "guided" follows
            the picture's edges, "matting" solves for hair, "auto" solves where it is hair-like.
        decontaminate: Method that estimates the true foreground colour in the soft band:
            "multilevel", the coarser "blur-fusion", or "off" for the photograph's own.
        strength: Share of the estimated foreground colour, 0 (photograph's own) to 1.
        matte: Colours under alpha 0: "clear" (zeros, small files) or "extend" (the nearest
            foreground's, so that a later resize bleeds nothing).
        ignore_alpha: Leave out an alpha that the picture came with; otherwise the new alpha is
            multiplied with it.
        corrections: What a person said about the picture: a box, points to keep and to drop, a
            painted mask (see `Corrections`). For `map`, what gives them, or None, for a source;
            called in a worker.
        enhance: Enlarge, denoise or deblock the photograph by a network before it is cut out, or
            afterwards (see `Enhancement`); the result is at the enhanced size. For `map`, what
            gives it, or None, for a source; called in a worker.

    Raises:
        OptionError: A value outside these.
    """

    effort: Effort = "balanced"
    refine: RefineLevel = "guided"
    decontaminate: ForegroundMethod = "multilevel"
    strength: float = 1.0
    matte: Matte = "clear"
    ignore_alpha: bool = False
    corrections: Corrections | Callable[[Any], Corrections | None] | None = None
    enhance: Enhancement | Callable[[Any], Enhancement | None] | None = None
    # Not a keyword of users': only the alpha is taken, so that no colours need be estimated.
    alpha_only: bool = field(default=False, repr=False, kw_only=True)

    def __post_init__(self) -> None:
        one_of("effort", self.effort, EFFORTS)
        one_of("refine", self.refine, REFINE_LEVELS)
        one_of("decontaminate", self.decontaminate, FOREGROUND_METHODS)
        one_of("matte", self.matte, MATTES)
        try:
            within = bool(0.0 <= self.strength <= 1.0)
        except (TypeError, ValueError):
            within = False
        if not within:
            raise OptionError(f"strength must be between 0 and 1, got {self.strength!r}")
        check_corrections(self.corrections, callable(self.corrections))
        check_enhancement(self.enhance, callable(self.enhance))

    def enhancement_of(self, source: Any) -> Enhancement | None:
        """How a source is enhanced.

        Raises:
            OptionError: What gives it for the source gave something else.
        """
        enhance = self.enhance
        if enhance is None or isinstance(enhance, Enhancement):
            return enhance
        found = enhance(source)
        check_enhancement(found)
        return found


class CutoutOptionsDict(TypedDict, total=False):
    """The keywords of `CutoutOptions`, for `**options` that a type checker looks into."""

    effort: Effort
    refine: RefineLevel
    decontaminate: ForegroundMethod
    strength: float
    matte: Matte
    ignore_alpha: bool
    corrections: Corrections | Callable[[Any], Corrections | None] | None
    enhance: Enhancement | Callable[[Any], Enhancement | None] | None


class RemoverOptionsDict(TypedDict, total=False):
    """The keywords of `Remover`, for `**options` that a type checker looks into."""

    model: str | os.PathLike[str]
    device: str
    backend: Backend
    precision: PrecisionChoice
    threads: int
    license: LicenseUse | None
    max_pixels: int
    max_memory: int | None


def options_from(
    function: Callable[..., Any], given: Mapping[str, Any], *, alpha_only: bool = False
) -> CutoutOptions:
    """The record of what was given to a function as `**options`.

    Raises:
        TypeError: A keyword that the function does not know, as Python itself would say it.
        OptionError: A value outside what is allowed.
    """
    refuse_unknown(function, given, CutoutOptionsDict.__optional_keys__)
    return CutoutOptions(**given, alpha_only=alpha_only)


def refuse_unknown(
    function: Callable[..., Any], given: Mapping[str, Any], known: Collection[str]
) -> None:
    """Raise TypeError for the first keyword that is not known, with the nearest that is."""
    for name in given:
        if name not in known:
            from difflib import get_close_matches

            names = [*inspect.signature(function).parameters]
            near = get_close_matches(name, names, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise TypeError(
                f"{function.__name__}() got an unexpected keyword argument {name!r}{hint}"
            )


def spelled_out(*records: type) -> Callable[[Function], Function]:
    """Show the keywords of `**options` in a function's signature, with their defaults.

    For `help()`, notebooks and whatever else looks at signatures while a program runs.

    Args:
        records: The dataclasses whose fields are the keywords.
    """

    def decorate(function: Function) -> Function:
        signature = inspect.signature(function)
        shown = [
            parameter
            for parameter in signature.parameters.values()
            if parameter.kind is not inspect.Parameter.VAR_KEYWORD
        ]
        there = {parameter.name for parameter in shown}
        shown += [
            inspect.Parameter(
                item.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=inspect.Parameter.empty if item.default is MISSING else item.default,
                annotation=item.type,
            )
            for record in records
            for item in fields(record)
            if item.name not in there and item.name != "alpha_only"
        ]
        function.__signature__ = signature.replace(  # type: ignore[attr-defined]
            parameters=shown
        )
        return function

    return decorate


def checked_quality(value: object) -> int:
    """A quality of lossy files, 0 (smallest) to 100 (finest).

    Raises:
        OptionError: It is not a whole number of that range.
    """
    quality = whole_number("quality", value)
    if quality not in QUALITIES:
        raise OptionError(f"quality must be {QUALITIES[0]} to {QUALITIES[-1]}, got {quality}")
    return quality


def check_corrections(value: object, allowed: bool = False) -> None:
    """Raise OptionError unless it is a record of corrections, or None."""
    if not allowed and not isinstance(value, (Corrections, type(None))):
        raise OptionError(f"corrections must be a nssbg.Corrections, got {_shown(value)}")


def one_of(name: str, value: object, allowed: tuple[str, ...]) -> None:
    """Raise OptionError where an option is none of the words it may be."""
    # An array compares to an array: only text may be compared with text.
    if not isinstance(value, str) or value not in allowed:
        choices = ", ".join(repr(choice) for choice in allowed)
        raise OptionError(f"{name} must be one of {choices}; got {_shown(value)}")


def text(name: str, value: object) -> str:
    """A setting that has to be text.

    Raises:
        OptionError: It is not, or holds a null character.
    """
    if not isinstance(value, str):
        raise OptionError(
            f"{name} must be text such as 'auto', got {_shown(value)}; leave it out for 'auto'"
        )
    if "\0" in value:
        raise OptionError(f"{name} must not hold a null character, got {value!r}")
    return value


def whole_number(name: str, value: object) -> int:
    """A setting that has to be a whole number: an int, or NumPy's.

    Raises:
        OptionError: It is none.
    """
    try:
        if isinstance(value, bool):
            raise TypeError
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise OptionError(f"{name} must be a whole number, got {_shown(value)}") from None


def _shown(value: object) -> str:
    """What was given, on one short line."""
    said = " ".join(repr(value).split())
    return said if len(said) <= 60 else f"{said[:57]}..."
