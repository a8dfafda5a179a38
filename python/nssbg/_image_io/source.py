"""Takes whatever a caller hands in to the bytes of a file, and knows what to call it."""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path
from typing import Any, Literal

from nssbg._errors import ImageDecodeError

__all__ = ["Kind", "kind_of", "read_source"]

Kind = Literal["path", "bytes", "file", "pil", "array"]

# No picture under the pixel cap is near this; a file that never ends (/dev/zero) is stopped.
_LARGEST_FILE = 2 << 30


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
    raise ImageDecodeError(
        f"cannot read a picture from a {type(source).__name__}: expected a path, bytes, a binary "
        "file object, a PIL image or a NumPy array"
    )


def read_source(source: Any, kind: Kind, name: str) -> bytes | memoryview:
    """The bytes of a path, bytes-like or file object.

    Raises:
        ImageDecodeError: It cannot be read, is empty, or has no end.
    """
    if kind == "path":
        data: bytes | memoryview = _read_path(Path(source), name)
    elif kind == "bytes":
        data = source if isinstance(source, bytes) else _flat(source)
    else:
        data = _read_file(source, name)
    if len(data) == 0:
        raise ImageDecodeError(f"cannot read {name}: it is empty")
    return data


def _flat(source: bytearray | memoryview) -> bytes | memoryview:
    view = memoryview(source)
    return view.cast("B") if view.c_contiguous else view.tobytes()


def _read_path(path: Path, name: str) -> bytes:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno())
            if stat.S_ISREG(mode.st_mode) and mode.st_size > _LARGEST_FILE:
                raise ImageDecodeError(_too_long(name))
            return _read_file(file, name)
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


def _read_file(file: Any, name: str) -> bytes:
    try:
        data = file.read(_LARGEST_FILE + 1)
    except (OSError, ValueError, io.UnsupportedOperation) as error:
        raise ImageDecodeError(f"cannot read {name}: {error}") from error
    except TypeError:  # a reader without a size argument
        data = file.read()
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise ImageDecodeError(
            f"cannot read {name}: its read() gave {type(data).__name__}; "
            'expected bytes (open files with mode "rb")'
        )
    if len(data) > _LARGEST_FILE:
        raise ImageDecodeError(_too_long(name))
    return bytes(data)


def _too_long(name: str) -> str:
    return f"cannot read {name}: it is longer than {_LARGEST_FILE >> 30} GB; no picture is"
