"""Measures a model by itself at the start of a run over many pictures, where that pays.

In: a model that nothing was measured for here, and how many pictures are to come. Out: the
measurements, kept for every later run, or the reason why none were made. One picture never
pays for it; a run pays at most a twentieth of the time that it is predicted to take, once.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nssbg._errors import NssbgError
from nssbg._models.sidecar import ModelDescription
from nssbg._planner.benchmark import benchmark_candidates, synthetic_tensors
from nssbg._planner.candidate_backend import open_candidate
from nssbg._planner.candidates import BatchRun, Candidate, Measurement, PlanRequest, candidates
from nssbg._planner.resource_estimate import max_streams_in_memory
from nssbg._planner.store import keep
from nssbg._runtime.devices import hardware

__all__ = ["autotune_run", "streams_by_rule"]

log = logging.getLogger("nssbg")

# What a run may spend on measuring, as a share of the time it is predicted to take.
_SHARE = 0.05
# Decoding, refining and encoding a photograph of some megapixels, beside the network: seconds.
_OTHER_STAGES = 0.1
# Timed runs a candidate in a calibration at first use, and runs in all (opening, alpha, first).
_ROUNDS = 2
_RUNS = 8
# What opening a candidate takes at least: seconds.
_LEAST_OPENING = 0.05

Samples = Callable[[ModelDescription], Sequence[NDArray[np.float32]]]


def streams_by_rule(model: ModelDescription, threads: int) -> int:
    """Pictures at the same time on the processor, where nothing was measured.

    One a thread, as far as memory goes: nothing is lost to joining threads.
    """
    if threads == 1 or not model.static:
        return 1
    try:
        return max_streams_in_memory(model, threads)
    except (NssbgError, RuntimeError, ImportError) as error:
        log.info("%s: one picture at a time, no prediction of its memory: %s", model.name, error)
        return 1


def autotune_run(
    model: ModelDescription,
    ready: ModelDescription,
    request: PlanRequest,
    run: BatchRun,
    *,
    int8: ModelDescription | None,
    cache: Path,
    samples: Samples | None = None,
) -> tuple[tuple[Measurement, ...], str]:
    """Measure if this run may and it pays.

    Args:
        model: The model, its path set.
        ready: Its graph as it is run.
        request: What the caller wants.
        run: The run.
        int8: The int8 form of the model, or None.
        cache: Folder of compiled networks.
        samples: Gives pictures of the run as the model is fed, to check alphas on; made ones
            stand in where it gives none.

    Returns:
        The measurements (none where it was left) and one line saying what was done or why not.
    """
    if run.autotune is False:
        return (), "nothing measured here: autotune=False"
    if run.autotune is None and run.image_count is None:
        return (
            (),
            "nothing measured here: the number of pictures is not known (autotune=True does)",
        )
    begun = time.perf_counter()
    possible = _likely(candidates(hardware(), model, request, has_int8=int8 is not None), ready)
    if len(possible) < 2:
        return (), "one way to run it here: nothing to measure"
    seconds = float("inf")
    if run.autotune is None:
        assert run.image_count is not None
        # Before a network is opened to see: this many it takes however fast the network runs.
        least = min(
            len(possible) * _LEAST_OPENING / (_SHARE * _OTHER_STAGES),
            len(possible) * _RUNS / _SHARE,
        )
        if run.image_count < least:
            return (), f"nothing measured here: that pays from {math.ceil(least)} pictures on"
        opening, running = _one(ready, possible[0], int8, cache)
        seconds = _SHARE * run.image_count * (running + _OTHER_STAGES)
        price = len(possible) * (opening + _RUNS * running)
        if price > seconds:
            pays = round(price / (_SHARE * (running + _OTHER_STAGES)))
            return (), (
                f"nothing measured here: measuring takes about {price:.1f} s, which pays from "
                f"{pays} pictures on"
            )
    feed = list(samples(model)) if samples is not None else []
    checked = f"alphas checked on {len(feed)} of its pictures" if feed else "on made pictures"
    found = benchmark_candidates(
        ready,
        possible,
        tensors=feed or synthetic_tensors(model),
        int8=int8,
        cache=cache,
        rounds=_ROUNDS,
        seconds=seconds,
        begin_within=seconds,
    )
    took = time.perf_counter() - begun
    ran = sum(1 for item in found if item.milliseconds)
    line = (
        f"measured at the start of this run: {ran} of {len(found)} ways in {took:.1f} s, {checked}"
    )
    log.info("%s: %s", model.name, line)
    if ran > 1:
        keep(model, request, found)
    return found, line


def _likely(found: Sequence[Candidate], model: ModelDescription) -> list[Candidate]:
    """One layout of streams a backend, device and precision: they differ by a few per cent.

    `nssbg tune --goal throughput` measures all of them.
    """
    chosen_layouts: dict[tuple[str, str, str], Candidate] = {}
    streams = 0
    for item in found:
        key = (item.backend, item.device, item.precision)
        if item.device == "cpu" and item.threads > 1:
            streams = streams or streams_by_rule(model, item.threads)
            if item.streams == min(streams, item.threads):
                chosen_layouts.setdefault(key, item)
        elif item.batch >= chosen_layouts.get(key, item).batch:
            chosen_layouts[key] = item
    for item in found:  # a device for which no layout fits the rule
        chosen_layouts.setdefault((item.backend, item.device, item.precision), item)
    return list(chosen_layouts.values())


def _one(
    ready: ModelDescription, candidate: Candidate, int8: ModelDescription | None, cache: Path
) -> tuple[float, float]:
    """Seconds to open a candidate, and to run one picture on it."""
    tensor = synthetic_tensors(ready, 1)[0]
    start = time.perf_counter()
    opened = open_candidate(ready, replace(candidate, batch=1), int8, cache)
    opening = time.perf_counter() - start
    try:
        opened.run(tensor)
        start = time.perf_counter()
        opened.run(tensor)
        return opening, time.perf_counter() - start
    finally:
        opened.close()
