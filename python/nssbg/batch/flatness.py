"""Which plain colours JPEG brings back to the last digit, and at which qualities."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from nssbg import _io as image_io

__all__ = ["ever_exact", "flat_is_exact"]


def ever_exact(color: tuple[int, int, int], subsampling: str | None) -> bool:
    """Whether any quality of 50 or more brings a plain area of the colour back exactly.

    White, black and some greys are; most colours are not, for JPEG turns red, green and blue into
    rounded brightness and chroma.
    """
    return any(flat_is_exact(quality, subsampling, color) for quality in range(100, 49, -1))


@lru_cache(maxsize=1024)
def flat_is_exact(quality: int, subsampling: str | None, color: tuple[int, int, int]) -> bool:
    """Whether a plain area of a colour comes back from a JPEG of this quality to the last digit.

    JPEG codes each block of 8 x 8 by itself, so one block tells for all: at some qualities the
    step of the mean brightness does not hit white, and all of a background is 254.
    """
    flat = np.empty((32, 32, 3), np.uint8)
    flat[:] = color
    data = image_io.encode(flat, format="jpeg", quality=quality, subsampling=subsampling)
    return bool((image_io.decode(data).rgb == flat).all())
