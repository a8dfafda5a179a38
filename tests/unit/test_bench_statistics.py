"""The arithmetic of `nssbg bench` on hand-made samples: percentiles, intervals, floors, energy."""

from __future__ import annotations

import math
import random
import statistics

import pytest

from nssbg._planner.graph_cost import GraphCost
from nssbg._planner.machine_peaks import MachinePeaks
from nssbg.bench.energy import Energy, joules_between, read_energy, source_of_energy
from nssbg.bench.floors import network_floor, share_of_floor, stage_floors
from nssbg.bench.statistics import (
    median_interval,
    median_ranks,
    percentile,
    robust_spread,
    summarize,
)

TENS = [float(10 * n) for n in range(1, 11)]


@pytest.mark.parametrize(
    ("percent", "expected"),
    [(0, 10), (10, 10), (11, 20), (50, 50), (90, 90), (91, 100), (100, 100)],
)
def test_a_percentile_is_the_nearest_rank(percent, expected):
    assert percentile(TENS, percent) == expected
    assert percentile(TENS[::-1], percent) == expected


def test_a_percentile_of_nothing_or_beyond_a_hundred_is_refused():
    for samples, percent in (([], 50), ([1.0], -1), ([1.0], 101)):
        with pytest.raises(ValueError, match="percentile"):
            percentile(samples, percent)


def test_ranks_of_the_median_are_those_of_the_binomial_tables():
    # Conover's table A3 at 95 %; below 6 samples even the range covers less.
    assert median_ranks(5) is None
    assert median_ranks(6) == (1, 6, pytest.approx(1 - 2 / 2**6))
    assert median_ranks(8) == (1, 8, pytest.approx(1 - 2 / 2**8))
    assert median_ranks(9) == (2, 8, pytest.approx(1 - 2 * 10 / 2**9))
    assert median_ranks(20)[:2] == (6, 15)
    assert median_ranks(100)[:2] == (40, 61)


def test_the_interval_covers_the_median_as_often_as_it_says():
    source = random.Random(1)
    inside = 0
    for _ in range(2000):
        low, high, coverage = median_interval([source.lognormvariate(0, 1) for _ in range(12)])
        inside += low <= 1.0 <= high  # exp(0): the true median of a skewed distribution
    assert coverage >= 0.95
    # Three standard deviations of a share of 2000.
    assert inside / 2000 == pytest.approx(coverage, abs=3 * math.sqrt(0.05 * 0.95 / 2000))


def test_a_summary_counts_rounds_for_the_median_and_all_runs_for_the_tail():
    rounds = [[1.0, 3.0, 2.0], [2.0, 2.0], [4.0], [2.0, 2.0], [9.0, 2.0, 2.0], [2.0], []]
    found = summarize(rounds)
    every = [sample for samples in rounds for sample in samples]
    assert (found.runs, found.rounds) == (12, 6)
    assert found.mean == pytest.approx(statistics.fmean(every))
    assert found.sd == pytest.approx(statistics.stdev(every))
    assert (found.minimum, found.p50, found.p90, found.p99) == (1.0, 2.0, 4.0, None)
    assert found.interval == (2.0, 4.0)
    assert found.half_width == pytest.approx(0.5)
    assert summarize([[float(n) for n in range(1, 201)]]).p99 == 198.0


def test_what_is_too_little_has_no_figure():
    found = summarize([[5.0]] * 5)
    assert (found.interval, found.coverage, found.half_width, found.p90) == (None,) * 4
    assert found.sd == 0
    with pytest.raises(ValueError, match="no sample"):
        summarize([[]])


def test_the_spread_does_not_follow_one_outlier():
    calm = [10.0, 10.1, 9.9, 10.05, 9.95]
    assert robust_spread([*calm, 900.0]) < 0.02
    assert robust_spread([5.0, 10.0, 20.0, 7.0, 15.0]) > 0.3
    assert robust_spread([]) == 0


PEAKS = MachinePeaks(
    read_bytes=10e9,
    copy_bytes=12e9,
    operations={"float32": 100e9, "int8": 400e9},
    threads=4,
    problems={"bfloat16": "none here"},
)


def cost(operations=0.0, weights=0):
    return GraphCost(operations, 0.0, 0.0, 0.0, weights, 0, 0, 100, 100)


def test_a_networks_floor_is_the_larger_of_compute_and_memory():
    bound = network_floor(cost(operations=2e9), PEAKS, precision="float32", threads=4)
    assert (bound.milliseconds, bound.bound) == (pytest.approx(20.0), "compute")
    bound = network_floor(cost(weights=400_000_000), PEAKS, precision="float32", threads=4)
    # 400 MB of weights, and 4 planes of 100 x 100 float32, at 10 GB/s.
    assert (bound.milliseconds, bound.bound) == (pytest.approx(40.016), "memory")


def test_a_floor_follows_precision_threads_and_how_weights_are_stored():
    work = cost(operations=2e9, weights=400_000)
    single = network_floor(work, PEAKS, precision="float32", threads=1)
    assert single.milliseconds == pytest.approx(80.0)
    assert network_floor(work, PEAKS, precision="int8", threads=4).milliseconds == pytest.approx(5)
    assert network_floor(work, PEAKS, precision="int8", threads=4).bytes == 100_000 + 160_000
    half = network_floor(work, PEAKS, precision="float32", threads=4, stored="float16")
    assert half.bytes == 800_000 + 160_000
    assert network_floor(work, PEAKS, precision="bfloat16", threads=4) is None
    assert network_floor(work, PEAKS, precision="float32", threads=9).milliseconds == 20


def test_stages_are_held_against_the_bytes_that_they_cannot_leave_out():
    found = stage_floors(
        PEAKS, height=1000, width=1000, file_bytes=500_000, result_bytes=0, network=(100, 100)
    )
    assert {name: floor.bytes for name, floor in found.items()} == {
        "decode": 3_500_000,
        "studio": 4_000_000,
        "refine": 4_000_000,
        "foreground": 8_000_000,
        "compose": 7_000_000,
        "encode": 4_000_000,
        "prepare": 3_120_000,
    }
    assert found["foreground"].milliseconds == pytest.approx(0.8)
    assert share_of_floor(found["foreground"], 8.0) == pytest.approx(10.0)
    assert share_of_floor(None, 8.0) is None


def test_the_best_of_two_measurements_is_taken_figure_by_figure():
    other = MachinePeaks(9e9, 20e9, {"float32": 150e9, "bfloat16": 1e9}, 4, {})
    best = PEAKS.best_of(other)
    assert (best.read_bytes, best.copy_bytes, best.problems) == (10e9, 20e9, {})
    assert best.operations == {"float32": 150e9, "int8": 400e9, "bfloat16": 1e9}


def test_energy_is_read_where_there_are_counters_and_never_guessed(tmp_path):
    assert read_energy("cpu", root=tmp_path) is None
    assert source_of_energy(root=tmp_path).startswith("not measured")
    for zone, used in (("intel-rapl:0", 900), ("intel-rapl:0:0", 5), ("intel-rapl:1", 50)):
        folder = tmp_path / zone
        folder.mkdir()
        (folder / "energy_uj").write_text(f"{used}\n")
        (folder / "max_energy_range_uj").write_text("1000\n")
    before = read_energy("cpu", root=tmp_path)
    # Sub-zones are within their package, and counters begin anew.
    assert before.packages == {"intel-rapl:0": (900, 1000), "intel-rapl:1": (50, 1000)}
    after = Energy({"intel-rapl:0": (100, 1000), "intel-rapl:1": (60, 1000)})
    assert joules_between(before, after) == pytest.approx(210e-6)
    assert joules_between(None, after) is None
    assert joules_between(before, Energy({})) is None
    assert "intel-rapl:0" in source_of_energy(root=tmp_path)
