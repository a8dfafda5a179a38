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

from nssbg import _core as _typed_core
from nssbg._color.convert import converted_color
from nssbg._compose.background import color_from
from nssbg._errors import OptionError
from nssbg._types import ImageArray
from nssbg._vocabulary import SHADOWS, ShadowKind

__all__ = ["SEEN_TAIL", "Shadow", "layer_from_strength", "shadow_layer", "shadow_room"]

Float = NDArray[np.float32]

# The stubs have an overload per dtype, and a union of dtypes picks none of them.
_core: Any = _typed_core

# Standard deviations after which a blurred edge is under a thousandth.
_TAIL: float = _core.SHADOW_TAIL
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
    color = _encoded(shadow.color, alpha.dtype, icc_profile)
    layer = _core.shadow_layer(np.ascontiguousarray(alpha), _record(shadow), color)
    return cast("ImageArray", layer)


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
    room: tuple[int, int, int, int] = _core.shadow_room(box, *whole, _record(shadow), tail)
    return room


def layer_from_strength(
    strength: Float, dtype: Any, color: Any = (0, 0, 0), *, icc_profile: bytes | None = None
) -> ImageArray:
    """A layer of one colour from a map of how strong it is, 0.0 to 1.0.

    This is how a shadow found in the photograph becomes a layer, too.
    """
    make = _core.layer_from_strength_u16 if dtype == np.uint16 else _core.layer_from_strength_u8
    return cast("ImageArray", make(strength, _encoded(color, dtype, icc_profile)))


def _record(shadow: Shadow) -> tuple[str, float, float, float, float]:
    """A shadow as the core takes it."""
    return shadow.kind, shadow.opacity, shadow.softness, *shadow.offset


def _encoded(color: Any, dtype: Any, icc_profile: bytes | None) -> tuple[int, int, int]:
    """The colour's samples in a cut-out's encoding."""
    values = np.array(converted_color(color_from(color), icc_profile)) * np.iinfo(dtype).max
    red, green, blue = (int(value) for value in np.floor(values + 0.5))
    return red, green, blue
