"""Takes whatever a caller hands in to the bytes of a file, and knows what to call it."""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path
from typing import Any

from nssbg._errors import ImageDecodeError
from nssbg._io.admission import default_max_memory
from nssbg._io.formats import expected_format
from nssbg._vocabulary import SourceKind as Kind

__all__ = ["Kind", "NamedBytes", "kind_of", "read_source"]

# No picture under the pixel cap is near this; a file that never ends (/dev/zero) is stopped.
_LARGEST_FILE = 2 << 30
# Enough to tell a format, or what a file is instead of a picture.
_HEAD = 512
_LARGEST_PIECE = 16 << 20
_SURELY_FITS = 256 << 20


class NamedBytes(bytes):
    """The bytes of a file that was read already, with the name that messages call it by.

    Attributes:
        name: A path, or whatever else tells a person which picture it is.
    """

    name: str = ""


def kind_of(source: Any) -> Kind:
    """What a caller handed in.

    Raises:
        ImageDecodeError: It is nothing that can hold a picture.
    """
    if isinstance(source, (str, os.PathLike)):
        return "path"
    if isinstance(source, (bytes, bytearray, memoryview)):
        return "bytes"
    # By name, so that neither library has to be loaded to find out.
    for base in type(source).__mro__:
        if base.__module__ == "PIL.Image" and base.__name__ == "Image":
            return "pil"
        if base.__module__ == "numpy" and base.__name__ == "ndarray":
            return "array"
    if hasattr(source, "read"):
        return "file"
    if hasattr(type(source), "__array__"):
        return "array"
    raise ImageDecodeError(
        f"cannot read a picture from a {type(source).__name__}: expected a path, bytes, a binary "
        "file object, a PIL image, or an array of NumPy's or of anything else that has __array__"
    )


def read_source(
    source: Any, kind: Kind, name: str, *, max_memory: int | None = None
) -> bytes | memoryview:
    """The bytes of a path, bytes-like or file object.

    A file object is read in pieces: what does not begin like a picture is read no further than
    its first bytes, and what is longer than `max_memory` (None: a share of what is free), or
    than any picture, no further than that.

    Raises:
        ImageDecodeError: It cannot be read, is empty, has no end, or is no picture.
    """
    if kind == "path":
        data: bytes | memoryview = _read_path(source, name, max_memory)
    elif kind == "bytes":
        data = source if isinstance(source, bytes) else _flat(source)
    else:
        data = _read_file(source, name, max_memory)
    if len(data) == 0:
        raise ImageDecodeError(f"cannot read {name}: it is empty")
    return data


def _flat(source: bytearray | memoryview) -> bytes | memoryview:
    view = memoryview(source)
    return view.cast("B") if view.c_contiguous else view.tobytes()


def _read_path(source: str | os.PathLike[str], name: str, max_memory: int | None) -> Any:
    try:
        with Path(source).open("rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                return _read_file(file, name, max_memory)
            if found.st_size > _LARGEST_FILE or found.st_size > _limit(max_memory, found.st_size):
                raise ImageDecodeError(_too_long(name, max_memory, found.st_size))
            return file.read(found.st_size)
    except FileNotFoundError:
        raise ImageDecodeError(f"cannot read {name}: there is no such file") from None
    except IsADirectoryError:
        raise ImageDecodeError(
            f"cannot read {name}: it is a folder; expected a picture file"
        ) from None
    except PermissionError:
        raise ImageDecodeError(f"cannot read {name}: permission denied") from None
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        reason = getattr(error, "strerror", None) or str(error)
        raise ImageDecodeError(f"cannot read {name}: {reason}") from error


def _read_file(file: Any, name: str, max_memory: int | None) -> bytes | memoryview:
    """A stream to its end, or to where it is told to be no picture."""
    data = bytearray()
    wanted, told = _HEAD, False
    while True:
        piece, is_whole = _piece(file, name, wanted)
        data += piece
        if not told and (len(data) >= _HEAD or is_whole or not piece) and data:
            expected_format(bytes(data[:_HEAD]), name)
            told = True
        limit = _limit(max_memory, len(data))
        if len(data) > limit:
            raise ImageDecodeError(_too_long(name, max_memory, len(data)))
        if is_whole or not piece:
            return memoryview(data)
        # Pieces grow with what came, so that little is asked for of little; one byte more than
        # allowed tells that there is no end.
        wanted = min(max(_HEAD, len(data)), _LARGEST_PIECE, limit + 1 - len(data))


def _piece(file: Any, name: str, wanted: int) -> tuple[Any, bool]:
    """What one read() gives, and whether it is all there is."""
    is_whole = False
    try:
        try:
            piece = file.read(wanted)
        except TypeError:  # a reader without a size argument
            piece, is_whole = file.read(), True
    except (OSError, ValueError, io.UnsupportedOperation) as error:
        raise ImageDecodeError(f"cannot read {name}: {error}") from error
    if not isinstance(piece, (bytes, bytearray, memoryview)):
        raise ImageDecodeError(
            f"cannot read {name}: its read() gave {type(piece).__name__}; "
            'expected bytes (open files with mode "rb")'
        )
    return piece, is_whole


def _limit(max_memory: int | None, length: int) -> int:
    """Bytes that a file may have; what is free is asked for only where it can matter."""
    if max_memory is not None:
        return min(_LARGEST_FILE, max_memory)
    if length <= _SURELY_FITS:
        return _LARGEST_FILE
    return min(_LARGEST_FILE, default_max_memory())


def _too_long(name: str, max_memory: int | None, length: int) -> str:
    limit = _limit(max_memory, length)
    if limit == _LARGEST_FILE:
        return f"cannot read {name}: it is longer than {_LARGEST_FILE >> 30} GB; no picture is"
    allowed = "are free for it" if max_memory is None else f"max_memory={max_memory} allows"
    return f"cannot read {name}: it is longer than the {limit} bytes that {allowed}"
