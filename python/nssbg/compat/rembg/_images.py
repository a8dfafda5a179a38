"""What callers hand in and get back: bytes, PIL images, arrays, tensors of other libraries."""

from __future__ import annotations

import io
from enum import Enum
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from nssbg import _io as image_io
from nssbg._color.depth import eight_bits
from nssbg._errors import ImageDecodeError, OptionError

__all__ = ["ReturnType", "UnreadableImageError", "as_asked", "opened", "png", "readable"]


class ReturnType(Enum):
    """What a result is given back as."""

    BYTES = 0
    PILLOW = 1
    NDARRAY = 2


class UnreadableImageError(ImageDecodeError, UnidentifiedImageError):
    """An image that cannot be read, for code that catches nssbg's, Pillow's or OSError."""


def readable(data: Any, *, as_bytes: bool) -> tuple[Any, ReturnType]:
    """What was handed in, as nssbg takes it, and what the result is to be.

    Raises:
        OptionError (a ValueError): It is no bytes, PIL image or array.
    """
    if isinstance(data, bytes) or (as_bytes and isinstance(data, (bytearray, memoryview))):
        return bytes(data), ReturnType.BYTES
    if isinstance(data, Image.Image):
        return data, ReturnType.BYTES if as_bytes else ReturnType.PILLOW
    if isinstance(data, np.ndarray):
        pixels = data.astype(np.uint8) * 255 if data.dtype == np.bool_ else data
        return pixels, ReturnType.BYTES if as_bytes else ReturnType.NDARRAY
    raise OptionError(
        f"Input type {type(data)} is not supported: give bytes, a PIL image or a NumPy array; "
        "of a path, open(path, 'rb').read()"
    )


def opened(data: Any, *, exact: bool) -> Any:
    """A PIL image of the caller's image: upright, 8 bits, its own memory.

    Args:
        data: Bytes, a PIL image or an array.
        exact: Whether Pillow alone reads it, as in rembg; else nssbg does, with its bounds.

    Raises:
        UnreadableImageError: It cannot be read.
    """
    if exact:
        return _with_pillow(data)
    try:
        frame = image_io.decode(data)
    except ImageDecodeError as error:
        raise UnreadableImageError(str(error)) from error
    planes = [frame.rgb] if frame.alpha is None else [frame.rgb, frame.alpha[..., None]]
    return Image.fromarray(_eight_bits(np.concatenate(planes, axis=2)))


def _with_pillow(data: Any) -> Any:
    if isinstance(data, np.ndarray):
        return Image.fromarray(data)
    if isinstance(data, Image.Image):
        return ImageOps.exif_transpose(data.copy())
    try:
        return ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    except (OSError, SyntaxError, ValueError) as error:
        raise UnreadableImageError(f"cannot read <bytes>: {error}") from error


def _eight_bits(pixels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    if pixels.dtype == np.uint16:
        return eight_bits(pixels)
    return pixels


def as_asked(image: Any, kind: ReturnType) -> Any:
    """A PIL image as the type asked for."""
    if kind is ReturnType.PILLOW:
        return image
    return np.array(image) if kind is ReturnType.NDARRAY else png(image)


def png(image: Any) -> bytes:
    """A PIL image as PNG bytes."""
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()
