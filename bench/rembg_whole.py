"""nssbg against rembg as a whole: the same network, JPEG files to PNG files, on this machine.

    python -m bench.rembg_whole --graph u2netp.onnx [--images 20] [--megapixels 4 12]
    python -m bench.rembg_whole --graph u2netp.onnx --command

Both run the same architecture-true U2-Net-p graph with random weights at 320 x 320, so what
differs is everything around the network. rembg runs as its users run it in a loop: one session,
`remove(bytes)`, naive cut-out. nssbg runs `Remover.map` with its refinement and its
decontamination on. Each runs in a process of its own, so that peak memory is its own; the two
take turns. Random weights give a fog instead of a mask: the worst case for nssbg, whose work
grows with the soft band.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.timing import Stopwatch

SIDECAR = """\
name = "u2netp-random"
size = 320
mean = [0.485, 0.456, 0.406]
std = [0.229, 0.224, 0.225]
filter = "lanczos"
range = "minmax"
license = "Apache-2.0"
commercial = true
"""


def run_rembg(graph: Path, sources: list[Path], out: Path) -> None:
    """rembg's own loop over files, its session opened once."""
    import rembg

    session = rembg.new_session("u2net_custom", model_path=str(graph))
    start_clock()
    for source in sources:
        (out / f"{source.stem}.png").write_bytes(rembg.remove(source.read_bytes(), session=session))


def run_nssbg(graph: Path, sources: list[Path], out: Path) -> None:
    """nssbg's batch over the same files."""
    import nssbg

    with nssbg.Remover(str(graph)) as remover:
        # Opening the model is outside the clock for both.
        remover.remove(sources[0].read_bytes())
        start_clock()
        for outcome in remover.map(sources, output=lambda path: out / f"{path.stem}.png"):
            outcome.result()


_clock: list[Stopwatch] = []


def start_clock() -> None:
    """From here on time counts."""
    _clock[:] = [Stopwatch()]


def worker(which: str, graph: Path, folder: Path, out: Path) -> None:
    """Run one of the two over a folder and print its figures as JSON."""
    sources = sorted(folder.glob("*.jpg"))
    {"rembg": run_rembg, "nssbg": run_nssbg}[which](graph, sources, out)
    took = _clock[0].read()
    print(
        json.dumps(
            {
                "pictures": len(sources),
                "wall": took.wall,
                "cpu": took.processor,
                "rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            }
        )
    )


def environment(graph: Path) -> dict[str, str]:
    """What rembg needs to take a graph of one's own: no checksum, and its folder as its home."""
    home = str(graph.resolve().parent)
    return {
        **os.environ,
        "MODEL_CHECKSUM_DISABLED": "1",
        "ORT_DISABLE_TELEMETRY": "1",  # nothing leaves, also of the peer
        "U2NET_HOME": home,
        "REMBG_HOME": home,
    }


# rembg's own command does this after more imports; it is spared them.
ONE_BY_REMBG = """\
import sys, rembg
graph, source, target = sys.argv[1:]
session = rembg.new_session("u2net_custom", model_path=graph)
with open(source, "rb") as file, open(target, "wb") as out:
    out.write(rembg.remove(file.read(), session=session))
"""


def command(which: str, graph: Path, source: Path, target: Path) -> dict[str, float]:
    """One picture, from command to file: wall and CPU seconds."""
    lines = {
        "rembg": [sys.executable, "-c", ONE_BY_REMBG, str(graph), str(source), str(target)],
        "nssbg": [
            *(sys.executable, "-m", "nssbg.cli.main", "remove", "--model", str(graph)),
            *(str(source), str(target), "--overwrite"),
        ],
    }
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    watch = Stopwatch()
    subprocess.run(lines[which], env=environment(graph), check=True, stdout=subprocess.DEVNULL)
    wall = watch.read().wall
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall": wall, "cpu": cpu}


def compare_commands(graph: Path, megapixels: float, rounds: int) -> None:
    """One picture by each in turn, caches warm; prints both and the ratio."""
    from bench.pipeline import make_images

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (source,) = make_images(folder, 1, megapixels)
        runs: dict[str, list[dict[str, float]]] = {"rembg": [], "nssbg": []}
        for _ in range(rounds + 1):
            for which, list_ in runs.items():
                list_.append(command(which, graph, source, folder / f"{which}.png"))
    print(f"one JPEG of {megapixels:g} MP from command to file, best of {rounds} after a first")
    best = {
        which: {key: min(run[key] for run in list_[1:]) for key in ("wall", "cpu")}
        for which, list_ in runs.items()
    }
    for which, run in best.items():
        print(f"  {which:6} {run['wall']:6.2f} s, {run['cpu']:6.2f} CPU s")
    print(f"  nssbg is {best['rembg']['wall'] / best['nssbg']['wall']:.1f} times as fast")


def measure(which: str, graph: Path, folder: Path) -> dict[str, float]:
    """One of the two in a fresh process."""
    with tempfile.TemporaryDirectory() as out:
        line = [sys.executable, "-m", "bench.rembg_whole", "--worker", which]
        done = subprocess.run(
            [*line, "--graph", str(graph), "--folder", str(folder), "--out", out],
            capture_output=True,
            text=True,
            check=False,
            env=environment(graph),
        )
        if done.returncode:
            sys.exit(f"{which} failed:\n{done.stderr}")
        return json.loads(done.stdout.splitlines()[-1])


def compare(graph: Path, megapixels: float, count: int, rounds: int) -> None:
    """Both in turn over the same pictures; prints a row each and the ratio."""
    from bench.pipeline import make_images

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_images(folder, count, megapixels)
        results: dict[str, list[dict[str, float]]] = {"rembg": [], "nssbg": []}
        for _ in range(rounds):
            for which, list_ in results.items():
                list_.append(measure(which, graph, folder))
    best = {which: min(runs, key=lambda run: run["wall"]) for which, runs in results.items()}
    print(f"{count} JPEGs of {megapixels:g} MP, best of {rounds} interleaved rounds")
    for which, run in best.items():
        print(
            f"  {which:6} {run['pictures'] / run['wall']:7.2f} pictures/s "
            f"{run['cpu'] / run['pictures']:7.2f} CPU s/picture  peak {run['rss']:6.0f} MB"
        )
    print(f"  nssbg is {best['rembg']['wall'] / best['nssbg']['wall']:.1f} times as fast")


def main() -> None:
    """Parse, make the graph where none is given, compare."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--images", type=int, default=20)
    parser.add_argument("--megapixels", type=float, nargs="+", default=[4, 12])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--graph", type=Path, required=True, help="an ONNX file, 320 x 320 in")
    parser.add_argument("--command", action="store_true", help="one picture, command to file")
    parser.add_argument("--worker", choices=("rembg", "nssbg"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        worker(arguments.worker, arguments.graph, arguments.folder, arguments.out)
        return
    sidecar = arguments.graph.with_name(arguments.graph.name + ".toml")
    if not sidecar.exists():
        sidecar.write_text(SIDECAR)
    for megapixels in arguments.megapixels:
        if arguments.command:
            compare_commands(arguments.graph, megapixels, arguments.rounds)
        else:
            compare(arguments.graph, megapixels, arguments.images, arguments.rounds)


if __name__ == "__main__":
    main()
