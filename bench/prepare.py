"""The prepare stage beside what others do: a 24 MP picture to a 1024 x 1024 normalised tensor.

Run: `python -m bench.prepare [--runs N]` after `make bench-env`. All in one interleaved run, on one
thread each unless the name says otherwise. "rembg's way" is Pillow's Lanczos and its NumPy
normalisation in float64; torch's and OpenCV's forms do less (no Lanczos, no normalisation), and
Pillow's `reducing_gap` trades exactness for speed. "cold" gives memory back before every call, so
that the result's pages are touched for the first time.
"""

from __future__ import annotations

import argparse

import numpy as np
from PIL import Image

from bench import timing
from nssbg import _core
from nssbg._ops.prepare import IMAGENET_MEAN, IMAGENET_STD, prepare

HEIGHT, WIDTH, SIDE = 4000, 6000, 1024
TAPS_X = 6 * WIDTH / SIDE
TAPS_Y = 6 * HEIGHT / SIDE


def rembg_way(picture: np.ndarray) -> np.ndarray:
    """What rembg's sessions do before inference."""
    small = Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    values = np.array(small)
    values = values / max(float(np.max(values)), 1e-6)
    tensor = np.zeros((SIDE, SIDE, 3))
    for c in range(3):
        tensor[:, :, c] = (values[:, :, c] - IMAGENET_MEAN[c]) / IMAGENET_STD[c]
    return np.expand_dims(tensor.transpose((2, 0, 1)), 0).astype(np.float32)


def reduced(picture: np.ndarray) -> np.ndarray:
    """Pillow's shortcut: an integer reduction by box, then Lanczos from twice the size."""
    return np.asarray(
        Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.LANCZOS, reducing_gap=2.0)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs

    import cv2
    import torch
    import torch.nn.functional as functional

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    # H x W x 3 memory seen as N x C x H x W is what torch calls channels-last.
    tensor = torch.from_numpy(picture).permute(2, 0, 1)[None]
    out = np.zeros((1, 3, SIDE, SIDE), np.float32)

    def torch_uint8() -> object:
        return functional.interpolate(tensor, size=(SIDE, SIDE), mode="bilinear", antialias=True)

    def torch_two_threads() -> object:
        torch.set_num_threads(2)
        try:
            return torch_uint8()
        finally:
            torch.set_num_threads(1)

    def cold() -> object:
        _core.pool_trim()
        return prepare(picture)

    timing.print_header(
        f"prepare: {WIDTH} x {HEIGHT} x 3 uint8 to 3 x {SIDE} x {SIDE} float32, Lanczos",
        threads="1, or as the name says",
        pillow=Image.__version__,
        torch=torch.__version__,
        opencv=cv2.__version__,
    )
    multiply_adds = 3 * (HEIGHT * SIDE * TAPS_X + SIDE * SIDE * TAPS_Y)
    results = timing.interleaved(
        {
            "rembg's way (Pillow Lanczos + NumPy)": lambda: rembg_way(picture),
            "Pillow Lanczos alone": lambda: Image.fromarray(picture).resize(
                (SIDE, SIDE), Image.Resampling.LANCZOS
            ),
            "Pillow Lanczos, reducing_gap 2": lambda: reduced(picture),
            "torch uint8 antialiased bilinear": torch_uint8,
            "torch the same, 2 threads": torch_two_threads,
            "OpenCV INTER_AREA": lambda: cv2.resize(
                picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA
            ),
            "nssbg Lanczos, into a buffer": lambda: prepare(picture, out=out),
            "nssbg Lanczos, pooled result": lambda: prepare(picture),
            "nssbg Lanczos, cold memory": cold,
            "nssbg Lanczos, 2 threads": lambda: prepare(picture, out=out, threads=2),
            "nssbg Lanczos, uint8": lambda: prepare(picture, dtype="uint8"),
            "nssbg bilinear": lambda: prepare(picture, out=out, filter="bilinear"),
            "nssbg box": lambda: prepare(picture, out=out, filter="box"),
        },
        runs=runs,
        title="24 MP to 1024 x 1024",
        floors={"reading the picture once": timing.read_floor(picture.nbytes)},
    )
    fastest = results.minima
    ours = "nssbg Lanczos, into a buffer"
    torch_name = "torch uint8 antialiased bilinear"
    print("Ratios of minima, and of medians, in this run:")
    for name, over, under in (
        ("rembg's way / nssbg", "rembg's way (Pillow Lanczos + NumPy)", ours),
        ("torch bilinear / nssbg Lanczos", torch_name, ours),
        ("torch bilinear / nssbg bilinear", torch_name, "nssbg bilinear"),
        ("nssbg 1 thread / 2 threads", ours, "nssbg Lanczos, 2 threads"),
        ("torch 1 thread / 2 threads", torch_name, "torch the same, 2 threads"),
    ):
        medians = results.medians[over] / results.medians[under]
        print(f"  {name:<34}{fastest[over] / fastest[under]:6.2f} {medians:6.2f}")
    print(
        f"Of nssbg's Lanczos: {multiply_adds / 1e6:.0f} M multiply-adds, "
        f"{timing.gigaflops(2 * multiply_adds, fastest[ours]):.0f} G integer operations a second, "
        f"{timing.gigabytes_per_second(picture.nbytes, fastest[ours]):.1f} GB/s of input."
    )


if __name__ == "__main__":
    main()
