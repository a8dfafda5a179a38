"""One run at a time on an output folder: a locked file that says who has it."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from nssbg._errors import NssbgError

__all__ = ["BusyError", "run_lock"]


class BusyError(NssbgError):
    """Another run is writing into the output folder."""


@contextlib.contextmanager
def run_lock(path: Path) -> Iterator[None]:
    """Hold an output folder for this process; it is free again when the process ends, however.

    Args:
        path: The lock file; it stays when the lock is let go of, empty.

    Raises:
        BusyError: Another run holds it, whose process number is named; or its file system cannot
            lock.
        OSError: The file cannot be made.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
    try:
        try:
            _lock(handle)
        except OSError as error:
            folder = path.parent.parent
            if error.errno in (errno.EAGAIN, errno.EACCES, errno.EDEADLK):
                who = os.read(handle, 200).decode("utf-8", "replace").strip()
                raise BusyError(
                    f"{folder}: another run is writing here ({who or 'unknown process'}); wait "
                    "until it has ended, or give another output folder"
                ) from None
            raise BusyError(
                f"{folder}: its file system cannot lock files ({error.strerror}), so that two runs "
                "could get in each other's way; give an output folder on a local disk"
            ) from error
        os.ftruncate(handle, 0)
        host = os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "")
        os.pwrite(handle, f"pid {os.getpid()} on {host}\n".encode(), 0) if hasattr(
            os, "pwrite"
        ) else os.write(handle, f"pid {os.getpid()} on {host}\n".encode())
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                os.ftruncate(handle, 0)
    finally:
        os.close(handle)


def _lock(handle: int) -> None:
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        os.lseek(handle, 1 << 30, os.SEEK_SET)  # beyond the text, which others read
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        os.lseek(handle, 0, os.SEEK_SET)
        return
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
