"""One JPEG from file to file on one thread: what each compression costs of the whole, and what is
saved where only the alpha is wanted.

    python -m bench.whole_or_part [--megapixels 12] [--model nssbg-lite studio] [--rounds 7]

In: a JPEG of the bench's photograph. Out: CPU and wall milliseconds (best of the rounds, taken in
turn) and bytes for PNG results with each compression, and for the alpha beside the full RGBA
with the photograph's own colours, with the bytes that each keeps in memory.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import simplejpeg

import nssbg
from bench.photos import photograph
from bench.timing import spent
from nssbg._vocabulary import COMPRESSIONS, Compression

Bytes = npt.NDArray[np.uint8]


def best(steps: dict[str, Callable[[], int]], rounds: int) -> dict[str, tuple[float, float, int]]:
    """Name -> least wall and CPU milliseconds, and what the step returned."""
    found: dict[str, tuple[float, float, int]] = {}
    for _ in range(rounds + 1):  # the first also opens the model and fills the pool
        for name, step in steps.items():
            took = spent(step)
            wall, cpu, size = took.wall * 1e3, took.processor * 1e3, took.result
            before = found.get(name, (wall, cpu, size))
            found[name] = min(wall, before[0]), min(cpu, before[1]), size
    return found


def steps_of(remover: nssbg.Remover, source: Path, rgb: Bytes) -> dict[str, Callable[[], int]]:
    """What is timed, by name; each returns the bytes that it made."""
    cutout = remover.cutout(source)

    def whole(compression: Compression) -> int:
        return len(remover.cutout(source).encode(compression=compression, threads=1))

    def encoding(compression: Compression) -> int:
        return len(cutout.encode(compression=compression, threads=1))

    return {
        **{f"png, {name}": partial(whole, name) for name in COMPRESSIONS},
        **{f"encoding alone, {name}": partial(encoding, name) for name in COMPRESSIONS},
        "alpha of an array": lambda: remover.alpha(rgb).nbytes,
        "the same by RGBA": lambda: remover.cutout(rgb, decontaminate="off").rgba.nbytes,
    }


def main() -> None:
    """Print a table for each model."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--megapixels", type=float, default=12)
    parser.add_argument("--model", nargs="+", default=["nssbg-lite", "studio"])
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "photo.jpg"
        rgb = photograph(arguments.megapixels)
        source.write_bytes(simplejpeg.encode_jpeg(rgb, quality=92, colorspace="RGB"))
        for model in arguments.model:
            steps = steps_of(nssbg.Remover(model, threads=1), source, rgb)
            print(f"{model}, {rgb.shape[1]} x {rgb.shape[0]}: wall ms, CPU ms, bytes")
            for name, (wall, cpu, size) in best(steps, arguments.rounds).items():
                print(f"  {name:24} {wall:8.1f} {cpu:8.1f} {size:12,}")


if __name__ == "__main__":
    main()
