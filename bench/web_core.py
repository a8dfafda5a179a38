"""The core in WebAssembly beside the native one: each stage of one picture, and the modules' bytes.

    make web
    python -m bench.web_core [examples/mug.jpg] [--rounds 5] [--base web/dist/core]

Native at one thread and at two, then every build in Node; the least of all rounds. --base takes the
builds from another folder, for a compiler or flags to be tried. segment is the bundled network on
onnxruntime-web, one thread.
"""

from __future__ import annotations

import argparse
import gzip
import json
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench.timing import print_header, spent
from nssbg import _core, _io
from nssbg._ops.prepare import prepare

ROOT = Path(__file__).resolve().parents[1]
BUILDS = [("plain", 1), ("simd", 1), ("simd-threads", 1), ("simd-threads", 2)]
STAGES = (
    "load",
    "studio",
    "prepare",
    "segment",
    "refine guided",
    "refine matting",
    "foreground",
    "png",
)


def native(image: Any, coarse: Any, threads: int, rounds: int) -> dict[str, float]:
    alpha = _core.refine(image, coarse, None, "guided", threads, 512)[0]
    rgba = _core.decontaminate(image, alpha, None, threads=threads)
    work: dict[str, Callable[[], Any]] = {
        "studio": lambda: _core.studio_alpha(image, "auto", False, threads, 0.0),
        "prepare": lambda: prepare(image, (384, 384), filter="bilinear", threads=threads),
        "refine guided": lambda: _core.refine(image, coarse, None, "guided", threads, 512),
        "refine matting": lambda: _core.refine(image, coarse, None, "matting", threads, 512),
        "foreground": lambda: _core.decontaminate(image, alpha, None, threads=threads),
        "png": lambda: _core.png_encode(rgba, "default", b"", threads),
    }
    return {
        stage: min(spent(run).wall for _ in range(rounds)) * 1000 for stage, run in work.items()
    }


def in_node(folder: Path, base: Path, build: str, threads: int, rounds: int) -> dict[str, Any]:
    command = ["node", ROOT / "bench" / "web_core.js", folder, base, build, threads, rounds]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True)
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def write_inputs(folder: Path, image: Any, coarse: Any) -> None:
    sizes = {}
    for name, array in (("image", image), ("coarse", coarse)):
        (folder / f"{name}.bin").write_bytes(np.ascontiguousarray(array).tobytes())
        height, width, channels = (*array.shape, 1)[:3]
        sizes[name] = {"height": height, "width": width, "channels": channels}
    (folder / "sizes.json").write_text(json.dumps(sizes))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("picture", nargs="?", type=Path, default=ROOT / "examples" / "mug.jpg")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--base", type=Path, default=ROOT / "web" / "dist" / "core")
    asked = parser.parse_args()
    print_header("web_core", threads=2)
    image = _io.decode(asked.picture).rgb
    alpha = _core.studio_alpha(image, "auto", False, 1, 0.0)[0]
    rows, columns = (np.arange(384) * size // 384 for size in alpha.shape)
    coarse = np.ascontiguousarray(alpha[np.ix_(rows, columns)])
    print(f"{asked.picture.name}, {image.shape[1]} x {image.shape[0]}, ms, least of {asked.rounds}")
    print(f"{'':22}" + "".join(f"{stage:>15}" for stage in STAGES) + f"{'memory MB':>12}")

    def show(name: str, times: dict[str, float], memory: str) -> None:
        cells = "".join(f"{times[s]:15.1f}" if s in times else f"{'':>15}" for s in STAGES)
        print(f"{name:22}{cells}{memory:>12}", flush=True)

    for threads in (1, 2):
        show(f"native, {threads}", native(image, coarse, threads, asked.rounds), "")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_inputs(folder, image, coarse)
        for build, threads in BUILDS:
            if (asked.base / build).is_dir():
                told = in_node(folder, asked.base, build, threads, asked.rounds)
                show(f"{build}, {threads}", told["least"], f"{told['memory'] / 2**20:.0f}")
    for path in sorted(asked.base.glob("*/nssbg-core*")):
        if path.suffix != ".cjs":
            packed = len(gzip.compress(path.read_bytes(), 9))
            print(f"{path.relative_to(asked.base)}: {path.stat().st_size} bytes, {packed} by gzip")


if __name__ == "__main__":
    main()
