"""Lets a file in to its decoder, or says why not: from its header, before anything is decoded.

Checked are the side, the pixels, the bytes that decoding is predicted to take, and for formats
where work can be had for nothing (scans, directories, strips) that there is no more of it than a
picture needs. What is refused here has cost a walk over headers, whatever it claims.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nssbg._errors import ImageDecodeError
from nssbg._io import iso_media_header, jpeg_header, jxl_header, raster_headers, tiff_header
from nssbg._io.formats import format_of_bytes
from nssbg._io.header import Header, HeaderError
from nssbg._io.span import Span
from nssbg._memory import available_memory

__all__ = [
    "LARGEST_SIDE",
    "Bounds",
    "admit",
    "check_header",
    "default_max_memory",
    "header_of_pixels",
    "read_header",
]

# The kernels count rows and columns of a picture in 18 bits.
LARGEST_SIDE = 262_144

# Where nothing else is said, a picture may take this share of the memory that is free, ...
_SHARE = 0.75
# ... and this in any case: what is free is a guess, and an ordinary photograph stays below.
_ALWAYS = 512 << 20

_READERS: dict[str, Callable[[Span], Header]] = {
    "AVIF": iso_media_header.read,
    "BMP": raster_headers.read_bmp,
    "GIF": raster_headers.read_gif,
    "HEIF": iso_media_header.read,
    "JPEG": jpeg_header.read,
    "JXL": jxl_header.read,
    "PNG": raster_headers.read_png,
    "TIFF": tiff_header.read,
    "WEBP": raster_headers.read_webp,
}


@dataclass(frozen=True)
class Bounds:
    """What a picture may claim.

    Attributes:
        max_pixels: Pixels that it may have.
        max_memory: Bytes that it may be predicted to take; None: see `default_max_memory`.
        predict: Bytes that a picture takes in all; None: those of its decoding.
    """

    max_pixels: int
    max_memory: int | None = None
    predict: Callable[[Header], int] | None = None


def read_header(span: Span, format: str | None = None) -> Header:
    """What a file says of itself; its format is told from its first bytes unless it is known.

    Raises:
        HeaderError: It is of no format known here, damaged, or cut short in its header.
    """
    format = format or format_of_bytes(span.at(0, 64))
    if format is None:
        raise HeaderError("its first bytes are of no picture format known here")
    try:
        return _READERS[format](span)
    except (struct.error, IndexError) as error:
        raise HeaderError("it is damaged or cut short in its header") from error


def admit(data: bytes | memoryview, format: str, name: str, bounds: Bounds) -> Header:
    """Read a file's header and check it.

    Args:
        data: The file.
        format: As `format_of_bytes` tells it.
        name: For messages.
        bounds: What is allowed.

    Raises:
        ImageDecodeError: The file is damaged, too large, or asks for too much work.
    """
    try:
        header = read_header(Span(data), format)
        check_header(header, name, bounds)
        if format == "JPEG":
            jpeg_header.check_scans(data, header)
        elif format == "TIFF":
            directory, _ = tiff_header.read_directory(Span(data))
            tiff_header.check_segments(directory, len(data))
    except (HeaderError, struct.error) as error:
        raise ImageDecodeError(f"cannot read {name}: {error}") from error
    return header


def check_header(header: Header, name: str, bounds: Bounds) -> None:
    """Refuse what is too large.

    Raises:
        ImageDecodeError: It has no pixels, a side or more pixels than allowed, or is predicted to
            take more memory than allowed.
    """
    width, height = header.width, header.height
    if width < 1 or height < 1:
        raise ImageDecodeError(f"cannot read {name}: its header says {width} x {height} pixels")
    if width * height > bounds.max_pixels:
        raise ImageDecodeError(
            f"cannot read {name}: {width} x {height} pixels are more than "
            f"max_pixels={bounds.max_pixels}; raise max_pixels if the picture is to be trusted"
        )
    if max(width, height) > LARGEST_SIDE:
        raise ImageDecodeError(
            f"cannot read {name}: {width} x {height} pixels; no side may be longer than "
            f"{LARGEST_SIDE}; cut the picture into pieces"
        )
    if header.coded_pixels > bounds.max_pixels:
        raise ImageDecodeError(
            f"cannot read {name}: for {width} x {height} pixels its tiles or frames make "
            f"{header.coded_pixels} pixels be decoded, more than max_pixels={bounds.max_pixels}; "
            "open and save it anew in another program"
        )
    needed = header.decode_bytes if bounds.predict is None else bounds.predict(header)
    if bounds.max_memory is not None:
        allowed = f"max_memory={bounds.max_memory}"
        fits = needed <= bounds.max_memory
    elif needed > _ALWAYS:
        free = default_max_memory()
        allowed, fits = f"the {_in_bytes(free)} that are free for it", needed <= free
    else:
        return
    if not fits:
        raise ImageDecodeError(
            f"cannot read {name}: {width} x {height} pixels of {8 * header.sample_bytes} bits are "
            f"predicted to take {_in_bytes(needed)} of memory, more than {allowed}; "
            "scale it down, or raise max_memory"
        )


def default_max_memory() -> int:
    """Bytes that one picture may be predicted to take where nobody said: a share of what is free.

    What is free is what the machine and this process's cgroup have left now.
    """
    return max(_ALWAYS, int(available_memory() * _SHARE))


def header_of_pixels(source: Any) -> Header | None:
    """A header for an array or a PIL image; None where it has no height and width."""
    if hasattr(source, "getbands"):
        sample_bytes = 2 if source.mode[:1] in ("I", "F") else 1
        width, height = source.size
        return Header(width, height, sample_bytes, decode_bytes=width * height * 12)
    if source.ndim not in (2, 3):
        return None
    height, width = source.shape[:2]
    if width < 1 or height < 1:
        return None
    sample_bytes = 1 if source.dtype == "uint8" else 2
    return Header(width, height, sample_bytes, decode_bytes=width * height * 12 * sample_bytes)


def _in_bytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{max(1, round(count / 1e6))} MB"
