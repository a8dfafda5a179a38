"""Writes files so that a path holds either what it held before or the whole new file."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from nssbg._errors import ImageEncodeError

__all__ = ["write_atomically"]


def write_atomically(path: str | os.PathLike[str], data: bytes | memoryview) -> Path:
    """Write data to a temporary file beside path and rename it into place.

    Args:
        path: Where the file is to be; its folder has to exist. A symbolic link is followed.
        data: Its whole contents.

    Returns:
        The path.

    Raises:
        ImageEncodeError: The folder is missing or not writable, or the disk is full. What the
            path held before is then as it was.
    """
    target = Path(path)
    temporary = None
    try:
        if target.is_dir():
            raise ImageEncodeError(f"cannot write {target}: it is a folder; give a file name")
        place = target.resolve() if target.is_symlink() else target
        handle, temporary = tempfile.mkstemp(
            prefix=f".{place.name[:100]}.", suffix=".part", dir=place.parent
        )
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            # Without this a crash of the machine may leave the new name over no contents.
            os.fsync(file.fileno())
        # mkstemp makes files for their owner alone; give what open() would have given.
        Path(temporary).chmod(_permissions(place))
        Path(temporary).replace(place)
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        if temporary is not None:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
        raise ImageEncodeError(f"cannot write {target}: {_reason(error, target)}") from error
    except BaseException:
        if temporary is not None:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
        raise
    return target


def _permissions(place: Path) -> int:
    try:
        return place.stat().st_mode & 0o777
    except OSError:
        # The only way to read the mask is to set it, which other threads would see.
        return 0o666 & ~_umask()


def _umask() -> int:
    try:
        with Path("/proc/self/status").open() as status:
            for line in status:
                if line.startswith("Umask:"):
                    return int(line.split()[1], 8)
    except (OSError, ValueError):
        pass
    return 0o022


def _reason(error: Exception, target: Path) -> str:
    if isinstance(error, FileNotFoundError):
        return f"the folder {target.parent} does not exist; make it first"
    if isinstance(error, PermissionError):
        return f"no permission to write in {target.parent}"
    return getattr(error, "strerror", None) or str(error)
