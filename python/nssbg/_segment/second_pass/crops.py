"""Where a model is to look again: crops around the subjects, tiles along their outlines.

In: a coarse alpha, h x w float32 0..1, and the picture's size in pixels. Out: rectangles of pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nssbg._ops.alpha_cleanup import remove_faint_components, remove_small_components
from nssbg._segment.second_pass.thresholds import (
    LEAST_GAIN,
    LEAST_GAP,
    LEAST_SUBJECT,
    MARGIN,
    MOST_SUBJECTS,
    OVERLAP,
    SUBJECT,
    SURE_HIGH,
    SURE_LOW,
)

__all__ = ["Area", "plan_crops", "plan_tiles", "snapped"]

Float = NDArray[np.float32]


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

    def overlaps(self, other: Area) -> bool:
        """Whether they share a pixel."""
        rows = self.y0 < other.y1 and other.y0 < self.y1
        return rows and self.x0 < other.x1 and other.x0 < self.x1

    def hull(self, other: Area) -> Area:
        """The smallest area that holds both."""
        return Area(
            min(self.y0, other.y0),
            max(self.y1, other.y1),
            min(self.x0, other.x0),
            max(self.x1, other.x1),
        )

    def of(self, image: NDArray[Any]) -> NDArray[Any]:
        """This part of an H x W (x C) array, as a view."""
        return image[self.y0 : self.y1, self.x0 : self.x1]

    def cells(self, shape: tuple[int, ...], height: int, width: int) -> tuple[slice, slice]:
        """The cells of a map of that shape that an area of a height x width picture covers."""
        scale_y, scale_x = shape[0] / height, shape[1] / width
        rows = slice(round(self.y0 * scale_y), max(1, round(self.y1 * scale_y)))
        return rows, slice(round(self.x0 * scale_x), max(1, round(self.x1 * scale_x)))


def plan_crops(coarse: Float, height: int, width: int) -> tuple[list[Area], bool]:
    """The crops around the subjects, with margin, that gain enough; the largest come first.

    Subjects are told apart by empty rows and columns between them, margins included. Faint blobs
    beside a larger one are none.

    Returns:
        The crops, which do not overlap, and whether all subjects lie in them.
    """
    clean = remove_small_components(
        np.ascontiguousarray(coarse), max(2, round(LEAST_SUBJECT * coarse.size)), level=SUBJECT
    )
    inside = remove_faint_components(clean) > SUBJECT
    boxes = sorted(_separate(inside), key=lambda b: (-_cells(inside, b), b))
    scale_y, scale_x = height / coarse.shape[0], width / coarse.shape[1]
    grown = []
    for y0, y1, x0, x1 in boxes[:MOST_SUBJECTS]:
        top, bottom, left, right = y0 * scale_y, y1 * scale_y, x0 * scale_x, x1 * scale_x
        margin = MARGIN * max(bottom - top, right - left)
        grown.append(
            Area(
                max(0, math.floor(top - margin)),
                min(height, math.ceil(bottom + margin)),
                max(0, math.floor(left - margin)),
                min(width, math.ceil(right + margin)),
            )
        )
    apart = _merged(grown)
    longest = max(height, width)
    crops = [a for a in apart if longest / max(a.height, a.width) >= LEAST_GAIN]
    crops.sort(key=lambda a: (-a.height * a.width, a.y0, a.x0))
    return crops, bool(crops) and len(crops) == len(apart) and len(boxes) <= MOST_SUBJECTS


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


def _separate(inside: NDArray[np.bool_]) -> list[tuple[int, int, int, int]]:
    """Tight boxes (y0, y1, x0, x1) of what wide empty rows and columns leave apart."""
    gap = max(2, math.ceil(LEAST_GAP * max(inside.shape)))
    found = []
    waiting = [(0, inside.shape[0], 0, inside.shape[1])]
    while waiting:
        y0, y1, x0, x1 = waiting.pop()
        part = inside[y0:y1, x0:x1]
        rows = _stretches(np.flatnonzero(part.any(1)), gap)
        columns = _stretches(np.flatnonzero(part.any(0)), gap)
        pieces = [(y0 + a, y0 + b, x0 + c, x0 + d) for a, b in rows for c, d in columns]
        if pieces == [(y0, y1, x0, x1)]:
            found.append(pieces[0])
        else:
            waiting += pieces
    return found


def _stretches(places: NDArray[np.intp], gap: int) -> list[tuple[int, int]]:
    """Rising places as stretches [begin, end), told apart where more than `gap` lies between."""
    if places.size == 0:
        return []
    breaks = np.flatnonzero(np.diff(places) > gap)
    begins = [places[0], *places[breaks + 1]]
    ends = [*places[breaks], places[-1]]
    return [(int(a), int(b) + 1) for a, b in zip(begins, ends, strict=True)]


def _cells(inside: NDArray[np.bool_], box: tuple[int, int, int, int]) -> int:
    y0, y1, x0, x1 = box
    return int(np.count_nonzero(inside[y0:y1, x0:x1]))


def _merged(areas: list[Area]) -> list[Area]:
    """Areas that overlap, as one, until none do."""
    apart: list[Area] = []
    for area in areas:
        while True:
            touched = next((a for a in apart if a.overlaps(area)), None)
            if touched is None:
                break
            apart.remove(touched)
            area = area.hull(touched)
        apart.append(area)
    return apart


def _starts(begin: int, end: int, side: int) -> list[int]:
    """First pixels of tiles of `side` that cover [begin, end), evenly overlapped."""
    length = end - begin
    if length <= side:
        return [begin]
    count = math.ceil((length - side) / (side * (1 - OVERLAP))) + 1
    return [begin + round(i * (length - side) / (count - 1)) for i in range(count)]
