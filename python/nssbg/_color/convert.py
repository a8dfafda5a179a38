"""Carries colours from one profile into another: 8 and 16 bits, colours and whole pictures.

Backgrounds come as sRGB (a colour name, a tuple) or with their own profile; the cut-out may be
in another. 8-bit pictures go through LittleCMS. Pillow's LittleCMS has no 16-bit RGB, so 16-bit
pictures go through the profiles' own curves and matrices in floating point (`icc_matrix.py`);
profiles made of tables instead go through a cube sampled from LittleCMS, good to half an 8-bit
step.
"""

from __future__ import annotations

import io
from functools import lru_cache
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from nssbg._color.icc_matrix import MatrixProfile, read_matrix_profile, srgb_profile
from nssbg._color.profiles import measured_as_srgb
from nssbg._errors import OptionError
from nssbg._types import ImageArray

__all__ = ["converted_color", "converted_image", "same_profile"]

# Points per axis of the cube for profiles made of tables, as display calibrations have.
_CUBE = 33
# Rows of a 16-bit picture converted at a time: keeps the float copies small.
_ROWS = 64


def same_profile(first: bytes | None, second: bytes | None) -> bool:
    """Whether two profiles mean the same encoding, None standing for sRGB.

    Whether a profile is sRGB is measured (`_color.profiles`), whatever it calls itself.
    """
    return first == second or (_is_srgb(first) and _is_srgb(second))


def converted_color(
    color: tuple[int, int, int], to_profile: bytes | None
) -> tuple[float, float, float]:
    """An sRGB colour of 0..255 in another profile, as fractions of full scale, 0.0 to 1.0.

    Raises:
        OptionError: The profile cannot be used for RGB pictures.
    """
    if _is_srgb(to_profile):
        red, green, blue = (value / 255.0 for value in color)
        return red, green, blue
    target = _matrix_profile(to_profile)
    if target is not None:
        values = target.encoded(srgb_profile().linear_xyz(np.array(color) / 255.0))
    else:
        values = _transformed(np.array([[color]], np.uint8), None, to_profile)[0, 0] / 255.0
    return float(values[0]), float(values[1]), float(values[2])


def converted_image(
    picture: ImageArray, from_profile: bytes | None, to_profile: bytes | None
) -> ImageArray:
    """A picture in another profile, same dtype; the same array where nothing changes.

    Args:
        picture: H x W x 3, uint8 or uint16, encoded in from_profile.
        from_profile: ICC profile, None for sRGB.
        to_profile: ICC profile, None for sRGB.

    Raises:
        OptionError: A profile cannot be used for RGB pictures.
    """
    if same_profile(from_profile, to_profile):
        return picture
    if picture.dtype == np.uint8:
        return _transformed(cast("NDArray[np.uint8]", picture), from_profile, to_profile)
    source, target = _matrix_profile(from_profile), _matrix_profile(to_profile)
    result = np.empty(picture.shape, np.uint16)
    for top in range(0, picture.shape[0], _ROWS):
        values = picture[top : top + _ROWS].astype(np.float64) / 65535.0
        if source is not None and target is not None:
            values = target.encoded(source.linear_xyz(values))
        else:
            values = _through_cube(values, _cube(from_profile, to_profile))
        result[top : top + _ROWS] = np.floor(values * 65535.0 + 0.5)
    return result


def _is_srgb(profile: bytes | None) -> bool:
    # One that cannot be used is no sRGB here: into its colours nothing can be converted.
    return profile is None or measured_as_srgb(profile)


@lru_cache(maxsize=16)
def _transform(from_profile: bytes | None, to_profile: bytes | None) -> Any:
    """The transform, relative colorimetric with black point compensation, as viewers use."""
    from PIL import ImageCms

    def opened(profile: bytes | None) -> Any:
        if profile is None:
            return ImageCms.createProfile("sRGB")
        return ImageCms.ImageCmsProfile(io.BytesIO(profile))

    try:
        return ImageCms.buildTransform(
            opened(from_profile),
            opened(to_profile),
            "RGB",
            "RGB",
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError, ValueError) as error:
        raise OptionError(
            f"the colour profile cannot be used for RGB pictures ({error}); "
            "convert the picture to sRGB first"
        ) from error


def _transformed(
    picture: NDArray[np.uint8], from_profile: bytes | None, to_profile: bytes | None
) -> NDArray[np.uint8]:
    from PIL import Image, ImageCms

    image = Image.fromarray(np.ascontiguousarray(picture))
    result = ImageCms.applyTransform(image, _transform(from_profile, to_profile))
    return np.asarray(result)


@lru_cache(maxsize=16)
def _matrix_profile(profile: bytes | None) -> MatrixProfile | None:
    return srgb_profile() if _is_srgb(profile) else read_matrix_profile(cast("bytes", profile))


@lru_cache(maxsize=4)
def _cube(from_profile: bytes | None, to_profile: bytes | None) -> NDArray[np.float64]:
    """The transform sampled on a cube, 0.0 to 1.0, axes red, green, blue, channel."""
    steps = np.round(np.linspace(0, 255, _CUBE)).astype(np.uint8)
    grid = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1)
    flat = _transformed(grid.reshape(_CUBE, _CUBE * _CUBE, 3), from_profile, to_profile)
    return flat.reshape(_CUBE, _CUBE, _CUBE, 3) / 255.0


def _through_cube(values: NDArray[np.float64], cube: NDArray[np.float64]) -> NDArray[np.float64]:
    """Trilinear interpolation in the cube; values ... x 3 of 0.0 to 1.0."""
    # The cube's points are multiples of 255 / 32, rounded to what 8 bits can hold.
    steps = np.round(np.linspace(0, 255, _CUBE)) / 255.0
    below = np.clip(np.searchsorted(steps, values, side="right") - 1, 0, _CUBE - 2)
    share = (values - steps[below]) / (steps[below + 1] - steps[below])
    result = np.zeros_like(values)
    for corner in np.ndindex(2, 2, 2):
        weight = np.ones(values.shape[:-1])
        for axis, upper in enumerate(corner):
            weight = weight * (share[..., axis] if upper else 1.0 - share[..., axis])
        index = tuple(below[..., axis] + upper for axis, upper in enumerate(corner))
        result += weight[..., None] * cube[index]
    return result
