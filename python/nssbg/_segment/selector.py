"""Whether the studio method's alpha or the network's is the better one, from both answers.

In: both maps of one picture and what each method thinks of its own. Out: which to take, and the
overlap with the truth (IoU) to be expected of it. The two confidences mean different things (a
probability that the IoU is at least 0.9; an expected IoU), so they are weighed by logistic models,
together with how far the maps agree, rather than compared. Their weights are fitted to one
network and stand in its description.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nssbg._models.fitted import SelectorWeights
from nssbg._segment.thresholds import AGREEING, TRUSTED

__all__ = ["Selection", "sampled", "select", "selector_features"]

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Selection:
    """What is taken.

    Attributes:
        studio: Whether the studio method's alpha is, rather than the network's.
        overlap: The IoU with the truth to be expected of it, 0..1.
    """

    studio: bool
    overlap: float


def sampled(alpha: npt.NDArray[Any], height: int, width: int) -> Floats:
    """An alpha map at another size by its nearest pixels: enough to compare whole regions.

    Args:
        alpha: H x W, uint8 or float 0..1.
        height: Rows wanted.
        width: Columns wanted.

    Returns:
        height x width, float32, 0..1.
    """
    rows = (np.arange(height) * 2 + 1) * alpha.shape[0] // (2 * height)
    columns = (np.arange(width) * 2 + 1) * alpha.shape[1] // (2 * width)
    small: Floats = alpha[rows[:, None], columns[None, :]].astype(np.float32)
    if alpha.dtype == np.uint8:
        small /= np.float32(255)
    return small


def selector_features(
    studio: Floats, studio_confidence: float, network: Floats, network_overlap: float
) -> tuple[float, ...]:
    """What the choice is made from.

    Args:
        studio: The studio method's alpha on the network's grid, h x w, 0..1.
        studio_confidence: Its probability that the IoU is at least 0.9.
        network: The network's map, h x w, 0..1.
        network_overlap: The IoU that is expected of it.

    Returns:
        The log-odds of both confidences, the soft IoU of the two maps, and the shares of each
        map's subject that the other one has too.
    """
    floor = 1e-3 * network.size
    shared = float(np.minimum(studio, network).sum()) + floor
    either = float(np.maximum(studio, network).sum()) + floor
    return (
        _log_odds(studio_confidence),
        _log_odds(network_overlap),
        shared / either,
        shared / (float(studio.sum()) + floor),
        shared / (float(network.sum()) + floor),
    )


def select(features: tuple[float, ...], weights: SelectorWeights) -> Selection:
    """Which alpha to take, from `selector_features` and the network's weights."""
    edges = features[2] >= AGREEING and features[0] >= _log_odds(TRUSTED)
    studio = edges or _logistic(weights.studio_is_better, features) > 0.5
    expected = weights.studio_overlap if studio else weights.network_overlap
    return Selection(studio=studio, overlap=_logistic(expected, features))


def _logistic(weights: tuple[float, ...], features: tuple[float, ...]) -> float:
    score = weights[0] + sum(w * f for w, f in zip(weights[1:], features, strict=True))
    return 1.0 / (1.0 + math.exp(-max(-60.0, min(60.0, score))))


def _log_odds(probability: float) -> float:
    bounded = min(max(probability, 0.005), 0.995)
    return math.log(bounded / (1 - bounded))
