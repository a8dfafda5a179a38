"""How close a batch comes to what the cores allow: 40 JPEGs of 12 MP through `Remover.map`.

    python -m bench.pipeline [--images 40] [--megapixels 12] [--model studio] [--workers N]

The ideal is the CPU seconds that the process spent over the cores it may use: a run that keeps
every core busy from first to last reaches 100 %. Prints the stage table (wall and CPU seconds
per picture), where the workers' time went (running, ready to run while other processes had the
cores, blocked on the disk or a lock, without anything to do), and peak memory. On a machine that
other processes share, what counts is the share among the time that was to be had: the last line.
"""

from __future__ import annotations

import argparse
import contextlib
import resource
import tempfile
import threading
from pathlib import Path

import simplejpeg

import nssbg
from bench.photos import photograph
from bench.timing import Stopwatch
from nssbg import _core


def make_images(folder: Path, count: int, megapixels: float) -> list[Path]:
    """`count` different JPEGs: few distinct pictures, each mirrored or shifted, as shoots are."""
    paths = []
    for index in range(count):
        rgb = photograph(megapixels, seed=index % 4)
        if index % 2:
            rgb = rgb[:, ::-1].copy()
        path = folder / f"{index:03}.jpg"
        path.write_bytes(simplejpeg.encode_jpeg(rgb, quality=92, colorspace="RGB"))
        paths.append(path)
    return paths


def worker_times() -> dict[str, tuple[float, float]]:
    """Seconds on a core and seconds ready without one of each worker thread alive (Linux)."""
    times = {}
    for thread in threading.enumerate():
        if thread.name.startswith("nssbg-worker") and thread.native_id is not None:
            state = Path(f"/proc/self/task/{thread.native_id}/schedstat")
            with contextlib.suppress(OSError):  # it ended just now
                running, ready, _ = map(int, state.read_text().split())
                times[thread.name] = (running / 1e9, ready / 1e9)
    return times


def main() -> None:
    """Run once to warm up, once measured."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--images", type=int, default=40)
    parser.add_argument("--megapixels", type=float, default=12)
    parser.add_argument("--model", default="auto")
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--backend", default="auto")
    arguments = parser.parse_args()
    cores = _core.usable_cores()
    with (
        tempfile.TemporaryDirectory() as name,
        nssbg.Remover(arguments.model, backend=arguments.backend) as remover,
    ):
        folder = Path(name)
        paths = make_images(folder, arguments.images, arguments.megapixels)
        out = folder / "out"
        out.mkdir()
        settings = {
            "output": lambda path: out / f"{path.stem}.png",
            "workers": arguments.workers,
            "ordered": False,
        }
        for outcome in remover.map(paths[:4], **settings):
            outcome.result()
        watch = Stopwatch()
        stream = remover.map(paths, **settings)
        threads: dict[str, tuple[float, float]] = {}
        for outcome in stream:
            outcome.result()
            threads.update(worker_times())
        took = watch.read()
        cpu, wall = took.processor, took.wall
        report = stream.report()
    print(
        f"{arguments.images} JPEGs of {arguments.megapixels:g} MP to PNG, {cores} cores, "
        f"{report.workers} workers"
    )
    print(f"{'stage':16}{'wall ms/picture':>18}{'CPU ms/picture':>18}")
    for stage in report.stage_wall:
        print(
            f"{stage:16}{1000 * report.stage_wall[stage] / arguments.images:18.1f}"
            f"{1000 * report.stage_cpu[stage] / arguments.images:18.1f}"
        )
    ideal = cpu / cores
    print(f"wall {wall:.2f} s, {arguments.images / wall:.2f} pictures/s")
    print(f"CPU {cpu:.2f} s; over {cores} cores {ideal:.2f} s: {100 * ideal / wall:.1f} % of ideal")
    running = sum(one for one, _ in threads.values())
    ready = sum(other for _, other in threads.values())
    blocked = report.workers * wall - running - ready - report.waiting
    print(
        f"workers' {report.workers * wall:.2f} s: {running:.2f} running, {ready:.2f} ready while "
        f"others had the cores, {blocked:.2f} blocked, {report.waiting:.2f} with nothing to do"
    )
    print(f"of the time to be had {100 * running / (report.workers * wall - ready):.1f} % was used")
    print(f"peak RSS {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
