"""Brings a cut-out to size: trims to the subject, pads, places it on a canvas.

The subject is framed by what is at least half opaque, as guides and their checkers measure it;
what is fainter (soft edges, hair) hangs into the margins and is never cut off.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, cast

import numpy as np

from nssbg import _core
from nssbg._errors import OptionError
from nssbg._ops.resample import scaled, window
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

Box = tuple[int, int, int, int]

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
# Half opaque: what counts as subject when its fill is measured.
SOLID = 0.5
# Opaque enough that cutting it off at the canvas's edge would show. Fainter remnants, of a shadow
# or of stray alpha, shall not make the subject smaller.
VISIBLE = 0.1
# Rows of the canvas on both sides of the subject's box that are looked at for its edge, and how
# often: thin tips (a stem, a strap) fall below half opaque when they are scaled.
_LOOK = 6
_MOST_LOOKS = 12


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


def subject_box(rgba: ImageArray, *, threshold: float = 0.02, threads: int = 1) -> Box:
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


def trimmed(rgba: ImageArray, *, threshold: float = 0.02, threads: int = 1) -> ImageArray:
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
    whole = (0, 0, rgba.shape[0], rgba.shape[1])
    faint = visible = opaque_subject = whole
    if trim:
        boxes = [
            subject_box(rgba, threshold=level, threads=threads) for level in (0.02, VISIBLE, SOLID)
        ]
        # Where nothing is half opaque (glass, smoke), what there is stands in.
        faint = boxes[0] if boxes[0][2] else whole
        visible = boxes[1] if boxes[1][2] else faint
        opaque_subject = boxes[2] if boxes[2][2] else visible
        trim = boxes[2][2] > 0
    if also[2] > 0:
        visible, faint = _joined(visible, also), _joined(faint, also)
    found = replace(_fitted(opaque_subject, visible, canvas), drawn=faint)
    if not trim:
        return found
    return _reaching(rgba[..., 3], found, opaque_subject, visible, canvas)


def _reaching(
    alpha: ImageArray, found: Placement, opaque_subject: Box, visible: Box, canvas: Canvas
) -> Placement:
    """The placement whose subject, as it is drawn, reaches the fill and hardly passes it."""
    edges: tuple[float, float, float, float] = opaque_subject
    best: tuple[float, Placement] | None = None
    before = (0, 0, 0, 0)
    damped = 1.0
    for look in range(_MOST_LOOKS):
        # Wider each time: a long thin tip may be lost for many rows.
        lost = _lost(alpha, found, edges, canvas, _LOOK << (look // 3))
        if not any(lost):
            return found
        beyond = max(
            (edges[axis + 2] - edges[axis]) * found.scale
            - (lost[axis] + lost[axis + 2])
            - canvas.fill * side
            for axis, side in enumerate((canvas.height, canvas.width))
        )
        if beyond > -0.01 and (best is None or beyond < best[0]):
            best = (beyond, found)
        # A tip of less than a pixel comes and goes with where the pixels happen to lie.
        if any(now * then < 0 for now, then in zip(lost, before, strict=True)):
            damped /= 2
        before = lost
        step = [pixels * damped / found.scale for pixels in lost]
        edges = (edges[0] + step[0], edges[1] + step[1], edges[2] - step[2], edges[3] - step[3])
        found = replace(_fitted(edges, visible, canvas), drawn=found.drawn)
    return found if best is None else best[1]


def _joined(one: Box, other: Box) -> Box:
    return (
        min(one[0], other[0]),
        min(one[1], other[1]),
        max(one[2], other[2]),
        max(one[3], other[3]),
    )


def _fitted(subject: tuple[float, float, float, float], visible: Box, canvas: Canvas) -> Placement:
    """The placement that brings the subject's box to the canvas's fill and alignment."""
    top, left, bottom, right = subject
    # Whole pixels, at least the fill: 0.85 of 999 is 850 rows, not 849.15.
    wanted_y, wanted_x = (
        math.ceil(canvas.fill * side - 1e-6) for side in (canvas.height, canvas.width)
    )
    scale = min(wanted_y / (bottom - top), wanted_x / (right - left))
    if not canvas.enlarge:
        scale = min(scale, 1.0)
    if canvas.scale is not None:
        scale = canvas.scale
    # What can be seen stays on the canvas.
    scale = min(
        scale,
        canvas.height / (visible[2] - visible[0]),
        canvas.width / (visible[3] - visible[1]),
    )
    vertical, horizontal = _shares(canvas.align)
    y = _start(canvas.height, canvas.fill, (bottom - top) * scale, vertical)
    if canvas.baseline is not None:
        y = round(canvas.baseline - (bottom - top) * scale)
    x = _start(canvas.width, canvas.fill, (right - left) * scale, horizontal)
    return Placement(
        scale=scale,
        top=_kept_inside(y - top * scale, visible[0], visible[2], scale, canvas.height),
        left=_kept_inside(x - left * scale, visible[1], visible[3], scale, canvas.width),
        drawn=visible,
    )


def _shares(align: str | tuple[float, float]) -> tuple[float, float]:
    """Shares of the free space above and left of the subject."""
    if not isinstance(align, str):
        return align
    words = align.split("-")
    return (
        next((_VERTICAL[word] for word in words if word in _VERTICAL), 0.5),
        next((_HORIZONTAL[word] for word in words if word in _HORIZONTAL), 0.5),
    )


def _start(side: int, fill: float, length: float, share: float) -> int:
    """The first pixel of a subject within the margins, which stay free whatever the alignment."""
    margin = min(side * (1.0 - fill), side - length) / 2
    return round(margin + share * (side - length - 2 * margin))


def _kept_inside(offset: float, first: int, last: int, scale: float, side: int) -> float:
    """The offset, moved as little as keeps first..last on the canvas."""
    return max(min(offset, side - last * scale), -first * scale)


def _lost(
    alpha: ImageArray,
    found: Placement,
    edges: tuple[float, float, float, float],
    canvas: Canvas,
    look: int,
) -> tuple[int, int, int, int]:
    """Pixels of the canvas by which the subject, drawn, falls short of its box on each side.

    One pixel too many is let be (-1 counts as 0), so that looking again comes to an end.
    """
    half = np.iinfo(alpha.dtype).max // 2
    sides = (canvas.height, canvas.width)
    offsets = (found.top, found.left)
    first, last = (
        [round(offsets[axis] + edges[axis + end] * found.scale) for axis in (0, 1)]
        for end in (0, 2)
    )
    lost = [0, 0, 0, 0]
    for axis in (0, 1):
        inside = min(look, (last[axis] - first[axis]) // 2)
        for end, edge in ((0, first[axis]), (2, last[axis])):
            begin, stop = (edge - look, edge + inside) if end == 0 else (edge - inside, edge + look)
            box = [
                max(0, first[0]),
                max(0, first[1]),
                min(sides[0], last[0]),
                min(sides[1], last[1]),
            ]
            box[axis], box[axis + 2] = max(0, begin), min(sides[axis], stop)
            if inside < 1 or box[1] >= box[3] or box[0] >= box[2]:
                continue
            strip = window(alpha, found.scale, found.top, found.left, cast("Box", tuple(box)))
            held = np.flatnonzero((strip > half).any(axis=1 - axis))
            if held.size == 0:
                lost[axis + end] = inside
            else:
                reached = box[axis] + int(held[0] if end == 0 else held[-1] + 1)
                short = reached - edge if end == 0 else edge - reached
                lost[axis + end] = 0 if short == -1 else short
    return lost[0], lost[1], lost[2], lost[3]


def drawn(rgba: ImageArray, where: Placement, canvas: Canvas) -> ImageArray:
    """A cut-out drawn on a transparent canvas where a placement says.

    Args:
        rgba: H x W x 4, uint8 or uint16, straight.
        where: As `placement` gives it.
        canvas: Its size.

    Returns:
        canvas.height x canvas.width x 4 of the same dtype.
    """
    result = np.zeros((canvas.height, canvas.width, 4), rgba.dtype)
    first_y, first_x, last_y, last_x = where.drawn
    top = max(0, math.floor(where.top + first_y * where.scale))
    left = max(0, math.floor(where.left + first_x * where.scale))
    bottom = min(canvas.height, math.ceil(where.top + last_y * where.scale - 1e-6))
    right = min(canvas.width, math.ceil(where.left + last_x * where.scale - 1e-6))
    box = (top, left, max(bottom, top + 1), max(right, left + 1))
    result[box[0] : box[2], box[1] : box[3]] = window(rgba, where.scale, where.top, where.left, box)
    return cast("ImageArray", result)


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
    sizes = [(box[2] - box[0], box[3] - box[1]) for box in boxes if box[2] > box[0]]
    if not sizes:
        raise OptionError("none of the pictures shows a subject to share a scale with")
    tallest, widest = max(size[0] for size in sizes), max(size[1] for size in sizes)
    whole = (0, 0, tallest, widest)
    found = _fitted(whole, whole, replace(canvas, scale=None, baseline=None))
    return replace(canvas, scale=found.scale, baseline=found.top + tallest * found.scale)
