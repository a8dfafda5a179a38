"""Draws docs/pictures/refine-*.webp: crops at 100 % of each level beside the peers.

    python -m bench.refine_pictures [--cache FOLDER] [--cases hair fur net]

Per case two rows: alpha, and the photograph times alpha; columns: the photograph, plain upsampling,
OpenCV's guided filter, guided, matting, pymatting's closed form, truth. All start from the same
320 x 320 map but the closed form, which needs a trimap: it gets one made from the truth, unknown
within 10 pixels of the soft edge, of the crop and 100 pixels around it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from bench import ground_truth
from bench.matting_metrics import trimap_from_alpha
from bench.refine_quality import Case, load, opencv_guided, ours

SIDE = 220
MARGIN = 100  # pixels around the crop that the closed form sees
CAPTION = 16


def corner(alpha: np.ndarray) -> tuple[int, int]:
    """Top left of the crop where alpha changes most: the most telling piece of outline."""
    change = np.zeros_like(alpha)
    change[:, 1:] = np.abs(np.diff(alpha, axis=1))
    sums = np.pad(change.astype(np.float64), [(1, 0), (1, 0)]).cumsum(0).cumsum(1)
    boxes = sums[SIDE:, SIDE:] - sums[:-SIDE, SIDE:] - sums[SIDE:, :-SIDE] + sums[:-SIDE, :-SIDE]
    y, x = np.unravel_index(int(boxes.argmax()), boxes.shape)
    return int(y), int(x)


def closed_form(case: Case, y: int, x: int) -> np.ndarray:
    """pymatting's answer for the crop at (y, x)."""
    import pymatting

    top, left = max(0, y - MARGIN), max(0, x - MARGIN)
    around = np.s_[top : y + SIDE + MARGIN, left : x + SIDE + MARGIN]
    trimap = trimap_from_alpha(case["alpha"], 10)[around]
    alpha = pymatting.estimate_alpha_cf(case["image"][around] / 255.0, trimap / 255.0)
    part = alpha[y - top : y - top + SIDE, x - left : x - left + SIDE]
    return np.rint(np.clip(part, 0, 1) * 255).astype(np.uint8)


def sheet(case: Case) -> Image.Image:
    y, x = corner(case["alpha"])
    part = np.s_[y : y + SIDE, x : x + SIDE]
    truth = np.rint(case["alpha"] * 255).astype(np.uint8)
    columns: list[tuple[str, np.ndarray | None]] = [
        ("photograph", None),
        ("upsampled", ours("none", case, 320)[part]),
        ("OpenCV guided", opencv_guided(case, 320)[part]),
        ("nssbg guided", ours("guided", case, 320)[part]),
        ("nssbg matting", ours("matting", case, 320)[part]),
        ("pymatting, true trimap", closed_form(case, y, x)),
        ("truth", truth[part]),
    ]
    image = case["image"][part]
    page = Image.new("RGB", (len(columns) * (SIDE + 4), 2 * SIDE + CAPTION + 4), "white")
    draw = ImageDraw.Draw(page)
    for index, (name, alpha) in enumerate(columns):
        left = index * (SIDE + 4)
        draw.text((left + 2, 2), name, fill="black")
        if alpha is None:
            page.paste(Image.fromarray(image), (left, CAPTION))
            continue
        page.paste(Image.fromarray(alpha), (left, CAPTION))
        cut = image * (alpha[..., None] / 255.0)
        page.paste(Image.fromarray(np.rint(cut).astype(np.uint8)), (left, CAPTION + SIDE + 4))
    return page


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--cases", nargs="*", default=["hair", "fur", "leaves"])
    options = parser.parse_args()
    target = Path(__file__).resolve().parent.parent / "docs" / "pictures"
    target.mkdir(parents=True, exist_ok=True)
    for name in options.cases:
        case = load(name, ground_truth.case_names().index(name), 1200, options.cache)
        path = target / f"refine-{name}.webp"
        sheet(case).save(path, quality=82, method=6)
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
