"""Reads pictures through Pillow: opens one named format only, and turns any mode to a Frame.

Plugins are called directly rather than through Image.open, so that a file reaches no reader
but the one its first bytes name, and the pixel cap is ours rather than a global of Pillow's.
"""

from __future__ import annotations

import importlib
import io
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nssbg._color.profiles import gray_is_srgb, to_srgb
from nssbg._errors import ImageDecodeError
from nssbg._io.arrays import gray_to_rgb, quantized, upright
from nssbg._io.metadata import dpi_of, exif_of, icc_of, without_orientation, xmp_of
from nssbg._io.source import Kind
from nssbg._types import Frame

__all__ = ["frame_from_pillow", "no_pillow_warnings", "open_with_pillow"]

# Format -> the module and class that read it, and the extra that brings it where it is no part
# of Pillow. JpegImageFile itself rather than its factory: a multi-picture file is its first one.
_READERS = {
    "AVIF": ("PIL.AvifImagePlugin", "AvifImageFile", ""),
    "BMP": ("PIL.BmpImagePlugin", "BmpImageFile", ""),
    "GIF": ("PIL.GifImagePlugin", "GifImageFile", ""),
    "HEIF": ("pillow_heif.as_plugin", "HeifImageFile", "heif"),
    "JPEG": ("PIL.JpegImagePlugin", "JpegImageFile", ""),
    "JXL": ("pillow_jxl.JpegXLImagePlugin", "JXLImageFile", "jxl"),
    "PNG": ("PIL.PngImagePlugin", "PngImageFile", ""),
    "TIFF": ("PIL.TiffImagePlugin", "TiffImageFile", ""),
    "WEBP": ("PIL.WebPImagePlugin", "WebPImageFile", ""),
}
# These decoders turn the picture upright themselves, whatever its EXIF block goes on saying.
_UPRIGHT_ALREADY = ("HEIF", "JXL")
# Asking the others for their number of frames walks through all of them.
_COUNT_FRAMES_WHEN_OPENED = ("AVIF", "HEIF", "PNG", "WEBP")

_quiet_lock = threading.Lock()
_quiet_depth = 0
_quiet_filter: Any = None


@contextmanager
def no_pillow_warnings() -> Iterator[None]:
    """Keep warnings that Pillow's modules give from the caller, in any number of threads.

    warnings.catch_warnings restores a whole list and so loses or leaks entries when threads
    overlap; here the first to enter adds one filter and the last to leave takes it out.
    """
    global _quiet_depth, _quiet_filter
    with _quiet_lock:
        if _quiet_depth == 0:
            pattern = re.compile(r"(PIL|pillow_heif|pillow_jxl)\.")
            _quiet_filter = ("ignore", None, Warning, pattern, 0)
            warnings.filters.insert(0, _quiet_filter)  # type: ignore[attr-defined]
        _quiet_depth += 1
    try:
        yield
    finally:
        with _quiet_lock:
            _quiet_depth -= 1
            if _quiet_depth == 0 and _quiet_filter in warnings.filters:
                warnings.filters.remove(_quiet_filter)  # type: ignore[attr-defined]


def open_with_pillow(data: bytes | memoryview, format: str, name: str) -> Image.Image:
    """Open a file's bytes with the one reader for its format, without decoding pixels.

    Raises:
        ImageDecodeError: The plugin is not installed. Damaged files raise whatever Pillow does.
    """
    module, reader, extra = _READERS[format]
    try:
        plugin: Any = getattr(importlib.import_module(module), reader)
    except ImportError as error:
        what = f"install it with: pip install 'nssbg[{extra}]'" if extra else "update Pillow"
        raise ImageDecodeError(
            f"cannot read {name}: {format} needs a plugin that is not installed; {what}"
        ) from error
    image: Image.Image = plugin(io.BytesIO(data))
    return image


def frame_from_pillow(
    image: Image.Image, *, name: str, kind: Kind, max_pixels: int, frames: str = ""
) -> Frame:
    """Decode an opened Pillow image (left unchanged) to an upright Frame.

    Args:
        image: The image.
        name: For messages.
        kind: What the caller handed in.
        max_pixels: Pixels that the picture may have.
        frames: Note about further pictures in the file, or "".

    Raises:
        ImageDecodeError: It is too large or of a kind that has no meaning here. Damaged files
            raise whatever Pillow does.
    """
    width, height = image.size
    if width < 1 or height < 1:
        raise ImageDecodeError(f"cannot read {name}: it has no pixels")
    if width * height > max_pixels:
        raise ImageDecodeError(
            f"cannot read {name}: {width} x {height} pixels are more than max_pixels={max_pixels}; "
            "raise max_pixels if the picture is to be trusted"
        )
    if not frames and kind != "pil" and image.format in _COUNT_FRAMES_WHEN_OPENED:
        count = getattr(image, "n_frames", 1)
        frames = f"first of {count} frames" if count > 1 else ""
    notes = [frames] if frames else []
    image.load()
    format = image.format or ""
    icc = icc_of(image)
    exif, orientation = without_orientation(exif_of(image))
    if format in _UPRIGHT_ALREADY:
        orientation = 1
    rgb, alpha, is_gray, is_float, said = _pixels(image, icc, name)
    notes += said
    if icc is not None and icc[16:20] != b"RGB ":
        icc = None  # converted to sRGB above: no RGB file can hold a CMYK or grey profile
    if orientation != 1:
        rgb = upright(rgb, orientation)
        alpha = upright(alpha, orientation) if alpha is not None else None
        notes.append(f"turned upright (EXIF orientation {orientation})")
    return Frame(
        rgb=rgb,
        alpha=alpha,
        icc_profile=icc,
        exif=exif or None,
        xmp=xmp_of(image),
        dpi=dpi_of(image.info),
        name=name,
        source_format=format,
        kind=kind,
        is_gray=is_gray,
        float_input=is_float,
        notes=tuple(notes),
    )


def _pixels(
    image: Image.Image, icc: bytes | None, name: str
) -> tuple[NDArray[Any], NDArray[Any] | None, bool, bool, list[str]]:
    """Colours, alpha, whether grey, whether float, and notes, from any Pillow mode."""
    mode = image.mode
    if mode == "RGB" and "transparency" not in image.info:
        return np.asarray(image), None, False, False, []
    if mode in ("I", "I;16", "I;16B", "I;16L", "I;16N", "F"):
        gray, is_float = _deep_gray(image, name)
        return gray_to_rgb(gray), None, True, is_float, []
    profiled_gray = (
        mode in ("1", "L", "LA")
        and "transparency" not in image.info
        and icc is not None
        and icc[16:20] == b"GRAY"
        and not gray_is_srgb(icc)
    )
    if mode in ("CMYK", "LAB") or profiled_gray:
        converted, note = to_srgb(image, icc)
        alpha = np.asarray(image.getchannel("A")) if mode == "LA" else None
        return np.asarray(converted), alpha, profiled_gray, False, [note]
    if mode in ("1", "L") and "transparency" not in image.info:
        return gray_to_rgb(np.asarray(image.convert("L"))), None, True, False, []
    if image.has_transparency_data:
        rgba = np.asarray(image.convert("RGBA"))
        return (
            np.ascontiguousarray(rgba[:, :, :3]),
            np.ascontiguousarray(rgba[:, :, 3]),
            mode in ("1", "L", "LA", "La"),
            False,
            [],
        )
    return np.asarray(image.convert("RGB")), None, mode in ("1", "L"), False, []


def _deep_gray(image: Image.Image, name: str) -> tuple[NDArray[np.uint16], bool]:
    """Grey of more than 8 bits as uint16; whether it was float."""
    values = np.asarray(image)
    if values.dtype.kind == "f":
        return quantized(values, name), True
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > 65535:
        raise ImageDecodeError(
            f"cannot read {name}: its 32-bit values lie in {low}..{high}; "
            "expected 16-bit values, 0..65535"
        )
    return values.astype(np.uint16), False
