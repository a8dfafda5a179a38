"""Where outputs go: a folder of this machine, or a file system of another library's.

A sink takes a name and a file's bytes, writes them whole or not at all, and says what it wrote. It
knows nothing of pictures.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from nssbg import _fs
from nssbg._errors import ImageEncodeError

__all__ = [
    "FileSystemSink",
    "LocalSink",
    "Sink",
    "StorageError",
    "Stored",
    "file_stamp",
    "sink_for",
]

# What ails the place and not the picture: the next write would fail as well.
_OF_THE_PLACE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ENODEV, errno.ESTALE}

# Protocols of fsspec under which an object is there whole or not at all.
_OBJECT_STORES = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oss", "r2", "memory"}


class StorageError(ImageEncodeError):
    """The place that outputs go to takes no more: a full disk, a lost mount. Nothing is torn."""


@dataclass(frozen=True)
class Stored:
    """A file as it was written.

    Attributes:
        name: Relative to the sink's root, folders with "/".
        bytes: Its length.
        sha256: Hex digest of its bytes.
        stamp: See `Sink.stamp`; "" where it is not known.
    """

    name: str
    bytes: int
    sha256: str
    stamp: str = ""


class Sink(Protocol):
    """What outputs are written to."""

    def write(self, name: str, data: bytes, *, overwrite: bool = True) -> Stored:
        """Write a file whole or not at all; folders are made.

        Raises:
            StorageError: The place takes no more.
            ImageEncodeError: This file cannot be written there.
        """
        ...

    def stamp(self, name: str) -> str | None:
        """A short text that changes when the file does; None where there is no file."""
        ...

    def sha256(self, name: str) -> str | None:
        """Hex digest of a file's bytes as they are now; None where it cannot be read."""
        ...


def file_stamp(status: os.stat_result) -> str:
    """A text that changes when a file does: length, both times, number.

    Only compared for being the same, never for being later: a clock that was set back does no harm.
    """
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}"


class LocalSink:
    """A folder of this machine.

    Args:
        root: The folder; it is made when something is first written.
        sync: Whether contents are on the disk before a file has its name.
    """

    def __init__(self, root: str | os.PathLike[str], *, sync: bool = True) -> None:
        self.root: Path = Path(root)
        self._sync = sync

    def path(self, name: str) -> Path:
        """Where a name lies."""
        return self.root / name

    def write(self, name: str, data: bytes, *, overwrite: bool = True) -> Stored:
        """See `Sink.write`."""
        target = self.root / name
        with telling(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            _fs.write(target, data, overwrite=overwrite, sync=self._sync)
            stamp = file_stamp(target.stat())
        return Stored(name, len(data), hashlib.sha256(data).hexdigest(), stamp)

    def stamp(self, name: str) -> str | None:
        """See `Sink.stamp`."""
        try:
            return file_stamp((self.root / name).stat())
        except (OSError, ValueError):
            return None

    def sha256(self, name: str) -> str | None:
        """See `Sink.sha256`."""
        digest = hashlib.sha256()
        try:
            with (self.root / name).open("rb") as file:
                while piece := file.read(1 << 20):
                    digest.update(piece)
        except OSError:
            return None
        return digest.hexdigest()

    def sweep(self) -> int:
        """Remove part files that dead runs left anywhere below the root; how many there were."""
        count = 0
        for folder, _, files in os.walk(self.root):
            if any(name.endswith(".part") for name in files):
                count += len(_fs.sweep(folder))
        return count


class FileSystemSink:
    """A folder of an fsspec or pyarrow file system: object stores, network shares.

    An object store shows an object when it is whole. On what else fsspec reaches, a file is written
    under another name in its folder and renamed; pyarrow's file systems write in place, where a
    killed process can leave a file cut short, which its recorded digest gives away.

    Args:
        filesystem: With fsspec's `pipe_file`, `cat_file`, `info` and `makedirs`, or pyarrow's
            `open_output_stream`, `open_input_stream`, `get_file_info` and `create_dir`.
        root: Folder or prefix there.
    """

    def __init__(self, filesystem: Any, root: str) -> None:
        self._arrow = hasattr(filesystem, "open_output_stream")
        if not self._arrow and not hasattr(filesystem, "pipe_file"):
            raise TypeError(
                f"filesystem is a {type(filesystem).__name__}; expected one of fsspec or pyarrow.fs"
            )
        self._system = filesystem
        self._root = root.rstrip("/")
        protocol = getattr(filesystem, "protocol", ())
        names = {protocol} if isinstance(protocol, str) else set(protocol)
        # Whether what is written shows only when it is whole.
        self._objects = not names or bool(names & _OBJECT_STORES)

    def write(self, name: str, data: bytes, *, overwrite: bool = True) -> Stored:
        """See `Sink.write`."""
        path = f"{self._root}/{name}"
        with telling(path):
            if not overwrite and self.stamp(name) is not None:
                raise FileExistsError(errno.EEXIST, "it is there already", path)
            # Two writers may both have found nothing: a store's conditional write lets one through.
            how = {} if overwrite or not self._objects else {"mode": "create"}
            folder = path.rpartition("/")[0]
            if self._arrow:
                self._system.create_dir(folder, recursive=True)
                with self._system.open_output_stream(path) as stream:
                    stream.write(data)
            elif self._objects:
                self._system.makedirs(folder, exist_ok=True)
                self._system.pipe_file(path, data, **how)
            else:
                self._system.makedirs(folder, exist_ok=True)
                head, _, tail = path.rpartition("/")
                part = f"{head}/.{tail}.nssbg-{os.urandom(6).hex()}.part"
                try:
                    self._system.pipe_file(part, data)
                    self._system.mv(part, path)
                except BaseException:
                    with contextlib.suppress(Exception):
                        self._system.rm_file(part)
                    raise
        return Stored(name, len(data), hashlib.sha256(data).hexdigest(), self.stamp(name) or "")

    def stamp(self, name: str) -> str | None:
        """See `Sink.stamp`."""
        path = f"{self._root}/{name}"
        try:
            if self._arrow:
                info = self._system.get_file_info(path)
                return f"{info.size} {info.mtime_ns}" if info.is_file else None
            found = self._system.info(path)
        except OSError:
            return None
        keys = ("size", "ETag", "etag", "mtime", "LastModified", "updated")
        return " ".join(str(found[key]) for key in keys if key in found)

    def sha256(self, name: str) -> str | None:
        """See `Sink.sha256`."""
        path = f"{self._root}/{name}"
        try:
            if self._arrow:
                with self._system.open_input_stream(path) as stream:
                    return hashlib.sha256(stream.read()).hexdigest()
            return hashlib.sha256(self._system.cat_file(path)).hexdigest()
        except OSError:
            return None


def sink_for(output: str | os.PathLike[str], filesystem: Any = None) -> Sink:
    """The sink of a folder, on this machine or in a file system of fsspec or pyarrow."""
    if filesystem is None:
        return LocalSink(output)
    return FileSystemSink(filesystem, os.fspath(output))


@contextlib.contextmanager
def telling(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn what goes wrong while a path is written into one clear error that names it.

    Raises:
        StorageError: The place takes no more.
        ImageEncodeError: This file cannot be written.
    """
    try:
        yield
    except FileExistsError as error:
        raise ImageEncodeError(
            f"cannot write {path}: it is there already, and was not to be overwritten"
        ) from error
    except OSError as error:
        if error.errno == errno.ECANCELED:
            raise
        why = _fs.reason(error, path)
        if error.errno in _OF_THE_PLACE:
            hint = {
                errno.ENOSPC: "free some space",
                errno.EDQUOT: "ask for a larger quota, or free some space",
                errno.EROFS: "make it writable",
            }.get(error.errno or 0, "look after the disk or mount")
            raise StorageError(
                f"cannot write {path}: {why}; {hint}, then run the same command again: it goes on "
                "where it stopped"
            ) from error
        raise ImageEncodeError(f"cannot write {path}: {why}") from error
