"""Brings a cut-out to size: trims to the subject, pads, places it on a canvas.

The subject is framed by what is at least half opaque, as guides and their checkers measure it;
what is fainter (soft edges, hair) hangs into the margins and is never cut off. The rule is the
core's (cpp/include/nssbg/framing.hpp), which the browser follows too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import numpy as np

from nssbg import _core as _typed_core
from nssbg._errors import OptionError
from nssbg._ops.resample import scaled
from nssbg._types import ImageArray

__all__ = [
    "Canvas",
    "Placement",
    "drawn",
    "padded",
    "placed",
    "placement",
    "scaled",
    "shared_canvas",
    "subject_box",
    "trimmed",
]

# The stubs have an overload per dtype, and a union of dtypes picks none of them.
_core: Any = _typed_core

Box = tuple[int, int, int, int]

Align = Literal[
    "center", "top", "bottom", "left", "right",
    "top-left", "top-right", "bottom-left", "bottom-right",
]  # fmt: skip

_WORDS = {"center", "top", "bottom", "left", "right"}
# A side of a canvas above this is a mistake, not a picture.
_LARGEST_SIDE = 65_535
#: Alpha that counts as subject when its fill is measured, and that stays on the canvas.
SOLID: float = _core.SOLID_ALPHA
VISIBLE: float = _core.VISIBLE_ALPHA
#: Alpha that trimming keeps.
FAINT: float = _core.FAINT_ALPHA


@dataclass(frozen=True)
class Canvas:
    """A canvas of a given size with the subject placed on it.

    Attributes:
        width: Columns.
        height: Rows.
        fill: How much of the canvas the subject takes at least, 0 to 1, in the direction that
            limits it (0.85: a margin of 7.5 % on either side there). Measured on the result, where
            alpha is at least half; less only where more would cut off the soft edge around it
            (alpha above a tenth).
        align: Where the subject stands within the margins: "center", "bottom", "top-left", ..., or
            (down, across): shares, 0 to 1, of the free space that lie above it and left of it.
        enlarge: Whether a subject smaller than that is scaled up.
        scale: Pixels of the canvas for one of the picture, in place of fill: several pictures then
            share it (`shared_canvas`). A subject that would not fit is still made smaller.
        baseline: Row of the canvas that the subject's lower edge stands on, counted from the
            top, in place of the vertical alignment.
    """

    width: int
    height: int
    fill: float = 0.85
    align: Align | tuple[float, float] = "center"
    enlarge: bool = True
    scale: float | None = None
    baseline: float | None = None

    def __post_init__(self) -> None:
        for name, side in (("width", self.width), ("height", self.height)):
            if not 1 <= side <= _LARGEST_SIDE:
                raise OptionError(f"a canvas's {name} must be 1 to {_LARGEST_SIDE}, got {side}")
        if not 0.0 < self.fill <= 1.0:
            raise OptionError(f"a canvas's fill must be above 0 and at most 1, got {self.fill}")
        if isinstance(self.align, str):
            aligned = set(self.align.split("-")) <= _WORDS
        else:
            aligned = len(self.align) == 2 and all(0.0 <= share <= 1.0 for share in self.align)
        if not aligned:
            raise OptionError(
                f"a canvas's align is 'center', 'bottom', ..., or two shares (down, across) of 0 "
                f"to 1, got {self.align!r}"
            )
        if self.scale is not None and not (math.isfinite(self.scale) and self.scale > 0):
            raise OptionError(f"a canvas's scale must be above 0, got {self.scale}")
        if self.baseline is not None and not 0 < self.baseline <= self.height:
            raise OptionError(
                f"a canvas's baseline must be above 0 and at most its height {self.height}, "
                f"got {self.baseline}"
            )


@dataclass(frozen=True)
class Placement:
    """Where a picture comes to lie on a canvas: every edge at offset + scale * position.

    Attributes:
        scale: Pixels of the canvas for one of the picture; above 1 it is enlarged.
        top: Where the picture's own upper edge comes to lie, in pixels; may be negative.
        left: The same of its left edge.
        drawn: (top, left, bottom, right) in the picture: what there is to draw, half open.
    """

    scale: float
    top: float
    left: float
    drawn: Box


def subject_box(rgba: ImageArray, *, threshold: float = FAINT, threads: int = 1) -> Box:
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
    return cast("Box", box)


def trimmed(rgba: ImageArray, *, threshold: float = FAINT, threads: int = 1) -> ImageArray:
    """The part of a cut-out that holds the subject; all of it where there is no subject."""
    top, left, bottom, right = subject_box(rgba, threshold=threshold, threads=threads)
    if bottom == 0:
        return rgba
    return cast("ImageArray", np.ascontiguousarray(rgba[top:bottom, left:right]))


def padded(rgba: ImageArray, padding: int | tuple[int, int, int, int]) -> ImageArray:
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
    return cast("ImageArray", result)


def placed(rgba: ImageArray, canvas: Canvas, *, trim: bool = True, threads: int = 1) -> ImageArray:
    """The subject on a transparent canvas, scaled to its fill and aligned.

    Args:
        rgba: H x W x 4, uint8 or uint16, straight.
        canvas: Size, fill and alignment.
        trim: Frame the subject; else what is given counts as the subject.
        threads: Threads to use; 0 means all usable cores.

    Returns:
        canvas.height x canvas.width x 4 of the same dtype.
    """
    return drawn(rgba, placement(rgba, canvas, trim=trim, threads=threads), canvas)


def placement(
    rgba: ImageArray,
    canvas: Canvas,
    *,
    trim: bool = True,
    also: Box = (0, 0, 0, 0),
    threads: int = 1,
) -> Placement:
    """Where a cut-out comes to lie on a canvas, so that the subject reaches its fill.

    Args:
        rgba: H x W x 4, uint8 or uint16, straight.
        canvas: Size, fill and alignment.
        trim: Frame the subject; else what is given counts as the subject.
        also: (top, left, bottom, right) of what is drawn besides (a shadow), half open: it is
            kept on the canvas, but is not what is framed. Empty: nothing.
        threads: Threads to use; 0 means all usable cores.
    """
    scale, top, left, drawn = _core.placement(
        np.ascontiguousarray(rgba), _board(canvas), trim, also, threads or _core.usable_cores()
    )
    return Placement(scale=scale, top=top, left=left, drawn=drawn)


def _board(canvas: Canvas) -> tuple[int, int, float, float, float, bool, float, float]:
    """A canvas as the core takes it: 0 for a scale or baseline that is not given."""
    down, across = _shares(canvas.align)
    return (
        canvas.height,
        canvas.width,
        canvas.fill,
        down,
        across,
        canvas.enlarge,
        canvas.scale or 0.0,
        canvas.baseline or 0.0,
    )


def _shares(align: str | tuple[float, float]) -> tuple[float, float]:
    """Shares of the free space above and left of the subject."""
    if not isinstance(align, str):
        return align
    shares: tuple[float, float] = _core.align_shares(align)
    return shares


def drawn(rgba: ImageArray, where: Placement, canvas: Canvas) -> ImageArray:
    """A cut-out drawn on a transparent canvas where a placement says.

    Args:
        rgba: H x W x 4, uint8 or uint16, straight.
        where: As `placement` gives it.
        canvas: Its size.

    Returns:
        canvas.height x canvas.width x 4 of the same dtype.
    """
    result: ImageArray = _core.draw(
        np.ascontiguousarray(rgba),
        where.scale,
        where.top,
        where.left,
        where.drawn,
        canvas.height,
        canvas.width,
    )
    return result


def shared_canvas(boxes: Sequence[Box], canvas: Canvas) -> Canvas:
    """One scale and one baseline for several pictures of one product.

    The pictures are taken to show the product at one scale (same camera, same distance): a cup
    seen from above then stays smaller than seen from the side, as it is.

    Args:
        boxes: (top, left, bottom, right) of the subject in each picture, half open, as
            `subject_box` gives it with threshold 0.5. Empty ones are left out.
        canvas: Size, fill and alignment for all of them.

    Returns:
        The canvas with scale and baseline set: the largest subject reaches the fill, all stand on
        one line (bottom-aligned: on the lower margin; else: where the tallest one stands).

    Raises:
        OptionError: No box holds anything.
    """
    if not any(box[2] > box[0] for box in boxes):
        raise OptionError("none of the pictures shows a subject to share a scale with")
    scale, baseline = _core.shared_canvas(
        [(0, 0, box[2] - box[0], box[3] - box[1]) for box in boxes],
        _board(replace(canvas, scale=None, baseline=None)),
    )
    return replace(canvas, scale=scale, baseline=baseline)
