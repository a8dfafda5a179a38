"""A contact sheet of every subject: `python -m bench.ground_truth OUTPUT.png`."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from bench.ground_truth import Case, backdrop_names, case_names, make_case


def contact_sheet(cases: list[Case], columns: int = 3) -> Image.Image:
    """The pictures, their alphas and their foregrounds side by side, to be looked at."""
    rows = []
    for case in cases:
        mask = np.repeat(np.rint(case.alpha * 255).astype(np.uint8)[..., None], 3, 2)
        front = np.rint(case.foreground * 255).astype(np.uint8)
        rows.append(np.concatenate([case.image, mask, front][:columns], 1))
    return Image.fromarray(np.concatenate(rows, 0))


def main() -> None:
    """Draw one case of every subject, each on another backdrop, into a contact sheet."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("output", type=Path, help="where the PNG goes")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    backdrops = backdrop_names()
    cases = [
        make_case(name, backdrops[index % len(backdrops)], 360, 480, options.seed)
        for index, name in enumerate(case_names())
    ]
    contact_sheet(cases).save(options.output)


if __name__ == "__main__":
    main()
