"""What got faster or slower between two documents of `nssbg bench`, beyond noise.

In: two documents. Out: a verdict for each result that both have. The test is a permutation test
of rank sums over the rounds' medians, which assumes nothing about how times are distributed. It is
run twice: on the times, and on the times over the yardstick's of the same round, since
a machine that ran slower as a whole in one of the runs made nothing of nssbg slower. Both have to
tell, in the same direction, and Holm's correction over all results bounds the probability of
any false alarm by ERROR_RATE (docs/decisions/1030-bench.md says where that bound ends).
"""

from __future__ import annotations

import functools
import itertools
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nssbg._errors import OptionError
from nssbg.bench.statistics import round_medians

__all__ = [
    "ERROR_RATE",
    "Change",
    "Comparison",
    "compare",
    "compare_rounds",
    "holm",
    "permutation_p",
    "slower_than",
]

#: Bound on the probability that a comparison of two equal versions calls anything changed.
ERROR_RATE = 0.01

# Relabellings that are drawn where there are more than this many; the seed makes a comparison
# give the same answer each time.
_DRAWS = 20_000
_SEED = 20261124


@dataclass(frozen=True)
class Change:
    """One result in both documents.

    Attributes:
        id: The result's id.
        before: Median of the first, in milliseconds.
        after: Median of the second.
        ratio: after / before.
        p: Probability of as clear a difference between equal versions, corrected for the number of
            results.
        verdict: "faster", "slower", "same" (no difference shows) or "too few rounds" (no
            difference could show, however large).
    """

    id: str
    before: float
    after: float
    ratio: float
    p: float
    verdict: str


@dataclass(frozen=True)
class Comparison:
    """Two documents side by side.

    Attributes:
        changes: For each result in both, in the first's order.
        only_before: Ids of results that the second lacks.
        only_after: Ids that the first lacks.
        yardstick_ratio: The yardstick's median in the second over that in the first.
        warnings: What makes the two hard to compare: other machine, runtimes, pictures, noise.
        error_rate: The bound on false alarms.
    """

    changes: tuple[Change, ...]
    only_before: tuple[str, ...]
    only_after: tuple[str, ...]
    yardstick_ratio: float
    warnings: tuple[str, ...]
    error_rate: float = ERROR_RATE


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks from 1, the mean rank for ties."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    mean: NDArray[np.float64] = (ends - (counts - 1) / 2.0)[inverse]
    return mean


@functools.lru_cache(maxsize=4)
def _relabellings(total: int, size: int) -> NDArray[np.intp]:
    """Every way to pick `size` of `total` places, one a row."""
    picks = itertools.combinations(range(total), size)
    return np.array(list(picks), np.intp).reshape(-1, size)


def permutation_p(first: Sequence[float], second: Sequence[float]) -> float:
    """Two-sided p of the rank-sum permutation test; 1 where a side has no sample.

    Every relabelling counts where they are few, else 20,000 drawn ones and the observed one, which
    keeps the test's level (Phipson and Smyth 2010).
    """
    size, total = len(first), len(first) + len(second)
    if not first or not second:
        return 1.0
    ranks = _ranks(np.asarray([*first, *second], np.float64))
    centre = size * (total + 1) / 2.0
    observed = abs(ranks[:size].sum() - centre)
    slack = 1e-9 * total * total
    if math.comb(total, size) <= _DRAWS:
        sums = ranks[_relabellings(total, size)].sum(axis=1)
        return float(np.mean(np.abs(sums - centre) >= observed - slack))
    random = np.random.default_rng(_SEED)
    shuffled = random.permuted(np.tile(ranks, (_DRAWS, 1)), axis=1)[:, :size]
    beyond = int(np.sum(np.abs(shuffled.sum(axis=1) - centre) >= observed - slack))
    return (beyond + 1) / (_DRAWS + 1)


def holm(values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values, in the given order."""
    order = sorted(range(len(values)), key=values.__getitem__)
    adjusted = [1.0] * len(values)
    running = 0.0
    for position, index in enumerate(order):
        running = max(running, min(1.0, (len(values) - position) * values[index]))
        adjusted[index] = running
    return adjusted


def _least_p(first: int, second: int) -> float:
    """The least p that so many rounds can give."""
    return max(2.0 / math.comb(first + second, first), 1.0 / (_DRAWS + 1))


@dataclass(frozen=True)
class _Tested:
    before: float
    after: float
    relative: float
    p: float
    least: float


def compare_rounds(
    pairs: Sequence[tuple[Sequence[float], Sequence[float], Sequence[float], Sequence[float]]],
    *,
    ids: Sequence[str] = (),
    error_rate: float = ERROR_RATE,
) -> tuple[Change, ...]:
    """Judge many results together.

    Args:
        pairs: For each result: medians of the rounds before and after, then the yardstick's times
            in these rounds before and after (as many each).
        ids: Their names.
        error_rate: Bound on the probability of any false alarm among them.
    """
    tested = []
    for before, after, yard_before, yard_after in pairs:
        over_before = [own / yard for own, yard in zip(before, yard_before, strict=True)]
        over_after = [own / yard for own, yard in zip(after, yard_after, strict=True)]
        middle = (statistics.median(before), statistics.median(after))
        relative = statistics.median(over_after) / statistics.median(over_before)
        agree = (middle[1] / middle[0] - 1) * (relative - 1) > 0
        # The larger of both is a p of "both differ": each alone holds the level.
        p = max(permutation_p(before, after), permutation_p(over_before, over_after))
        tested.append(
            _Tested(*middle, relative, p if agree else 1.0, _least_p(len(before), len(after)))
        )
    adjusted = holm([one.p for one in tested])
    changes = []
    for index, (one, p) in enumerate(zip(tested, adjusted, strict=True)):
        if p <= error_rate:
            verdict = "slower" if one.after > one.before else "faster"
        elif one.least * len(tested) > error_rate:
            verdict = "too few rounds"
        else:
            verdict = "same"
        name = ids[index] if ids else str(index)
        changes.append(Change(name, one.before, one.after, one.after / one.before, p, verdict))
    return tuple(changes)


def compare(
    before: Mapping[str, Any], after: Mapping[str, Any], *, error_rate: float = ERROR_RATE
) -> Comparison:
    """Compare two documents of `nssbg bench`.

    Raises:
        OptionError: They have no result in common.
    """
    first, second = (_measured(document) for document in (before, after))
    shared = [name for name in first if name in second]
    if not shared:
        raise OptionError(
            "the two documents have no result in common; run both with the same models, devices, "
            "precisions, threads and sizes"
        )
    pairs = []
    for name in shared:
        sides = [_usable(result) for result in (first[name], second[name])]
        pairs.append((sides[0][0], sides[1][0], sides[0][1], sides[1][1]))
    yards = [
        statistics.median(time for result in found.values() for time in result["yardstick_ms"])
        for found in (first, second)
    ]
    return Comparison(
        changes=compare_rounds(pairs, ids=shared, error_rate=error_rate),
        only_before=tuple(name for name in first if name not in second),
        only_after=tuple(name for name in second if name not in first),
        yardstick_ratio=yards[1] / yards[0],
        warnings=tuple(_warnings(before, after, shared, first, second)),
        error_rate=error_rate,
    )


def slower_than(comparison: Comparison, share: float) -> tuple[Change, ...]:
    """What got slower beyond noise, and at the median by more than this share."""
    return tuple(
        change
        for change in comparison.changes
        if change.verdict == "slower" and change.ratio > 1 + share
    )


def _measured(document: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {one["id"]: one for one in document["results"] if one["samples_ms"]}


def _usable(result: Mapping[str, Any]) -> tuple[list[float], list[float]]:
    """Medians of a result's rounds, and the yardstick's times in them."""
    return round_medians(result["samples_ms"]), list(result["yardstick_ms"])


def _warnings(
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    shared: Sequence[str],
    first: Mapping[str, Mapping[str, Any]],
    second: Mapping[str, Mapping[str, Any]],
) -> list[str]:
    lines = []
    if before["machine"]["fingerprint"] != after["machine"]["fingerprint"]:
        lines.append(
            f"two machines: {before['machine']['processor']} and {after['machine']['processor']}; "
            "a difference is between them, not between versions"
        )
    versions = [
        ", ".join(f"{one['name']} {one['version']}" for one in document["runtimes"])
        for document in (before, after)
    ]
    if versions[0] != versions[1]:
        lines.append(f"other runtimes: {versions[0]}; then {versions[1]}")
    if before["pictures"]["sha256"] != after["pictures"]["sha256"]:
        lines.append("other pictures: what depends on them is not comparable")
    moved = [name for name in shared if first[name].get("asked") != second[name].get("asked")]
    if moved:
        lines.append(
            f"other streams or batches in {len(moved)}, as the planner took them: {moved[0]}"
        )
    noisy = [name for name in shared if first[name]["noisy"] or second[name]["noisy"]]
    if noisy:
        lines.append(f"marked as noisy in one or both: {len(noisy)} of {len(shared)}")
    return lines
