"""The prepare stage beside its peers: 24 MP to 1024 x 1024, interleaved in one run.

    python -m bench.prepare [--megapixels 24] [--size 1024] [--runs 9]

Peers: rembg's way (Pillow Lanczos, float64 NumPy), torch's uint8 channels-last antialiased
bilinear (which leaves out the normalisation), OpenCV's area filter for information. "cold" takes
a fresh result buffer in each call, "warm" one that the caller keeps.
"""

from __future__ import annotations

import argparse

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.photos import photograph
from bench.timing import interleaved, print_header, read_floor
from nssbg import _core, prepare

MEAN = np.array([0.485, 0.456, 0.406])
STD = np.array([0.229, 0.224, 0.225])


def rembg_way(rgb: NDArray[np.uint8], size: int) -> NDArray[np.float32]:
    """What rembg 2.0 does to a picture before its session runs, step by step."""
    small = Image.fromarray(rgb).convert("RGB").resize((size, size), Image.Resampling.LANCZOS)
    values = np.array(small)
    values = values / max(float(values.max()), 1e-6)
    normalised = np.zeros((size, size, 3))
    for channel in range(3):
        normalised[:, :, channel] = (values[:, :, channel] - MEAN[channel]) / STD[channel]
    return np.expand_dims(normalised.transpose(2, 0, 1), 0).astype(np.float32)


def main() -> None:
    """Time and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--megapixels", type=float, default=24)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--runs", type=int, default=9)
    arguments = parser.parse_args()
    rgb = photograph(arguments.megapixels)
    size = (arguments.size, arguments.size)
    print_header("prepare", threads="1 and 2", pixels=f"{rgb.shape[1]} x {rgb.shape[0]}")
    out = np.empty((1, 3, *size), np.float32)
    calls = {
        "rembg's way": lambda: rembg_way(rgb, arguments.size),
        "lanczos, 1 thread, warm": lambda: prepare(rgb, size, out=out),
        "lanczos, 1 thread, cold": lambda: prepare(rgb, size),
        "lanczos, 2 threads, warm": lambda: prepare(rgb, size, out=out, threads=2),
        "bilinear, 1 thread, warm": lambda: prepare(rgb, size, filter="bilinear", out=out),
        "box, 1 thread, warm": lambda: prepare(rgb, size, filter="box", out=out),
    }
    try:
        import torch

        torch.set_num_threads(1)
        planes = torch.from_numpy(rgb).permute(2, 0, 1)[None]

        def torch_bilinear() -> object:
            return torch.nn.functional.interpolate(
                planes, size, mode="bilinear", antialias=True, align_corners=False
            )

        calls["torch uint8 bilinear, 1 thread"] = torch_bilinear
    except ImportError:
        print("torch is not installed: left out")
    try:
        import cv2

        cv2.setNumThreads(1)
        calls["OpenCV area, 1 thread"] = lambda: cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    except ImportError:
        print("OpenCV is not installed: left out")
    for level in (None, *_core.isa_levels()):
        _core.set_isa(level or "auto")
        title = f"ISA {level or _core.isa()}" + ("" if level else " (default)")
        # Every level once shows what each is worth; peers run beside the default only.
        chosen = calls if level is None else {k: calls[k] for k in list(calls)[:2]}
        interleaved(
            chosen, runs=arguments.runs, title=title, floors={"read once": read_floor(rgb.nbytes)}
        )


if __name__ == "__main__":
    main()
