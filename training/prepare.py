"""Decodes the source pictures into banks: photographs with masks as RGBA, cut-outs, backdrops.

Each subset gives a training bank and, under `held-`, a bank of what is never trained on. The
`fills` bank holds the people and cat photographs with their subject painted over, as backdrops.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

import cv2
import memmap_dataset
import numpy as np
import numpy.typing as npt

LONG_SIDE = {"people": 448, "cats": 416, "cutouts": 256, "backgrounds": 384}
FILL_SIDE = 320
SEAM = 5  # pixels of the source: what is narrower between two animals is no gap
LOOK_ALIKE = 0.93  # correlation of 16 x 16 thumbnails; unrelated photographs stay under 0.87


def fitted(pixels: memmap_dataset.Pixels, long_side: int) -> memmap_dataset.Pixels:
    """Shrinks so that the long side is at most `long_side`, averaging areas."""
    height, width = pixels.shape[:2]
    scale = long_side / max(height, width)
    if scale >= 1.0:
        return pixels
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)


def identifiers(folder: Path) -> list[Path]:
    """The picture files of one subset, in a fixed order."""
    return sorted(p for p in folder.iterdir() if re.search(r"\.(jpg|webp)$|noto-.*\.png$", p.name))


def read_rgb(path: Path) -> memmap_dataset.Pixels:
    """Reads a picture as RGB or RGBA."""
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise OSError(f"cannot decode {path}")
    if pixels.ndim == 2:
        return cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB)
    code = cv2.COLOR_BGRA2RGBA if pixels.shape[2] == 4 else cv2.COLOR_BGR2RGB
    return cv2.cvtColor(pixels, code)


def without_seams(mask: memmap_dataset.Pixels) -> memmap_dataset.Pixels:
    """Closes the hair-lines that the sources leave between the outlines of animals that touch.

    Nobody wants them in a cut-out, so they are not trained on; what is measured on keeps them.
    """
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (SEAM, SEAM))
    return cv2.morphologyEx(mask, cv2.MORPH_CLOSE, kernel)


def load(path: Path, subset: str) -> memmap_dataset.Pixels:
    """One source picture at its bank size: RGBA where it has a mask or alpha, else RGB."""
    pixels = read_rgb(path)
    if subset in ("people", "cats"):
        mask = cv2.imread(str(path.with_suffix(".png")), cv2.IMREAD_GRAYSCALE)
        if mask.shape != pixels.shape[:2]:
            mask = cv2.resize(mask, pixels.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        if subset == "cats" and not (
            memmap_dataset.is_held_out(subset, path.stem)
            or memmap_dataset.is_validation(subset, path.stem)
        ):
            mask = without_seams(mask)
        pixels = np.dstack([pixels, mask])
    elif subset == "cutouts" and pixels.shape[2] == 3:
        pixels = np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])
    return fitted(pixels, LONG_SIDE[subset])


def signature(pixels: memmap_dataset.Pixels, subset: str) -> npt.NDArray[np.float32]:
    """A unit vector that is nearly the same for two versions of one picture (resaved, retinted)."""
    if subset == "cutouts":
        shade = pixels[..., 3].astype(np.float32) * (0.5 + pixels[..., 1] / 510.0)
    else:
        shade = cv2.cvtColor(pixels[..., :3], cv2.COLOR_RGB2GRAY).astype(np.float32)
    small = cv2.resize(shade, (16, 16), interpolation=cv2.INTER_AREA).ravel()
    small -= small.mean()
    return small / (np.linalg.norm(small) + 1e-6)


def subset_items(subset: str, held_out: bool) -> Iterator[tuple[str, str, memmap_dataset.Pixels]]:
    """The pictures of one side of the split."""
    kept_apart: list[npt.NDArray[np.float32]] = []
    if not held_out:
        kept_apart = [signature(p, subset) for _, _, p in subset_items(subset, held_out=True)]
    for path in identifiers(memmap_dataset.pictures_folder() / subset):
        if memmap_dataset.is_held_out(subset, path.stem) != held_out:
            continue
        pixels = load(path, subset)
        if (
            kept_apart
            and max(
                float(np.max(np.stack(kept_apart) @ signature(version, subset)))
                for version in (pixels, pixels[:, ::-1])
            )
            > LOOK_ALIKE
        ):
            continue  # the sources hold near-copies: none may stand on both sides of the split
        tag = path.stem.partition("-")[0] if subset == "cutouts" else subset
        yield path.stem, tag, pixels


def filled(pixels: memmap_dataset.Pixels) -> memmap_dataset.Pixels:
    """Paints the subject over with what surrounds it (push-pull), to be used as a backdrop."""
    rgb = fitted(pixels[..., :3], FILL_SIDE).astype(np.float32)
    mask = cv2.resize(pixels[..., 3], rgb.shape[1::-1], interpolation=cv2.INTER_AREA)
    known = (cv2.dilate(mask, np.ones((13, 13), np.uint8)) < 8).astype(np.float32)
    levels = [(rgb * known[..., None], known)]
    while min(levels[-1][1].shape) > 2:
        levels.append((cv2.pyrDown(levels[-1][0]), cv2.pyrDown(levels[-1][1])))
    colour, weight = levels[-1]
    result = colour / np.maximum(weight[..., None], 1e-4)
    for colour, weight in reversed(levels[:-1]):
        result = cv2.pyrUp(result, dstsize=weight.shape[::-1])
        trust = np.clip(weight, 0, 1)[..., None]
        result = np.where(trust > 1e-3, colour / np.maximum(weight, 1e-3)[..., None], result) * (
            trust
        ) + result * (1 - trust)
    return np.clip(result, 0, 255).astype(np.uint8)


def fill_items(held_out: bool) -> Iterator[tuple[str, str, memmap_dataset.Pixels]]:
    """Emptied photographs of one side of the split."""
    for subset in ("people", "cats"):
        for identifier, tag, pixels in subset_items(subset, held_out):
            if (pixels[..., 3] > 127).mean() < 0.45:
                yield f"{subset}-{identifier}", tag, filled(pixels)


def main() -> None:
    """Writes every bank that is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--again", action="store_true", help="rewrite banks that exist")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    folder = memmap_dataset.work_folder() / "banks"
    held_out: list[str] = []
    for subset in LONG_SIDE:
        for held in (False, True):
            name = f"held-{subset}" if held else subset
            if options.again or not (folder / f"{name}.json").exists():
                count = memmap_dataset.write_bank(folder, name, subset_items(subset, held))
                print(name, count, flush=True)
        held_out += [
            f"{subset}/{p.stem}"
            for p in identifiers(memmap_dataset.pictures_folder() / subset)
            if memmap_dataset.is_held_out(subset, p.stem)
        ]
    (folder / "held-out.txt").write_text("\n".join(held_out) + "\n")
    for held in (False, True):
        name = "held-fills" if held else "fills"
        if options.again or not (folder / f"{name}.json").exists():
            print(name, memmap_dataset.write_bank(folder, name, fill_items(held)), flush=True)


if __name__ == "__main__":
    main()
