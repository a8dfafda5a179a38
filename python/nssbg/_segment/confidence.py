"""How far an alpha map may be trusted, from the map itself and from a second forward pass.

In: the network's coarse alpha and, where it was made, its alpha of the mirrored picture, mirrored
back. Out: the overlap (IoU) with the truth to be expected, 0..1, calibrated on photographs that
the bundled network was not trained on. NumPy alone; about a millisecond at 320 x 320.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Confidence", "confidence", "confidence_features"]

# Fitted by training/calibrate.py (logistic regression on the overlap); order as in
# confidence_features, the constant first.
_WITHOUT_MIRROR = (3.581, -2.954, 0.042, 0.227)
_WITH_MIRROR = (3.681, -2.373, 0.119, 0.285, -0.875)
LOW_CONFIDENCE = 0.75  # below this expected overlap a larger model is worth its time


# A map with less of it than this on either side of one half has no outline: it found nothing, or
# took everything. What the fit says of such maps was never fitted (it says 0.98).
_LEAST_GROUND = 1e-3


@dataclass(frozen=True)
class Confidence:
    """What to expect of an alpha map.

    Attributes:
        overlap: Expected intersection over union with the truth, 0..1.
        low_confidence: Whether the result should be announced as doubtful.
    """

    overlap: float
    low_confidence: bool


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
    return 0.0 < subject < 1.0 - _LEAST_GROUND and bool(np.isfinite(alpha.sum(dtype=np.float64)))


def confidence(
    alpha: npt.NDArray[np.float32], flipped: npt.NDArray[np.float32] | None = None
) -> Confidence:
    """The overlap to be expected of an alpha map.

    Args:
        alpha: Height x width, float, 0..1, as the network gives it (before refinement).
        flipped: Optional second opinion: the network's alpha of the mirrored picture,
            mirrored back. One more pass of the network; makes the estimate sharper.

    Returns:
        The expected overlap and whether it is weak; 0 and weak for a map without an outline: one
        that found nothing, took everything, or is not all finite.

    Raises:
        ValueError: The maps are not two-dimensional or differ in shape.
    """
    if alpha.ndim != 2:
        raise ValueError(f"alpha has {alpha.ndim} axes, expected 2 (height x width)")
    if flipped is not None and flipped.shape != alpha.shape:
        raise ValueError(f"flipped is {flipped.shape}, expected {alpha.shape} as alpha")
    if not _has_outline(alpha):
        return Confidence(overlap=0.0, low_confidence=True)
    weights = _WITHOUT_MIRROR if flipped is None else _WITH_MIRROR
    features = confidence_features(alpha, flipped)
    score = weights[0] + sum(w * f for w, f in zip(weights[1:], features, strict=True))
    overlap = float(1.0 / (1.0 + np.exp(-score)))
    return Confidence(overlap=overlap, low_confidence=overlap < LOW_CONFIDENCE)
