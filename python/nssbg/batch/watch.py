"""Waits for pictures to come into folders; a file is taken once it has stopped changing."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from nssbg._errors import OptionError
from nssbg.batch.sink import file_stamp

__all__ = ["QUIET", "Settling", "arrivals"]

# Seconds that a file has to stay as it is: a copy over a slow network pauses for less.
QUIET = 2.0
_STEP_MS = 200


class Settling:
    """Files that may still be written to, and since when each has been the same.

    Args:
        quiet: Seconds that a file has to stay as it is.
    """

    def __init__(self, quiet: float = QUIET) -> None:
        self._quiet = quiet
        self._since: dict[str, tuple[str, float]] = {}

    def touch(self, path: str, now: float) -> None:
        """A file came, or something happened to it."""
        stamp = _stamp(path)
        if stamp is not None:
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
    try:
        from watchfiles import watch
    except ImportError:
        raise OptionError(
            "--watch needs the package watchfiles: pip install 'nssbg[watch]'"
        ) from None
    tops = [os.fspath(folder) for folder in folders]
    for top in tops:
        if not Path(top).is_dir():
            raise OptionError(f"{top}: --watch takes folders, and this is none")
    settling = Settling(quiet)
    begun = time.monotonic()
    # Changes are listened for before the folders are read: nothing can come in between.
    changes = watch(
        *tops,
        step=50,
        rust_timeout=_STEP_MS,
        yield_on_timeout=True,
        stop_event=_Stop(stopping),
        raise_interrupt=False,
    )
    first = next(changes, None)
    for top in tops:
        for folder, folders_below, files in os.walk(top):
            folders_below[:] = [name for name in folders_below if not name.startswith(".")]
            for name in files:
                settling.touch(os.path.join(folder, name), begun)  # noqa: PTH118
    while first is not None and not stopping():
        now = time.monotonic()
        for _, path in first:
            if Path(path).is_file():
                settling.touch(path, now)
        for path in settling.unchanged(now):
            if stopping():
                return
            yield path
        first = next(changes, None)


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
