"""What a writer is handed: checked pixels and all that goes into the file beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from nssbg._vocabulary import Compression

__all__ = ["SUBSAMPLINGS", "Encodable"]

# Chroma subsamplings that JPEG and AVIF are written with.
SUBSAMPLINGS = ("4:4:4", "4:2:2", "4:2:0")


@dataclass(frozen=True)
class Encodable:
    """Checked pixels and everything a writer needs to know.

    Attributes:
        pixels: H x W x C, C 1, 3 or 4; uint8, or uint16 where the format holds it; packed.
        compression: "fast", "default" or "best".
        quality: 0 to 100 for lossy coding, None for lossless (JPEG: its default).
        icc_profile: Profile of the pixels, None for sRGB.
        exif: EXIF block without prefix, or None.
        dpi: Pixels per inch (x, y), or None.
        text: Keyword to text, for formats that hold such.
        premultiplied: The colours are multiplied by alpha.
        subsampling: One of SUBSAMPLINGS, or None for the format's default (JPEG, AVIF).
        progressive: Coarse picture first (JPEG).
        xmp: An XMP packet, UTF-8, or None.
        threads: Threads for the writers that take a number; at least 1.
    """

    pixels: NDArray[Any]
    compression: Compression
    quality: int | None = None
    icc_profile: bytes | None = None
    exif: bytes | None = None
    dpi: tuple[float, float] | None = None
    text: Mapping[str, str] = field(default_factory=dict)
    premultiplied: bool = False
    threads: int = 1
    subsampling: str | None = None
    progressive: bool = False
    xmp: bytes | None = None
