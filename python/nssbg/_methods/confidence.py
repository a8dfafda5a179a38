"""How far a network's map is to be trusted, from the map alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["confidence_of"]


def confidence_of(alpha: NDArray[np.float32]) -> float:
    """Confidence from the map's indecision: 1 for a decided map, towards 0 for a foggy one.

    Args:
        alpha: h x w, 0..1.

    Returns:
        1 minus the share of undecided foreground: sum of 4 a (1 - a) over the sum of a,
        where an outline of two soft pixels around a compact subject costs a few hundredths.
        0 where the map holds no foreground at all.
    """
    mass = float(alpha.sum(dtype=np.float64))
    if mass < 1e-3 * alpha.size:
        return 0.0
    doubt = float((4.0 * alpha * (1.0 - alpha)).sum(dtype=np.float64))
    return max(0.0, min(1.0, 1.0 - doubt / mass))
