"""How far an alpha map may be trusted, from the map itself and from a second forward pass.

In: the network's coarse alpha and, where it was made, its alpha of the mirrored picture, mirrored
back. Out: the overlap (IoU) with the truth to be expected, 0..1, by the weights that were fitted to
this network and stand in its description; None where none were. What is counted, and below what a
result is announced as doubtful, are the core's rules (cpp/include/nssbg/confidence.hpp), which the
browser follows too. Under a millisecond at 320 x 320.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nssbg import _core as _typed_core
from nssbg._models.fitted import ConfidenceWeights

__all__ = ["LOW_CONFIDENCE", "Confidence", "confidence", "confidence_features", "map_confidence"]

_core: Any = _typed_core

#: Expected overlap below which a person should look, and a larger model is worth its time.
LOW_CONFIDENCE: float = _core.LOW_CONFIDENCE


@dataclass(frozen=True)
class Confidence:
    """What to expect of an alpha map.

    Attributes:
        overlap: Expected intersection over union with the truth, 0..1; None: no weights were
            fitted to the network that made it.
        low_confidence: Whether the result should be announced as doubtful; None: not known.
    """

    overlap: float | None
    low_confidence: bool | None


def confidence_features(
    alpha: npt.NDArray[np.float32], flipped: npt.NDArray[np.float32] | None = None
) -> tuple[float, ...]:
    """What the estimate is made from.

    Args:
        alpha: Height x width, 0..1.
        flipped: The alpha of the mirrored picture, mirrored back; same shape.

    Returns:
        Doubt (binary entropy, in bits, summed and divided by the subject's area), the logarithm
        of the subject's share of the picture, the share of the frame's border that the subject
        covers and, with `flipped`, the soft disagreement of both maps (one minus their IoU).
    """
    features: tuple[float, ...] = _core.confidence_features(alpha, flipped)
    return features


def confidence(
    alpha: npt.NDArray[np.float32],
    flipped: npt.NDArray[np.float32] | None = None,
    *,
    weights: ConfidenceWeights | None,
) -> Confidence:
    """The overlap to be expected of an alpha map.

    Args:
        alpha: Height x width, float, 0..1, as the network gives it (before refinement).
        flipped: Optional second opinion: the network's alpha of the mirrored picture,
            mirrored back. One more pass of the network; makes the estimate sharper.
        weights: Fitted to the network that made the maps; None: it has none.

    Returns:
        The expected overlap and whether it is low. 0 and low, for any network, for a map without
        an outline: one that found nothing, took everything, or is not all finite. Else None and
        None where no weights were fitted for this number of maps.

    Raises:
        ValueError: The maps are not two-dimensional or differ in shape.
    """
    if alpha.ndim != 2:
        raise ValueError(f"alpha has {alpha.ndim} axes, expected 2 (height x width)")
    if flipped is not None and flipped.shape != alpha.shape:
        raise ValueError(f"flipped is {flipped.shape}, expected {alpha.shape} as alpha")
    single, flip_tta = _fitted(weights)
    found = _core.confidence(alpha, flipped, single, flip_tta)
    if not found["known"]:
        return Confidence(overlap=None, low_confidence=None)
    return Confidence(overlap=found["overlap"], low_confidence=found["low"])


def map_confidence(alpha: npt.NDArray[np.float32], weights: ConfidenceWeights | None) -> float:
    """Orders the maps of one network, 0..1, the surer ones first; one half is as good as a guess.

    The expected overlap where weights were fitted. Else what needs no truth: how little doubt (see
    `confidence_features`) there is in the map, which compares two maps of the same network and
    says nothing about how far either may be trusted.
    """
    order: float = _core.map_confidence(alpha, _fitted(weights)[0])
    return order


def _fitted(weights: ConfidenceWeights | None) -> tuple[list[float], list[float]]:
    """Weights as the core takes them: empty where there are none."""
    if weights is None:
        return [], []
    return list(weights.single), list(weights.flip_tta or ())
