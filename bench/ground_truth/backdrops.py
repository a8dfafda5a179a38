"""Backdrops: plain, graded, screens, textures, and clutter like a room's."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from bench.ground_truth.pictures import disc_blurred, mixed, noise, resized
from bench.ground_truth.sketch import Float, Sketch


def plain(height: int, width: int, colour: npt.ArrayLike) -> Float:
    return np.broadcast_to(np.asarray(colour, np.float32), (height, width, 3)).copy()


def _grey_gradient(height: int, width: int, rng: np.random.Generator) -> Float:
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    centre = rng.uniform(0.3, 0.7, 2)
    spread = np.hypot(x / width - centre[0], y / height - centre[1])
    return mixed([0.86, 0.86, 0.87], [0.42, 0.43, 0.45], np.clip(spread * 1.1, 0, 1))


def _screen(colour: tuple[float, float, float]) -> Callable[[int, int, np.random.Generator], Float]:
    """A chroma screen: saturated, not quite evenly lit."""

    def paint(height: int, width: int, rng: np.random.Generator) -> Float:
        light = 0.90 + 0.16 * noise(rng, height, width, max(height, width) / 1.5, 2)
        return np.clip(plain(height, width, colour) * light[..., None], 0, 1).astype(np.float32)

    return paint


def _speckle(height: int, width: int, rng: np.random.Generator) -> Float:
    share = noise(rng, height, width, min(height, width) / 12, 6)
    fine = noise(rng, height, width, 3, 2)
    return mixed([0.28, 0.24, 0.22], [0.82, 0.78, 0.70], np.clip(0.7 * share + 0.3 * fine, 0, 1))


def _checker(height: int, width: int, rng: np.random.Generator) -> Float:
    side = min(height, width) / 14
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    turn = rng.uniform(0.1, 0.5)
    u, v = x * math.cos(turn) + y * math.sin(turn), y * math.cos(turn) - x * math.sin(turn)
    waves = np.sin(np.pi * u / side) * np.sin(np.pi * v / side)
    share = np.clip(waves * side * 0.45 + 0.5, 0, 1)  # a pixel's width of transition
    return mixed(rng.uniform(0.05, 0.45, 3), rng.uniform(0.55, 0.95, 3), share)


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
    colour = mixed([0.36, 0.22, 0.12], [0.76, 0.56, 0.36], share)
    result: Float = np.clip(colour * (tone * seam)[..., None], 0, 1).astype(np.float32)
    return result


def _clutter(height: int, width: int, rng: np.random.Generator) -> Float:
    """A room out of focus: wall and floor, shelves of upright things, lamps, texture."""
    size = min(height, width)
    y = np.linspace(0, 1, height, dtype=np.float32)[:, None].repeat(width, 1)
    horizon = rng.uniform(0.55, 0.72)
    wall, floor = np.clip(rng.normal(0.62, 0.12) + rng.normal(0, 0.05, (2, 3)), 0.1, 0.95)
    floor = floor * rng.uniform(0.4, 0.7) * np.asarray([1.1, 1.0, 0.85])
    ground = mixed(wall, floor, np.clip((y - horizon) * 18 + 0.5, 0, 1))
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


BACKDROPS: dict[str, Callable[[int, int, np.random.Generator], Float]] = {
    "white": lambda height, width, rng: plain(height, width, [0.985, 0.985, 0.985]),
    "grey": _grey_gradient,
    "green": _screen((0.10, 0.70, 0.22)),
    "blue": _screen((0.10, 0.25, 0.80)),
    "red": _screen((0.80, 0.10, 0.10)),
    "noise": _speckle,
    "checker": _checker,
    "wood": _wood,
    "clutter": _clutter,
}
