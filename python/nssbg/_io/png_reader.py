"""Reads 16-bit PNG files and keeps their 16 bits, which Pillow does for grey only.

Chunks are parsed and inflated here, rows are unfiltered in the core. Source: the PNG
specification, third edition (W3C, 2025).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nssbg._errors import ImageDecodeError
from nssbg._io.arrays import gray_to_rgb, upright
from nssbg._io.metadata import without_orientation
from nssbg._io.source import Kind
from nssbg._types import Frame

__all__ = ["ADAM7", "is_sixteen_bit", "read"]

_Bytes = bytes | memoryview
_CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}
#: First column and row, and steps, of the seven passes of an interlaced picture.
ADAM7 = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)
_LARGEST_PROFILE = 16 << 20
_BAND = 4 << 20


def is_sixteen_bit(data: _Bytes) -> bool:
    """Whether a PNG file has 16 bits to a sample."""
    return len(data) > 25 and data[24] == 16


def read(data: _Bytes, *, name: str, kind: Kind) -> Frame:
    """Decode a 16-bit PNG file whose size was checked before.

    Raises:
        ImageDecodeError: The file is cut short or damaged.
    """
    header: tuple[int, ...] | None = None
    pixels: list[_Bytes] = []
    found: dict[bytes, _Bytes] = {}
    for kind_of_chunk, body in _chunks(data, name):
        if kind_of_chunk == b"IHDR":
            header = struct.unpack(">IIBBBBB", body)
        elif kind_of_chunk == b"IDAT":
            pixels.append(body)
        else:
            found.setdefault(kind_of_chunk, body)
    if header is None or header[2] != 16 or header[3] not in _CHANNELS or header[6] > 1:
        raise ImageDecodeError(f"cannot read {name}: its PNG header makes no sense")
    width, height, _, color_type, _, _, interlaced = header
    channels = _CHANNELS[color_type]
    samples = _samples(pixels, width, height, channels, bool(interlaced), name)
    rgb, alpha = _colours(samples, found.get(b"tRNS"))
    exif, orientation = without_orientation(bytes(found.get(b"eXIf", b"")))
    notes: tuple[str, ...] = ()
    if orientation != 1:
        rgb = upright(rgb, orientation)
        alpha = upright(alpha, orientation) if alpha is not None else None
        notes = (f"turned upright (EXIF orientation {orientation})",)
    return Frame(
        rgb=rgb,
        alpha=alpha,
        icc_profile=_profile(found.get(b"iCCP")) if channels > 2 else None,
        exif=exif or None,
        dpi=_dpi(found.get(b"pHYs")),
        name=name,
        source_format="PNG",
        kind=kind,
        is_gray=channels < 3,
        notes=notes,
    )


def _chunks(data: _Bytes, name: str) -> Iterator[tuple[bytes, _Bytes]]:
    view = memoryview(data)
    at = 8
    while True:
        if at + 12 > len(view):
            raise ImageDecodeError(f"cannot read {name}: the PNG file is cut short")
        length, kind = struct.unpack_from(">I4s", view, at)
        end = at + 12 + length
        if end > len(view):
            raise ImageDecodeError(f"cannot read {name}: the PNG file is cut short")
        (crc,) = struct.unpack_from(">I", view, end - 4)
        if zlib.crc32(view[at + 4 : end - 4]) != crc:
            # A lower-case first letter: the picture can be shown without the chunk.
            if not kind[0] & 0x20:
                raise ImageDecodeError(f"cannot read {name}: a checksum in the PNG file is wrong")
        elif kind == b"IEND":
            return
        else:
            yield kind, view[at + 8 : end - 4]
        at = end


def _samples(
    parts: list[_Bytes], width: int, height: int, channels: int, interlaced: bool, name: str
) -> NDArray[np.uint16]:
    from nssbg import _core

    passes = [(0, 0, 1, 1)]
    if interlaced:
        passes = [step for step in ADAM7 if step[0] < width and step[1] < height]
    sizes = [
        (-(-(height - y) // step_y), -(-(width - x) // step_x)) for x, y, step_x, step_y in passes
    ]
    pixel_bytes = 2 * channels
    stream = _Inflated(parts, name)
    out: NDArray[np.uint16] = np.empty((height, width, channels), np.uint16)
    for (x, y, step_x, step_y), (rows, columns) in zip(passes, sizes, strict=True):
        row_bytes = columns * pixel_bytes
        into = out[y::step_y, x::step_x]
        # Bands of rows, so that the inflated bytes never lie in memory whole. The row above a
        # band goes in front of it, as one without a filter.
        most = max(1, _BAND // row_bytes)
        above = bytes(row_bytes)
        for top in range(0, rows, most):
            count = min(most, rows - top)
            raw = b"\0" + above + stream.take(count * (1 + row_bytes))
            filtered = np.frombuffer(raw, np.uint8).reshape(1 + count, 1 + row_bytes)
            plain = np.asarray(_core.png_unfilter(filtered, pixel_bytes))
            above = plain[-1].tobytes()
            into[top : top + count] = plain[1:].view(">u2").reshape(count, columns, channels)
    return out


class _Inflated:
    """A zlib stream in parts, inflated as far as it is asked for."""

    def __init__(self, parts: list[_Bytes], name: str) -> None:
        self._inflate = zlib.decompressobj()
        self._parts = iter(parts)
        self._waiting: _Bytes = b""
        self._name = name

    def take(self, count: int) -> bytes:
        """The next bytes.

        Raises:
            ImageDecodeError: The stream ends before.
        """
        found = []
        while count > 0:
            if not len(self._waiting):
                self._waiting = next(self._parts, b"")
                if not len(self._waiting):
                    # What zlib still holds back comes out without further input.
                    piece = self._inflate.decompress(b"", count)
                    if not piece:
                        raise ImageDecodeError(
                            f"cannot read {self._name}: the PNG file is truncated (its pixels end "
                            "before its last row)"
                        )
                    found.append(piece)
                    count -= len(piece)
                    continue
            piece = self._inflate.decompress(self._waiting, count)
            self._waiting = b"" if self._inflate.eof else self._inflate.unconsumed_tail
            found.append(piece)
            count -= len(piece)
        return b"".join(found)


def _colours(
    samples: NDArray[np.uint16], transparent: _Bytes | None
) -> tuple[NDArray[Any], NDArray[Any] | None]:
    channels = samples.shape[2]
    if channels in (2, 4):
        last = np.ascontiguousarray(samples[:, :, -1])
        if channels == 2:
            return gray_to_rgb(samples[:, :, 0]), last
        return np.ascontiguousarray(samples[:, :, :3]), last
    alpha: NDArray[Any] | None = None
    if transparent is not None and len(transparent) == 2 * channels:
        key = np.frombuffer(transparent, ">u2").astype(np.uint16)
        alpha = np.where((samples == key).all(axis=2), 0, 65535).astype(np.uint16)
    return (gray_to_rgb(samples[:, :, 0]) if channels == 1 else samples), alpha


def _profile(body: _Bytes | None) -> bytes | None:
    if body is None:
        return None
    _, _, rest = bytes(body).partition(b"\0")
    try:
        profile = zlib.decompressobj().decompress(rest[1:], _LARGEST_PROFILE)
    except zlib.error:
        return None
    return profile if profile[16:20] == b"RGB " and profile[36:40] == b"acsp" else None


def _dpi(body: _Bytes | None) -> tuple[float, float] | None:
    if body is None or len(body) != 9:
        return None
    x, y, unit = struct.unpack(">IIB", body)
    return (x * 0.0254, y * 0.0254) if unit == 1 and x and y else None
