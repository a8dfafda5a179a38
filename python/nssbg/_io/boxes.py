"""Walks the boxes of ISO base media files (ISO/IEC 14496-12): AVIF, HEIC, JPEG XL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from nssbg._io.header import HeaderError
from nssbg._io.span import Span

__all__ = ["Box", "boxes"]

# Files have tens of boxes on a level; a JPEG XL file in parts may have some thousands.
_MOST_BOXES = 65_536


@dataclass(frozen=True)
class Box:
    """One box: its kind, and where its contents begin and end."""

    kind: bytes
    start: int
    end: int


def boxes(span: Span, start: int, end: int) -> Iterator[Box]:
    """The boxes between two offsets; what is cut short ends the walk.

    Raises:
        HeaderError: There are too many.
    """
    at = start
    for _ in range(_MOST_BOXES):
        if at + 8 > end:
            return
        length, kind = span.unpack(">I4s", at)
        head = 8
        if length == 1 and at + 16 <= end:
            (length,) = span.unpack(">Q", at + 8)
            head = 16
        elif length == 0:
            length = end - at  # to the end of the file
        if length < head or at + length > end:
            return
        yield Box(kind, at + head, at + length)
        at += length
    raise HeaderError(f"it has more than {_MOST_BOXES} boxes on one level")
