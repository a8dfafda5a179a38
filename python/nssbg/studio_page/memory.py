"""Arrays that are worth keeping, under one bound: the least lately used go first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Any

from nssbg._memory import available_memory

__all__ = ["Memory", "default_bound"]

_LEAST, _MOST = 256 << 20, 2 << 30


def default_bound() -> int:
    """Bytes that a session keeps in memory: a quarter of what is free, 256 MB to 2 GB."""
    return max(_LEAST, min(_MOST, available_memory() // 4))


class Memory:
    """A cache bounded in bytes; safe to use from several threads.

    Args:
        bound: Bytes; one thing that is larger by itself is kept alone.
    """

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._held = 0

    @property
    def nbytes(self) -> int:
        """Bytes that are kept."""
        return self._held

    def get(self, key: Hashable) -> Any:
        """What was kept under a key, or None."""
        with self._lock:
            found = self._kept.get(key)
            if found is None:
                return None
            self._kept.move_to_end(key)
            return found[0]

    def put(self, key: Hashable, value: Any, nbytes: int) -> None:
        """Keep a value."""
        with self._lock:
            self._drop(key)
            self._kept[key] = (value, nbytes)
            self._held += nbytes
            while self._held > self._bound and len(self._kept) > 1:
                self._drop(next(iter(self._kept)))

    def release(self, prefix: Hashable) -> None:
        """Let go of what is kept under tuples that begin with this."""
        with self._lock:
            for key in [key for key in self._kept if isinstance(key, tuple) and key[0] == prefix]:
                self._drop(key)

    def _drop(self, key: Hashable) -> None:
        found = self._kept.pop(key, None)
        if found is not None:
            self._held -= found[1]
