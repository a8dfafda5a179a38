"""The first directory of a TIFF file, checked: sizes, segments, and how many directories follow.

Written after TIFF 6.0 and BigTIFF. Readers of TIFF allocate what its tags say, turn every value
of a tag into an object and walk the whole chain of directories; so each of these is bounded here
first, and the segments (strips or tiles) have to be there.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nssbg._io.header import Header, HeaderError
from nssbg._io.span import Span

__all__ = ["Directory", "check_segments", "read", "read_directory"]

_MOST_ENTRIES = 4_096
_MOST_DIRECTORIES = 1_000
# More values than this of one tag are no description of a picture; a 16-bit colour map has 196,608.
_MOST_VALUES = 1 << 20

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_STRIP_OFFSETS, _SAMPLES, _ROWS_PER_STRIP, _STRIP_COUNTS = 273, 277, 278, 279
_PLANAR, _PREDICTOR, _TILE_WIDTH, _TILE_HEIGHT = 284, 317, 322, 323
_TILE_OFFSETS, _TILE_COUNTS, _EXTRA, _FORMAT = 324, 325, 338, 339
_ORIENTATION, _RESOLUTION_X, _RESOLUTION_Y, _RESOLUTION_UNIT, _PROFILE = 274, 282, 283, 296, 34675
_SEGMENT_TAGS = (_STRIP_OFFSETS, _STRIP_COUNTS, _TILE_OFFSETS, _TILE_COUNTS)
# Types that are read here, as NumPy has them; a rational is two numbers.
_TYPES = {1: "u1", 3: "u2", 4: "u4", 5: "u4", 6: "i1", 7: "u1", 8: "i2", 9: "i4", 13: "u4"}
_TYPES |= {16: "u8", 18: "u8"}
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_SIZES |= {16: 8, 17: 8, 18: 8}
_BYTES_ONLY = (1, 2, 6, 7)
_OLD_JPEG, _YCBCR = 6, 6
# The largest profile that is kept; see `metadata`.
_LARGEST_PROFILE = 16 << 20


@dataclass(frozen=True)
class Directory:
    """What the first directory says of how its pixels lie.

    Attributes:
        width: Columns.
        height: Rows.
        bits: Bits of each sample.
        sample_format: 1 unsigned, 2 signed, 3 floating point.
        compression: TIFF's number: 1 none, 5 LZW, 8 deflate, ...
        photometric: 0 and 1 grey, 2 RGB, 3 palette, 5 separated, 6 YCbCr, ...
        samples: Samples a pixel.
        planar: Each sample has its own segments.
        predictor: 1 none, 2 horizontal differences, 3 floating point.
        extra_samples: What samples beyond the colours mean: 1 associated alpha, 2 alpha.
        segment_width: Columns of a strip or tile.
        segment_height: Rows of one.
        tiled: Segments are tiles, which are whole at the borders too.
        offsets: Where each segment begins.
        counts: Bytes of each; empty where the file leaves them out.
        order: "<" or ">".
        orientation: As EXIF has it, 1 to 8.
        resolution: Pixels per inch (x, y), or None.
        icc_profile: The profile as it stands in the file, or None.
    """

    width: int
    height: int
    bits: tuple[int, ...] = (1,)
    sample_format: int = 1
    compression: int = 1
    photometric: int = 1
    samples: int = 1
    planar: bool = False
    predictor: int = 1
    extra_samples: tuple[int, ...] = ()
    segment_width: int = 0
    segment_height: int = 0
    tiled: bool = False
    offsets: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, np.uint64))
    counts: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, np.uint64))
    order: str = "<"
    orientation: int = 1
    resolution: tuple[float, float] | None = None
    icc_profile: bytes | None = None

    @property
    def across(self) -> int:
        """Segments side by side."""
        return -(-self.width // self.segment_width)

    @property
    def down(self) -> int:
        """Segments below one another."""
        return -(-self.height // self.segment_height)

    @property
    def segments(self) -> int:
        """Segments that the picture needs."""
        return self.across * self.down * (self.samples if self.planar else 1)

    def row_bytes(self) -> int:
        """Bytes of one row of a segment, uncompressed."""
        if self.planar:
            bits = max(self.bits)
        elif len(self.bits) == self.samples:
            bits = sum(self.bits)
        else:
            bits = max(self.bits) * self.samples
        return (self.segment_width * bits + 7) // 8

    def segment_rows(self, number: int) -> int:
        """Rows of one segment: the last strip may have fewer, tiles never."""
        if self.tiled:
            return self.segment_height
        return min(self.segment_height, self.height - number % self.down * self.segment_height)


def read(span: Span) -> Header:
    """Sizes, memory, and the number of directories.

    Raises:
        HeaderError: The directory is damaged or beyond every bound.
    """
    directory, link = read_directory(span)
    frames, more = _count(span, link)
    pixels = directory.width * directory.height
    # Tiles are decoded whole, however little of them is picture.
    coded = directory.across * directory.segment_width * directory.down * directory.segment_height
    deep = max(directory.bits) > 8
    samples = min(directory.samples, 8)
    segment = directory.row_bytes() * min(directory.segment_height, max(directory.height, 1))
    if directory.tiled:
        segment = directory.row_bytes() * directory.segment_height
    # Decoded samples, the array, what is split or turned; and a segment, twice.
    stored = samples * max(directory.bits) // 8
    per_pixel = stored + (20 if deep else 16)
    if deep and directory.extra_samples[:1] == (1,):
        per_pixel += 2 * stored  # colours are divided by their alpha
    return Header(
        directory.width,
        directory.height,
        2 if deep else 1,
        decode_bytes=pixels * per_pixel + 2 * segment,
        coded_pixels=coded if directory.tiled else 0,
        frames=frames,
        more_frames=more,
    )


def read_directory(span: Span) -> tuple[Directory, int]:
    """The first directory, and where the next one's offset stands.

    Raises:
        HeaderError: It is damaged, or has more entries or values than any picture.
    """
    order, big = _form(span)
    (at,) = span.unpack(order + ("Q" if big else "I"), 8 if big else 4)
    count, first, size = _entries(span, at, order, big)
    block = span.at(first, count * size)
    if len(block) < count * size:
        raise HeaderError("it is cut short: its directory is not whole")
    values: dict[int, Any] = {}
    for entry in range(0, count * size, size):
        tag, kind = struct.unpack_from(order + "HH", block, entry)
        (number,) = struct.unpack_from(order + ("Q" if big else "I"), block, entry + 4)
        if number > _MOST_VALUES and kind not in _BYTES_ONLY:
            raise HeaderError(f"its tag {tag} claims {number} values; no picture needs so many")
        most = _LARGEST_PROFILE if tag == _PROFILE else _MOST_VALUES
        if tag in values or kind not in _TYPES or not 0 < number <= most:
            continue
        if not (_WIDTH <= tag <= _FORMAT or tag == _PROFILE):
            continue
        length = number * _SIZES[kind]
        inline = 8 if big else 4
        place = entry + size - inline
        if length <= inline:
            raw = block[place : place + length]
        else:
            (offset,) = struct.unpack_from(order + ("Q" if big else "I"), block, place)
            raw = span.at(offset, length)
            if len(raw) < length:
                if tag in _SEGMENT_TAGS:
                    raise HeaderError("it is cut short: its list of strips or tiles is not whole")
                continue
        values[tag] = np.frombuffer(raw, order + _TYPES[kind])
    return _directory(values, order), first + count * size


def check_segments(directory: Directory, size: int) -> None:
    """Refuse a file whose strips or tiles are not all there.

    Args:
        directory: Of a file.
        size: The file's bytes.

    Raises:
        HeaderError: Some are missing, empty or end behind the file.
    """
    if directory.compression == _OLD_JPEG:
        return  # its stream may lie elsewhere
    needed = directory.segments
    offsets, counts = directory.offsets, directory.counts
    what = "tiles" if directory.tiled else "strips"
    if len(offsets) < needed or (len(counts) and len(counts) < needed):
        raise HeaderError(
            f"it is truncated: it has {min(len(offsets), len(counts) or len(offsets))} of the "
            f"{needed} {what} of its picture"
        )
    offsets, counts = offsets[:needed], counts[:needed]
    if len(counts) and not counts.all():
        raise HeaderError(f"it is truncated: {int((counts == 0).sum())} of its {what} are empty")
    ends = offsets + (counts if len(counts) else np.uint64(1))
    if (offsets >= size).any() or (ends > size).any() or (ends < offsets).any():
        raise HeaderError(f"it is truncated: {what} of its picture lie behind the file's end")
    if directory.compression == 1 and directory.photometric != _YCBCR:
        row = directory.row_bytes()
        rows = np.array([directory.segment_rows(number) for number in range(needed)], np.uint64)
        held = counts if len(counts) else np.uint64(size) - offsets
        if (held < rows * np.uint64(row)).any():
            raise HeaderError(f"it is truncated: {what} of its picture are shorter than their rows")


def _form(span: Span) -> tuple[str, bool]:
    head = span.at(0, 4)
    order = "<" if head[:2] == b"II" else ">"
    return order, head in (b"II+\0", b"MM\0+")


def _entries(span: Span, at: int, order: str, big: bool) -> tuple[int, int, int]:
    """How many entries a directory has, where the first lies, and bytes of each."""
    (count,) = span.unpack(order + ("Q" if big else "H"), at)
    if not 1 <= count <= _MOST_ENTRIES:
        raise HeaderError(f"it is damaged: its directory claims {count} entries")
    return count, at + (8 if big else 2), 20 if big else 12


def _directory(values: dict[int, Any], order: str) -> Directory:
    def one(tag: int, default: int) -> int:
        return int(values[tag][0]) if tag in values else default

    def several(tag: int) -> tuple[int, ...]:
        return tuple(int(value) for value in values[tag][:16]) if tag in values else ()

    def many(tag: int) -> NDArray[np.uint64]:
        found: NDArray[np.uint64] = values.get(tag, np.zeros(0)).astype(np.uint64)
        return found

    width, height = one(_WIDTH, 0), one(_HEIGHT, 0)
    tiled = _TILE_WIDTH in values or _TILE_OFFSETS in values
    if tiled:
        segment_width, segment_height = one(_TILE_WIDTH, 0), one(_TILE_HEIGHT, 0)
    else:
        segment_width, segment_height = width, min(one(_ROWS_PER_STRIP, height), height)
    if min(width, height) > 0 and min(segment_width, segment_height) < 1:
        raise HeaderError("it is damaged: its strips or tiles have no size")
    offsets = many(_TILE_OFFSETS if tiled and _TILE_OFFSETS in values else _STRIP_OFFSETS)
    counts = many(_TILE_COUNTS if tiled and _TILE_COUNTS in values else _STRIP_COUNTS)
    profile = values[_PROFILE].tobytes() if _PROFILE in values else None
    orientation = one(_ORIENTATION, 1)
    bits = several(_BITS) or (1,)
    if not 1 <= max(bits) <= 64:
        raise HeaderError(f"it is damaged: it claims {max(bits)} bits a sample")
    return Directory(
        width=width,
        height=height,
        bits=bits,
        sample_format=one(_FORMAT, 1),
        compression=one(_COMPRESSION, 1),
        photometric=one(_PHOTOMETRIC, 1),
        samples=one(_SAMPLES, 1),
        planar=one(_PLANAR, 1) == 2,
        predictor=one(_PREDICTOR, 1),
        extra_samples=several(_EXTRA),
        segment_width=max(segment_width, 1),
        segment_height=max(segment_height, 1),
        tiled=tiled,
        offsets=offsets,
        counts=counts,
        order=order,
        orientation=orientation if 1 <= orientation <= 8 else 1,
        resolution=_resolution(values),
        icc_profile=profile,
    )


def _resolution(values: dict[int, Any]) -> tuple[float, float] | None:
    """Pixels per inch, where both directions and a unit are said."""
    unit = {2: 1.0, 3: 2.54}.get(
        int(values[_RESOLUTION_UNIT][0]) if _RESOLUTION_UNIT in values else 2
    )
    pairs = [values.get(tag, np.zeros(0)) for tag in (_RESOLUTION_X, _RESOLUTION_Y)]
    if unit is None or any(len(pair) != 2 or not pair.all() for pair in pairs):
        return None
    x, y = (float(pair[0]) / float(pair[1]) * unit for pair in pairs)
    return x, y


def _count(span: Span, link: int) -> tuple[int, bool]:
    """Directories from the first on, up to a bound, and whether there are more."""
    order, big = _form(span)
    seen = 1
    try:
        while seen <= _MOST_DIRECTORIES:
            (at,) = span.unpack(order + ("Q" if big else "I"), link)
            if at == 0:
                return seen, False
            count, first, size = _entries(span, at, order, big)
            link = first + count * size
            seen += 1
    except (struct.error, HeaderError):
        return seen, False  # whatever is wrong with the others, the first is what is read
    return _MOST_DIRECTORIES, True
