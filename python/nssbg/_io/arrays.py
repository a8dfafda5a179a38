"""NumPy arrays as pictures: checks shape and type, and splits colour from alpha."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nssbg._errors import ImageDecodeError
from nssbg._types import Frame

__all__ = ["frame_from_array", "gray_to_rgb", "quantized", "upright"]

_EXPECTED = (
    "expected H x W, H x W x 1, H x W x 3 or H x W x 4 of uint8, uint16 or float in 0..1, "
    "channels in the order red, green, blue, alpha"
)


def frame_from_array(array: NDArray[Any], *, name: str, max_pixels: int) -> Frame:
    """A Frame over an array; shares its memory where it is 8- or 16-bit RGB already.

    Raises:
        ImageDecodeError: The shape, type or values are not a picture's.
    """
    if array.ndim == 2:
        array = array[:, :, np.newaxis]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4):
        hint = ""
        if array.ndim == 3 and array.shape[0] in (1, 3, 4):
            hint = "; this one looks channels-first, give array.transpose(1, 2, 0)"
        elif array.ndim == 4:
            hint = "; give one picture of a batch at a time"
        raise ImageDecodeError(f"cannot read {name} of shape {array.shape}: {_EXPECTED}{hint}")
    height, width, channels = array.shape
    if height == 0 or width == 0:
        raise ImageDecodeError(f"cannot read {name} of shape {array.shape}: it has no pixels")
    if height * width > max_pixels:
        raise ImageDecodeError(
            f"cannot read {name}: {width} x {height} pixels are more than max_pixels={max_pixels}"
        )
    is_float = array.dtype.kind == "f"
    if is_float:
        array = quantized(array, name)
    elif array.dtype.kind != "u" or array.dtype.itemsize > 2:
        raise ImageDecodeError(f"cannot read {name} of type {array.dtype}: {_EXPECTED}")
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    rgb = gray_to_rgb(array[:, :, 0]) if channels == 1 else np.ascontiguousarray(array[:, :, :3])
    alpha = np.ascontiguousarray(array[:, :, 3]) if channels == 4 else None
    return Frame(
        rgb=rgb,
        alpha=alpha,
        name=name,
        kind="array",
        is_gray=channels == 1,
        float_input=is_float,
    )


def quantized(array: NDArray[Any], name: str) -> NDArray[np.uint16]:
    """Floats in 0..1 as uint16 in 0..65535, rounded to nearest."""
    low, high = float(array.min()), float(array.max())
    # Not (low >= 0): a NaN makes every comparison false. A resampled picture may overshoot a bit.
    if not (low >= -1e-3 and high <= 1 + 1e-3):
        hint = "; divide by 255 or give uint8" if 1 < high <= 255 and low >= 0 else ""
        raise ImageDecodeError(
            f"cannot read {name} of type {array.dtype}: its values lie in {low:g}..{high:g}; "
            f"expected 0..1 without NaN{hint}"
        )
    scaled = np.clip(array, 0, 1).astype(np.float32) * np.float32(65535)
    rounded: NDArray[np.uint16] = (scaled + np.float32(0.5)).astype(np.uint16)
    return rounded


def gray_to_rgb(gray: NDArray[Any]) -> NDArray[Any]:
    """H x W as H x W x 3 with three equal channels."""
    rgb = np.empty((*gray.shape, 3), gray.dtype)
    rgb[:] = gray[:, :, np.newaxis]
    return rgb


def upright(array: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Turn a picture (H x W or H x W x C) as its EXIF orientation, 1 to 8, asks."""
    from nssbg import _core

    packed = np.ascontiguousarray(array)
    planes = packed[:, :, np.newaxis] if packed.ndim == 2 else packed
    turned: NDArray[Any] = _core.orient(planes, orientation, _core.usable_cores())
    return turned[:, :, 0] if packed.ndim == 2 else turned
