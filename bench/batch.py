"""What a batch costs beside the cutting out: `nssbg.Batch` against a bare `Remover.map`.

    python -m bench.batch [--pictures 40] [--megapixels 12] [--model auto] [--rounds 3]
    python -m bench.batch --rss 2000
    python -m bench.batch --rembg u2netp.onnx [--matting]

Both write the same pixels as PNG through the same writer, flushed to disk; the batch reads and
hashes each input, measures and judges each result, validates and hashes each output, keeps the
manifest and its journal, makes thumbnails and writes the report. They take turns in one process
with one open model. On a machine that other processes share, the processor time is what counts.
`--rss` prints the resident memory over many small pictures; `--rembg` runs `rembg p` over the same
folder with the same graph (see bench/rembg_whole.py for what the graph is), `--matting` both with
the closed-form matting Laplacian solved: `rembg p -a` beside `--refine matting`.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import nssbg
from bench.pipeline import make_images
from bench.timing import Stopwatch, spent


def bare(remover: nssbg.Remover, paths: list[Path], out: Path) -> None:
    """`Remover.map` to files."""
    stream = remover.map(
        paths, output=lambda path: out / f"{path.stem}.png", ordered=False, autotune=False
    )
    for outcome in stream:
        outcome.result()


def batch(remover: nssbg.Remover, folder: Path, out: Path, *, report: bool) -> nssbg.Batch:
    """The same pictures as a batch, with the remover that is open already."""
    made = nssbg.Batch(folder, out, report=report, model=remover._settings.model)
    made._remover = remover
    for row in made:
        assert row.status == "done", row.error
    return made


def overhead(arguments: argparse.Namespace) -> None:
    """Interleaved rounds; prints wall and processor time a picture, and the overhead."""
    with tempfile.TemporaryDirectory() as name, nssbg.Remover(arguments.model) as remover:
        folder = Path(name) / "in"
        folder.mkdir()
        paths = make_images(folder, arguments.pictures, arguments.megapixels)
        out = Path(name) / "out"
        runs = {
            "bare map": lambda: bare(remover, paths, out),
            "batch, no report": lambda: batch(remover, folder, out, report=False),
            "batch": lambda: batch(remover, folder, out, report=True),
        }
        times: dict[str, list[tuple[float, float]]] = {which: [] for which in runs}
        for number in range(arguments.rounds + 1):
            order = list(runs)[number % 3 :] + list(runs)[: number % 3]
            for which in order:
                shutil.rmtree(out, ignore_errors=True)
                out.mkdir()
                os.sync()
                took = spent(runs[which])
                if number:  # the first round opens the model and touches the memory
                    times[which].append((took.wall, took.processor))
    count = arguments.pictures
    print(f"{count} JPEGs of {arguments.megapixels:g} MP to PNG, {arguments.rounds} rounds, "
          f"load {os.getloadavg()[0]:.1f}")  # fmt: skip
    base = times["bare map"]
    for which, list_ in times.items():
        wall = statistics.median(one for one, _ in list_) / count
        cpu = statistics.median(one for _, one in list_) / count
        over = [
            statistics.median(
                mine[place] / its[place] for mine, its in zip(list_, base, strict=True)
            )
            for place in (0, 1)
        ]
        print(f"  {which:16} {wall * 1000:7.1f} ms  {cpu * 1000:7.1f} CPU ms a picture   "
              f"{over[0] - 1:+6.1%} wall  {over[1] - 1:+6.1%} CPU")  # fmt: skip


def resident() -> float:
    """Resident memory now, in MB (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def rss(arguments: argparse.Namespace) -> None:
    """Resident memory over many small pictures: the most over the first 200, and over all."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "in"
        folder.mkdir()
        (first, *_) = make_images(folder, 1, 0.25)
        for number in range(1, arguments.rss):
            # Other bytes each, for the manifest; the same work.
            (folder / f"{number:05}.jpg").write_bytes(first.read_bytes() + b"%d" % number)
        most, early = 0.0, 0.0
        made = nssbg.Batch(folder, Path(name) / "out", model=arguments.model, jobs=2, report=False)
        for number, _ in enumerate(made, 1):
            most = max(most, resident())
            if number == min(200, arguments.rss):
                early = most
    print(
        f"{arguments.rss} JPEGs of 0.25 MP, 2 workers: at most {early:.0f} MB over the first 200, "
        f"{most:.0f} MB over all ({most / early - 1:+.1%})"
    )


def against_rembg(arguments: argparse.Namespace) -> None:
    """`rembg p` and `nssbg batch` over the same folder, whole commands."""
    from bench.rembg_whole import SIDECAR, environment

    graph = arguments.rembg.resolve()
    sidecar = graph.with_name(graph.name + ".toml")
    if not sidecar.exists():
        sidecar.write_text(SIDECAR)
    extra = '{"model_path": "' + str(graph) + '"}'
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "in"
        folder.mkdir()
        make_images(folder, arguments.pictures, arguments.megapixels)
        tool = shutil.which("rembg", path=str(Path(sys.executable).parent)) or "rembg"
        lines = {
            "rembg p": [tool, "p", "-m", "u2net_custom", "-x", extra],
            "nssbg batch": [sys.executable, "-m", "nssbg.cli.main", "batch", "--quiet",
                            "--model", str(graph)],
        }  # fmt: skip
        if arguments.matting:
            lines["rembg p"].append("-a")
            lines["nssbg batch"] += ["--refine", "matting"]
        best = dict.fromkeys(lines, float("inf"))
        for number in range(arguments.rounds):
            for which, line in lines.items():
                out = Path(name) / f"{which}-{number}"
                out.mkdir()
                watch = Stopwatch()
                subprocess.run(
                    [*line, str(folder), str(out)],
                    env=environment(graph),
                    stdout=subprocess.DEVNULL,
                    check=which == "rembg p",  # random weights: some results are no cut-outs
                )
                best[which] = min(best[which], watch.read().wall)
                shutil.rmtree(out)
    how = ", with matting" if arguments.matting else ""
    print(
        f"{arguments.pictures} JPEGs of {arguments.megapixels:g} MP{how}, "
        f"load {os.getloadavg()[0]:.1f}"
    )
    for which, seconds in best.items():
        print(f"  {which:12} {arguments.pictures / seconds:7.3f} pictures/s")
    print(f"  nssbg batch is {best['rembg p'] / best['nssbg batch']:.1f} times as fast")


def main() -> None:
    """Parse and run one of the three."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--pictures", type=int, default=40)
    parser.add_argument("--megapixels", type=float, default=12)
    parser.add_argument("--model", default="auto")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rss", type=int, metavar="COUNT", help="memory over COUNT pictures")
    parser.add_argument("--rembg", type=Path, metavar="GRAPH", help="against `rembg p`")
    parser.add_argument("--matting", action="store_true", help="of --rembg: `rembg p -a`")
    arguments = parser.parse_args()
    if arguments.rss:
        rss(arguments)
    elif arguments.rembg:
        against_rembg(arguments)
    else:
        overhead(arguments)


if __name__ == "__main__":
    main()
