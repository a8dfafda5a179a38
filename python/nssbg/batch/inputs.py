"""The pictures of a run, whether files of this machine or objects of a store.

What `nssbg.batch.sources` and `nssbg.batch.store.listing` find, read and stamp, behind one face.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from nssbg._pipeline.memory_estimate import BYTES_PER_PICTURE, predicted_bytes
from nssbg.batch.address import is_uri
from nssbg.batch.resume import Loaded, load_file
from nssbg.batch.sink import file_stamp
from nssbg.batch.sources import Item, Problem, scan
from nssbg.batch.store.listing import Sources

__all__ = ["Inputs"]


class Inputs:
    """Finds, stamps and reads pictures; safe to use from several threads once they are found."""

    def __init__(self) -> None:
        self._store = Sources()

    def scan(
        self,
        sources: Iterable[str | os.PathLike[str]],
        *,
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        output: str | os.PathLike[str] | None = None,
    ) -> Iterator[Item | Problem]:
        """See `nssbg.batch.sources.scan`; sources may be URIs, in any order with paths."""
        there = None if output is None else os.fspath(output)
        of_store = is_uri(output)
        for source in sources:
            if is_uri(source):
                yield from self._store.scan(
                    os.fspath(source),
                    include=include,
                    exclude=exclude,
                    output=there if of_store else None,
                )
            else:
                yield from scan(
                    [source],
                    include=include,
                    exclude=exclude,
                    output=None if of_store else output,
                )

    def stamp(self, path: str) -> str:
        """What changes when a picture does; "" where there is none.

        Raises:
            OSError: It cannot be told.
        """
        if is_uri(path):
            return self._store.stamp(path)
        place = Path(path)
        return file_stamp(place.stat()) if place.exists() else ""

    def load(self, path: str) -> Loaded:
        """Read a picture whole.

        Raises:
            ImageDecodeError: It cannot be read.
            StorageError: Its store does not answer.
        """
        return self._store.load(path) if is_uri(path) else load_file(path)

    def size(self, path: str) -> int:
        """Bytes of a picture, where a listing told; else 0."""
        return self._store.sizes.get(path, 0)

    def predicted_bytes(self, path: str, *, upscale: int = 0) -> int:
        """Bytes that a picture takes in flight; of one in a store, nothing is read for it.

        Args:
            path: Of the picture.
            upscale: Times the sides that it is enhanced to; 0: it is not enhanced.
        """
        source: Any = Path(path)
        return BYTES_PER_PICTURE if is_uri(path) else predicted_bytes(source, upscale=upscale)
