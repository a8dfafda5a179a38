"""Frees edge colours of the background: a picture and its alpha in, a straight RGBA out.

A soft pixel of a photograph shows a mixture of foreground and background. Kept as it is, the
background's share travels along as a fringe on every other background. The functions here
estimate both colours where alpha is soft and leave every opaque pixel as it was.
"""

from __future__ import annotations

from typing import Any, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from nssbg import _core as _typed_core
from nssbg._errors import OptionError
from nssbg._types import ImageArray
from nssbg._vocabulary import FOREGROUND_METHODS, MATTES, SCREENS, ForegroundMethod, Matte, Screen

# The stubs have an overload per dtype, and a union of dtypes picks none of them.
_core: Any = _typed_core

__all__ = ["decontaminate", "estimate_colors", "suppress_spill"]

Alpha: TypeAlias = NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.float32]


def decontaminate(
    image: ImageArray,
    alpha: Alpha,
    *,
    method: ForegroundMethod = "multilevel",
    strength: float = 1.0,
    matte: Matte = "clear",
    threads: int = 0,
) -> ImageArray:
    """Estimate the foreground's own colour in the soft band; give straight RGBA.

    "multilevel" is the multi-level estimation of Germer, Uelwer, Conrad and Harmeling,
    "Fast Multi-Level Foreground Estimation" (2020), with a red-black sweep and a gradient
    weight of 0.2 (docs/decisions/0601-multilevel-foreground.md). It works in the picture's own
    encoding, because that is where cut-outs are composited
    (docs/decisions/0602-encoded-not-linear.md). "blur-fusion" is the coarser estimation of
    Forte, "Approximate Fast Foreground Colour Estimation" (2021), twice. Both work in and
    around the soft band only, and give the same bytes for any number of threads.

    Args:
        image: H x W x 3, uint8 or uint16.
        alpha: H x W: uint8 or uint16 (0 to full scale) or float32 or float64 (0.0 to 1.0).
        method: How to estimate; "off" keeps the photograph's colours (still straight alpha).
        strength: 0.0 keeps the photograph's colour, 1.0 takes the estimate; between, a mix.
        matte: What stands where alpha is 0. "clear": zeros, for small files. "extend": the
            nearest foreground's colour, so that a later resize or blur bleeds nothing.
        threads: Threads to use; 0 means all usable cores.

    Returns:
        H x W x 4 of the image's dtype, straight (not premultiplied). Where alpha is full the
        colour is the image's own, bit for bit. Alpha is unchanged; one of another dtype is
        rounded to the nearest value of the image's.

    Raises:
        OptionError: A shape, dtype or option is not as described, or a float alpha holds NaN
            or values outside 0..1.
    """
    return _run(image, alpha, method, strength, matte, threads, None)


def estimate_colors(
    image: ImageArray, alpha: Alpha, *, method: ForegroundMethod = "multilevel", threads: int = 0
) -> tuple[ImageArray, ImageArray]:
    """Estimate the foreground's and the background's colour of every soft pixel.

    Args:
        image: As for `decontaminate`.
        alpha: As for `decontaminate`.
        method: "multilevel" or "blur-fusion".
        threads: Threads to use; 0 means all usable cores.

    Returns:
        Two H x W x 3 pictures of the image's dtype: the foreground (the nearest foreground's
        colour where alpha is 0) and the background (the image itself where alpha is 0 or full).

    Raises:
        OptionError: As for `decontaminate`.
    """
    background = np.empty_like(image, order="C")
    rgba = _run(image, alpha, method, 1.0, "extend", threads, background)
    return rgba[..., :3], background


def suppress_spill(
    rgba: ImageArray,
    *,
    screen: Screen = "green",
    strength: float = 1.0,
    threads: int = 0,
) -> ImageArray:
    """Take a chroma screen's reflected light out of the subject.

    Decontamination frees soft pixels of the background; the light that a screen throws on the
    subject itself (hair, shoulders, glossy products) remains, in opaque pixels too. Here the
    screen's channel is limited to the larger of the other two. Subjects that are themselves of
    the screen's colour lose it, so this is an option of its own and off unless asked for.

    Args:
        rgba: H x W x 4, uint8 or uint16, straight.
        screen: The screen's colour.
        strength: 0.0 changes nothing, 1.0 takes all of the excess.
        threads: Threads to use; 0 means all usable cores.

    Returns:
        A new H x W x 4 of the same dtype; alpha and the other channels are unchanged.

    Raises:
        OptionError: A shape, dtype or option is not as described.
    """
    if screen not in SCREENS:
        raise OptionError(f"screen must be one of {', '.join(SCREENS)}, got {screen!r}")
    if not 0.0 <= strength <= 1.0:
        raise OptionError(f"strength must be 0.0 to 1.0, got {strength}")
    if rgba.ndim != 3 or rgba.shape[2] != 4 or rgba.dtype not in (np.uint8, np.uint16):
        raise OptionError(
            f"a cut-out is H x W x 4 of uint8 or uint16, got shape {rgba.shape} of {rgba.dtype}"
        )
    result = _core.suppress_spill(
        np.ascontiguousarray(rgba),
        SCREENS.index(screen),
        strength=strength,
        threads=threads or _core.usable_cores(),
    )
    return cast("ImageArray", result)


def _run(
    image: ImageArray,
    alpha: Alpha,
    method: str,
    strength: float,
    matte: str,
    threads: int,
    background: ImageArray | None,
) -> ImageArray:
    """Check the arguments and call the core."""
    if method not in FOREGROUND_METHODS:
        raise OptionError(f"method must be one of {', '.join(FOREGROUND_METHODS)}, got {method!r}")
    if matte not in MATTES:
        raise OptionError(f"matte must be 'clear' or 'extend', got {matte!r}")
    if not 0.0 <= strength <= 1.0:
        raise OptionError(f"strength must be 0.0 to 1.0, got {strength}")
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype not in (np.uint8, np.uint16):
        raise OptionError(
            f"image must be H x W x 3 of uint8 or uint16, got shape {image.shape} of {image.dtype}"
        )
    if image.size == 0:
        raise OptionError(f"image must not be empty, got shape {image.shape}")
    if alpha.shape != image.shape[:2]:
        raise OptionError(
            f"alpha must be H x W like the image ({image.shape[:2]}), got shape {alpha.shape}"
        )
    if alpha.dtype == np.float64:
        alpha = alpha.astype(np.float32)
    if alpha.dtype not in (np.uint8, np.uint16, np.float32):
        raise OptionError(
            f"alpha must be uint8, uint16 or float (0.0 to 1.0), got {alpha.dtype}; "
            "convert a mask of booleans with mask.astype('uint8') * 255"
        )
    try:
        return cast(
            "ImageArray",
            _core.decontaminate(
                np.ascontiguousarray(image),
                np.ascontiguousarray(alpha),
                background,
                method=method,
                strength=strength,
                extend=matte == "extend",
                threads=threads or _core.usable_cores(),
            ),
        )
    except ValueError as error:
        raise OptionError(str(error)) from error
