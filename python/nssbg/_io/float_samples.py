"""Floating-point pictures of files as 16 bits: 0..1 is black to white, what lies beyond is clipped.

Files, unlike arrays, come from programs that overshoot (highlights of renderings, resampling) and
leave holes, and nobody is there to mend them; so what was done is noted rather than refused.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nssbg._errors import ImageDecodeError

__all__ = ["sixteen_bits"]

# Rows go through in bands of about so many samples, to keep what is computed between small.
_BAND = 1 << 20
# As for arrays: a resampled picture may overshoot a bit without a word.
_SLACK = 1e-3


def sixteen_bits(values: NDArray[Any], name: str) -> tuple[NDArray[np.uint16], tuple[str, ...]]:
    """Floats as uint16 in 0..65535, rounded to nearest, and notes of what did not fit.

    Args:
        values: H x W x C, any floating type. Values below 0 become 0, above 1 become 1; what is
            not a number becomes 0.
        name: For messages.

    Raises:
        ImageDecodeError: More than half of the samples lie above 1: another range is meant.
    """
    out = np.empty(values.shape, np.uint16)
    nowhere = above = below = 0
    low, high = np.inf, -np.inf
    rows = max(1, _BAND // max(1, values[0].size))
    for top in range(0, len(values), rows):
        with np.errstate(over="ignore"):  # beyond float32 is beyond 1 as well
            band = values[top : top + rows].astype(np.float32)
        empty = np.isnan(band)
        lost = int(empty.sum())
        if lost:
            nowhere += lost
            band[empty] = 0
        low, high = min(low, float(band.min())), max(high, float(band.max()))
        above += int((band > 1 + _SLACK).sum())
        below += int((band < -_SLACK).sum())
        np.clip(band, 0, 1, out=band)
        band *= np.float32(65535)
        band += np.float32(0.5)
        out[top : top + rows] = band
    if 2 * above > values.size:
        raise ImageDecodeError(
            f"cannot read {name}: its values lie in {low:g}..{high:g}; expected floating-point "
            "values from 0 (black) to 1 (white); scale them and save it anew"
        )
    notes = []
    if above or below:
        share = 100 * (above + below) / values.size
        notes.append(f"values in {low:g}..{high:g} clipped to 0..1 ({share:.2g} % of them)")
    if nowhere:
        notes.append(f"{nowhere} values that are not numbers taken as 0")
    return out, tuple(notes)
