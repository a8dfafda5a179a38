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
from functools import reduce
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from nssbg._errors import OptionError
from nssbg._models.fitted import ConfidenceWeights
from nssbg._segment.confidence import map_confidence
from nssbg._segment.second_pass.blend import blend_crop, blend_tiles, outline_weight, resized
from nssbg._segment.second_pass.crops import Area, plan_crops, plan_tiles, snapped
from nssbg._segment.second_pass.thresholds import (
    LEAST_GAIN,
    LEAST_MAP_CONFIDENCE,
    LONGEST_MAP,
    MOST_CROPS,
    MOST_INPUT_PIXELS,
    RUNS,
)
from nssbg._vocabulary import Effort

__all__ = ["AlphaOf", "SecondPassReport", "run_second_pass"]

#: Gives the coarse alpha (h x w of any size, uint8 or float32 0..1) of an RGB crop.
AlphaOf = Callable[[NDArray[Any]], NDArray[Any]]
Float = NDArray[np.float32]


@dataclass(frozen=True)
class SecondPassReport:
    """What running again brought for one picture, and what it cost.

    Attributes:
        runs: Model runs, the first included.
        seconds: Wall time of everything after the first run.
        crops: The crops around subjects that were run again and used, in pixels.
        tiles: Tiles along the outline that were used.
        gain: Linear resolution of the finest run used, over the first run's; 1 means none.
        changed: Mean absolute change of alpha along the outline, 0..1.
        notes: What was left out or rejected, and why.
    """

    runs: int
    seconds: float
    crops: tuple[Area, ...] = ()
    tiles: int = 0
    gain: float = 1.0
    changed: float = 0.0
    notes: tuple[str, ...] = ()


def run_second_pass(
    image: NDArray[Any],
    alpha_of: AlphaOf,
    *,
    effort: Effort = "balanced",
    seconds: float | None = None,
    first: NDArray[Any] | None = None,
    weights: ConfidenceWeights | None = None,
) -> tuple[Float, SecondPassReport]:
    """Run the model on the picture, then where a second pass pays.

    Args:
        image: H x W x 3, as `alpha_of` takes it.
        alpha_of: The model, with its own resizing, e.g. a session's coarse alpha.
        effort: "fast" runs once; "balanced" may run again on crops around the subjects, four at
            most; "best" also on overlapping tiles along the outline, as long as they are finer.
        seconds: Budget of wall time; no further run starts that would exceed it, judged by the
            first run. None (the default) means no limit but the effort's: then the result is the
            same on any machine.
        first: The model's answer for the whole picture, where it is there already.
        weights: Fitted to the model, to tell its surer answers; None: by their doubt alone.

    Returns:
        The coarse alpha of the whole picture, h x w float32 0..1, and the report.

    Raises:
        OptionError: For an unknown effort or a model answer that is no alpha.
    """
    if effort not in get_args(Effort):
        raise OptionError(f"effort {effort!r} is unknown; choose one of {', '.join(RUNS)}")
    begin = time.perf_counter()
    known = _as_alpha(alpha_of(image) if first is None else first)
    search = _Search(image, alpha_of, known, effort, begin, seconds, weights)
    if first is not None:
        # What a run costs is not known before one was made.
        search.run_seconds = 0.0
    search.look_at_subjects()
    if effort == "best":
        search.look_along_outline()
    return search.canvas, search.report()


class _Search:
    """The map of one picture while runs are added to it."""

    def __init__(
        self,
        image: NDArray[Any],
        alpha_of: AlphaOf,
        first: Float,
        effort: Effort,
        begin: float,
        seconds: float | None,
        weights: ConfidenceWeights | None,
    ) -> None:
        self.weights = weights
        self.image, self.alpha_of, self.first = image, alpha_of, first
        self.height, self.width = image.shape[:2]
        self.begin, self.budget = begin, seconds
        self.after_first = time.perf_counter()
        self.run_seconds = self.after_first - begin
        self.runs_left = min(RUNS[effort], max(1, MOST_INPUT_PIXELS // first.size))
        self.runs = 1
        self.canvas = first
        self.scope = Area(0, self.height, 0, self.width)
        self.first_cell = max(self.height, self.width) / max(first.shape)
        # Pixels a cell along its longer side, of what all subjects in the scope are known at.
        self.cell = self.first_cell
        self.gain = 1.0
        self.crops: list[Area] = []
        self.tiles = 0
        self.notes: list[str] = []

    def may_run(self) -> bool:
        """Whether one more run fits into the budgets."""
        spent = time.perf_counter() - self.begin
        in_time = self.budget is None or spent + self.run_seconds <= self.budget
        return self.runs_left > 0 and in_time

    def run(self, area: Area) -> Float:
        """The model's answer for a part of the picture."""
        start = time.perf_counter()
        answer = _as_alpha(self.alpha_of(area.of(self.image)))
        self.run_seconds = time.perf_counter() - start
        self.runs += 1
        self.runs_left -= 1
        return answer

    def look_at_subjects(self) -> None:
        """Run again on the crops around the subjects that are small in the frame."""
        if not self.may_run():
            return
        crops, complete = plan_crops(self.first, self.height, self.width)
        if crops and map_confidence(self.first, self.weights) < LEAST_MAP_CONFIDENCE:
            self.notes.append("the first run is too unsure of where the subject is: no crop")
            return
        cells = [self._look_at(crop) for crop in crops[:MOST_CROPS] if self.may_run()]
        used = [cell for cell in cells if cell is not None]
        if used:
            self.gain = self.first_cell / min(used)
        if complete and len(used) == len(crops):
            # Every subject is known better than at first: tiles have only these to improve on.
            self.scope = reduce(Area.hull, self.crops)
            self.cell = max(used)

    def _look_at(self, crop: Area) -> float | None:
        """Run again on one crop; its cell where it was the more certain answer, and used."""
        cell: float = max(crop.height, crop.width) / max(self.first.shape)
        canvas = self._enlarged(cell)
        crop = snapped(crop, canvas.shape, self.height, self.width)
        answer = self.run(crop)
        before = self.first[crop.cells(self.first.shape, self.height, self.width)]
        if map_confidence(answer, self.weights) < map_confidence(before, self.weights):
            self.notes.append("a crop around a subject was less certain: not used")
        elif not blend_crop(canvas, crop, answer, self.height, self.width):
            self.notes.append("a crop around a subject disagreed with the first run: not used")
        else:
            self.canvas = canvas
            self.crops.append(crop)
            return cell
        return None

    def look_along_outline(self) -> None:
        """Run on tiles of twice the resolution that the outline passes through."""
        if self.cell <= LEAST_GAIN:
            return  # the picture has no more detail than the map
        cell = max(1.0, self.cell / 2)
        side = math.ceil(max(self.first.shape) * cell)
        canvas = self._enlarged(cell)
        wanted = plan_tiles(canvas, self.height, self.width, side, self.scope)
        answers: list[tuple[Area, Float]] = []
        for index, loose in enumerate(wanted):
            if not self.may_run():
                self.notes.append(
                    f"budget: {len(wanted) - index} of {len(wanted)} tiles along the outline "
                    "not run"
                )
                break
            tile = snapped(loose, canvas.shape, self.height, self.width)
            answers.append((tile, self.run(tile)))
        scope = snapped(self.scope, canvas.shape, self.height, self.width)
        self.tiles = blend_tiles(canvas, scope, answers, self.height, self.width)
        if self.tiles < len(answers):
            self.notes.append(
                f"{len(answers) - self.tiles} of {len(answers)} tiles along the outline disagreed "
                "with sure parts: not used"
            )
        if self.tiles:
            self.canvas = canvas
            self.gain = max(self.gain, self.first_cell / cell)

    def report(self) -> SecondPassReport:
        """What the runs after the first brought and cost."""
        changed = 0.0
        if self.canvas is not self.first:
            place = self.scope.cells(self.canvas.shape, self.height, self.width)
            part = self.canvas[place]
            weight = outline_weight(part)
            total = float(weight.sum())
            before = resized(self.first, *self.canvas.shape)[place]
            changed = float((np.abs(part - before) * weight).sum()) / total if total > 0 else 0.0
        return SecondPassReport(
            runs=self.runs,
            seconds=time.perf_counter() - self.after_first,
            crops=tuple(self.crops),
            tiles=self.tiles,
            gain=self.gain,
            changed=changed,
            notes=tuple(self.notes),
        )

    def _enlarged(self, cell: float) -> Float:
        """The map so far with cells of about that many pixels: the finest run fits one to one."""
        longest = max(self.height, self.width)
        scale = min(1 / cell, LONGEST_MAP / longest, 1.0)
        rows, columns = round(self.height * scale), round(self.width * scale)
        shape = self.canvas.shape
        return resized(self.canvas, max(1, rows, shape[0]), max(1, columns, shape[1]))


def _as_alpha(alpha: NDArray[Any]) -> Float:
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
