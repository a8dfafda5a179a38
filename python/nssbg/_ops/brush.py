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
        height x width uint8: 255 keep, 0 drop, 128 nothing said.
    """
    from PIL import Image, ImageDraw

    mask = Image.new("L", (width, height), NOTHING)
    draw = ImageDraw.Draw(mask)
    for stroke in strokes:
        value = KEEP if stroke.kind == "keep" else DROP
        # Of a pixel's area, the middle counts: at x = 10.5 a point lies in the middle of pixel 10.
        path = [
            ((x - origin[0]) * scale[0] - 0.5, (y - origin[1]) * scale[1] - 0.5)
            for x, y in stroke.points
        ]
        radius = stroke.radius * math.sqrt(scale[0] * scale[1])
        if not _touches(path, radius, height, width):
            continue
        path = _thinned(path, radius)
        if len(path) > 1:
            draw.line(path, fill=value, width=max(1, round(2 * radius)))
        for x, y in path:
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=value)
    return np.array(mask)


def _touches(path: list[tuple[float, float]], radius: float, height: int, width: int) -> bool:
    xs, ys = [x for x, _ in path], [y for _, y in path]
    return (
        max(xs) + radius >= 0
        and max(ys) + radius >= 0
        and min(xs) - radius <= width
        and min(ys) - radius <= height
    )


def _thinned(path: list[tuple[float, float]], radius: float) -> list[tuple[float, float]]:
    """Without points that lie closer together than shows: mice report hundreds a second."""
    least = max(0.25, 0.05 * radius)
    kept = path[:1]
    for point in path[1:-1]:
        if math.dist(point, kept[-1]) >= least:
            kept.append(point)
    return kept + path[-1:] if len(path) > 1 else kept


def _is_number(value: object) -> bool:
    return (
        isinstance(value, numbers.Real)
        and not isinstance(value, bool)
        and math.isfinite(float(value))
    )
