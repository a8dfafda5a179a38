"""What several subjects are made with: an ellipse's outline, uneven light."""

from __future__ import annotations

import numpy as np

from bench.ground_truth.pictures import noise
from bench.ground_truth.sketch import Float, Layer


def ellipse(x: float, y: float, half_w: float, half_h: float, count: int = 96) -> Float:
    turn = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.stack([x + half_w * np.cos(turn), y + half_h * np.sin(turn)], 1).astype(np.float32)


def shaded(colour: Float, rng: np.random.Generator, amount: float) -> Float:
    """Broad light from the upper left plus a little unevenness: colour that varies in space."""
    height, width = colour.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    light = 1 + amount * (1 - x / width - y / height)
    light = light * (1 + amount * (noise(rng, height, width, height / 3) - 0.5))
    result: Float = np.clip(colour * light[..., None], 0, 1).astype(np.float32)
    return result


def unevenly_lit(layer: Layer, rng: np.random.Generator, amount: float) -> Layer:
    """The layer under uneven light."""
    return Layer(layer.alpha, shaded(layer.colour, rng, amount))
