"""Enlarged crops side by side, to look at: `python -m enhance.crops FILE.png` (training/ on the
path).

Each row is a held-out picture (or one of `--pictures FOLDER`): what is given to enlarge, Pillow's
bicubic, the network, the truth; with `--task denoise` or `deblock` what came, the network, the
truth.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import memmap_dataset
import numpy as np
from PIL import Image

from enhance import evaluate
from enhance.degradations import STRONGEST_NOISE, Pixels, deblock_of, jpeg
from enhance.export import BUNDLED, FILES
from enhance.pictures import bank_folder

_ZOOM = 3


def crop(picture: Pixels, side: int, share: tuple[float, float]) -> Pixels:
    """A square at a share of the room that there is, enlarged by whole pixels."""
    height, width = picture.shape[:2]
    top, left = int(share[0] * (height - side)), int(share[1] * (width - side))
    part = picture[top : top + side, left : left + side]
    return np.kron(part, np.ones((_ZOOM, _ZOOM, 1), np.uint8))


def row(task: str, truth: Pixels, networks: dict[str, evaluate.Network]) -> list[Pixels]:
    """The pictures of one row, all of the truth's size."""
    if task == "denoise":
        given = evaluate.noisy(truth, 0)
        found = networks["restore"](given, denoise=evaluate.SIGMA / STRONGEST_NOISE)
        return [given, evaluate.non_local_means(given), found, truth]
    if task == "deblock":
        given = jpeg(truth, evaluate.QUALITY, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420)
        return [given, networks["restore"](given, deblock=deblock_of(evaluate.QUALITY)), truth]
    half = truth.shape[1] // 2, truth.shape[0] // 2
    small = evaluate.resized(truth, half, Image.Resampling.BICUBIC)
    ways = [
        evaluate.doubled(k, small) for k in (Image.Resampling.NEAREST, Image.Resampling.BICUBIC)
    ]
    return [*ways, networks["upscale"](small), truth]


def main() -> None:
    """Reads the command line and writes the sheet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path)
    parser.add_argument("--models", type=Path, default=BUNDLED)
    parser.add_argument("--task", choices=("upscale", "denoise", "deblock"), default="upscale")
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--rows", type=int, default=5)
    parser.add_argument("--side", type=int, default=96)
    options = parser.parse_args()
    networks = {
        key: evaluate.Network(options.models / f"{file.name}.onnx", 2 if key == "upscale" else 1)
        for key, file in FILES.items()
    }
    if options.pictures is not None:
        pictures = evaluate.folder(options.pictures, options.rows)
    else:
        bank = memmap_dataset.Bank(bank_folder(), "held-out")
        step = len(bank) / options.rows
        pictures = [np.asarray(bank[int((i + 0.3) * step)]) for i in range(options.rows)]
    random = np.random.default_rng(0)
    rows = []
    for picture in map(evaluate.even, pictures):
        share = random.uniform(0.2, 0.8), random.uniform(0.2, 0.8)
        parts = [crop(p, options.side, share) for p in row(options.task, picture, networks)]
        rows.append(np.concatenate(parts, axis=1))
    Image.fromarray(np.concatenate(rows)).save(options.output)


if __name__ == "__main__":
    main()
