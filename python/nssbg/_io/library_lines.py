"""Keeps what libraries print and log about a file that is being read here from the host's stderr.

For a damaged file one clear error is raised; the lines of libtiff, Pillow and tifffile beside it
only hide it. Silent is the reading thread alone, for as long as it reads: other threads, and a
host's own use of the same libraries, stay as they were.
"""

from __future__ import annotations

import ctypes
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

__all__ = ["no_library_lines"]

_log = logging.getLogger(__name__)

# What speaks of a file while it is read; a filter meets only what is logged under its very name.
_LOGGERS = (
    "PIL.Image",
    "PIL.ImageFile",
    "PIL.PngImagePlugin",
    "PIL.TiffImagePlugin",
    "tifffile",
)
_reading = threading.local()


@contextmanager
def no_library_lines() -> Iterator[None]:
    """Drop what the reading libraries would print or log from this thread."""
    from nssbg import _core

    _stand_before()
    depth = getattr(_reading, "depth", 0)
    _reading.depth = depth + 1
    _core.silence_thread(True)
    try:
        yield
    finally:
        _core.silence_thread(False)
        _reading.depth = depth


def _from_others(record: logging.LogRecord) -> bool:
    """A logging filter: whether a record's thread, which is this one, reads no file for us."""
    return not getattr(_reading, "depth", 0)


@lru_cache(maxsize=1)
def _stand_before() -> None:
    """Once: filter the loggers, and find the libtiff that Pillow runs (linked in, it prints on)."""
    from nssbg import _core

    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_from_others)

    path = _library()
    if path is None:
        return
    try:
        setter = ctypes.CDLL(path).TIFFSetErrorHandler
    except (OSError, AttributeError) as error:
        _log.debug("libtiff's messages stay: %s", error)
        return
    address = ctypes.cast(setter, ctypes.c_void_p).value
    if address:
        _core.stand_before_error_handler(address)


def _library() -> str | None:
    """The file of the libtiff that is loaded, or the one that Pillow's macOS wheels carry."""
    import PIL
    import PIL._imaging

    try:
        lines = Path("/proc/self/maps").read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        found = sorted((Path(PIL.__file__).parent / ".dylibs").glob("libtiff*.dylib"))
        return str(found[0]) if found else None
    for line in lines:
        path = line.split(maxsplit=5)[-1]
        if "/libtiff" in path and "/libtiff" in f"/{Path(path).name}":
            return path
    return None
