"""A store as a few operations on whole objects: local folders, and what fsspec reaches.

Names in, bytes out. An object is there whole or not at all; `create` is the one operation that two
writers cannot both win. What fails for the moment (503, a lost connection, a time-out) is tried
again, with pauses that grow; what does not pass is a StorageError that names the address.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import itertools
import os
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from nssbg import _fs
from nssbg._errors import NssbgError, OptionError
from nssbg._installed import installed, not_installed
from nssbg.batch.address import is_uri, joined, local_path
from nssbg.batch.sink import StorageError, file_stamp

__all__ = ["Found", "FsspecObjects", "LocalObjects", "Objects", "fs_and_path", "open_objects"]

Value = TypeVar("Value")

# Tries of one operation, and the longest first pause in seconds; it doubles, up to _LONGEST_PAUSE.
TRIES = 7
FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 8.0
# Objects that S3 removes in one request.
_REMOVED_TOGETHER = 1000
_PASSING = {
    errno.EAGAIN,
    errno.EBUSY,  # what s3fs makes of 503 SlowDown and ServiceUnavailable
    errno.ECONNABORTED,
    errno.ECONNREFUSED,
    errno.ECONNRESET,
    errno.EHOSTUNREACH,
    errno.ENETUNREACH,
    errno.EPIPE,
    errno.ETIMEDOUT,
    getattr(errno, "EREMOTEIO", errno.EIO),  # 500 InternalError
    errno.EIO,
}
# Words of errors that libraries of stores raise without a number.
_PASSING_WORDS = (
    "slowdown", "slow down", "reduce your request", "service unavailable", "serviceunavailable",
    "internalerror", "internal error", "timed out", "timeout", "connection", "503", "502", "504",
    "temporarily", "throttl", "incompleteread", "payload is not completed", "endpoint url",
)  # fmt: skip
_STAMPS = ("ETag", "etag", "md5Hash")
_TIMES = ("mtime", "updated", "LastModified", "last_modified", "created")


@dataclass(frozen=True)
class Found:
    """An object of a listing.

    Attributes:
        name: Relative to the store's root.
        bytes: Its length.
        stamp: A short text that changes when its bytes do.
    """

    name: str
    bytes: int
    stamp: str


class Objects(Protocol):
    """Whole objects below one root; safe to use from several threads."""

    @property
    def address(self) -> str:
        """The root's address, for messages and for joining names to."""
        ...

    def read(self, name: str) -> bytes:
        """An object's bytes.

        Raises:
            FileNotFoundError: There is none.
            StorageError: The store does not answer.
        """
        ...

    def put(self, name: str, data: bytes) -> None:
        """Write an object, in place of one that is there."""
        ...

    def create(self, name: str, data: bytes) -> bool:
        """Write an object where there is none; False where there is one.

        Of several writers one gets True; after a lost answer it may be none, so that who gets
        False has to read whose bytes are there.
        """
        ...

    def move(self, source: str, target: str) -> None:
        """Give an object another name, in place of what has it; both names may be seen meanwhile.

        Raises:
            FileNotFoundError: There is no such object.
        """
        ...

    def remove(self, name: str) -> None:
        """Remove an object; it may be gone already."""
        ...

    def remove_all(self, names: Iterable[str]) -> None:
        """Remove many objects, in as few requests as the store allows."""
        ...

    def find(self, prefix: str = "") -> Iterator[Found]:
        """All objects below a folder, sorted by name."""
        ...

    def stamp(self, name: str) -> str | None:
        """An object's stamp; None where there is none."""
        ...


class LocalObjects:
    """A folder of this machine, or a network share that all machines have mounted.

    Args:
        root: The folder.
        sync: Whether contents are on the disk before a file has its name.
    """

    def __init__(self, root: str | os.PathLike[str], *, sync: bool = True) -> None:
        self._root = Path(root)
        self._sync = sync

    @property
    def address(self) -> str:
        """See `Objects.address`."""
        return os.fspath(self._root)

    def read(self, name: str) -> bytes:
        """See `Objects.read`."""
        with self._told(name):
            return (self._root / name).read_bytes()

    def put(self, name: str, data: bytes) -> None:
        """See `Objects.put`."""
        self._write(name, data, overwrite=True)

    def create(self, name: str, data: bytes) -> bool:
        """See `Objects.create`."""
        try:
            self._write(name, data, overwrite=False)
        except FileExistsError:
            return False
        return True

    def move(self, source: str, target: str) -> None:
        """See `Objects.move`."""
        path = self._root / target
        with self._told(target):
            path.parent.mkdir(parents=True, exist_ok=True)
            (self._root / source).replace(path)

    def remove(self, name: str) -> None:
        """See `Objects.remove`."""
        with self._told(name), contextlib.suppress(FileNotFoundError):
            (self._root / name).unlink()

    def remove_all(self, names: Iterable[str]) -> None:
        """See `Objects.remove_all`."""
        for name in names:
            self.remove(name)

    def find(self, prefix: str = "") -> Iterator[Found]:
        """See `Objects.find`."""
        top = self._root / prefix
        found = []
        for folder, _, names in os.walk(top):
            for name in names:
                path = Path(folder, name)
                with contextlib.suppress(FileNotFoundError):
                    status = path.stat()
                    relative = path.relative_to(self._root).as_posix()
                    found.append(Found(relative, status.st_size, file_stamp(status)))
        return iter(sorted(found, key=lambda one: os.fsencode(one.name)))

    def stamp(self, name: str) -> str | None:
        """See `Objects.stamp`."""
        try:
            return file_stamp((self._root / name).stat())
        except (OSError, ValueError):
            return None

    def _write(self, name: str, data: bytes, *, overwrite: bool) -> None:
        path = self._root / name
        with self._told(name):
            path.parent.mkdir(parents=True, exist_ok=True)
            _fs.write(path, data, overwrite=overwrite, sync=self._sync)

    @contextlib.contextmanager
    def _told(self, name: str) -> Iterator[None]:
        try:
            yield
        except (FileNotFoundError, FileExistsError):
            raise
        except OSError as error:
            path = self._root / name
            raise StorageError(f"{path}: {_fs.reason(error, path)}") from error


class FsspecObjects:
    """A folder or prefix of a file system of fsspec.

    Args:
        filesystem: Of fsspec.
        root: The folder there, as the file system has it (s3: bucket/prefix).
        address: The same as a URI; "" where none is known.
        tries: Of each operation.
        pause: Seconds before the second try, at most; each next pause is up to twice as long.
    """

    def __init__(
        self,
        filesystem: Any,
        root: str,
        *,
        address: str = "",
        tries: int = TRIES,
        pause: float = FIRST_PAUSE,
    ) -> None:
        self._system = filesystem
        self._root = root.rstrip("/")
        self._address = address or self._root
        self._tries = tries
        self._pause = pause
        # The memory file system looks and then writes: two threads could both find nothing.
        protocol = getattr(filesystem, "protocol", "")
        names = (protocol,) if isinstance(protocol, str) else tuple(protocol)
        self._alone: Any = _memory_lock if "memory" in names else contextlib.nullcontext()

    @property
    def address(self) -> str:
        """See `Objects.address`."""
        return self._address

    def read(self, name: str) -> bytes:
        """See `Objects.read`."""
        return bytes(self._tried("read", name, lambda: self._system.cat_file(self._path(name))))

    def put(self, name: str, data: bytes) -> None:
        """See `Objects.put`."""
        with self._placed(name):
            self._tried("write", name, lambda: self._system.pipe_file(self._path(name), data))

    def create(self, name: str, data: bytes) -> bool:
        """See `Objects.create`."""

        def once() -> bool:
            try:
                with self._alone:
                    self._system.pipe_file(self._path(name), data, mode="create")
            except FileExistsError:
                return False
            except OSError as error:
                if _is_taken(error):
                    return False
                raise
            return True

        with self._placed(name):
            return self._tried("write", name, once)

    def move(self, source: str, target: str) -> None:
        """See `Objects.move`: copied within the store, then removed."""

        def once() -> None:
            with self._alone:
                self._system.cp_file(self._path(source), self._path(target))

        self._tried("write", target, once)
        self.remove(source)

    def remove(self, name: str) -> None:
        """See `Objects.remove`."""

        def once() -> None:
            with contextlib.suppress(FileNotFoundError), self._alone:
                self._system.rm_file(self._path(name))

        self._tried("remove", name, once)

    def remove_all(self, names: Iterable[str]) -> None:
        """See `Objects.remove_all`."""
        left = iter(names)
        while some := list(itertools.islice(left, _REMOVED_TOGETHER)):
            paths = list(map(self._path, some))
            try:
                self._tried("remove", some[0], functools.partial(self._system.rm, paths))
            except FileNotFoundError:  # one of them is gone already
                for name in some:
                    self.remove(name)

    def find(self, prefix: str = "") -> Iterator[Found]:
        """See `Objects.find`."""

        def once() -> dict[str, Any]:
            self._system.invalidate_cache()
            try:
                made = self._system.find(self._path(prefix), detail=True)
            except FileNotFoundError:
                return {}
            return made if isinstance(made, dict) else {}

        found = []
        for path, info in self._tried("list", prefix, once).items():
            if info.get("type", "file") == "file" and not path.endswith("/"):
                name = path.strip("/").removeprefix(self._root.strip("/")).lstrip("/")
                found.append(Found(name, int(info.get("size") or 0), _stamp_of(info)))
        return iter(sorted(found, key=lambda one: os.fsencode(one.name)))

    def stamp(self, name: str) -> str | None:
        """See `Objects.stamp`."""

        def once() -> str | None:
            self._system.invalidate_cache(self._path(name))
            try:
                info = self._system.info(self._path(name))
            except FileNotFoundError:
                return None
            return _stamp_of(info) if info.get("type", "file") == "file" else None

        return self._tried("look at", name, once)

    @contextlib.contextmanager
    def _placed(self, name: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise StorageError(
                f"cannot write {joined(self._address, name)}: {_words(error)}; make the bucket or "
                "container first, or look after the address"
            ) from error

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}" if name else self._root

    def _tried(self, what: str, name: str, once: Callable[[], Value]) -> Value:
        """The operation's value, tried again while what fails may pass."""
        address = joined(self._address, name)
        for number in range(1, self._tries + 1):
            try:
                return once()
            except (FileNotFoundError, NssbgError):
                raise
            except Exception as error:
                passing = _may_pass(error)
                if not passing or number == self._tries:
                    hint = (
                        f" ({number} tries); look after the store or the network, then run the "
                        "same command again: it goes on where it stopped"
                        if passing
                        else "; look after the address and the rights to it"
                    )
                    raise StorageError(f"cannot {what} {address}: {_words(error)}{hint}") from error
                longest = min(_LONGEST_PAUSE, self._pause * 2 ** (number - 1))
                # Spread out: a thousand workers that come back together meet the same 503.
                time.sleep(longest * random.uniform(0.5, 1.0))
        raise AssertionError


_memory_lock = threading.RLock()


def fs_and_path(address: str, *, of: Any = None) -> tuple[Any, str]:
    """fsspec's file system of a URI, and the path there.

    Args:
        address: A URI.
        of: Options of the file system, as fsspec takes them; None: its defaults.

    Raises:
        OptionError: fsspec, or what it needs for this kind of store, is not installed; or the URI
            names a kind that it does not know.
    """
    scheme = address.partition("://")[0].lower()
    if not installed("fsspec"):
        raise OptionError(f"{address}: {not_installed('fsspec')}")
    from fsspec.core import url_to_fs

    options: dict[str, Any] = {"use_listings_cache": False, **(of or {})}
    if scheme in ("s3", "s3a"):
        # Tries are made here alone: three layers of them would wait for minutes.
        options["config_kwargs"] = {
            "connect_timeout": 10,
            "read_timeout": 60,
            "retries": {"total_max_attempts": 1},
            **options.pop("config_kwargs", {}),
        }
    try:
        system, path = url_to_fs(address, **options)
    except ImportError as error:
        package = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs"}.get(scheme, "adlfs")
        how = not_installed("s3fs") if package == "s3fs" else (
            f"{package} is not installed; try: pip install {package}"
        )  # fmt: skip
        raise OptionError(f"{address}: {how}") from error
    except ValueError as error:
        raise OptionError(f"{address}: no kind of store that is known here ({error})") from error
    if scheme in ("s3", "s3a"):
        system.retries = 1
    return system, str(path)


def open_objects(address: str | os.PathLike[str], filesystem: Any = None) -> Objects:
    """The objects below an address.

    Args:
        address: A folder or a URI; with `filesystem` a path there.
        filesystem: Of fsspec; None: what the address names.

    Raises:
        OptionError: See `fs_and_path`.
    """
    text = os.fspath(address)
    if filesystem is not None:
        if not hasattr(filesystem, "pipe_file"):
            name = type(filesystem).__name__
            raise OptionError(f"filesystem is a {name}; expected one of fsspec")
        return FsspecObjects(filesystem, text)
    if not is_uri(text):
        return LocalObjects(local_path(text))
    system, path = fs_and_path(text)
    return FsspecObjects(system, path, address=text.rstrip("/"))


def _stamp_of(info: dict[str, Any]) -> str:
    """Length and checksum; where a store has no checksum, length and time."""
    for keys in (_STAMPS, _TIMES):
        for key in keys:
            value = info.get(key)
            if value:
                # One library's listings have seconds where its look-ups have a date.
                moment = value.timestamp() if hasattr(value, "timestamp") else value
                return f"{info.get('size')} {moment}"
    return f"{info.get('size')}"


def _is_taken(error: OSError) -> bool:
    words = str(error).lower()
    # 412 of S3; 409 where another conditional put of the same key is under way.
    return any(
        word in words
        for word in ("pre-condition", "precondition", "conditionalrequestconflict", "412", "exists")
    )


def _may_pass(error: Exception) -> bool:
    if isinstance(error, (PermissionError, IsADirectoryError, NotADirectoryError)):
        return False
    if isinstance(error, (TimeoutError, ConnectionError)):
        return True
    if isinstance(error, OSError) and error.errno in _PASSING:
        return True
    words = f"{type(error).__name__} {error}".lower()
    return any(word in words for word in _PASSING_WORDS)


def _words(error: Exception) -> str:
    text = str(error) or type(error).__name__
    return text.splitlines()[0][:300]
