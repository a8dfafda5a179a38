"""Writes files so that a path holds either what it held before or the whole new file.

Everything that nssbg leaves on a disk goes through here. The contents are written to a part
file beside the goal, `.NAME.nssbg-HOST-PID-RANDOM.part`, which is locked while it is written
and renamed when it is whole. A process that is killed can leave such a file; the next write
into the folder removes it, once its owner is known to be gone.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

__all__ = [
    "RefusedError",
    "append",
    "check",
    "discard_parts",
    "identity",
    "is_stream",
    "reason",
    "replacing",
    "sweep",
    "write",
]

# Bytes of the goal's name that its part file repeats, so that a person sees whose it is. File
# systems bound names in bytes (255 on most, 143 under eCryptfs), not in letters.
_NAME_BYTES = 48
_PART = re.compile(r"\..*\.nssbg-([0-9a-f]{8})-([0-9]+)-[0-9a-f]{8}\.part", re.DOTALL)
# A part file this old (in seconds) that nobody holds locked has no owner, even where another
# process has its number by now.
_FORSAKEN = 3600.0
# Names of the process's own open files, which are written to as they stand open.
_OWN_DESCRIPTOR = re.compile(r"/(?:dev|proc/self)/fd/([0-9]+)")
_STANDARD_STREAMS = {"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}
# What link() fails with where a file system has no hard links (FAT, exFAT, some network ones).
_NO_LINKS = {errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EMLINK}

# Part files that this process is writing, with its number: a fork inherits the set.
_parts: set[tuple[int, Path]] = set()
_swept: set[tuple[int, Path]] = set()
# Held while a part file is made or gets its name. By the same thread again where a signal comes
# in between, and by nobody for good: see `discard_parts`.
_naming = threading.RLock()
# The process that makes and names no more files; a fork of it does.
_ended_pid = 0


class RefusedError(OSError):
    """A goal that is not written to; `strerror` says why in words for people."""


def write(
    path: str | os.PathLike[str],
    data: bytes | memoryview,
    *,
    overwrite: bool = True,
    sync: bool = True,
) -> Path:
    """Write data to a file, whole or not at all; into a FIFO or character device, as it comes.

    Args:
        path: The goal; its folder has to exist. A symbolic link is followed. A file that is
            replaced keeps its permission bits and, where that is allowed, its owner.
        data: The whole contents.
        overwrite: Whether a file that is there may be replaced. False: it is an error, also
            where another process makes the file at the same moment.
        sync: Whether the contents are on the disk before the name is. Without it a crash of the
            machine may leave the name over no contents; for what can be made anew.

    Returns:
        The path.

    Raises:
        FileExistsError: A file is there and overwrite is False.
        RefusedError: A folder, a block device, a socket, or a file marked as read-only is there.
        OSError: The folder is missing or not writable, the disk full, ... What the path held
            before is then as it was.
    """
    check(path, overwrite=overwrite)
    if is_stream(path):
        _write_into(os.fspath(path), data)
    else:
        with _part_of(path, overwrite=overwrite, sync=sync) as (handle, _):
            _write_all(handle, data)
    return Path(path)


def append(path: str | os.PathLike[str], data: bytes) -> None:
    """Add one record to the end of a log, which is made where it is not there.

    A killed process or a full disk may leave the last record cut short: whoever reads a log
    passes over a record that is not whole.

    Raises:
        OSError: The folder is missing or not writable, the disk full, ...
    """
    _refuse_at_end()
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | _O_EXTRA, 0o666)
    try:
        _write_all(handle, data)
    finally:
        os.close(handle)


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str], *, overwrite: bool = True) -> Iterator[Path]:
    """As `write`, for libraries that write files themselves: gives them the part file's path.

    It takes the goal's place when the block ends, and is removed when the block raises.
    """
    check(path, overwrite=overwrite)
    with _part_of(path, overwrite=overwrite, sync=False) as (_, part):
        yield part


def check(path: str | os.PathLike[str], *, overwrite: bool = True) -> None:
    """Raise what `write` would raise because of what is at the path now; touches nothing."""
    try:
        status = Path(path).stat()
    except FileNotFoundError:
        return
    except ValueError as error:  # a NUL in the name
        raise RefusedError(errno.EINVAL, f"a file name holds no null character ({error})") from None
    kind = status.st_mode
    if stat.S_ISDIR(kind):
        raise RefusedError(errno.EISDIR, "it is a folder; give a file name")
    if stat.S_ISBLK(kind):
        raise RefusedError(
            errno.EINVAL, "it is a block device, and writing there would destroy a disk"
        )
    if stat.S_ISSOCK(kind):
        raise RefusedError(errno.EINVAL, "it is a socket; give a file name")
    if is_stream(path):
        return
    if not overwrite:
        raise FileExistsError(errno.EEXIST, "it is there already", os.fspath(path))
    # Renaming asks only the folder, and root may write anywhere: the marks are looked at.
    effective = os.access in os.supports_effective_ids
    if not kind & 0o222 or not os.access(path, os.W_OK, effective_ids=effective):
        raise RefusedError(
            errno.EACCES, "it is there already and read-only; make it writable or give another name"
        )


def is_stream(path: str | os.PathLike[str]) -> bool:
    """Whether a path is written into rather than replaced: FIFO, /dev/null, /dev/stdout, ..."""
    if _own_descriptor(os.fspath(path)) is not None:
        return True
    try:
        kind = Path(path).stat().st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(kind) or stat.S_ISCHR(kind)


def identity(path: str | os.PathLike[str]) -> tuple[int, int] | None:
    """What two names of one file share (links, other spellings); None where there is no file."""
    try:
        status = Path(path).stat()
    except (OSError, ValueError):
        return None
    return (status.st_dev, status.st_ino)


def reason(error: OSError, path: str | os.PathLike[str]) -> str:
    """Why a path could not be written, in words for people; the path itself is not repeated."""
    target = Path(path)
    if isinstance(error, RefusedError):
        return error.strerror or str(error)
    if isinstance(error, FileNotFoundError):
        return f"the folder {target.parent} does not exist; make it first"
    if isinstance(error, NotADirectoryError):
        return f"{target.parent} is no folder"
    if isinstance(error, PermissionError):
        return f"no permission to write in {target.parent}"
    if error.errno == errno.ELOOP:
        return "it is a symbolic link that leads in a circle"
    if error.errno == errno.ENAMETOOLONG:
        length = len(os.fsencode(target.name))
        return f"the name is too long for its file system ({length} bytes)"
    return error.strerror or str(error)


def sweep(folder: str | os.PathLike[str]) -> list[Path]:
    """Remove part files that killed processes left in a folder; never one that is being written.

    Gone is the owner whose part file nobody holds locked and who has this machine's name in it
    and a process number that no longer runs. Where locks do not work nothing is removed.

    Returns:
        What was removed.
    """
    removed = []
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            found = _PART.fullmatch(entry.name)
            if found is None or found[1] != _host():
                continue
            with contextlib.suppress(OSError):
                if _remove_if_forsaken(Path(entry.path), int(found[2])):
                    removed.append(Path(entry.path))
    return removed


def discard_parts() -> None:
    """Remove the part files that this process is writing, before it ends at once.

    From then on no file of this process gets its name, and writing one is an OSError with
    ECANCELED: what was not there when this returns will not be there.
    """
    global _ended_pid
    _ended_pid = os.getpid()
    # Waits for a rename under way; a file system that hangs does not keep the process.
    if _naming.acquire(timeout=1.0):
        _naming.release()
    for pid, part in list(_parts):
        if pid == os.getpid():
            with contextlib.suppress(OSError):
                part.unlink()


@contextlib.contextmanager
def _part_of(
    path: str | os.PathLike[str], *, overwrite: bool, sync: bool
) -> Iterator[tuple[int, Path]]:
    """A locked part file beside the goal: its descriptor and path. Renamed at the end."""
    place = Path(os.path.realpath(path))  # Path.resolve stumbles over circles of links
    _sweep_once(place.parent)
    part = _part_name(place)
    ours = (os.getpid(), part)
    with _naming:
        _refuse_at_end()
        # Made by open() and not by mkstemp, so that umask and the folder's defaults hold.
        handle = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | _O_EXTRA, 0o666)
        _parts.add(ours)
    try:
        try:
            _lock(handle)
            yield handle, part
            if sync:
                os.fsync(handle)
            with _naming:
                _refuse_at_end()
                _keep_owner_and_mode(place, part)
                if os.name == "nt":  # an open file cannot be renamed there
                    os.close(handle)
                    handle = -1
                _rename(part, place, overwrite=overwrite)
        finally:
            if handle >= 0:
                os.close(handle)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink()
        raise
    finally:
        _parts.discard(ours)


def _refuse_at_end() -> None:
    if _ended_pid == os.getpid():
        raise OSError(errno.ECANCELED, os.strerror(errno.ECANCELED))


def _after_fork() -> None:
    global _naming
    _naming = threading.RLock()  # a thread that is not here may have held it


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

# Binary mode on Windows; elsewhere a part file is not handed on to programs that are started.
_O_EXTRA = getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


def _part_name(place: Path) -> Path:
    tail = f".nssbg-{_host()}-{os.getpid()}-{os.urandom(4).hex()}.part"
    try:
        limit = os.pathconf(place.parent, "PC_NAME_MAX")
    except (AttributeError, OSError, ValueError):  # Windows, or a file system that does not say
        limit = 255
    room = max(0, min(_NAME_BYTES, limit - len(tail) - 1))
    # Cut between letters; bytes that are no UTF-8 are left out, as some file systems refuse them.
    head = os.fsdecode(os.fsencode(place.name)[:room].decode("utf-8", "ignore").encode())
    return place.with_name(f".{head}{tail}")


def _host() -> str:
    name = os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "")
    return f"{zlib.crc32(name.encode('utf-8', 'surrogateescape')):08x}"


def _rename(part: Path, place: Path, *, overwrite: bool) -> None:
    if overwrite:
        part.replace(place)
        return
    if os.name == "nt":  # refuses a name that is taken, there
        part.rename(place)
        return
    try:
        # Unlike a look followed by a rename, this cannot meet a file that has just been made.
        place.hardlink_to(part)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # The name is taken with an empty file first, which fails where there is one.
        os.close(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        part.replace(place)
    else:
        part.unlink()


def _keep_owner_and_mode(place: Path, part: Path) -> None:
    try:
        before = place.stat()
    except FileNotFoundError:
        return
    made = part.stat()
    if hasattr(os, "chown") and (before.st_uid, before.st_gid) != (made.st_uid, made.st_gid):
        with contextlib.suppress(OSError):  # for root, and for groups of one's own
            os.chown(part, before.st_uid, before.st_gid)
    with contextlib.suppress(PermissionError):
        part.chmod(stat.S_IMODE(before.st_mode) & 0o777)


def _write_all(handle: int, data: bytes | memoryview) -> None:
    rest = memoryview(data).cast("B")
    while rest:
        rest = rest[os.write(handle, rest) :]


def _own_descriptor(path: str) -> int | None:
    if path in _STANDARD_STREAMS:
        return _STANDARD_STREAMS[path]
    found = _OWN_DESCRIPTOR.fullmatch(path)
    return None if found is None else int(found[1])


def _write_into(path: str, data: bytes | memoryview) -> None:
    """Write to what stands open under the path, or to the FIFO or device that it names."""
    own = _own_descriptor(path)
    handle = os.open(path, os.O_WRONLY | _O_EXTRA) if own is None else os.dup(own)
    try:
        _write_all(handle, data)
    finally:
        os.close(handle)


def _sweep_once(folder: Path) -> None:
    """Sweep at a process's first write into a folder: a look through it costs its length."""
    key = (os.getpid(), folder)
    if key not in _swept:
        _swept.add(key)
        sweep(folder)


def _remove_if_forsaken(part: Path, owner: int) -> bool:
    if owner == os.getpid():
        return False
    handle = os.open(part, os.O_RDWR | _O_EXTRA | getattr(os, "O_NOFOLLOW", 0))
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode) or not _lock(handle):
            return False
        if _runs(owner) and time.time() - status.st_mtime < _FORSAKEN:
            return False
        if os.name != "nt":
            part.unlink()
            return True
    finally:
        os.close(handle)
    part.unlink()  # Windows refuses what anyone has open
    return True


def _runs(pid: int) -> bool:
    if os.name == "nt":  # kill() would end the process there; the open file tells
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _lock(handle: int) -> bool:
    """Lock an open file for this process alone, without waiting; whether that came off."""
    try:
        import fcntl
    except ImportError:  # Windows: an open file cannot be removed, which serves as well
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
