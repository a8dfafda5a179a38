"""Fits the confidence measure on validation photographs and generated pictures that were not
trained on, and reports how well it follows the real error on the held-out sets.

Puts the weights into the model's sidecar, as its table [confidence] (the package has to be
installed); choose.py goes by them and comes after.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import evaluate
import measures
import numpy as np
import numpy.typing as npt
import sets
import sidecar

from nssbg._segment.confidence import LOW_CONFIDENCE, confidence_features

Floats = npt.NDArray[np.float32]
SEED = 777


def fit_set() -> Iterator[sets.Example]:
    """What is fitted on: validation photographs, and pictures made of validation cut-outs."""
    for name in ("people", "cats"):
        yield from sets.photographs(name, held=False)
    for name, pictures in sets.opened(held=False).items():
        if name in sets.TRUE_MASKS:
            yield from pictures()
    yield from sets.generated("composites", held=False, seed=SEED, count=150)
    yield from sets.generated("products", held=False, seed=SEED, count=100)


def observed(model: Path, pictures: Iterator[sets.Example], side: int) -> tuple[Floats, Floats]:
    """Features (with the mirror's) and real overlaps of pictures, by one pass and by both."""
    run = evaluate.predictor(model, side, 2)
    features, overlaps = [], []
    for _, rgb, truth in pictures:
        alpha, mirrored = evaluate.both_looks(run, rgb, side)
        features.append(confidence_features(alpha, mirrored))
        overlaps.append(
            [
                measures.overlap(evaluate.enlarged(answer, rgb), truth)
                for answer in (alpha, (alpha + mirrored) / 2)
            ]
        )
    return np.array(features, np.float64), np.array(overlaps, np.float64)


def fitted(
    features: Floats, shares: Floats, *, stake: Floats | None = None, ridge: float = 0.05
) -> Floats:
    """Logistic regression of a share on features, by Newton's method with a little ridge.

    The constant comes first in the weights; `stake` says how much each row counts.
    """
    design = np.column_stack([np.ones(len(features)), features])
    counts = np.ones(len(features)) if stake is None else stake / stake.mean()
    weights = np.zeros(design.shape[1])
    held = ridge * np.eye(design.shape[1])
    held[0, 0] = 0
    for _ in range(60):
        guess = logistic(features, weights)
        slope = design.T @ (counts * (shares - guess)) - held @ weights
        curve = (design * (counts * guess * (1 - guess))[:, None]).T @ design + held
        weights = weights + np.linalg.solve(curve, slope)
    return weights


def logistic(features: Floats, weights: Floats) -> Floats:
    """The share that fitted weights expect, one a row."""
    score = weights[0] + features @ weights[1:]
    return 1 / (1 + np.exp(-np.clip(score, -60, 60)))


def rank_correlation(first: Floats, second: Floats) -> float:
    """Spearman's."""
    ranks = [np.argsort(np.argsort(x)).astype(np.float64) for x in (first, second)]
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def flagged(expected: Floats, overlaps: Floats) -> tuple[float, float]:
    """Shares of low confidence: among overlaps below one half, and among the others."""
    failed, low = overlaps < measures.FAILED, expected < LOW_CONFIDENCE
    caught = float(low[failed].mean()) if failed.any() else 1.0
    return caught, float(low[~failed].mean()) if not failed.all() else 0.0


def main() -> None:
    """Fits and reports."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--side", type=int, default=evaluate.SIDE)
    options = parser.parse_args()
    features, overlaps = observed(options.model, fit_set(), options.side)
    alone, mirror = fitted(features[:, :3], overlaps[:, 0]), fitted(features, overlaps[:, 1])
    written = sidecar.put_table(
        options.model,
        "confidence",
        "Fitted by training/calibrate.py: expected overlap with the truth, the constant first.",
        {"single": alone, "flip_tta": mirror},
    )
    print(written.read_text())
    print(
        "| set | pictures | mean overlap | Pearson | Spearman | mean overlap, both passes "
        "| Pearson | Spearman | failures flagged | others flagged |\n" + "|---" * 10 + "|"
    )
    for name, pictures in sets.measured().items():
        f, o = observed(options.model, islice(pictures(), 200), options.side)
        row = []
        for weights, kept, real in ((alone, f[:, :3], o[:, 0]), (mirror, f, o[:, 1])):
            guess = logistic(kept, weights)
            row.append(f"{real.mean():.3f} | {np.corrcoef(guess, real)[0, 1]:.2f}")
            row.append(f"{rank_correlation(guess, real):.2f}")
        caught, alarms = flagged(logistic(f, mirror), o[:, 1])
        row.append(f"{caught:.2f} | {alarms:.2f}")
        print(f"| {name} | {len(o)} | " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
