"""Resamples cut-outs and alphas: Lanczos on premultiplied values, by the core's prepare kernels.

Colours of transparent pixels never bleed in, because they count for nothing.
"""

from __future__ import annotations

import math
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from nssbg import _core as _typed_core
from nssbg._types import ImageArray

__all__ = ["photograph_part", "scaled", "window"]

# The stubs have an overload per dtype, and a union of dtypes picks none of them.
_core: Any = _typed_core

# Source pixels (or, scaled down, result pixels) that Lanczos of three lobes reaches.
_REACH = 3


def scaled(rgba: ImageArray, height: int, width: int) -> ImageArray:
    """A cut-out at another size, straight again.

    Args:
        rgba: H x W x 4, uint8 or uint16, straight.
        height: Rows wanted.
        width: Columns wanted.
    """
    if rgba.shape[:2] == (height, width):
        return rgba
    return _resampled(rgba, height, width, None)


def window(
    pixels: ImageArray, scale: float, top: float, left: float, box: tuple[int, int, int, int]
) -> ImageArray:
    """Part of a canvas on which a picture lies scaled and moved.

    Args:
        pixels: H x W x 4 (straight) or H x W (an alpha), uint8 or uint16.
        scale: Pixels of the canvas for one of the picture.
        top: Where the picture's upper edge lies on the canvas, in pixels.
        left: The same of its left edge.
        box: (top, left, bottom, right) on the canvas, half open, not empty.

    Returns:
        That part; transparent where the picture does not reach. At scale 1 and whole offsets the
        picture's own bytes.
    """
    spans = []
    for axis, offset in ((0, top), (1, left)):
        first, last = (box[axis] - offset) / scale, (box[axis + 2] - offset) / scale
        reach = math.ceil(_REACH * max(1.0, 1.0 / scale)) + 1
        size = pixels.shape[axis]
        begin, end = math.floor(first) - reach, math.ceil(last) + reach
        # Beyond the picture's edges is nothing: only where the box goes there is it put in.
        before = max(0, math.ceil(-first - 1e-6))
        after = max(0, math.ceil(last - size - 1e-6))
        begin, end = max(begin, 0), min(end, size)
        spans.append((first - begin + before, last - begin + before, begin, end, before, after))
    (y0, y1, row0, row1, above, below), (x0, x1, col0, col1, before, after) = spans
    height, width = box[2] - box[0], box[3] - box[1]
    if row0 >= row1 or col0 >= col1:
        return cast("ImageArray", np.zeros((height, width, *pixels.shape[2:]), pixels.dtype))
    part = pixels[row0:row1, col0:col1]
    if above or below or before or after:
        margins = [(above, below), (before, after)] + [(0, 0)] * (pixels.ndim - 2)
        part = cast("ImageArray", np.pad(part, margins))
    if scale == 1.0 and y0.is_integer() and x0.is_integer():
        own = part[int(y0) : int(y0) + height, int(x0) : int(x0) + width]
        return cast("ImageArray", np.ascontiguousarray(own))
    rows, columns = part.shape[:2]
    inside = (max(0.0, x0), max(0.0, y0), min(float(columns), x1), min(float(rows), y1))
    return _resampled(part, height, width, inside)


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


def _resampled(
    pixels: ImageArray, height: int, width: int, box: tuple[float, float, float, float] | None
) -> ImageArray:
    """The part of a picture in box (left, top, right, bottom; None: all) at a size."""
    from PIL import Image

    lanczos = Image.Resampling.LANCZOS
    size = (width, height)
    if pixels.dtype == np.uint8:
        whole = (0.0, 0.0, float(pixels.shape[1]), float(pixels.shape[0]))
        eight = cast("NDArray[np.uint8]", pixels)
        if pixels.ndim == 2:
            return cast(
                "ImageArray", _planes(eight[:, :, np.newaxis], height, width, box or whole)[0]
            )
        own = _core.premultiply(np.ascontiguousarray(eight))
        result = np.empty((height, width, 4), np.uint8)
        for channel, plane in enumerate(_planes(own, height, width, box or whole)):
            result[..., channel] = plane
        result[..., 3] = _planes(eight[:, :, 3:], height, width, box or whole)[0]
        # Where ripples leave colour above alpha, it is cut to what alpha allows.
        image = Image.frombuffer("RGBa", size, result, "raw", "RGBa", 0, 1)
        return np.asarray(image.convert("RGBA"))
    full = np.float32(np.iinfo(pixels.dtype).max)

    def resized(plane: NDArray[Any]) -> NDArray[np.float32]:
        return np.asarray(Image.fromarray(plane).resize(size, lanczos, box=box))

    if pixels.ndim == 2:
        cover = np.clip(resized(pixels.astype(np.float32)), 0.0, full)
        return cast("ImageArray", np.floor(cover + np.float32(0.5)).astype(pixels.dtype))
    alpha = pixels[..., 3].astype(np.float32) / full
    result = np.empty((height, width, 4), pixels.dtype)
    cover = np.clip(resized(alpha), 0.0, 1.0)
    result[..., 3] = np.floor(cover * full + np.float32(0.5))
    share = np.maximum(cover, np.float32(1e-6))
    for channel in range(3):
        color = resized(pixels[..., channel].astype(np.float32) * alpha) / share
        result[..., channel] = np.floor(np.clip(color, 0.0, full) + np.float32(0.5))
    result[result[..., 3] == 0] = 0
    return cast("ImageArray", result)
