"""Interim."""

from __future__ import annotations

import struct
import zlib

import numpy as np

from nssbg._image_io.encode import Output


def write_png(output: Output) -> bytes:
    p = output.pixels
    h, w, c = p.shape

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    raw = (
        np.ascontiguousarray(p.astype(">u2") if p.dtype == np.uint16 else p)
        .reshape(h, -1)
        .view(np.uint8)
    )
    rows = np.zeros((h, raw.shape[1] + 1), np.uint8)
    rows[:, 1:] = raw
    out = b"\x89PNG\r\n\x1a\n" + chunk(
        b"IHDR", struct.pack(">IIBBBBB", w, h, p.itemsize * 8, {1: 0, 3: 2, 4: 6}[c], 0, 0, 0)
    )
    if output.icc_profile:
        out += chunk(b"iCCP", b"icc\0\0" + zlib.compress(output.icc_profile))
    if output.dpi:
        out += chunk(b"pHYs", struct.pack(">IIB", *(round(d / 0.0254) for d in output.dpi), 1))
    if output.exif:
        out += chunk(b"eXIf", output.exif)
    return out + chunk(b"IDAT", zlib.compress(rows.tobytes(), 1)) + chunk(b"IEND", b"")
