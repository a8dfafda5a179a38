"""Measures candidates side by side: each in its process, rounds in turn, until they are settled.

In: jobs of one kind (same scope, scenario and size). Out: a record of raw figures for each. One
round asks every candidate in turn, the order rotating, with the yardstick before each: a
machine that slows down slows all of them, and the yardstick shows it.
"""

from __future__ import annotations

import contextlib
import logging
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nssbg.bench.cells import Asked
from nssbg.bench.machine import pinned_cpus
from nssbg.bench.processes import Worker, WorkerError
from nssbg.bench.settings import Scenario, Scope, Settings
from nssbg.bench.statistics import summarize

__all__ = ["YARDSTICK", "Job", "Record", "measure_cold", "measure_group", "yardstick"]

_log = logging.getLogger("nssbg")

YARDSTICK = (
    "8 products of 256 x 256 float32 matrices and 4 passes over 16 MB by NumPy, one thread, least "
    "of 2; before each candidate of each round"
)
# Short candidates run several times a turn: at least this long, so that a turn is no mere blink.
_TURN_MS = 30.0
_MOST_RUNS = 20
# Cold starts are whole processes: no more than an interval needs.
_COLD_ROUNDS = 6


@dataclass(frozen=True)
class Job:
    """One result to be.

    Attributes:
        name: Of the model, as results show it.
        model: As the worker opens it: a name or a path.
        asked: How to run it.
        scope: See Settings.
        scenario: See Settings.
        size: "12MP", a file's name, or "" for a network alone.
        files: The pictures.
    """

    name: str
    model: str
    asked: Asked
    scope: Scope
    scenario: Scenario
    size: str
    files: tuple[Path, ...]

    @property
    def id(self) -> str:
        """Unique within a document, equal between documents."""
        how = self.asked
        parts = [self.scope, self.scenario, self.size, self.name]
        parts += [how.backend, how.device, how.precision, f"t{how.threads}"]
        return "/".join(part for part in parts if part)


@dataclass
class Record:
    """What was measured of a job, raw; times in milliseconds, per picture.

    Attributes:
        job: What was asked.
        ran: What ran, by the runtime's own word; None where nothing did.
        samples: A list a round.
        cpu: Processor time, as samples.
        yardstick: The yardstick's time, one a round.
        load: What opening took: "process" (start of the process to its first answer), "open"
            (runtime imported, network compiled or read), of cold starts "open compiled" too.
        first: The first run after opening.
        stages: Mean over the rounds.
        peak_memory: Most resident bytes of the process.
        base_memory: The same before anything was opened.
        device_memory: Bytes in use on the device.
        joules: Mean over the rounds.
        pinned: Logical processors it was bound to.
        fallbacks: What the plan says of them.
        problem: Why there is no result, or what is wrong with it.
        mismatch: Something else ran than was asked for.
    """

    job: Job
    ran: dict[str, Any] | None = None
    samples: list[list[float]] = field(default_factory=list)
    cpu: list[list[float]] = field(default_factory=list)
    yardstick: list[float] = field(default_factory=list)
    load: dict[str, float] = field(default_factory=dict)
    first: float | None = None
    stages: list[dict[str, float]] = field(default_factory=list)
    peak_memory: int | None = None
    base_memory: int | None = None
    device_memory: int | None = None
    joules: list[float] = field(default_factory=list)
    pinned: list[int] = field(default_factory=list)
    fallbacks: list[str] = field(default_factory=list)
    problem: str = ""
    mismatch: bool = False


_matrix = np.full((256, 256), 0.5, np.float32)
_block = np.ones((16 << 20) // 8, np.uint64)


def yardstick() -> float:
    """Milliseconds of work that is always the same, and none of nssbg's."""
    times = []
    for _ in range(2):
        start = time.perf_counter()
        for _ in range(8):
            np.matmul(_matrix, _matrix)
        for _ in range(4):
            np.bitwise_or.reduce(_block)
        times.append(1e3 * (time.perf_counter() - start))
    return min(times)


def _opened(job: Job, worker: Worker, settings: Settings, cache: Path | None, out: Path) -> Any:
    out.mkdir(parents=True, exist_ok=True)
    return worker.ask(
        "open",
        model=job.model,
        asked=vars(job.asked),
        scope=job.scope,
        scenario=job.scenario,
        cache=None if cache is None else str(cache),
        files=[str(file) for file in job.files],
        output=str(out),
        effort=settings.effort,
    )


def _failed(record: Record, error: WorkerError) -> None:
    record.problem = str(error)
    record.mismatch = error.what == "DeviceError"
    _log.info("%s: %s", record.job.id, error)


def measure_group(
    jobs: Sequence[Job],
    settings: Settings,
    folder: Path,
    *,
    alphas: dict[tuple[str, Asked], Path] | None = None,
    progress: Callable[[str], None],
) -> list[Record]:
    """Measure jobs of the scenarios "single" and "batch", interleaved.

    Args:
        jobs: Of one scope, scenario and size.
        settings: How long.
        folder: For compiled networks, results and alphas; temporary.
        alphas: Filled with the file of each network's alphas; None: none are written.
        progress: Called with a line for each step.

    Returns:
        One record a job, in their order.
    """
    records = [Record(job) for job in jobs]
    with contextlib.ExitStack() as stack:
        live: list[tuple[Record, Worker, int]] = []
        for index, record in enumerate(records):
            progress(f"{record.job.id}: opening")
            try:
                worker = stack.enter_context(Worker(pinned_cpus(record.job.asked.threads)))
                runs = _open_and_warm(record, worker, settings, folder, index)
            except WorkerError as error:
                _failed(record, error)
                continue
            live.append((record, worker, runs))
            if alphas is not None and record.job.scope == "network":
                path = folder / f"alphas-{len(alphas)}.npy"
                with contextlib.suppress(WorkerError):
                    worker.ask("alpha", path=str(path), count=3)
                    alphas[(record.job.name, record.job.asked)] = path
        _rounds(live, settings, progress)
        for record, worker, _ in live:
            if not record.problem:
                with contextlib.suppress(WorkerError):
                    told = worker.ask("memory")
                    record.peak_memory = told["memory"]
                    record.device_memory = told["device_memory"]
    return records


def _open_and_warm(
    record: Record, worker: Worker, settings: Settings, folder: Path, index: int
) -> int:
    """Open, run first, warm up; how many runs a turn of this candidate has."""
    told = _opened(record.job, worker, settings, folder / "compiled", folder / f"out-{index}")
    record.ran, record.fallbacks = told["ran"], told["fallbacks"]
    record.load = {"process": worker.started_ms, "open": told["open_ms"]}
    record.pinned, record.base_memory = worker.pinned, worker.base_memory
    record.first = worker.ask("run", count=1)["samples_ms"][0]
    typical = record.first
    if settings.warmup:
        typical = statistics.median(worker.ask("run", count=settings.warmup)["samples_ms"])
    if record.job.scenario == "batch" or settings.quick:
        return 1
    return max(1, min(_MOST_RUNS, round(_TURN_MS / max(typical, 1e-3))))


def _rounds(
    live: list[tuple[Record, Worker, int]], settings: Settings, progress: Callable[[str], None]
) -> None:
    """Rounds in turn, until every candidate has its interval or its time is over."""
    spent = dict.fromkeys(range(len(live)), 0.0)
    turn = 0
    while True:
        left = [index for index in spent if not _done(live[index][0], spent[index], settings)]
        if not left:
            return
        shift = turn % len(left)
        for index in left[shift:] + left[:shift]:
            record, worker, runs = live[index]
            start = time.perf_counter()
            yard = yardstick()
            try:
                told = worker.ask("run", count=runs)
            except WorkerError as error:
                _failed(record, error)
                continue
            spent[index] += time.perf_counter() - start
            _add(record, told, yard)
        turn += 1
        if turn == settings.rounds:
            progress(f"{turn} rounds of {len(live)}, going on where intervals are wide")


def _done(record: Record, spent: float, settings: Settings) -> bool:
    if record.problem:
        return True
    if len(record.samples) < settings.rounds:
        return False
    width = summarize(record.samples).half_width
    return spent >= settings.seconds or (width is not None and width <= settings.width)


def _add(record: Record, told: dict[str, Any], yard: float) -> None:
    record.samples.append(told["samples_ms"])
    record.cpu.append(told["cpu_ms"])
    record.yardstick.append(yard)
    if told["stages_ms"]:
        record.stages.append(told["stages_ms"])
    if told["joules"] is not None:
        record.joules.append(told["joules"])


def measure_cold(
    jobs: Sequence[Job], settings: Settings, folder: Path, *, progress: Callable[[str], None]
) -> list[Record]:
    """Measure cold starts in turn: a new process each, to its first result.

    The sample is the whole way with the compiled network kept, as every start but the first
    has it; without it the opening alone is timed, each round too.
    """
    records = [Record(job) for job in jobs]
    rounds = 1 if settings.quick else min(settings.rounds, _COLD_ROUNDS)
    opens: list[dict[str, list[float]]] = [{} for _ in jobs]
    caches = [folder / f"cold-{index}" for index in range(len(jobs))]
    for turn in range(-1, rounds):
        for index, record in enumerate(records):
            if record.problem:
                continue
            # Round -1 fills the cache and counts for nothing.
            progress(f"{record.job.id}: " + ("first" if turn < 0 else f"start {turn + 1}"))
            try:
                if turn >= 0:
                    fresh = _start(record, settings, None, folder)
                    opens[index].setdefault("open", []).append(fresh["open_ms"])
                told = _start(record, settings, caches[index], folder)
            except WorkerError as error:
                _failed(record, error)
                continue
            if turn < 0:
                continue
            record.samples.append([told["total_ms"]])
            record.yardstick.append(told["yardstick_ms"])
            for name in ("process", "first"):
                opens[index].setdefault(name, []).append(told[f"{name}_ms"])
            opens[index].setdefault("open compiled", []).append(told["open_ms"])
    for record, times in zip(records, opens, strict=True):
        record.load = {name: statistics.median(values) for name, values in times.items()}
        record.first = record.load.pop("first", None)
    return records


def _start(record: Record, settings: Settings, cache: Path | None, folder: Path) -> dict[str, Any]:
    """One process, from its start to its first result."""
    yard = yardstick()
    with Worker(pinned_cpus(record.job.asked.threads)) as worker:
        told = _opened(record.job, worker, settings, cache, folder / "out-cold")
        first = worker.ask("run", count=1)["samples_ms"][0]
        total = worker.age_ms
        record.ran, record.fallbacks = told["ran"], told["fallbacks"]
        record.pinned, record.base_memory = worker.pinned, worker.base_memory
        record.peak_memory = worker.ask("memory")["memory"]
    return {
        "process_ms": worker.started_ms,
        "open_ms": told["open_ms"],
        "first_ms": first,
        "total_ms": total,
        "yardstick_ms": yard,
    }
