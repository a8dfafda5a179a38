"""What a file's header says before anything is decoded, and the error where it cannot be so."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Header", "HeaderError"]


class HeaderError(Exception):
    """A header that is damaged, cut short, or asks for more work than any picture needs.

    Its text goes on after "cannot read NAME: "; `admission` makes an ImageDecodeError of it.
    """


@dataclass(frozen=True)
class Header:
    """Sizes as a file claims them; nothing here was checked against its pixels.

    Attributes:
        width: Columns, before any rotation.
        height: Rows.
        sample_bytes: Bytes per sample of the Frame that decoding gives: 1 or 2.
        decode_bytes: Bytes that decoding takes at its peak, predicted; the file itself apart.
        coded_pixels: Pixels of the largest area that is decoded, where that is more than
            width x height: a tile, a frame, a canvas.
        frames: Pictures in the file as far as they were counted; 0: not counted.
        more_frames: There may be more than that.
        progressive: Of JPEG: every scan goes over the whole picture.
    """

    width: int
    height: int
    sample_bytes: int = 1
    decode_bytes: int = 0
    coded_pixels: int = 0
    frames: int = 0
    more_frames: bool = False
    progressive: bool = False
