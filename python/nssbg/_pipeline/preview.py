"""What the visible part of a result will look like, at the scale of a screen.

For a person who paints: the visible part alone is refined and coloured, on a photograph as large as
it is shown, so that an answer costs what the screen has, not what the camera had. The coarse map
is corrected as a whole, as for the result. At scale 1 what is shown differs from the result by how
a cell of the coarse map is placed, half a pixel at most; smaller, it is the result of a smaller
picture. `Analysis.finished` makes the result itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nssbg._corrections import Corrections
from nssbg._ops.brush import DROP, KEEP, Stroke, painted
from nssbg._ops.edge import EdgeAdjustment, adjusted_edge
from nssbg._ops.foreground import decontaminate
from nssbg._ops.refine import refine
from nssbg._ops.resample import photograph_part
from nssbg._options import CutoutOptions
from nssbg._pipeline.analysis import Analysis
from nssbg._pipeline.finish import merged
from nssbg._segment.base import Estimate
from nssbg._segment.corrections import (
    Region,
    corrected_estimate,
    mixed,
    region_of,
    resized,
    trimap_of,
)

if TYPE_CHECKING:
    from nssbg._vocabulary import RefineLevel

__all__ = ["View", "preview"]

Bools = NDArray[np.bool_]

# Pixels of the screen around what is visible: what the refinement and the colours look at.
_MARGIN = 24
# Cells of the coarse map around it.
_CELLS = 2
# Longest side that strokes are painted at for the coarse map, whose cells are larger.
_PAINTED = 1024


@dataclass(frozen=True)
class View:
    """A part of a picture at a size.

    Attributes:
        box: left, top, right, bottom in whole pixels of the picture, half open.
        size: Rows and columns that it is shown at, no more than its own.
    """

    box: tuple[int, int, int, int]
    size: tuple[int, int]


@dataclass(frozen=True)
class _Axis:
    """One axis of the window that is worked on: what is visible, and a margin.

    Attributes:
        part: First and last place of the photograph, in its pixels.
        size: Pixels of the window.
        before: Of these before what is visible.
        scale: Pixels of the window for one of the photograph.
    """

    part: tuple[float, float]
    size: int
    before: int
    scale: float


def preview(
    analysis: Analysis,
    options: CutoutOptions,
    view: View,
    *,
    strokes: Sequence[Stroke] = (),
    edge: EdgeAdjustment | None = None,
    threads: int = 0,
) -> NDArray[np.uint8]:
    """The visible part of a cut-out.

    Args:
        analysis: Of the picture.
        options: How it is to be cut out; of its corrections the box counts as the analysis has
            it, points as they are, and no mask: strokes are painted at the scale of the view.
        view: What is visible.
        strokes: Of a brush, in pixels of the picture.
        edge: As for `Analysis.finished`.
        threads: Threads of the kernels; 0: all usable cores.

    Returns:
        Rows x columns x 4, straight, 8 bits, in the picture's own colour encoding; clear outside
        the box.

    Raises:
        OptionError: The corrections do not fit the picture.
    """
    frame = analysis.frame
    left, top, right, bottom = view.box
    result = np.zeros((*view.size, 4), np.uint8)
    region = analysis.region
    # Within the region's pixels, and cut to it: outside the box nothing is seen.
    x0, y0, x1, y1 = 0, 0, region.frame.width, region.frame.height
    if region.inner is not None:
        y0, x0, y1, x1 = region.inner
    sy, sx = view.size[0] / (bottom - top), view.size[1] / (right - left)
    seen_x = _seen(left - region.left, right - region.left, x0, x1, sx)
    seen_y = _seen(top - region.top, bottom - region.top, y0, y1, sy)
    if seen_x is None or seen_y is None:
        return result
    said = options.corrections if isinstance(options.corrections, Corrections) else None
    coarse, changed = _coarse(analysis, region, said, strokes, threads)
    reach = math.ceil((edge.reach if edge is not None else 0) * max(sx, sy))
    shape = (region.frame.height, region.frame.width)
    axis_y = _axis(seen_y, shape[0], coarse.alpha.shape[0], _MARGIN + reach)
    axis_x = _axis(seen_x, shape[1], coarse.alpha.shape[1], _MARGIN + reach)
    part = (axis_x.part[0], axis_y.part[0], axis_x.part[1], axis_y.part[1])
    guide = photograph_part(region.frame.rgb, axis_y.size, axis_x.size, part)
    window = _Window(axis_y, axis_x, guide, shape)
    keep, drop = window.said(said, strokes, region)
    alpha = window.refined(
        coarse, changed, analysis.estimate, (keep, drop), options.refine, threads
    )
    alpha[keep], alpha[drop] = 255 if alpha.dtype == np.uint8 else 1, 0
    window.clear_outside(alpha, region)
    if edge is not None:
        alpha = adjusted_edge(alpha, edge.scaled(math.sqrt(sx * sy)), threads=threads)
    if frame.alpha is not None:
        whole = (part[0] + region.left, part[1] + region.top, part[2] + region.left,
                 part[3] + region.top)  # fmt: skip
        own = photograph_part(frame.alpha[..., None], axis_y.size, axis_x.size, whole)
        alpha = merged(alpha, np.ascontiguousarray(own[..., 0]))
    rgba = decontaminate(
        guide,
        alpha,
        method=options.decontaminate,
        strength=options.strength,
        matte=options.matte,
        threads=threads,
    )
    rows = slice(seen_y[2], seen_y[2] + seen_y[3])
    columns = slice(seen_x[2], seen_x[2] + seen_x[3])
    y, x = axis_y.before, axis_x.before
    result[rows, columns] = rgba[y : y + seen_y[3], x : x + seen_x[3]]
    return result


def _seen(
    first: float, last: float, least: int, most: int, scale: float
) -> tuple[float, float, int, int] | None:
    """What of a span of the screen lies within the region.

    Returns:
        Where its first pixel begins in the region, the scale, and its first pixel and their
        number on the screen; None where nothing does.
    """
    begin = max(0, round((least - first) * scale))
    end = min(round((last - first) * scale), round((most - first) * scale))
    if begin >= end:
        return None
    return first + begin / scale, scale, begin, end - begin


def _axis(seen: tuple[float, float, int, int], length: int, cells: int, margin: int) -> _Axis:
    """The window around what is seen, that begins and ends with a cell of the coarse map.

    Pixels of the window lie on those of the screen, so that the photograph stays sharp; the cells
    are moved by half a pixel of it at most.
    """
    start, scale, _, count = seen
    cell = length / cells
    wide = margin / scale + _CELLS * cell
    first = max(0, math.floor((start - wide) / cell))
    last = min(cells, math.ceil((start + count / scale + wide) / cell))
    before = round((start - first * cell) * scale)
    after = round((last * cell - start) * scale) - count
    size = before + count + max(0, after)
    begin, end = start - before / scale, start + (count + max(0, after)) / scale
    return _Axis(
        part=(max(0.0, begin), min(float(length), end)),
        size=size,
        before=before,
        scale=scale,
    )


def _coarse(
    analysis: Analysis,
    region: Region,
    said: Corrections | None,
    strokes: Sequence[Stroke],
    threads: int,
) -> tuple[Estimate, NDArray[np.float32] | None]:
    """The region's coarse map as a person corrected it, and where it was changed."""
    height, width = region.frame.height, region.frame.width
    keep, drop = (said.keep, said.drop) if said is not None else ((), ())
    mask = None
    if strokes:
        scale = min(1.0, _PAINTED / max(height, width))
        rows, columns = max(1, round(height * scale)), max(1, round(width * scale))
        mask = painted(
            strokes,
            rows,
            columns,
            origin=(region.left, region.top),
            scale=(columns / width, rows / height),
        )
    if not keep and not drop and mask is None:
        return analysis.estimate, None
    points = None
    if keep or drop:
        points = region_of(analysis.frame, Corrections(box=analysis.box, keep=keep, drop=drop))[1]
    moved = Corrections(
        keep=() if points is None else points.keep,
        drop=() if points is None else points.drop,
        mask=mask,
    )
    return corrected_estimate(
        region.frame, analysis.estimate, moved, threads=threads, grid=analysis.grid
    )


@dataclass(frozen=True)
class _Window:
    """The part that is worked on, at the scale of the screen.

    Attributes:
        y: Its rows.
        x: Its columns.
        guide: The photograph there, rows x columns x 3.
        shape: Rows and columns of the region that it is a part of.
    """

    y: _Axis
    x: _Axis
    guide: NDArray[np.uint8]
    shape: tuple[int, int]

    def refined(
        self,
        coarse: Estimate,
        changed: NDArray[np.float32] | None,
        before: Estimate,
        said: tuple[Bools, Bools],
        level: RefineLevel,
        threads: int,
    ) -> NDArray[Any]:
        """The window's alpha; a new array."""
        shape = self.guide.shape[:2]
        own = None
        if before.full_size:
            whole = self._part_of(before.alpha)
            own = _at_most(whole, shape)
            if own.shape != shape:
                own = resized(own, *shape)
            near = None if changed is None else self._part_of(changed)
            if near is None or not near.any():
                return own.copy()
        part = _at_most(self._part_of(coarse.alpha), shape)
        trimap = None
        if changed is not None and level in ("matting", "auto"):
            trimap = trimap_of(part, *shape)
            trimap[said[0]], trimap[said[1]] = 255, 0
        alpha = refine(
            self.guide, part, level=level, trimap=trimap, threads=threads, min_component_area=0
        )
        if own is not None and near is not None:
            return mixed(own, alpha, _at_most(near, shape))
        return alpha

    def said(
        self, corrections: Corrections | None, strokes: Sequence[Stroke], region: Region
    ) -> tuple[Bools, Bools]:
        """Pixels of the window that a person said are subject, and background."""
        shape = self.guide.shape[:2]
        origin = (self.x.part[0] + region.left, self.y.part[0] + region.top)
        mask = painted(strokes, *shape, origin=origin, scale=(self.x.scale, self.y.scale))
        if corrections is not None:
            for points, value in ((corrections.keep, KEEP), (corrections.drop, DROP)):
                for x, y in points:
                    row = math.floor((y - origin[1]) * self.y.scale)
                    column = math.floor((x - origin[0]) * self.x.scale)
                    if 0 <= row < shape[0] and 0 <= column < shape[1]:
                        mask[row, column] = value
        return mask == KEEP, mask == DROP

    def clear_outside(self, alpha: NDArray[Any], region: Region) -> None:
        """Make everything outside the box background, in place."""
        if region.inner is None:
            return
        top, left, bottom, right = region.inner
        for axis, lines, first, last in (
            (self.y, alpha, top, bottom),
            (self.x, alpha.T, left, right),
        ):
            lines[: max(0, round((first - axis.part[0]) * axis.scale))] = 0
            lines[max(0, round((last - axis.part[0]) * axis.scale)) :] = 0

    def _part_of(self, values: NDArray[Any]) -> NDArray[Any]:
        """The window's share of a map of the whole region, of any size."""
        spans = []
        for axis, length, count in zip((self.y, self.x), self.shape, values.shape, strict=True):
            first = min(count - 1, round(axis.part[0] * count / length))
            spans.append(slice(first, max(first + 1, round(axis.part[1] * count / length))))
        return np.ascontiguousarray(values[spans[0], spans[1]])


def _at_most(values: NDArray[Any], shape: tuple[int, int]) -> NDArray[Any]:
    """A map no finer than the window."""
    rows, columns = min(values.shape[0], shape[0]), min(values.shape[1], shape[1])
    return resized(values, rows, columns)
