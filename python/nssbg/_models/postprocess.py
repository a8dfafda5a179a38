"""From what a network gives to a coarse alpha: its activation, then its range.

In: the raw output, N x h x w, as the file's own arithmetic left it. Out: float32 from 0
to 1 of the same shape. Each family's rule stands in its ModelDescription; what it means is the
core's (cpp/include/nssbg/network_output.hpp), which the browser follows too.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nssbg import _core as _typed_core
from nssbg._models.sidecar import ModelDescription

__all__ = ["coarse_alpha", "joined_maps"]

_core: Any = _typed_core


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
    alpha = np.ascontiguousarray(output, dtype=np.float32)
    if not alpha.flags.writeable:
        alpha = alpha.copy()
    maps = alpha.shape[0] if alpha.ndim == 3 else 1
    stretch = "minmax" if model.task == "depth" else model.range
    _core.coarse_alpha(alpha.reshape(maps, -1), model.activation, stretch)
    return alpha


def joined_maps(
    alpha: NDArray[np.float32], flipped: NDArray[np.float32] | None, dtype: Any
) -> NDArray[Any]:
    """One map, or the mean of both forward passes, as fine as the result will be.

    Args:
        alpha: h x w, 0..1.
        flipped: That of the mirrored image, mirrored back; None: one pass was made.
        dtype: Of the image: for 8-bit images bytes are as fine as the result, and a quarter of
            the memory to refine; for others the map is float32.
    """
    joined: NDArray[Any] = _core.joined_maps(alpha, flipped, np.dtype(dtype) == np.uint8)
    return joined
