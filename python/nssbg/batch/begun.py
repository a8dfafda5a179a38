"""Which work units are being worked on: an append-only log that no thread waits for.

Not flushed to disk: a process that is killed leaves it whole, and what a power cut loses of it does
no harm. A unit that was begun often without an end is one that ends the process.
"""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path

from nssbg import _fs
from nssbg.batch.sink import telling

__all__ = ["Begun", "open_units"]


def open_units(path: Path) -> Counter[bytes]:
    """Units that were begun and have no end, and how often each was begun since its last."""
    counts: Counter[bytes] = Counter()
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return counts
    for line in lines:
        try:
            identity = bytes.fromhex(line[1:].decode("ascii"))
        except ValueError:  # cut short
            continue
        if line[:1] == b"+":
            counts[identity] += 1
        elif line[:1] == b"-":
            counts.pop(identity, None)
    return counts


class Begun:
    """The log of one output folder; safe to use from several threads.

    Args:
        path: The file; made when a unit is first begun.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._counts = open_units(path)
        with telling(path):
            self._rewrite()

    def count(self, identity: bytes) -> int:
        """How often a unit was begun since its last end."""
        with self._lock:
            return self._counts[identity]

    def begin(self, identity: bytes) -> int:
        """Note that a unit is being worked on; how often that now was."""
        with self._lock:
            self._append(b"+", identity)
            self._counts[identity] += 1
            return self._counts[identity]

    def end(self, identity: bytes) -> None:
        """Note that a unit came to its end, if it was begun."""
        with self._lock:
            if self._counts.pop(identity, 0):
                self._append(b"-", identity)

    def close(self) -> None:
        """Shorten the log to what has no end."""
        with self._lock:
            self._rewrite()

    def _append(self, sign: bytes, identity: bytes) -> None:
        with telling(self._path):
            _fs.append(self._path, sign + identity.hex().encode() + b"\n")

    def _rewrite(self) -> None:
        if not self._counts and not self._path.exists():
            return
        lines = [
            b"+" + identity.hex().encode() + b"\n"
            for identity, count in self._counts.items()
            for _ in range(count)
        ]
        _fs.write(self._path, b"".join(lines), sync=False)
