"""Writes PNG through the core's encoder; makes the chunks that stand before the pixels."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

from nssbg._errors import OptionError
from nssbg._io.encodable import Encodable

__all__ = ["write_png"]

_METRES_PER_INCH = 0.0254


def write_png(output: Encodable) -> bytes:
    """Encode 8- or 16-bit grey, RGB or RGBA.

    Raises:
        OptionError: A text's keyword is not one that PNG allows.
    """
    from nssbg import _core

    chunks = []
    if output.icc_profile is not None:
        body = b"ICC profile\0\0" + zlib.compress(output.icc_profile, 9)
        chunks.append(_chunk(b"iCCP", body))
    elif output.pixels.shape[2] > 1:
        chunks.append(_chunk(b"sRGB", b"\0"))  # perceptual intent
    if output.dpi is not None:
        per_metre = (min(0x7FFFFFFF, max(1, round(part / _METRES_PER_INCH))) for part in output.dpi)
        chunks.append(_chunk(b"pHYs", struct.pack(">IIB", *per_metre, 1)))
    if output.exif:
        chunks.append(_chunk(b"eXIf", output.exif))
    if output.xmp:
        chunks.append(_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + output.xmp))
    chunks += _texts(output.text)
    encoded: bytes = _core.png_encode(
        output.pixels, output.compression, b"".join(chunks), output.threads
    )
    return encoded


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _texts(texts: Mapping[str, str]) -> list[bytes]:
    """Latin-1 texts as tEXt, others as iTXt in UTF-8."""
    chunks = []
    for keyword, text in texts.items():
        try:
            key = keyword.encode("latin-1")
        except UnicodeEncodeError:
            key = b""
        printable = all(32 <= byte <= 126 or byte >= 161 for byte in key)
        if not 1 <= len(key) <= 79 or not printable or key != key.strip() or b"  " in key:
            raise OptionError(
                f"the keyword {keyword!r} of a text is not allowed in PNG; expected 1 to 79 "
                "Latin-1 characters without leading, trailing or double spaces"
            )
        if "\0" in text:
            raise OptionError(f"the text of {keyword!r} holds a null character")
        try:
            chunks.append(_chunk(b"tEXt", key + b"\0" + text.encode("latin-1")))
        except UnicodeEncodeError:
            chunks.append(_chunk(b"iTXt", key + b"\0\0\0\0\0" + text.encode("utf-8")))
    return chunks
