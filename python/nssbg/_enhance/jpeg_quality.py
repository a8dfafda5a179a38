"""How strongly a JPEG was compressed, from its quantisation tables: what "auto" deblocks by."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nssbg._types import Frame

__all__ = ["deblock_strength", "quality_from_tables"]

# The standard's luminance table at quality 50 (ITU-T T.81, table K.1) sums to this.
_SUM_AT_50 = 3686
# From this quality on nothing is to be seen; at the other one and below, all is asked for.
_CLEAN, _WORST = 95.0, 20.0


def quality_from_tables(tables: dict[int, Any]) -> float:
    """The quality, 1 to 100, at which libjpeg writes a luminance table of that sum."""
    first = tables[min(tables)]
    share = 100.0 * float(sum(first)) / _SUM_AT_50
    quality = 100.0 - share / 2.0 if share <= 100.0 else 5000.0 / share
    return min(max(quality, 1.0), 100.0)


def deblock_strength(source: Any, frame: Frame) -> float:
    """0 to 1 for a picture as it was handed in; 0 of what is no JPEG file any more.

    Args:
        source: What the caller gave: a path or bytes are looked at, from their header alone.
        frame: It decoded.
    """
    if frame.source_format != "JPEG" or frame.kind not in ("path", "bytes"):
        return 0.0
    import io

    from PIL import Image

    if frame.kind == "path" and not Path(source).is_file():
        return 0.0  # a pipe, which was read already
    held = source if frame.kind == "path" else io.BytesIO(bytes(source))
    try:
        with Image.open(held) as image:
            quality = quality_from_tables(image.quantization)  # type: ignore[attr-defined]
    except (OSError, AttributeError, KeyError, ValueError):
        return 0.0
    return min(max((_CLEAN - quality) / (_CLEAN - _WORST), 0.0), 1.0)
