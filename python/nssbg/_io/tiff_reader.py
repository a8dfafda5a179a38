"""Reads TIFF files of 16 bits and of floating point, which Pillow cuts down or does not know."""

from __future__ import annotations

import io
import logging
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nssbg._errors import ImageDecodeError
from nssbg._io import tiff_segments
from nssbg._io.arrays import gray_to_rgb, upright
from nssbg._io.float_samples import sixteen_bits
from nssbg._io.header import HeaderError
from nssbg._io.metadata import dpi_of, exif_of, icc_of, without_orientation
from nssbg._io.pillow_reader import frame_from_pillow, open_with_pillow
from nssbg._io.source import Kind
from nssbg._io.span import Span
from nssbg._io.tiff_header import Directory, read_directory
from nssbg._types import Frame

__all__ = ["read_if_deep"]

_log = logging.getLogger(__name__)

_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB = 0, 1, 2
_ASSOCIATED, _ALPHA = 1, 2
_FLOAT = 3
# What tifffile may be asked for beyond what is decoded here: LZW, PackBits, Zstandard.
_OTHER_CODECS = (5, 32773, 50000)


def read_if_deep(
    data: bytes | memoryview, *, name: str, kind: Kind, max_pixels: int, frames: str
) -> Frame | None:
    """Decode a TIFF file with floats, or with 16 bits and three or four channels; else None.

    The file's sizes and segments were checked before. Where there is no decoder for a compression
    (LZW and others need imagecodecs), Pillow's 8 bits are returned with a note that says so.

    Args:
        data: The file.
        name: For messages.
        kind: What the caller handed in.
        max_pixels: Pixels that the picture may have.
        frames: Note about further pictures in the file, or "".

    Raises:
        ImageDecodeError: It is damaged, or of floats that cannot be read here.
    """
    directory, _ = read_directory(Span(data))
    floats = directory.sample_format == _FLOAT
    colours = {_WHITE_IS_ZERO: 1, _BLACK_IS_ZERO: 1, _RGB: 3}.get(directory.photometric, 0)
    deep = colours == 3 and set(directory.bits) == {16} and directory.sample_format == 1
    if not floats and not (deep and directory.samples in (3, 4)):
        return None
    if floats and not (colours and colours <= directory.samples <= 4):
        raise ImageDecodeError(
            f"cannot read {name}: floating-point TIFF with {directory.samples} samples a pixel; "
            "expected grey or RGB, with or without alpha"
        )
    try:
        samples = _samples(data, directory)
    except HeaderError as error:
        raise ImageDecodeError(f"cannot read {name}: {error}") from error
    if samples is None and floats:
        raise ImageDecodeError(
            f"cannot read {name}: compression {directory.compression} of "
            f"{max(directory.bits)}-bit floating point has no decoder here; save it with deflate "
            "or none, or pip install imagecodecs"
        )
    if samples is None:
        with open_with_pillow(data, "TIFF", name) as image:
            frame = frame_from_pillow(
                image, name=name, kind=kind, max_pixels=max_pixels, frames=frames
            )
        said = "16 bits cut down to 8: pip install imagecodecs reads this compression in full"
        return replace(frame, notes=(*frame.notes, said))
    icc, exif, dpi = _metadata(data, directory, name)
    notes = [frames] if frames else []
    extra = directory.extra_samples[0] if directory.extra_samples else 0
    has_alpha = directory.samples > colours and extra in (_ASSOCIATED, _ALPHA)
    if floats and directory.photometric == _WHITE_IS_ZERO:
        samples[:, :, 0] = 1 - samples[:, :, 0]
    if has_alpha and extra == _ASSOCIATED:
        samples[:, :, :colours] = _straight(samples[:, :, :colours], samples[:, :, colours])
    if floats:
        samples, said_of_floats = sixteen_bits(samples[:, :, : colours + has_alpha], name)
        notes += said_of_floats
    rgb: Any = np.ascontiguousarray(samples[:, :, :3])
    if colours == 1:
        rgb = gray_to_rgb(samples[:, :, 0])
    alpha: Any = np.ascontiguousarray(samples[:, :, colours]) if has_alpha else None
    if directory.orientation != 1:
        rgb = upright(rgb, directory.orientation)
        alpha = upright(alpha, directory.orientation) if alpha is not None else None
        notes.append(f"turned upright (EXIF orientation {directory.orientation})")
    return Frame(
        rgb=rgb,
        alpha=alpha,
        icc_profile=icc if icc is not None and icc[16:20] == b"RGB " else None,
        exif=exif or None,
        dpi=dpi,
        name=name,
        source_format="TIFF",
        kind=kind,
        is_gray=colours == 1,
        float_input=floats,
        notes=tuple(notes),
    )


def _metadata(
    data: bytes | memoryview, directory: Directory, name: str
) -> tuple[bytes | None, bytes, tuple[float, float] | None]:
    """Profile, EXIF and resolution; what Pillow cannot open has no EXIF."""
    try:
        with open_with_pillow(data, "TIFF", name) as image:
            return icc_of(image), without_orientation(exif_of(image))[0], dpi_of(image.info)
    except Exception as error:  # Pillow knows few kinds of floats; the pixels are read all the same
        _log.debug("%s: %s", name, error)
    found = {"icc_profile": directory.icc_profile, "dpi": directory.resolution}
    profile = found["icc_profile"]
    whole = isinstance(profile, bytes) and len(profile) > 128 and profile[36:40] == b"acsp"
    return profile if whole else None, b"", dpi_of(found)  # type: ignore[return-value]


def _samples(data: bytes | memoryview, directory: Directory) -> NDArray[Any] | None:
    """The first page as H x W x C, or None where there is no decoder for it.

    Raises:
        HeaderError: It is damaged or truncated.
    """
    if tiff_segments.can_decode(directory):
        return tiff_segments.decode(data, directory)
    if directory.compression not in _OTHER_CODECS:
        return None
    import tifffile

    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            page: Any = file.pages[0]
            samples = np.asarray(page.asarray())
            if page.planarconfig == 2 and samples.ndim == 3:
                samples = samples.transpose(1, 2, 0)
    except (ValueError, KeyError, ImportError, tifffile.TiffFileError) as error:
        _log.info("tifffile: %s", error)
        return None
    if samples.ndim == 2:
        samples = samples[:, :, np.newaxis]
    shape = (directory.height, directory.width, directory.samples)
    wanted = "f" if directory.sample_format == _FLOAT else "u"
    if samples.shape != shape or samples.dtype.kind != wanted or samples.dtype.itemsize < 2:
        return None
    return samples if samples.flags.writeable else samples.copy()


def _straight(colours: NDArray[Any], alpha: NDArray[Any]) -> NDArray[Any]:
    """Undo the multiplication of colours by alpha."""
    if alpha.dtype.kind == "f":
        divisor = np.where(alpha > 0, alpha, 1)[:, :, np.newaxis]
        floats: NDArray[Any] = colours / divisor
        return floats
    wide = colours.astype(np.uint64) * 65535
    whole_alpha = np.maximum(alpha, 1).astype(np.uint64)[:, :, np.newaxis]
    whole = np.minimum((wide + whole_alpha // 2) // whole_alpha, 65535)
    straight: NDArray[np.uint16] = whole.astype(np.uint16)
    return straight
