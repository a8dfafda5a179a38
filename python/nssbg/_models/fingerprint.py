"""A short text that changes with a weights file, without reading all of it."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from nssbg._errors import ModelError

__all__ = ["weights_fingerprint"]


def weights_fingerprint(path: Path) -> str:
    """Sixteen hex digits that change with the file: its length, time and both ends.

    The whole file is hashed only by `models verify`: a gigabyte takes seconds.
    """
    digest = hashlib.sha256()
    for part in (path, path.with_suffix(".bin")) if path.suffix == ".xml" else (path,):
        try:
            state = part.stat()
            with part.open("rb") as stream:
                digest.update(f"{state.st_size} {state.st_mtime_ns} ".encode())
                digest.update(stream.read(65536))
                if state.st_size > 131072:
                    stream.seek(-65536, os.SEEK_END)
                    digest.update(stream.read(65536))
        except OSError as error:
            raise ModelError(f"{part}: cannot be read: {error.strerror}") from error
    return digest.hexdigest()[:16]
