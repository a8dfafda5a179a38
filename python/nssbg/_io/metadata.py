"""What a file says about its pixels: EXIF and its orientation, physical size, profile.

EXIF blocks are kept as the bytes of their TIFF structure, without the "Exif\\0\\0" that some
formats put before it, and changed in place, so that maker notes survive.
"""

from __future__ import annotations

import math
import struct
from typing import Any

from PIL import Image

__all__ = ["dpi_of", "exif_of", "icc_of", "named_srgb", "without_orientation", "xmp_of"]

_ORIENTATION = 0x0112
_EXIF_IFD, _COLOR_SPACE, _INTEROPERABILITY = 0x8769, 0xA001, 0xA005
_EXIF_PREFIX = b"Exif\0\0"
# The largest EXIF block that is kept; JPEG can hold 64 KB, maker notes elsewhere more.
_LARGEST_EXIF = 4 << 20
_LARGEST_ICC = 16 << 20
_LARGEST_XMP = 1 << 20
# A TIFF file's tags are its EXIF; those that tell of the picture rather than of its storage.
_TIFF_TAGS_KEPT = (0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x8298, 0x8769, 0x8825)


def without_orientation(exif: bytes) -> tuple[bytes, int]:
    """Reset the orientation of an EXIF block to 1 and drop its thumbnail.

    The thumbnail shows the picture as it was, background and all, and the other way up, so it
    may not go into a cut-out.

    Args:
        exif: The block, with or without the "Exif\\0\\0" prefix.

    Returns:
        The changed block without the prefix (empty if it is no TIFF structure), and the
        orientation that it had, 1 to 8.
    """
    block = bytearray(exif[6:] if exif.startswith(_EXIF_PREFIX) else exif)
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(bytes(block[:4]))
    if order is None or len(block) > _LARGEST_EXIF:
        return b"", 1
    orientation = 1
    try:
        (start,) = struct.unpack_from(order + "I", block, 4)
        (count,) = struct.unpack_from(order + "H", block, start)
        for entry in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind = struct.unpack_from(order + "HH", block, entry)
            if tag == _ORIENTATION and kind == 3:
                (value,) = struct.unpack_from(order + "H", block, entry + 8)
                orientation = value if 1 <= value <= 8 else 1
                struct.pack_into(order + "HH", block, entry + 8, 1, 0)
        _drop_thumbnail(block, order, start + 2 + 12 * count)
    except struct.error:  # cut short: nothing in it can be trusted
        return b"", orientation
    return bytes(block), orientation


def named_srgb(exif: bytes) -> bytes:
    """An EXIF block that calls its pixels sRGB, for a picture that was converted to it.

    Cameras name Adobe RGB in two places, ColorSpace (65535) and the interoperability index ("R03"),
    and some viewers believe these where there is no profile.

    Args:
        exif: The block without prefix.

    Returns:
        The same with both set to sRGB where they are there; unchanged where it is malformed.
    """
    block = bytearray(exif)
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(bytes(block[:4]))
    if order is None:
        return exif
    try:
        (start,) = struct.unpack_from(order + "I", block, 4)
        within = _entries(block, order, start).get(_EXIF_IFD)
        if within is None:
            return exif
        (place,) = struct.unpack_from(order + "I", block, within + 8)
        tags = _entries(block, order, place)
        if _COLOR_SPACE in tags:
            struct.pack_into(order + "HH", block, tags[_COLOR_SPACE] + 8, 1, 0)
        if _INTEROPERABILITY in tags:
            (place,) = struct.unpack_from(order + "I", block, tags[_INTEROPERABILITY] + 8)
            index = _entries(block, order, place).get(1)
            if index is not None:
                struct.pack_into("4s", block, index + 8, b"R98\0")
    except struct.error:  # cut short
        return exif
    return bytes(block)


def _entries(block: bytearray, order: str, start: int) -> dict[int, int]:
    """Tag to place of its entry, of one directory."""
    (count,) = struct.unpack_from(order + "H", block, start)
    entries = {}
    for entry in range(start + 2, start + 2 + 12 * count, 12):
        (tag,) = struct.unpack_from(order + "H", block, entry)
        entries[tag] = entry
    return entries


def _drop_thumbnail(block: bytearray, order: str, link: int) -> None:
    """Unlink the second directory of an EXIF block and blank the thumbnail it points to."""
    (second,) = struct.unpack_from(order + "I", block, link)
    if second == 0:
        return
    struct.pack_into(order + "I", block, link, 0)
    try:
        (count,) = struct.unpack_from(order + "H", block, second)
        fields = {}
        for entry in range(second + 2, second + 2 + 12 * count, 12):
            (tag,) = struct.unpack_from(order + "H", block, entry)
            (fields[tag],) = struct.unpack_from(order + "I", block, entry + 8)
    except struct.error:
        return  # it is unlinked already
    at, length = fields.get(0x0201, 0), fields.get(0x0202, 0)
    if not 8 <= at <= at + length <= len(block):
        return
    if at + length == len(block) and at > second:
        del block[at:]
    else:
        block[at : at + length] = bytes(length)


def exif_of(image: Image.Image) -> bytes:
    """The EXIF block of an opened Pillow image without prefix, or b"" where there is none."""
    raw = image.info.get("exif")
    if isinstance(raw, bytes) and raw:
        return raw[6:] if raw.startswith(_EXIF_PREFIX) else raw
    try:
        tags = image.getexif()
        if not tags:
            return b""
        if image.format == "TIFF":
            kept = Image.Exif()
            for tag in _TIFF_TAGS_KEPT:
                if tag in tags:
                    value = tags.get_ifd(tag) if tag in (0x8769, 0x8825) else tags[tag]
                    if value:
                        kept[tag] = value
            if _ORIENTATION in tags:
                kept[_ORIENTATION] = tags[_ORIENTATION]
            tags = kept
            if not tags:
                return b""
        block = tags.tobytes()
    except Exception:  # EXIF is written by everything, in every way: what cannot be read is left
        return b""
    return block[6:] if block.startswith(_EXIF_PREFIX) else block


def icc_of(image: Image.Image) -> bytes | None:
    """The ICC profile of an opened Pillow image, or None where it has none worth keeping."""
    profile = image.info.get("icc_profile")
    # 128 bytes of header and a signature at byte 36 make a profile.
    if not isinstance(profile, bytes) or not 128 < len(profile) <= _LARGEST_ICC:
        return None
    return profile if profile[36:40] == b"acsp" else None


def xmp_of(image: Image.Image) -> bytes | None:
    """The XMP packet of an opened Pillow image, or None where it has none worth keeping."""
    packet = image.info.get("xmp")
    if isinstance(packet, str):
        packet = packet.encode("utf-8", "replace")
    if packet is None and image.format == "TIFF":
        packet = getattr(image, "tag_v2", {}).get(700)
    return packet if isinstance(packet, bytes) and 0 < len(packet) <= _LARGEST_XMP else None


def dpi_of(info: dict[Any, Any]) -> tuple[float, float] | None:
    """Pixels per inch from a Pillow info dictionary, or None."""
    value = info.get("dpi")
    try:
        x, y = (float(part) for part in value)  # type: ignore[union-attr]
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return (x, y) if all(math.isfinite(part) and 0 < part < 1e6 for part in (x, y)) else None
