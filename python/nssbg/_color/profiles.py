"""Colour: what a network sees (8-bit sRGB), and pictures whose colours no RGB file can hold.

Conversions go through LittleCMS (Pillow's ImageCms), perceptual intent.
"""

from __future__ import annotations

import io
import logging
from functools import lru_cache
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nssbg._color.depth import eight_bits
from nssbg._types import Frame

__all__ = [
    "gray_is_srgb",
    "is_srgb",
    "measured_as_srgb",
    "model_rgb",
    "release_model_rgb",
    "to_srgb",
]

_log = logging.getLogger(__name__)

# Where a frame keeps its 8-bit sRGB view.
_KEPT = "_model_rgb"
# A profile that moves no colour by more than this (of 255) is sRGB under another name.
_SRGB_TOLERANCE = 2


def model_rgb(frame: Frame) -> NDArray[np.uint8]:
    """The picture as a network is to see it: H x W x 3, uint8, sRGB.

    Args:
        frame: A decoded picture.

    Returns:
        frame.rgb itself where it is 8-bit sRGB already (no copy), else another array: 16 bits
        rounded to 8, and wide-gamut colours converted through their profile. That one is made
        once a frame and kept with it, for the methods and runs that look at the same picture,
        until `release_model_rgb`; it is not to be written into.
    """
    kept: NDArray[np.uint8] | None = frame.__dict__.get(_KEPT)
    if kept is not None:
        return kept
    made = _model_rgb(frame)
    if made is not frame.rgb:
        # Frames are frozen for their users; what follows from a frame may be kept with it.
        object.__setattr__(frame, _KEPT, made)
    return made


def release_model_rgb(frame: Frame) -> None:
    """Let go of what `model_rgb` kept: a cut-out holds its frame for as long as it lives."""
    frame.__dict__.pop(_KEPT, None)


def _model_rgb(frame: Frame) -> NDArray[np.uint8]:
    rgb: NDArray[Any] = frame.rgb
    eight: NDArray[np.uint8] = eight_bits(rgb) if rgb.dtype == np.uint16 else rgb
    if frame.icc_profile is None or is_srgb(frame.icc_profile):
        return eight
    from PIL import ImageCms

    transform = _transform(frame.icc_profile, "RGB")
    return np.asarray(ImageCms.applyTransform(Image.fromarray(eight), transform))


def to_srgb(image: Image.Image, icc: bytes | None) -> tuple[Image.Image, str]:
    """A CMYK, Lab or profiled grey picture as sRGB, and a note that says what was done."""
    from PIL import ImageCms

    mode = "L" if image.mode in ("LA", "1") else image.mode
    source = image if image.mode == mode else image.convert(mode)
    if mode == "LAB":
        lab = ImageCms.createProfile("LAB")
        built = ImageCms.buildTransform(lab, ImageCms.createProfile("sRGB"), "LAB", "RGB")
        converted = cast("Image.Image", ImageCms.applyTransform(source, built))
        return converted, "converted from Lab to sRGB"
    transform = _transform(icc, mode) if icc is not None else None
    if transform is None:
        return source.convert("RGB"), f"converted from {mode} to sRGB without a profile"
    converted = cast("Image.Image", ImageCms.applyTransform(source, transform))
    return converted, f"converted from {mode} to sRGB through its profile"


@lru_cache(maxsize=32)
def _transform(icc: bytes, mode: str) -> Any:
    """A LittleCMS transform from a profile to 8-bit sRGB, or None for a broken profile."""
    from PIL import ImageCms

    try:
        return ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(icc)),
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            renderingIntent=ImageCms.Intent.PERCEPTUAL,
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError) as error:
        _log.warning("ICC profile that cannot be used for %s pictures: %s", mode, error)
        return None


def is_srgb(icc: bytes | None) -> bool:
    """Whether a profile leaves colours where sRGB has them; so does one that cannot be used.

    A viewer leaves a broken profile aside, and so does what only looks at a picture.
    """
    return icc is None or _transform(icc, "RGB") is None or measured_as_srgb(icc)


@lru_cache(maxsize=32)
def measured_as_srgb(icc: bytes) -> bool:
    """Whether a usable profile leaves colours where sRGB has them: measured, not by its name."""
    transform = _transform(icc, "RGB")
    if transform is None:
        return False
    from PIL import ImageCms

    levels = np.linspace(0, 255, 9).round().astype(np.uint8)
    grid = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(27, 27, 3)
    seen = np.asarray(ImageCms.applyTransform(Image.fromarray(grid), transform))
    return int(np.abs(seen.astype(int) - grid).max()) <= _SRGB_TOLERANCE


@lru_cache(maxsize=32)
def gray_is_srgb(icc: bytes) -> bool:
    """Whether a grey profile gives grey levels sRGB's curve, as most do."""
    transform = _transform(icc, "L")
    if transform is None:
        return True
    from PIL import ImageCms

    levels = np.arange(256, dtype=np.uint8)[np.newaxis]
    seen = np.asarray(ImageCms.applyTransform(Image.fromarray(levels), transform))
    return int(np.abs(seen.astype(int) - levels[:, :, np.newaxis]).max()) <= _SRGB_TOLERANCE
