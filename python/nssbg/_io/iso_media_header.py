"""Sizes in AVIF and HEIC files: every picture, tile and track that a file declares."""

from __future__ import annotations

import struct

from nssbg._io.boxes import Box, boxes
from nssbg._io.header import Header, HeaderError
from nssbg._io.span import Span

__all__ = ["read"]

# Box kind -> bytes of its own before the boxes in it.
_CONTAINERS = {
    b"meta": 4,
    b"iprp": 0,
    b"ipco": 0,
    b"moov": 0,
    b"trak": 0,
    b"mdia": 0,
    b"minf": 0,
    b"stbl": 0,
    b"stsd": 8,
}
_TRACK_ENTRIES = (b"av01", b"hvc1", b"hev1")
_MOST_BOXES = 100_000
# Planes of the decoder, RGBA of the library, Pillow's copy and ours.
_PER_PIXEL = 22


def read(span: Span) -> Header:
    """The primary picture's size, and the largest area of all that may be decoded for it.

    Raises:
        HeaderError: The file says no size.
    """
    properties: list[tuple[int, int] | None] = []
    tracks: list[tuple[int, int]] = []
    primary, links = None, b""
    waiting = [Box(b"", 0, span.size)]
    seen = 0
    while waiting:
        outer = waiting.pop()
        for box in boxes(span, outer.start, outer.end):
            seen += 1
            if seen > _MOST_BOXES:
                raise HeaderError(f"it has more than {_MOST_BOXES} boxes")
            if outer.kind == b"ipco":
                properties.append(_extent(span, box))
            if box.kind in _CONTAINERS:
                waiting.append(Box(box.kind, box.start + _CONTAINERS[box.kind], box.end))
            elif box.kind in _TRACK_ENTRIES:
                columns, rows = span.unpack(">HH", box.start + 24)
                tracks.append((columns, rows))
            elif box.kind == b"pitm":
                wide = span.at(box.start, 1) != b"\0"
                (primary,) = span.unpack(">I" if wide else ">H", box.start + 4)
            elif box.kind == b"ipma":
                links = span.at(box.start, min(box.end - box.start, 1 << 20))
    sizes: list[tuple[int, int]] = [size for size in (*properties, *tracks) if size is not None]
    if not sizes:
        raise HeaderError("it is damaged or cut short: it does not say its size")
    largest = max(sizes, key=lambda size: size[0] * size[1])
    width, height = _of_primary(primary, links, properties) or largest
    area = largest[0] * largest[1]
    return Header(width, height, decode_bytes=area * _PER_PIXEL, coded_pixels=area)


def _extent(span: Span, box: Box) -> tuple[int, int] | None:
    if box.kind != b"ispe":
        return None
    columns, rows = span.unpack(">II", box.start + 4)
    return int(columns), int(rows)


def _of_primary(
    primary: int | None, links: bytes, properties: list[tuple[int, int] | None]
) -> tuple[int, int] | None:
    """The size among the properties that an item is linked with (an ipma box)."""
    if primary is None or len(links) < 8:
        return None
    wide_items, wide_links = links[0] > 0, bool(links[3] & 1)
    count = int.from_bytes(links[4:8], "big")
    at = 8
    try:
        for _ in range(min(count, len(links))):
            item = struct.unpack_from(">I" if wide_items else ">H", links, at)[0]
            at += 4 if wide_items else 2
            linked = links[at]
            at += 1
            for _ in range(linked):
                if wide_links:
                    index = int.from_bytes(links[at : at + 2], "big") & 0x7FFF
                else:
                    index = links[at] & 0x7F
                at += 2 if wide_links else 1
                extent = properties[index - 1] if 0 < index <= len(properties) else None
                if item == primary and extent is not None:
                    return extent
    except (struct.error, IndexError):
        pass
    return None
