"""Photographs of any size for the speed benches, made from the example pictures.

In: megapixels and a seed. Out: H x W x 3 uint8, 4:3. The example is enlarged by bicubic
interpolation, then given back what enlarging loses: fine texture and sensor grain, so that entropy
coders, edge detectors and caches meet what a camera of that size would feed them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

Bytes = npt.NDArray[np.uint8]

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
ROWS = 256  # rows textured at a time: float work on 100 MP at once would need gigabytes
GRAIN_TILE = 1024  # side of the noise tile; drawing noise for each pixel is ten times slower


def size_from_megapixels(megapixels: float) -> tuple[int, int]:
    """(height, width) of a 4:3 picture, width a multiple of 4: 12 MP is 3000 x 4000."""
    width = round(math.sqrt(megapixels * 1e6 * 4 / 3) / 4) * 4
    return round(width * 3 / 4), width


def photograph(
    megapixels: float, grain: bool = True, seed: int = 0, *, example: str = "headphones"
) -> Bytes:
    """One photograph of the given size; the same arguments give the same bytes.

    `example` names a picture in `examples/` of landscape shape: mug, porcelain, headphones, bear.
    """
    height, width = size_from_megapixels(megapixels)
    with Image.open(EXAMPLES / f"{example}.jpg") as small:
        large = small.convert("RGB").resize((width, height), Image.Resampling.BICUBIC)
    picture = np.array(large)
    if grain:
        add_grain(picture, seed)
    return picture


def photograph_mask(megapixels: float, *, example: str = "headphones") -> Bytes:
    """The subject's mask at the same size, H x W, enlarged from the small true one."""
    height, width = size_from_megapixels(megapixels)
    path = EXAMPLES.parent / "tests" / "data" / f"{example}-mask.png"
    with Image.open(path) as small:
        return np.asarray(small.resize((width, height), Image.Resampling.BICUBIC))


def add_grain(picture: Bytes, seed: int = 0) -> None:
    """Add texture of one to eight pixels and photon-like noise, in place."""
    rng = np.random.default_rng(seed)
    tile = _grain_tile(rng)
    for top, rolled in _bands(tile, picture.shape[0], picture.shape[1], rng):
        band = picture[top : top + ROWS].astype(np.float32)
        # Photon noise grows with the root of the light; clipped ends of the scale have less.
        strength = 1.2 + 0.16 * np.sqrt(band) * (1.15 - band / 255)
        band += strength * rolled
        np.clip(np.rint(band), 0, 255, out=band)
        picture[top : top + ROWS] = band


def _grain_tile(rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Unit-strength noise with some correlation between pixels and between channels, seamless."""
    side = GRAIN_TILE
    own = rng.standard_normal((side, side, 3), dtype=np.float32)
    shared = rng.standard_normal((side, side, 1), dtype=np.float32)
    fine = 0.6 * own + 0.8 * shared
    texture = np.zeros((side, side, 1), np.float32)
    for reach, weight in ((1, 0.6), (2, 0.5), (4, 0.4)):
        part = rng.standard_normal((side, side, 1), dtype=np.float32)
        for axis in (0, 1):
            shifts = [np.roll(part, shift, axis) for shift in range(-reach, reach + 1)]
            part = np.sum(shifts, 0) / np.float32(math.sqrt(2 * reach + 1))
        texture += np.float32(weight) * part
    return (fine + texture).astype(np.float32)


def _bands(
    tile: npt.NDArray[np.float32], height: int, width: int, rng: np.random.Generator
) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
    """Each band of rows with noise from another place of the tile, so that no repeat lines up."""
    for top in range(0, height, ROWS):
        rows = min(ROWS, height - top)
        down, across = rng.integers(0, GRAIN_TILE, 2)
        lines = np.arange(down, down + rows) % GRAIN_TILE
        columns = np.arange(across, across + width) % GRAIN_TILE
        yield top, tile[lines[:, None], columns[None]]
