"""The photograph's own background out of focus: a portrait's blur, by depth or by a plane.

In: the photograph, the cut-out, a depth map or none. Out: H x W x 3, the background without the
subject, blurred by circles of confusion in linear light (cpp/src/defocus/README.md); the cut-out is
then laid over it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from nssbg import _core as _typed_core
from nssbg._errors import OptionError
from nssbg._types import ImageArray

__all__ = ["BLUR", "Blur", "blur_from", "blurred_by_depth", "radii_from_depth", "radii_of_plane"]

# The stubs have an overload per dtype, and a union of dtypes picks none of them.
_core: Any = _typed_core

#: The word that stands for `Blur()` where a background is named.
BLUR = "blur"

# Largest circle of confusion where none is said, as a share of the diagonal: a portrait lens wide
# open (85 mm at f/1.8, subject at 2 m), whose circles at infinity have this radius.
_DEFAULT_RADIUS = 0.008
# What the kernels take.
_LARGEST_RADIUS = 400.0
# Cells of a side that a map is brought down to: circles of confusion change slowly.
_MAP_SIDE = 512


@dataclass(frozen=True)
class Blur:
    """The photograph's own background, out of focus, as a background; "blur" stands for `Blur()`.

    Attributes:
        radius: Radius of the largest circle of confusion, in pixels, above 0 to 400; None: 0.8 % of
            the picture's diagonal.
        depth: h x w float, larger where nearer, over the whole picture, of any size and range: what
            `nssbg.depth` gives. None: a plane that the subject stands on, up to a horizon at
            its upper edge; where the subject is cut off below, everything is equally far.
        focus: What of `depth` is sharp; None: what the subject's median is.
        blades: Blades of the aperture, 3 to 16: highlights become polygons; 0: discs.
        rotation: Of a polygon, in degrees.
    """

    radius: float | None = None
    depth: NDArray[Any] | None = None
    focus: float | None = None
    blades: int = 0
    rotation: float = 0.0

    def __post_init__(self) -> None:
        radius = self.radius
        if radius is not None and not 0 < radius <= _LARGEST_RADIUS:
            raise OptionError(f"radius must be above 0 to 400 pixels, got {radius!r}")
        if self.blades != 0 and self.blades not in range(3, 17):
            raise OptionError(f"blades must be 0 (a disc) or 3 to 16, got {self.blades!r}")
        if not math.isfinite(self.rotation):
            raise OptionError(f"rotation must be finite, in degrees, got {self.rotation!r}")
        if self.focus is not None and not math.isfinite(self.focus):
            raise OptionError(f"focus must be finite, got {self.focus!r}")
        depth = self.depth
        if depth is None:
            if self.focus is not None:
                raise OptionError("focus is a value of depth: give depth too")
            return
        if not isinstance(depth, np.ndarray) or depth.ndim != 2 or 0 in depth.shape:
            shape = getattr(depth, "shape", type(depth).__name__)
            raise OptionError(f"depth must be an h x w array, larger where nearer, got {shape}")
        if depth.dtype.kind not in "fui" or not np.isfinite(depth).all():
            raise OptionError(f"depth must be finite numbers, got {depth.dtype}")


def blur_from(background: Any) -> Blur | None:
    """The blur that a background is, or None."""
    if isinstance(background, Blur):
        return background
    return Blur() if isinstance(background, str) and background == BLUR else None


def blurred_by_depth(
    image: ImageArray, rgba: ImageArray, blur: Blur, *, threads: int = 1
) -> ImageArray:
    """The background alone, out of focus.

    Args:
        image: H x W x 3, uint8 or uint16, the photograph; taken as encoded by sRGB's curve.
        rgba: H x W x 4 of the same dtype, straight: the cut-out, whose colours are its own.
        blur: How.
        threads: Threads to use; 0: all usable cores.

    Returns:
        H x W x 3 of the same dtype; black where the subject hides everything.

    Raises:
        OptionError: The shapes do not fit.
    """
    if image.shape[:2] != rgba.shape[:2] or image.dtype != rgba.dtype:
        raise OptionError("image and cut-out must have one size and dtype")
    height, width = rgba.shape[:2]
    radius = blur.radius
    if radius is None:
        radius = min(_DEFAULT_RADIUS * math.hypot(height, width), _LARGEST_RADIUS)
    alpha = rgba[..., 3]
    if blur.depth is None:
        radii = radii_of_plane(alpha, radius)
    else:
        radii = radii_from_depth(blur.depth, alpha, radius, blur.focus)
    result = _core.defocus(
        np.ascontiguousarray(image),
        np.ascontiguousarray(rgba),
        radii,
        blur.blades,
        math.radians(blur.rotation),
        threads or _core.usable_cores(),
    )
    return cast("ImageArray", result)


def radii_from_depth(
    depth: NDArray[Any], alpha: NDArray[Any], radius: float, focus: float | None
) -> NDArray[np.float32]:
    """Radii of circles of confusion, negative in front of the focus.

    A thin lens's circle grows with the difference of inverse depths; the farthest has `radius`.
    """
    inverse = _reduced(depth.astype(np.float32))
    if focus is None:
        subject = _reduced_to(alpha, *inverse.shape) > 0.5 * np.iinfo(alpha.dtype).max
        focus = float(np.median(inverse[subject])) if subject.any() else float(inverse.max())
    farthest = focus - float(inverse.min())
    if farthest <= 0:
        return np.zeros((1, 1), np.float32)
    radii = np.float32(radius / farthest) * (np.float32(focus) - inverse)
    return np.ascontiguousarray(np.clip(radii, -radius, radius), np.float32)


def radii_of_plane(alpha: NDArray[Any], radius: float) -> NDArray[np.float32]:
    """Radii for a ground that the subject stands on, without a depth map.

    The inverse depth of a plane is linear in the picture's rows, 0 at the horizon. Seen from the
    height of the subject's upper edge, the horizon is there.
    """
    column: NDArray[np.float32] = _core.radii_of_plane(alpha, radius)
    return column


def _reduced(depth: NDArray[np.float32]) -> NDArray[np.float32]:
    height, width = (min(side, _MAP_SIDE) for side in depth.shape)
    if depth.shape == (height, width):
        return depth
    return _reduced_to(depth, height, width)


def _reduced_to(plane: NDArray[Any], height: int, width: int) -> NDArray[np.float32]:
    """Means over a grid of that size."""
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(plane, np.float32))
    means: NDArray[np.float32] = np.asarray(
        image.resize((width, height), Image.Resampling.BOX), np.float32
    )
    return means
