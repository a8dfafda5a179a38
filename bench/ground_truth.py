"""Pictures whose alpha, foreground and background are known exactly, drawn from a seed.

In: the name of a subject, the name of a backdrop, a size, a seed. Out: a `Case` for which
`image = alpha * foreground + (1 - alpha) * background` holds to the rounding of 8 bits. Also
`coarse_from_alpha`, which degrades a true alpha into what a segmentation network would answer.

Subjects are drawn on a grid of 8 x 8 samples a pixel and averaged, so alpha is the true
box-filtered coverage of the drawn scene; defocus and glass work on the averaged layers, where they
stay exact. Pictures are composited in the sRGB encoding by default, because that is the equation
that matting methods solve, that the published benchmarks were made with and that every viewer of a
straight-alpha PNG computes. `linear_light=True` composites as a lens would, to measure what that
assumption costs.
"""

from __future__ import annotations

import argparse
import math
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

Float = npt.NDArray[np.floating[Any]]
Float32 = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]

SAMPLES = 8  # samples a pixel and axis; 64 in all
BAND_ROWS = 128  # rows drawn at a time, so that the sample grid of a large picture stays small
DESIGN_HEIGHT = 480  # strand widths are given for this height and grow with the square root of it


@dataclass(frozen=True)
class Case:
    """One picture with its truth; colours are sRGB-encoded, 0..1, and defined at every pixel."""

    name: str
    image: Bytes  # H x W x 3
    alpha: Float32  # H x W, 0..1
    foreground: Float32  # H x W x 3
    background: Float32  # H x W x 3


@dataclass(frozen=True)
class Layer:
    """A subject before it meets its backdrop: straight colour and alpha."""

    alpha: Float
    colour: Float


# --------------------------------------------------------------------------------------------
# Drawing: polygons on the sample grid


@dataclass
class Sketch:
    """A painter's list of convex quads and polygons in pixel coordinates, later over earlier."""

    height: int
    width: int
    seed: int
    shapes: list[tuple[Float, npt.NDArray[np.int64]]] = field(default_factory=list)

    @property
    def unit(self) -> float:
        """Pixels a unit of stroke width: finer pictures show the same hair a little wider."""
        return math.sqrt(min(self.height, self.width) / DESIGN_HEIGHT)

    def polygon(self, points: Float, colour: npt.ArrayLike) -> None:
        """Add one polygon, N x 2 as (x, y)."""
        self.shapes.append((points[None].astype(np.float32), _bytes_from_colour(colour)[None]))

    def stroke(self, points: Float, widths: npt.ArrayLike, colours: npt.ArrayLike) -> None:
        """Add a tapered line: N points, N (or one) widths in pixels, N (or one) colours."""
        self.strokes(points[None], widths, np.asarray(colours, np.float32)[None])

    def strokes(self, points: Float, widths: npt.ArrayLike, colours: npt.ArrayLike) -> None:
        """Add S tapered lines of N points each: S x N x 2, widths and colours broadcast to them."""
        strands, count = points.shape[:2]
        half = 0.5 * np.broadcast_to(np.asarray(widths, np.float32), (strands, count))
        colour = np.asarray(colours, np.float32)
        if colour.ndim == 1:
            colour = colour[None, None]
        elif colour.ndim == 2:
            colour = colour[:, None]
        colour = np.broadcast_to(colour, (strands, count, 3))
        along = np.gradient(points, axis=1)
        along /= np.maximum(np.linalg.norm(along, axis=2, keepdims=True), 1e-6)
        across = np.stack([-along[..., 1], along[..., 0]], 2) * half[..., None]
        left, right = points + across, points - across
        quads = np.stack([left[:, :-1], left[:, 1:], right[:, 1:], right[:, :-1]], 2)
        tint = _bytes_from_colour(0.5 * (colour[:, :-1] + colour[:, 1:]))
        self.shapes.append((quads.reshape(-1, 4, 2).astype(np.float32), tint.reshape(-1, 3)))

    def disc(self, x: float, y: float, radius: float, colour: npt.ArrayLike) -> None:
        """Add a filled circle."""
        turn = np.linspace(0, 2 * np.pi, max(24, int(radius * 4)), endpoint=False)
        circle = np.stack([x + radius * np.cos(turn), y + radius * np.sin(turn)], 1)
        self.polygon(circle.astype(np.float32), colour)

    def render(self) -> Layer:
        """Draw everything at `SAMPLES` samples an axis and average: premultiplied, then divided."""
        alpha = np.zeros((self.height, self.width), np.float32)
        colour = np.zeros((self.height, self.width, 3), np.float32)
        for top in range(0, self.height, BAND_ROWS):
            rows = min(BAND_ROWS, self.height - top)
            sheet = Image.new("RGBA", (self.width * SAMPLES, rows * SAMPLES))
            draw = ImageDraw.Draw(sheet)
            for points, tint in self._shapes_between(top, top + rows):
                # Whole numbers of samples before the band is subtracted, so that no band differs.
                grid = np.floor(points * SAMPLES).astype(np.int64)
                grid[..., 1] -= top * SAMPLES
                flat = grid.reshape(len(grid), -1).tolist()
                for corners, (red, green, blue) in zip(flat, tint.tolist(), strict=True):
                    draw.polygon(corners, fill=(red, green, blue, 255))
            mean = _mean_of_samples(np.asarray(sheet))
            alpha[top : top + rows] = mean[..., 3]
            colour[top : top + rows] = mean[..., :3]
        straight = colour / np.maximum(alpha, 1e-6)[..., None]
        return Layer(alpha, np.clip(straight, 0, 1))

    def _shapes_between(
        self, top: int, bottom: int
    ) -> Iterator[tuple[Float, npt.NDArray[np.int64]]]:
        for points, tint in self.shapes:
            low, high = points[..., 1].min(1), points[..., 1].max(1)
            inside = (high >= top - 1) & (low <= bottom + 1)
            if inside.any():
                yield points[inside], tint[inside]


def _bytes_from_colour(colour: npt.ArrayLike) -> npt.NDArray[np.int64]:
    scaled = np.clip(np.asarray(colour, np.float32), 0, 1) * 255
    return np.rint(scaled).astype(np.int64)


def _mean_of_samples(samples: Bytes) -> Float:
    """Average SAMPLES x SAMPLES blocks of an H x W x C byte picture to 0..1."""
    height, width, channels = (
        samples.shape[0] // SAMPLES,
        samples.shape[1] // SAMPLES,
        samples.shape[2],
    )
    # Rows first: that sum runs over contiguous memory and shrinks what the second one touches.
    tall = samples.reshape(height, SAMPLES, -1).sum(1, dtype=np.uint16)
    total = tall.reshape(height, width, SAMPLES, channels).sum(2, dtype=np.uint16)
    result: Float = (total.astype(np.float32)) / np.float32(255 * SAMPLES * SAMPLES)
    return result


def coverage_from_distance(
    distance: Callable[[Float, Float], Float], height: int, width: int
) -> Float:
    """Coverage of the region where `distance(x, y) < 0`; `distance` may not overstate.

    Only pixels that the outline can touch are sampled, at 256 points of a rank-1 lattice: unlike a
    16 x 16 grid, that resolves an upright edge to 1/256.
    """
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) + np.float32(0.5)
    centre = distance(x, y)
    alpha = (centre < 0).astype(np.float32)
    near_y, near_x = np.nonzero(np.abs(centre) < 0.75)
    k = np.arange(256, dtype=np.float32)
    u, v = (k + 0.5) / 256 - 0.5, ((k * 163 + 0.5) / 256) % 1 - 0.5
    for start in range(0, len(near_y), 4096):
        rows, columns = near_y[start : start + 4096], near_x[start : start + 4096]
        samples = distance(x[rows, columns][:, None] + u, y[rows, columns][:, None] + v)
        alpha[rows, columns] = (samples < 0).mean(1, dtype=np.float32)
    return alpha


# --------------------------------------------------------------------------------------------
# Small picture operations


def blurred(picture: Float, sigma: float) -> Float:
    """Gaussian blur with mirrored borders, H x W or H x W x C."""
    if sigma <= 0:
        return picture
    radius = max(1, math.ceil(3 * sigma))
    offsets = np.arange(-radius, radius + 1)
    kernel = np.exp(-0.5 * (offsets / sigma) ** 2)
    kernel = (kernel / kernel.sum()).astype(np.float32)
    for axis in (0, 1):
        padding = [(0, 0)] * picture.ndim
        padding[axis] = (radius, radius)
        padded = np.pad(picture, padding, mode="symmetric")
        size = picture.shape[axis]
        total = np.zeros_like(picture)
        for tap, weight in enumerate(kernel):
            total += weight * padded[(slice(None),) * axis + (slice(tap, tap + size),)]
        picture = total
    return picture


def disc_blurred(picture: Float, radius: float) -> Float:
    """Blur with a disc of confusion of the given radius: what a defocused lens does."""
    if radius < 0.5:
        return picture
    reach = math.ceil(radius)
    offset = np.arange(-reach, reach + 1)
    spread = np.hypot(offset[:, None], offset[None])
    kernel = np.clip(radius + 0.5 - spread, 0, 1)
    kernel = (kernel / kernel.sum()).astype(np.float32)
    padding = [(reach, reach), (reach, reach)] + [(0, 0)] * (picture.ndim - 2)
    padded = np.pad(picture, padding, mode="symmetric")
    height, width = picture.shape[:2]
    total = np.zeros_like(picture)
    for (dy, dx), weight in np.ndenumerate(kernel):
        if weight > 0:
            total += weight * padded[dy : dy + height, dx : dx + width]
    return total


def resized(picture: Float, height: int, width: int, smooth: bool = False) -> Float:
    """Resize in float: area averaging where it shrinks, linear (or cubic) where it grows."""
    grow = Image.Resampling.BICUBIC if smooth else Image.Resampling.BILINEAR

    def one(plane: Float) -> Float:
        image = Image.fromarray(np.ascontiguousarray(plane, np.float32), mode=None)
        for size in ((image.width, height), (width, height)):
            shrinks = size[0] < image.width or size[1] < image.height
            image = image.resize(size, Image.Resampling.BOX if shrinks else grow)
        return np.asarray(image, np.float32)

    if picture.ndim == 2:
        return one(picture)
    return np.stack([one(picture[..., c]) for c in range(picture.shape[2])], 2)


def noise(
    rng: np.random.Generator, height: int, width: int, cell: float, octaves: int = 4
) -> Float:
    """Smooth multi-scale noise about 0.5, in 0..1; `cell` is the largest feature in pixels."""
    total = np.zeros((height, width), np.float32)
    weight, weights = 1.0, 0.0
    for _ in range(octaves):
        rows, columns = max(2, round(height / cell) + 2), max(2, round(width / cell) + 2)
        grid = rng.random((rows, columns), dtype=np.float32)
        total += weight * resized(grid, height, width, smooth=True)
        weights += weight
        weight, cell = weight * 0.55, max(cell / 2, 1.0)
    result: Float = np.clip((total / weights - 0.5) * 1.6 + 0.5, 0, 1).astype(np.float32)
    return result


def filled(colour: Float, alpha: Float) -> Float:
    """Continue the colours of pixels with alpha into those without, by a push-pull pyramid."""
    weight = np.minimum(alpha * 64, 1)[..., None]  # any real coverage counts as a full sample
    levels = [(colour * weight, weight)]
    while min(levels[-1][1].shape[:2]) > 1:
        value, share = levels[-1]
        height, width = (value.shape[0] + 1) // 2, (value.shape[1] + 1) // 2
        levels.append(
            (
                resized(value, height, width),
                resized(share, height, width)[..., None]
                if share.ndim == 2
                else resized(share, height, width),
            )
        )
    value, share = levels[-1]
    coarse = value / np.maximum(share, 1e-6)
    for value, share in reversed(levels[:-1]):
        wide = resized(coarse, *value.shape[:2])
        full = np.minimum(share, 1)
        coarse = value / np.maximum(share, 1e-6) * full + wide * (1 - full)
    return np.where(alpha[..., None] > 0, colour, np.clip(coarse, 0, 1)).astype(np.float32)


def linear_from_srgb(encoded: Float) -> Float:
    """Undo the sRGB curve, 0..1."""
    low = encoded / 12.92
    high = np.power((np.maximum(encoded, 0.04045) + 0.055) / 1.055, 2.4)
    return np.where(encoded <= 0.04045, low, high).astype(np.float32)


def srgb_from_linear(linear: Float) -> Float:
    """Apply the sRGB curve, 0..1."""
    low = linear * 12.92
    high = 1.055 * np.power(np.maximum(linear, 0.0031308), 1 / 2.4) - 0.055
    return np.where(linear <= 0.0031308, low, high).astype(np.float32)


def over(front: Layer, back: Layer) -> Layer:
    """Put one layer over another, both straight."""
    rest = back.alpha * (1 - front.alpha)
    alpha = front.alpha + rest
    colour = front.colour * front.alpha[..., None] + back.colour * rest[..., None]
    return Layer(alpha, colour / np.maximum(alpha, 1e-6)[..., None])


def _mixed(low: npt.ArrayLike, high: npt.ArrayLike, share: npt.ArrayLike) -> Float:
    """Interpolate colours; `share` of any shape gives that shape x 3."""
    share = np.asarray(share, np.float32)[..., None]
    return (
        np.asarray(low, np.float32) * (1 - share) + np.asarray(high, np.float32) * share
    ).astype(np.float32)


def _curve(*points: tuple[float, float], count: int) -> Float:
    """A Catmull-Rom curve through points given as (x, y), `count` points a piece."""
    knots = np.asarray([points[0], *points, points[-1]], np.float32)
    t = np.linspace(0, 1, count, endpoint=False, dtype=np.float32)[:, None]
    pieces = []
    for a, b, c, d in zip(knots, knots[1:], knots[2:], knots[3:], strict=False):
        pieces.append(
            0.5
            * (
                2 * b
                + (c - a) * t
                + (2 * a - 5 * b + 4 * c - d) * t**2
                + (3 * b - a - 3 * c + d) * t**3
            )
        )
    return np.concatenate([*pieces, knots[-1:]]).astype(np.float32)


# --------------------------------------------------------------------------------------------
# Subjects


def _hair_strands(
    rng: np.random.Generator,
    roots: Float,
    directions: Float,
    lengths: Float,
    *,
    points: int,
    gravity: float,
    curl: float,
    wander: float,
) -> Float:
    """Grow strands step by step: a heading that bends down, waves and wanders. S x N x 2."""
    count = len(roots)
    heading = np.arctan2(directions[:, 1], directions[:, 0])
    step = lengths / (points - 1)
    phase = rng.uniform(0, 2 * np.pi, count)
    pitch = rng.uniform(0.7, 1.4, count)
    place: Float = roots.astype(np.float32)
    path = np.empty((count, points, 2), np.float32)
    drift = np.zeros(count)
    for index in range(points):
        path[:, index] = place
        share = index / (points - 1)
        # Turn towards straight down (heading pi / 2), more the longer the strand hangs.
        turn = np.sin(np.pi / 2 - heading) * gravity / points * (1 + share)
        drift = 0.85 * drift + rng.normal(0, wander, count)
        heading = heading + turn + drift / points
        wave = heading + curl * np.sin(phase + pitch * share * 14)
        place = place + np.stack([np.cos(wave), np.sin(wave)], 1) * step[:, None]
    return path


def _hair_colours(
    rng: np.random.Generator, path: Float, dark: npt.ArrayLike, light: npt.ArrayLike
) -> Float:
    """Colour along strands: a tone each, dark roots, sheen where the strand lies across."""
    count, points = path.shape[:2]
    share = np.linspace(0, 1, points, dtype=np.float32)[None]
    tone = np.clip(rng.normal(0.45, 0.28, (count, 1)), 0, 1).astype(np.float32)
    along = np.gradient(path, axis=1)
    along /= np.maximum(np.linalg.norm(along, axis=2, keepdims=True), 1e-6)
    # Kajiya and Kay: a fibre shines where it lies square to the light, here from the upper left.
    facing = along[..., 0] * -0.45 + along[..., 1] * -0.89
    across = np.sqrt(np.clip(1 - facing**2, 0, 1))
    base = _mixed(dark, light, np.clip(tone * 0.75 + 0.35 * share, 0, 1))
    gain = 0.45 + 0.55 * across + 0.1 * share
    sheen = across**24 * rng.uniform(0.0, 0.5, (count, 1))
    colour = base * gain[..., None] + sheen[..., None] * np.asarray([1, 0.93, 0.82])
    result: Float = np.clip(colour, 0, 1).astype(np.float32)
    return result


def _hair(height: int, width: int, seed: int, *, curls: bool = False) -> Layer:
    rng = np.random.default_rng(seed)
    sketch = Sketch(height, width, seed)
    size = float(min(height, width))
    middle, crown = width / 2, height * (0.43 if curls else 0.34)
    head_w, head_h = size * 0.165, size * 0.195
    palettes = [
        ([0.10, 0.06, 0.04], [0.46, 0.30, 0.18]),
        ([0.30, 0.19, 0.09], [0.87, 0.71, 0.45]),
        ([0.03, 0.03, 0.04], [0.22, 0.19, 0.18]),
        ([0.25, 0.08, 0.04], [0.75, 0.36, 0.16]),
    ]
    dark, light = palettes[int(rng.integers(len(palettes)))]

    # Neck and shoulders, an opaque body that gives the picture its sure foreground.
    shirt = rng.uniform(0.1, 0.8, 3)
    skin = np.asarray([0.80, 0.60, 0.48]) * rng.uniform(0.6, 1.1)
    body = _curve(
        (middle - size * 0.52, height + 20),
        (middle - size * 0.40, height * 0.86),
        (middle - size * 0.14, height * 0.77),
        (middle, height * 0.79),
        (middle + size * 0.14, height * 0.77),
        (middle + size * 0.40, height * 0.86),
        (middle + size * 0.52, height + 20),
        count=24,
    )
    neck = np.asarray(
        [
            (middle - size * 0.08, crown),
            (middle + size * 0.08, crown),
            (middle + size * 0.10, height * 0.81),
            (middle - size * 0.10, height * 0.81),
        ],
        np.float32,
    )
    sketch.polygon(neck, skin * 0.8)
    sketch.polygon(body, shirt)

    # Locks: strands follow one of a few hundred guides, close at the root, free at the tip.
    locks = 300 if not curls else 520
    each = 26 if not curls else 16
    # Seen from behind: the crown turns the hair outward at the rim, and what grows nearer to us
    # simply hangs; without the latter the scalp would show.
    turn = rng.uniform(-np.pi, np.pi, locks)
    depth = np.sqrt(rng.uniform(0.0, 1.0, locks))
    roots = np.stack(
        [middle + head_w * depth * np.cos(turn), crown + head_h * depth * np.sin(turn)], 1
    )
    outward = np.stack([np.cos(turn) * (0.3 + depth), np.sin(turn) * depth * 0.35 + 0.3], 1)
    if curls:
        outward = np.stack([np.cos(turn), np.sin(turn) * 0.9], 1)
    length = size * (
        rng.uniform(0.34, 0.56, locks) if not curls else rng.uniform(0.16, 0.30, locks)
    )
    points = 28 if not curls else 40
    guides = _hair_strands(
        rng,
        roots,
        outward,
        length,
        points=points,
        gravity=5.5 if not curls else 1.6,
        curl=0.10 if not curls else 0.95,
        wander=0.25,
    )
    share = np.linspace(0, 1, points, dtype=np.float32)
    spread = size * (0.012 + 0.020 * share**1.5) * (1.0 if not curls else 0.55)
    offset = rng.normal(0, 1, (locks, each, 1, 2)) * spread[:, None]
    # A slow sideways swing of its own takes each strand off its lock's line.
    swing = np.sin(
        share * rng.uniform(2, 7, (locks, each, 1)) + rng.uniform(0, 6.3, (locks, each, 1))
    )
    offset[..., 0] += swing * (size * 0.006)
    strands = guides[:, None] + offset
    strands = strands.reshape(-1, points, 2).astype(np.float32)
    # Strands of a lock stop at different lengths: slide every point back along its own curve.
    strands = _shortened(strands, rng.uniform(0.7, 1.0, len(strands)))

    scalp = _ellipse(middle, crown, head_w * 1.04, head_h * 1.06)
    sketch.polygon(scalp, np.asarray(dark) * 0.8)
    taper = np.minimum(1, 2.2 * (1 - share)) ** 0.6
    stroke = rng.uniform(0.55, 1.35, (len(strands), 1)) * sketch.unit
    order = np.argsort(np.repeat(depth, each) + rng.normal(0, 0.25, len(strands)))[::-1]
    colours = _hair_colours(rng, strands, dark, light)
    under = rng.random(len(strands)) < 0.25
    colours[under] *= 0.55
    sketch.strokes(strands[order], (stroke * taper)[order], colours[order])

    # Fly-aways: single fine hairs that leave the mass and cross the backdrop.
    stray = 230 if not curls else 300
    turn = rng.uniform(-1.1 * np.pi, 0.1 * np.pi, stray)
    roots = np.stack([middle + head_w * np.cos(turn), crown + head_h * np.sin(turn)], 1)
    fly = _hair_strands(
        rng,
        roots,
        np.stack([np.cos(turn), np.sin(turn)], 1),
        size * rng.uniform(0.08, 0.5, stray),
        points=32,
        gravity=3.2,
        curl=0.25 if not curls else 0.8,
        wander=0.9,
    )
    share = np.linspace(0, 1, 32, dtype=np.float32)
    thin = rng.uniform(0.25, 0.65, (stray, 1)) * sketch.unit * np.minimum(1, 2 * (1 - share))
    sketch.strokes(fly, thin, _hair_colours(rng, fly, dark, light))
    layer = sketch.render()
    return Layer(layer.alpha, _shaded(layer.colour, rng, 0.12))


def _shortened(strands: Float, share: npt.NDArray[np.float64]) -> Float:
    """Keep only the first `share` of each strand, with the same number of points."""
    count = strands.shape[1]
    place = np.linspace(0, 1, count)[None] * share[:, None] * (count - 1)
    low = np.minimum(place.astype(np.int64), count - 2)
    mix = (place - low)[..., None]
    rows = np.arange(len(strands))[:, None]
    result: Float = (strands[rows, low] * (1 - mix) + strands[rows, low + 1] * mix).astype(
        np.float32
    )
    return result


def _ellipse(x: float, y: float, half_w: float, half_h: float, count: int = 96) -> Float:
    turn = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.stack([x + half_w * np.cos(turn), y + half_h * np.sin(turn)], 1).astype(np.float32)


def _shaded(colour: Float, rng: np.random.Generator, amount: float) -> Float:
    """Broad light from the upper left plus a little unevenness: colour that varies in space."""
    height, width = colour.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    light = 1 + amount * (1 - x / width - y / height)
    light = light * (1 + amount * (noise(rng, height, width, height / 3) - 0.5))
    result: Float = np.clip(colour * light[..., None], 0, 1).astype(np.float32)
    return result


def _fur(height: int, width: int, seed: int) -> Layer:
    rng = np.random.default_rng(seed)
    sketch = Sketch(height, width, seed)
    size = float(min(height, width))
    palettes = [
        ([0.33, 0.22, 0.13], [0.90, 0.78, 0.60]),
        ([0.16, 0.15, 0.15], [0.80, 0.79, 0.77]),
        ([0.40, 0.17, 0.05], [0.97, 0.66, 0.34]),
    ]
    dark, light = palettes[int(rng.integers(len(palettes)))]
    middle = width / 2
    # Body, head, ears: (x, y, half width, half height), back to front.
    parts = [
        (middle, height * 0.80, size * 0.34, size * 0.30),
        (middle - size * 0.15, height * 0.205, size * 0.055, size * 0.10),
        (middle + size * 0.15, height * 0.205, size * 0.055, size * 0.10),
        (middle, height * 0.37, size * 0.215, size * 0.20),
    ]
    patches = noise(rng, height, width, size / 5)
    for x, y, half_w, half_h in parts:
        sketch.polygon(_ellipse(x, y, half_w * 0.97, half_h * 0.97), np.asarray(dark) * 0.7)
        count = int(14000 * (half_w * half_h) / (size * size * 0.1)) + 900
        turn = rng.uniform(0, 2 * np.pi, count)
        depth = np.sqrt(rng.uniform(0, 1, count))
        depth[: count // 5] = rng.uniform(0.93, 1.0, count // 5)  # the rim must be dense
        roots = np.stack([x + half_w * depth * np.cos(turn), y + half_h * depth * np.sin(turn)], 1)
        # Fur lies outward and down; in the middle, where it points at us, it is foreshortened.
        flow = np.stack([np.cos(turn) * depth, np.sin(turn) * depth * 0.7 + 0.55], 1)
        flow += rng.normal(0, 0.30, flow.shape)
        lengths = size * rng.uniform(0.022, 0.062, count) * (0.55 + 0.45 * depth)
        path = _hair_strands(
            rng, roots, flow, lengths, points=7, gravity=0.9, curl=0.12, wander=0.9
        )
        column = np.clip(roots[:, 0], 0, width - 1).astype(int)
        row = np.clip(roots[:, 1], 0, height - 1).astype(int)
        patch = np.clip((patches[row, column] - 0.42) * 3.5, 0, 1)
        tone = np.clip(patch[:, None] + rng.normal(0, 0.13, (count, 1)), 0, 1)
        share = np.linspace(0, 1, 7)[None]
        normal_x, normal_y = np.cos(turn) * depth, np.sin(turn) * depth
        lit = np.clip(0.72 - 0.22 * normal_x - 0.30 * normal_y, 0.25, 1.15)
        colours = _mixed(dark, light, tone * np.ones_like(share))
        colours = colours * (lit[:, None] * (0.62 + 0.5 * share))[..., None]
        thick = rng.uniform(0.5, 1.5, (count, 1)) * sketch.unit * np.minimum(1, 1.9 * (1 - share))
        # Painted from the lower rows up, as coats overlap: each tuft covers the roots above it.
        order = np.argsort(roots[:, 1] + rng.normal(0, size * 0.01, count))
        sketch.strokes(path[order], thick[order], colours[order])
    for side in (-1, 1):
        sketch.disc(middle + side * size * 0.085, height * 0.345, size * 0.026, [0.03, 0.02, 0.02])
        sketch.disc(
            middle + side * size * 0.085 - size * 0.007,
            height * 0.345 - size * 0.008,
            size * 0.007,
            [0.95, 0.95, 0.97],
        )
    sketch.polygon(_ellipse(middle, height * 0.43, size * 0.032, size * 0.022), [0.12, 0.07, 0.07])
    for side in (-1, 1):  # whiskers: the thinnest, palest lines of the set
        for lift in (-0.03, 0.0, 0.035):
            line = _curve(
                (middle + side * size * 0.04, height * 0.445),
                (middle + side * size * 0.20, height * (0.44 + lift)),
                (middle + side * size * 0.36, height * (0.46 + 2.4 * lift)),
                count=20,
            )
            taper = np.linspace(0.8, 0.15, len(line)) * sketch.unit
            sketch.stroke(line, taper, np.asarray([0.93, 0.92, 0.9]))
    layer = sketch.render()
    return Layer(layer.alpha, _shaded(layer.colour, rng, 0.12))


def _leaves(height: int, width: int, seed: int) -> Layer:
    rng = np.random.default_rng(seed)
    sketch = Sketch(height, width, seed)
    size = float(min(height, width))
    bark = [0.30, 0.22, 0.14]

    def leaf(x: float, y: float, heading: float, length: float) -> None:
        half = 0.5 * length * rng.uniform(0.28, 0.42)
        t = np.linspace(0, 1, 40)
        teeth = 1 + 0.09 * np.abs((t * 13) % 1 - 0.5)
        edge = half * np.sin(np.pi * t**0.8) ** 0.9 * teeth
        bend = rng.normal(0, 0.15) * length * t**2
        green = _mixed([0.10, 0.26, 0.06], [0.56, 0.70, 0.20], rng.random())
        if rng.random() < 0.15:
            green = _mixed([0.60, 0.33, 0.06], [0.85, 0.62, 0.15], rng.random())
        cos, sin = math.cos(heading), math.sin(heading)

        def placed(along: npt.ArrayLike, side: npt.ArrayLike) -> Float:
            along, side = np.asarray(along), np.asarray(side)
            return np.stack(
                [x + cos * along - sin * side, y + sin * along + cos * side], -1
            ).astype(np.float32)

        rib = placed(t * length, bend)
        for sign, gain in ((1, 1.0), (-1, 0.78)):  # the two halves take the light differently
            outline = np.concatenate([placed(t * length, bend + sign * edge), rib[::-1]])
            sketch.polygon(outline, np.asarray(green) * gain)
        for k in range(4, 34, 4):  # veins
            for sign in (1, -1):
                tip = min(k + 6, 39)
                vein = placed(
                    [t[k] * length, t[tip] * length],
                    [bend[k], bend[tip] + sign * edge[tip] * 0.8],
                )
                sketch.stroke(vein, 0.5 * sketch.unit, np.asarray(green) * 1.25)
        sketch.stroke(rib, np.linspace(1.6, 0.5, 40) * sketch.unit, np.asarray(green) * 1.35)

    def twig(x: float, y: float, heading: float, length: float, thick: float, level: int) -> None:
        count = 18
        path = np.empty((count, 2), np.float32)
        for k in range(count):
            path[k] = x, y
            heading += rng.normal(0, 0.09)
            x += math.cos(heading) * length / count
            y += math.sin(heading) * length / count
            if k > 2 and k % 3 == 0:
                side = rng.choice([-1, 1])
                turned = heading + side * rng.uniform(0.5, 1.1)
                if level > 0 and rng.random() < 0.75:
                    twig(x, y, turned, length * rng.uniform(0.4, 0.62), thick * 0.55, level - 1)
                else:
                    leaf(x, y, turned, size * rng.uniform(0.07, 0.17))
        taper = np.linspace(thick, thick * 0.45, count)
        sketch.stroke(path, taper, _mixed(bark, [0.45, 0.40, 0.22], np.linspace(0, 1, count)))
        leaf(x, y, heading, size * rng.uniform(0.09, 0.17))

    for start, heading in ((0.46, -1.75), (0.53, -1.35), (0.50, -1.55)):
        twig(width * start, height * 1.03, heading, size * 0.85, 7.0 * sketch.unit, 2)
    layer = sketch.render()
    return Layer(layer.alpha, _shaded(layer.colour, rng, 0.25))


def _net(height: int, width: int, seed: int) -> Layer:
    rng = np.random.default_rng(seed)
    sketch = Sketch(height, width, seed)
    size = float(min(height, width))
    middle, top, radius = width / 2, height * 0.16, size * 0.34
    cord = np.asarray([0.86, 0.84, 0.78])
    count = 22
    turns = np.linspace(0, 2 * np.pi, count, endpoint=False)
    levels = 14
    t = np.linspace(0, 1, levels)
    profile = radius * (1 - 0.62 * t**0.7) * (1 + 0.04 * np.sin(9 * t))
    drop = top + t * height * 0.74
    jitter = rng.normal(0, size * 0.004, (levels, count, 2))

    def knot(level: int, index: int) -> tuple[Float, float]:
        turn = turns[index % count] + (level % 2) * np.pi / count
        x = middle + profile[level] * math.cos(turn)
        y = drop[level] + profile[level] * 0.22 * math.sin(turn)
        place = np.asarray([x, y], np.float32) + jitter[level, index % count]
        return place.astype(np.float32), 0.55 + 0.45 * (0.5 + 0.5 * math.sin(turn))

    rim = _ellipse(middle, top, radius, radius * 0.22, 128)
    closed = np.concatenate([rim, rim[:2]])
    for back in (True, False):
        if not back:
            sketch.stroke(closed[:66], 7.0 * sketch.unit, np.asarray([0.82, 0.33, 0.10]))
        else:
            sketch.stroke(closed[63:], 6.0 * sketch.unit, np.asarray([0.60, 0.22, 0.07]))
        for level in range(levels - 1):
            for index in range(count):
                a, shade = knot(level, index)
                if (shade < 0.775) != back:
                    continue
                # Diamonds: each knot hangs from two of the row above, cords sag a little.
                for other in (index, index + 1) if level % 2 else (index, index - 1):
                    b, shade_b = knot(level + 1, other)
                    sag = (a + b) / 2 + np.asarray([0, size * 0.004], np.float32)
                    line = _curve(tuple(a), tuple(sag), tuple(b), count=6)
                    wide = rng.uniform(1.0, 2.0) * sketch.unit
                    sketch.stroke(line, wide, cord * 0.5 * (shade + shade_b))
                sketch.disc(float(a[0]), float(a[1]), 1.7 * sketch.unit, cord * shade * 0.9)
    layer = sketch.render()
    return Layer(layer.alpha, _shaded(layer.colour, rng, 0.2))


def _lace(height: int, width: int, seed: int) -> Layer:
    rng = np.random.default_rng(seed)
    sketch = Sketch(height, width, seed)
    size = float(min(height, width))
    thread = np.asarray([0.95, 0.92, 0.86]) * rng.uniform(0.85, 1.0)
    x0, y0, radius = width / 2, height / 2, size * 0.43

    def arc(x: float, y: float, r: float, wide: float, start: float = 0, end: float = 7) -> None:
        turn = np.linspace(start, min(end, start + 2 * np.pi + 0.1), max(14, int(r * 1.5)))
        path = np.stack([x + r * np.cos(turn), y + r * np.sin(turn)], 1).astype(np.float32)
        shade = 0.86 + 0.14 * np.sin(turn * 3 + x)
        sketch.stroke(path, wide * sketch.unit, thread * shade[:, None])

    # A fine hexagonal ground first, then rosettes, rings and a scalloped rim over it.
    pitch = size * 0.026
    for row in range(-18, 19):
        for column in range(-18, 19):
            x = x0 + (column + 0.5 * (row % 2)) * pitch
            y = y0 + row * pitch * 0.866
            if math.hypot(x - x0, y - y0) < radius * 0.86:
                arc(x, y, pitch * 0.46, 0.55)
    for ring, petals in ((0.0, 1), (0.36, 6), (0.66, 12)):
        for k in range(petals):
            turn = 2 * np.pi * k / petals
            x, y = x0 + radius * ring * math.cos(turn), y0 + radius * ring * math.sin(turn)
            r = radius * (0.16 if ring < 0.5 else 0.11)
            for p in range(8):
                a = 2 * np.pi * p / 8 + turn
                px, py = x + r * 0.58 * math.cos(a), y + r * 0.58 * math.sin(a)
                leaf = _ellipse(0, 0, r * 0.42, r * 0.19, 24)
                cos, sin = math.cos(a), math.sin(a)
                turned = leaf @ np.asarray([[cos, sin], [-sin, cos]], np.float32)
                sketch.polygon(turned + np.asarray([px, py], np.float32), thread * (0.8 + 0.02 * p))
            sketch.disc(x, y, r * 0.16, thread * 0.75)
            arc(x, y, r, 1.3)
    for r, wide in ((0.50, 1.6), (0.54, 1.0), (0.84, 2.0), (0.88, 1.2)):
        arc(x0, y0, radius * r, wide)
    for k in range(32):
        turn = 2 * np.pi * k / 32
        x, y = x0 + radius * 0.92 * math.cos(turn), y0 + radius * 0.92 * math.sin(turn)
        for r, wide in ((0.085, 1.5), (0.06, 0.9), (0.03, 0.7)):
            arc(x, y, radius * r, wide)
        for spur in (-0.45, 0.0, 0.45):
            a = turn + spur
            tip = radius * 0.085
            sketch.disc(
                x + (tip + 2) * math.cos(a), y + (tip + 2) * math.sin(a), 1.4 * sketch.unit, thread
            )
    layer = sketch.render()
    return Layer(layer.alpha, _shaded(layer.colour, rng, 0.2))


def _glass(height: int, width: int, seed: int) -> Layer:
    """A carafe whose wall lets the backdrop through, unrefracted so that it has an alpha."""
    rng = np.random.default_rng(seed)
    size = float(min(height, width))
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) + np.float32(0.5)
    knots = np.asarray(
        [
            (0.08, 0.085), (0.12, 0.075), (0.26, 0.072), (0.38, 0.12), (0.52, 0.21), (0.68, 0.235),
            (0.82, 0.225), (0.90, 0.195), (0.925, 0.16),
        ]
    )  # fmt: skip
    rows = np.linspace(0, 1, 512)
    profile = blurred(np.interp(rows, knots[:, 0], knots[:, 1])[:, None].astype(np.float32), 7)

    def half_width(at_y: Float) -> Float:
        wide = np.interp(at_y / height, rows, profile[:, 0]).astype(np.float32)
        return wide * np.float32(size)

    def distance(at_x: Float, at_y: Float) -> Float:
        # The profile's slope stays under 1.2: divided by 1.6 the value never overstates.
        side = np.abs(at_x - width / 2) - half_width(at_y)
        caps = np.maximum(height * 0.08 - at_y, at_y - height * 0.925)
        result: Float = np.maximum(side / 1.6, caps).astype(np.float32)
        return result

    shape = coverage_from_distance(distance, height, width)
    across = np.clip((x - width / 2) / np.maximum(half_width(y), 1), -1, 1)
    # Light crosses more wall near the silhouette: absorption grows as 1 / cos of the angle.
    wall = 1 - np.exp(-0.10 / np.sqrt(np.maximum(1 - across**2, 0.004)))
    opacity = 0.10 + 0.85 * wall
    tint = _mixed([0.62, 0.78, 0.74], [0.30, 0.46, 0.42], np.abs(across) ** 3)
    level = height * 0.60
    liquid = np.clip((y - level) / 1.5, 0, 1) * np.clip((0.93 - np.abs(across)) * 30, 0, 1)
    wine = _mixed([0.62, 0.10, 0.14], [0.30, 0.02, 0.06], np.abs(across) ** 2)
    opacity = opacity + liquid * (0.72 - opacity * 0.72)
    tint = tint * (1 - liquid[..., None]) + wine * liquid[..., None]
    meniscus = np.exp(-(((y - level) / (size * 0.006)) ** 2)) * (np.abs(across) < 0.93)
    opacity = np.maximum(opacity, 0.75 * meniscus)
    for centre, spread, strength in ((-0.62, 0.07, 0.90), (0.70, 0.035, 0.60), (-0.45, 0.02, 0.4)):
        window = np.exp(-(((across - centre) / spread) ** 2)) * strength
        window = (
            window * np.clip((y / height - 0.16) * 9, 0, 1) * np.clip((0.86 - y / height) * 9, 0, 1)
        )
        opacity = opacity + (1 - opacity) * window
        tint = tint + (1 - tint) * window[..., None]
    rims = sum(
        np.exp(-(((y / height - at) / 0.006) ** 2)) * strength
        for at, strength in ((0.086, 0.8), (0.915, 0.6))
    )
    opacity = np.clip(opacity + (1 - opacity) * rims * 0.8, 0, 1)
    tint = tint + (0.9 - tint) * np.asarray(rims, np.float32)[..., None] * 0.5
    colour = _shaded(np.clip(tint, 0, 1).astype(np.float32), rng, 0.15)
    return Layer((shape * opacity).astype(np.float32), colour)


def _text(height: int, width: int, seed: int) -> Layer:
    rng = np.random.default_rng(seed)
    grid = Image.new("L", (width * SAMPLES, height * SAMPLES))
    draw = ImageDraw.Draw(grid)
    scale = SAMPLES * min(height, width) / DESIGN_HEIGHT

    def at(share_x: float, share_y: float) -> tuple[float, float]:
        return share_x * width * SAMPLES, share_y * height * SAMPLES

    lines = [
        ("ALPHA", 0.33, 0.14, 84.0), ("Straight & true", 0.37, 0.32, 46.0),
        ("the quick brown fox jumps over the lazy dog", 0.50, 0.44, 21.0),
        ("0123456789 &%@#{}[]() fine print, finer still", 0.50, 0.51, 13.0),
        ("serif-less hairlines at nine pixels: ilIL1| .,;:'", 0.50, 0.56, 9.0),
    ]  # fmt: skip
    for words, x, y, size in lines:
        draw.text(at(x, y), words, fill=255, font=ImageFont.load_default(size * scale), anchor="mm")
    # A logo with counters, a star, concentric rings and hairlines at several angles.
    cx, cy = at(0.80, 0.22)
    for radius, ink in ((78, 255), (66, 0), (60, 255), (40, 0)):
        r = radius * scale
        draw.ellipse((cx - r, cy - r, cx + r, cy + r), fill=ink)
    star = [
        (
            cx + (38 if k % 2 == 0 else 15) * scale * math.sin(math.pi * k / 5),
            cy - (38 if k % 2 == 0 else 15) * scale * math.cos(math.pi * k / 5),
        )
        for k in range(10)
    ]
    draw.polygon(star, fill=255)
    cx, cy = at(0.20, 0.79)
    for k in range(24):
        angle = math.pi * k / 12
        inner, outer = 26 * scale, 78 * scale
        draw.line(
            (
                cx + inner * math.cos(angle),
                cy + inner * math.sin(angle),
                cx + outer * math.cos(angle),
                cy + outer * math.sin(angle),
            ),
            fill=255,
            width=max(1, round((0.35 + 0.1 * k) * scale)),
        )
    cx, cy = at(0.50, 0.79)
    for k in range(8):
        r = (12 + 9 * k) * scale
        draw.arc(
            (cx - r, cy - r, cx + r, cy + r),
            0,
            360,
            fill=255,
            width=max(1, round((4 - 0.45 * k) * scale)),
        )
    x, y = at(0.67, 0.65)
    side = 130 * scale
    draw.rounded_rectangle((x, y, x + side, y + side), 24 * scale, fill=255)
    draw.rounded_rectangle(
        (x + side * 0.25, y + side * 0.25, x + side * 0.75, y + side * 0.75), 10 * scale, fill=0
    )
    draw.line((x + side * 1.05, y, x + side * 1.35, y + side), fill=255, width=round(7 * scale))
    alpha = _mean_of_samples(np.asarray(grid)[..., None])[..., 0]
    first = rng.uniform(0.05, 0.9, 3)
    other = rng.uniform(0.05, 0.9, 3)
    share = np.linspace(0, 1, width, dtype=np.float32)[None].repeat(height, 0)
    return Layer(alpha, _shaded(_mixed(first, other, share), rng, 0.2))


def _cables(height: int, width: int, seed: int) -> Layer:
    rng = np.random.default_rng(seed)
    sketch = Sketch(height, width, seed)
    size = float(min(height, width))

    def cable(path: Float, wide: float, tone: npt.ArrayLike) -> None:
        # Three nested strokes shade the round section: dark rim, body, highlight.
        base = np.asarray(tone, np.float32)
        sketch.stroke(path, wide, base * 0.55)
        sketch.stroke(path, wide * 0.7, base)
        shine = path + np.asarray([-0.12, -0.16], np.float32) * wide
        sketch.stroke(shine, wide * 0.22, base * 0.6 + 0.4)

    tones = [[0.08, 0.08, 0.09], [0.80, 0.80, 0.82], [0.75, 0.16, 0.12], [0.15, 0.35, 0.70]]
    for index, wide in enumerate((7.5, 4.0, 2.6, 1.6, 1.1, 0.7)):
        start = (width * rng.uniform(0.05, 0.95), height * 1.03)
        knots = [start]
        for step in range(6):
            knots.append(
                (
                    width * float(np.clip(rng.normal(0.5, 0.24), 0.06, 0.94)),
                    height * (0.9 - 0.13 * step + rng.uniform(-0.07, 0.07)),
                )
            )
        path = _curve(*knots, count=40)
        cable(path, wide * sketch.unit, tones[index % 4])
        x, y = path[-1]
        if wide > 2:  # a plug: body, pin, ring
            r = size * 0.012 + wide
            sketch.polygon(
                np.asarray(
                    [(x - r, y), (x + r, y), (x + r, y - 4 * r), (x - r, y - 4 * r)], np.float32
                ),
                np.asarray(tones[index % 4]) * 0.9,
            )
            pin = 0.36 * r
            sketch.polygon(
                np.asarray(
                    [(x - pin, y - 4 * r), (x + pin, y - 4 * r), (x + pin, y - 8 * r),
                     (x, y - 8.6 * r), (x - pin, y - 8 * r)],
                    np.float32,
                ),
                [0.80, 0.74, 0.55],
            )  # fmt: skip
    turn = np.linspace(0, 34 * np.pi, 900)  # a coiled telephone cord
    reach = np.linspace(0, 1, 900)
    coil = np.stack(
        [
            width * (0.10 + 0.80 * reach) + size * 0.030 * np.cos(turn),
            height * (0.80 + 0.10 * np.sin(3 * reach)) + size * 0.038 * np.sin(turn),
        ],
        1,
    ).astype(np.float32)
    cable(coil, 3.0 * sketch.unit, [0.20, 0.20, 0.22])
    layer = sketch.render()
    return Layer(layer.alpha, _shaded(layer.colour, rng, 0.2))


def _holes(height: int, width: int, seed: int) -> Layer:
    """Hard edges: a mug with a handle, a perforated plate, a gear; distances are exact."""
    rng = np.random.default_rng(seed)
    size = float(min(height, width))

    def box(x: Float, y: Float, cx: float, cy: float, hw: float, hh: float, r: float) -> Float:
        qx, qy = np.abs(x - cx) - (hw - r), np.abs(y - cy) - (hh - r)
        outside = np.hypot(np.maximum(qx, 0), np.maximum(qy, 0))
        result: Float = (outside + np.minimum(np.maximum(qx, qy), 0) - r).astype(np.float32)
        return result

    def ring(x: Float, y: Float, cx: float, cy: float, r: float, wide: float) -> Float:
        result: Float = (np.abs(np.hypot(x - cx, y - cy) - r) - wide).astype(np.float32)
        return result

    tilt = float(rng.uniform(-0.12, 0.12))
    cos, sin = np.float32(math.cos(tilt)), np.float32(math.sin(tilt))
    mx, my = width * 0.30, height * 0.52

    def mug(x: Float, y: Float) -> Float:
        u, v = cos * (x - mx) + sin * (y - my), cos * (y - my) - sin * (x - mx)
        cup = box(u, v, 0, 0, size * 0.16, size * 0.22, size * 0.03)
        handle = ring(u, v * np.float32(0.8), size * 0.17, 0, size * 0.10, size * 0.022)
        result: Float = np.minimum(cup, handle * np.float32(0.98))
        return result

    px, py = width * 0.72, height * 0.30

    def plate(x: Float, y: Float) -> Float:
        panel = box(x, y, px, py, size * 0.24, size * 0.20, size * 0.02)
        pitch = size * 0.075
        u = (x - px + pitch / 2) % pitch - pitch / 2
        v = (y - py + pitch / 2) % pitch - pitch / 2
        column = np.abs(np.floor((x - px) / pitch + 0.5))
        radius = pitch * (0.08 + 0.12 * np.minimum(column, 2))
        holes = (radius - np.hypot(u, v)).astype(np.float32)
        frame = box(x, y, px, py, pitch * 2.5, pitch * 2.5, 0)
        return np.where(frame < 0, np.maximum(panel, holes), panel)

    gx, gy = width * 0.72, height * 0.76

    def gear(x: Float, y: Float) -> Float:
        r, turn = np.hypot(x - gx, y - gy), np.arctan2(y - gy, x - gx)
        teeth = size * (0.155 + 0.018 * np.tanh(3 * np.sin(12 * turn)))
        rim = (r - teeth) * np.float32(0.35)  # the flanks are steep: shrink so as not to overstate
        web = np.abs(r - size * 0.085) - size * 0.035
        spokes = np.float32(size * 0.02) - np.abs(r * np.sin(2.5 * turn)) * np.float32(0.4)
        hub = size * 0.022 - r
        result: Float = np.maximum(np.maximum(rim, np.minimum(-web, -spokes)), hub).astype(
            np.float32
        )
        return result

    y, x = np.mgrid[0:height, 0:width].astype(np.float32) + np.float32(0.5)
    layer = Layer(np.zeros((height, width), np.float32), np.zeros((height, width, 3), np.float32))
    u = (x - mx) / size
    glaze = rng.uniform(0.15, 0.9, 3)
    round_light = np.clip(1.05 - 2.2 * np.abs(u + 0.06), 0.35, 1.1)[..., None]
    colours = [
        glaze.astype(np.float32) * round_light
        + 0.5 * np.exp(-(((u + 0.09) / 0.012) ** 2))[..., None],
        _mixed([0.45, 0.46, 0.48], [0.78, 0.79, 0.80],
               np.clip((x - px) / size + 0.5 + 0.04 * np.sin(y), 0, 1)),
        _mixed([0.72, 0.55, 0.22], [0.42, 0.28, 0.10], np.clip((y - gy) / size * 2 + 0.5, 0, 1)),
    ]  # fmt: skip
    for shape, colour in zip((mug, plate, gear), colours, strict=True):
        alpha = coverage_from_distance(shape, height, width)
        layer = over(Layer(alpha, np.clip(colour, 0, 1).astype(np.float32)), layer)
    return Layer(layer.alpha, np.clip(layer.colour, 0, 1))


def _defocus(height: int, width: int, seed: int) -> Layer:
    """One plant through three depths: blades behind and in front of the focus blur as discs."""
    rng = np.random.default_rng(seed)
    size = float(min(height, width))
    result = Layer(np.zeros((height, width), np.float32), np.zeros((height, width, 3), np.float32))
    # Radius of the disc of confusion as a share of the picture: far, near focus, close.
    for share, count, thick in (
        (0.014, 9, 0.030),
        (0.004, 9, 0.022),
        (0.0, 11, 0.016),
        (0.022, 3, 0.05),
    ):
        sketch = Sketch(height, width, seed)
        for _ in range(count):
            x = width * rng.uniform(0.22, 0.78)
            lean = size * rng.normal(0, 0.22)
            tip = height * rng.uniform(0.08, 0.5)
            path = _curve(
                (x, height * 1.05),
                (x + lean * 0.2, height * 0.66),
                (x + lean, tip),
                (x + lean * 1.7, tip + size * abs(lean) / size * 0.3),
                count=16,
            )
            t = np.linspace(0, 1, len(path))
            wide = size * thick * np.sin(np.pi * (0.25 + 0.75 * t)) ** 0.8 * rng.uniform(0.5, 1.2)
            tone = rng.random()
            base = _mixed([0.10, 0.24, 0.10], [0.55, 0.68, 0.28], tone)
            sketch.stroke(path, wide, _mixed(np.asarray(base) * 0.7, np.asarray(base) * 1.2, t))
            sketch.stroke(path, wide * 0.12, np.asarray(base) * 1.35)
        sharp = sketch.render()
        radius = share * size
        soft = np.clip(disc_blurred(sharp.alpha, radius), 0, 1)
        light = disc_blurred(sharp.colour * sharp.alpha[..., None], radius)
        blurry = Layer(soft, np.clip(light / np.maximum(soft, 1e-6)[..., None], 0, 1))
        result = over(blurry, result)
    return Layer(np.clip(result.alpha, 0, 1), np.clip(result.colour, 0, 1))


def _curls(height: int, width: int, seed: int) -> Layer:
    return _hair(height, width, seed, curls=True)


_SUBJECTS: dict[str, Callable[[int, int, int], Layer]] = {
    "hair": _hair,
    "curls": _curls,
    "fur": _fur,
    "leaves": _leaves,
    "net": _net,
    "lace": _lace,
    "glass": _glass,
    "text": _text,
    "cables": _cables,
    "holes": _holes,
    "defocus": _defocus,
}


# --------------------------------------------------------------------------------------------
# Backdrops


def _plain(height: int, width: int, colour: npt.ArrayLike) -> Float:
    return np.broadcast_to(np.asarray(colour, np.float32), (height, width, 3)).copy()


def _grey_gradient(height: int, width: int, rng: np.random.Generator) -> Float:
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    centre = rng.uniform(0.3, 0.7, 2)
    spread = np.hypot(x / width - centre[0], y / height - centre[1])
    return _mixed([0.86, 0.86, 0.87], [0.42, 0.43, 0.45], np.clip(spread * 1.1, 0, 1))


def _screen(colour: tuple[float, float, float]) -> Callable[[int, int, np.random.Generator], Float]:
    """A chroma screen: saturated, not quite evenly lit."""

    def paint(height: int, width: int, rng: np.random.Generator) -> Float:
        light = 0.90 + 0.16 * noise(rng, height, width, max(height, width) / 1.5, 2)
        return np.clip(_plain(height, width, colour) * light[..., None], 0, 1).astype(np.float32)

    return paint


def _speckle(height: int, width: int, rng: np.random.Generator) -> Float:
    share = noise(rng, height, width, min(height, width) / 12, 6)
    fine = noise(rng, height, width, 3, 2)
    return _mixed([0.28, 0.24, 0.22], [0.82, 0.78, 0.70], np.clip(0.7 * share + 0.3 * fine, 0, 1))


def _checker(height: int, width: int, rng: np.random.Generator) -> Float:
    side = min(height, width) / 14
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    turn = rng.uniform(0.1, 0.5)
    u, v = x * math.cos(turn) + y * math.sin(turn), y * math.cos(turn) - x * math.sin(turn)
    waves = np.sin(np.pi * u / side) * np.sin(np.pi * v / side)
    share = np.clip(waves * side * 0.45 + 0.5, 0, 1)  # a pixel's width of transition
    return _mixed(rng.uniform(0.05, 0.45, 3), rng.uniform(0.55, 0.95, 3), share)


def _wood(height: int, width: int, rng: np.random.Generator) -> Float:
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    size = min(height, width)
    warp = noise(rng, height, width, size / 2, 3)
    rings = np.sin((y / size * 26 + warp * 16) + 0.6 * np.sin(x / size * 3))
    grain = resized(rng.random((height, max(2, width // 24)), dtype=np.float32), height, width)
    plank = np.floor(y / (size * 0.22))
    tone = 0.86 + 0.14 * np.sin(plank * 12.9898)
    seam = 1 - 0.6 * np.exp(-(((y / (size * 0.22)) % 1 / 0.012) ** 2))
    share = np.clip(0.5 + 0.22 * rings + 0.35 * (grain - 0.5), 0, 1)
    colour = _mixed([0.36, 0.22, 0.12], [0.76, 0.56, 0.36], share)
    result: Float = np.clip(colour * (tone * seam)[..., None], 0, 1).astype(np.float32)
    return result


def _clutter(height: int, width: int, rng: np.random.Generator) -> Float:
    """A room out of focus: wall and floor, shelves of upright things, lamps, texture."""
    size = min(height, width)
    y = np.linspace(0, 1, height, dtype=np.float32)[:, None].repeat(width, 1)
    horizon = rng.uniform(0.55, 0.72)
    wall, floor = np.clip(rng.normal(0.62, 0.12) + rng.normal(0, 0.05, (2, 3)), 0.1, 0.95)
    floor = floor * rng.uniform(0.4, 0.7) * np.asarray([1.1, 1.0, 0.85])
    ground = _mixed(wall, floor, np.clip((y - horizon) * 18 + 0.5, 0, 1))
    ground = ground * (0.7 + 0.5 * noise(rng, height, width, size * 0.8, 5))[..., None]

    def tone() -> Float:
        # Mostly muted, now and then a strong colour, as things are.
        spread = 0.22 if rng.random() < 0.25 else 0.05
        return np.clip(rng.normal(0.42, 0.22) + rng.normal(0, spread, 3), 0.02, 0.98)

    def board(sketch: Sketch, x: float, top: float, wide: float, tall: float, lean: float) -> None:
        corners = [(x, top + tall), (x + wide, top + tall), (x + wide + lean, top), (x + lean, top)]
        sketch.polygon(np.asarray(corners, np.float32), tone())

    for radius, shelves, things in ((0.022, 2, 10), (0.010, 3, 22), (0.004, 1, 9)):
        sketch = Sketch(height, width, 0)
        for _ in range(shelves):
            base, x = height * rng.uniform(0.15, 0.95), width * rng.uniform(-0.2, 0.5)
            start = x
            for _ in range(things):
                wide, tall = size * rng.uniform(0.02, 0.10), size * rng.uniform(0.06, 0.26)
                board(sketch, x, base - tall, wide, tall, size * rng.normal(0, 0.012))
                if rng.random() < 0.35:  # a label, a window, a pane
                    board(sketch, x + wide * 0.2, base - tall * 0.7, wide * 0.6, tall * 0.2, 0)
                x += wide * rng.uniform(1.0, 1.7)
            board(sketch, start - size * 0.03, base, x - start + size * 0.06, size * 0.022, 0)
        for _ in range(4):
            place = rng.uniform(0, width), rng.uniform(0, height)
            sketch.disc(*place, size * rng.uniform(0.006, 0.06), np.clip(tone() * 1.6, 0, 1))
        layer = sketch.render()
        lit = layer.colour * (0.65 + 0.7 * noise(rng, height, width, size / 5, 6))[..., None]
        alpha = disc_blurred(layer.alpha, size * radius)[..., None]
        light = disc_blurred((lit * layer.alpha[..., None]).astype(np.float32), size * radius)
        ground = ground * (1 - alpha) + light
    fine = noise(rng, height, width, 5, 3)[..., None] - 0.5
    return np.clip(ground + 0.05 * fine, 0, 1).astype(np.float32)


_BACKDROPS: dict[str, Callable[[int, int, np.random.Generator], Float]] = {
    "white": lambda height, width, rng: _plain(height, width, [0.985, 0.985, 0.985]),
    "grey": _grey_gradient,
    "green": _screen((0.10, 0.70, 0.22)),
    "blue": _screen((0.10, 0.25, 0.80)),
    "red": _screen((0.80, 0.10, 0.10)),
    "noise": _speckle,
    "checker": _checker,
    "wood": _wood,
    "clutter": _clutter,
}
SAME_COLOUR = "same-colour"  # made from the subject's own mean, so it needs the subject first


# --------------------------------------------------------------------------------------------
# What others call


def case_names() -> tuple[str, ...]:
    """Names of the subjects, hardest hair first."""
    return tuple(_SUBJECTS)


def backdrop_names() -> tuple[str, ...]:
    """Names of the backdrops."""
    return (*_BACKDROPS, SAME_COLOUR)


def make_case(
    name: str,
    backdrop: str = "clutter",
    height: int = 480,
    width: int = 640,
    seed: int = 0,
    *,
    linear_light: bool = False,
) -> Case:
    """Draw one picture; the same arguments give the same bytes.

    The subject depends on (name, size, seed) only, so one subject can be put on many backdrops.
    With `linear_light` the mixing happens in linear light and the result is encoded again: alpha
    and the two colours are still the truth, but the encoded equation does not hold in the band.
    """
    if name not in _SUBJECTS:
        raise ValueError(f"no subject {name!r}; choose one of {', '.join(_SUBJECTS)}")
    if backdrop not in backdrop_names():
        raise ValueError(f"no backdrop {backdrop!r}; choose one of {', '.join(backdrop_names())}")
    if height < 32 or width < 32:
        raise ValueError(f"{width} x {height} is too small to draw on; 32 x 32 is the least")
    subject = _SUBJECTS[name](height, width, seed)
    alpha = np.clip(subject.alpha, 0, 1).astype(np.float32)
    foreground = filled(subject.colour, alpha)
    rng = np.random.default_rng([seed, zlib.crc32(backdrop.encode())])
    if backdrop == SAME_COLOUR:
        weight = alpha[..., None]
        mean = (foreground * weight).sum((0, 1)) / max(float(weight.sum()), 1.0)
        light = 0.85 + 0.30 * noise(rng, height, width, max(height, width) / 2, 3)
        background = np.clip(_plain(height, width, mean) * light[..., None], 0, 1)
    else:
        background = _BACKDROPS[backdrop](height, width, rng)
    background = background.astype(np.float32)
    image = composite(alpha, foreground, background, linear_light=linear_light)
    return Case(f"{name}-on-{backdrop}", image, alpha, foreground, background)


def composite(
    alpha: Float, foreground: Float, background: Float, *, linear_light: bool = False
) -> Bytes:
    """Mix and round to 8 bits, in the sRGB encoding or in linear light."""
    share = alpha[..., None]
    if linear_light:
        mixed = srgb_from_linear(
            linear_from_srgb(foreground) * share + linear_from_srgb(background) * (1 - share)
        )
    else:
        mixed = foreground * share + background * (1 - share)
    return np.rint(np.clip(mixed, 0, 1) * 255).astype(np.uint8)


def coarse_from_alpha(
    alpha: Float,
    size: int,
    seed: int = 0,
    *,
    blur: float = 0.9,
    missing: float = 0.7,
    filling: float = 0.35,
    blobs: float = 1.0,
    miscalibration: float = 1.0,
) -> Bytes:
    """Degrade a true alpha into the size x size, 8-bit map that a segmentation network answers.

    `blur` is in pixels of the map; `missing` is the share of thin strands (under about three pixels
    of the map) that fade where a slow noise says so; `filling` is the share of small holes closed;
    `blobs` scales the strength of false patches along the outline; `miscalibration` scales a random
    gain and slope of the confidence. All zero leaves only the resizing and the rounding.
    """
    rng = np.random.default_rng([seed, size, 7])
    truth = resized(alpha, size, size)
    # A network sees structure at about 1/320 of the picture, whatever the size of its answer.
    reach = max(1, round(size / 320))
    opened = _extreme(_extreme(truth, reach, np.minimum), reach, np.maximum)
    closed = _extreme(_extreme(truth, reach, np.maximum), reach, np.minimum)
    where = noise(rng, size, size, size / 8, 3)
    lost = missing * np.clip(where * 3 - 0.9, 0, 1)
    shut = filling * np.clip(2.1 - where * 3, 0, 1)
    answer = truth + lost * (opened - truth)
    answer = answer + shut * (np.maximum(closed, answer) - answer)
    answer = blurred(answer.astype(np.float32), blur * max(1.0, size / 640))
    if blobs > 0:
        edge_y, edge_x = np.nonzero(np.abs(blurred(truth, size / 160) - 0.5) < 0.4)
        y, x = np.mgrid[0:size, 0:size].astype(np.float32)
        for _ in range(6):
            sign = 1 if rng.random() < 0.5 else -1
            pick = int(rng.integers(len(edge_y))) if len(edge_y) else 0
            radius = size * rng.uniform(0.006, 0.022)
            if len(edge_y):
                squared = (y - edge_y[pick]) ** 2 + (x - edge_x[pick]) ** 2
                answer = answer + sign * blobs * rng.uniform(0.2, 0.5) * np.exp(
                    -squared / (2 * radius * radius)
                )
    slope = 1 + miscalibration * rng.uniform(0.05, 0.35)
    centre = 0.5 + miscalibration * rng.uniform(-0.06, 0.06)
    answer = (answer - centre) * slope + 0.5
    result: Bytes = np.rint(np.clip(answer, 0, 1) * 255).astype(np.uint8)
    return result


def _extreme(picture: Float, reach: int, pick: np.ufunc) -> Float:
    """Least or greatest value in a square of the given reach."""
    for axis in (0, 1):
        padding = [(0, 0), (0, 0)]
        padding[axis] = (reach, reach)
        padded = np.pad(picture, padding, mode="edge")
        length = picture.shape[axis]
        result = picture
        for shift in range(2 * reach + 1):
            window = (slice(None),) * axis + (slice(shift, shift + length),)
            result = pick(result, padded[window])
        picture = result
    return picture


def contact_sheet(cases: list[Case], columns: int = 3) -> Image.Image:
    """The pictures, their alphas and their foregrounds side by side, to be looked at."""
    rows = []
    for case in cases:
        mask = np.repeat(np.rint(case.alpha * 255).astype(np.uint8)[..., None], 3, 2)
        front = np.rint(case.foreground * 255).astype(np.uint8)
        rows.append(np.concatenate([case.image, mask, front][:columns], 1))
    return Image.fromarray(np.concatenate(rows, 0))


def main() -> None:
    """Draw one case of every subject, each on another backdrop, into a contact sheet."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("output", type=Path, help="where the PNG goes")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    backdrops = backdrop_names()
    cases = [
        make_case(name, backdrops[index % len(backdrops)], 360, 480, options.seed)
        for index, name in enumerate(case_names())
    ]
    contact_sheet(cases).save(options.output)


if __name__ == "__main__":
    main()
