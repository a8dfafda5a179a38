"""Locate, crop, run again: more of the model's pixels for the subject and for its outline.

In: H x W x 3 image and any callable that gives a coarse alpha for an RGB crop. Out: one coarse
map of the whole picture, finer than the model's own where it paid, and a report of what was gained
and what it cost. The map goes to `refine` like any other. Nothing here knows about models.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from nssbg import _core
from nssbg._errors import OptionError
from nssbg._stages.cleanup import drop_specks

__all__ = ["AlphaOf", "Area", "Effort", "LocateReport", "locate", "plan_crop", "plan_tiles"]

#: Gives the coarse alpha (h x w of any size, uint8 or float32 0..1) of an RGB crop.
AlphaOf = Callable[[NDArray[Any]], NDArray[Any]]
Effort = Literal["fast", "balanced", "best"]
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
#: A tile that differs from the first answer by more than this on average, on cells that were
#: sure before, has lost its context (all hair, no head) and is not used.
MOST_DISAGREEMENT = 0.2
#: Longest side of the map that is returned: 4096 x 4096 bytes are 16 MB.
LONGEST_MAP = 4096
#: Model runs allowed after the first, by effort.
RUNS = {"fast": 0, "balanced": 1, "best": 16}


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


@dataclass(frozen=True)
class LocateReport:
    """What running again brought for one picture, and what it cost.

    Attributes:
        runs: Model runs, the first included.
        first_seconds: Wall time of the first run.
        seconds: Wall time of everything.
        crop: The crop that was run again, if any.
        tiles: Tiles along the outline that were used.
        gain: Linear resolution of the finest run used, over the first run's; 1 means none.
        changed: Mean absolute change of alpha in the band of the first map, 0..1.
        notes: What was left out or rejected, and why.
    """

    runs: int
    first_seconds: float
    seconds: float
    crop: Area | None = None
    tiles: int = 0
    gain: float = 1.0
    changed: float = 0.0
    notes: tuple[str, ...] = ()


def locate(
    image: NDArray[Any],
    alpha_of: AlphaOf,
    *,
    effort: Effort = "balanced",
    seconds: float | None = None,
) -> tuple[NDArray[np.uint8], LocateReport]:
    """Run the model on the picture, then where a closer look pays.

    Args:
        image: H x W x 3.
        alpha_of: The model, with its own resizing, e.g. a session's coarse alpha.
        effort: "fast" runs once; "balanced" may run again on a crop around the subject; "best"
            also runs on overlapping tiles along the outline, as long as they are finer.
        seconds: Budget of wall time; no further run starts that would exceed it, judged by the
            first run. None means no limit but the effort's count of runs.

    Returns:
        The coarse alpha of the whole picture, h x w uint8, and the report.

    Raises:
        OptionError: For an unknown effort or a model answer that is no alpha.
    """
    if effort not in get_args(Effort):
        raise OptionError(f"effort {effort!r} is unknown; choose one of {', '.join(RUNS)}")
    begin = time.perf_counter()
    first = _answer(alpha_of, image)
    first_seconds = time.perf_counter() - begin
    height, width = image.shape[:2]
    model_side = max(first.shape)
    notes: list[str] = []

    def may_run(done: int) -> bool:
        if done - 1 >= RUNS[effort]:
            return False
        spent = time.perf_counter() - begin
        return seconds is None or spent + first_seconds <= seconds

    def report(**facts: Any) -> LocateReport:
        return LocateReport(
            runs=runs,
            first_seconds=first_seconds,
            seconds=time.perf_counter() - begin,
            notes=tuple(notes),
            **facts,
        )

    runs = 1
    crop = plan_crop(first, height, width) if may_run(runs) else None
    whole = Area(0, height, 0, width)
    cell = max(height, width) / model_side  # pixels a cell of the first answer
    scope = whole
    finest = cell
    if crop is not None:
        finest = max(crop.height, crop.width) / model_side
        scope = crop
    tiles_wanted = effort == "best" and finest > LEAST_GAIN
    side = math.ceil(model_side * max(1.0, finest / 2))
    if crop is None and not tiles_wanted:
        return _bytes(first), report()

    # The canvas holds the finest run one to one, as far as its size allows.
    finest_cell = max(1.0, finest / 2) if tiles_wanted else finest
    scale = min(1 / finest_cell, LONGEST_MAP / max(height, width), 1.0)
    rows, columns = max(1, round(height * scale)), max(1, round(width * scale))
    rows, columns = max(rows, first.shape[0]), max(columns, first.shape[1])
    canvas = _resized(first, rows, columns)
    before = canvas.copy()
    band = _band(canvas)
    gain = 1.0
    if crop is not None:
        crop = _snapped(crop, canvas.shape, height, width)
        try_crop = _answer(alpha_of, image[crop.y0 : crop.y1, crop.x0 : crop.x1])
        runs += 1
        if _paste(canvas, [(crop, try_crop)], whole, None):
            gain = cell / finest
        else:
            notes.append("the crop around the subject disagreed with the first run: not used")
            crop = None
        band = _band(canvas)
    used = 0
    if tiles_wanted:
        wanted = plan_tiles(canvas, height, width, side, scope)
        answers: list[tuple[Area, Float]] = []
        for index, loose in enumerate(wanted):
            tile = _snapped(loose, canvas.shape, height, width)
            if not may_run(runs):
                notes.append(f"budget: {len(wanted) - index} of {len(wanted)} tiles not run")
                break
            answers.append((tile, _answer(alpha_of, image[tile.y0 : tile.y1, tile.x0 : tile.x1])))
            runs += 1
        used = _paste(canvas, answers, whole, band)
        if used < len(answers):
            notes.append(
                f"{len(answers) - used} of {len(answers)} tiles disagreed with sure parts: not used"
            )
        if used:
            gain = cell / max(1.0, finest / 2)
    weight = float(band.sum())
    changed = float((np.abs(canvas - before) * band).sum() / weight) if weight > 0 else 0.0
    return _bytes(canvas), report(crop=crop, tiles=used, gain=gain, changed=changed)


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


def _snapped(area: Area, canvas: tuple[int, ...], height: int, width: int) -> Area:
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


def _paste(
    canvas: Float, answers: list[tuple[Area, Float]], picture: Area, band: Float | None
) -> int:
    """Blend answers into the canvas, by windows that fall to 0 at their inner borders.

    With a band, only there: changed cells are those in doubt. Returns how many were used.
    """
    total = np.zeros_like(canvas)
    weights = np.zeros_like(canvas)
    used = 0
    scale_y, scale_x = canvas.shape[0] / picture.height, canvas.shape[1] / picture.width
    for area, answer in answers:
        rows = slice(round(area.y0 * scale_y), max(1, round(area.y1 * scale_y)))
        columns = slice(round(area.x0 * scale_x), max(1, round(area.x1 * scale_x)))
        here = canvas[rows, columns]
        if here.size == 0:
            continue
        fine = _resized(answer, *here.shape)
        sure = (here <= SURE_LOW) | (here >= SURE_HIGH)
        if sure.any() and float(np.abs(fine - here)[sure].mean()) > MOST_DISAGREEMENT:
            continue
        used += 1
        window = np.minimum(
            _window(here.shape[0], area.y0 > picture.y0, area.y1 < picture.y1)[:, None],
            _window(here.shape[1], area.x0 > picture.x0, area.x1 < picture.x1)[None],
        )
        total[rows, columns] += window * fine
        weights[rows, columns] += window
    # Where the windows do not add up to one, the first answer keeps the rest.
    share = np.minimum(weights, 1)
    mixed = total / np.maximum(weights, 1e-6)
    if band is not None:
        share = share * band
    canvas += share * (mixed - canvas)
    return used


def _window(count: int, fade_begin: bool, fade_end: bool) -> Float:
    """1 inside, linear to 0 over half of the overlap at the ends that are not the picture's."""
    reach = max(1.0, count * OVERLAP / 2)
    place = np.arange(count, dtype=np.float32) + np.float32(0.5)
    window = np.ones(count, np.float32)
    if fade_begin:
        window = np.minimum(window, place / np.float32(reach))
    if fade_end:
        window = np.minimum(window, (count - place) / np.float32(reach))
    return np.asarray(window, np.float32)


def _band(coarse: Float) -> Float:
    """1 on cells in doubt and around them, 0 on sure ones, with a soft rim of a few cells."""
    doubt = ((coarse > SURE_LOW) & (coarse < SURE_HIGH)).astype(np.float32)
    softened: Float = _core.feather(doubt, 2.0, 1)
    return np.minimum(softened * 4, 1).astype(np.float32)


def _resized(alpha: Float, height: int, width: int) -> Float:
    """Cubic resampling to height x width; a map that shrinks is averaged by whole cells first."""
    while alpha.shape[0] >= 2 * height and alpha.shape[1] >= 2 * width:
        rows, columns = alpha.shape[0] // 2 * 2, alpha.shape[1] // 2 * 2
        parts = alpha[:rows, :columns].reshape(rows // 2, 2, columns // 2, 2)
        alpha = parts.mean((1, 3), dtype=np.float32)
    if alpha.shape == (height, width):
        return np.array(alpha, np.float32)
    blank = np.broadcast_to(np.zeros((), np.uint8), (height, width, 3))
    resized, _ = _core.refine(blank, np.ascontiguousarray(alpha), None, "none", 1, 512)
    return np.array(resized, np.float32)


def _answer(alpha_of: AlphaOf, crop: NDArray[Any]) -> Float:
    alpha = alpha_of(crop)
    if (
        not isinstance(alpha, np.ndarray)
        or alpha.ndim != 2
        or alpha.size == 0
        or alpha.dtype not in (np.uint8, np.float32)
    ):
        raise OptionError("the model must answer an h x w alpha, uint8 or float32 0..1")
    if alpha.dtype == np.uint8:
        return alpha.astype(np.float32) / np.float32(255)
    # Not-a-number compares false, so it becomes 0 here.
    return np.where(alpha > 0, np.minimum(alpha, 1), 0).astype(np.float32)


def _bytes(alpha: Float) -> NDArray[np.uint8]:
    return np.rint(np.clip(alpha, 0, 1) * 255).astype(np.uint8)
