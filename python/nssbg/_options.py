"""What a caller may ask of one cut-out: one frozen record, checked once, passed down the stages."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

from nssbg._corrections import Corrections
from nssbg._errors import OptionError

__all__ = [
    "Decontaminate",
    "Effort",
    "Options",
    "Refine",
    "check_corrections",
    "text",
    "whole_number",
]

Effort = Literal["fast", "balanced", "best"]
Refine = Literal["none", "guided", "matting", "auto"]
Decontaminate = Literal["multilevel", "blur-fusion", "off"]


@dataclass(frozen=True)
class Options:
    """How one picture is cut out.

    Attributes:
        effort: How often a network may look: "fast" once; "balanced" once more at the crop around
            a small subject; "best" also along the outline.
        refine: Level of the full-size refinement of the alpha.
        decontaminate: Method that estimates the true foreground colour in the soft band.
        strength: Share of the estimated colour, 0 (photograph's own) to 1.
        matte: What stands under alpha 0: "clear" (zeros) or "extend" (nearest foreground).
        ignore_alpha: Leave out the alpha that the picture came with; otherwise the new alpha
            is multiplied with it.
        corrections: What a person said about this picture, or what gives it for a source; None:
            nothing.
    """

    effort: Effort = "balanced"
    refine: Refine = "guided"
    decontaminate: Decontaminate = "multilevel"
    strength: float = 1.0
    matte: Literal["clear", "extend"] = "clear"
    ignore_alpha: bool = False
    corrections: Corrections | Callable[[Any], Corrections | None] | None = None

    def __post_init__(self) -> None:
        _one_of("effort", self.effort, get_args(Effort))
        _one_of("refine", self.refine, get_args(Refine))
        _one_of("decontaminate", self.decontaminate, get_args(Decontaminate))
        _one_of("matte", self.matte, ("clear", "extend"))
        try:
            within = bool(0.0 <= self.strength <= 1.0)
        except (TypeError, ValueError):
            within = False
        if not within:
            raise OptionError(f"strength must be between 0 and 1, got {self.strength!r}")
        check_corrections(self.corrections, callable(self.corrections))


def _one_of(name: str, value: object, allowed: tuple[str, ...]) -> None:
    # An array compares to an array: only text may be compared with text.
    if not isinstance(value, str) or value not in allowed:
        choices = ", ".join(repr(choice) for choice in allowed)
        raise OptionError(f"{name} must be one of {choices}; got {_shown(value)}")


def check_corrections(value: object, allowed: bool = False) -> None:
    """Raise OptionError unless it is a record of corrections, or None."""
    if not allowed and not isinstance(value, (Corrections, type(None))):
        raise OptionError(f"corrections must be a nssbg.Corrections, got {_shown(value)}")


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
