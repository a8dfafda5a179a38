"""A picture's size before it is decoded, to predict what it will take."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np

from nssbg._image_io.pillow_reader import no_pillow_warnings

__all__ = ["peek_size"]


def peek_size(source: Any) -> tuple[int, int, int] | None:
    """Height, width and bytes per sample of a source, from its header alone.

    Args:
        source: As `decode` takes it. A file object is read from and put back where it was.

    Returns:
        Sizes before any rotation, or None where they cannot be told without decoding.
    """
    if isinstance(source, np.ndarray):
        if source.ndim < 2:
            return None
        return source.shape[0], source.shape[1], 1 if source.dtype == np.uint8 else 2
    from PIL import Image

    if isinstance(source, Image.Image):
        return source.height, source.width, 2 if source.mode.startswith("I;16") else 1
    try:
        if isinstance(source, (str, os.PathLike)):
            with Path(source).open("rb") as stream:
                return _size_in(stream)
        if isinstance(source, (bytes, bytearray, memoryview)):
            return _size_in(io.BytesIO(source))
        position = source.tell()
        try:
            return _size_in(source)
        finally:
            source.seek(position)
    except Exception:  # whatever is wrong with it, decode will say it better
        return None


def _size_in(stream: Any) -> tuple[int, int, int]:
    from PIL import Image

    with no_pillow_warnings(), Image.open(stream) as image:
        # Pillow shows 16-bit RGB as 8-bit: for a prediction, PNG's own depth byte tells.
        deep = image.mode.startswith("I") or image.info.get("bitdepth") == 16
        return image.height, image.width, 2 if deep else 1
