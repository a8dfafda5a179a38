"""What a picture in flight takes, predicted from its header before it is decoded."""

from __future__ import annotations

from typing import Any

from nssbg import _io as image_io

__all__ = ["ENHANCING_BYTES", "bytes_in_flight", "predicted_bytes"]

# Per pixel of an 8-bit picture at the fullest moment: RGB 3, alpha 1, RGBA 4, filtered rows of
# the encoder 4, compressed stream about 2.
BYTES_PER_PIXEL = 14
# Tensor, coarse maps (the second pass's: 2048 cells a side at most), scratch of the stages: does
# not grow with the picture.
BYTES_PER_PICTURE = 32 << 20
# The photograph, and an alpha of its own, beside what it is enhanced to.
_BYTES_PER_ENHANCED_PIXEL = 4
#: Tiles and tensors of an enhancing network.
ENHANCING_BYTES = 256 << 20


def predicted_bytes(source: Any, *, upscale: int = 0) -> int:
    """Bytes that a source is predicted to take in flight.

    A source whose header cannot be read costs only the fixed part: its decode will fail.

    Args:
        source: A path, bytes, a file object or an array.
        upscale: See `bytes_in_flight`.
    """
    header = image_io.peek_header(source)
    return BYTES_PER_PICTURE if header is None else bytes_in_flight(header, upscale=upscale)


def bytes_in_flight(header: image_io.Header, *, upscale: int = 0) -> int:
    """Bytes that a picture with this header is predicted to take at its fullest moment.

    That is either while it is decoded or while its result is encoded.

    Args:
        header: Of the picture.
        upscale: Times the sides that it is enhanced to; 0: it is not enhanced.
    """
    pixels = header.height * header.width
    if upscale:
        each = BYTES_PER_PIXEL * upscale * upscale + _BYTES_PER_ENHANCED_PIXEL
        fullest = pixels * each * header.sample_bytes + ENHANCING_BYTES
    else:
        fullest = pixels * BYTES_PER_PIXEL * header.sample_bytes
    return BYTES_PER_PICTURE + max(header.decode_bytes, fullest)
