"""The code stream of a JPEG XL file, out of its container, and what its header says.

The plugin decodes the whole picture when it opens a file, so size, channels and depth are read
here first (ISO/IEC 18181-1, size header and image metadata; 18181-2, boxes). It is then given
the bare code stream: no box of the container, compressed ones included, reaches it.
"""

from __future__ import annotations

from nssbg._io.boxes import Box, boxes
from nssbg._io.header import Header, HeaderError
from nssbg._io.span import Span

__all__ = ["code_stream", "exif_block", "read"]

_SIGNATURE = b"\xff\x0a"
# What comes before the extra channels' number takes 60 bytes at most.
_HEAD = 80
_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
_LARGEST_EXIF = 4 << 20


class _Bits:
    """Bits from the least significant of each byte on."""

    def __init__(self, data: bytes) -> None:
        self._bits = int.from_bytes(data, "little")
        self._left = 8 * len(data)

    def take(self, count: int) -> int:
        if count > self._left:
            raise HeaderError("it is cut short in its header")
        value = self._bits & ((1 << count) - 1)
        self._bits >>= count
        self._left -= count
        return value

    def choose(self, *choices: tuple[int, int]) -> int:
        """One of four (offset, bits) by a selector of two bits."""
        offset, bits = choices[self.take(2)]
        return offset + self.take(bits)


def read(span: Span) -> Header:
    """What the header of a bare or boxed code stream says.

    Raises:
        HeaderError: There is no code stream, or it is cut short in its header.
    """
    bits = _Bits(_head(span))
    width, height = _size(bits)
    channels, depth = _metadata(bits)
    pixels = width * height
    # libjxl works on 32-bit floats, in and out of its pipeline; extra channels likewise.
    return Header(
        width,
        height,
        sample_bytes=1 if depth <= 8 else 2,
        decode_bytes=pixels * (24 + 8 * channels),
    )


def code_stream(data: bytes | memoryview) -> bytes | memoryview:
    """The code stream of a file: the file itself, the jxlc box, or the joined jxlp boxes."""
    if bytes(data[:2]) == _SIGNATURE:
        return data
    view = memoryview(data)
    parts = [view[box.start : box.end] for box in _stream_boxes(Span(data))]
    return parts[0] if len(parts) == 1 else b"".join(parts)


def exif_block(data: bytes | memoryview) -> bytes:
    """The EXIF block of a container's Exif box, or b""."""
    if bytes(data[:2]) == _SIGNATURE:
        return b""
    span = Span(data)
    for box in boxes(span, 0, span.size):
        if box.kind == b"Exif" and 4 < box.end - box.start <= _LARGEST_EXIF:
            block = span.at(box.start, box.end - box.start)
            if block[:4] in (b"II*\0", b"MM\0*"):
                return block  # some writers leave out the offset before it
            return block[4 + int.from_bytes(block[:4], "big") :]
    return b""


def _head(span: Span) -> bytes:
    head = span.at(0, _HEAD + 2)
    if head[:2] != _SIGNATURE:
        head = b""
        for box in _stream_boxes(span):
            head += span.at(box.start, min(box.end - box.start, _HEAD + 2 - len(head)))
            if len(head) >= _HEAD + 2:
                break
    if head[:2] != _SIGNATURE:
        raise HeaderError("it is damaged or cut short: there is no JPEG XL code stream in it")
    return head[2:]


def _stream_boxes(span: Span) -> list[Box]:
    """The parts of the code stream in their order.

    Raises:
        HeaderError: Parts of one box and of many are mixed, or out of order.
    """
    found: list[Box] = []
    closed = False
    for box in boxes(span, 0, span.size):
        if box.kind not in (b"jxlc", b"jxlp"):
            continue
        if closed:
            raise HeaderError("it is damaged: its container has more than one code stream")
        if box.kind == b"jxlc":
            closed = True
            if found:
                raise HeaderError("it is damaged: its container has more than one code stream")
            found.append(box)
            continue
        (number,) = span.unpack(">I", box.start)
        if number & 0x7FFFFFFF != len(found):
            raise HeaderError("it is damaged: the parts of its code stream are out of order")
        closed = bool(number >> 31)
        found.append(Box(box.kind, box.start + 4, box.end))
    if not found or not closed:
        raise HeaderError("it is damaged or cut short: its JPEG XL code stream is not whole")
    return found


def _size(bits: _Bits) -> tuple[int, int]:
    eighths = bits.take(1)

    def side() -> int:
        if eighths:
            return 8 * (1 + bits.take(5))
        return bits.choose((1, 9), (1, 13), (1, 18), (1, 30))

    height = side()
    ratio = bits.take(3)
    if ratio == 0:
        return side(), height
    numerator, denominator = _RATIOS[ratio - 1]
    return height * numerator // denominator, height


def _metadata(bits: _Bits) -> tuple[int, int]:
    """Extra channels, and bits a sample."""
    if bits.take(1):
        return 0, 8
    if bits.take(1):
        bits.take(3)  # orientation
        if bits.take(1):
            _size(bits)  # intrinsic size
        if bits.take(1):
            _skip_preview(bits)
        if bits.take(1):  # animation: ticks, loops, time codes
            bits.choose((100, 0), (1000, 0), (1, 10), (1, 30))
            bits.choose((1, 0), (1001, 0), (1, 8), (1, 10))
            bits.choose((0, 0), (0, 3), (0, 16), (0, 32))
            bits.take(1)
    if bits.take(1):
        depth = bits.choose((32, 0), (16, 0), (24, 0), (1, 6))
        bits.take(4)
    else:
        depth = bits.choose((8, 0), (10, 0), (12, 0), (1, 6))
    bits.take(1)  # whether 16 bits are enough for the decoder's own buffers
    return bits.choose((0, 0), (1, 0), (2, 4), (1, 12)), depth


def _skip_preview(bits: _Bits) -> None:
    eighths = bits.take(1)

    def side() -> None:
        if eighths:
            bits.choose((16, 0), (32, 0), (1, 5), (33, 9))
        else:
            bits.choose((1, 6), (65, 8), (321, 10), (1345, 12))

    side()
    if bits.take(3) == 0:
        side()
