"""Times callables side by side in one run, and prints what a reader needs to judge the figures.

In: named callables, all doing the same work. Out: medians, minima and ratios to the first of
them, in a table under a line with machine, commit and threads. Rounds are interleaved (one call
of each per round, the order rotating), because a machine's speed drifts between runs by more
than most differences worth measuring. Floors (bytes over bandwidth, operations over peak) are
measured on the same machine in the same run, not assumed.
"""

from __future__ import annotations

import gc
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Call = Callable[[], object]


@dataclass(frozen=True)
class Timing:
    """Milliseconds of one callable, over the counted rounds of an interleaved run.

    Attributes:
        name: What was timed.
        samples: One wall time a round, in milliseconds, in the order they were taken.
        ratio: Median over rounds of (first callable's time / this one's time): how many times
            faster this one is than the baseline, each round compared with itself.
        processor: Processor time of the process in each of these rounds, in milliseconds: on a
            machine that others use too it says more than wall time.
    """

    name: str
    samples: tuple[float, ...]
    ratio: float
    processor: tuple[float, ...] = ()

    @property
    def median(self) -> float:
        """Median in milliseconds."""
        return statistics.median(self.samples)

    @property
    def minimum(self) -> float:
        """Minimum in milliseconds."""
        return min(self.samples)

    @property
    def processor_median(self) -> float:
        """Median of the processor time in milliseconds."""
        return statistics.median(self.processor)


@dataclass(frozen=True)
class Spent:
    """What something took, in seconds, and what it gave."""

    wall: float
    processor: float
    result: Any


class Stopwatch:
    """Runs from when it is made; for what is no single call."""

    def __init__(self) -> None:
        self._processor, self._wall = time.process_time(), time.perf_counter()

    def read(self, result: Any = None) -> Spent:
        """What went by so far."""
        wall = time.perf_counter() - self._wall
        return Spent(wall, time.process_time() - self._processor, result)


def spent(call: Call) -> Spent:
    """One call's wall time and this process's processor time."""
    watch = Stopwatch()
    return watch.read(call())


@dataclass(frozen=True)
class Timings:
    """The result of `interleaved`: one `Timing` a callable, the baseline first."""

    title: str
    timings: tuple[Timing, ...]
    floors: Mapping[str, float]

    def __getitem__(self, name: str) -> Timing:
        for timing in self.timings:
            if timing.name == name:
                return timing
        raise KeyError(name)

    @property
    def medians(self) -> dict[str, float]:
        """Milliseconds by name."""
        return {timing.name: timing.median for timing in self.timings}

    @property
    def minima(self) -> dict[str, float]:
        """Milliseconds by name."""
        return {timing.name: timing.minimum for timing in self.timings}

    @property
    def ratios(self) -> dict[str, float]:
        """Times faster than the baseline, by name."""
        return {timing.name: timing.ratio for timing in self.timings}

    def table(self) -> str:
        """The table as text, floors last."""
        width = max(len(name) for name in [*self.medians, *self.floors, self.title])
        head = ("median ms", "min ms", "CPU ms", "x baseline")
        lines = [f"{self.title:<{width}}" + "".join(f"  {name:>10}" for name in head)]
        lines += [
            f"{t.name:<{width}}  {t.median:>10.3f}  {t.minimum:>10.3f}"
            f"  {t.processor_median:>10.3f}  {t.ratio:>10.2f}"
            for t in self.timings
        ]
        lines += [f"{name:<{width}}  {ms:>10.3f}  (floor)" for name, ms in self.floors.items()]
        return "\n".join(lines)


def interleaved(
    callables: Mapping[str, Call],
    *,
    runs: int = 15,
    warmup: int = 2,
    title: str = "",
    floors: Mapping[str, float] | None = None,
    quiet: bool = False,
) -> Timings:
    """Time callables in rounds, one call of each a round, and print the table.

    Args:
        callables: Name to callable; the first is the baseline of the ratios.
        runs: Counted rounds.
        warmup: Rounds before these, not counted.
        title: Head of the table.
        floors: Name to milliseconds below which nothing can go, printed under the table.
        quiet: Print nothing.

    Returns:
        Medians, minima and ratios, in milliseconds.
    """
    if not callables or runs < 1 or warmup < 0:
        raise ValueError("interleaved needs at least one callable, runs >= 1 and warmup >= 0")
    names = list(callables)
    samples: dict[str, list[float]] = {name: [] for name in names}
    processor: dict[str, list[float]] = {name: [] for name in names}
    collecting = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        for round_number in range(warmup + runs):
            # A rotating order, so that nobody always runs behind the same neighbour's caches.
            shift = round_number % len(names)
            for name in names[shift:] + names[:shift]:
                took = spent(callables[name])
                if round_number >= warmup:
                    samples[name].append(1e3 * took.wall)
                    processor[name].append(1e3 * took.processor)
                # Freed here: a result's deallocation is not part of the next one's time.
                del took
    finally:
        if collecting:
            gc.enable()
    baseline = samples[names[0]]
    timings = tuple(
        Timing(
            name,
            tuple(samples[name]),
            statistics.median(b / own for b, own in zip(baseline, samples[name], strict=True)),
            tuple(processor[name]),
        )
        for name in names
    )
    result_table = Timings(title, timings, dict(floors or {}))
    if not quiet:
        print(result_table.table(), end="\n\n", flush=True)
    return result_table


def gigabytes_per_second(byte_count: float, milliseconds: float) -> float:
    """Bytes over time, in units of 10^9 bytes a second."""
    return byte_count / milliseconds / 1e6


def gigaflops(operations: float, milliseconds: float) -> float:
    """Operations over time, in units of 10^9 a second (a multiply-add counts two)."""
    return operations / milliseconds / 1e6


def read_floor(byte_count: float) -> float:
    """Milliseconds one core of this machine needs to read bytes from memory once."""
    return byte_count / _bandwidth()["read"] / 1e6


def copy_floor(byte_count: float) -> float:
    """Milliseconds one core needs to copy bytes between warm buffers too large for its caches."""
    return byte_count / _bandwidth()["copy"] / 1e6


_measured: dict[str, float] = {}


def _bandwidth() -> dict[str, float]:
    """Gigabytes a second of one core: reading once (a sum of words) and copying, best of 7."""
    if not _measured:
        size = 256 << 20
        source = np.ones(size // 8, np.uint64)
        target = np.zeros_like(source)
        for kind, call in (
            ("read", lambda: np.bitwise_or.reduce(source)),
            ("copy", lambda: np.copyto(target, source)),
        ):
            best = min(_once(call) for _ in range(7))
            _measured[kind] = gigabytes_per_second(size, best)
    return _measured


def _once(call: Call) -> float:
    return 1e3 * spent(call).wall


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table as Markdown whose columns line up in a terminal too; figures to the right."""
    cells = [list(row) for row in rows]
    widths = [max(2, *map(len, column)) for column in zip(head, *cells, strict=True)]
    first, *others = widths

    def line(row: Sequence[str]) -> str:
        right = [cell.rjust(width) for cell, width in zip(row[1:], others, strict=True)]
        return "| " + " | ".join([row[0].ljust(first), *right]) + " |"

    rule = ["-" * first, *("-" * (width - 1) + ":" for width in others)]
    return "\n".join([line(head), "| " + " | ".join(rule) + " |", *map(line, cells)])


def processor_name() -> str:
    """The processor's name as the system tells it."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def commit() -> str:
    """Short hash of the checked-out commit, "+changes" behind it where files differ from it."""
    root = Path(__file__).resolve().parent.parent

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=root, capture_output=True, text=True, check=False
        )
        return done.stdout.strip()

    name = git("rev-parse", "--short=10", "HEAD")
    if not name:
        return "unknown"
    return name + ("+changes" if git("status", "--porcelain", "--untracked-files=no") else "")


def print_header(subject: str, *, threads: int | str, **facts: object) -> None:
    """Print one block saying what is measured, where, on which commit and with which threads."""
    try:
        from nssbg import _core

        level = _core.isa()
    except ImportError:
        level = "no core"
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:
        cores = os.cpu_count() or 1
    print(f"# {subject}")
    print(f"machine  {processor_name()}, {cores} cores, {platform.system()} {platform.machine()}")
    print(f"commit   {commit()}, Python {sys.version.split()[0]}, ISA level {level}")
    print(f"threads  {threads}")
    for name, value in facts.items():
        print(f"{name.replace('_', ' '):<8} {value}")
    print(flush=True)
