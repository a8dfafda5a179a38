"""Makes soft shadows as layers of their own: a drop shadow, or one where the subject stands.

A layer is straight RGBA of one colour. It goes under the cut-out with `compose.over_layer`, or
stays apart for who wants to edit it. A shadow found in the photograph is laid in the same way.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from nssbg._color.convert import converted_color
from nssbg._compose.background import color_from
from nssbg._compose.blur import blur_plane
from nssbg._errors import OptionError
from nssbg._types import ImageArray
from nssbg._vocabulary import SHADOWS, ShadowKind

__all__ = ["SEEN_TAIL", "Shadow", "layer_from_strength", "shadow_layer", "shadow_room"]

Float = NDArray[np.float32]

# A contact shadow's footprint: height of the pool over the subject's width, and how much of
# the subject, from below, touches the ground.
_POOL_FLATNESS = 0.12
_TOUCHING = 0.06

_TAIL = 3.0  # standard deviations after which a blurred edge is under a thousandth
#: And after which a shadow of the usual opacity is too faint to count for a box.
SEEN_TAIL = 1.6


@dataclass(frozen=True)
class Shadow:
    """A synthetic shadow. Lengths are shares of the subject's longer side.

    Attributes:
        kind: "drop": the subject's outline, shifted and blurred, as on a wall behind it.
            "contact": a pool on the ground under its lowest parts.
        opacity: 0 to 1, at the darkest.
        softness: Standard deviation of the blur.
        offset: (right, down) of a drop shadow.
        color: Name, "#rrggbb" or sRGB triple.
    """

    kind: ShadowKind = "drop"
    opacity: float = 0.35
    softness: float = 0.02
    offset: tuple[float, float] = (0.015, 0.03)
    color: Any = (0, 0, 0)

    def __post_init__(self) -> None:
        if self.kind not in SHADOWS:
            raise OptionError(f"a shadow's kind is 'drop' or 'contact', got {self.kind!r}")
        if not 0.0 <= self.opacity <= 1.0:
            raise OptionError(f"a shadow's opacity must be 0 to 1, got {self.opacity}")
        if not 0.0 <= self.softness <= 1.0:
            raise OptionError(f"a shadow's softness must be 0 to 1, got {self.softness}")
        if not all(math.isfinite(step) and abs(step) <= 1.0 for step in self.offset):
            raise OptionError(f"a shadow's offset must be -1 to 1, got {self.offset}")
        color_from(self.color)


def shadow_layer(
    alpha: ImageArray, shadow: Shadow, *, icc_profile: bytes | None = None
) -> ImageArray:
    """A shadow of the subject, as a layer of the same size.

    Args:
        alpha: H x W, uint8 or uint16. Leave room around the subject (`shadow_room`): what falls
            outside is lost.
        shadow: What kind.
        icc_profile: The cut-out's profile; None means sRGB.

    Returns:
        H x W x 4 of alpha's dtype, straight: one colour, the shadow's strength as alpha.
    """
    full = np.float32(np.iinfo(alpha.dtype).max)
    rows = np.flatnonzero(alpha.max(axis=1) > full * np.float32(0.5))
    if rows.size == 0:
        return layer_from_strength(np.zeros(alpha.shape, np.float32), alpha.dtype, shadow.color)
    columns = np.flatnonzero(alpha.max(axis=0) > full * np.float32(0.5))
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    left, right = int(columns[0]), int(columns[-1]) + 1
    size = max(bottom - top, right - left)
    if shadow.kind == "drop":
        plane = alpha.astype(np.float32) / full
        plane = _shifted(plane, round(shadow.offset[0] * size), round(shadow.offset[1] * size))
    else:
        plane = _pool(alpha, full, top, bottom, left, right)
    strength = np.clip(blur_plane(plane, shadow.softness * size), 0.0, 1.0)
    strength *= np.float32(shadow.opacity)
    return layer_from_strength(strength, alpha.dtype, shadow.color, icc_profile=icc_profile)


def shadow_room(
    box: tuple[int, int, int, int],
    whole: tuple[int, int],
    shadow: Shadow,
    *,
    tail: float = _TAIL,
) -> tuple[int, int, int, int]:
    """How far a shadow reaches beyond a subject's box.

    On a side where the photograph's edge cuts the subject there is no room: the cut would show.

    Args:
        box: The subject's (top, left, bottom, right), half open, in pixels.
        whole: Rows and columns of the photograph that it lies in.
        shadow: What kind.
        tail: Standard deviations of the blur that count.

    Returns:
        Pixels at the top, right, bottom and left, as `padded` takes them.
    """
    first_row, first_column, last_row, last_column = box
    width = last_column - first_column
    size = max(last_row - first_row, width)
    blur = tail * shadow.softness * size
    if shadow.kind == "drop":
        right, down = round(shadow.offset[0] * size), round(shadow.offset[1] * size)
        reach = (blur - down, blur + right, blur + down, blur - right)
    else:
        reach = (blur, blur, blur + _pool_depth(width) / 2, blur)
    free = (first_row > 0, last_column < whole[1], last_row < whole[0], first_column > 0)
    top, right, bottom, left = (
        max(0, math.ceil(side)) if is_free else 0 for side, is_free in zip(reach, free, strict=True)
    )
    return top, right, bottom, left


def layer_from_strength(
    strength: Float, dtype: Any, color: Any = (0, 0, 0), *, icc_profile: bytes | None = None
) -> ImageArray:
    """A layer of one colour from a map of how strong it is, 0.0 to 1.0.

    This is how a shadow found in the photograph becomes a layer, too.
    """
    full = np.iinfo(dtype).max
    layer = np.empty((*strength.shape, 4), dtype)
    values = np.array(converted_color(color_from(color), icc_profile)) * full
    layer[..., :3] = np.floor(values + 0.5)
    layer[..., 3] = np.floor(strength * np.float32(full) + np.float32(0.5))
    layer[layer[..., 3] == 0] = 0
    return cast("ImageArray", layer)


def _shifted(plane: Float, right: int, down: int) -> Float:
    """The plane moved, zeros moving in."""
    result = np.zeros_like(plane)
    height, width = plane.shape
    if abs(right) < width and abs(down) < height:
        result[max(down, 0) : height + min(down, 0), max(right, 0) : width + min(right, 0)] = plane[
            max(-down, 0) : height + min(-down, 0), max(-right, 0) : width + min(-right, 0)
        ]
    return result


def _pool(
    alpha: ImageArray, full: np.float32, top: int, bottom: int, left: int, right: int
) -> Float:
    """A flat pool on the ground: per column, as dark as the subject is near the ground there."""
    plane = np.zeros(alpha.shape, np.float32)
    touching = max(2, round(_TOUCHING * (bottom - top)))
    feet = alpha[bottom - touching : bottom].astype(np.float32).max(axis=0) / full
    depth = _pool_depth(right - left)
    rows = np.arange(alpha.shape[0], dtype=np.float32)
    # The ground lies a little above the lowest edge: the near side of the footprint is lower.
    fall = np.float32(1) - np.abs(rows - np.float32(bottom - depth / 2)) / np.float32(depth)
    plane[:] = np.clip(fall, 0.0, 1.0)[:, None] * feet[None, :]
    return plane


def _pool_depth(width: int) -> float:
    """Half the height of the pool under a subject of this width; it reaches half of that below."""
    return max(1.0, _POOL_FLATNESS * width / 2)
