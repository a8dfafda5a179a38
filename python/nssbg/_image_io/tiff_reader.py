"""Reads 16-bit colour TIFF files through tifffile, since Pillow cuts them down to 8 bits."""

from __future__ import annotations

import io
import logging
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nssbg._image_io.arrays import upright
from nssbg._image_io.metadata import dpi_of, exif_of, icc_of, without_orientation
from nssbg._image_io.pillow_reader import frame_from_pillow, open_with_pillow
from nssbg._image_io.source import Kind
from nssbg._types import Frame

__all__ = ["read_if_deep"]

_log = logging.getLogger(__name__)

_BITS_PER_SAMPLE = 258
_EXTRA_SAMPLES = 338
_ASSOCIATED = 1


def read_if_deep(
    data: bytes | memoryview, *, name: str, kind: Kind, max_pixels: int
) -> Frame | None:
    """Decode a TIFF file with 16 bits to a sample and three or four channels; None for others.

    Where tifffile lacks the codec (LZW and JPEG need imagecodecs), Pillow's 8 bits are returned
    with a note that says so.
    """
    with open_with_pillow(data, "TIFF", name) as image:
        tags: Any = image.tag_v2  # type: ignore[attr-defined]
        bits = tags.get(_BITS_PER_SAMPLE, ())
        if image.mode not in ("RGB", "RGBA", "RGBX") or set(bits) != {16}:
            return None
        if image.width * image.height > max_pixels:
            return None  # Pillow's reader refuses it, in the same words as always
        extra = tags.get(_EXTRA_SAMPLES, ())
        associated = bool(extra) and extra[0] == _ASSOCIATED
        has_alpha = image.mode == "RGBA" and bool(extra)
        icc = icc_of(image)
        exif, orientation = without_orientation(exif_of(image))
        orientation = tags.get(274, orientation)
        dpi = dpi_of(image.info)
        frames = getattr(image, "n_frames", 1)
        samples = _samples(data, (image.height, image.width))
        if samples is None:
            frame = frame_from_pillow(image, name=name, kind=kind, max_pixels=max_pixels)
            said = "16 bits cut down to 8: pip install imagecodecs reads this compression in full"
            notes = (*frame.notes, said)
            return Frame(**{**frame.__dict__, "notes": notes})
    rgb = np.ascontiguousarray(samples[:, :, :3])
    alpha = np.ascontiguousarray(samples[:, :, 3]) if has_alpha and samples.shape[2] > 3 else None
    if alpha is not None and associated:
        rgb = _straight(rgb, alpha)
    notes = (f"first of {frames} frames",) if frames > 1 else ()
    if orientation in range(2, 9):
        rgb = upright(rgb, orientation)
        alpha = upright(alpha, orientation) if alpha is not None else None
        notes = (*notes, f"turned upright (EXIF orientation {orientation})")
    return Frame(
        rgb=rgb,
        alpha=alpha,
        icc_profile=icc if icc is not None and icc[16:20] == b"RGB " else None,
        exif=exif or None,
        dpi=dpi,
        name=name,
        source_format="TIFF",
        kind=kind,
        notes=notes,
    )


def _samples(data: bytes | memoryview, size: tuple[int, int]) -> NDArray[np.uint16] | None:
    """The first page as H x W x C, or None where tifffile cannot decode it."""
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
    if samples.ndim != 3 or samples.shape[:2] != size or samples.dtype != np.uint16:
        return None
    return samples


def _straight(rgb: NDArray[np.uint16], alpha: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Undo the multiplication of colours by alpha."""
    wide = rgb.astype(np.uint64) * 65535
    divisor = np.maximum(alpha, 1).astype(np.uint64)[:, :, np.newaxis]
    whole = np.minimum((wide + divisor // 2) // divisor, 65535)
    straight: NDArray[np.uint16] = whole.astype(np.uint16)
    return straight
