"""Products on studio backdrops with exactly known alpha, drawn from a seed: what the studio method
is made for, and clutter that it must refuse.

In: names of a subject and a backdrop, a size, a seed. Out: a `Case` of image, alpha and names.
Subjects are signed distance shapes, so their alpha is an anti-aliased edge of one pixel.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

Float = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Case:
    """One picture (H x W x 3 uint8) with its true alpha (H x W, 0..1)."""

    name: str
    image: npt.NDArray[np.uint8]
    alpha: Float


@dataclass(frozen=True)
class Scene:
    """Pixel grids and a random source that subjects and backdrops draw with; unit: height."""

    y: Float
    x: Float
    pixel: float
    rng: np.random.Generator


def _cover(distance: Float, pixel: float, blur: float = 1.0) -> Float:
    return np.clip(0.5 - distance / (pixel * blur), 0, 1).astype(np.float32)


def _box(y: Float, x: Float, half_y: float, half_x: float, radius: float) -> Float:
    dy = np.abs(y) - half_y + radius
    dx = np.abs(x) - half_x + radius
    outside = np.hypot(np.maximum(dy, 0), np.maximum(dx, 0))
    return (outside + np.minimum(np.maximum(dy, dx), 0) - radius).astype(np.float32)


def _paint(shade: Float, color: npt.ArrayLike) -> Float:
    return np.clip(shade[..., None] * np.asarray(color, np.float32), 0, 255).astype(np.float32)


def _mug(s: Scene, color: npt.ArrayLike) -> tuple[Float, Float]:
    body = _box(s.y, s.x, 0.26, 0.2, 0.03)
    ring = np.abs(np.hypot((s.y + 0.0) * 0.9, s.x - 0.24) - 0.12) - 0.028
    alpha = np.maximum(_cover(body, s.pixel), _cover(ring, s.pixel))
    shade = 0.75 + 0.35 * np.cos(4.5 * (s.x + 0.08)) * (np.abs(s.x) < 0.21) - 0.1 * s.y
    return alpha, _paint(shade.astype(np.float32), color)


def _bottle(s: Scene, color: npt.ArrayLike) -> tuple[Float, Float]:
    body = _box(s.y - 0.08, s.x, 0.24, 0.12, 0.05)
    neck = _box(s.y + 0.25, s.x, 0.14, 0.04, 0.01)
    alpha = np.maximum(_cover(body, s.pixel), _cover(neck, s.pixel))
    shade = 0.6 + 0.4 * np.sqrt(np.clip(1 - (s.x / 0.13) ** 2, 0, 1))
    picture = _paint(shade.astype(np.float32), color)
    label = _cover(_box(s.y - 0.1, s.x, 0.09, 0.1, 0.0), s.pixel)[..., None]
    lines = (np.sin(s.y * 180) > 0.3) & (np.abs(s.x) < 0.07)
    paper = np.where(lines[..., None], 60.0, 238.0) * (0.92 + 0.08 * np.cos(9 * s.x))[..., None]
    return alpha, picture * (1 - label) + paper.astype(np.float32) * label


def _box_with_label(s: Scene, color: npt.ArrayLike) -> tuple[Float, Float]:
    body = _box(s.y + 0.12 * s.x, s.x, 0.24, 0.3, 0.005)
    alpha = _cover(body, s.pixel)
    picture = _paint((0.85 + 0.25 * s.x - 0.2 * s.y).astype(np.float32), color)
    label = _cover(_box(s.y + 0.12 * s.x + 0.02, s.x - 0.02, 0.12, 0.17, 0.0), s.pixel)[..., None]
    return alpha, picture * (1 - label) + np.float32(232.0) * label


def _sphere(s: Scene, color: npt.ArrayLike) -> tuple[Float, Float]:
    r = np.hypot(s.y, s.x)
    bulge = np.sqrt(np.clip(1 - (r / 0.3) ** 2, 0, 1))
    light = np.clip(0.55 * bulge - 0.5 * s.y / 0.3 - 0.4 * s.x / 0.3, 0, 2) * 0.6 + 0.35
    return _cover((r - 0.3).astype(np.float32), s.pixel), _paint(light.astype(np.float32), color)


def _headset(s: Scene, color: npt.ArrayLike) -> tuple[Float, Float]:
    arc = np.abs(np.hypot(s.y + 0.02, s.x) - 0.27) - 0.022
    arc = np.where(s.y > 0.05, 1.0, arc)
    cups = np.minimum(
        _box(s.y - 0.12, s.x + 0.27, 0.11, 0.06, 0.05),
        _box(s.y - 0.12, s.x - 0.27, 0.11, 0.06, 0.05),
    )
    wave = 0.06 * np.sin(18 * s.x) + 0.33
    wire = np.abs(s.y - wave) - 0.004
    wire = np.where((s.x < -0.27) | (s.x > 0.45), 1.0, wire)
    lead = np.maximum(_box(s.y - 0.26, s.x + 0.268, 0.07, 0.004, 0.0), -1)
    distance = np.minimum(np.minimum(arc, cups), np.minimum(wire, lead)).astype(np.float32)
    shade = 0.8 + 0.5 * np.cos(11 * s.x) * 0.4 - 0.3 * s.y
    return _cover(distance, s.pixel), _paint(shade.astype(np.float32), color)


def _bust(s: Scene, color: npt.ArrayLike) -> tuple[Float, Float]:
    head = np.hypot((s.y + 0.12) * 0.8, s.x) - 0.15
    shoulders = np.hypot((s.y - 0.55) * 0.9, s.x * 0.8) - 0.42
    distance = np.minimum(head, shoulders).astype(np.float32)
    cloth = _paint((0.8 + 0.2 * np.sin(40 * s.x + 9 * s.y)).astype(np.float32), color)
    skin = _paint((0.95 + 0.3 * s.x).astype(np.float32), (205, 150, 120))
    return _cover(distance, s.pixel), np.where((head < 0)[..., None], skin, cloth)


SUBJECTS: dict[str, Callable[[Scene, npt.ArrayLike], tuple[Float, Float]]] = {
    "mug": _mug,
    "bottle": _bottle,
    "box": _box_with_label,
    "sphere": _sphere,
    "headset": _headset,
    "bust": _bust,
}

COLORS: dict[str, tuple[float, float, float]] = {
    "red": (190, 50, 45),
    "navy": (45, 60, 120),
    "grey": (120, 120, 122),
    "black": (36, 36, 38),
    "wood": (170, 120, 70),
    "white": (226, 226, 224),
}


def _plain(s: Scene, color: npt.ArrayLike) -> Float:
    return _paint(np.ones_like(s.y), color)


def _graded(s: Scene, color: npt.ArrayLike) -> Float:
    angle = s.rng.uniform(0, 2 * np.pi)
    return _paint(
        (1 - 0.22 * (s.y * np.sin(angle) + s.x * np.cos(angle))).astype(np.float32), color
    )


def _vignette(s: Scene, color: npt.ArrayLike) -> Float:
    r2 = s.y**2 + s.x**2
    return _paint((1.02 - 0.35 * r2).astype(np.float32), color)


def _spot(s: Scene, color: npt.ArrayLike) -> Float:
    r2 = (s.y + 0.1) ** 2 + (s.x - 0.1) ** 2
    return _paint((0.72 + 0.33 * np.exp(-4 * r2)).astype(np.float32), color)


def _cyclorama(s: Scene, color: npt.ArrayLike) -> Float:
    step = 1 / (1 + np.exp(-(s.y - 0.15) / 0.05))
    return _paint((1.0 - 0.14 * step + 0.05 * s.y).astype(np.float32), color)


def _smooth_noise(s: Scene, cells: int, channels: int) -> Float:
    height, width = s.y.shape
    small = s.rng.uniform(0, 255, (cells, cells * width // height + 1, channels))
    planes = [
        np.asarray(
            Image.fromarray(small[..., c].astype(np.float32)).resize(
                (width, height), Image.Resampling.BICUBIC
            )
        )
        for c in range(channels)
    ]
    return np.stack(planes, 2).astype(np.float32)


def _street(s: Scene, color: npt.ArrayLike) -> Float:
    picture = 0.5 * _smooth_noise(s, 6, 3) + 0.3 * _smooth_noise(s, 24, 3) + 30
    for _ in range(40):
        y, x = s.rng.uniform(-0.6, 0.6), s.rng.uniform(-0.9, 0.9)
        part = _box(s.y - y, s.x - x, s.rng.uniform(0.02, 0.25), s.rng.uniform(0.02, 0.25), 0.0)
        picture = np.where(part[..., None] < 0, s.rng.uniform(0, 255, 3), picture)
    return np.clip(picture, 0, 255).astype(np.float32)


def _texture(s: Scene, color: npt.ArrayLike) -> Float:
    grain = _smooth_noise(s, 60, 1) - 128
    rings = 40 * np.sin(60 * s.y + 0.15 * grain[..., 0])
    return np.clip(np.asarray(color, np.float32) * 0.7 + rings[..., None] + 0.4 * grain, 0, 255)


BACKDROPS: dict[str, Callable[[Scene, npt.ArrayLike], Float]] = {
    "plain": _plain,
    "graded": _graded,
    "vignette": _vignette,
    "spot": _spot,
    "cyclorama": _cyclorama,
    "street": _street,
    "texture": _texture,
}
STUDIO = ("plain", "graded", "vignette", "spot", "cyclorama")


def make_case(
    subject: str,
    backdrop: str,
    *,
    height: int = 600,
    width: int = 800,
    color: str = "red",
    backdrop_color: tuple[float, float, float] = (236, 236, 238),
    noise: float = 2.0,
    shadow: float = 0.35,
    blur: float = 1.5,
    jpeg: int | None = None,
    scale: float = 1.0,
    seed: int = 0,
) -> Case:
    """Draw one case; shadow is the darkest share of light that the subject's shadow takes."""
    rng = np.random.default_rng(seed)
    grid_y, grid_x = np.mgrid[0:height, 0:width].astype(np.float32)
    y = (grid_y - height / 2) / height
    x = (grid_x - width / 2) / height
    scene = Scene(y, x, 1 / height, rng)
    placed = Scene(y / scale, x / scale, blur / height / scale, rng)
    alpha, picture = SUBJECTS[subject](placed, COLORS[color])
    back = BACKDROPS[backdrop](scene, backdrop_color)
    if shadow > 0:
        spread = ((y / scale - 0.3) / 0.07) ** 2 + ((x / scale - 0.05) / 0.32) ** 2
        back = back * (1 - shadow * np.exp(-spread))[..., None]
    mixed = alpha[..., None] * picture + (1 - alpha[..., None]) * back
    mixed = mixed + rng.normal(0, noise, mixed.shape)
    image = np.clip(np.rint(mixed), 0, 255).astype(np.uint8)
    if jpeg is not None:
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "JPEG", quality=jpeg)
        image = np.asarray(Image.open(buffer).convert("RGB"))
    return Case(f"{subject}-{color}-{backdrop}", image, alpha.astype(np.float32))


def iou(alpha: npt.NDArray[np.uint8], truth: Float) -> float:
    """Soft intersection over union: sum of minima over sum of maxima."""
    found = alpha.astype(np.float32) / 255
    return float(np.minimum(found, truth).sum() / max(np.maximum(found, truth).sum(), 1e-6))
