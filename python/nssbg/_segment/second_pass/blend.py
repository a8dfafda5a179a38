"""The second pass blended into the map of the whole picture, without seams.

In: the map so far (changed in place), answers for parts of the picture, all float32 0..1. A crop
replaces what it covers; tiles only add the detail along the outline that the map cannot show,
because a tile that sees hair and no head knows less about what belongs to the subject.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nssbg import _core
from nssbg._segment.second_pass.crops import Area
from nssbg._segment.second_pass.thresholds import (
    BAND,
    BAND_GAIN,
    DETAIL,
    MOST_CROP_DISAGREEMENT,
    MOST_TILE_DISAGREEMENT,
    OVERLAP,
    SURE_HIGH,
    SURE_LOW,
)

__all__ = ["blend_crop", "blend_tiles", "outline_weight", "resized"]

Float = NDArray[np.float32]


def blend_crop(canvas: Float, area: Area, answer: Float, height: int, width: int) -> bool:
    """Put the answer for a crop into the map; False (and no change) if it contradicts it."""
    here = canvas[area.cells(canvas.shape, height, width)]
    fine = resized(answer, *here.shape)
    if _disagreement(fine, here) > MOST_CROP_DISAGREEMENT:
        return False
    fine -= here
    fine *= _window(area, here.shape, height, width)
    here += fine
    return True


def blend_tiles(
    canvas: Float, scope: Area, answers: list[tuple[Area, Float]], height: int, width: int
) -> int:
    """Add the detail of tiles' answers along the outline; how many were used."""
    place = scope.cells(canvas.shape, height, width)
    part = canvas[place]
    change, weights = np.zeros_like(part), np.zeros_like(part)
    used = 0
    for area, answer in answers:
        cells = area.cells(canvas.shape, height, width)
        here = canvas[cells]
        fine = resized(answer, *here.shape)
        if _disagreement(fine, here) > MOST_TILE_DISAGREEMENT:
            continue
        used += 1
        window = _window(area, here.shape, height, width)
        inside = tuple(
            slice(max(0, one.start - whole.start), one.stop - whole.start)
            for one, whole in zip(cells, place, strict=True)
        )
        fine -= _core.feather(fine, DETAIL, 1)
        fine -= here
        fine += _core.feather(np.ascontiguousarray(here), DETAIL, 1)
        fine *= window
        change[inside] += fine
        weights[inside] += window
    # Where the windows add up to less than one, the map keeps the rest.
    change /= np.maximum(weights, 1)
    change *= outline_weight(part)
    np.clip(part + change, 0, 1, out=part)
    return used


def outline_weight(alpha: Float) -> Float:
    """1 on cells near where alpha crosses one half, falling to 0 within two cells more."""
    inside = (alpha >= 0.5).astype(np.float32)
    near: Float = _core.feather(inside, BAND, 1)
    near *= 1 - near
    near *= BAND_GAIN
    return np.minimum(near, 1, out=near)


def resized(alpha: Float, height: int, width: int) -> Float:
    """Cubic resampling to height x width, a new array; what shrinks is averaged by cells first."""
    while alpha.shape[0] >= 2 * height and alpha.shape[1] >= 2 * width:
        rows, columns = alpha.shape[0] // 2 * 2, alpha.shape[1] // 2 * 2
        parts = alpha[:rows, :columns].reshape(rows // 2, 2, columns // 2, 2)
        alpha = parts.mean((1, 3), dtype=np.float32)
    if alpha.shape == (height, width):
        return np.array(alpha, np.float32)
    blank = np.broadcast_to(np.zeros((), np.uint8), (height, width, 3))
    larger: NDArray[Any] = _core.refine(blank, np.ascontiguousarray(alpha), None, "none", 1, 512)[0]
    return larger.astype(np.float32, copy=False)


def _disagreement(fine: Float, here: Float) -> float:
    """Mean difference on the cells that were sure; 0 where there are none."""
    sure = (here <= SURE_LOW) | (here >= SURE_HIGH)
    return float(np.abs(fine - here)[sure].mean()) if sure.any() else 0.0


def _window(area: Area, shape: tuple[int, ...], height: int, width: int) -> Float:
    """1 inside, linear to 0 over half of the overlap at borders that are not the picture's."""

    def along(count: int, fade_begin: bool, fade_end: bool) -> Float:
        reach = np.float32(max(1.0, count * OVERLAP / 2))
        place = np.arange(count, dtype=np.float32) + np.float32(0.5)
        window = np.ones(count, np.float32)
        if fade_begin:
            window = np.minimum(window, place / reach)
        if fade_end:
            window = np.minimum(window, (count - place) / reach)
        return np.asarray(window, np.float32)

    return np.minimum(
        along(shape[0], area.y0 > 0, area.y1 < height)[:, None],
        along(shape[1], area.x0 > 0, area.x1 < width)[None],
    )
