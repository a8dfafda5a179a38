"""Post-processing of a finished alpha: edge position and softness, holes, stray components.

All take an H x W alpha, uint8 (0..255), uint16 (0..65535) or float32 (0..1), as `Remover.alpha`
gives it, and give a new one of the same shape and dtype; nothing of it runs unless called, and
the order is the caller's. Colours are to be estimated anew for the alpha that comes out:

    alpha = nssbg.alpha.choke(remover.alpha(image), 0.5)
    rgba = nssbg.decontaminate(image, alpha)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from nssbg._ops import alpha_cleanup

__all__ = [
    "choke",
    "feather",
    "fill_small_holes",
    "keep_largest",
    "remove_small_components",
    "threshold_curve",
]

Alpha = TypeVar("Alpha", NDArray[np.uint8], NDArray[np.uint16], NDArray[np.float32])


def choke(alpha: Alpha, pixels: float) -> Alpha:
    """Move the edge inwards by a number of pixels, fractions included.

    A grey-scale erosion (or dilation) by a disc; between whole radii the two nearest are mixed,
    which moves an antialiased edge by the fraction.

    Args:
        alpha: H x W, uint8, uint16 or float32 0..1.
        pixels: -64 to 64; negative moves outwards.

    Returns:
        H x W of alpha's dtype.

    Raises:
        OptionError: For shapes, dtypes or values outside the above.
    """
    return _in_kernel_depth(alpha, lambda plane: alpha_cleanup.choke(plane, pixels))


def feather(alpha: Alpha, pixels: float, *, threads: int = 0) -> Alpha:
    """Soften the edge by a Gaussian blur.

    Args:
        alpha: H x W, uint8, uint16 or float32 0..1.
        pixels: Standard deviation, 0 to 64; 0 changes nothing.
        threads: Threads to use; 0 means all usable cores. Never changes the result.

    Returns:
        H x W of alpha's dtype.

    Raises:
        OptionError: For shapes, dtypes or values outside the above.
    """
    return _in_kernel_depth(
        alpha, lambda plane: alpha_cleanup.feather(plane, pixels, threads=threads)
    )


def threshold_curve(alpha: Alpha, low: float, high: float) -> Alpha:
    """Stretch alpha linearly so that `low` becomes 0 and `high` becomes full; beyond is clipped.

    Args:
        alpha: H x W, uint8, uint16 or float32 0..1.
        low: What becomes 0; 0 <= low < high.
        high: What becomes full; at most 1.

    Returns:
        H x W of alpha's dtype.

    Raises:
        OptionError: For shapes, dtypes or values outside the above.
    """
    return _in_kernel_depth(alpha, lambda plane: alpha_cleanup.threshold_curve(plane, low, high))


def keep_largest(alpha: Alpha, *, level: float = alpha_cleanup.COMPONENT_LEVEL) -> Alpha:
    """Keep only the largest connected component (8 neighbours) of alpha above a level.

    Args:
        alpha: H x W, uint8, uint16 or float32 0..1.
        level: Share of full alpha above which pixels hang together, 0..1.

    Returns:
        H x W of alpha's dtype; 0 outside that component.

    Raises:
        OptionError: For shapes, dtypes or values outside the above.
    """
    return _in_kernel_depth(alpha, lambda plane: alpha_cleanup.keep_largest(plane, level=level))


def remove_small_components(
    alpha: Alpha, least_area: int, *, level: float = alpha_cleanup.COMPONENT_LEVEL
) -> Alpha:
    """Remove connected components (8 neighbours) of fewer than `least_area` pixels.

    Linear time: one pass and a union-find over runs of pixels.

    Args:
        alpha: H x W, uint8, uint16 or float32 0..1.
        least_area: Pixels that a component needs to stay, 0 or more.
        level: Share of full alpha above which pixels hang together, 0..1.

    Returns:
        H x W of alpha's dtype.

    Raises:
        OptionError: For shapes, dtypes or values outside the above.
    """
    return _in_kernel_depth(
        alpha,
        lambda plane: alpha_cleanup.remove_small_components(plane, least_area, level=level),
    )


def fill_small_holes(
    alpha: Alpha, least_area: int, *, level: float = 0.98, deepest: float = 0.0
) -> Alpha:
    """Make enclosed holes (4 neighbours) of fewer than `least_area` pixels opaque.

    Regions that touch the picture's edge are no holes and stay.

    Args:
        alpha: H x W, uint8, uint16 or float32 0..1.
        least_area: Pixels that a hole needs to stay, 0 or more.
        level: Share of full alpha up to which a pixel belongs to a hole, 0..1.
        deepest: Holes that fall below this share anywhere stay, 0..1.

    Returns:
        H x W of alpha's dtype.

    Raises:
        OptionError: For shapes, dtypes or values outside the above.
    """
    return _in_kernel_depth(
        alpha,
        lambda plane: alpha_cleanup.fill_small_holes(
            plane, least_area, level=level, deepest=deepest
        ),
    )


def _in_kernel_depth(alpha: Alpha, step: Callable[[Any], Any]) -> Alpha:
    """A step of the kernels, which know 8 bits and float32: 16 bits go through float32 and back.

    Float32 tells all 65536 values apart, so what a step leaves as it is comes back as it was.
    """
    if not isinstance(alpha, np.ndarray) or alpha.dtype != np.uint16:
        unchanged: Alpha = step(alpha)
        return unchanged
    plane = step(alpha.astype(np.float32) / np.float32(65535))
    result: Alpha = np.rint(plane * np.float32(65535)).astype(np.uint16)
    return result
