"""How strongly a JPEG was compressed, from its quantisation tables: what "auto" deblocks by."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any, BinaryIO

from nssbg._types import Frame

__all__ = ["deblock_strength", "quality_from_tables", "quantization_tables"]

# The standard's luminance table at quality 50 (ITU-T T.81, table K.1) sums to this.
_SUM_AT_50 = 3686
# From this quality on nothing is to be seen; at the other one and below, all is asked for.
_CLEAN, _WORST = 95.0, 20.0

_QUANTIZATION, _SCAN = 0xDB, 0xDA
# Segments before the first scan: far more than any camera writes.
_MOST_SEGMENTS = 4096


def quantization_tables(stream: BinaryIO) -> dict[int, tuple[int, ...]]:
    """The tables before the first scan, by number; what is damaged ends the search."""
    tables: dict[int, tuple[int, ...]] = {}
    if stream.read(2) != b"\xff\xd8":
        return tables
    for _ in range(_MOST_SEGMENTS):
        head = stream.read(4)
        if len(head) < 4 or head[0] != 0xFF or head[1] == _SCAN:
            break
        length = struct.unpack(">H", head[2:])[0] - 2
        if head[1] != _QUANTIZATION:
            stream.seek(max(length, 0), io.SEEK_CUR)
            continue
        data, at = stream.read(max(length, 0)), 0
        while at < len(data):
            wide, number = data[at] >> 4, data[at] & 15
            kind = ">64H" if wide else ">64B"
            if at + 1 + struct.calcsize(kind) > len(data):
                return tables
            tables[number] = struct.unpack_from(kind, data, at + 1)
            at += 1 + struct.calcsize(kind)
    return tables


def quality_from_tables(tables: dict[int, Any]) -> float:
    """The quality, 1 to 100, at which libjpeg writes a luminance table of that sum."""
    first = tables[min(tables)]
    share = 100.0 * float(sum(first)) / _SUM_AT_50
    quality = 100.0 - share / 2.0 if share <= 100.0 else 5000.0 / share
    return min(max(quality, 1.0), 100.0)


def deblock_strength(source: Any, frame: Frame) -> float:
    """0 to 1 for a picture as it was handed in; 0 of what is no JPEG file any more.

    Args:
        source: What the caller gave: of a path or bytes the header is looked at.
        frame: It decoded.
    """
    if frame.source_format != "JPEG" or frame.kind not in ("path", "bytes"):
        return 0.0
    try:
        if frame.kind == "bytes":
            tables = quantization_tables(io.BytesIO(source))
        elif Path(source).is_file():  # not a pipe, which was read already
            with Path(source).open("rb") as stream:
                tables = quantization_tables(stream)
        else:
            return 0.0
    except OSError:
        return 0.0
    if not tables:
        return 0.0
    return min(max((_CLEAN - quality_from_tables(tables)) / (_CLEAN - _WORST), 0.0), 1.0)
