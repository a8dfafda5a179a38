"""The board that shows what is transparent: squares of white and light grey behind a cut-out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["checkerboard"]

# What image editors show: bright enough for dark hair, not so even that white paper vanishes.
_LIGHT, _DARK = 255, 204


def checkerboard(height: int, width: int, *, square: int = 10) -> NDArray[np.uint8]:
    """H x W x 3 of squares `square` pixels a side, a white one in the upper left corner."""
    rows, columns = np.arange(height) // square, np.arange(width) // square
    dark = (rows[:, np.newaxis] + columns) % 2 == 1
    board = np.where(dark, np.uint8(_DARK), np.uint8(_LIGHT))
    return np.repeat(board[:, :, np.newaxis], 3, axis=2)
