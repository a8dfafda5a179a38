"""Calibrates the studio method's confidence: the probability that its alpha has an IoU of at least
0.9 with the truth.

Draws studio pictures and clutter from seeds (bench/studio_cases.py), optionally adds photographs
with masks (a folder of NNNN.jpg + NNNN.png), runs the method, fits a logistic model of the
report's measures on half of them and prints its coefficients (for cpp/src/studio/confidence.cpp)
and how well they hold on the other half. Run: python -m bench.studio_calibration [--photos FOLDER]
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from bench.studio_cases import BACKDROPS, COLORS, STUDIO, SUBJECTS, Case, iou, make_case
from nssbg._ops.studio import studio_alpha

Array = npt.NDArray[np.float64]
GOOD = 0.9
NAMES = (
    "one",
    "border_share",
    "second_worst_side",
    "residual",
    "noise",
    "texture",
    "unity",
    "touch",
    "contrast",
    "agreement",
    "outline_length",
    "band_share",
    "tiny",
    "huge",
)


def features(m: dict[str, Any]) -> list[float]:
    """The same numbers as in cpp/src/studio/confidence.cpp."""
    contrast = m["outline_contrast"]
    share = m["foreground_share"]
    return [
        1.0,
        m["border_share"],
        sorted(m["side_share"])[1],
        min(m["residual"] / 5, 2.0),
        min(m["noise"] / 5, 2.0),
        min(m["backdrop_texture"] / 3, 2.0),
        m["subject_unity"],
        m["border_touch"],
        contrast / (contrast + 40),
        m["outline_agreement"],
        min(m["outline_length"] / 5, 3.0),
        min(m["band_share"] * 5, 2.0),
        max(0.0, 1 - share / 0.02),
        max(0.0, (share - 0.6) / 0.4),
    ]


def sigmoid(z: Array) -> Array:
    """Like the logistic curve, from a square root alone: the same on every processor."""
    return np.asarray(0.5 + 0.5 * z / np.sqrt(1 + z * z))


def random_case(seed: int) -> Case:
    """One of everything that studio pictures vary in; one in four is clutter."""
    rng = np.random.default_rng(seed)
    clutter = rng.random() < 0.25
    backdrop = str(rng.choice([b for b in BACKDROPS if b not in STUDIO] if clutter else STUDIO))
    grey = rng.uniform(20, 255)
    tint = rng.normal(0, 25, 3) if rng.random() < 0.4 else rng.normal(0, 2, 3)
    if rng.random() < 0.4:
        grey = rng.uniform(225, 255)
    red, green, blue = np.clip(grey + tint, 0, 255)
    return make_case(
        str(rng.choice(list(SUBJECTS))),
        backdrop,
        height=int(rng.integers(250, 700)),
        width=int(rng.integers(300, 900)),
        color=str(rng.choice(list(COLORS))),
        backdrop_color=(float(red), float(green), float(blue)),
        noise=float(rng.choice([0.5, 1, 2, 4, 7])),
        shadow=float(rng.choice([0, 0.2, 0.5])),
        blur=float(rng.choice([1, 1.5, 4])),
        jpeg=[None, 75, 90][int(rng.integers(3))],
        scale=float(rng.uniform(0.5, 1.3)),
        seed=seed,
    )


def samples(count: int, photos: Path | None) -> tuple[Array, Array]:
    """Features and IoU of drawn pictures and photographs, N x F and N."""
    rows, scores = [], []
    cases = [random_case(seed) for seed in range(count)]
    if photos is not None:
        for path in sorted(photos.glob("*.jpg"))[: count // 3]:
            mask = np.asarray(Image.open(path.with_suffix(".png")).convert("L"), np.float32) / 255
            cases.append(Case(path.name, np.asarray(Image.open(path).convert("RGB")), mask))
    for case in cases:
        result = studio_alpha(case.image)
        rows.append(features(result.measures))
        scores.append(iou(result.alpha, case.alpha))
    return np.asarray(rows), np.asarray(scores)


def fit(x: Array, good: Array, steps: int = 6000, rate: float = 0.05, ridge: float = 3e-4) -> Array:
    """Minimise the log loss of sigmoid(x @ w) by Adam."""
    w = np.zeros(x.shape[1])
    first, second = np.zeros_like(w), np.zeros_like(w)
    for step in range(1, steps + 1):
        z = x @ w
        p = np.clip(sigmoid(z), 1e-4, 1 - 1e-4)
        slope = 0.5 / (1 + z * z) ** 1.5
        gradient = x.T @ ((p - good) / (p * (1 - p)) * slope) / len(x) + 2 * ridge * w
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        w -= rate * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
    return w


def report(title: str, p: Array, good: Array) -> None:
    """Brier score, ranking and calibration in five bins."""
    order = np.argsort(p)
    ranks = np.empty(len(p))
    ranks[order] = np.arange(len(p))
    positive, negative = good.sum(), (1 - good).sum()
    ranking = (ranks[good > 0].sum() - positive * (positive - 1) / 2) / max(positive * negative, 1)
    print(
        f"{title}: {len(p)} pictures, {good.mean():.2f} good, Brier {np.mean((p - good) ** 2):.3f}"
    )
    print(f"  ranking (AUC) {ranking:.3f}; right at 0.5: {np.mean((p > 0.5) == (good > 0)):.3f}")
    for low in np.arange(0, 1, 0.2):
        inside = (p >= low) & (p < low + 0.2 + 1e-9)
        if inside.any():
            print(
                f"  {low:.1f}..{low + 0.2:.1f}: {inside.sum():4d}, good {good[inside].mean():.2f}"
            )


def main() -> None:
    """Draw, run, fit, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=900)
    parser.add_argument("--photos", type=Path)
    arguments = parser.parse_args()
    x, scores = samples(arguments.count, arguments.photos)
    good = (scores >= GOOD).astype(np.float64)
    train = np.arange(len(x)) % 2 == 0
    w = fit(x[train], good[train])
    report("fitted on", sigmoid(x[train] @ w), good[train])
    report("held out", sigmoid(x[~train] @ w), good[~train])
    final = fit(x, good)
    for name, value in zip(NAMES, final, strict=True):
        print(f"    {value:.3f}f,  // {name}")


if __name__ == "__main__":
    main()
