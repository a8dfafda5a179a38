"""Brings a cut-out to size: trims to the subject, pads, scales, places it on a canvas.

Scaling works on premultiplied values, so colours of transparent pixels never bleed in.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np

from nssbg import _core
from nssbg._errors import OptionError
from nssbg._types import Picture

__all__ = ["Canvas", "padded", "placed", "scaled", "subject_box", "trimmed"]

Align = Literal[
    "center", "top", "bottom", "left", "right",
    "top-left", "top-right", "bottom-left", "bottom-right",
]  # fmt: skip

# Share of the free space that lies before the subject, per word.
_VERTICAL = {"top": 0.0, "bottom": 1.0}
_HORIZONTAL = {"left": 0.0, "right": 1.0}
_WORDS = {"center", *_VERTICAL, *_HORIZONTAL}
# A side of a canvas above this is a mistake, not a picture.
_LARGEST_SIDE = 65_535


@dataclass(frozen=True)
class Canvas:
    """A canvas of a given size with the subject placed on it.

    Attributes:
        width: Columns.
        height: Rows.
        fill: How much of the canvas the subject may take, 0 to 1, in the direction that
            limits it (0.85: a margin of 7.5 % on either side there).
        align: Where the subject stands within the margins: "center", "bottom", "top-left", ...
        enlarge: Whether a subject smaller than that is scaled up.
    """

    width: int
    height: int
    fill: float = 0.85
    align: Align = "center"
    enlarge: bool = True

    def __post_init__(self) -> None:
        for name, side in (("width", self.width), ("height", self.height)):
            if not 1 <= side <= _LARGEST_SIDE:
                raise OptionError(f"a canvas's {name} must be 1 to {_LARGEST_SIDE}, got {side}")
        if not 0.0 < self.fill <= 1.0:
            raise OptionError(f"a canvas's fill must be above 0 and at most 1, got {self.fill}")
        if not set(self.align.split("-")) <= _WORDS:
            raise OptionError(f"a canvas's align is 'center', 'bottom', ..., got {self.align!r}")


def subject_box(
    rgba: Picture, *, threshold: float = 0.02, threads: int = 1
) -> tuple[int, int, int, int]:
    """The smallest box around the subject.

    Args:
        rgba: H x W x 4, uint8 or uint16.
        threshold: Alpha above which a pixel counts, 0.0 to 1.0.
        threads: Threads to use; 0 means all usable cores.

    Returns:
        (top, left, bottom, right), half open; all zero where nothing counts.

    Raises:
        OptionError: threshold is not 0.0 to 1.0.
    """
    if not 0.0 <= threshold <= 1.0:
        raise OptionError(f"threshold must be 0.0 to 1.0, got {threshold}")
    limit = math.floor(threshold * np.iinfo(rgba.dtype).max)
    box = _core.subject_box(
        np.ascontiguousarray(rgba), limit, threads=threads or _core.usable_cores()
    )
    return cast("tuple[int, int, int, int]", box)


def trimmed(rgba: Picture, *, threshold: float = 0.02, threads: int = 1) -> Picture:
    """The part of a cut-out that holds the subject; all of it where there is no subject."""
    top, left, bottom, right = subject_box(rgba, threshold=threshold, threads=threads)
    if bottom == 0:
        return rgba
    return cast("Picture", np.ascontiguousarray(rgba[top:bottom, left:right]))


def padded(rgba: Picture, padding: int | tuple[int, int, int, int]) -> Picture:
    """A cut-out with transparent margins.

    Args:
        rgba: H x W x 4.
        padding: Pixels on every side, or (top, right, bottom, left) as in CSS.

    Raises:
        OptionError: A margin is negative, or a side becomes longer than 65,535 pixels.
    """
    sides = (padding,) * 4 if isinstance(padding, int) else tuple(padding)
    if len(sides) != 4 or any(side < 0 for side in sides):
        raise OptionError(f"padding is a number or (top, right, bottom, left), got {padding!r}")
    top, right, bottom, left = sides
    height, width = rgba.shape[:2]
    whole = (height + top + bottom, width + left + right)
    if max(whole) > max(_LARGEST_SIDE, height, width):
        raise OptionError(
            f"padding {padding!r} makes a result of {whole[1]} x {whole[0]} pixels; a side may "
            f"have at most {_LARGEST_SIDE}"
        )
    result = np.zeros((*whole, 4), rgba.dtype)
    result[top : top + height, left : left + width] = rgba
    return cast("Picture", result)


def placed(rgba: Picture, canvas: Canvas, *, trim: bool = True, threads: int = 1) -> Picture:
    """The subject on a transparent canvas, scaled to its fill and aligned.

    Args:
        rgba: H x W x 4, uint8 or uint16, straight.
        canvas: Size, fill and alignment.
        trim: Trim to the subject first; else what is given counts as the subject.
        threads: Threads to use; 0 means all usable cores.

    Returns:
        canvas.height x canvas.width x 4 of the same dtype.
    """
    subject = trimmed(rgba, threads=threads) if trim else rgba
    scale = canvas.fill * min(canvas.height / subject.shape[0], canvas.width / subject.shape[1])
    if not canvas.enlarge:
        scale = min(scale, 1.0)
    height = min(canvas.height, max(1, round(subject.shape[0] * scale)))
    width = min(canvas.width, max(1, round(subject.shape[1] * scale)))
    subject = scaled(subject, height, width)
    words = canvas.align.split("-")
    vertical = next((_VERTICAL[word] for word in words if word in _VERTICAL), 0.5)
    horizontal = next((_HORIZONTAL[word] for word in words if word in _HORIZONTAL), 0.5)
    # The margins stay free on every side, whatever the alignment.
    margin_y = min((canvas.height * (1.0 - canvas.fill)) / 2, (canvas.height - height) / 2)
    margin_x = min((canvas.width * (1.0 - canvas.fill)) / 2, (canvas.width - width) / 2)
    top = round(margin_y + vertical * (canvas.height - height - 2 * margin_y))
    left = round(margin_x + horizontal * (canvas.width - width - 2 * margin_x))
    result = np.zeros((canvas.height, canvas.width, 4), rgba.dtype)
    result[top : top + height, left : left + width] = subject
    return cast("Picture", result)


def scaled(rgba: Picture, height: int, width: int) -> Picture:
    """A cut-out at another size (Lanczos on premultiplied values), straight again."""
    if rgba.shape[:2] == (height, width):
        return rgba
    from PIL import Image

    lanczos = Image.Resampling.LANCZOS
    if rgba.dtype == np.uint8:
        image = Image.fromarray(np.ascontiguousarray(rgba)).convert("RGBa")
        return np.asarray(image.resize((width, height), lanczos).convert("RGBA"))
    full = np.float32(np.iinfo(rgba.dtype).max)
    alpha = rgba[..., 3].astype(np.float32) / full

    def resized(plane: object) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        image = Image.fromarray(np.asarray(plane, np.float32))
        return np.asarray(image.resize((width, height), lanczos))

    result = np.empty((height, width, 4), rgba.dtype)
    cover = np.clip(resized(alpha), 0.0, 1.0)
    result[..., 3] = np.floor(cover * full + np.float32(0.5))
    share = np.maximum(cover, np.float32(1e-6))
    for channel in range(3):
        color = resized(rgba[..., channel].astype(np.float32) * alpha) / share
        result[..., channel] = np.floor(np.clip(color, 0.0, full) + np.float32(0.5))
    result[result[..., 3] == 0] = 0
    return cast("Picture", result)
