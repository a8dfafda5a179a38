"""Where compiled networks are kept between processes: one file an entry, written whole.

A key holds everything that the file depends on (runtime and version, weights, shape,
precision, processor), so that a changed machine or library makes a new file and never
meets an old one. The folder is kept below a limit, the longest unused entries go first.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from nssbg._backends.base import log
from nssbg._hardware import cpu_fingerprint

__all__ = ["CompiledCache"]

# Four BiRefNets; a compiled network is as large as its weights.
_LIMIT_BYTES = 4 << 30


class CompiledCache:
    """The folder of compiled networks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def entry(self, runtime: str, *parts: str, suffix: str) -> Path:
        """The file that belongs to these parts on this processor; it need not exist."""
        key = hashlib.sha256("\n".join((runtime, cpu_fingerprint(), *parts)).encode())
        path = self.folder / f"{runtime}-{key.hexdigest()[:24]}{suffix}"
        with contextlib.suppress(OSError):
            os.utime(path)  # used now: stays longest
        return path

    @staticmethod
    @contextlib.contextmanager
    def writing(entry: Path) -> Iterator[Path | None]:
        """A temporary path to write an entry to; renamed to it on success.

        Gives None where the folder cannot be written: then nothing is cached, which costs
        time in the next process and is logged.
        """
        temporary: Path | None = None
        try:
            entry.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(
                dir=entry.parent, prefix=".writing-", suffix=entry.suffix
            )
            os.close(handle)
            temporary = Path(name)
        except OSError as error:
            log.info("%s: compiled networks are not cached: %s", entry.parent, error.strerror)
        try:
            yield temporary
            if temporary is not None and temporary.stat().st_size > 0:
                temporary.replace(entry)
                CompiledCache(entry.parent).trim(keep=entry)
        except OSError as error:
            log.info("%s: not cached: %s", entry, error.strerror)
        finally:
            if temporary is not None:
                temporary.unlink(missing_ok=True)

    def entries(self) -> list[tuple[Path, int, float]]:
        """Path, bytes and time of last use of each entry, the longest unused first."""
        found = []
        with contextlib.suppress(OSError):
            for path in self.folder.iterdir():
                if path.suffix in (".ort", ".blob") and not path.name.startswith("."):
                    with contextlib.suppress(OSError):
                        state = path.stat()
                        found.append((path, state.st_size, state.st_mtime))
        return sorted(found, key=lambda item: item[2])

    def trim(self, *, keep: Path | None = None, limit: int = _LIMIT_BYTES) -> None:
        """Remove the longest unused entries until the folder is within its limit."""
        entries = self.entries()
        total = sum(size for _, size, _ in entries)
        for path, size, _ in entries:
            if total <= limit:
                return
            if path != keep:
                with contextlib.suppress(OSError):
                    path.unlink()
                total -= size
