"""Thumbnails for the report: made while a picture is at hand, kept beside the manifest.

A thumbnail costs a millisecond or two at any size of picture: the arrays are thinned to about
half as much again first. The store is one SQLite file that only saves time: where it is damaged it
is made anew.
"""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from nssbg.batch.side_file import SideFile

__all__ = ["SIDE", "Thumb", "ThumbnailStore", "thumbnail"]

#: Longer side of a thumbnail, in pixels.
SIDE = 160
# Quality of the WebP files: a pair takes about 6 kB.
_QUALITY = 60


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


class ThumbnailStore(SideFile):
    """Thumbnails by the fingerprint of their work unit; see `SideFile`."""

    TABLE: ClassVar[str] = "thumbs"
    COLUMNS: ClassVar[dict[str, str]] = {
        "before": "BLOB",
        "after": "BLOB",
        "width": "INTEGER",
        "height": "INTEGER",
    }
    WHAT: ClassVar[str] = "thumbnails"

    def put(self, key: str, thumb: Thumb) -> None:
        """Keep a thumbnail."""
        self._put(key, (thumb.before, thumb.after, thumb.width, thumb.height))

    def get(self, key: str) -> Thumb | None:
        """The thumbnail of a work unit, or None."""
        found = self._get(key)
        return None if found is None else Thumb(*found)
