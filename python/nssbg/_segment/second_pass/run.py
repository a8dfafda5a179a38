"""Locate, crop, run again: more of the model's pixels for the subject and for its outline.

In: H x W x 3 image and any callable that gives a coarse alpha for an RGB crop. Out: one coarse
map of the whole picture, finer than the model's own where it paid, and a report of what was gained
and what it cost. The map goes to `refine` like any other. Nothing here knows about models, and only
the runs themselves are made here: where to run and what to believe of the answers is the core's
(cpp/include/nssbg/second_pass.hpp), which the browser follows too.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from nssbg import _core as _typed_core
from nssbg._errors import OptionError
from nssbg._models.fitted import ConfidenceWeights
from nssbg._segment.second_pass.area import Area
from nssbg._vocabulary import Effort

__all__ = ["AlphaOf", "SecondPassReport", "run_second_pass"]

_core: Any = _typed_core

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
    input_pixels: int = _core.MOST_INPUT_PIXELS,
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
        input_pixels: Pixels of the model's input that all further runs may have together.

    Returns:
        The coarse alpha of the whole picture, h x w float32 0..1, and the report.

    Raises:
        OptionError: For an unknown effort or a model answer that is no alpha.
    """
    if effort not in get_args(Effort):
        known_efforts = ", ".join(get_args(Effort))
        raise OptionError(f"effort {effort!r} is unknown; choose one of {known_efforts}")
    begin = time.perf_counter()
    known = _checked(alpha_of(image) if first is None else first)
    after_first = time.perf_counter()
    # What a run costs is not known before one was made.
    run_seconds = after_first - begin if first is None else 0.0
    height, width = image.shape[:2]
    single = [] if weights is None else list(weights.single)
    search = _core.SecondPass(known, height, width, effort, single, input_pixels)
    while True:
        spent = time.perf_counter() - begin
        box = search.next(seconds is None or spent + run_seconds <= seconds)
        if box is None:
            break
        started = time.perf_counter()
        search.answer(_checked(alpha_of(_area(box).of(image))))
        run_seconds = time.perf_counter() - started
    told = search.report()
    return search.map(), SecondPassReport(
        runs=told["runs"],
        seconds=time.perf_counter() - after_first,
        crops=tuple(_area(box) for box in told["crops"]),
        tiles=told["tiles"],
        gain=told["gain"],
        changed=told["changed"],
        notes=told["notes"],
    )


def _area(box: tuple[int, int, int, int]) -> Area:
    top, left, bottom, right = box
    return Area(y0=top, y1=bottom, x0=left, x1=right)


def _checked(alpha: NDArray[Any]) -> NDArray[Any]:
    if (
        not isinstance(alpha, np.ndarray)
        or alpha.ndim != 2
        or alpha.size == 0
        or alpha.dtype not in (np.uint8, np.float32)
    ):
        raise OptionError("the model must answer an h x w alpha, uint8 or float32 0..1")
    return alpha
