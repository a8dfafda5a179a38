"""Paints brush strokes: what a person drew becomes the mask that corrections take.

In: strokes, points in pixels of a picture. Out: uint8, 255 keep, 0 drop, 128 nothing said, of the
whole picture or of any part of it at any scale.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from nssbg import _core
from nssbg._errors import OptionError

__all__ = ["DROP", "KEEP", "NOTHING", "Stroke", "painted", "stroke_from"]

KEEP, NOTHING, DROP = 255, 128, 0
# Bounds of one stroke: what a hand draws is far below.
_MOST_POINTS = 20_000
_MOST_RADIUS = 10_000.0


@dataclass(frozen=True)
class Stroke:
    """One stroke of a round brush.

    Attributes:
        kind: "keep" or "drop".
        radius: Of the brush, in pixels of the picture.
        points: (x, y) that it went through, at least one, in pixels of the upright picture; they
            may lie outside it.
    """

    kind: Literal["keep", "drop"]
    radius: float
    points: tuple[tuple[float, float], ...]


def stroke_from(record: Any) -> Stroke:
    """A stroke from plain data: {"kind", "radius", "points": [[x, y], ...]}.

    Raises:
        OptionError: It is not what it must be.
    """
    if not isinstance(record, dict):
        raise OptionError(f"a stroke is an object with kind, radius and points, not {record!r:.60}")
    kind, radius, points = (record.get(name) for name in ("kind", "radius", "points"))
    if kind not in ("keep", "drop"):
        raise OptionError(f"a stroke's kind is 'keep' or 'drop', not {kind!r:.60}")
    if not _is_number(radius) or not 0 < cast("float", radius) <= _MOST_RADIUS:
        raise OptionError(
            f"a stroke's radius is a number above 0, at most {_MOST_RADIUS:g}, not {radius!r:.60}"
        )
    if not isinstance(points, (list, tuple)) or not 1 <= len(points) <= _MOST_POINTS:
        raise OptionError(f"a stroke has 1 to {_MOST_POINTS} points [x, y]")
    for point in points:
        if (
            not isinstance(point, (list, tuple))
            or len(point) != 2
            or not all(_is_number(value) and abs(value) < 1e7 for value in point)
        ):
            raise OptionError(f"a stroke's points are [x, y] as numbers, not {point!r:.60}")
    return Stroke(
        cast("Literal['keep', 'drop']", kind),
        float(cast("float", radius)),
        tuple((float(x), float(y)) for x, y in points),
    )


def painted(
    strokes: Sequence[Stroke],
    height: int,
    width: int,
    *,
    origin: tuple[float, float] = (0.0, 0.0),
    scale: tuple[float, float] = (1.0, 1.0),
) -> NDArray[np.uint8]:
    """The strokes as a mask; a later one covers an earlier one.

    Args:
        strokes: In the order they were drawn.
        height: Rows of the mask.
        width: Columns of it.
        origin: (x, y) of the picture that the mask's upper left corner lies at.
        scale: Pixels of the mask for one of the picture, in x and in y.

    Returns:
        height x width uint8: 255 keep, 0 drop, 128 nothing said. A pixel whose middle lies within
        a brush's radius of its way is painted, and the one nearest to a point always is.
    """
    records = [(stroke.kind == "keep", stroke.radius, stroke.points) for stroke in strokes]
    mask: NDArray[np.uint8] = _core.paint(records, height, width, origin, scale)
    return mask


def _is_number(value: object) -> bool:
    return (
        isinstance(value, numbers.Real)
        and not isinstance(value, bool)
        and math.isfinite(float(value))
    )
