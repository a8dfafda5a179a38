"""Waits for pictures to come into folders; a file is taken once it has stopped changing."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from nssbg._errors import OptionError
from nssbg._installed import installed, not_installed
from nssbg.batch.sink import file_stamp

__all__ = ["QUIET", "Settling", "arrivals"]

# Seconds that a file has to stay as it is: a copy over a slow network pauses for less.
QUIET = 2.0
_STEP_MS = 200
# Seconds between two scans of all folders.
_LOOK = 5.0


class Settling:
    """Files that may still be written to, and since when each has been the same.

    Args:
        quiet: Seconds that a file has to stay as it is.
    """

    def __init__(self, quiet: float = QUIET) -> None:
        self._quiet = quiet
        self._since: dict[str, tuple[str, float]] = {}
        self._given: dict[str, str] = {}

    def touch(self, path: str, now: float) -> None:
        """A file came, or something may have happened to it."""
        stamp = _stamp(path)
        known = self._since.get(path)
        if stamp is None or self._given.get(path) == stamp or (known and known[0] == stamp):
            return
        self._since[path] = (stamp, now)

    def unchanged(self, now: float) -> list[str]:
        """Files that have stayed the same for long enough, each once, sorted."""
        ready = []
        for path, (stamp, since) in list(self._since.items()):
            present = _stamp(path)
            if present is None:  # gone, or renamed
                del self._since[path]
            elif present != stamp or present.startswith("0 "):
                self._since[path] = (present, now)
            elif now - since >= self._quiet:
                del self._since[path]
                self._given[path] = stamp
                ready.append(path)
        return sorted(ready)


def arrivals(
    folders: Iterable[Any], stopping: Callable[[], bool], *, quiet: float = QUIET
) -> Iterator[str]:
    """Files of folders: those that are there, then those that come, until `stopping()`.

    Args:
        folders: Watched with all that is below them.
        stopping: Asked five times a second.
        quiet: Seconds that a file has to stay as it is before it is taken.

    Raises:
        OptionError: A source is no folder, or nssbg[watch] is not installed.
    """
    if not installed("watchfiles"):
        raise OptionError(f"--watch: {not_installed('watchfiles')}")
    from watchfiles import watch

    tops = [os.fspath(folder) for folder in folders]
    for top in tops:
        if not Path(top).is_dir():
            raise OptionError(f"{top}: --watch takes folders, and this is none")
    settling = Settling(quiet)
    changes = watch(
        *tops,
        step=50,
        rust_timeout=_STEP_MS,
        yield_on_timeout=True,
        stop_event=_Stop(stopping),
        raise_interrupt=False,
    )
    looked = float("-inf")
    # The first answer of `changes` comes once it listens: nothing can come in between.
    for events in changes:
        if stopping():
            return
        now = time.monotonic()
        for _, path in events:
            if not Path(path).is_dir():
                settling.touch(path, now)
        # A new folder is listened to only a moment after it was made, and on network shares there
        # may be no events at all: the folders are looked through as well.
        if now - looked >= _LOOK or any(Path(path).is_dir() for _, path in events):
            looked = now
            for path in _below(tops):
                settling.touch(path, now)
        for path in settling.unchanged(now):
            if stopping():
                return
            yield path


def _below(tops: list[str]) -> Iterator[str]:
    """All files of folders, but for those of hidden ones."""
    for top in tops:
        for folder, folders, files in os.walk(top):
            folders[:] = [name for name in folders if not name.startswith(".")]
            for name in files:
                yield os.path.join(folder, name)  # noqa: PTH118


class _Stop(threading.Event):
    """An event that a function tells of, as `watch` asks for one."""

    def __init__(self, stopping: Callable[[], bool]) -> None:
        super().__init__()
        self._stopping = stopping

    def is_set(self) -> bool:
        return self._stopping()


def _stamp(path: str) -> str | None:
    try:
        return file_stamp(Path(path).stat())
    except (OSError, ValueError):
        return None
