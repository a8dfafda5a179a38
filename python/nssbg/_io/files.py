"""Writes pictures' files through `_fs`, never over a picture that they were made from."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from nssbg import _fs
from nssbg._errors import ImageEncodeError, OptionError
from nssbg._io.formats import format_of_path
from nssbg._vocabulary import FileFormat

__all__ = ["check_target", "write_atomically", "write_encoded"]


def write_encoded(
    path: str | os.PathLike[str],
    encode: Callable[[FileFormat], bytes],
    *,
    format: FileFormat | None = None,
    overwrite: bool = True,
    inputs: Iterable[Any] = (),
) -> Path:
    """Encode a picture and write it, as `write_atomically` does: every result's way to a file.

    Args:
        path: See `write_atomically`; looked at before the work of encoding.
        encode: Makes the bytes of a format.
        format: None: what the path's suffix names; "png" for a stream without one.
        overwrite: See `write_atomically`.
        inputs: See `write_atomically`.

    Raises:
        OptionError: The path is one of the inputs, the suffix names no format, or the options do
            not fit the picture. As all errors from here, it names the file.
        ImageEncodeError: The format cannot hold the picture, or see `write_atomically`.
    """
    inputs = tuple(inputs)
    check_target(path, overwrite=overwrite, inputs=inputs)
    target = Path(path)
    # A stream has no suffix to go by; it gets what a pipe gets.
    plain: FileFormat | None = "png" if not target.suffix and _fs.is_stream(target) else None
    try:
        data = encode(format or plain or format_of_path(target))
    except (ImageEncodeError, OptionError) as error:
        if str(target) in str(error):
            raise
        raise type(error)(f"{target}: {error}") from error
    return write_atomically(target, data, overwrite=overwrite, inputs=inputs)


def write_atomically(
    path: str | os.PathLike[str],
    data: bytes | memoryview,
    *,
    overwrite: bool = True,
    inputs: Iterable[Any] = (),
) -> Path:
    """Write a picture's bytes to a file, whole or not at all.

    Args:
        path: Where the file is to be; its folder has to exist. A symbolic link is followed; a
            FIFO or a character device (/dev/stdout) is written into.
        data: Its whole contents.
        overwrite: Whether a file that is there may be replaced.
        inputs: What the picture was made from; those that are paths of files are never
            written over.

    Returns:
        The path.

    Raises:
        OptionError: The path is one of the inputs, under whatever name.
        ImageEncodeError: The folder is missing or not writable, the disk is full, or a file is
            there that is not to be replaced. What the path held before is then as it was.
    """
    check_target(path, overwrite=overwrite, inputs=inputs)
    try:
        return _fs.write(path, data, overwrite=overwrite)
    except OSError as error:
        raise ImageEncodeError(f"cannot write {path}: {_reason(error, path)}") from error


def check_target(
    path: str | os.PathLike[str], *, overwrite: bool = True, inputs: Iterable[Any] = ()
) -> None:
    """Raise what `write_atomically` would raise because of what is at the path now."""
    mine = _fs.identity(path)
    if mine is not None and any(
        isinstance(one, (str, os.PathLike)) and _fs.identity(one) == mine for one in inputs
    ):
        raise OptionError(
            f"{path}: the output is an input too; nssbg never overwrites a source picture. "
            "Give another name."
        )
    try:
        _fs.check(path, overwrite=overwrite)
    except OSError as error:
        raise ImageEncodeError(f"cannot write {path}: {_reason(error, path)}") from error


def _reason(error: OSError, path: str | os.PathLike[str]) -> str:
    if isinstance(error, FileExistsError):
        return "it is there already, and was not to be overwritten"
    return _fs.reason(error, path)
