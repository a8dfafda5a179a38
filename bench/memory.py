"""Memory of one picture, of a thousand, and under `max_memory`: peak resident bytes.

    python -m bench.memory single [--megapixels 24] [--model nssbg-lite]
    python -m bench.memory many [--pictures 1000] [--megapixels 0.3 4]
    python -m bench.memory bound [--pictures 24] [--megapixels 12] [--bound-mb 400 800]

Each measurement runs in a process of its own. `single` is a JPEG to a PNG: its peak over the same
process with its modules loaded and the model open ("bare"), and over an empty interpreter. `many`
puts pictures of mixed sizes through `Remover.map` and samples what the process holds after each:
the worst of the last hundred beside the worst of the first. `bound` runs a batch under each
`max_memory` and without, with as many workers as the bound could be broken by.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.timing import Stopwatch

MB = 1 << 20


def status(field: str) -> int:
    """VmRSS or VmHWM of this process, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    raise SystemExit("no /proc/self/status: this bench needs Linux")


def reset_peak() -> None:
    """Let VmHWM begin anew at what is held now."""
    Path("/proc/self/clear_refs").write_text("5")


def jpeg(path: Path, megapixels: float, seed: int = 0, example: str = "headphones") -> None:
    """A photograph with grain as a JPEG file."""
    import simplejpeg

    from bench.photos import photograph

    rgb = photograph(megapixels, seed=seed, example=example)
    path.write_bytes(simplejpeg.encode_jpeg(rgb, quality=92, colorspace="RGB"))


def single(folder: Path, arguments: argparse.Namespace) -> dict[str, float]:
    """One picture from file to file in this process, after the model was opened."""
    empty = status("VmRSS")
    import nssbg

    with nssbg.Remover(arguments.model) as remover:
        # Opens the model and loads every module on the way, on a picture too small to matter.
        remover.remove(folder / "small.jpg", folder / "small.png")
        gc.collect()
        nssbg._core.pool_trim()
        bare = status("VmRSS")
        reset_peak()
        remover.remove(folder / "large.jpg", folder / "large.png")
        peak = status("VmHWM")
    return {"empty": empty / MB, "bare": bare / MB, "peak": peak / MB}


def many(folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """A long batch; what the process holds is sampled after each picture."""
    import nssbg

    sources = sorted(folder.glob("*.jpg"))
    order = random.Random(7)
    held: list[int] = []
    with nssbg.Remover(arguments.model) as remover:
        results = remover.map(
            (order.choice(sources) for _ in range(arguments.pictures)),
            output=lambda source: folder / f"{source.stem}.png",
            workers=arguments.workers,
        )
        for outcome in results:
            outcome.result()
            held.append(status("VmRSS"))
    hundreds = [max(held[i : i + 100]) / MB for i in range(0, len(held), 100)]
    return {"hundreds": hundreds}


def bound(folder: Path, arguments: argparse.Namespace) -> dict[str, float]:
    """A batch under a bound (0: none)."""
    import nssbg

    sources = [folder / "large.jpg"] * arguments.pictures
    limit = arguments.bound_mb[0] * MB
    with nssbg.Remover(arguments.model) as remover:
        remover.remove(folder / "small.jpg", folder / "small.png")
        list(remover.map([folder / "small.jpg"] * 4, output=lambda _: folder / "small.png"))
        nssbg._core.pool_trim()
        gc.collect()
        bare = status("VmRSS")
        reset_peak()
        watch = Stopwatch()
        numbers = iter(range(arguments.pictures))
        results = remover.map(
            sources,
            output=lambda _: folder / f"large-{next(numbers)}.png",
            workers=arguments.workers,
            max_memory=limit or None,
        )
        for outcome in results:
            outcome.result()
        seconds = watch.read().wall
        peak = status("VmHWM")
    return {"bare": bare / MB, "peak": peak / MB, "seconds": seconds}


KINDS: dict[str, Callable[[Path, argparse.Namespace], dict[str, Any]]] = {
    "single": single,
    "many": many,
    "bound": bound,
}


def in_own_process(kind: str, folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Run one measurement in a fresh interpreter and return its figures."""
    command = [sys.executable, "-m", "bench.memory", kind, "--folder", str(folder)]
    command += ["--model", arguments.model, "--images", str(arguments.pictures)]
    command += ["--workers", str(arguments.workers)]
    command += ["--bound-mb", *map(str, arguments.bound_mb)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{kind} failed:\n{done.stderr}")
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def main() -> None:
    """Make the pictures, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--megapixels", type=float, nargs="+")
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--model", default="nssbg-lite")
    parser.add_argument("--workers", type=int, default=0, help="0: the cores; bound: 4")
    parser.add_argument("--bound-mb", type=int, nargs="+", default=[0, 400, 800])
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.kind == "bound":
        arguments.workers = arguments.workers or 4
    if arguments.folder:
        print(json.dumps(KINDS[arguments.kind](arguments.folder, arguments)))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if arguments.kind == "many":
            low, high = arguments.megapixels or (0.3, 4)
            for index in range(24):
                size = low * (high / low) ** (index / 23)
                jpeg(folder / f"{index:02}.jpg", size, seed=index % 4)
            hundreds = in_own_process("many", folder, arguments)["hundreds"]
            print(f"{arguments.pictures} JPEGs of {low:g} to {high:g} MP, {arguments.model}")
            print("most MB held in each hundred:", *(f"{one:.0f}" for one in hundreds))
            growth = max(hundreds[1:]) / hundreds[0]
            print(f"worst hundred after the first, over the first: {growth:.3f}")
            return
        megapixels = (arguments.megapixels or [24 if arguments.kind == "single" else 12])[0]
        jpeg(folder / "small.jpg", 0.1)
        jpeg(folder / "large.jpg", megapixels)
        if arguments.kind == "single":
            one = in_own_process("single", folder, arguments)
            print(f"one JPEG of {megapixels:g} MP to PNG, {arguments.model}")
            print(f"  peak {one['peak']:.0f} MB")
            print(
                f"  over the process with the model open ({one['bare']:.0f} MB): "
                f"{one['peak'] - one['bare']:.0f} MB"
            )
            print(
                f"  over an empty interpreter ({one['empty']:.0f} MB): "
                f"{one['peak'] - one['empty']:.0f} MB"
            )
            return
        print(f"{arguments.pictures} JPEGs of {megapixels:g} MP, {arguments.workers} workers")
        for limit in arguments.bound_mb:
            arguments.bound_mb = [limit]
            one = in_own_process("bound", folder, arguments)
            name = f"max_memory {limit} MB" if limit else "no bound"
            print(
                f"  {name}: peak {one['peak'] - one['bare']:.0f} MB over {one['bare']:.0f} MB, "
                f"{one['seconds']:.1f} s"
            )


if __name__ == "__main__":
    main()
