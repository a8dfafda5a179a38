"""Where a model is to look again: the crop around a subject, the tiles along its outline.

In: a coarse alpha, h x w float32 0..1, and the picture's size in pixels. Out: rectangles of pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nssbg._stages.cleanup import drop_specks

__all__ = ["LEAST_GAIN", "SURE_HIGH", "SURE_LOW", "Area", "plan_crop", "plan_tiles", "snapped"]

Float = NDArray[np.float32]

#: Room left around the subject, as a share of its box: models need to see some backdrop.
MARGIN = 0.15
#: A second run pays when the subject gets at least this many times more pixels a side.
LEAST_GAIN = 1.25
#: Tiles overlap by this share of their side; blending happens there.
OVERLAP = 0.25
#: Alpha above which a cell belongs to the subject's box; below / above these it is sure.
SUBJECT, SURE_LOW, SURE_HIGH = 0.25, 0.02, 0.98
#: Subjects smaller than this share of the first map are taken for noise.
LEAST_SUBJECT = 2e-4


@dataclass(frozen=True)
class Area:
    """A rectangle of pixels, rows [y0, y1), columns [x0, x1)."""

    y0: int
    y1: int
    x0: int
    x1: int

    @property
    def height(self) -> int:
        """Rows."""
        return self.y1 - self.y0

    @property
    def width(self) -> int:
        """Columns."""
        return self.x1 - self.x0

    def of(self, picture: NDArray[Any]) -> NDArray[Any]:
        """This part of an H x W (x C) array, as a view."""
        return picture[self.y0 : self.y1, self.x0 : self.x1]

    def cells(self, shape: tuple[int, ...], height: int, width: int) -> tuple[slice, slice]:
        """The cells of a map of that shape that an area of a height x width picture covers."""
        scale_y, scale_x = shape[0] / height, shape[1] / width
        rows = slice(round(self.y0 * scale_y), max(1, round(self.y1 * scale_y)))
        return rows, slice(round(self.x0 * scale_x), max(1, round(self.x1 * scale_x)))


def plan_crop(coarse: Float, height: int, width: int) -> Area | None:
    """The crop around the subject, with margin; None where it would gain too little."""
    clean = drop_specks(
        np.ascontiguousarray(coarse), max(2, round(LEAST_SUBJECT * coarse.size)), level=SUBJECT
    )
    inside = clean > SUBJECT
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    if rows.size == 0:
        return None
    scale_y, scale_x = height / coarse.shape[0], width / coarse.shape[1]
    y0, y1 = rows[0] * scale_y, (rows[-1] + 1) * scale_y
    x0, x1 = columns[0] * scale_x, (columns[-1] + 1) * scale_x
    margin = MARGIN * max(y1 - y0, x1 - x0)
    crop = Area(
        max(0, math.floor(y0 - margin)),
        min(height, math.ceil(y1 + margin)),
        max(0, math.floor(x0 - margin)),
        min(width, math.ceil(x1 + margin)),
    )
    gain = max(height, width) / max(crop.height, crop.width)
    return crop if gain >= LEAST_GAIN else None


def plan_tiles(coarse: Float, height: int, width: int, side: int, scope: Area) -> list[Area]:
    """Overlapping square tiles of `side` pixels inside scope that the outline passes through.

    Those with the longest outline come first, so that a budget is spent where it matters.
    """
    starts_y = _starts(scope.y0, scope.y1, side)
    starts_x = _starts(scope.x0, scope.x1, side)
    doubt = (coarse > SURE_LOW) & (coarse < SURE_HIGH)
    scale_y, scale_x = coarse.shape[0] / height, coarse.shape[1] / width
    found = []
    for y in starts_y:
        for x in starts_x:
            tile = Area(y, min(y + side, scope.y1), x, min(x + side, scope.x1))
            part = doubt[
                int(tile.y0 * scale_y) : math.ceil(tile.y1 * scale_y),
                int(tile.x0 * scale_x) : math.ceil(tile.x1 * scale_x),
            ]
            cells = int(np.count_nonzero(part))
            if cells:
                found.append((-cells, tile.y0, tile.x0, tile))
    return [tile for *_, tile in sorted(found, key=lambda entry: entry[:3])]


def snapped(area: Area, canvas: tuple[int, ...], height: int, width: int) -> Area:
    """The area grown to whole canvas cells, so that answers land without a sub-cell shift."""

    def out(low: int, high: int, cells: int, pixels: int) -> tuple[int, int]:
        scale = pixels / cells
        first, last = math.floor(low / scale), math.ceil(high / scale)
        return round(first * scale), min(pixels, round(last * scale))

    y0, y1 = out(area.y0, area.y1, canvas[0], height)
    x0, x1 = out(area.x0, area.x1, canvas[1], width)
    return Area(y0, y1, x0, x1)


def _starts(begin: int, end: int, side: int) -> list[int]:
    """First pixels of tiles of `side` that cover [begin, end), evenly overlapped."""
    length = end - begin
    if length <= side:
        return [begin]
    count = math.ceil((length - side) / (side * (1 - OVERLAP))) + 1
    return [begin + round(i * (length - side) / (count - 1)) for i in range(count)]
