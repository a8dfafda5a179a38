"""Puts a straight cut-out on something: a colour, a gradient, a picture, its blurred original.

Everything here is exact to the nearest integer, for 8 and 16 bits, in the cut-out's own colour
encoding; backgrounds given as sRGB (or with their own profile) are converted into it first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, Union, cast

import numpy as np
from numpy.typing import NDArray

from nssbg import _core as _typed_core
from nssbg import _io as image_io
from nssbg._color.convert import converted_color, converted_image
from nssbg._color.depth import eight_bits, sixteen_bits
from nssbg._compose.defocus import Blur, blur_from
from nssbg._errors import ImageDecodeError, OptionError
from nssbg._types import ArrayLike, Frame, ImageArray, PathLikeText

if TYPE_CHECKING:
    from PIL.Image import Image

# The stubs have an overload per dtype, and a union of dtypes picks none of them.
_core: Any = _typed_core

__all__ = [
    "Background",
    "Gradient",
    "blurred_background",
    "color_from",
    "over",
    "over_layer",
    "premultiply",
    "scaled_to",
]

# The core's overloads pair equal dtypes; a checker cannot follow that through `ImageArray`.
_kernels: Any = _core

Fit = Literal["cover", "contain"]
Color = tuple[int, int, int]
#: What a cut-out may be laid over: a colour (name, "#rrggbb", (r, g, b) of 0..255), a gradient,
#: a picture (path, PIL image, array, decoded `Frame`), or its own background out of focus ("blur",
#: `Blur`).
Background: TypeAlias = Union[
    str, Sequence[int], "Gradient", Blur, PathLikeText, "Image", ArrayLike, Frame
]

# Colours along a gradient: finer than 8 bits can show and than 16 bits show to an eye.
_GRADIENT_ENTRIES = 8192


@dataclass(frozen=True)
class Gradient:
    """A gradient as a background.

    Attributes:
        colors: Two or more colours (names, "#rrggbb" or sRGB triples), evenly spaced.
        angle: Direction in degrees for a linear one: 0 runs left to right, 90 top to bottom.
        radial: From the centre outwards instead; the last colour is reached in the corners.
    """

    colors: tuple[Any, ...] = ("white", "#d0d0d0")
    angle: float = 90.0
    radial: bool = False

    def __post_init__(self) -> None:
        if len(self.colors) < 2:
            raise OptionError("a gradient needs at least two colours")
        if not math.isfinite(self.angle):
            raise OptionError(f"a gradient's angle must be finite, got {self.angle}")


def over(
    rgba: ImageArray,
    background: Any,
    *,
    icc_profile: bytes | None = None,
    fit: Fit = "cover",
    threads: int = 1,
) -> ImageArray:
    """Lay a straight cut-out over a background.

    The result is round((a c + (full - a) b) / full), halves up, in every channel, in the
    encoding the cut-out is in (as browsers and viewers composite).

    Args:
        rgba: H x W x 4, uint8 or uint16, straight.
        background: A colour (name, "#rgb", "#rrggbb" or (r, g, b) of 0..255, in sRGB), a
            `Gradient`, or a picture: path, PIL image or `Frame` (its own profile is honoured), or
            H x W x 3 array (taken as sRGB); scaled if its size differs.
        icc_profile: The cut-out's profile; None means sRGB.
        fit: How a picture of another size is placed: "cover" fills and crops, "contain" shows
            all of it, its mean colour on the bars.
        threads: Threads to use; 0 means all usable cores.

    Returns:
        H x W x 3, the dtype of rgba.

    Raises:
        OptionError: Not a cut-out, not a background, or a profile that cannot be used.
        ImageDecodeError: The background's file cannot be read.
    """
    rgba = _checked(rgba)
    height, width = rgba.shape[:2]
    threads = threads or _core.usable_cores()
    if blur_from(background) is not None:
        raise OptionError("a blur needs the photograph: use Cutout.over or Cutout.render")
    if isinstance(background, Gradient):
        return _over_gradient(rgba, background, icc_profile, threads)
    if _is_color(background):
        color = _encoded_color(color_from(background), icc_profile, rgba.dtype)
        row = np.broadcast_to(color, (1, width, 3)).copy()
        # One row for all: the row stride is 0, so the background is read from the cache.
        image = np.broadcast_to(row, (height, width, 3))
    else:
        image = _background_image(background, icc_profile, rgba.dtype)
        image = np.ascontiguousarray(scaled_to(image, height, width, fit))
    return cast("ImageArray", _kernels.over_image(rgba, image, threads=threads))


def premultiply(rgba: ImageArray, *, threads: int = 1) -> ImageArray:
    """Straight to premultiplied: colour times alpha, to the nearest integer.

    Args:
        rgba: H x W x 4, uint8 or uint16, straight.
        threads: Threads to use; 0 means all usable cores.

    Returns:
        H x W x 4 of the same dtype, premultiplied. Files that call their alpha straight (PNG,
        WebP) must not be written from it; TIFF can say so (ExtraSamples 1).
    """
    result = _kernels.premultiply(_checked(rgba), threads=threads or _core.usable_cores())
    return cast("ImageArray", result)


def over_layer(front: ImageArray, back: ImageArray, *, threads: int = 1) -> ImageArray:
    """Lay one straight layer over another (Porter-Duff "over"), straight result.

    Args:
        front: H x W x 4, uint8 or uint16, straight.
        back: H x W x 4 of the same dtype, straight, e.g. a shadow.
        threads: Threads to use; 0 means all usable cores.

    Returns:
        H x W x 4 of the same dtype, straight.

    Raises:
        OptionError: The layers do not fit each other.
    """
    front, back = _checked(front), _checked(back)
    if front.shape != back.shape or front.dtype != back.dtype:
        raise OptionError(
            f"layers must have one size and dtype, got {front.shape} of {front.dtype} "
            f"and {back.shape} of {back.dtype}"
        )
    result = _kernels.over_layer(front, back, threads=threads or _core.usable_cores())
    return cast("ImageArray", result)


def color_from(color: Any) -> Color:
    """An sRGB triple of 0..255 from a name, "#rgb", "#rrggbb" or a triple.

    Raises:
        OptionError: It is none of these.
    """
    from PIL import ImageColor

    if isinstance(color, str):
        try:
            values: tuple[int, ...] = ImageColor.getrgb(color)
        except ValueError as error:
            raise OptionError(
                f"unknown colour {color!r}: expected a name, '#rrggbb' or (r, g, b)"
            ) from error
    else:
        try:
            values = tuple(int(value) for value in color)
        except (TypeError, ValueError, OverflowError) as error:
            raise OptionError(
                f"unknown colour {color!r}: expected a name, '#rrggbb' or (r, g, b)"
            ) from error
    if len(values) not in (3, 4) or not all(0 <= value <= 255 for value in values):
        raise OptionError(f"a colour has three values of 0 to 255, got {color!r}")
    return values[0], values[1], values[2]


def scaled_to(image: ImageArray, height: int, width: int, fit: Fit = "cover") -> ImageArray:
    """A picture scaled to a size, cropped ("cover") or with bars ("contain").

    Args:
        image: H x W x 3, uint8 or uint16.
        height: Rows wanted.
        width: Columns wanted.
        fit: "cover" fills the size and crops the centre; "contain" shows all of the picture,
            the rest in its mean colour.

    Raises:
        OptionError: fit is unknown.
    """
    if fit not in ("cover", "contain"):
        raise OptionError(f"fit must be 'cover' or 'contain', got {fit!r}")
    if image.shape[:2] == (height, width):
        return image
    return cast("ImageArray", _kernels.resample_to_fit(image, fit, height, width))


def blurred_background(image: ImageArray, alpha: ImageArray, *, radius: float) -> ImageArray:
    """The photograph's own background, blurred: the subject does not glow into it.

    A Gaussian of the background alone: each pixel counts by 1 - alpha, and where the subject
    covers everything within reach the nearest background is carried in.

    Args:
        image: H x W x 3, uint8 or uint16, the photograph.
        alpha: H x W of the same dtype.
        radius: Standard deviation of the Gaussian, in pixels, above 0.

    Returns:
        H x W x 3 of the image's dtype.

    Raises:
        OptionError: radius is not above 0, or the shapes do not fit.
    """
    if not (math.isfinite(radius) and radius > 0):
        raise OptionError(f"radius must be above 0, in pixels, got {radius}")
    if image.shape[:2] != alpha.shape or image.dtype != alpha.dtype:
        raise OptionError("image and alpha must have one size and dtype")
    from nssbg._compose.blur import blur_masked

    return blur_masked(image, alpha, radius)


def _checked(rgba: ImageArray) -> ImageArray:
    if rgba.ndim != 3 or rgba.shape[2] != 4 or rgba.dtype not in (np.uint8, np.uint16):
        raise OptionError(
            f"a cut-out is H x W x 4 of uint8 or uint16, got shape {rgba.shape} of {rgba.dtype}"
        )
    return cast("ImageArray", np.ascontiguousarray(rgba))


def _is_color(background: Any) -> bool:
    if isinstance(background, str):
        # "#fff", "white", "rgb(1, 2, 3)": a path has a suffix or a separator, a name has not.
        return background.startswith("#") or "(" in background or background.isalpha()
    if isinstance(background, np.ndarray):
        return background.ndim == 1
    return isinstance(background, (tuple, list))


def _encoded_color(color: Color, icc_profile: bytes | None, dtype: np.dtype[Any]) -> NDArray[Any]:
    values = np.array(converted_color(color, icc_profile)) * np.iinfo(dtype).max
    return np.floor(values + 0.5).astype(dtype)


def _background_image(
    background: Any, icc_profile: bytes | None, dtype: np.dtype[Any]
) -> ImageArray:
    """The background as H x W x 3 in the cut-out's dtype and encoding."""
    own_profile: bytes | None = None
    if isinstance(background, Frame):
        image, own_profile = background.rgb, background.icc_profile
    elif isinstance(background, (str, Path)):
        image, own_profile = _decoded(Path(background), f"the background picture {background}")
    elif isinstance(background, np.ndarray):
        image = background
    elif hasattr(background, "convert"):  # a PIL image, without importing PIL to ask
        image, own_profile = _decoded(background, "the background picture")
    else:
        raise OptionError(
            f"a background is a colour, a Gradient, a path, a PIL image or an array, "
            f"got {type(background).__name__}"
        )
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype not in (np.uint8, np.uint16):
        raise OptionError(
            "a background picture is H x W x 3 of uint8 or uint16, "
            f"got shape {image.shape} of {image.dtype}"
        )
    if image.size == 0:
        raise ImageDecodeError("the background picture is empty")
    if image.dtype != dtype:
        image = sixteen_bits(image) if dtype == np.uint16 else eight_bits(image)
    return converted_image(image, own_profile, icc_profile)


def _decoded(source: Any, name: str) -> tuple[ImageArray, bytes | None]:
    """A picture, upright, with its profile; read as carefully as the pictures themselves."""
    frame = image_io.decode(source, name=name)
    return frame.rgb, frame.icc_profile


def _over_gradient(
    rgba: ImageArray, gradient: Gradient, icc_profile: bytes | None, threads: int
) -> ImageArray:
    height, width = rgba.shape[:2]
    full = np.iinfo(rgba.dtype).max
    stops = np.array([converted_color(color_from(c), icc_profile) for c in gradient.colors])
    at = np.linspace(0.0, 1.0, _GRADIENT_ENTRIES)
    grid = np.linspace(0.0, 1.0, len(stops))
    table = np.stack([np.interp(at, grid, stops[:, c]) for c in range(3)], axis=-1)
    colors = np.floor(table * full + 0.5).astype(rgba.dtype)
    last = _GRADIENT_ENTRIES - 1
    center_x, center_y = (width - 1) / 2, (height - 1) / 2
    cos, sin = math.cos(math.radians(gradient.angle)), math.sin(math.radians(gradient.angle))
    # The length along the direction from the first to the last corner is the whole table.
    length = max(abs(cos) * (width - 1) + abs(sin) * (height - 1), 1.0)
    across, down = cos / length * last, sin / length * last
    if abs(across) * width < 0.5:
        across = 0.0  # 90 degrees: each row is one colour, which the core fills by copying
    reach = max(math.hypot(center_x, center_y), 1.0)
    return cast(
        "ImageArray",
        _kernels.over_gradient(
            rgba,
            colors,
            gradient.radial,
            origin=last / 2 - across * center_x - down * center_y,
            across=across,
            down=down,
            center_x=center_x,
            center_y=center_y,
            scale=last / reach,
            threads=threads,
        ),
    )
