"""Statistics of timings: percentiles, intervals of the median, spread. Pure functions.

In: milliseconds, grouped by interleaved rounds. Runs within a round share whatever the machine did
in that moment, so the round's median is the unit that intervals and tests work on; percentiles
are over all runs.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = [
    "CONFIDENCE",
    "Summary",
    "median_interval",
    "median_ranks",
    "percentile",
    "robust_spread",
    "round_medians",
    "summarize",
]

#: Coverage that an interval of the median has at least.
CONFIDENCE = 0.95

# Fewer samples cannot tell a percentile from the largest value.
_LEAST_SAMPLES = {90: 10, 99: 100}


@dataclass(frozen=True)
class Summary:
    """What the samples of one result say; times in milliseconds.

    Attributes:
        runs: Number of samples.
        rounds: Number of interleaved rounds they come from.
        mean: Mean of all samples.
        sd: Standard deviation of all samples (n - 1); 0 for one.
        minimum: Least sample.
        p50: Median of the rounds' medians, which `interval` is about.
        p90: 90th percentile of all samples, nearest rank; None below 10 samples.
        p99: 99th percentile; None below 100 samples.
        interval: Low and high end of a distribution-free interval of the median; None where the
            rounds are too few for one.
        coverage: What the interval covers by its construction, at least CONFIDENCE; None without.
        half_width: Half the interval's width over p50; None without.
    """

    runs: int
    rounds: int
    mean: float
    sd: float
    minimum: float
    p50: float
    p90: float | None
    p99: float | None
    interval: tuple[float, float] | None
    coverage: float | None
    half_width: float | None


def percentile(samples: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile: the least sample that `percent` of all are not above.

    MLPerf's latency percentiles are of this kind; it never is a value that did not occur.

    Raises:
        ValueError: No samples, or a percentage outside 0..100.
    """
    if not samples or not 0 <= percent <= 100:
        raise ValueError("a percentile needs samples, and 0 to 100")
    ordered = sorted(samples)
    # The small subtraction keeps 0.9 * 10 (9.000000000000002 in other roundings) at rank 9.
    rank = max(1, math.ceil(percent / 100 * len(ordered) - 1e-9))
    return ordered[rank - 1]


def median_ranks(count: int, confidence: float = CONFIDENCE) -> tuple[int, int, float] | None:
    """Ranks (from 1) of the samples that bound the median, and the coverage.

    By the binomial distribution of how many samples lie below the median, whatever the samples'
    own distribution is (Conover, Practical Nonparametric Statistics, 3.2).

    Returns:
        (low, high, coverage) of the narrowest symmetric pair, or None where even the whole range
        covers less: below 6 samples for 95 %.
    """
    best = None
    below = 0.0  # P(fewer than `low` samples lie below the median)
    for low in range(1, count // 2 + 1):
        below += math.comb(count, low - 1) / 2.0**count
        coverage = 1.0 - 2.0 * below
        if coverage < confidence:
            break
        best = (low, count + 1 - low, coverage)
    return best


def median_interval(
    samples: Sequence[float], confidence: float = CONFIDENCE
) -> tuple[float, float, float] | None:
    """Low end, high end and coverage of the median's interval; None where samples are too few."""
    ranks = median_ranks(len(samples), confidence)
    if ranks is None:
        return None
    ordered = sorted(samples)
    low, high, coverage = ranks
    return ordered[low - 1], ordered[high - 1], coverage


def round_medians(rounds: Sequence[Sequence[float]]) -> list[float]:
    """The median of each round that has samples, in the order of the rounds."""
    return [statistics.median(samples) for samples in rounds if samples]


def robust_spread(samples: Sequence[float]) -> float:
    """Relative spread: the median absolute deviation, scaled to a normal's sd, over the median."""
    if not samples:
        return 0.0
    middle = statistics.median(samples)
    deviation = statistics.median(abs(sample - middle) for sample in samples)
    return 1.4826 * deviation / middle if middle > 0 else 0.0


def summarize(rounds: Sequence[Sequence[float]]) -> Summary:
    """The summary of a result's samples, grouped by rounds.

    Raises:
        ValueError: There is no sample.
    """
    every = [sample for samples in rounds for sample in samples]
    if not every:
        raise ValueError("there is no sample to summarize")
    medians = round_medians(rounds)
    middle = statistics.median(medians)
    found = median_interval(medians)

    def tail(percent: int) -> float | None:
        return percentile(every, percent) if len(every) >= _LEAST_SAMPLES[percent] else None

    return Summary(
        runs=len(every),
        rounds=len(medians),
        mean=statistics.fmean(every),
        sd=statistics.stdev(every) if len(every) > 1 else 0.0,
        minimum=min(every),
        p50=middle,
        p90=tail(90),
        p99=tail(99),
        interval=None if found is None else (found[0], found[1]),
        coverage=None if found is None else found[2],
        half_width=None if found is None else (found[1] - found[0]) / 2 / middle,
    )
