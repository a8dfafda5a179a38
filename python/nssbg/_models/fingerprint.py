"""Short texts that change with a file: with its ends for weights, with every byte for caches."""

from __future__ import annotations

import hashlib
import mmap
import os
import zlib
from pathlib import Path

from nssbg._errors import ModelError

__all__ = ["contents_checksum", "weights_fingerprint"]

_PIECE = 4 << 20


def contents_checksum(data: memoryview | mmap.mmap) -> str:
    """Length and CRC-32 of everything, as cached files' names and notes tell them.

    It is against a disk's and a program's faults, not against an attacker, who could write a
    checksum as well. 17 MB (what compiling nssbg-lite gives) take 3 ms; SHA-256 takes 21,
    BLAKE2b 42.
    """
    value = 0
    for start in range(0, len(data), _PIECE):
        value = zlib.crc32(data[start : start + _PIECE], value)
    return f"{len(data):x}-{value:08x}"


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
