"""Small steps that users ask for on a finished alpha: small components, holes, edge softness.

In: H x W alpha, uint8 0..255 or float32 0..1. Out: a new alpha of the same shape and dtype; the
one that came in is never changed. All steps are off unless called, except that `refine` drops
small components below a stated size.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from nssbg import _core
from nssbg._errors import OptionError

__all__ = [
    "choke",
    "feather",
    "fill_small_holes",
    "keep_largest",
    "remove_faint_components",
    "remove_small_components",
    "remove_small_components_in_place",
    "remove_stray_alpha",
    "threshold_curve",
]

Alpha = TypeVar("Alpha", NDArray[np.uint8], NDArray[np.float32])

#: Alpha above which pixels hang together: two percent are not visible.
COMPONENT_LEVEL: float = _core.COMPONENT_LEVEL
#: Blobs of a lower mean alpha beside a larger one go (docs/decisions/0405-component-filtering.md).
FAINT_MEAN = 0.65
#: Farthest that edges may be moved or softened, in pixels.
MOST_PIXELS = 64.0


def remove_small_components(
    alpha: Alpha, least_area: int, *, level: float = COMPONENT_LEVEL
) -> Alpha:
    """Remove connected blobs (8 neighbours) of alpha > level with fewer than least_area pixels.

    Linear time: one pass and a union-find over runs of pixels.
    """
    result = _copied(alpha)
    remove_small_components_in_place(result, _area(least_area), level=level)
    return result


def remove_faint_components(
    alpha: Alpha, mean: float = FAINT_MEAN, *, of_largest: float = 0.25, level: float = 0.1
) -> Alpha:
    """Remove blobs (8 neighbours, alpha > level) that are faint beside a larger one.

    Args:
        alpha: H x W, uint8 or float32 0..1.
        mean: Blobs whose mean alpha is at least this (0..1) stay.
        of_largest: So do those with at least this share of the largest blob's pixels.
        level: Alpha above which pixels hang together, 0..1.
    """
    result = _copied(alpha)
    _core.clean_components(
        result, False, _level(level), 0, False, of_largest=of_largest, faint=_level(mean)
    )
    return result


def remove_stray_alpha(alpha: Alpha, *, level: float = 0.1, reach: float = 0.03) -> Alpha:
    """Set to 0 what lies far from all that is held for subject: veils, rims of what was dropped.

    Args:
        alpha: H x W, uint8 or float32 0..1.
        level: Alpha above which a pixel is held for subject, 0..1.
        reach: How near is near, as a share of the longer side; along rows and columns.
    """
    result = _copied(alpha)
    if not 0 <= reach <= 1:
        raise OptionError(f"a reach is a share of the longer side, 0..1, not {reach!r}")
    _core.remove_stray_alpha(result, _level(level), reach)
    return result


def remove_small_components_in_place(
    alpha: NDArray[Any], least_area: int, *, level: float = COMPONENT_LEVEL
) -> tuple[int, tuple[str, ...]]:
    """As `remove_small_components`, on alpha itself; returns how many were dropped, and notes."""
    facts = _core.clean_components(alpha, False, _level(level), least_area, False)
    if facts["gave_up"]:
        return 0, ("small components stay: the alpha is too fragmented to look for them",)
    return facts["changed"], ()


def fill_small_holes(
    alpha: Alpha, least_area: int, *, level: float = 0.98, deepest: float = 0.0
) -> Alpha:
    """Make enclosed holes (4 neighbours, alpha <= level) of fewer than least_area pixels opaque.

    Regions that touch the picture's edge are no holes and stay; so do those that fall below
    `deepest` (0..1) anywhere.
    """
    result = _copied(alpha)
    _core.clean_components(
        result, True, _level(level), _area(least_area), False, deepest=_level(deepest)
    )
    return result


def keep_largest(alpha: Alpha, *, level: float = COMPONENT_LEVEL) -> Alpha:
    """Keep only the largest connected blob of alpha > level."""
    result = _copied(alpha)
    _core.clean_components(result, False, _level(level), 0, True)
    return result


def feather(alpha: Alpha, pixels: float, *, threads: int = 0) -> Alpha:
    """Soften the edge: a Gaussian blur with a standard deviation of `pixels`; 0 changes nothing."""
    _check(alpha)
    if not 0 <= pixels <= MOST_PIXELS:
        raise OptionError(f"feather takes 0 to {MOST_PIXELS:g} pixels, not {pixels!r}")
    if pixels == 0:
        return _copied(alpha)
    blurred: Alpha = _core.feather(alpha, float(pixels), threads)
    return blurred


def choke(alpha: Alpha, pixels: float, *, threads: int = 0) -> Alpha:
    """Move the edge inwards by `pixels` (negative: outwards), fractions included.

    A grey-scale erosion (or dilation) by a disc; between whole radii the two nearest are mixed,
    which moves an antialiased edge by the fraction.
    """
    _check(alpha)
    if not -MOST_PIXELS <= pixels <= MOST_PIXELS:
        raise OptionError(f"choke takes {-MOST_PIXELS:g} to {MOST_PIXELS:g} pixels, not {pixels!r}")
    moved: Alpha = _core.choke(alpha, float(pixels), threads)
    return moved


def threshold_curve(alpha: Alpha, low: float, high: float) -> Alpha:
    """Stretch alpha so that `low` becomes 0 and `high` becomes full (both 0..1, low < high)."""
    _check(alpha)
    if not 0 <= low < high <= 1:
        raise OptionError(f"a threshold curve needs 0 <= low < high <= 1, not {low!r}, {high!r}")
    if alpha.dtype == np.uint8:
        table = np.clip((np.arange(256) / 255 - low) / (high - low), 0, 1)
        stretched: Alpha = np.rint(table * 255).astype(np.uint8)[alpha]
        return stretched
    scaled = (alpha - np.float32(low)) / np.float32(high - low)
    result: Alpha = np.clip(scaled, 0, 1).astype(alpha.dtype)
    return result


def _check(alpha: NDArray[Any]) -> None:
    if (
        not isinstance(alpha, np.ndarray)
        or alpha.ndim != 2
        or alpha.dtype not in (np.uint8, np.float32)
        or alpha.size == 0
    ):
        raise OptionError("an alpha is an H x W array of uint8 (0..255) or float32 (0..1)")


def _copied(alpha: Alpha) -> Alpha:
    _check(alpha)
    copy: Alpha = np.array(alpha, order="C", copy=True)
    return copy


def _area(least_area: int) -> int:
    if least_area < 0:
        raise OptionError(f"an area is 0 or more pixels, not {least_area}")
    return int(least_area)


def _level(level: float) -> float:
    if not 0 <= level < 1:
        raise OptionError(f"a level lies in 0..1, not {level!r}")
    return float(level)
