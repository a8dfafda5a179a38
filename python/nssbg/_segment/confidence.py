"""How far an alpha map may be trusted, from the map itself and from a second forward pass.

In: the network's coarse alpha and, where it was made, its alpha of the mirrored picture, mirrored
back. Out: the overlap (IoU) with the truth to be expected, 0..1, by the weights that were fitted to
this network and stand in its description; None where none were. NumPy alone; about a millisecond
at 320 x 320.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nssbg._models.fitted import ConfidenceWeights
from nssbg._segment.thresholds import EVEN_DOUBT, LEAST_GROUND, LOW_CONFIDENCE

__all__ = ["Confidence", "confidence", "confidence_features", "map_confidence"]


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
    safe = np.clip(alpha, 1e-4, 1 - 1e-4)
    entropy = -(safe * np.log2(safe) + (1 - safe) * np.log2(1 - safe))
    area = float(alpha.sum()) + 1e-3 * alpha.size
    doubt = min(2.0, float(entropy.sum()) / area)
    share = float(np.log(area / alpha.size))
    border = np.concatenate([alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1]])
    features = (doubt, share, float(border.mean()))
    if flipped is None:
        return features
    low, high = np.minimum(alpha, flipped), np.maximum(alpha, flipped)
    floor = 1e-3 * alpha.size
    return (*features, 1.0 - (float(low.sum()) + floor) / (float(high.sum()) + floor))


def _has_outline(alpha: npt.NDArray[np.float32]) -> bool:
    subject = float(np.count_nonzero(alpha > 0.5)) / alpha.size
    return 0.0 < subject < 1.0 - LEAST_GROUND and bool(np.isfinite(alpha.sum(dtype=np.float64)))


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
    if not _has_outline(alpha):
        return Confidence(overlap=0.0, low_confidence=True)
    fitted = None
    if weights is not None:
        fitted = weights.single if flipped is None else weights.flip_tta
    if fitted is None:
        return Confidence(overlap=None, low_confidence=None)
    features = confidence_features(alpha, flipped)
    score = fitted[0] + sum(w * f for w, f in zip(fitted[1:], features, strict=True))
    overlap = float(1.0 / (1.0 + np.exp(-score)))
    return Confidence(overlap=overlap, low_confidence=overlap < LOW_CONFIDENCE)


def map_confidence(alpha: npt.NDArray[np.float32], weights: ConfidenceWeights | None) -> float:
    """Orders the maps of one network, 0..1, the surer ones first; one half is as good as a guess.

    The expected overlap where weights were fitted. Else what needs no truth: how little doubt (see
    `confidence_features`) there is in the map, which compares two maps of the same network and
    says nothing about how far either may be trusted.
    """
    expected = confidence(alpha, weights=weights).overlap
    if expected is not None:
        return expected
    return max(0.0, 1.0 - confidence_features(alpha)[0] / (2 * EVEN_DOUBT))
