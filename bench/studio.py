"""Times the studio method at 12 and 24 megapixels on one and two threads, beside its floors.

The floor reads the picture once and writes the alpha, at the memory rate measured in the same run.
For information, the peers of OpenCV at the same working size (a flood fill of the backdrop from
the corners, and GrabCut), each with its mask brought to full size. Run: python -m bench.studio
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np

from bench.studio_cases import make_case
from bench.timing import interleaved, read_floor
from nssbg._ops.studio import studio_alpha

SIZES = {12: (3000, 4000), 24: (4000, 6000)}


def peers(image: np.ndarray) -> dict[str, Callable[[], object]]:
    """OpenCV's ways, where it is installed."""
    try:
        import cv2
    except ImportError:
        return {}
    height, width = image.shape[:2]
    size = (1000, round(1000 * height / width))
    cv2.setNumThreads(1)

    def flood() -> object:
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        mask = np.zeros((size[1] + 2, size[0] + 2), np.uint8)
        for seed in ((0, 0), (size[0] - 1, 0), (0, size[1] - 1), (size[0] - 1, size[1] - 1)):
            flags = 4 | cv2.FLOODFILL_MASK_ONLY | (255 << 8)
            cv2.floodFill(small, mask, seed, 0, (2, 2, 2), (2, 2, 2), flags)
        return cv2.resize(255 - mask[1:-1, 1:-1], (width, height))

    def grab_cut() -> object:
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        mask = np.zeros((size[1], size[0]), np.uint8)
        box = (20, 20, size[0] - 40, size[1] - 40)
        cv2.grabCut(small, mask, box, None, None, 2, cv2.GC_INIT_WITH_RECT)
        return cv2.resize(((mask & 1) * 255).astype(np.uint8), (width, height))

    return {"cv2 floodFill, 1 thread": flood, "cv2 grabCut x 2, 1 thread": grab_cut}


def main() -> None:
    """Time the sizes asked for and print one table each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megapixels", type=int, choices=SIZES, nargs="*", default=list(SIZES))
    parser.add_argument("--grab-cut", action="store_true", help="also time GrabCut (seconds a run)")
    arguments = parser.parse_args()
    for megapixels in arguments.megapixels:
        height, width = SIZES[megapixels]
        image = make_case("headset", "graded", height=height, width=width, noise=3).image
        wide = image.astype(np.uint16) * 257
        calls: dict[str, Callable[[], object]] = {
            "studio, 1 thread": lambda image=image: studio_alpha(image, threads=1),
            "studio, 2 threads": lambda image=image: studio_alpha(image, threads=2),
            "studio, uint16, 1 thread": lambda wide=wide: studio_alpha(wide, threads=1),
            "studio + shadow, 1 thread": lambda image=image: studio_alpha(image, shadow=True),
        }
        others = peers(image)
        if not arguments.grab_cut:
            others.pop("cv2 grabCut x 2, 1 thread", None)
        calls.update(others)
        traffic = image.nbytes + image.nbytes // 3
        floor = {f"read {image.nbytes / 1e6:.0f} MB, write alpha": read_floor(traffic)}
        table = interleaved(calls, runs=5, warmup=1, floors=floor, title=f"{megapixels} MP studio")
        print(f"  studio, 1 thread: {traffic / table.timings[0].median / 1e6:.2f} GB/s of picture")


if __name__ == "__main__":
    main()
