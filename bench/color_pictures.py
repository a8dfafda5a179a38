"""Draws the comparison of docs/colour.md: the same hair over white, black and red.

    python -m bench.color_pictures [docs/pictures]

Rows: backdrops of the photograph and backgrounds of the cut-out. Columns: rembg's naive
result, straight without decontamination, pymatting, nssbg, and the truth.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from bench.decontaminate import ESTIMATORS, alpha_bytes
from bench.ground_truth import Case, make_case

SHOWN = {
    "rembg (naive)": "rembg naive",
    "straight": "straight",
    "pymatting": "pymatting multi-level",
    "nssbg": "nssbg multilevel",
}
BACKGROUNDS = {"white": (255, 255, 255), "black": (0, 0, 0), "red": (205, 20, 30)}
CAPTION = 22  # rows for the words above a column


def over(
    colors: npt.NDArray[np.floating], alpha: npt.NDArray[np.uint8], background: tuple[int, ...]
) -> npt.NDArray[np.uint8]:
    """Composite in the encoding, as viewers do."""
    share = alpha[..., None] / 255
    return np.rint(colors * share + np.array(background) * (1 - share)).astype(np.uint8)


def sheet(case: Case, box: tuple[slice, slice], enlarge: int) -> Image.Image:
    """One picture: a row per background, a column per method."""
    alpha = alpha_bytes(case)
    columns = {
        title: ESTIMATORS[name](case.image, alpha).astype(float) for title, name in SHOWN.items()
    }
    columns["truth"] = case.foreground * 255
    rows = []
    for color in BACKGROUNDS.values():
        cells = [over(colors, alpha, color)[box] for colors in columns.values()]
        rows.append(np.concatenate([case.image[box], *cells], axis=1))
    pixels = np.concatenate(rows)
    image = Image.fromarray(pixels)
    image = image.resize((image.width * enlarge, image.height * enlarge), Image.Resampling.NEAREST)
    result = Image.new("RGB", (image.width, image.height + CAPTION), "white")
    result.paste(image, (0, CAPTION))
    pen = ImageDraw.Draw(result)
    step = image.width // (len(columns) + 1)
    for place, title in enumerate(["photograph", *columns]):
        pen.text((place * step + 6, 5), title, fill="black")
    return result


def main() -> None:
    """Write the pictures."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/pictures")
    folder.mkdir(parents=True, exist_ok=True)
    for name, backdrop in (("hair", "green"), ("curls", "clutter")):
        case = make_case(name, backdrop, 480, 640)
        # The corner of the head with the most soft pixels.
        soft = ((case.alpha > 0) & (case.alpha < 1)).astype(float)
        counts = soft.reshape(12, 40, 16, 40).sum((1, 3))
        window = counts[:-2] + counts[1:-1] + counts[2:]
        window = window[:, :-2] + window[:, 1:-1] + window[:, 2:]
        row, column = np.unravel_index(window.argmax(), window.shape)
        box = np.s_[row * 40 : row * 40 + 120, column * 40 : column * 40 + 120]
        sheet(case, box, 2).save(folder / f"colour-{name}-{backdrop}.webp", quality=88, method=6)


if __name__ == "__main__":
    main()
