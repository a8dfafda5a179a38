"""Size, kind and number of scans of a JPEG file from its markers (ITU-T T.81, annex B)."""

from __future__ import annotations

import itertools
import re

from nssbg._io.header import Header, HeaderError
from nssbg._io.span import Span

__all__ = ["check_scans", "read"]

# SOF0 to SOF15 but for DHT, JPG and DAC, which lie among them.
_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_PROGRESSIVE = (0xC2, 0xC6, 0xCA, 0xCE)
_ALONE = (0x01, *range(0xD0, 0xD9))
_SOS, _EOI = 0xDA, 0xD9
# Profiles and extended XMP come in pieces of 64 KB; a file has tens of segments, not thousands.
_MOST_SEGMENTS = 20_000
# Progressive files have about ten scans, the most elaborate scripts some dozens.
_MOST_SCANS = 500
# Each scan of a progressive file goes over the whole picture: bounded too is scans x pixels.
_SCANS_OF_ANY_SIZE = 40
_MOST_SCANNED_PIXELS = 2_000_000_000
# EXIF may be spread over segments, and Pillow joins them one by one.
_MOST_EXIF = 16 << 20
_APP1 = 0xE1
_MARKER_IN_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


def read(span: Span) -> Header:
    """The frame header's size; its decoder's memory.

    Raises:
        HeaderError: There is no frame header where one must be.
    """
    at, exif = 2, 0
    for _ in range(_MOST_SEGMENTS):
        marker, at = _marker(span, at)
        if marker in _ALONE:
            continue
        (length,) = span.unpack(">H", at)
        if marker == _APP1 and span.at(at + 2, 4) == b"Exif":
            exif += length
            if exif > _MOST_EXIF:
                raise HeaderError(f"its EXIF block is longer than {_MOST_EXIF >> 20} MB")
        if marker in _FRAMES:
            height, width, components = span.unpack(">HHB", at + 3)
            # Plain files go straight into an array, which may have to be turned upright; CMYK goes
            # through Pillow and LittleCMS.
            per_pixel = 7 if components in (1, 3) else 16
            progressive = marker in _PROGRESSIVE
            if progressive:
                per_pixel += 2 * components  # all coefficients are kept
            return Header(
                width,
                height,
                decode_bytes=width * height * per_pixel,
                progressive=progressive,
            )
        if marker in (_SOS, _EOI) or length < 2:
            break
        at += length
    raise HeaderError("it has no frame header where one must be")


def check_scans(data: bytes | memoryview, header: Header) -> None:
    """Refuse a file of far too many scans, or a progressive one whose last are not there.

    Raises:
        HeaderError: It is such a file.
    """
    pixels = max(1, header.width * header.height)
    most = min(_MOST_SCANS, max(_SCANS_OF_ANY_SIZE, _MOST_SCANNED_PIXELS // pixels))
    if not header.progressive:
        # Markers that lie in thumbnails or behind the picture count here, so this only acquits.
        seen = itertools.islice(re.finditer(rb"\xff\xda", data), most + 1)
        if sum(1 for _ in seen) <= most:
            return
    scans, at, span = 0, 2, Span(data)
    precision: dict[tuple[int, bool], int] = {}
    for _ in range(_MOST_SEGMENTS + most):
        try:
            marker, at = _marker(span, at)
        except HeaderError:
            return  # no end marker: the decoder says so
        if marker == _EOI:
            break
        if marker in _ALONE:
            continue
        length = max(2, span.unpack(">H", at)[0])
        if marker == _SOS:
            scans += 1
            if scans > most:
                raise HeaderError(
                    f"it has more than {most} scans, as no encoder makes for {header.width} x "
                    f"{header.height} pixels; open and save it anew in another program"
                )
            _note_precision(precision, span.at(at, min(length, 16)))
            found = _MARKER_IN_SCAN.search(data, at + length)
            if found is None:
                return
            at = found.start()
        else:
            at += length
    else:
        raise HeaderError(f"it has more than {_MOST_SEGMENTS} segments")
    if header.progressive and any(precision.values()):
        raise HeaderError("it is truncated: its last scans are not there")


def _note_precision(precision: dict[tuple[int, bool], int], scan: bytes) -> None:
    """Keep how many low bits of a component's average and detail are still to come."""
    if len(scan) < 3 or len(scan) < 6 + 2 * scan[2]:
        return
    first, _, approximation = scan[3 + 2 * scan[2] : 6 + 2 * scan[2]]
    for component in scan[3 : 3 + 2 * scan[2] : 2]:
        precision[component, first == 0] = approximation & 15


def _marker(span: Span, at: int) -> tuple[int, int]:
    """The marker at `at` and where it ends; stray and filling bytes before it are passed over."""
    head = span.at(at, 2)
    if len(head) == 2 and head[0] == 0xFF and head[1] not in (0x00, 0xFF):
        return head[1], at + 2
    block = span.at(at, 1 << 16)
    found = re.search(rb"\xff[^\x00\xff]", block)
    if found is None:
        raise HeaderError("it is cut short or damaged: its JPEG markers end early")
    return block[found.start() + 1], at + found.start() + 2
