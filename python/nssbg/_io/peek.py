"""A picture's size before it is decoded, to predict what it will take.

Only headers are read, by this package's own parsers: no decoder is ever opened.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from nssbg._io.admission import header_of_pixels, read_header
from nssbg._io.header import Header
from nssbg._io.source import kind_of
from nssbg._io.span import Span

__all__ = ["peek_header", "peek_size"]


def peek_size(source: Any) -> tuple[int, int, int] | None:
    """Height, width and bytes per sample of a source, from its header alone.

    Args:
        source: As `decode` takes it. A file object is read from and put back where it was.

    Returns:
        Sizes before any rotation, or None where they cannot be told without decoding.
    """
    header = peek_header(source)
    return None if header is None else (header.height, header.width, header.sample_bytes)


def peek_header(source: Any) -> Header | None:
    """What a source's header says; arguments and None as for `peek_size`."""
    try:
        kind = kind_of(source)
        if kind in ("array", "pil"):
            return header_of_pixels(source)
        if kind == "bytes":
            return read_header(Span(source))
        if kind == "path":
            # Not what is no plain file: to open a pipe would take its first bytes from decode.
            if not Path(source).is_file():
                return None
            with Path(os.fspath(source)).open("rb") as stream:
                return read_header(Span(stream))
        position = source.tell()
        try:
            return read_header(Span(source, position))
        finally:
            source.seek(position)
    except Exception:  # whatever is wrong with it, decode will say it better
        return None
