"""Where compiled networks are kept between processes: one file an entry, written whole.

A key holds everything that the file depends on (runtime and version, weights, shape,
precision, processor), so that a changed machine or library makes a new file and never
meets an old one. The name also tells the contents' length and checksum, which are compared before
a runtime sees the file: runtimes take damaged ones as they are, and give another picture. The
folder is kept below a limit, the longest unused entries go first.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nssbg._models.fingerprint import contents_checksum
from nssbg._runtime.base import log
from nssbg._runtime.devices import cpu_fingerprint

__all__ = ["CompiledCache"]

# Four BiRefNets; a compiled network is as large as its weights.
_LIMIT_BYTES = 4 << 30


def _mapped(path: Path) -> NDArray[np.uint8]:
    """A file's bytes: mapped, so that pages are shared, and copy-on-write."""
    return np.memmap(path, dtype=np.uint8, mode="c")


class CompiledCache:
    """The folder of compiled networks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def entry(self, runtime: str, *parts: str, suffix: str) -> Path:
        """What belongs to these parts on this processor: files' names begin with its stem."""
        key = hashlib.sha256("\n".join((runtime, cpu_fingerprint(), *parts)).encode())
        return self.folder / f"{runtime}-{key.hexdigest()[:24]}{suffix}"

    @staticmethod
    def _files(entry: Path) -> list[Path]:
        try:
            return sorted(entry.parent.glob(f"{entry.stem}-*{entry.suffix}"))
        except OSError:
            return []

    @staticmethod
    def read(entry: Path, notes: list[str]) -> tuple[Path, NDArray[np.uint8]] | None:
        """The entry's file and its contents, mapped copy-on-write; None where there is none.

        A file whose contents are not what its name tells is removed, which is logged and
        added to the notes: the caller compiles again.
        """
        for path in CompiledCache._files(entry):
            try:
                data = _mapped(path)
            except (OSError, ValueError) as error:  # ValueError: it is empty
                CompiledCache.refuse(path, f"cannot be read: {error}", notes)
                continue
            if path.name == f"{entry.stem}-{contents_checksum(data.data)}{entry.suffix}":
                with contextlib.suppress(OSError):
                    os.utime(path)  # used now: stays longest
                return path, data
            CompiledCache.refuse(path, "its contents do not fit its checksum", notes)
        return None

    @staticmethod
    def refuse(path: Path, why: str, notes: list[str]) -> None:
        """Remove a file that does not serve, and say so in the log and the notes."""
        line = f"the compiled network {path.name} is damaged and was made again: {why}"
        log.warning("%s (in %s)", line, path.parent)
        notes.append(line)
        CompiledCache.discard(path)

    @staticmethod
    def discard(path: Path) -> None:
        """Remove a file that does not serve; one that cannot be removed is passed over."""
        with contextlib.suppress(OSError):
            path.unlink()

    @staticmethod
    @contextlib.contextmanager
    def writing(entry: Path) -> Iterator[Path | None]:
        """A temporary path to write an entry to; renamed to its place on success.

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
                with temporary.open("rb") as stream:
                    os.fsync(stream.fileno())
                name = f"{entry.stem}-{contents_checksum(_mapped(temporary).data)}{entry.suffix}"
                place = temporary.replace(entry.with_name(name))
                for other in CompiledCache._files(entry):
                    if other != place:
                        CompiledCache.discard(other)
                CompiledCache(entry.parent).trim(keep=place)
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
