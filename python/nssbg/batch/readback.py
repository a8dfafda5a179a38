"""Reads an encoded picture back, whoever made it, and measures what marketplaces look at.

No cut-out is needed. What belongs to the subject is told from the file alone: where it has
transparency, by its alpha (half or more); else by what differs from the background by more than
compression does. `nssbg.batch.blocks` says which pixels are background and so have to be exact.
A shadow's soft tail is background that is off, unless it lies close to the subject.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nssbg import _io as image_io
from nssbg._color.profiles import is_srgb
from nssbg._compose.canvas import Box
from nssbg._errors import ImageDecodeError
from nssbg._io.formats import format_of_bytes
from nssbg._io.metadata import icc_of
from nssbg._io.pillow_reader import no_pillow_warnings, open_with_pillow
from nssbg.batch.blocks import BLOCK, NOISE, Blocks, block_distance, sorted_blocks

__all__ = ["EDGE", "LOSSY", "Header", "Measured", "measure_pixels", "read_header"]

# Levels of 255 from which on a pixel counts for the subject's box: lossy coding rings around edges.
EDGE = {"lossless": 8, "lossy": 16}
LOSSY = ("jpeg", "webp", "avif")
# Tags that name the owner, the camera's or lens's serial number; maker notes hold such too.
_SERIALS = (0xA430, 0xA431, 0xA435, 0x927C)
_CAMERA_SERIAL = 0xC62F
_PERSONAL_XMP = (b"SerialNumber", b"GPSLatitude", b"GPSLongitude", b"OwnerName")
_NOTHING = (0, 0, 0, 0)


@dataclass(frozen=True)
class Header:
    """What a file says before its pixels are decoded.

    Attributes:
        format: "jpeg", "png", ... lower case.
        width: In pixels.
        height: The same.
        bytes: Of the file.
        color_space: "srgb", "gray", "cmyk" or "other-rgb".
        has_alpha: There is an alpha channel or a transparent colour.
        subsampled: JPEG with chroma coarser than brightness.
        personal: What of a person or place it carries: "GPS position", "serial number", ...
    """

    format: str
    width: int
    height: int
    bytes: int
    color_space: str
    has_alpha: bool
    subsampled: bool
    personal: tuple[str, ...]


@dataclass(frozen=True)
class Measured:
    """What its pixels show.

    Attributes:
        transparent: Some pixel is not opaque.
        plain: There is a background to tell a subject from.
        box: (top, left, bottom, right) of the subject, half open; zeros where there is none.
        fill: Share of the width or the height that the box takes, whichever is larger.
        cut: Share of the frame's border that the subject touches, 0 to 1.
        worst: Largest difference of a background pixel from the background's colour, of 255.
        off: Background pixels that differ from it at all.
        where: (row, column) of one of the worst of them.
        strays: Marks on the background that are too small for subject.
    """

    transparent: bool
    plain: bool
    box: Box
    fill: float
    cut: float
    worst: int = 0
    off: int = 0
    where: tuple[int, int] = (0, 0)
    strays: int = 0


def read_header(data: bytes, name: str) -> Header:
    """What a file says of itself.

    Raises:
        ImageDecodeError: It is no picture that can be read here.
    """
    format = format_of_bytes(bytes(data[:64]))
    if format is None:
        raise ImageDecodeError(f"cannot read {name}: its first bytes are of no picture format")
    try:
        with no_pillow_warnings(), open_with_pillow(data, format, name) as image:
            layers = getattr(image, "layer", [])
            return Header(
                format=format.lower(),
                width=image.width,
                height=image.height,
                bytes=len(data),
                color_space=_color_space(image),
                has_alpha=bool(image.has_transparency_data),
                subsampled=len(layers) > 1 and tuple(layers[0][1:3]) != tuple(layers[1][1:3]),
                personal=_personal(image, data),
            )
    except ImageDecodeError:
        raise
    except Exception as error:  # readers raise anything at all over a damaged file
        raise ImageDecodeError(f"cannot read {name}: it is damaged ({error})") from error


def measure_pixels(
    data: bytes, header: Header, name: str, background: tuple[int, int, int] | None
) -> Measured:
    """Decode a file and measure it.

    Args:
        data: The file.
        header: Its header.
        name: For messages.
        background: The colour that its background should have; None: what its border has.

    Raises:
        ImageDecodeError: It cannot be decoded.
    """
    frame = image_io.decode(data, name=name)
    alpha = frame.alpha
    if alpha is not None and int(alpha.min()) < np.iinfo(alpha.dtype).max:
        return _measured_by_alpha(alpha)
    color = _border_color(frame.rgb) if background is None else background
    edge = EDGE["lossy" if header.format in LOSSY else "lossless"]
    return _measured_by_distance(frame.rgb, color, edge, 2 if header.subsampled else 1)


def _measured_by_alpha(alpha: NDArray[Any]) -> Measured:
    held = alpha > np.iinfo(alpha.dtype).max // 2
    box = _box(held)
    return Measured(
        transparent=True, plain=True, box=box, fill=_fill(box, alpha.shape), cut=_cut(held)
    )


def _measured_by_distance(
    rgb: NDArray[Any], color: tuple[int, int, int], edge: int, reach: int
) -> Measured:
    height, width = rgb.shape[:2]
    distance = block_distance(rgb, color)
    blocks = sorted_blocks(distance, reach=reach)
    rim = np.concatenate([distance[0], distance[-1], distance[:, 0], distance[:, -1]])
    # More than half of the border is something else: there is no background to speak of.
    plain = float((rim > NOISE).mean()) <= 0.5
    box, cut = _box_of_subject(rgb, color, blocks, edge)
    off = np.where(blocks.background, distance, np.uint8(0))
    count, where = 0, (0, 0)
    if off.any():
        for row, column in np.argwhere(off):
            block = _block(rgb, row, column)
            apart = _distance(block, color)
            count += int(np.count_nonzero(apart))
        row, column = (int(at) for at in np.unravel_index(int(off.argmax()), off.shape))
        apart = _distance(_block(rgb, row, column), color)
        inside = np.unravel_index(int(apart.argmax()), apart.shape)
        where = (row * BLOCK + int(inside[0]), column * BLOCK + int(inside[1]))
    return Measured(
        transparent=False,
        plain=plain,
        box=box,
        fill=_fill(box, (height, width)),
        cut=cut,
        worst=int(off.max()),
        off=count,
        where=where,
        strays=blocks.strays,
    )


def _block(rgb: NDArray[Any], row: int, column: int) -> NDArray[Any]:
    return rgb[row * BLOCK : (row + 1) * BLOCK, column * BLOCK : (column + 1) * BLOCK]


def _box_of_subject(
    rgb: NDArray[Any], color: tuple[int, int, int], blocks: Blocks, edge: int
) -> tuple[Box, float]:
    """The subject's box to the pixel, and the share of the picture's border that it touches."""
    height, width = rgb.shape[:2]
    found = _box(blocks.subject)
    if found == _NOTHING:
        return _NOTHING, 0.0
    # Only the outermost blocks decide; a few more where they hold nothing but ringing.
    top, left, bottom, right = (side * BLOCK for side in found)
    bottom, right = min(bottom, height), min(right, width)
    apart = _distance(rgb[top:bottom, left:right], color) > edge
    mask = blocks.subject[found[0] : found[2], found[1] : found[3]]
    apart &= mask.repeat(BLOCK, 0).repeat(BLOCK, 1)[: bottom - top, : right - left]
    inner = _box(apart)
    if inner == _NOTHING:
        return _NOTHING, 0.0
    touching = 0
    touching += int(apart[0].sum()) if top == 0 else 0
    touching += int(apart[-1].sum()) if bottom == height else 0
    touching += int(apart[:, 0].sum()) if left == 0 else 0
    touching += int(apart[:, -1].sum()) if right == width else 0
    box = (top + inner[0], left + inner[1], top + inner[2], left + inner[3])
    return box, touching / (2 * (height + width))


def _distance(rgb: NDArray[Any], color: tuple[int, int, int]) -> NDArray[np.uint8]:
    """The largest difference over the channels, of 255, rounded up; H x W."""
    step = int(np.iinfo(rgb.dtype).max) // 255
    result: NDArray[Any] | None = None
    for channel in range(3):
        plane = np.ascontiguousarray(rgb[..., channel])
        level = plane.dtype.type(color[channel] * step)
        apart = np.maximum(plane, level) - np.minimum(plane, level)
        result = apart if result is None else np.maximum(result, apart, out=result)
    assert result is not None
    if step == 1:
        return result.astype(np.uint8, copy=False)
    return (-(-result.astype(np.int32) // step)).astype(np.uint8)


def _border_color(rgb: NDArray[Any]) -> tuple[int, int, int]:
    border = np.concatenate([rgb[0], rgb[-1], rgb[:, 0], rgb[:, -1]])
    step = int(np.iinfo(rgb.dtype).max) // 255
    red, green, blue = (int(level) // step for level in np.median(border, axis=0))
    return red, green, blue


def _box(held: NDArray[np.bool_]) -> Box:
    rows = np.flatnonzero(held.any(axis=1))
    if rows.size == 0:
        return _NOTHING
    columns = np.flatnonzero(held[rows[0] : rows[-1] + 1].any(axis=0))
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1


def _fill(box: Box, shape: tuple[int, ...]) -> float:
    return max((box[2] - box[0]) / shape[0], (box[3] - box[1]) / shape[1])


def _cut(held: NDArray[np.bool_]) -> float:
    border = np.concatenate([held[0], held[-1], held[:, 0], held[:, -1]])
    return float(border.mean())


def _color_space(image: Any) -> str:
    mode = image.mode
    if mode in ("1", "L", "LA", "La", "F") or mode.startswith("I"):
        return "gray"
    if mode == "CMYK":
        return "cmyk"
    if mode in ("LAB", "HSV"):
        return "other-rgb"
    icc = icc_of(image)
    return "srgb" if icc is None or is_srgb(icc) else "other-rgb"


def _exif(image: Any, data: bytes) -> Any:
    """A file's EXIF block; pixels are decoded only where it can lie behind them."""
    from PIL import Image

    if image.format == "PNG" and not _png_tells_late(data):
        return Image.Image.getexif(image)  # PNG's own decodes 12 MP in a quarter of a second
    return image.getexif()


def _png_tells_late(data: bytes) -> bool:
    """Whether a PNG has EXIF or text chunks behind its pixels, or chunks that make no sense."""
    place, behind = 8, False
    while place + 8 <= len(data):
        kind = data[place + 4 : place + 8]
        if kind == b"IEND":
            return False
        behind = behind or kind == b"IDAT"
        if behind and kind in (b"eXIf", b"tEXt", b"zTXt", b"iTXt"):
            return True
        place += 12 + int.from_bytes(data[place : place + 4], "big")
    return True


def _personal(image: Any, data: bytes) -> tuple[str, ...]:
    """What of a person, place or single camera a file carries."""
    found = []
    try:
        exif = _exif(image, data)
        if exif.get_ifd(0x8825):
            found.append("GPS position")
        within = exif.get_ifd(0x8769)
        if _CAMERA_SERIAL in exif or any(tag in within for tag in _SERIALS):
            found.append("serial number, owner or maker notes")
    except Exception:  # EXIF is written by everything, in every way
        found.append("an EXIF block that cannot be read")
    packet = image.info.get("xmp") or b""
    packet = packet.encode() if isinstance(packet, str) else packet
    if any(word in packet for word in _PERSONAL_XMP):
        found.append("position, owner or serial number in XMP")
    return tuple(found)
