"""Writes JPEG through simplejpeg, and puts resolution, EXIF and profile where they belong."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nssbg._errors import ImageEncodeError
from nssbg._io.encodable import Encodable

__all__ = ["write_jpeg"]

_DEFAULT_QUALITY = 92
# From here on colours keep their full resolution: a red product's edge bleeds at 4:2:0.
_FULL_COLOUR_FROM = 90
_LARGEST_BODY = 65533
_ICC_TAG = b"ICC_PROFILE\0"
_EXIF_TAG = b"Exif\0\0"
# Names the segment of an XMP packet (XMP specification, part 3, JPEG).
_XMP_TAG = b"http://ns.adobe.com/xap/1.0/\0"


def write_jpeg(output: Encodable) -> bytes:
    """Encode 8-bit grey or RGB.

    Raises:
        ImageEncodeError: The EXIF block, the XMP packet or the profile is larger than a JPEG file
            can hold.
    """
    quality = _DEFAULT_QUALITY if output.quality is None else output.quality
    pixels = np.ascontiguousarray(output.pixels)
    gray = pixels.shape[2] == 1
    sampling = output.subsampling or ("4:4:4" if quality >= _FULL_COLOUR_FROM else "4:2:0")
    if output.progressive:
        data = _progressive(pixels, quality, sampling)
    else:
        import simplejpeg

        data = simplejpeg.encode_jpeg(
            pixels,
            quality=quality,
            colorspace="GRAY" if gray else "RGB",
            colorsubsampling="Gray" if gray else sampling.replace(":", ""),
            fastdct=False,
        )
    # The encoder's own JFIF segment (density unknown) is the first after the start marker.
    start = 2
    if data[2:4] == b"\xff\xe0":
        start = 4 + int.from_bytes(data[4:6], "big")
    x, y = (min(65535, max(1, round(part))) for part in output.dpi or (1, 1))
    unit = 1 if output.dpi else 0
    parts = [
        b"\xff\xd8",
        _segment(0xE0, b"JFIF\0" + struct.pack(">HBHHBB", 0x0102, unit, x, y, 0, 0)),
    ]
    if output.exif:
        if len(output.exif) + len(_EXIF_TAG) > _LARGEST_BODY:
            raise ImageEncodeError(
                f"cannot write an EXIF block of {len(output.exif)} bytes as JPEG, which holds "
                f"{_LARGEST_BODY - len(_EXIF_TAG)}; leave it out or use png"
            )
        parts.append(_segment(0xE1, _EXIF_TAG + output.exif))
    if output.xmp:
        if len(output.xmp) + len(_XMP_TAG) > _LARGEST_BODY:
            raise ImageEncodeError(
                f"cannot write an XMP packet of {len(output.xmp)} bytes as JPEG, which holds "
                f"{_LARGEST_BODY - len(_XMP_TAG)}; leave it out or use png"
            )
        parts.append(_segment(0xE1, _XMP_TAG + output.xmp))
    parts += _profile_segments(output.icc_profile or b"")
    parts.append(data[start:])
    return b"".join(parts)


def _progressive(pixels: NDArray[Any], quality: int, sampling: str) -> bytes:
    """Through Pillow: simplejpeg writes baseline files only."""
    image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    file = io.BytesIO()
    options: dict[str, Any] = {} if pixels.shape[2] == 1 else {"subsampling": sampling}
    image.save(file, "JPEG", quality=quality, progressive=True, optimize=True, **options)
    return file.getvalue()


def _segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def _profile_segments(profile: bytes) -> list[bytes]:
    """The profile in pieces, as the ICC specification's annex B has it."""
    size = _LARGEST_BODY - len(_ICC_TAG) - 2
    pieces = [profile[at : at + size] for at in range(0, len(profile), size)]
    if len(pieces) > 255:
        raise ImageEncodeError("cannot write an ICC profile of more than 16 MB as JPEG")
    return [
        _segment(0xE2, _ICC_TAG + bytes((number, len(pieces))) + piece)
        for number, piece in enumerate(pieces, 1)
    ]
