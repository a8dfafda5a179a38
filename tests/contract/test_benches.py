"""The benches have one entry, one clock and a line each that says what they measure."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench.__main__ import benches

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "bench").rglob("*.py"))
# Code for another process, which has no bench.timing; rates by a clock of choice; a schedule of
# requests that runs by the clock.
OWN_CLOCK = {"timing.py", "planner.py", "prediction.py", "server.py"}


def test_the_list_has_every_bench_with_what_it_measures():
    done = subprocess.run(
        [sys.executable, "-m", "bench", "list"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    lines = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert lines == benches()
    assert {"peers", "prepare", "rembg_whole"} <= set(lines)
    assert all(words.endswith((".", "?", "`.")) or ":" in words for words in lines.values())


def test_run_hands_a_bench_its_options():
    done = subprocess.run(
        [sys.executable, "-m", "bench", "run", "prepare", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "The prepare stage beside what others do" in done.stdout
    refused = subprocess.run(
        [sys.executable, "-m", "bench", "run", "no-such-bench"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 2
    assert "no-such-bench" in refused.stderr


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_time_is_taken_by_bench_timing_alone(path):
    if path.name not in OWN_CLOCK:
        text = path.read_text(encoding="utf-8")
        found = [w for w in ("perf_counter", "process_time", "monotonic", "timeit") if w in text]
        assert not found, f"bench.timing has spent() and Stopwatch: {found}"
