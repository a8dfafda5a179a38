"""Overlaps transfers with work: pictures are fetched before they are asked for, outputs committed
while the next are made.

`Prefetch` looks ahead over units, in their order, as far as a bound on bytes allows; `Recorder`
records entries in threads of its own and gives them back as they are kept.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from nssbg.batch.entry import Entry
from nssbg.batch.manifest import Manifest
from nssbg.batch.resume import Loaded
from nssbg.batch.units import WorkUnit

__all__ = ["AHEAD_BYTES", "Prefetch", "Recorder"]

# Bytes of pictures that may wait to be worked on, and threads that fetch them: a request takes
# some tens of milliseconds whatever its length, so several have to be under way.
AHEAD_BYTES = 256 << 20
READERS = 8
WRITERS = 8
# What a picture is taken for whose length no listing told.
_USUAL_BYTES = 8 << 20


class Prefetch(Iterator[WorkUnit]):
    """Units in their order, each with what is known of it or its picture under way already.

    Used by one thread at a time, as a feed is.

    Args:
        units: What is pulled.
        find: See `Feed.found`; called in threads of its own.
        size: Bytes of a unit's picture; 0 where that is not known.
        readers: Threads.
        ahead: Bytes of pictures that may wait.
    """

    def __init__(
        self,
        units: Iterator[WorkUnit],
        find: Callable[[WorkUnit], Entry | Loaded],
        size: Callable[[WorkUnit], int],
        *,
        readers: int = READERS,
        ahead: int = AHEAD_BYTES,
    ) -> None:
        self._units = units
        self._find = find
        self._size = size
        self._readers = readers
        self._ahead = ahead
        self._pool = ThreadPoolExecutor(readers, "nssbg-fetch")
        self._waiting: deque[WorkUnit] = deque()
        self._under_way: dict[bytes, tuple[Future[Entry | Loaded], int]] = {}
        self._bytes = 0

    def __next__(self) -> WorkUnit:
        """The next unit."""
        self._fill()
        if not self._waiting:
            raise StopIteration
        return self._waiting.popleft()

    def found(self, unit: WorkUnit) -> Entry | Loaded:
        """What is known of a unit, or its picture; waits for it."""
        under_way = self._under_way.pop(unit.identity, None)
        if under_way is None:
            return self._find(unit)
        future, length = under_way
        try:
            return future.result()
        finally:
            self._bytes -= length
            self._fill()

    def close(self) -> None:
        """Let go of what is under way."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._under_way.clear()

    def _fill(self) -> None:
        # Twice as many as are read at once: settled units take no time, and are in the way else.
        while len(self._waiting) < 2 * self._readers and (
            self._bytes < self._ahead or not self._waiting
        ):
            unit = next(self._units, None)
            if unit is None:
                return
            length = self._size(unit) or _USUAL_BYTES
            self._bytes += length
            self._under_way[unit.identity] = (self._pool.submit(self._find, unit), length)
            self._waiting.append(unit)


class Recorder:
    """Records entries, several at a time; used by one thread.

    Args:
        manifest: What keeps them.
        writers: Threads; 0: each is recorded where it is handed over.
    """

    def __init__(self, manifest: Manifest, *, writers: int = WRITERS) -> None:
        self._manifest = manifest
        self._pool = ThreadPoolExecutor(writers, "nssbg-commit") if writers else None
        self._most = 3 * writers
        self._under_way: set[Future[Entry]] = set()
        self._done: deque[Entry] = deque()
        self._lock = threading.Lock()

    def submit(self, entry: Entry) -> None:
        """Have an entry recorded; waits where too many are under way.

        Raises:
            StorageError: An entry could not be kept.
        """
        if self._pool is None:
            self._done.append(self._manifest.record(entry))
            return
        while len(self._under_way) >= self._most:
            self._collect(FIRST_COMPLETED)
        self._under_way.add(self._pool.submit(self._manifest.record, entry))
        self._collect(None)

    def kept(self) -> Iterator[Entry]:
        """Entries that were kept since this was last asked."""
        self._collect(None)
        while self._done:
            yield self._done.popleft()

    def rest(self) -> Iterator[Entry]:
        """Entries as they are kept, until none is under way."""
        yield from self.kept()
        while self._under_way:
            self._collect(FIRST_COMPLETED)
            yield from self.kept()

    def close(self) -> None:
        """Wait for what is under way, whatever becomes of it."""
        if self._pool is not None:
            self._pool.shutdown(wait=True)

    def _collect(self, until: str | None) -> None:
        done, _ = wait(self._under_way, timeout=0 if until is None else None,
                       return_when=until or FIRST_COMPLETED)  # fmt: skip
        for future in done:
            self._under_way.discard(future)
            self._done.append(future.result())
