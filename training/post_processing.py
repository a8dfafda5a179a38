"""What each step of the post-processing of maps brings: `python training/post_processing.py`.

The rules (cpp/include/nssbg/post_process.hpp) mend what a network leaves: faint components beside
the subject, stray alpha, small dips. A network that needs them less is told by this table, made on
validation pictures: what a step changes of the overlap and of the error, and on how many pictures
for the better and for the worse.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import cv2
import evaluate
import measures
import numpy as np
import quiet  # noqa: F401  # before the runtimes
import sets
import warm_start

from nssbg._ops.alpha_cleanup import (
    fill_small_holes,
    remove_faint_components,
    remove_stray_alpha,
)
from nssbg._segment.cleanup import LARGEST_DIP, cleaned

Step = Callable[[evaluate.Floats], evaluate.Floats]
TOLD = 0.002  # of IoU, or of the mean error: less is no change


def filled(alpha: evaluate.Floats) -> evaluate.Floats:
    """Dips filled, then the rims that are left of them, as the core does it."""
    area = int(LARGEST_DIP * float(alpha.sum(dtype=np.float64))) + 1
    once = fill_small_holes(alpha, area, level=0.9, deepest=0.5)
    return fill_small_holes(once, area, level=0.995, deepest=0.9)


STEPS: dict[str, Step] = {
    "faint components": remove_faint_components,
    "stray alpha": remove_stray_alpha,
    "dips": filled,
    "all": cleaned,
}


def row(before: list[tuple[float, float]], after: list[tuple[float, float]]) -> str:
    """Mean change of (IoU, mean error), and how many pictures changed which way."""
    change = np.asarray(after) - np.asarray(before)
    told = np.abs(change) > [TOLD, TOLD]
    better = int((told[:, 0] & (change[:, 0] > 0)).sum())
    worse = int((told[:, 0] & (change[:, 0] < 0)).sum())
    return f"{change[:, 0].mean():+.4f} ({better} / {worse}) {1e4 * change[:, 1].mean():+.1f}"


def main() -> None:
    """Reads the command line, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=warm_start.SHIPPED)
    parser.add_argument("--limit", type=int, default=0, help="pictures of each set; 0 is all")
    options = parser.parse_args()
    run = evaluate.predictor(options.model, evaluate.SIDE, 2)
    print("IoU (pictures better / worse by more than 0.002), mean error in ten-thousandths\n")
    print("| set | pictures | IoU, mean error | " + " | ".join(STEPS) + " |")
    print("|---|---|---|" + "---|" * len(STEPS))
    for name, pictures in sets.validation().items():
        plain: list[tuple[float, float]] = []
        stepped: dict[str, list[tuple[float, float]]] = {step: [] for step in STEPS}
        for _, rgb, truth in pictures():
            looks = evaluate.both_looks(run, rgb, evaluate.SIDE)
            alpha = np.ascontiguousarray((looks[0] + looks[1]) / 2)
            small = cv2.resize(truth, alpha.shape[::-1], interpolation=cv2.INTER_AREA)
            plain.append(figures(alpha, small))
            for step, work in STEPS.items():
                stepped[step].append(figures(work(alpha), small))
            if len(plain) == options.limit:
                break
        iou, error = np.mean(plain, axis=0)
        cells = " | ".join(row(plain, after) for after in stepped.values())
        print(f"| {name} | {len(plain)} | {iou:.3f}, {1e4 * error:.0f} | {cells} |", flush=True)


def figures(alpha: evaluate.Floats, truth: evaluate.Floats) -> tuple[float, float]:
    """IoU at one half and mean error of a map against the truth at its size."""
    return measures.overlap(alpha, truth), float(np.abs(alpha - truth).mean())


if __name__ == "__main__":
    main()
