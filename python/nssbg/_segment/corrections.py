"""Applies what a person said about a picture to the alpha that a method found.

In: the picture, the method's alpha and `Corrections`. Out: the part of the picture to look at
(box), a coarse alpha in which points and painted pixels are obeyed, and a full-size alpha in
which they hold exactly. Points grow on a grid of GRID cells by geodesic distance (Bai and
Sapiro: A geodesic framework for fast interactive image and video segmentation, 2007): the way
over a colour edge is long, and each cell goes to the nearer side.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nssbg._corrections import DROPPED_UP_TO, KEPT_FROM, Corrections
from nssbg._ops.alpha_cleanup import remove_small_components_in_place
from nssbg._ops.prepare import prepare
from nssbg._ops.refine import refine_with_report
from nssbg._segment.base import Estimate
from nssbg._types import Frame
from nssbg._vocabulary import RefineLevel

__all__ = [
    "CorrectionGrid",
    "Region",
    "corrected_alpha",
    "corrected_estimate",
    "mixed",
    "region_of",
    "resized",
    "trimap_of",
]

# Cells of the longer side that points grow on; the outline is refined at full size afterwards.
GRID = 256
# Part of the box's sides that the method sees around it: networks want some background.
_MARGIN = 0.08
# Alpha of what belongs to a part in any way, for regions to take its soft edge with them.
_FAINT = 0.02
# A part is "one of several" where the others make up at least this share of it.
_OTHERS = 0.1
# Length of a step between cells of one colour; an edge adds its height (0..255) above the noise
# and shading that goes from cell to cell. A region of 200 cells is crossed for one faint edge.
_STEP = np.float32(0.1)
_SHADING = np.float32(3.0)
# Cells around a point that certainly belong to it.
_DISC = 1.5
# Where nothing of another colour bounds a region it is a disc of this share of the longer side.
_ALONE = 0.04
# Pieces of less than this share of what a point takes go with it.
_ISLANDS = 0.1
_FAR = np.float32(1e7)
# Sweeps end when no way becomes shorter by more than this; which side is nearer is settled then.
_SETTLED = 1.0
_MOST_ROUNDS = 16
# Turns of a way through a part, each of which takes a round: more than any subject has.
_MOST_TURNS = 200

Bools = NDArray[np.bool_]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Region:
    """The part of a picture that is worked on.

    Attributes:
        frame: That part; its alpha left out.
        top: Its first row in the picture.
        left: Its first column.
        inner: top, left, bottom, right of the box within the part; None: all of it.
    """

    frame: Frame
    top: int = 0
    left: int = 0
    inner: tuple[int, int, int, int] | None = None

    def placed(self, alpha: NDArray[Any], height: int, width: int) -> NDArray[Any]:
        """The part's alpha in the whole picture, 0 outside the box."""
        if self.inner is None:
            return alpha
        top, left, bottom, right = self.inner
        whole = np.zeros((height, width), alpha.dtype)
        whole[self.top + top : self.top + bottom, self.left + left : self.left + right] = alpha[
            top:bottom, left:right
        ]
        return whole


def region_of(frame: Frame, corrections: Corrections) -> tuple[Region, Corrections]:
    """What the method is to look at, and the corrections in its pixels.

    Raises:
        OptionError: They do not fit the picture.
    """
    found = corrections.scaled_to(frame.width, frame.height, name=frame.name)
    if found.box is None:
        return Region(frame), found
    left, top, right, bottom = found.box
    wide, high = _MARGIN * (right - left), _MARGIN * (bottom - top)
    x0, y0 = max(0, int(left - wide)), max(0, int(top - high))
    x1, y1 = min(frame.width, int(right + wide) + 1), min(frame.height, int(bottom + high) + 1)
    inner = (
        max(0, round(top)) - y0,
        max(0, round(left)) - x0,
        max(min(frame.height, round(bottom)), round(max(0, top)) + 1) - y0,
        max(min(frame.width, round(right)), round(max(0, left)) + 1) - x0,
    )
    rgb: Any = np.ascontiguousarray(frame.rgb[y0:y1, x0:x1])
    part = replace(frame, rgb=rgb, alpha=None)
    mask = found.mask
    if mask is not None:
        mask = np.ascontiguousarray(resized(mask, frame.height, frame.width)[y0:y1, x0:x1])
    within = (inner[1], inner[0], inner[3], inner[2])
    moved = Corrections(
        box=(float(within[0]), float(within[1]), float(within[2]), float(within[3])),
        keep=tuple((x - x0, y - y0) for x, y in found.keep),
        # Outside the box all is background as it is.
        drop=tuple(
            (x - x0, y - y0) for x, y in found.drop if left <= x <= right and top <= y <= bottom
        ),
        mask=mask,
    )
    return Region(part, y0, x0, inner), moved


class CorrectionGrid:
    """What corrections of one estimate have in common: made once where they come one by one.

    Args:
        frame: What the estimate is of.
        estimate: As the method gave it; its alpha may be full size.
        threads: Threads of the kernels.

    Attributes:
        shape: Rows and columns of the map that goes on: as fine as the finer of the grid that
            points grow on and the estimate's own map.
        base: The estimate at that size, float32 0..1.
    """

    def __init__(self, frame: Frame, estimate: Estimate, *, threads: int) -> None:
        self._frame, self._estimate, self._threads = frame, estimate, threads
        self._size = rows, columns = _grid_size(frame.height, frame.width)
        self._grown: dict[Any, tuple[Bools, Bools]] = {}
        full = np.float32(255.0 if estimate.alpha.dtype == np.uint8 else 1.0)
        self.shape: tuple[int, int] = (
            (rows, columns)
            if estimate.full_size or estimate.alpha.shape[0] < rows
            else estimate.alpha.shape
        )
        self.base: Floats = resized(estimate.alpha, *self.shape).astype(np.float32) / full
        self._full = full

    def regions(self, corrections: Corrections) -> tuple[Bools, Bools]:
        """Cells of the grid that the keep and the drop points take; the last few are kept."""
        key = (corrections.keep, corrections.drop)
        found = self._grown.get(key)
        if found is None:
            rows, columns = self._size
            height, width = self._frame.height, self._frame.width
            alpha = resized(self._estimate.alpha, rows, columns).astype(np.float32) / self._full
            scale = (columns / width, rows / height)
            found = _regions(self._rgb, alpha, corrections, scale)
            self._grown = dict([*self._grown.items()][-3:])
            self._grown[key] = found
        return found

    @cached_property
    def _rgb(self) -> Floats:
        planes = prepare(
            self._frame.rgb, self._size, filter="box", dtype="uint8", threads=self._threads
        )[0]
        rgb: Floats = np.moveaxis(planes, 0, -1).astype(np.float32)
        return rgb


def corrected_estimate(
    frame: Frame,
    estimate: Estimate,
    corrections: Corrections,
    *,
    threads: int,
    grid: CorrectionGrid | None = None,
) -> tuple[Estimate, NDArray[np.float32] | None]:
    """The estimate with points and painted pixels obeyed at the size of a coarse map.

    Args:
        frame: What the estimate is of.
        estimate: As the method gave it; its alpha may be full size.
        corrections: In the frame's pixels.
        threads: Threads of the kernels.
        grid: Of this frame and estimate, where there is one already.

    Returns:
        The estimate, its alpha coarse; and how far each cell of it was changed or lies near one
        that was, 0..1. None where nothing was changed.
    """
    told = f"corrected by hand: {_counted(corrections)}"
    if not corrections.keep and not corrections.drop and corrections.mask is None:
        return replace(estimate, notes=(*estimate.notes, told)), None
    grid = grid or CorrectionGrid(frame, estimate, threads=threads)
    base, shape = grid.base, grid.shape
    edited = base
    if corrections.keep or corrections.drop:
        kept, dropped = (
            resized(part.astype(np.float32), *shape) for part in grid.regions(corrections)
        )
        edited = np.maximum(base * (np.float32(1) - dropped), kept)
    if corrections.mask is not None:
        # Of a cell only what is painted through and through counts here, the rest at full size.
        kept = resized((corrections.mask >= KEPT_FROM).astype(np.float32), *shape)
        dropped = resized((corrections.mask <= DROPPED_UP_TO).astype(np.float32), *shape)
        edited = np.clip(np.maximum(edited, kept) - dropped, 0, 1)
    changed = _widened(np.abs(edited - base) > np.float32(_FAINT), 4).astype(np.float32)
    coarse: NDArray[Any] = edited
    if estimate.alpha.dtype == np.uint8:
        coarse = (edited * np.float32(255) + np.float32(0.5)).astype(np.uint8)
    return replace(estimate, alpha=coarse, notes=(*estimate.notes, told)), changed


def corrected_alpha(
    frame: Frame,
    before: NDArray[Any],
    estimate: Estimate,
    changed: NDArray[np.float32] | None,
    corrections: Corrections,
    *,
    level: RefineLevel,
    threads: int,
) -> tuple[NDArray[Any], tuple[str, ...]]:
    """The full-size alpha from a corrected coarse one: refined, and exact where a person spoke.

    Args:
        frame: The picture.
        before: The method's alpha before it was corrected; where it is full size its own edges
            stay wherever nothing was changed.
        estimate: As `corrected_estimate` gave it.
        changed: The same.
        corrections: In the frame's pixels.
        level: Of the refinement. The matting solver takes the points and the painted pixels as
            hard constraints.
        threads: Threads of the kernels.

    Returns:
        H x W of the estimate's dtype, and what the refinement had to say.
    """
    height, width = frame.height, frame.width
    full = 255 if estimate.alpha.dtype == np.uint8 else 1
    keep, drop = _said(corrections, height, width)
    notes: tuple[str, ...] = ()
    if estimate.full_size and (changed is None or not changed.any()):
        alpha = before.copy()
    else:
        trimap = None
        if changed is not None and level in ("matting", "auto"):
            trimap = trimap_of(estimate.alpha, height, width)
            trimap[keep], trimap[drop] = 255, 0
        alpha, report = refine_with_report(
            frame.rgb, estimate.alpha, level=level, trimap=trimap, threads=threads
        )
        notes = report.notes
        if estimate.full_size and changed is not None:
            alpha = mixed(before, alpha, changed)
    alpha[keep], alpha[drop] = full, 0
    return alpha, notes


def mixed(before: NDArray[Any], after: NDArray[Any], changed: Floats) -> NDArray[Any]:
    """The method's own full-size alpha, and the refined one where something was changed."""
    height, width = before.shape
    rows = np.flatnonzero(changed.any(axis=1))
    # Whole rows of cells, and one more for the slope between them.
    top = max(0, (int(rows[0]) - 1) * height // changed.shape[0])
    bottom = min(height, (int(rows[-1]) + 2) * height // changed.shape[0] + 1)
    near = resized(changed, height, width)[top:bottom]
    result = before.copy()
    made = before[top:bottom] + (after[top:bottom].astype(np.float32) - before[top:bottom]) * near
    result[top:bottom] = (
        (made + np.float32(0.5)).astype(np.uint8) if before.dtype == np.uint8 else made
    )
    return result


def _said(corrections: Corrections, height: int, width: int) -> tuple[Bools, Bools]:
    """Pixels of the picture that a person said are subject, and background."""
    keep, drop = np.zeros((height, width), bool), np.zeros((height, width), bool)
    if corrections.mask is not None:
        mask = resized(corrections.mask, height, width)
        keep, drop = mask >= KEPT_FROM, mask <= DROPPED_UP_TO
    for into, points in ((keep, corrections.keep), (drop, corrections.drop)):
        for x, y in points:
            into[int(y), int(x)] = True
    return keep & ~drop, drop


def trimap_of(coarse: NDArray[Any], height: int, width: int) -> NDArray[np.uint8]:
    """Sure where the coarse map is, two cells away from where it is not."""
    full = 255 if coarse.dtype == np.uint8 else 1
    unsure = _widened((coarse > 0.03 * full) & (coarse < 0.97 * full), 2)
    # A hard step has no unsure cell of its own.
    held = coarse > 0.5 * full
    unsure |= _widened(held, 2) & _widened(~held, 2)
    made = np.where(unsure, np.uint8(128), np.where(held, np.uint8(255), np.uint8(0)))
    y = (np.arange(height) * coarse.shape[0]) // height
    x = (np.arange(width) * coarse.shape[1]) // width
    return np.ascontiguousarray(made[y[:, None], x[None, :]])


def _regions(
    rgb: Floats, alpha: Floats, corrections: Corrections, scale: tuple[float, float]
) -> tuple[Bools, Bools]:
    """Cells that the keep and the drop points take."""
    rows, columns = alpha.shape
    keep_cells, drop_cells = (
        [(min(int(y * scale[1]), rows - 1), min(int(x * scale[0]), columns - 1)) for x, y in points]
        for points in (corrections.keep, corrections.drop)
    )
    # The network's own map is an edge too: a faint shadow beside a sure subject.
    layers = np.concatenate([rgb, alpha[..., None] * np.float32(128)], axis=-1)
    across, down = (
        _STEP + np.maximum(np.abs(np.diff(layers, axis=axis)).max(axis=-1) - _SHADING, 0)
        for axis in (1, 0)
    )
    steps = (across, down)
    dropped = _grown(rgb, alpha, steps, drop_cells, keep_cells)
    kept = _grown(rgb, 1 - alpha, steps, keep_cells, drop_cells, border=True)
    kept &= ~dropped | _discs(alpha.shape, keep_cells)
    dropped &= ~_discs(alpha.shape, keep_cells)
    return kept, dropped


def _grown(
    rgb: Floats,
    value: Floats,
    steps: tuple[Floats, Floats],
    cells: list[tuple[int, int]],
    against: list[tuple[int, int]],
    *,
    border: bool = False,
) -> Bools:
    """Cells that points take from the side that `value` is high on.

    Args:
        rgb: h x w x 3, 0..255.
        value: h x w, 0..1: alpha for points that drop, 1 - alpha for points that keep.
        steps: Length of a step to the right, and down.
        cells: The points, row and column.
        against: The points that say the contrary.
        border: The side is the background: what touches the border is no part of its own.
    """
    taken = np.zeros(value.shape, bool)
    held = value > 0.5
    for cell in cells:
        if taken[cell]:
            continue
        taken |= _discs(value.shape, [cell])
        if value[cell] <= _FAINT:
            continue  # it is what was asked for already
        part = _reached(held, cell) if held[cell] else _reached(value > _FAINT, cell)
        rivals = [other for other in against if part[other]]
        others = int(np.count_nonzero(held & ~part))
        size = int(np.count_nonzero(part))
        alone = _touches_border(part) if border else others < _OTHERS * size
        if not rivals and not alone and held[cell]:
            mine, theirs = part, held & ~part
        else:
            mine = _discs(value.shape, [other for other in cells if part[other]])
            theirs = _discs(value.shape, rivals)
            if not rivals:
                unlike = _unlike(rgb, part, cell)
                theirs = unlike & ~mine
                if border:
                    theirs |= _rim(value.shape) & held & ~mine
                if np.count_nonzero(unlike) < 0.02 * size:
                    taken |= _discs(value.shape, [cell], _ALONE * max(value.shape)) & part
                    continue
        nearer = np.zeros_like(part)
        # Ways within the part's own rows and columns are all that can decide about it.
        window = _window(part)
        across = (window[0], slice(window[1].start, window[1].stop - 1))
        down = (slice(window[0].start, window[0].stop - 1), window[1])
        near = (steps[0][across], steps[1][down])
        nearer[window] = _geodesic(mine[window], near) < _geodesic(theirs[window], near)
        reachable = _reached((value > _FAINT) & nearer | mine, cell)
        # The soft edge goes with it, to the last faint cell.
        # Highlights and the like that are left of the part, as islands, are not what was meant.
        left = held & ~reachable & ~taken
        islands = np.where(left & part, np.uint8(255), np.uint8(0))
        remove_small_components_in_place(islands, int(_ISLANDS * np.count_nonzero(reachable)) + 1)
        reachable |= left & part & (islands == 0) & ~_discs(value.shape, rivals)
        left &= ~reachable
        taken |= reachable | (_widened(reachable, 3) & ~held & ~_widened(left, 2))
    return taken


def _window(part: Bools, margin: int = 4) -> tuple[slice, slice]:
    """The rows and columns of a part, with a margin."""
    spans = []
    for axis in (1, 0):
        places = np.flatnonzero(part.any(axis=axis))
        spans.append(slice(max(0, int(places[0]) - margin), int(places[-1]) + 1 + margin))
    rows, columns = spans
    height, width = part.shape
    return slice(rows.start, min(height, rows.stop)), slice(columns.start, min(width, columns.stop))


def _unlike(rgb: Floats, part: Bools, cell: tuple[int, int]) -> Bools:
    """Cells of a part of another colour than the cell: Otsu's threshold of the distance."""
    y, x = cell
    near = rgb[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2].reshape(-1, 3)
    away = np.sqrt(((rgb - np.median(near, axis=0)) ** 2).sum(axis=-1))
    histogram, edges = np.histogram(away[part], bins=64)
    weights = histogram.cumsum().astype(np.float64)
    middles = (edges[:-1] + edges[1:]) / 2
    sums = (histogram * middles).cumsum()
    total, whole = weights[-1], sums[-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        between = (whole * weights / total - sums) ** 2 / (weights * (total - weights))
    threshold = edges[1 + int(np.nan_to_num(between).argmax())]
    # Colours closer than this cannot be told apart through noise and shading.
    found: Bools = part & (away > max(float(threshold), 24.0))
    return found


def _geodesic(
    seeds: Bools, steps: tuple[Floats, Floats], *, most_rounds: int = _MOST_ROUNDS
) -> Floats:
    """Length of the shortest way from the seeds, over right and down neighbours.

    Rows and columns are swept in turn, each in one go: along a line with the lengths C added up,
    d[i] = min over j of d[j] + |C[i] - C[j]|, which is a running minimum of d - C.
    """
    across = np.zeros(seeds.shape, np.float32)
    np.cumsum(steps[0], axis=1, out=across[:, 1:])
    down = np.zeros(seeds.shape, np.float32)
    np.cumsum(steps[1], axis=0, out=down[1:])
    distance = np.where(seeds, np.float32(0), _FAR)
    for _ in range(most_rounds):
        last = distance
        for axis, length in ((1, across), (0, down)):
            forth = np.minimum.accumulate(distance - length, axis=axis) + length
            turned = np.flip(distance + length, axis)
            back = np.flip(np.minimum.accumulate(turned, axis=axis), axis) - length
            distance = np.minimum(np.minimum(forth, back), distance)
        if float((last - distance).max()) < _SETTLED:
            break
    return distance


def _reached(held: Bools, cell: tuple[int, int]) -> Bools:
    """The cells that are connected with one within `held`."""
    walls = (
        np.where(held[:, 1:] & held[:, :-1], np.float32(0), np.float32(1e3)),
        np.where(held[1:] & held[:-1], np.float32(0), np.float32(1e3)),
    )
    seed = np.zeros(held.shape, bool)
    seed[cell] = True
    found: Bools = (_geodesic(seed, walls, most_rounds=_MOST_TURNS) < 500) & held
    return found


def _discs(shape: tuple[int, ...], cells: list[tuple[int, int]], radius: float = _DISC) -> Bools:
    made = np.zeros(shape, bool)
    y, x = np.ogrid[: shape[0], : shape[1]]
    for row, column in cells:
        made |= (y - row) ** 2 + (x - column) ** 2 <= radius * radius
    return made


def _rim(shape: tuple[int, ...]) -> Bools:
    made = np.ones(shape, bool)
    made[1:-1, 1:-1] = False
    return made


def _touches_border(part: Bools) -> bool:
    return bool((part & _rim(part.shape)).any())


def _widened(part: Bools, cells: int) -> Bools:
    """A region grown by so many cells in each direction (a square)."""
    for _ in range(cells):
        wide = part.copy()
        wide[1:] |= part[:-1]
        wide[:-1] |= part[1:]
        part = wide.copy()
        part[:, 1:] |= wide[:, :-1]
        part[:, :-1] |= wide[:, 1:]
    return part


def _grid_size(height: int, width: int) -> tuple[int, int]:
    scale = min(1.0, GRID / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def resized(values: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    """Box when smaller, bilinear when larger; uint8 stays uint8, float32 float32."""
    if values.shape == (height, width):
        return values
    from PIL import Image

    smaller = height < values.shape[0] or width < values.shape[1]
    way = Image.Resampling.BOX if smaller else Image.Resampling.BILINEAR
    return np.array(Image.fromarray(values).resize((width, height), way))


def _counted(corrections: Corrections) -> str:
    said = [
        f"{len(points)} {kind} point{'s' if len(points) > 1 else ''}"
        for kind, points in (("keep", corrections.keep), ("drop", corrections.drop))
        if points
    ]
    if corrections.mask is not None:
        said.append("a painted mask")
    if corrections.box is not None:
        said.append("a box")
    return ", ".join(said)
