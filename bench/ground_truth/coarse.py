"""Degrades a true alpha into what a segmentation network would answer."""

from __future__ import annotations

import numpy as np

from bench.ground_truth.pictures import blurred, noise, resized
from bench.ground_truth.sketch import Bytes, Float


def coarse_from_alpha(
    alpha: Float,
    size: int,
    seed: int = 0,
    *,
    blur: float = 0.9,
    missing: float = 0.7,
    filling: float = 0.35,
    blobs: float = 1.0,
    miscalibration: float = 1.0,
) -> Bytes:
    """Degrade a true alpha into the size x size, 8-bit map that a segmentation network answers.

    `blur` is in pixels of the map; `missing` is the share of thin strands (under about three pixels
    of the map) that fade where a slow noise says so; `filling` is the share of small holes closed;
    `blobs` scales the strength of false patches along the outline; `miscalibration` scales a random
    gain and slope of the confidence. All zero leaves only the resizing and the rounding.
    """
    rng = np.random.default_rng([seed, size, 7])
    truth = resized(alpha, size, size)
    # A network sees structure at about 1/320 of the picture, whatever the size of its answer.
    reach = max(1, round(size / 320))
    opened = _extreme(_extreme(truth, reach, np.minimum), reach, np.maximum)
    closed = _extreme(_extreme(truth, reach, np.maximum), reach, np.minimum)
    where = noise(rng, size, size, size / 8, 3)
    lost = missing * np.clip(where * 3 - 0.9, 0, 1)
    shut = filling * np.clip(2.1 - where * 3, 0, 1)
    answer = truth + lost * (opened - truth)
    answer = answer + shut * (np.maximum(closed, answer) - answer)
    answer = blurred(answer.astype(np.float32), blur * max(1.0, size / 640))
    if blobs > 0:
        edge_y, edge_x = np.nonzero(np.abs(blurred(truth, size / 160) - 0.5) < 0.4)
        y, x = np.mgrid[0:size, 0:size].astype(np.float32)
        for _ in range(6):
            sign = 1 if rng.random() < 0.5 else -1
            pick = int(rng.integers(len(edge_y))) if len(edge_y) else 0
            radius = size * rng.uniform(0.006, 0.022)
            if len(edge_y):
                squared = (y - edge_y[pick]) ** 2 + (x - edge_x[pick]) ** 2
                answer = answer + sign * blobs * rng.uniform(0.2, 0.5) * np.exp(
                    -squared / (2 * radius * radius)
                )
    slope = 1 + miscalibration * rng.uniform(0.05, 0.35)
    centre = 0.5 + miscalibration * rng.uniform(-0.06, 0.06)
    answer = (answer - centre) * slope + 0.5
    result: Bytes = np.rint(np.clip(answer, 0, 1) * 255).astype(np.uint8)
    return result


def _extreme(picture: Float, reach: int, pick: np.ufunc) -> Float:
    """Least or greatest value in a square of the given reach."""
    for axis in (0, 1):
        padding = [(0, 0), (0, 0)]
        padding[axis] = (reach, reach)
        padded = np.pad(picture, padding, mode="edge")
        length = picture.shape[axis]
        result = picture
        for shift in range(2 * reach + 1):
            window = (slice(None),) * axis + (slice(shift, shift + length),)
            result = pick(result, padded[window])
        picture = result
    return picture
