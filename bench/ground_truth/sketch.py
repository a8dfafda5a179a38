"""Layers of straight colour and alpha, and a painter that averages many samples a pixel."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

Float = npt.NDArray[np.floating[Any]]
Float32 = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]

SAMPLES = 8  # samples a pixel and axis; 64 in all
BAND_ROWS = 128  # rows drawn at a time, so that the sample grid of a large picture stays small
DESIGN_HEIGHT = 480  # strand widths are given for this height and grow with the square root of it


@dataclass(frozen=True)
class Layer:
    """A subject before it meets its backdrop: straight colour and alpha."""

    alpha: Float
    colour: Float


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
            mean = mean_of_samples(np.asarray(sheet))
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


def mean_of_samples(samples: Bytes) -> Float:
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
