"""Moves and softens the edge of a whole alpha at the cost of its outline alone.

`nssbg.alpha.choke` looks at every pixel; most of a matte is all subject or all background, where
nothing can change. Here only the tiles that an edge runs through are worked on, with the same
values to the last bit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from nssbg._errors import OptionError
from nssbg._ops.alpha_cleanup import MOST_PIXELS, choke, feather

__all__ = ["EdgeAdjustment", "adjusted_edge"]

# Side of the tiles: small enough that most of a matte's tiles hold no edge.
_TILE = 128


@dataclass(frozen=True)
class EdgeAdjustment:
    """Where the edge of a finished alpha is to lie, and how soft it is to be.

    Attributes:
        choke: Pixels that it moves inwards, fractions included; negative moves outwards.
        softness: Standard deviation of the Gaussian blur that softens it, in pixels; 0: as it is.

    Raises:
        OptionError: One is outside -64 to 64 pixels, or softness is negative.
    """

    choke: float = 0.0
    softness: float = 0.0

    def __post_init__(self) -> None:
        if not -MOST_PIXELS <= self.choke <= MOST_PIXELS:
            raise OptionError(
                f"choke takes {-MOST_PIXELS:g} to {MOST_PIXELS:g} pixels, not {self.choke!r}"
            )
        if not 0 <= self.softness <= MOST_PIXELS:
            raise OptionError(f"softness takes 0 to {MOST_PIXELS:g} pixels, not {self.softness!r}")

    @property
    def reach(self) -> int:
        """How far from a pixel its new value is looked for, in pixels."""
        return math.ceil(abs(self.choke)) + math.ceil(4 * self.softness)

    def scaled(self, factor: float) -> EdgeAdjustment:
        """The same for a picture of another size: `factor` of its pixels for one of this."""
        return EdgeAdjustment(
            choke=max(-MOST_PIXELS, min(MOST_PIXELS, self.choke * factor)),
            softness=min(MOST_PIXELS, self.softness * factor),
        )


def adjusted_edge(
    alpha: NDArray[Any], adjustment: EdgeAdjustment, *, threads: int = 0
) -> NDArray[Any]:
    """An alpha with its edge moved, then softened.

    Args:
        alpha: H x W, uint8 (0..255) or float32 (0..1).
        adjustment: By how much.
        threads: Threads to use; 0 means all usable cores. Never changes the result.

    Returns:
        H x W of alpha's dtype; alpha itself where nothing is asked for. What `choke` and then
        `feather` of `nssbg.alpha` give.

    Raises:
        OptionError: The alpha is none.
    """
    if adjustment.choke:
        alpha = _choked(alpha, adjustment.choke)
    if adjustment.softness:
        alpha = feather(alpha, adjustment.softness, threads=threads)
    return alpha


def _choked(alpha: NDArray[Any], pixels: float) -> NDArray[Any]:
    """As `choke`, tile by tile; a tile whose neighbourhood has one value keeps it."""
    reach = math.ceil(abs(pixels))
    height, width = alpha.shape
    result = alpha.copy()
    for top in range(0, height, _TILE):
        bottom = min(height, top + _TILE)
        rows = slice(max(0, top - reach), min(height, bottom + reach))
        band = alpha[rows]
        if band.min() == band.max():
            continue
        for left in range(0, width, _TILE):
            right = min(width, left + _TILE)
            columns = slice(max(0, left - reach), min(width, right + reach))
            near = band[:, columns]
            if near.min() == near.max():
                continue
            # Beyond the picture its edge goes on; elsewhere the neighbours are there.
            made = choke(near, pixels)
            y, x = top - rows.start, left - columns.start
            result[top:bottom, left:right] = made[y : y + bottom - top, x : x + right - left]
    return result
