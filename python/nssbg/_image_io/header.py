"""Sizes from file headers alone, for formats whose readers allocate or decode when they open.

What is refused here has cost a few bytes of reading, whatever size it claims.
"""

from __future__ import annotations

import struct

from nssbg._errors import ImageDecodeError

__all__ = ["check_size", "size_of"]

_Bytes = bytes | memoryview


def check_size(data: _Bytes, format: str, name: str, max_pixels: int) -> None:
    """Refuse a picture whose header claims more than max_pixels, or no pixels.

    Raises:
        ImageDecodeError: It does.
    """
    size = size_of(data, format)
    if size is None:
        return
    width, height = size
    if width < 1 or height < 1:
        raise ImageDecodeError(f"cannot read {name}: its header says {width} x {height} pixels")
    if width * height > max_pixels:
        raise ImageDecodeError(
            f"cannot read {name}: {width} x {height} pixels are more than max_pixels={max_pixels}; "
            "raise max_pixels if the picture is to be trusted"
        )


def size_of(data: _Bytes, format: str) -> tuple[int, int] | None:
    """Width and height as a header says, or None where only the reader itself can tell."""
    read = _SIZES.get(format)
    if read is None:
        return None
    try:
        return read(data)
    except (struct.error, IndexError):
        return None  # cut short, which the reader will say


def _png(data: _Bytes) -> tuple[int, int]:
    width, height = struct.unpack_from(">II", data, 16)
    return width, height


def _gif(data: _Bytes) -> tuple[int, int]:
    width, height = struct.unpack_from("<HH", data, 6)
    return width, height


def _bmp(data: _Bytes) -> tuple[int, int]:
    (header_size,) = struct.unpack_from("<I", data, 14)
    if header_size == 12:
        width, height = struct.unpack_from("<HH", data, 18)
        return width, height
    width, height = struct.unpack_from("<ii", data, 18)
    return width, abs(height)  # negative: rows from the top down


def _webp(data: _Bytes) -> tuple[int, int] | None:
    kind = bytes(data[12:16])
    if kind == b"VP8X":
        low = int.from_bytes(data[24:27], "little"), int.from_bytes(data[27:30], "little")
        return low[0] + 1, low[1] + 1
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None


def _jxl(data: _Bytes) -> tuple[int, int] | None:
    """The SizeHeader of a JPEG XL codestream (ISO/IEC 18181-1), bare or in its container."""
    start = 0
    if data[0] != 0xFF:
        at = 0
        while True:
            length, kind = struct.unpack_from(">I4s", data, at)
            skip = 8
            if length == 1:
                (length,) = struct.unpack_from(">Q", data, at + 8)
                skip = 16
            if kind == b"jxlc":
                start = at + skip
                break
            if kind == b"jxlp":
                start = at + skip + 4
                break
            if length < skip:
                return None
            at += length
    if bytes(data[start : start + 2]) != b"\xff\x0a":
        return None
    bits = int.from_bytes(data[start + 2 : start + 18], "little")

    def take(count: int) -> int:
        nonlocal bits
        value = bits & ((1 << count) - 1)
        bits >>= count
        return value

    eighths = take(1)

    def side() -> int:
        if eighths:
            return 8 * (1 + take(5))
        return 1 + take((9, 13, 18, 30)[take(2)])

    height = side()
    ratio = take(3)
    if ratio == 0:
        return side(), height
    numerator, denominator = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))[ratio - 1]
    return height * numerator // denominator, height


_SIZES = {"PNG": _png, "GIF": _gif, "BMP": _bmp, "WEBP": _webp, "JXL": _jxl}
