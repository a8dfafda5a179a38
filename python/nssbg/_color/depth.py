"""From 16 bits a channel to 8 and back: one rounding for every way out of the package."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nssbg._types import ImageArray

__all__ = ["eight_bits", "sixteen_bits"]


def eight_bits(values: ImageArray) -> NDArray[np.uint8]:
    """v * 255 / 65535 rounded to nearest, for every v (it never lies halfway); v of 0..65535."""
    wide = values.astype(np.uint32)
    wide *= 255
    wide += 32895
    wide >>= 16
    return wide.astype(np.uint8)


def sixteen_bits(values: ImageArray) -> NDArray[np.uint16]:
    """v * 65535 / 255, which is whole; `eight_bits` gives v again; v of 0..255."""
    return values.astype(np.uint16) * np.uint16(257)
