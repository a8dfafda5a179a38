"""Makes what remove.bg's API gives back, from a cut-out, by nssbg's own public steps."""

from __future__ import annotations

import io
import math
import zipfile
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np

from nssbg import _io as image_io
from nssbg._compose.background import over_layer
from nssbg._compose.canvas import Canvas, subject_box
from nssbg._compose.output import Output, render
from nssbg._compose.shadow import layer_from_strength
from nssbg._cutout import Cutout
from nssbg._http.errors import HttpError
from nssbg._types import Frame, ImageArray
from nssbg._vocabulary import FileFormat
from nssbg.server.options import check_size
from nssbg.server.removebg_fields import Fields, Length

__all__ = ["RemoveBgResult", "made"]

_MEDIA = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "webp": "image/webp",
    "zip": "application/zip",
}
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class RemoveBgResult:
    """A result with what its headers say.

    Attributes:
        data: The file's bytes.
        media_type: Of the file.
        width: Of the picture, in pixels.
        height: The same.
        box: (top, left, height, width) of the foreground in it.
    """

    data: bytes = field(repr=False)
    media_type: str
    width: int
    height: int
    box: Box


def made(cutout: Cutout, fields: Fields, max_pixels: int) -> RemoveBgResult:
    """What the fields ask for.

    Args:
        cutout: Of the picture.
        fields: Of the request; what is at an address was fetched.
        max_pixels: Of a background, and of a result with its margins.

    Raises:
        HttpError: 400 unknown_foreground: there is nothing on the picture.
    """
    rgba = cast("ImageArray", cutout.rgba)
    box = subject_box(rgba, threads=1)
    if box[2] <= box[0]:
        raise HttpError(400, "unknown_foreground", "could not identify a foreground in the image")
    frame = cutout.frame
    icc = frame.icc_profile
    framed = render(rgba, _framing(fields, frame, box, max_pixels), icc_profile=icc)
    top, left, bottom, right = subject_box(framed, threads=1)
    behind: Any = None
    if fields.background is not None:
        behind = image_io.decode(fields.background, max_pixels=max_pixels, name="bg_image_file")
    elif fields.color is not None and fields.color[3] == 255:
        behind = fields.color[:3]
    format = _format(fields, framed, is_opaque=behind is not None)
    if fields.alpha_only:
        pixels: Any = np.ascontiguousarray(framed[..., 3])
    else:
        if format == "jpg" and behind is None:
            behind = (255, 255, 255)
        pixels = render(framed, Output(shadow=fields.shadow), icc_profile=icc)
        if fields.color is not None and fields.color[3] < 255:
            pixels = over_layer(pixels, _layer(pixels, fields.color, icc), threads=1)
        pixels = render(pixels, Output(background=behind), icc_profile=icc)
    if format == "zip":
        data = _archive(framed, frame)
    else:
        data = _encoded(pixels, "jpeg" if format == "jpg" else cast("FileFormat", format), frame)
    return RemoveBgResult(
        data=data,
        media_type=_MEDIA[format],
        width=int(framed.shape[1]),
        height=int(framed.shape[0]),
        box=(top, left, bottom - top, right - left),
    )


def _framing(fields: Fields, frame: Frame, box: Box, max_pixels: int) -> Output:
    """Cropped, or placed on a canvas of the picture's size; then scaled to the size wanted."""
    height, width = frame.height, frame.width
    output = Output()
    if fields.margins is not None:
        rows, columns = box[2] - box[0], box[3] - box[1]
        sizes = (rows, columns, rows, columns)
        padding = tuple(_pixels(m, size) for m, size in zip(fields.margins, sizes, strict=True))
        check_size(columns, rows, max(padding), max_pixels)
        output = Output(trim=True, padding=cast("Any", padding))
        width, height = columns + padding[1] + padding[3], rows + padding[0] + padding[2]
    elif fields.scale is not None or fields.position not in (None, "original"):
        output = Output(canvas=_canvas(fields, frame, box))
    if fields.most_pixels is not None and frame.height * frame.width > fields.most_pixels:
        shrunk = math.sqrt(fields.most_pixels / (frame.height * frame.width))
        longest = math.floor(max(width, height) * shrunk)
        # Both sides are whole pixels, and a rounded one may be one too many.
        while longest * round(min(width, height) * longest / max(width, height)) > (
            width * height * fields.most_pixels / (frame.height * frame.width)
        ):
            longest -= 1
        output = replace(output, longest_side=max(1, longest))
    return output


def _canvas(fields: Fields, frame: Frame, box: Box) -> Canvas:
    top, left, bottom, right = box
    if fields.position == "original":
        # The subject keeps its place: its share of the free space on either side.
        down = top / max(1, frame.height - (bottom - top))
        across = left / max(1, frame.width - (right - left))
    else:
        position = fields.position
        across, down = position if isinstance(position, tuple) else (0.5, 0.5)
    return Canvas(
        frame.width,
        frame.height,
        # No margin at whatever scale: at a position of 0 % the subject touches the edge.
        fill=1.0,
        align=(min(1.0, down), min(1.0, across)),
        scale=1.0
        if fields.scale is None
        else fields.scale
        * min(frame.height / max(1, bottom - top), frame.width / max(1, right - left)),
    )


def _pixels(length: Length, size: int) -> int:
    value, is_share = length
    return round(value * size) if is_share else round(value)


def _format(fields: Fields, framed: ImageArray, *, is_opaque: bool) -> str:
    """ "auto" is PNG where something is transparent, else JPEG."""
    if fields.format != "auto":
        return fields.format
    if fields.alpha_only:
        return "png"
    full = np.iinfo(framed.dtype).max
    return "jpg" if is_opaque or bool((framed[..., 3] == full).all()) else "png"


def _layer(pixels: ImageArray, color: tuple[int, int, int, int], icc: bytes | None) -> ImageArray:
    """A see-through colour all over."""
    strength = np.full(pixels.shape[:2], color[3] / 255, np.float32)
    return layer_from_strength(strength, pixels.dtype, color[:3], icc_profile=icc)


def _encoded(pixels: Any, format: FileFormat, frame: Frame) -> bytes:
    profile = frame.icc_profile if pixels.ndim == 3 else None
    return image_io.encode(
        pixels, format=format, icc_profile=profile, exif=frame.exif, dpi=frame.dpi, threads=1
    )


def _archive(framed: ImageArray, frame: Frame) -> bytes:
    """color.jpg and alpha.png, which a program puts together again."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        color = np.ascontiguousarray(framed[..., :3])
        archive.writestr("color.jpg", _encoded(color, "jpeg", frame))
        alpha = np.ascontiguousarray(framed[..., 3])
        archive.writestr("alpha.png", _encoded(alpha, "png", frame))
    return file.getvalue()
