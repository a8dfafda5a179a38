"""Sizes in the headers of PNG, GIF, BMP and WebP files, whose fields lie in fixed places."""

from __future__ import annotations

from nssbg._io.header import Header, HeaderError
from nssbg._io.span import Span

__all__ = ["read_bmp", "read_gif", "read_png", "read_webp"]

# Pillow holds RGB in 4 bytes a pixel; beside it lie our array and, with alpha, what is split.
_THROUGH_PILLOW = 14
_ALPHA_THROUGH_PILLOW = 20
# Frames of a GIF are counted for a note only.
_MOST_GIF_FRAMES = 1_000
_MOST_GIF_BLOCKS = 400_000
_SAMPLES_OF_PNG_COLOUR = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def read_png(span: Span) -> Header:
    """Size and depth of the IHDR chunk."""
    width, height, bits, colour = span.unpack(">IIBB", 16)
    pixels = width * height
    if bits != 16:
        per_pixel = _THROUGH_PILLOW if colour in (0, 2) else _ALPHA_THROUGH_PILLOW
        return Header(width, height, decode_bytes=pixels * per_pixel)
    samples = _SAMPLES_OF_PNG_COLOUR.get(colour, 4)
    # Samples as they lie in the file; colours and alpha apart where they have to be.
    apart = 0 if samples == 3 else 6 if samples == 1 else 8
    return Header(width, height, 2, decode_bytes=pixels * (2 * samples + apart + 2))


def read_gif(span: Span) -> Header:
    """The canvas, enlarged by the first frame as viewers do, and the frames counted."""
    width, height, flags = span.unpack("<HHB", 6)
    at = 13 + (3 << ((flags & 7) + 1) if flags & 0x80 else 0)
    frames, more = 0, False
    blocks = 0
    while True:
        kind = span.at(at, 1)
        if kind == b"\x2c":
            left, top, columns, rows, local = span.unpack("<HHHHB", at + 1)
            if frames == 0:
                width, height = max(width, left + columns), max(height, top + rows)
            frames += 1
            at += 11 + (3 << ((local & 7) + 1) if local & 0x80 else 0)
        elif kind == b"\x21":
            at += 2
        else:  # the end, or no GIF any more
            break
        while (length := span.at(at, 1)) not in (b"", b"\0"):
            at += 1 + length[0]
            blocks += 1
            if blocks > _MOST_GIF_BLOCKS:
                break
        at += 1
        if frames >= _MOST_GIF_FRAMES or blocks > _MOST_GIF_BLOCKS:
            more = True
            break
    return Header(
        width,
        height,
        decode_bytes=width * height * _THROUGH_PILLOW,
        frames=frames,
        more_frames=more,
    )


def read_bmp(span: Span) -> Header:
    """Width and height, which is negative where rows lie from the top down."""
    (header_size,) = span.unpack("<I", 14)
    width, height = span.unpack("<HH" if header_size == 12 else "<ii", 18)
    height = abs(height)
    return Header(width, height, decode_bytes=width * height * _THROUGH_PILLOW)


def read_webp(span: Span) -> Header:
    """The canvas of an extended file, else the size of its one stream.

    Raises:
        HeaderError: The first chunk is none that a WebP file begins with.
    """
    kind = span.at(12, 4)
    if kind == b"VP8X":
        head = span.at(24, 6)
        if len(head) < 6:
            raise HeaderError("it is cut short in its header")
        width = int.from_bytes(head[:3], "little") + 1
        height = int.from_bytes(head[3:], "little") + 1
    elif kind == b"VP8L":
        (bits,) = span.unpack("<I", 21)
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == b"VP8 ":
        width, height = (side & 0x3FFF for side in span.unpack("<HH", 26))
    else:
        raise HeaderError("it is damaged: its first chunk is none of WebP's")
    # The animation decoder holds two canvases beside its own planes.
    return Header(width, height, decode_bytes=width * height * (_ALPHA_THROUGH_PILLOW + 6))
