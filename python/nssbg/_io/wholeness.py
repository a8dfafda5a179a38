"""Finds pictures whose pixels end early in files that look whole.

Decoders are lenient there: libjpeg paints what is missing grey, Pillow leaves rows of a PNG black
where its stream ends well before the last of them. A picture that was cut short may not pass for
the picture, so each is told by what it costs little to look at, and certified only in doubt.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nssbg._errors import ImageDecodeError
from nssbg._io.png_reader import ADAM7

__all__ = ["check_jpeg_end", "check_whole", "jpeg_ends_early"]

_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_PIECE = 1 << 20
# libjpeg's own words when a segment of entropy-coded data ends before its blocks do.
_PREMATURE = "premature end"


def check_whole(image: Image.Image, data: bytes | memoryview, format: str, name: str) -> None:
    """Refuse a decoded file whose pixels end before its last row.

    Args:
        image: As Pillow decoded it.
        data: The file.
        format: Pillow's name of the format; all but PNG see to it themselves.
        name: For messages.

    Raises:
        ImageDecodeError: It is truncated.
    """
    if format != "PNG":
        return
    width, height = image.size
    bits, colour, _, _, interlaced = struct.unpack_from(">BBBBB", data, 24)
    # The last row that is written in the last pass. One with anything in it was written.
    last = height - 1
    if interlaced and height > 1:
        last = height - 1 if height % 2 == 0 else height - 2
    if not (interlaced and height == 1):
        row = image.crop((0, last, width, last + 1))
        if row.getbbox(alpha_only=False) is not None:
            return
    wanted = _filtered_bytes(width, height, bits * _CHANNELS.get(colour, 1), bool(interlaced))
    if not _inflates_to(data, wanted):
        raise ImageDecodeError(
            f"cannot read {name}: it is truncated: its pixels end before its last row"
        )


def jpeg_ends_early(said: str, pixels: NDArray[Any], progressive: bool) -> bool:
    """Whether a decoder's complaint means that a JPEG file's last blocks are not there.

    Args:
        said: The decoder's message.
        pixels: What it made all the same, in the file's own orientation.
        progressive: Each scan goes over the whole picture: one that ends early blurs the rest.
    """
    if _PREMATURE not in said.lower():
        return False
    return progressive or _is_blank(pixels)


def check_jpeg_end(data: bytes | memoryview, mode: str, name: str) -> None:
    """Refuse a JPEG file that ends early, where Pillow's reader, which says nothing, decodes it.

    Raises:
        ImageDecodeError: It is truncated.
    """
    import simplejpeg

    colours = {"CMYK": "CMYK", "L": "GRAY"}.get(mode, "RGB")
    try:
        simplejpeg.decode_jpeg(data, colorspace=colours, strict=True)
    except ValueError as error:
        if _PREMATURE not in str(error).lower():
            return  # whatever it is, Pillow passes over it or says it
        pixels = simplejpeg.decode_jpeg(data, colorspace=colours, strict=False)
        if _is_blank(pixels):
            raise ImageDecodeError(
                f"cannot read {name}: it is truncated ({error}); its last rows are not there"
            ) from error


def _is_blank(pixels: NDArray[Any]) -> bool:
    """Whether the last block is the grey of coefficients that are all zero."""
    corner = pixels[-8:, -8:].reshape(-1, pixels.shape[2])
    flat = (corner == corner[0]).all()
    return bool(flat) and bool(np.isin(corner[0], (127, 128)).all())


def _filtered_bytes(width: int, height: int, bits: int, interlaced: bool) -> int:
    """Bytes of a PNG file's rows with their filter bytes, inflated."""
    total = 0
    for left, top, step_x, step_y in ADAM7 if interlaced else ((0, 0, 1, 1),):
        columns, rows = -(-(width - left) // step_x), -(-(height - top) // step_y)
        if columns > 0 and rows > 0:
            total += rows * (1 + (columns * bits + 7) // 8)
    return total


def _inflates_to(data: bytes | memoryview, wanted: int) -> bool:
    """Whether the pixels' stream has so many bytes; they are counted and let go."""
    inflate = zlib.decompressobj()
    total = 0
    for body in _pixel_chunks(memoryview(data)):
        waiting: bytes | memoryview = body
        while len(waiting) and total < wanted and not inflate.eof:
            try:
                total += len(inflate.decompress(waiting, _PIECE))
            except zlib.error:
                return False
            waiting = inflate.unconsumed_tail
        if total >= wanted:
            return True
    return total >= wanted


def _pixel_chunks(view: memoryview) -> Iterator[memoryview]:
    at = 8
    while at + 12 <= len(view):
        length, kind = struct.unpack_from(">I4s", view, at)
        if kind == b"IDAT":
            yield view[at + 8 : at + 8 + length]
        elif kind == b"IEND":
            return
        at += 12 + length
