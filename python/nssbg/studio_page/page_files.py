"""The page's own files: in the wheel beside this module, in a checkout the folder `web/`."""

from __future__ import annotations

import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Asset", "Assets", "assets_folder", "samples_folder"]

_HERE = Path(__file__).parent
_CHECKOUT = _HERE.parents[2]
# For work on the page alone: not in the wheel either.
_NOT_SERVED = {"engine/mock.js"}
_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".jpg": "image/jpeg",
    ".webp": "image/webp",
    ".png": "image/png",
    ".woff2": "font/woff2",
    ".webmanifest": "application/manifest+json",
}


def assets_folder() -> Path | None:
    """Where index.html lies; None where the package was put together without it."""
    for folder in (_HERE / "assets", _CHECKOUT / "web"):
        if (folder / "index.html").is_file():
            return folder
    return None


def samples_folder() -> Path:
    """Where the sample pictures lie."""
    return _HERE / "samples"


@dataclass(frozen=True)
class Asset:
    """A file of the page.

    Attributes:
        data: Its bytes.
        content_type: Its type.
        etag: Changes with the bytes.
    """

    data: bytes
    content_type: str
    etag: str


class Assets:
    """Reads files of one folder, and of nowhere else."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = None if folder is None else folder.resolve()

    def get(self, path: str) -> Asset | None:
        """A file by its path below the folder; None where there is none."""
        if self._folder is None or "\0" in path or path in _NOT_SERVED:
            return None
        try:
            file = (self._folder / path).resolve()
            if not file.is_relative_to(self._folder) or not file.is_file():
                return None
            data = file.read_bytes()
        except OSError:
            return None
        kind = _TYPES.get(file.suffix.lower()) or mimetypes.guess_type(file.name)[0]
        digest = hashlib.sha256(data).hexdigest()[:24]
        return Asset(data, kind or "application/octet-stream", f'"{digest}"')
