"""Makes hostile picture files: small on disk, large or endless to whoever trusts them.

Each is made in the test that needs it; nothing of it lies in the repository.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterable

import numpy as np
from PIL import Image

__all__ = [
    "deflated_zeros",
    "frame_of_isobmff",
    "gif_of_frames",
    "jpeg_of_scans",
    "jxl_boxes",
    "png",
    "png_chunk",
    "saved",
    "tiff",
    "tiff_chain",
]


def saved(image: Image.Image, format: str, **options) -> bytes:
    """An image as a file of a format."""
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def deflated_zeros(count: int, *, finish: bool = True) -> bytes:
    """A zlib stream of zeros, a thousandth of their number."""
    pack = zlib.compressobj(9)
    parts, block = [], bytes(1 << 20)
    for left in range(count, 0, -len(block)):
        parts.append(pack.compress(block[: min(left, len(block))]))
    parts.append(pack.flush(zlib.Z_FINISH if finish else zlib.Z_SYNC_FLUSH))
    return b"".join(parts)


def png_chunk(kind: bytes, body: bytes) -> bytes:
    """One chunk with its checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(
    width: int,
    height: int,
    body: bytes,
    *,
    bits: int = 8,
    colour: int = 2,
    interlaced: bool = False,
    before: Iterable[bytes] = (),
) -> bytes:
    """A PNG file around a zlib stream, with chunks before its pixels."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlaced)
    chunks = [
        png_chunk(b"IHDR", header),
        *before,
        png_chunk(b"IDAT", body),
        png_chunk(b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


_TIFF_TYPES = {1: "B", 2: "B", 3: "H", 4: "I", 7: "B", 11: "f", 12: "d", 16: "Q"}


def tiff(
    tags: dict[int, tuple[int, list]],
    segments: list[bytes],
    *,
    tiled: bool = False,
    order: str = "<",
    counts: list[int] | None = None,
    link: int = 0,
) -> bytes:
    """A TIFF file of one directory: tag -> (type, values); strips or tiles follow it."""
    places, sizes = (324, 325) if tiled else (273, 279)
    found = dict(tags)
    found[sizes] = (4, [len(part) for part in segments] if counts is None else counts)
    found[places] = (4, [0] * len(segments))
    for _ in range(2):  # the second time the offsets are known
        entries, extra = b"", b""
        after = 8 + 2 + 12 * len(found) + 4
        for tag, (kind, values) in sorted(found.items()):
            raw = struct.pack(f"{order}{len(values)}{_TIFF_TYPES[kind]}", *values)
            entries += struct.pack(f"{order}HHI", tag, kind, len(values))
            if len(raw) <= 4:
                entries += raw.ljust(4, b"\0")
            else:
                entries += struct.pack(f"{order}I", after + len(extra))
                extra += raw
        at = after + len(extra)
        offsets = []
        for part in segments:
            offsets.append(at)
            at += len(part)
        found[places] = (4, offsets)
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)
    count = struct.pack(f"{order}H", len(found))
    return head + count + entries + struct.pack(f"{order}I", link) + extra + b"".join(segments)


def rgb_tags(width: int, height: int, **changed: tuple[int, list]) -> dict[int, tuple[int, list]]:
    """Tags of an RGB picture in one strip; `t258=(3, [16, 16, 16])` changes one."""
    tags = {
        256: (4, [width]),
        257: (4, [height]),
        258: (3, [8, 8, 8]),
        259: (3, [1]),
        262: (3, [2]),
        277: (3, [3]),
        278: (4, [height]),
    }
    tags.update({int(name[1:]): value for name, value in changed.items()})
    return tags


def tiff_chain(count: int) -> bytes:
    """A TIFF file of many directories, all of one 16 x 16 grey picture."""
    fields = [(256, 16), (257, 16), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (278, 16)]
    fields.append((279, 256))
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in fields)
    size = 2 + len(entries) + 4
    parts = [b"II*\0", struct.pack("<I", 8 + 256), bytes(range(256))]
    for number in range(count):
        after = 8 + 256 + size * (number + 1) if number < count - 1 else 0
        parts += [struct.pack("<H", len(fields)), entries, struct.pack("<I", after)]
    return b"".join(parts)


def jpeg_of_scans(side: int, count: int) -> bytes:
    """A progressive JPEG file whose last scan comes again and again."""
    flat = Image.new("L", (side, side), 100)
    data = saved(flat, "JPEG", progressive=True)
    last = data.rfind(b"\xff\xda")
    return data[:last] + data[last:-2] * count + b"\xff\xd9"


def gif_of_frames(count: int, side: int = 4) -> bytes:
    """A GIF animation of one frame over and over."""
    data = saved(Image.new("P", (side, side)), "GIF")
    at = 13 + (3 << ((data[10] & 7) + 1) if data[10] & 0x80 else 0)
    return data[:at] + data[at:-1] * count + b";"


def jxl_boxes(stream: bytes, *, parts: int = 0, lead: int = 2) -> bytes:
    """A JPEG XL code stream in its container, or split over boxes, the first of `lead` bytes."""

    def box(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I4s", 8 + len(body), kind) + body

    head = b"\0\0\0\x0cJXL \r\n\x87\n" + box(b"ftyp", b"jxl \0\0\0\0jxl ")
    if not parts:
        return head + box(b"jxlc", stream)
    step = -(-(len(stream) - lead) // (parts - 1))
    cuts = [stream[:lead], *(stream[at : at + step] for at in range(lead, len(stream), step))]
    for number, cut in enumerate(cuts):
        last = (number == len(cuts) - 1) << 31
        head += box(b"jxlp", struct.pack(">I", number | last) + cut)
    return head


def frame_of_isobmff(data: bytes, width: int, height: int) -> bytes:
    """An AVIF or HEIC file whose ispe boxes claim another size than its frame has."""
    changed = bytearray(data)
    at = changed.find(b"ispe")
    while at >= 0:
        struct.pack_into(">II", changed, at + 8, width, height)
        at = changed.find(b"ispe", at + 4)
    return bytes(changed)


def webp_of_frames(count: int) -> bytes:
    """An animated WebP file of one 4 x 4 frame over and over."""
    frames = [Image.new("RGB", (4, 4), (number, 0, 0)) for number in (1, 200)]
    data = saved(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    first = data.find(b"ANMF")
    size = 8 + int.from_bytes(data[first + 4 : first + 8], "little")
    body = data[8:first] + data[first : first + size] * count
    return b"RIFF" + struct.pack("<I", len(body)) + body


def noise(height: int, width: int) -> np.ndarray:
    """A smooth RGB picture with something in every row."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows % 200 + 20, columns % 200 + 20, (rows + columns) % 99 + 9], -1).astype(
        np.uint8
    )
