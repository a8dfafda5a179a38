"""Times each candidate on this machine and checks its alpha against float32's.

Comes in: a model with weights, candidates, tensors to run. Goes out: a Measurement for each.
Interleaved rounds, so that a machine that slows down slows all alike; a candidate far behind
is dropped early, so that a slow network's calibration ends in minutes.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nssbg._errors import ForkError, NssbgError
from nssbg._models.postprocess import coarse_alpha
from nssbg._models.sidecar import ModelDescription
from nssbg._planner.candidate_backend import open_candidate
from nssbg._planner.candidates import MAX_ERROR, MEAN_ERROR, Candidate, Measurement
from nssbg._runtime import Backend

__all__ = ["benchmark_candidates", "synthetic_tensors"]

log = logging.getLogger("nssbg")

# A candidate this much slower than the best on its first runs is not run again, where a run
# is long enough to tell: another process's burst may double a short one.
_HOPELESS = 2.0
_TELLING_SECONDS = 0.05


def synthetic_tensors(
    model: ModelDescription, count: int = 3, *, batch: int = 1, seed: int = 0
) -> list[NDArray[np.float32]]:
    """Pictures like photographs, as the model is fed: graded backdrops, soft shapes, grain.

    Used where the caller brings no pictures. The shapes have sharp and soft borders and thin
    strands, since these are where a coarser arithmetic moves an alpha.
    """
    random = np.random.default_rng(seed)
    height, width = model.size
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j].astype(np.float32)
    tensors = []
    for _ in range(count):
        images = []
        for _ in range(batch):
            backdrop, subject = random.uniform(0, 1, (2, 3, 1, 1)).astype(np.float32)
            tilt = random.uniform(-0.3, 0.3, (3, 2)).astype(np.float32)
            image = backdrop + tilt[:, :1, None] * (y - 0.5) + tilt[:, 1:, None] * (x - 0.5)
            alpha = np.zeros((height, width), np.float32)
            for _ in range(int(random.integers(2, 5))):
                cy, cx = random.uniform(0.25, 0.75, 2)
                ry, rx = random.uniform(0.08, 0.3, 2)
                soft = random.uniform(0.002, 0.05)
                distance = np.sqrt(((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2)
                alpha = np.maximum(alpha, np.clip((1 - distance) / soft, 0, 1))
            for _ in range(8):
                cy, cx, slope = random.uniform(0.1, 0.9, 3)
                strand = np.abs(y - cy - (slope - 0.5) * (x - cx)) < 0.002
                alpha = np.maximum(alpha, strand * (np.abs(x - cx) < 0.2))
            shade = 0.6 + 0.4 * np.sin(9 * x + 5 * y)
            image = image * (1 - alpha) + subject * shade * alpha
            image += random.normal(0, 0.02, image.shape).astype(np.float32)
            images.append(np.clip(image, 0, 1))
        mean = np.asarray(model.mean, np.float32)[:, None, None]
        std = np.asarray(model.std, np.float32)[:, None, None]
        colors = (np.stack(images) - mean) / std
        told = np.full((batch, model.channels - 3, height, width), 0.5, np.float32)
        tensor = np.concatenate([colors, told], axis=1)
        tensors.append(np.ascontiguousarray(tensor, dtype=np.float32))
    return tensors


def _seconds(backend: Backend, tensor: NDArray[np.float32], candidate: Candidate) -> float:
    """Seconds a picture, with as many at the same time as the candidate has streams."""
    tensor = np.repeat(tensor, candidate.batch, axis=0)
    if candidate.streams == 1:
        start = time.perf_counter()
        backend.run(tensor)
        return float(time.perf_counter() - start) / candidate.batch
    from concurrent.futures import ThreadPoolExecutor

    turns = 2 * candidate.streams
    with ThreadPoolExecutor(candidate.streams) as pool:
        start = time.perf_counter()
        list(pool.map(backend.run, [tensor] * turns))
        return float(time.perf_counter() - start) / (turns * candidate.batch)


def benchmark_candidates(
    model: ModelDescription,
    candidates: Sequence[Candidate],
    *,
    tensors: Sequence[NDArray[np.float32]] = (),
    int8: ModelDescription | None = None,
    cache: Path | None = None,
    rounds: int = 7,
    seconds: float = 60.0,
    begin_within: float = float("inf"),
    memory: Callable[[Candidate], str] | None = None,
    progress: Callable[[str], None] | None = None,
) -> tuple[Measurement, ...]:
    """Run every candidate and compare.

    Args:
        model: The model; its path must be set.
        candidates: What to run.
        tensors: Pictures as the model is fed, 1 x 3 x height x width; empty: made here.
        int8: The int8 form of the model, for candidates of that precision.
        cache: Folder for compiled networks.
        rounds: Timed runs of each candidate at most.
        seconds: After this no further round is started.
        begin_within: After these seconds no further candidate is begun; two are in any case.
        memory: Says why a candidate does not fit into memory, or "".
        progress: Called with a line for each step.

    Returns:
        One measurement a candidate, in the candidates' order.
    """
    feed = list(tensors) or synthetic_tensors(model)
    say = progress or (lambda line: None)
    exact = [Candidate(c.backend, c.device, "float32", c.threads) for c in candidates]
    started = time.perf_counter()
    reference: list[NDArray[np.float32]] | None = None
    for candidate in sorted(exact, key=lambda c: (c.device != "cpu", c.backend != "openvino")):
        # The bound is measured from float32 on the processor, whichever runtime has it.
        try:
            opened = open_candidate(model, candidate, None, cache)
            reference = [coarse_alpha(opened.run(tensor), model) for tensor in feed]
            opened.close()
            break
        except ForkError:
            raise
        except NssbgError as error:
            say(f"{candidate}: {error}")
    results: dict[Candidate, Measurement] = {}
    times: dict[Candidate, list[float]] = {}
    backends: dict[Candidate, Backend] = {}
    best = float("inf")
    for position, candidate in enumerate(candidates):
        problem = memory(candidate) if memory is not None else ""
        if problem and memory is not None and backends:
            # Measured ones make room: they keep the times they have.
            for opened in backends.values():
                opened.close()
            backends.clear()
            problem = memory(candidate)
        if position > 1 and time.perf_counter() - started > begin_within:
            problem = f"not measured, {begin_within:.1f} s were given"
        opened_backend: Backend | None = None
        mean = worst = 0.0
        if not problem:
            try:
                opened_backend = open_candidate(model, candidate, int8, cache)
                if opened_backend.plan.fallbacks:
                    problem = opened_backend.plan.fallbacks[0]
                else:
                    mean, worst = _distance(opened_backend, model, feed, reference)
            except ForkError:
                raise  # nothing is wrong with the candidate: it is not to be kept as one that fails
            except (NssbgError, MemoryError) as error:
                problem = str(error) or "out of memory"
        mean_error, max_error = _bound(candidate, int8)
        if not problem and (mean > mean_error or worst > max_error):
            problem = (
                f"its alpha is {255 * mean:.2f}/255 (mean) and {255 * worst:.1f}/255 (most) from "
                f"float32, the bound is {255 * mean_error:.3g} and {255 * max_error:.3g}"
            )
        if not problem and opened_backend is not None:
            first = min(_seconds(opened_backend, feed[0], candidate) for _ in range(2))
            if first > max(_TELLING_SECONDS, _HOPELESS * best):
                problem = f"{first * 1e3:.0f} ms, {first / best:.1f} times the best"
            best = min(best, first)
            times[candidate] = [first]
        if opened_backend is not None and problem:
            opened_backend.close()
        elif opened_backend is not None:
            backends[candidate] = opened_backend
        spent = 1e3 * times[candidate][0] if candidate in times else 0.0
        results[candidate] = Measurement(candidate, spent, mean, worst, problem)
        say(f"{candidate}: {problem or f'{spent:.0f} ms'}")
    # In turns, so that a machine that changes its clock changes it for all.
    for _ in range(rounds):
        if time.perf_counter() - started > seconds or len(backends) < 2:
            break
        for candidate, backend in backends.items():
            times[candidate].append(_seconds(backend, feed[0], candidate))
    for candidate, backend in backends.items():
        backend.close()
        # The least: what others did on the machine meanwhile only adds.
        least = 1e3 * min(times[candidate])
        results[candidate] = replace(results[candidate], milliseconds=least)
    return tuple(results[candidate] for candidate in candidates)


def _bound(candidate: Candidate, int8: ModelDescription | None) -> tuple[float, float]:
    """Mean and largest distance from float32's alpha that a candidate may have, 0..1.

    A published int8 form may be as far off as it was measured on the images of its release: farther
    off, it computes another thing here than it did there.
    """
    if candidate.precision == "int8" and int8 is not None and int8.int8 is not None:
        return int8.int8.worst_mean_error / 255, int8.int8.max_error / 255
    return MEAN_ERROR, MAX_ERROR


def _distance(
    backend: Backend,
    model: ModelDescription,
    feed: Sequence[NDArray[np.float32]],
    reference: Sequence[NDArray[np.float32]] | None,
) -> tuple[float, float]:
    """Mean and largest distance of the alphas from the reference's; warms the backend up."""
    mean = worst = 0.0
    for index, tensor in enumerate(feed):
        alpha = coarse_alpha(backend.run(tensor), model)
        if reference is not None:
            apart = np.abs(alpha - reference[index])
            mean, worst = max(mean, float(apart.mean())), max(worst, float(apart.max()))
    return mean, worst
