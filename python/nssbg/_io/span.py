"""Bytes at any place of a buffer or a seekable file: all that the header parsers read through."""

from __future__ import annotations

import io
import struct
from typing import Any

__all__ = ["Span"]


class Span:
    """Bytes that can be read at any offset; a read past the end is short, never an error.

    Args:
        source: A buffer, or a seekable binary file, whose position is moved.
        start: Where in a file offset 0 lies.
    """

    def __init__(self, source: Any, start: int = 0) -> None:
        self._view: memoryview | None = None
        if isinstance(source, (bytes, bytearray, memoryview)):
            self._view = memoryview(source).cast("B")
            self.size = len(self._view)
        else:
            self._file, self._start = source, start
            self.size = max(0, source.seek(0, io.SEEK_END) - start)

    def at(self, offset: int, count: int) -> bytes:
        """Up to `count` bytes from `offset` on."""
        if offset < 0 or offset >= self.size or count <= 0:
            return b""
        if self._view is not None:
            return bytes(self._view[offset : offset + count])
        self._file.seek(self._start + offset)
        data: bytes = self._file.read(count)
        return data

    def unpack(self, format: str, offset: int) -> tuple[Any, ...]:
        """As struct.unpack_from.

        Raises:
            struct.error: The bytes end before.
        """
        return struct.unpack(format, self.at(offset, struct.calcsize(format)))
