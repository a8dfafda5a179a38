"""Thumbnails for the report: made while a picture is at hand, kept beside the manifest.

A thumbnail costs a millisecond or two at any size of picture: the arrays are thinned to about
half as much again first. The store is one SQLite file that only saves time: where it is damaged it
is made anew.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sqlite3
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["SIDE", "Thumb", "ThumbnailStore", "thumbnail"]

log: logging.Logger = logging.getLogger("nssbg")

#: Longer side of a thumbnail, in pixels.
SIDE = 160
# Quality of the WebP files: a pair takes about 6 kB.
_QUALITY = 60
# What SQLite says of a file that is none of its own, or of another program's or a newer form.
_DAMAGE = ("not a database", "malformed", "no such column", "has no column")


@dataclass(frozen=True)
class Thumb:
    """A picture before and after, small.

    Attributes:
        before: WebP of the photograph.
        after: WebP of the cut-out, with its alpha; b"" where there is none.
        width: Of the photograph, in pixels; 0 where it is not known.
        height: The same.
    """

    before: bytes
    after: bytes
    width: int = 0
    height: int = 0


def thumbnail(
    picture: NDArray[Any] | str | os.PathLike[str] | None, rgba: NDArray[Any] | None
) -> Thumb:
    """Make a thumbnail.

    Args:
        picture: H x W x 3 uint8 or uint16, the photograph upright; or its path, which costs a
            decode; None: there is none.
        rgba: H x W x 4 uint8 or uint16, straight: the cut-out, or an output before its background,
            of any size; None: there is none.
    """
    before, width, height = b"", 0, 0
    if isinstance(picture, np.ndarray):
        height, width = picture.shape[:2]
        before = _encoded(_reduced(picture))
    elif picture is not None:
        from PIL import Image, ImageOps

        with Image.open(picture) as opened:
            turned = opened.getexif().get(0x0112, 1) in (5, 6, 7, 8)
            width, height = opened.size[::-1] if turned else opened.size
            opened.draft("RGB", (2 * SIDE, 2 * SIDE))
            small = ImageOps.exif_transpose(opened).convert("RGB")
            before = _encoded(_reduced(np.asarray(small)))
    return Thumb(before, b"" if rgba is None else _encoded(_reduced(rgba)), width, height)


def _reduced(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """At most SIDE pixels a side: thinned to at least half as much again, then averaged."""
    from PIL import Image

    # Each pixel that is kept costs a miss of every cache.
    step = max(1, max(pixels.shape[:2]) * 2 // (3 * SIDE))
    rows = slice(min(step // 2, pixels.shape[0] - 1), None, step)
    columns = slice(min(step // 2, pixels.shape[1] - 1), None, step)
    thin = pixels[rows, columns]
    if thin.dtype == np.uint16:
        thin = thin >> 8
    thin = np.ascontiguousarray(thin.astype(np.uint8, copy=False))
    height, width = thin.shape[:2]
    scale = min(1.0, SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    image = Image.fromarray(thin)
    if image.mode == "RGBA":  # averaged premultiplied, or colours under alpha 0 would bleed in
        image = image.convert("RGBa").resize(size, Image.Resampling.BOX).convert("RGBA")
    else:
        image = image.resize(size, Image.Resampling.BOX)
    return np.asarray(image)


def _encoded(pixels: NDArray[np.uint8]) -> bytes:
    from PIL import Image

    made = io.BytesIO()
    Image.fromarray(pixels).save(made, "WEBP", quality=_QUALITY, method=0, alpha_quality=60)
    return made.getvalue()


class ThumbnailStore:
    """Thumbnails by the fingerprint of their work unit, in one SQLite file.

    Safe to use from several threads. Close it, or use it as `with ThumbnailStore(path) as store:`.

    Args:
        path: The file; made where there is none, its folder too. Where it cannot be written,
            thumbnails are held in memory for as long as the store is open, with a warning.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection = self._open()

    def put(self, key: str, thumb: Thumb) -> None:
        """Keep a thumbnail; a full disk costs it alone, with a warning."""
        row = (_text(key), thumb.before, thumb.after, thumb.width, thumb.height)
        with self._lock:
            try:
                self._connection.execute("INSERT OR REPLACE INTO thumbs VALUES (?,?,?,?,?)", row)
                # Each at once, for a run that is killed to lose none: not flushed, it costs little.
                self._connection.commit()
            except sqlite3.DatabaseError as error:
                log.warning("%s: no thumbnail kept: %s", self._path, error)

    def get(self, key: str) -> Thumb | None:
        """The thumbnail of a work unit, or None."""
        with self._lock:
            try:
                found = self._connection.execute(
                    "SELECT before, after, width, height FROM thumbs WHERE key = ?", (_text(key),)
                ).fetchone()
            except sqlite3.DatabaseError as error:
                log.warning("%s: damaged (%s)", self._path, error)
                return None
        return None if found is None else Thumb(*found)

    def retain(self, keys: Iterable[str]) -> None:
        """Let go of all thumbnails but these: those of inputs and options that are no more."""
        with self._lock, contextlib.suppress(sqlite3.DatabaseError):
            self._connection.execute("CREATE TEMP TABLE wanted (key TEXT PRIMARY KEY)")
            self._connection.executemany(
                "INSERT OR IGNORE INTO wanted VALUES (?)", ((_text(key),) for key in keys)
            )
            self._connection.execute("DELETE FROM thumbs WHERE key NOT IN (SELECT key FROM wanted)")
            self._connection.execute("DROP TABLE wanted")
            self._connection.commit()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def __enter__(self) -> ThumbnailStore:
        """Use as `with ThumbnailStore(path) as store:`."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    def _open(self) -> sqlite3.Connection:
        """The file; made anew where it is damaged, in memory where it cannot be written."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            try:
                return self._opened(self._path)
            except sqlite3.DatabaseError as error:
                if not any(word in str(error) for word in _DAMAGE):
                    raise
                log.warning("%s: damaged (%s); thumbnails are made again", self._path, error)
                for suffix in ("", "-wal", "-shm"):
                    with contextlib.suppress(FileNotFoundError):
                        self._path.with_name(self._path.name + suffix).unlink()
                return self._opened(self._path)
        except (OSError, sqlite3.DatabaseError) as error:
            log.warning("%s: thumbnails are not kept (%s)", self._path, error)
            return self._opened(":memory:")

    def _opened(self, path: Path | str) -> sqlite3.Connection:
        connection = sqlite3.connect(path, check_same_thread=False, timeout=30)
        try:
            # A crash of the machine may cost thumbnails, which are made again.
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS thumbs (key TEXT PRIMARY KEY, before BLOB NOT NULL, "
                "after BLOB NOT NULL, width INTEGER NOT NULL, height INTEGER NOT NULL)"
            )
            connection.execute("SELECT key, before, after, width, height FROM thumbs LIMIT 1")
        except BaseException:
            connection.close()
            raise
        return connection


def _text(key: str) -> str:
    """A key that SQLite takes: names that are no UTF-8 have lone surrogates."""
    return key.encode("utf-8", "backslashreplace").decode()
