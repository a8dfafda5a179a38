"""Damage that knows the formats: chunks moved, lengths changed, checksums made right again.

A mutation takes a file's bytes, another file of the same kind and a random generator, and gives
the damaged bytes. Where a format is not recognised, its bytes are damaged as they come.
"""

from __future__ import annotations

import random
import re
import struct
import zlib

__all__ = ["mutated"]

_NUMBERS = (0, 1, 2, 3, 7, 8, 15, 16, 31, 32, 63, 64, 127, 128, 255, 256, 1000, 4095, 32767)
_NUMBERS += (32768, 65535, 65536, 1 << 20, (1 << 24) - 1, (1 << 31) - 1, 1 << 31, (1 << 32) - 1)
_LARGEST = 200_000
# fmt: off
_WORDS = (
    "nan", "inf", "-inf", "-1", "0", "1e400", "1e-400", "9223372036854775808", "true", "null",
    "[]", "{}", '""', "[[]]", "0x7fffffff", "1.5", '"\\u0000"', '"../../x"', '"nan"', "[1,2]",
    "[0,0]", "[-1,3]", "[1e300,1,1]", "123456789123456789123",
)
# fmt: on


def mutated(data: bytes, other: bytes, rng: random.Random, *, text: bool = False) -> bytes:
    """`data` with one to five pieces of damage."""
    ways = _TEXT if text else _BINARY
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 5))):
        data = rng.choice(ways)(data, other, rng)
        if not data:
            break
    return data[:_LARGEST]


def _flip(data: bytes, other: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8))):
        # Headers are where readers decide: half of all flips go to the first bytes.
        last = min(len(changed), 96) if rng.random() < 0.5 else len(changed)
        changed[rng.randrange(last)] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _number(data: bytes, other: bytes, rng: random.Random) -> bytes:
    code = rng.choice("BHHIIIQ")
    size = struct.calcsize(code)
    if len(data) < size:
        return data
    last = min(len(data), 256) if rng.random() < 0.6 else len(data)
    at = rng.randrange(max(1, last - size + 1))
    order = rng.choice("<>")
    value = rng.choice(_NUMBERS)
    if rng.random() < 0.3:  # near what stands there
        value = struct.unpack_from(order + code, data, at)[0] + rng.choice((-1, 1, -8, 8, 256))
    packed = struct.pack(order + code, value & ((1 << 8 * size) - 1))
    return data[:at] + packed + data[at + size :]


def _cut(data: bytes, other: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _slice(data: bytes, rng: random.Random) -> tuple[int, int]:
    begin = rng.randrange(len(data))
    return begin, min(len(data), begin + rng.choice((1, 2, 4, 12, 50, 400)))


def _drop(data: bytes, other: bytes, rng: random.Random) -> bytes:
    begin, end = _slice(data, rng)
    return data[:begin] + data[end:]


def _repeat(data: bytes, other: bytes, rng: random.Random) -> bytes:
    begin, end = _slice(data, rng)
    return data[:end] + data[begin:end] * rng.choice((1, 1, 3, 40)) + data[end:]


def _fill(data: bytes, other: bytes, rng: random.Random) -> bytes:
    begin, end = _slice(data, rng)
    filling = rng.choice((b"\0", b"\xff", None))
    middle = rng.randbytes(end - begin) if filling is None else filling * (end - begin)
    return data[:begin] + middle + data[end:]


def _splice(data: bytes, other: bytes, rng: random.Random) -> bytes:
    if not other:
        return data
    return data[: rng.randrange(len(data))] + other[rng.randrange(len(other)) :]


def _shuffle_parts(data: bytes, other: bytes, rng: random.Random) -> bytes:
    """Drop, repeat, swap or change whole chunks, boxes or segments."""
    head, parts = _parts(data)
    if len(parts) < 2:
        return _flip(data, other, rng)
    i, j = rng.randrange(len(parts)), rng.randrange(len(parts))
    how = rng.randrange(5)
    if how == 0:
        del parts[i]
    elif how == 1:
        parts.insert(j, parts[i])
    elif how == 2:
        parts[i], parts[j] = parts[j], parts[i]
    elif how == 3 and _parts(other)[1]:
        parts.insert(i, rng.choice(_parts(other)[1]))
    else:
        parts[i] = _number(parts[i], b"", rng) if rng.random() < 0.5 else _fill(parts[i], b"", rng)
    joined = head + b"".join(parts)
    return _with_sums(joined) if joined[:4] == b"\x89PNG" else joined


def _parts(data: bytes) -> tuple[bytes, list[bytes]]:
    """What stands before, and the chunks (PNG), segments (JPEG), boxes (ISO) or RIFF chunks."""
    if data[:4] == b"\x89PNG":
        start, little, extra, header = 8, False, 12, 0
    elif data[:4] == b"RIFF":
        start, little, extra, header = 12, True, 8, 4
    elif data[4:8] in (b"ftyp", b"JXL "):
        start, little, extra, header = 0, False, 0, 0
    elif data[:2] == b"\xff\xd8":
        return _jpeg_parts(data)
    else:
        return data, []
    parts, at = [], start
    while at + 8 <= len(data) and len(parts) < 200:
        (length,) = struct.unpack_from("<I" if little else ">I", data, at + header)
        size = length + extra + (length & 1 if little else 0)
        if size < 8:
            break
        parts.append(data[at : at + size])
        at += size
    return data[:start], [*parts, data[at:]] if at < len(data) else parts


def _jpeg_parts(data: bytes) -> tuple[bytes, list[bytes]]:
    marks = [match.start() for match in re.finditer(rb"\xff[\xc0-\xfe]", data)][1:200]
    if not marks:
        return data, []
    ends = [*marks[1:], len(data)]
    return data[: marks[0]], [data[begin:end] for begin, end in zip(marks, ends, strict=True)]


def _with_sums(data: bytes) -> bytes:
    """A PNG file whose checksums are right, so that damage goes further than the checksum."""
    out, at = bytearray(data[:8]), 8
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        body = data[at + 4 : at + 8 + length]
        out += data[at : at + 4] + body + struct.pack(">I", zlib.crc32(body))
        at += 12 + length
    return bytes(out)


def _sums_right(data: bytes, other: bytes, rng: random.Random) -> bytes:
    return _with_sums(_number(data, other, rng)) if data[:4] == b"\x89PNG" else data


def _inside_stream(data: bytes, other: bytes, rng: random.Random) -> bytes:
    """Damage what a PNG's pixels inflate to, rather than the deflate stream."""
    if data[:4] != b"\x89PNG":
        return data
    head, parts = _parts(data)
    pixels = b"".join(part[8:-4] for part in parts if part[4:8] == b"IDAT")
    try:
        plain = zlib.decompressobj().decompress(pixels, 1 << 20)
    except zlib.error:
        return data
    if not plain:
        return data
    body = zlib.compress(rng.choice((_flip, _cut, _drop, _repeat, _fill))(plain, b"", rng))
    placed, rest = False, []
    for part in parts:
        if part[4:8] != b"IDAT":
            rest.append(part)
        elif not placed:
            rest.append(struct.pack(">I", len(body)) + b"IDAT" + body + bytes(4))
            placed = True
    return _with_sums(head + b"".join(rest))


def _tiff_entry(data: bytes, other: bytes, rng: random.Random) -> bytes:
    """Change the tag, type, count or value of an entry of a TIFF's first directory."""
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None or len(data) < 8:
        return data
    (directory,) = struct.unpack_from(order + "I", data, 4)
    if directory + 2 > len(data):
        return data
    (count,) = struct.unpack_from(order + "H", data, directory)
    at = directory + 2 + 12 * rng.randrange(max(1, min(count, 60)))
    if at + 12 > len(data):
        return data
    changed = bytearray(data)
    field, code = rng.choice(((0, "H"), (2, "H"), (4, "I"), (8, "I"), (8, "I"), (8, "H")))
    value = rng.choice(_NUMBERS) if rng.random() < 0.8 else rng.randrange(256, 340)
    struct.pack_into(
        order + code, changed, at + field, value & (0xFFFF if code == "H" else ~0 % (1 << 32))
    )
    return bytes(changed)


_NAME_OR_VALUE = re.compile(rb'"[^"]*"|[\w.+-]+')


def _word(data: bytes, other: bytes, rng: random.Random) -> bytes:
    """Another value in the place of one of a text file's words."""
    words = list(_NAME_OR_VALUE.finditer(data))
    if not words:
        return data
    found = rng.choice(words)
    new = rng.choice(_WORDS).encode()
    if rng.random() < 0.3:
        new = rng.choice(words)[0]
    return data[: found.start()] + new + data[found.end() :]


def _nest(data: bytes, other: bytes, rng: random.Random) -> bytes:
    """Brackets in brackets, deeper than any parser's patience."""
    deep = rng.choice((3, 200, 5000, 60000))
    opened, closed = rng.choice(((b"[", b"]"), (b'{"a":', b"}"), (b"{a=", b"}"), (b"(", b")")))
    at = rng.randrange(len(data) + 1)
    return data[:at] + opened * deep + b"1" + closed * deep + data[at:]


_ANY = (_flip, _cut, _drop, _repeat, _fill, _splice)
_BINARY = (*_ANY, _number, _number, _number, _shuffle_parts, _shuffle_parts)
_BINARY += (_sums_right, _inside_stream, _tiff_entry, _tiff_entry)
_TEXT = (*_ANY, _word, _word, _word, _word, _nest)
