"""Decodes anything that holds a picture to a Frame, or says in one line why it cannot.

The header's size is checked before pixels are decoded; a file reaches only the reader that its
first bytes name. JPEG goes through simplejpeg straight into an array, 16-bit PNG and TIFF
through readers that keep 16 bits, all else through Pillow (docs/decisions/0300-readers.md).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from nssbg._errors import ImageDecodeError, OptionError
from nssbg._io import jxl_header, png_reader, tiff_reader
from nssbg._io.admission import Bounds, admit, check_header, header_of_pixels
from nssbg._io.array_like import as_array
from nssbg._io.arrays import frame_from_array, upright
from nssbg._io.formats import expected_format
from nssbg._io.header import Header
from nssbg._io.library_lines import no_library_lines
from nssbg._io.metadata import dpi_of, exif_of, icc_of, without_orientation, xmp_of
from nssbg._io.pillow_reader import frame_from_pillow, no_pillow_warnings, open_with_pillow
from nssbg._io.source import Kind, NamedBytes, kind_of, read_source
from nssbg._io.wholeness import check_jpeg_end, check_whole, jpeg_ends_early
from nssbg._types import Frame

__all__ = ["DEFAULT_MAX_PIXELS", "decode"]

_log = logging.getLogger(__name__)

DEFAULT_MAX_PIXELS = 200_000_000


def decode(
    source: Any,
    *,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    max_memory: int | None = None,
    predict: Callable[[Header], int] | None = None,
    ignore_alpha: bool = False,
    name: str | None = None,
) -> Frame:
    """Decode a picture, upright, with its profile, EXIF block, resolution and alpha.

    Args:
        source: A path, the bytes of a file, a binary file object, a PIL image, or a NumPy array
            (H x W, H x W x 1, 3 or 4; uint8, uint16, or float in 0..1, which is held as uint16).
            Floating-point TIFF files have 0..1 as black to white too; what lies beyond is clipped
            and noted, what is not a number becomes 0 and is noted.
        max_pixels: Refuse pictures with more pixels than this, from the header alone.
        max_memory: Refuse pictures that are predicted to take more bytes than this, from the
            header alone, and files longer than this; None: three quarters of the memory that the
            machine and this process's cgroup have free, but never less than 512 MB.
        predict: Bytes that a picture with such a header takes in all; by default what its decoding
            takes at its peak.
        ignore_alpha: Drop an alpha channel that the picture has.
        name: What to call the picture in messages; by default its path or its kind.

    Returns:
        The Frame. It may share memory with an array that was handed in.

    Raises:
        ImageDecodeError: The source is missing, empty, cut short, damaged, too large, of a
            format that cannot be read here, or no picture at all.
        OptionError: max_pixels or max_memory is less than 1.
    """
    if max_pixels < 1:
        raise OptionError(f"max_pixels is {max_pixels}; expected at least 1")
    if max_memory is not None and max_memory < 1:
        raise OptionError(f"max_memory is {max_memory}; expected at least 1, or None")
    kind = kind_of(source)
    if name is None:
        name = _name_of(source, kind)
    bounds = Bounds(max_pixels, max_memory, predict)
    try:
        with no_pillow_warnings(), no_library_lines():
            frame = _decode(source, kind, bounds, name)
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


def _decode(source: Any, kind: Kind, bounds: Bounds, name: str) -> Frame:
    if kind in ("array", "pil"):
        if kind == "array":
            source = as_array(source, name)
        header = header_of_pixels(source)
        if header is not None:
            check_header(header, name, bounds)
        if kind == "array":
            return frame_from_array(source, name=name, max_pixels=bounds.max_pixels)
        return frame_from_pillow(source, name=name, kind=kind, max_pixels=bounds.max_pixels)
    data = read_source(source, kind, name, max_memory=bounds.max_memory)
    format = expected_format(bytes(data[:512]), name)
    header = admit(data, format, name, bounds)
    frames = _frames(header)
    if format == "JPEG":
        return _decode_jpeg(data, kind, bounds, name, header.progressive)
    if format == "PNG" and png_reader.is_sixteen_bit(data):
        return png_reader.read(data, name=name, kind=kind)
    if format == "TIFF":
        deep = tiff_reader.read_if_deep(
            data, name=name, kind=kind, max_pixels=bounds.max_pixels, frames=frames
        )
        if deep is not None:
            return deep
    return _through_pillow(data, format, kind, bounds, name, frames)


def _frames(header: Header) -> str:
    """A note where a file has more pictures than the first, as far as they were counted."""
    if header.frames < 2:
        return ""
    return f"first of {'at least ' if header.more_frames else ''}{header.frames} frames"


def _through_pillow(
    data: bytes | memoryview,
    format: str,
    kind: Kind,
    bounds: Bounds,
    name: str,
    frames: str = "",
) -> Frame:
    exif = b""
    if format == "JXL":
        exif = jxl_header.exif_block(data)
        data = jxl_header.code_stream(data)
    with open_with_pillow(data, format, name) as image:
        frame = frame_from_pillow(
            image, name=name, kind=kind, max_pixels=bounds.max_pixels, frames=frames
        )
        check_whole(image, data, format, name)
    if exif and not frame.exif:
        frame = replace(frame, exif=without_orientation(exif)[0] or None)
    return frame if frame.source_format else replace(frame, source_format=format)


def _decode_jpeg(
    data: bytes | memoryview, kind: Kind, bounds: Bounds, name: str, progressive: bool
) -> Frame:
    """Straight into an array where the file is plain; otherwise Pillow, which is more lenient."""
    import simplejpeg

    with open_with_pillow(data, "JPEG", name) as image:
        icc = icc_of(image)
        exif, orientation = without_orientation(exif_of(image))
        dpi = dpi_of(image.info)
        xmp = xmp_of(image)
        width, height = image.size
        mode = image.mode
        plain = mode in ("RGB", "L") and (icc is None or icc[16:20] == b"RGB ")
        is_gray = mode == "L"
    if not plain or width * height > bounds.max_pixels:
        check_jpeg_end(data, mode, name)
        return _through_pillow(data, "JPEG", kind, bounds, name)
    from nssbg import _core

    notes = []
    rgb: Any = _core.empty_u8(height, width, 3)
    try:
        simplejpeg.decode_jpeg(data, colorspace="RGB", buffer=rgb, strict=True)
    except ValueError as error:
        if jpeg_ends_early(str(error), rgb, progressive):
            raise ImageDecodeError(
                f"cannot read {name}: it is truncated ({_in_short(error)}); its end is not there"
            ) from error
        # Either past saving, which Pillow then says, or one of the blemishes that all viewers
        # pass over, such as stray bytes before a marker.
        _log.info("%s: %s", name, error)
        frame = _through_pillow(data, "JPEG", kind, bounds, name)
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
    if isinstance(source, NamedBytes) and source.name:
        return source.name
    return f"<{kind}>"


def _in_short(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 120 else text[:117] + "..."
