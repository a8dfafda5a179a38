"""An alpha in the depth of the picture it belongs to: 8 bits, 16 bits or float to 8 or 16 bits."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nssbg._color.depth import eight_bits, sixteen_bits
from nssbg._errors import OptionError
from nssbg._types import ImageArray

__all__ = ["alpha_as"]


def alpha_as(alpha: NDArray[Any], dtype: np.dtype[Any]) -> ImageArray:
    """Alpha as `decontaminate` puts it into its RGBA, without the colours.

    Args:
        alpha: H x W, uint8 or uint16 (0 to full scale) or float32 (0..1).
        dtype: uint8 or uint16.

    Returns:
        H x W of dtype, C-contiguous, rounded to nearest; alpha itself where nothing changes.

    Raises:
        OptionError: A float alpha holds NaN or values outside 0..1.
    """
    full = int(np.iinfo(dtype).max)
    if alpha.dtype == np.float32:
        low, high = float(alpha.min()), float(alpha.max())
        if not (low >= 0 and high <= 1):  # a NaN makes every comparison false
            raise OptionError(f"a float alpha must lie in 0..1 without NaN, got {low:g}..{high:g}")
        result = (alpha * np.float32(full) + np.float32(0.5)).astype(dtype)
    elif alpha.dtype == dtype:
        result = np.ascontiguousarray(alpha)
    elif full == 65535:
        result = sixteen_bits(alpha)
    else:
        result = eight_bits(alpha)
    return result
