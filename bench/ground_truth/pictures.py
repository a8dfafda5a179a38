"""Small operations on float pictures and colours: blur, resize, noise, filling, mixing, curves."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from PIL import Image

from bench.ground_truth.sketch import Float, Layer


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


def mixed(low: npt.ArrayLike, high: npt.ArrayLike, share: npt.ArrayLike) -> Float:
    """Interpolate colours; `share` of any shape gives that shape x 3."""
    share = np.asarray(share, np.float32)[..., None]
    return (
        np.asarray(low, np.float32) * (1 - share) + np.asarray(high, np.float32) * share
    ).astype(np.float32)


def curve(*points: tuple[float, float], count: int) -> Float:
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
