"""Composition at memory speed: each operation beside the machine's own copy of as many bytes.

python -m bench.compose [--megapixels 24] [--threads 1 2]
"""

from __future__ import annotations

import argparse
from functools import partial

import numpy as np

from bench.decontaminate import large_scene
from bench.timing import gigabytes_per_second, interleaved, print_header
from nssbg import _core
from nssbg._compose.background import Gradient, over, over_layer, premultiply
from nssbg._ops.foreground import decontaminate


def main() -> None:
    """Time every operation, 8 and 16 bits."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megapixels", type=float, default=24.0)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--runs", type=int, default=9)
    options = parser.parse_args()
    print_header("composition", threads=str(options.threads))
    image, alpha = large_scene(options.megapixels, "3 %")
    for bits in (8, 16):
        if bits == 16:
            image, alpha = image.astype(np.uint16) * 257, alpha.astype(np.uint16) * 257
        report(image, alpha, options.threads, options.runs)


def report(image: np.ndarray, alpha: np.ndarray, threads: list[int], runs: int) -> None:
    """One table a thread count, then gigabytes a second (bytes read and written)."""
    from PIL import Image

    # The other depth's blocks would crowd this one's out of the pool.
    _core.pool_trim()
    size = alpha.nbytes
    rgba = decontaminate(image, alpha)
    source, target = np.ones(8 * size // 2, np.uint8), np.ones(8 * size // 2, np.uint8)
    for count in threads:
        calls = {
            # As many bytes as over a colour moves: 4 in and 3 out, of each pixel's channels.
            "copy (numpy)": (partial(np.copyto, target, source), 2 * source.nbytes),
            "merge to RGBA": (
                partial(decontaminate, image, alpha, method="off", threads=count),
                8 * size,
            ),
            "over a colour": (partial(over, rgba, (255, 255, 255), threads=count), 7 * size),
            "over a gradient": (partial(over, rgba, Gradient(), threads=count), 7 * size),
            "over a picture": (partial(over, rgba, image, threads=count), 10 * size),
            "premultiplied": (partial(premultiply, rgba, threads=count), 8 * size),
            "layer over layer": (partial(over_layer, rgba, rgba, threads=count), 12 * size),
        }
        if rgba.dtype == np.uint8:
            subject = Image.fromarray(rgba)
            white = Image.new("RGBA", subject.size, "white")
            calls["Pillow alpha_composite"] = (
                partial(Image.alpha_composite, white, subject),
                12 * size,
            )
        title = f"{alpha.size / 1e6:.0f} MP, {8 * alpha.itemsize} bits, {count} threads"
        table = interleaved(
            {name: call for name, (call, _) in calls.items()}, runs=runs, warmup=2, title=title
        )
        copied = gigabytes_per_second(2 * source.nbytes, table.medians["copy (numpy)"])
        for name, (_, moved) in calls.items():
            rate = gigabytes_per_second(moved, table.medians[name])
            print(f"{name:24}{rate:7.1f} GB/s{100 * rate / copied:7.0f} % of the copy")
        print()


if __name__ == "__main__":
    main()
