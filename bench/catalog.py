"""A night's shoot to try batches on: `python -m bench.catalog FOLDER --pictures 200`.

Product pictures drawn from the rendered examples and from `bench.ground_truth`: other framings,
exposures and casts, mirrored, with sensor noise, as JPEG; in one folder a product line. One in
twenty is what a night brings besides: a torn transfer, an empty file, a text that calls itself a
picture. The same seed gives the same shoot.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from bench.ground_truth import make_case

EXAMPLES = Path(__file__).parents[1] / "examples"
RENDERED = ("mug", "bottle", "headphones", "porcelain", "bear")
DRAWN = ("holes", "glass", "leaves", "cables")
BACKDROPS = ("white", "grey")
EVERY_BAD = 20


def product(line: str, rng: np.random.Generator) -> Image.Image:
    """One photograph of a product line."""
    if line in RENDERED:
        with Image.open(EXAMPLES / f"{line}.jpg") as opened:
            image = opened.convert("RGB")
    else:
        case = make_case(line, str(rng.choice(_backdrops())), 900, 1200, int(rng.integers(1 << 30)))
        image = Image.fromarray(case.image)
    width, height = image.size
    # The frame moves by up to four percent, and the zoom with it.
    left, top, right, bottom = (rng.uniform(0, 0.04, 4) * (width, height, width, height)).tolist()
    image = image.resize(
        image.size, Image.Resampling.LANCZOS, (left, top, width - right, height - bottom)
    )
    if rng.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    light = rng.uniform(0.88, 1.04) * rng.uniform(0.97, 1.03, 3)
    pixels = np.asarray(image, np.float32) * light
    pixels += rng.normal(0, rng.uniform(0.5, 2.5), pixels.shape)
    return Image.fromarray(np.clip(np.rint(pixels), 0, 255).astype(np.uint8))


def _backdrops() -> tuple[str, ...]:
    from bench.ground_truth import backdrop_names

    return tuple(name for name in backdrop_names() if name in BACKDROPS) or backdrop_names()[:1]


def main() -> None:
    """Draw a shoot."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    lines = (*RENDERED, *DRAWN)
    for number in range(options.pictures):
        line = lines[number % len(lines)]
        folder = options.folder / line
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{line}-{number // len(lines) + 1:03d}.jpg"
        product(line, rng).save(path, quality=int(rng.integers(85, 97)))
        if number % EVERY_BAD == EVERY_BAD - 1:
            data = path.read_bytes()
            torn = (data[: len(data) // 3], b"", b"see the other folder\n")
            path.write_bytes(torn[number // EVERY_BAD % 3])


if __name__ == "__main__":
    main()
