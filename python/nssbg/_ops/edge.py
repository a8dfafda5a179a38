"""Moves and softens the edge of a whole alpha: `choke` and `feather` as one adjustment."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from nssbg import _core
from nssbg._errors import OptionError
from nssbg._ops.alpha_cleanup import MOST_PIXELS, choke, feather

__all__ = ["EdgeAdjustment", "adjusted_edge"]


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

    @classmethod
    def offered(cls, choke: float, softness: float, height: int, width: int) -> EdgeAdjustment:
        """From shares of the most that a person is offered (choke -1..1, softness 0..1)."""
        in_pixels = _core.edge_pixels(choke, softness, height, width)
        return cls(choke=in_pixels[0], softness=in_pixels[1])

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
        alpha = choke(alpha, adjustment.choke, threads=threads)
    if adjustment.softness:
        alpha = feather(alpha, adjustment.softness, threads=threads)
    return alpha
