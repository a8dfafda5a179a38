"""The core's framing in NumPy and Pillow: what tests hold the core to.

8-bit pixels have the core's bytes; of 16 bits a sample in a thousand lies one step apart.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from nssbg import _core
from nssbg._compose.canvas import Box, Canvas, Placement, subject_box
from nssbg._types import ImageArray

_VERTICAL = {"top": 0.0, "bottom": 1.0}
_HORIZONTAL = {"left": 0.0, "right": 1.0}
SOLID = 0.5
VISIBLE = 0.1
_LOOK = 6
_MOST_LOOKS = 12
_REACH = 3


def placement(
    rgba: ImageArray,
    canvas: Canvas,
    *,
    trim: bool = True,
    also: Box = (0, 0, 0, 0),
    threads: int = 1,
) -> Placement:
    """Where a cut-out comes to lie on a canvas, so that the subject reaches its fill."""
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
    """Pixels of the canvas by which the subject, drawn, falls short of its box on each side."""
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
    """A cut-out drawn on a transparent canvas where a placement says."""
    result = np.zeros((canvas.height, canvas.width, 4), rgba.dtype)
    first_y, first_x, last_y, last_x = where.drawn
    top = max(0, math.floor(where.top + first_y * where.scale))
    left = max(0, math.floor(where.left + first_x * where.scale))
    bottom = min(canvas.height, math.ceil(where.top + last_y * where.scale - 1e-6))
    right = min(canvas.width, math.ceil(where.left + last_x * where.scale - 1e-6))
    box = (top, left, max(bottom, top + 1), max(right, left + 1))
    result[box[0] : box[2], box[1] : box[3]] = window(rgba, where.scale, where.top, where.left, box)
    return cast("ImageArray", result)


def window(
    pixels: ImageArray, scale: float, top: float, left: float, box: tuple[int, int, int, int]
) -> ImageArray:
    """Part of a canvas on which a picture lies scaled and moved."""
    spans = []
    for axis, offset in ((0, top), (1, left)):
        first, last = (box[axis] - offset) / scale, (box[axis + 2] - offset) / scale
        reach = math.ceil(_REACH * max(1.0, 1.0 / scale)) + 1
        size = pixels.shape[axis]
        begin, end = math.floor(first) - reach, math.ceil(last) + reach
        # Beyond the picture's edges is nothing: only where the box goes there is it put in.
        before = max(0, math.ceil(-first - 1e-6))
        after = max(0, math.ceil(last - size - 1e-6))
        begin, end = max(begin, 0), min(end, size)
        spans.append((first - begin + before, last - begin + before, begin, end, before, after))
    (y0, y1, row0, row1, above, below), (x0, x1, col0, col1, before, after) = spans
    height, width = box[2] - box[0], box[3] - box[1]
    if row0 >= row1 or col0 >= col1:
        return cast("ImageArray", np.zeros((height, width, *pixels.shape[2:]), pixels.dtype))
    part = pixels[row0:row1, col0:col1]
    if above or below or before or after:
        margins = [(above, below), (before, after)] + [(0, 0)] * (pixels.ndim - 2)
        part = cast("ImageArray", np.pad(part, margins))
    if scale == 1.0 and y0.is_integer() and x0.is_integer():
        own = part[int(y0) : int(y0) + height, int(x0) : int(x0) + width]
        return cast("ImageArray", np.ascontiguousarray(own))
    rows, columns = part.shape[:2]
    inside = (max(0.0, x0), max(0.0, y0), min(float(columns), x1), min(float(rows), y1))
    return _resampled(part, height, width, inside)


def _planes(
    source: NDArray[Any],
    height: int,
    width: int,
    box: tuple[float, float, float, float],
    *,
    threads: int = 1,
) -> NDArray[np.uint8]:
    """The first three channels (or one, thrice) of the part in box at a size: 3 x H x W."""
    target = np.empty((3, height, width), np.uint8)
    kernel = _core.prepare_u8_from_u8 if source.dtype == np.uint8 else _core.prepare_u8_from_u16
    kernel(
        source,
        target,
        "lanczos",
        (0, 0, width, height),
        (0, 0, 0),
        (0.0, 0.0, 0.0),
        (1.0, 1.0, 1.0),
        threads=threads,
        part=box,
    )
    return target


def _resampled(
    pixels: ImageArray, height: int, width: int, box: tuple[float, float, float, float] | None
) -> ImageArray:
    """The part of a picture in box (left, top, right, bottom; None: all) at a size."""
    from PIL import Image

    lanczos = Image.Resampling.LANCZOS
    size = (width, height)
    if pixels.dtype == np.uint8:
        whole = (0.0, 0.0, float(pixels.shape[1]), float(pixels.shape[0]))
        eight = cast("NDArray[np.uint8]", pixels)
        if pixels.ndim == 2:
            return cast(
                "ImageArray", _planes(eight[:, :, np.newaxis], height, width, box or whole)[0]
            )
        own = _core.premultiply(np.ascontiguousarray(eight))
        result = np.empty((height, width, 4), np.uint8)
        for channel, plane in enumerate(_planes(own, height, width, box or whole)):
            result[..., channel] = plane
        result[..., 3] = _planes(eight[:, :, 3:], height, width, box or whole)[0]
        # Where ripples leave colour above alpha, it is cut to what alpha allows.
        image = Image.frombuffer("RGBa", size, result, "raw", "RGBa", 0, 1)
        return np.asarray(image.convert("RGBA"))
    full = np.float32(np.iinfo(pixels.dtype).max)

    def resized(plane: NDArray[Any]) -> NDArray[np.float32]:
        return np.asarray(Image.fromarray(plane).resize(size, lanczos, box=box))

    if pixels.ndim == 2:
        cover = np.clip(resized(pixels.astype(np.float32)), 0.0, full)
        return cast("ImageArray", np.floor(cover + np.float32(0.5)).astype(pixels.dtype))
    alpha = pixels[..., 3].astype(np.float32) / full
    result = np.empty((height, width, 4), pixels.dtype)
    cover = np.clip(resized(alpha), 0.0, 1.0)
    result[..., 3] = np.floor(cover * full + np.float32(0.5))
    share = np.maximum(cover, np.float32(1e-6))
    for channel in range(3):
        color = resized(pixels[..., channel].astype(np.float32) * alpha) / share
        result[..., channel] = np.floor(np.clip(color, 0.0, full) + np.float32(0.5))
    result[result[..., 3] == 0] = 0
    return cast("ImageArray", result)
