"""Addresses of pictures and outputs: paths of this machine, or URIs of an object store.

A URI is what fsspec takes: s3://bucket/key, gs://, az://, memory://. `file://` is a path. Text in,
text out; nothing is opened here.
"""

from __future__ import annotations

import os
import re
from typing import Any

from nssbg._errors import OptionError

__all__ = ["base_name", "is_uri", "joined", "local_path"]

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+)://", re.IGNORECASE)
_LOCAL = ("file", "local")


def is_uri(address: Any) -> bool:
    """Whether an address names an object store; one letter and a colon is a drive of Windows."""
    found = _SCHEME.match(os.fspath(address)) if isinstance(address, (str, os.PathLike)) else None
    return found is not None and found[1].lower() not in _LOCAL


def local_path(address: str | os.PathLike[str]) -> str | os.PathLike[str]:
    """An address of this machine as a path: `file:///a/b` is /a/b.

    Raises:
        OptionError: It is a file:// address of another machine.
    """
    text = os.fspath(address)
    found = _SCHEME.match(text)
    if found is None or is_uri(text):
        return address
    path = text[found.end() :]
    if not path.startswith("/"):
        raise OptionError(f"{text}: expected file:///path, without the name of a machine")
    return path


def joined(base: str, name: str) -> str:
    """The address of a name below another address."""
    return f"{base.rstrip('/')}/{name.lstrip('/')}" if name else base.rstrip("/")


def base_name(address: str) -> str:
    """The last part of an address, its file name."""
    return address.rstrip("/").rpartition("/")[2]
