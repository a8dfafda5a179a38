"""From what a network gives to a coarse alpha: its activation, then its range.

In: the raw output, N x h x w, as the file's own arithmetic left it. Out: float32 from 0
to 1 of the same shape. Each family's rule stands in its ModelDescription.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nssbg._models.sidecar import ModelDescription

__all__ = ["coarse_alpha"]


def coarse_alpha(output: NDArray[np.float32], model: ModelDescription) -> NDArray[np.float32]:
    """The coarse alpha that a network's output means; of other tasks, the image or depth, 0..1.

    Args:
        output: N x h x w or h x w (of task "image", N x 3 x h x w), any float dtype. Overwritten
            where it is float32 and writable: it is the caller's own copy.
        model: Says whether the output is logits and whether its range is stretched.

    Returns:
        float32, the same shape, within 0..1; values that are not numbers count as 0.

    The min-max stretch (U-2-Net's and IS-Net's published post-processing) divides by the
    mask's own spread. A map that is constant has none: it is only clipped to 0..1, where the
    published code divides by zero.
    """
    alpha = np.asarray(output, dtype=np.float32)
    if not alpha.flags.writeable:
        alpha = alpha.copy()
    if not np.isfinite(alpha.sum(dtype=np.float64)):
        np.nan_to_num(alpha, copy=False, nan=0.0, posinf=1e30, neginf=-1e30)
    if model.activation == "sigmoid":
        # exp overflows past 88; a logit of 60 is 1 - 9e-27 and so the same float32.
        np.clip(alpha, -60.0, 60.0, out=alpha)
        np.negative(alpha, out=alpha)
        np.exp(alpha, out=alpha)
        alpha += 1.0
        np.reciprocal(alpha, out=alpha)
    if model.range == "minmax" or model.task == "depth":
        for mask in alpha if alpha.ndim == 3 else alpha[None]:
            low, high = float(mask.min()), float(mask.max())
            if high > low:
                mask -= low
                mask *= 1.0 / (high - low)
    return np.clip(alpha, 0.0, 1.0, out=alpha)
