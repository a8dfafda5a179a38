"""Resamples cut-outs and alphas: Lanczos on premultiplied values, by the core's prepare kernels.

Colours of transparent pixels never bleed in, because they count for nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nssbg import _core as _typed_core
from nssbg._types import ImageArray

__all__ = ["photograph_part", "scaled"]

# The stubs have an overload per dtype, and a union of dtypes picks none of them.
_core: Any = _typed_core


def scaled(rgba: ImageArray, height: int, width: int) -> ImageArray:
    """A cut-out at another size, straight again.

    Args:
        rgba: H x W x 4, uint8 or uint16, straight.
        height: Rows wanted.
        width: Columns wanted.
    """
    if rgba.shape[:2] == (height, width):
        return rgba
    result: ImageArray = _core.resample(
        rgba, (0.0, 0.0, float(rgba.shape[1]), float(rgba.shape[0])), height, width
    )
    return result


def photograph_part(
    pixels: NDArray[Any], height: int, width: int, part: tuple[float, float, float, float]
) -> NDArray[np.uint8]:
    """Part of a photograph at another size, in 8 bits, for screens.

    Args:
        pixels: H x W x 3, or H x W x 1 (grey), uint8 or uint16.
        height: Rows wanted.
        width: Columns wanted.
        part: left, top, right, bottom in its pixels, fractions included, within the photograph.

    Returns:
        height x width x 3; its own pixels at scale 1.
    """
    planes = _planes(pixels, height, width, part, threads=0)
    return np.ascontiguousarray(np.moveaxis(planes, 0, -1))


def _planes(
    source: NDArray[Any],
    height: int,
    width: int,
    box: tuple[float, float, float, float],
    *,
    threads: int = 1,
) -> NDArray[np.uint8]:
    """The first three channels (or one, thrice) of the part in box at a size: 3 x H x W."""
    target = np.empty((3, height, width), np.uint8)
    kernel = _core.prepare_u8_from_u8 if source.dtype == np.uint8 else _core.prepare_u8_from_u16
    kernel(
        source,
        target,
        "lanczos",
        (0, 0, width, height),
        (0, 0, 0),
        (0.0, 0.0, 0.0),
        (1.0, 1.0, 1.0),
        threads=threads,
        part=box,
    )
    return target
