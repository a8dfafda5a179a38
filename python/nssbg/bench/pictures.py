"""The fixed picture set of `nssbg bench`: three drawn pictures, the same pixels on every machine.

In: a number of megapixels. Out: H x W x 3 uint8, 4:3. Drawn by additions, multiplications and
divisions of float64 alone, which IEEE 754 settles to the last bit, and noise of NumPy's frozen
RandomState, so that one hash stands for the set wherever it is drawn.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nssbg._errors import OptionError

__all__ = ["NAME", "SCENES", "SHA256", "draw", "parse_size", "pixels_sha256", "size_of"]

NAME = "nssbg-bench-pictures-1"
#: Of the set's pixels at one megapixel, in the order of SCENES (tests/unit/test_bench_pictures.py).
SHA256 = "8548d25dc337e125c58d14509d60c9a62f4bb906c892168a1d8753b8d4d8e1b9"

_ROWS = 128  # drawn at a time: float64 of 48 MP at once would take gigabytes
_GRAIN = 257  # side of the noise's tile; a prime, so that its repeats fall on no power of two
_LARGEST = 400.0  # megapixels


@dataclass(frozen=True)
class _Scene:
    """Centre, radii and softness are shares of the height; colours 0..255."""

    backdrop: tuple[int, int, int]
    slope: int
    texture: int
    subject: tuple[int, int, int]
    blobs: tuple[tuple[float, float, float, float], ...]  # y, x, radius y, radius x
    soft: float
    strands: int
    seed: int


#: What is drawn. "product": a thing on a light backdrop, hard edges. "strands": many thin strands
#: over a grey backdrop, the worst case for edges. "small": a small subject before a busy ground.
SCENES: dict[str, _Scene] = {
    "product": _Scene(
        (236, 236, 233),
        14,
        0,
        (46, 84, 122),
        ((0.55, 0.66, 0.30, 0.22), (0.30, 0.66, 0.12, 0.10), (0.60, 0.92, 0.10, 0.09)),
        0.004,
        0,
        1,
    ),
    "strands": _Scene(
        (150, 156, 160),
        40,
        0,
        (92, 58, 36),
        ((0.62, 0.66, 0.27, 0.24),),
        0.02,
        90,
        2,
    ),
    "small": _Scene(
        (120, 132, 104),
        30,
        36,
        (188, 52, 44),
        ((0.62, 0.90, 0.085, 0.06),),
        0.006,
        6,
        3,
    ),
}


def parse_size(text: str) -> float:
    """Megapixels of "12MP", "12mp" or "12".

    Raises:
        OptionError: It is none, or not within 0.01 to 400.
    """
    number = text.strip().lower().removesuffix("mp").strip()
    try:
        megapixels = float(number)
    except ValueError:
        megapixels = math.nan
    if not 0.01 <= megapixels <= _LARGEST:
        raise OptionError(
            f"size is {text!r}, expected megapixels from 0.01 to {_LARGEST:.0f}, such as 12MP"
        )
    return megapixels


def size_of(megapixels: float) -> tuple[int, int]:
    """(height, width) of a 4:3 picture, width a multiple of 4: 12 MP is 3000 x 4000."""
    width = max(16, round(math.sqrt(megapixels * 1e6 * 4 / 3) / 4) * 4)
    return round(width * 3 / 4), width


def draw(scene: str, height: int, width: int) -> NDArray[np.uint8]:
    """One picture of the set.

    Args:
        scene: A key of SCENES.
        height: Rows.
        width: Columns.
    """
    wanted = SCENES[scene]
    random = np.random.RandomState(wanted.seed)
    grain = random.randint(-5, 6, (_GRAIN, _GRAIN, 3)).astype(np.float64)
    strands = random.randint(0, 1 << 16, (wanted.strands, 4)).astype(np.float64) / (1 << 16)
    x = (np.arange(width, dtype=np.float64) + 0.5) / height
    image = np.empty((height, width, 3), np.uint8)
    columns = np.arange(width)
    for top in range(0, height, _ROWS):
        rows = np.arange(top, min(height, top + _ROWS))
        y = ((rows + 0.5) / height)[:, None]
        alpha = np.zeros((len(rows), width))
        for centre_y, centre_x, radius_y, radius_x in wanted.blobs:
            dy, dx = (y - centre_y) / radius_y, (x - centre_x) / radius_x
            within = (1.0 - (dy * dy + dx * dx)) * 0.5 * radius_y / wanted.soft
            alpha = np.maximum(alpha, np.minimum(np.maximum(within, 0.0), 1.0))
        _add_strands(alpha, y, x, wanted, strands)
        texture = _texture(rows, columns, height) * wanted.texture
        shade = 0.75 + 0.25 * x[None] / (4.0 / 3.0)
        noise = grain[rows % _GRAIN][:, columns % _GRAIN]
        for channel in range(3):
            ground = wanted.backdrop[channel] + wanted.slope * (0.5 - y) + texture
            mixed = ground + alpha * (wanted.subject[channel] * shade - ground)
            value = np.floor(mixed + noise[..., channel] + 0.5)
            image[rows, :, channel] = np.minimum(np.maximum(value, 0.0), 255.0)
    return image


def _add_strands(
    alpha: NDArray[np.float64],
    y: NDArray[np.float64],
    x: NDArray[np.float64],
    scene: _Scene,
    strands: NDArray[np.float64],
) -> None:
    """Thin parabolas that leave the first blob upwards, in place."""
    centre_y, centre_x, radius_y, radius_x = scene.blobs[0]
    for start, lean, bend, length in strands:
        foot = centre_x + (start * 1.6 - 0.8) * radius_x
        reach = centre_y - radius_y * (0.6 + 0.9 * length)
        along = (centre_y - y) / (centre_y - reach)
        inside = (along >= 0.0) & (along <= 1.0)
        if not inside.any():
            continue
        middle = foot + radius_x * (lean - 0.5) * along + radius_x * (bend - 0.5) * along * along
        half = 0.0012 * radius_y / 0.27 + 0.0004
        away = np.abs(x - middle) / half
        strand = np.minimum(np.maximum(1.5 - away, 0.0), 1.0) * (1.0 - 0.7 * along)
        np.maximum(alpha, np.where(inside, strand, 0.0), out=alpha)


def _texture(rows: NDArray[np.int_], columns: NDArray[np.int_], height: int) -> NDArray[np.float64]:
    """Checks of three sizes that do not follow each other, -1..1."""
    total = np.zeros((len(rows), len(columns)))
    for share in (5, 13, 37):
        side = max(1, height // share)
        odd = (rows[:, None] // side + columns[None] // side) % 2
        total += odd * 2.0 - 1.0
    return total / 3.0


def pixels_sha256(megapixels: float = 1.0) -> str:
    """The hash of the set's pixels at a size."""
    digest = hashlib.sha256()
    for scene in SCENES:
        digest.update(draw(scene, *size_of(megapixels)).tobytes())
    return digest.hexdigest()
