"""Decodes the strips or tiles of a deep TIFF file: 16-bit samples and floating point, whole or not.

Only what is stored plainly or deflated, which is what programs write such pictures with. Each
segment is inflated to the bytes that it must have and no further, and has to have them all.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nssbg._io.header import HeaderError
from nssbg._io.tiff_header import Directory

__all__ = ["can_decode", "decode"]

_PLAIN = 1
_DEFLATE = (8, 32946)
_TYPES = {(1, 16): "u2", (3, 16): "f2", (3, 32): "f4", (3, 64): "f8"}


def can_decode(directory: Directory) -> bool:
    """Whether `decode` knows the samples and the compression."""
    return (
        len(set(directory.bits)) == 1
        and (directory.sample_format, directory.bits[0]) in _TYPES
        and directory.compression in (_PLAIN, *_DEFLATE)
        and directory.predictor in (1, 2, 3)
        and 1 <= directory.samples <= 4
    )


def decode(data: bytes | memoryview, directory: Directory) -> NDArray[Any]:
    """The samples of a picture whose segments were checked to be in the file.

    Returns:
        H x W x samples, uint16 or float16, 32 or 64, in the machine's byte order.

    Raises:
        HeaderError: A segment is damaged or too short.
    """
    kind = _TYPES[directory.sample_format, directory.bits[0]]
    out = np.empty((directory.height, directory.width, directory.samples), kind)
    view = memoryview(data)
    on_plane = directory.across * directory.down
    inside = 1 if directory.planar else directory.samples
    for number in range(directory.segments):
        plane, place = divmod(number, on_plane)
        down, across = divmod(place, directory.across)
        rows = directory.segment_rows(place if directory.tiled else down)
        start = int(directory.offsets[number])
        end = start + int(directory.counts[number]) if len(directory.counts) else len(view)
        wanted = rows * directory.row_bytes()
        raw = _inflated(view[start:end], directory.compression, wanted)
        segment = _samples(raw, rows, inside, directory, kind)
        top, left = down * directory.segment_height, across * directory.segment_width
        bottom = min(top + rows, directory.height)
        right = min(left + directory.segment_width, directory.width)
        into = out[top:bottom, left:right]
        if directory.planar:
            into = into[:, :, plane : plane + 1]
        into[...] = segment[: bottom - top, : right - left]
    return out


def _inflated(raw: memoryview, compression: int, wanted: int) -> bytes | memoryview:
    if compression == _PLAIN:
        data: bytes | memoryview = raw[:wanted]
    else:
        try:
            data = zlib.decompressobj().decompress(raw, wanted)
        except zlib.error as error:
            raise HeaderError(f"it is damaged in its pixels ({error})") from error
    if len(data) < wanted:
        raise HeaderError("it is truncated: a strip or tile of it ends before its last row")
    return data


def _samples(
    raw: bytes | memoryview, rows: int, inside: int, directory: Directory, kind: str
) -> NDArray[Any]:
    """The samples of one segment: rows x columns x samples, differences summed up."""
    shape = (rows, directory.segment_width, inside)
    size = np.dtype(kind).itemsize
    if directory.predictor == 3:
        # Bytes of a row by significance, each the difference to the one a pixel before.
        planes = np.frombuffer(raw, np.uint8).reshape(rows, size * directory.segment_width, inside)
        summed = np.cumsum(planes, axis=1, dtype=np.uint8).reshape(rows, size, -1)
        packed = np.ascontiguousarray(summed.transpose(0, 2, 1))
        return packed.view(f">{kind}").reshape(shape)
    if directory.predictor == 2:
        whole = np.frombuffer(raw, f"{directory.order}u{size}").reshape(shape)
        return np.cumsum(whole, axis=1, dtype=f"u{size}").view(kind).reshape(shape)
    return np.frombuffer(raw, directory.order + kind).reshape(shape)
