"""What a person set for one picture, as the page sends it: checked, and put in the package's terms.

Plain JSON in, a frozen `Edit` out; from it come `CutoutOptions`, the edge adjustment and the
`Output`. Lengths that the page gives as shares become pixels here.
"""

from __future__ import annotations

import hashlib
import json
import numbers
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nssbg._corrections import Corrections
from nssbg._errors import OptionError
from nssbg._ops.brush import Stroke, painted, stroke_from
from nssbg._ops.edge import EdgeAdjustment
from nssbg._options import CutoutOptions, one_of
from nssbg._vocabulary import EFFORTS, FOREGROUND_METHODS, REFINE_LEVELS
from nssbg.studio_page.framing import Framing, framing_from

__all__ = ["Edit", "edit_from"]

_MOST_STROKES = 5_000
_FIELDS = frozenset(
    {
        "model",
        "effort",
        "refine",
        "foreground",
        "decontaminate",
        "softness",
        "choke",
        "corrections",
        "framing",
    }
)
_CORRECTIONS = frozenset(("box", "keep", "drop", "strokes"))


@dataclass(frozen=True)
class Edit:
    """Everything that can be set for a picture.

    Attributes:
        model: "auto", "studio" or a name of the catalog.
        effort: See `nssbg.CutoutOptions`.
        refine: The same.
        foreground: Method of the decontamination: see `nssbg.CutoutOptions.decontaminate`.
        decontaminate: Strength of the decontamination, 0 to 1; 0 leaves it out.
        softness: Of the edge, 0 to 1 of the most that is offered.
        choke: The edge moved inwards (1) or outwards (-1), in parts of the most that is offered.
        box: left, top, right, bottom that the subject lies within, or None.
        keep: Points of the subject.
        drop: Points of the background.
        strokes: Of the brush, in the order they were drawn.
        framing: How the result is framed.
    """

    model: str = "auto"
    effort: str = "balanced"
    refine: str = "guided"
    foreground: str = "multilevel"
    decontaminate: float = 1.0
    softness: float = 0.0
    choke: float = 0.0
    box: tuple[float, float, float, float] | None = None
    keep: tuple[tuple[float, float], ...] = ()
    drop: tuple[tuple[float, float], ...] = ()
    strokes: tuple[Stroke, ...] = ()
    framing: Framing = field(default_factory=Framing)

    @property
    def analysis_key(self) -> str:
        """Names what the network has to run for: everything else is made of its estimate."""
        record = json.dumps([self.model, self.effort, self.box])
        return hashlib.sha256(record.encode()).hexdigest()[:16]

    def without_framing(self) -> Edit:
        """What decides about the cut-out itself."""
        return Edit(**{**vars(self), "framing": Framing()})

    def corrections(
        self, height: int, width: int, *, longest_side: int | None = None
    ) -> Corrections | None:
        """What was said about the picture; None where nothing was.

        Args:
            height: Rows of the picture.
            width: Columns of it.
            longest_side: Paint the strokes no larger than this; None: at the picture's size.

        Raises:
            OptionError: It does not fit the picture.
        """
        mask = None
        if self.strokes:
            scale = 1.0
            if longest_side is not None:
                scale = min(1.0, longest_side / max(height, width))
            rows, columns = max(1, round(height * scale)), max(1, round(width * scale))
            mask = painted(self.strokes, rows, columns, scale=(columns / width, rows / height))
        if self.box is None and not self.keep and not self.drop and mask is None:
            return None
        return Corrections(box=self.box, keep=self.keep, drop=self.drop, mask=mask)

    def box_alone(self) -> Corrections | None:
        """The box as corrections, for the network's run."""
        return None if self.box is None else Corrections(box=self.box)

    def options(self, corrections: Corrections | None) -> CutoutOptions:
        """The keywords of `Remover.cutout`."""
        return CutoutOptions(
            effort=self.effort,  # type: ignore[arg-type]
            refine=self.refine,  # type: ignore[arg-type]
            decontaminate="off" if self.decontaminate == 0 else self.foreground,  # type: ignore[arg-type]
            strength=self.decontaminate,
            corrections=corrections,
        )

    def edge(self, height: int, width: int) -> EdgeAdjustment | None:
        """The edge adjustment in pixels of a picture; None where none is wanted."""
        if not self.choke and not self.softness:
            return None
        return EdgeAdjustment.offered(self.choke, self.softness, height, width)

    def record(self) -> dict[str, Any]:
        """As the page sends and gets it."""
        return {
            "model": self.model,
            "effort": self.effort,
            "refine": self.refine,
            "foreground": self.foreground,
            "decontaminate": self.decontaminate,
            "softness": self.softness,
            "choke": self.choke,
            "corrections": {
                "box": None if self.box is None else list(self.box),
                "keep": [list(point) for point in self.keep],
                "drop": [list(point) for point in self.drop],
                "strokes": [
                    {
                        "kind": stroke.kind,
                        "radius": stroke.radius,
                        "points": [list(point) for point in stroke.points],
                    }
                    for stroke in self.strokes
                ],
            },
            "framing": self.framing.record(),
        }


def edit_from(
    record: Any, *, default_model: str = "auto", has_background: Callable[[str], bool] | None = None
) -> Edit:
    """An edit from what the page sent; what is left out has its default.

    Args:
        record: Parsed JSON.
        default_model: Where none is named.
        has_background: Tells whether a background picture of an id is there; None: all are.

    Raises:
        OptionError: It is not what it must be; the message says what.
    """
    table = _table("the edit", record, _FIELDS)
    said = _table("corrections", _given(table, "corrections", {}), _CORRECTIONS)
    model = table.get("model", default_model)
    _check_model(model)
    effort, refine = table.get("effort", "balanced"), table.get("refine", "guided")
    one_of("effort", effort, EFFORTS)
    one_of("refine", refine, REFINE_LEVELS)
    foreground = table.get("foreground", "multilevel")
    one_of("foreground", foreground, FOREGROUND_METHODS)
    strokes = _given(said, "strokes", [])
    if not isinstance(strokes, list) or len(strokes) > _MOST_STROKES:
        raise OptionError(f"corrections: strokes is a list of at most {_MOST_STROKES}")
    made = Edit(
        model=model,
        effort=effort,
        refine=refine,
        foreground=foreground,
        decontaminate=_number(table, "decontaminate", 1.0, 0.0, 1.0),
        softness=_number(table, "softness", 0.0, 0.0, 1.0),
        choke=_number(table, "choke", 0.0, -1.0, 1.0),
        strokes=tuple(stroke_from(one) for one in strokes),
        framing=framing_from(_given(table, "framing", {}), has_background=has_background),
    )
    box: Any = said.get("box")
    keep: Any = _given(said, "keep", [])
    drop: Any = _given(said, "drop", [])
    if box is None and keep == [] and drop == []:
        return made
    checked = Corrections(box=box, keep=keep, drop=drop)
    return Edit(**{**vars(made), "box": checked.box, "keep": checked.keep, "drop": checked.drop})


def _check_model(name: Any) -> None:
    """Models go by name here: a path is never opened for a page."""
    if not isinstance(name, str) or name in ("auto", "studio"):
        if not isinstance(name, str):
            raise OptionError(f"model is a name, not {name!r:.60}")
        return
    from nssbg._models.catalog import describe

    if any(sign in name for sign in "/\\\0") or name.endswith((".onnx", ".xml")):
        raise OptionError(f"model {name!r:.60}: a name of `nssbg models list`, not a path")
    describe(name)


def _table(what: str, record: Any, known: frozenset[str]) -> Mapping[str, Any]:
    if not isinstance(record, dict):
        raise OptionError(f"{what} is an object, not {record!r:.60}")
    unknown = sorted(set(record) - known)
    if unknown:
        raise OptionError(f"{what} has no {unknown[0]!r:.60}; it has {', '.join(sorted(known))}")
    return record


def _given(table: Mapping[str, Any], name: str, default: Any) -> Any:
    """What was given; null is nothing."""
    value = table.get(name)
    return default if value is None else value


def _number(
    table: Mapping[str, Any], name: str, default: float, least: float, most: float
) -> float:
    value = table.get(name, default)
    known = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not known or not least <= float(value) <= most:  # a NaN makes every comparison false
        raise OptionError(f"{name} is a number from {least:g} to {most:g}, not {value!r:.60}")
    return float(value)
