"""Decodes anything that holds a picture to a Frame, or says in one line why it cannot.

The header's size is checked before pixels are decoded; a file reaches only the reader that its
first bytes name. JPEG goes through simplejpeg straight into an array, 16-bit PNG and TIFF
through readers that keep 16 bits, all else through Pillow (docs/decisions/0300-readers.md).
"""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from typing import Any

from nssbg._errors import ImageDecodeError, OptionError
from nssbg._image_io import header, png_reader, tiff_reader
from nssbg._image_io.arrays import frame_from_array, upright
from nssbg._image_io.formats import format_of_bytes
from nssbg._image_io.metadata import dpi_of, exif_of, icc_of, without_orientation, xmp_of
from nssbg._image_io.pillow_reader import frame_from_pillow, no_pillow_warnings, open_with_pillow
from nssbg._image_io.source import Kind, kind_of, read_source
from nssbg._types import Frame

__all__ = ["DEFAULT_MAX_PIXELS", "decode"]

_log = logging.getLogger(__name__)

DEFAULT_MAX_PIXELS = 200_000_000


def decode(
    source: Any,
    *,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    ignore_alpha: bool = False,
    name: str | None = None,
) -> Frame:
    """Decode a picture, upright, with its profile, EXIF block, resolution and alpha.

    Args:
        source: A path, the bytes of a file, a binary file object, a PIL image, or a NumPy array
            (H x W, H x W x 1, 3 or 4; uint8, uint16, or float in 0..1, which is held as uint16).
        max_pixels: Refuse pictures with more pixels than this, from the header alone.
        ignore_alpha: Drop an alpha channel that the picture has.
        name: What to call the picture in messages; by default its path or its kind.

    Returns:
        The Frame. It may share memory with an array that was handed in.

    Raises:
        ImageDecodeError: The source is missing, empty, cut short, damaged, too large, of a
            format that cannot be read here, or no picture at all.
        OptionError: max_pixels is less than 1.
    """
    if max_pixels < 1:
        raise OptionError(f"max_pixels is {max_pixels}; expected at least 1")
    kind = kind_of(source)
    if name is None:
        name = _name_of(source, kind)
    try:
        with no_pillow_warnings():
            frame = _decode(source, kind, max_pixels, name)
    except ImageDecodeError:
        raise
    except MemoryError as error:
        raise ImageDecodeError(
            f"cannot read {name}: not enough memory; try a smaller picture"
        ) from error
    except Exception as error:  # readers raise anything at all over a damaged file
        raise ImageDecodeError(
            f"cannot read {name}: it is damaged or cut short ({_in_short(error)}); "
            "try to open and save it anew in another program"
        ) from error
    if ignore_alpha and frame.alpha is not None:
        frame = replace(frame, alpha=None, notes=(*frame.notes, "its alpha was ignored"))
    return frame


def _decode(source: Any, kind: Kind, max_pixels: int, name: str) -> Frame:
    if kind == "array":
        return frame_from_array(source, name=name, max_pixels=max_pixels)
    if kind == "pil":
        return frame_from_pillow(source, name=name, kind=kind, max_pixels=max_pixels)
    data = read_source(source, kind, name)
    format = format_of_bytes(bytes(data[:64]))
    if format is None:
        raise ImageDecodeError(
            f"cannot read {name}: {_guess(bytes(data[:512]))}; expected JPEG, PNG, WebP, TIFF, "
            "BMP, GIF, AVIF, HEIC or JPEG XL"
        )
    header.check_size(data, format, name, max_pixels)
    if format == "JPEG":
        frame = _decode_jpeg(data, kind, max_pixels, name)
    elif format == "PNG" and png_reader.is_sixteen_bit(data):
        frame = png_reader.read(data, name=name, kind=kind)
    elif format == "TIFF":
        deep = tiff_reader.read_if_deep(data, name=name, kind=kind, max_pixels=max_pixels)
        frame = deep or _through_pillow(data, format, kind, max_pixels, name)
    else:
        frame = _through_pillow(data, format, kind, max_pixels, name)
    return frame


def _through_pillow(
    data: bytes | memoryview, format: str, kind: Kind, max_pixels: int, name: str
) -> Frame:
    with open_with_pillow(data, format, name) as image:
        frame = frame_from_pillow(image, name=name, kind=kind, max_pixels=max_pixels)
    return frame if frame.source_format else replace(frame, source_format=format)


def _decode_jpeg(data: bytes | memoryview, kind: Kind, max_pixels: int, name: str) -> Frame:
    """Straight into an array where the file is plain; otherwise Pillow, which is more lenient."""
    import simplejpeg

    with open_with_pillow(data, "JPEG", name) as image:
        icc = icc_of(image)
        exif, orientation = without_orientation(exif_of(image))
        dpi = dpi_of(image.info)
        xmp = xmp_of(image)
        width, height = image.size
        plain = image.mode in ("RGB", "L") and (icc is None or icc[16:20] == b"RGB ")
        is_gray = image.mode == "L"
    if not plain or width * height > max_pixels:
        return _through_pillow(data, "JPEG", kind, max_pixels, name)
    from nssbg import _core

    notes = []
    rgb: Any = _core.empty_u8(height, width, 3)
    try:
        simplejpeg.decode_jpeg(data, colorspace="RGB", buffer=rgb, strict=True)
    except ValueError as error:
        # Either past saving, which Pillow then says, or one of the blemishes that all viewers
        # pass over, such as stray bytes before a marker.
        _log.info("%s: %s", name, error)
        frame = _through_pillow(data, "JPEG", kind, max_pixels, name)
        return replace(frame, notes=(*frame.notes, f"damaged in places ({_in_short(error)})"))
    if orientation != 1:
        rgb = upright(rgb, orientation)
        notes.append(f"turned upright (EXIF orientation {orientation})")
    return Frame(
        rgb=rgb,
        icc_profile=icc,
        exif=exif or None,
        xmp=xmp,
        dpi=dpi,
        name=name,
        source_format="JPEG",
        kind=kind,
        is_gray=is_gray,
        notes=tuple(notes),
    )


def _name_of(source: Any, kind: Kind) -> str:
    if kind == "path":
        return os.fsdecode(os.fspath(source))
    if kind == "pil":
        return str(getattr(source, "filename", "") or "<PIL image>")
    if kind == "file":
        name = getattr(source, "name", None)
        return name if isinstance(name, str) and name else "<file>"
    return f"<{kind}>"


def _guess(head: bytes) -> str:
    """What a file that is no picture seems to be, to spare its owner the search."""
    start = head.lstrip()[:64].lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return "it is a web page, perhaps a failed download"
    if start.startswith((b"<svg", b"<?xml")):
        return "it is XML or SVG, which has no pixels; render it first"
    if start.startswith(b"%pdf"):
        return "it is a PDF; export its picture first"
    if start.startswith(b"version https://git-lfs"):
        return "it is a Git LFS pointer; fetch the file itself with git lfs pull"
    if head.startswith(b"PK\x03\x04"):
        return "it is a ZIP archive; unpack it first"
    if not head.strip(b"\0"):
        return "it begins with zeros only, as files of interrupted copies do"
    if all(byte in b"\t\n\r\f" or 32 <= byte < 127 for byte in head):
        return "it is text"
    return "its first bytes are of no picture format known here"


def _in_short(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 120 else text[:117] + "..."
