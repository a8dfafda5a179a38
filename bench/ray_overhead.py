"""What a Ray cluster costs: throughput, bytes moved, and the object store's memory.

    python -m bench.ray_overhead [--pictures 24] [--megapixels 4] [--model auto] [--rounds 2]
    python -m bench.ray_overhead bytes      # of a picture, to and from an S3 server
    python -m bench.ray_overhead memory     # of Ray's object store, 24 MP pictures through it

The first runs the same pictures by `Remover.map` and `nssbg.Batch` on two threads and by
`nssbg.ray.RayBatch` on one and two workers of a cluster on this machine, folders in and out. Each
way runs once and three times the pictures: what starting takes is the same in both, and the
difference is what a picture costs in a long run. On a machine that others share, the processor time
is what counts; it is that of all processes, Ray's own included. The second counts requests and
bytes by a proxy before moto's server. The third samples what Ray's object store holds while whole
files go through it (`read_binary_files`), and says its limit. Needs the group cloud (make test-ray
brings it).
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import nssbg
from bench.pipeline import make_images
from bench.timing import Stopwatch, print_header


class Processors:
    """Processor seconds of this process and of all that it started, those that ended included."""

    def __init__(self) -> None:
        self._seconds: dict[int, float] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Processors:
        self._look()
        self._before = dict(self._seconds)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._look()
        self.seconds = sum(
            seconds - self._before.get(pid, 0.0) for pid, seconds in self._seconds.items()
        )

    def _sample(self) -> None:
        while not self._ended.wait(0.2):
            self._look()

    def _look(self) -> None:
        parents: dict[int, tuple[int, float]] = {}
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                try:
                    fields = (folder / "stat").read_text().rpartition(")")[2].split()
                except OSError:
                    continue
                ticks = int(fields[11]) + int(fields[12])
                parents[int(folder.name)] = (int(fields[1]), ticks / os.sysconf("SC_CLK_TCK"))
        own = os.getpid()
        for pid, (_, seconds) in parents.items():
            above = pid
            while above not in (0, own):
                above = parents.get(above, (0, 0.0))[0]
            if above == own:
                self._seconds[pid] = seconds


def copies(paths: list[Path], folder: Path, times: int) -> Path:
    """The pictures under other names, so many times; links to the same bytes."""
    folder.mkdir()
    for number in range(times):
        for path in paths:
            os.link(path, folder / f"{number}-{path.name}")
    return folder


def bare(folder: Path, out: Path, model: str) -> None:
    with nssbg.Remover(model, threads=2) as remover:
        for outcome in remover.map(
            sorted(folder.iterdir()),
            output=lambda path: out / f"{path.stem}.png",
            ordered=False,
            autotune=False,
        ):
            outcome.result()


def batch(folder: Path, out: Path, model: str) -> None:
    made = nssbg.Batch(folder, out, model=model, threads=2, report=False)
    assert {row.status for row in made} == {"done"}


def on_ray(folder: Path, out: Path, model: str, workers: int) -> None:
    from nssbg.ray import RayBatch

    made = RayBatch(folder, out, model=model, report=False)
    assert {row.status for row in made.on(workers=workers, batch_size=8)} == {"done"}


def throughput(arguments: argparse.Namespace) -> None:
    """Seconds a picture of each way, without what starting takes."""
    import ray

    from nssbg.ray.cluster import join

    ways: dict[str, Callable[[Path, Path], None]] = {
        "Remover.map, 2 threads": lambda a, b: bare(a, b, arguments.model),
        "nssbg.Batch, 2 threads": lambda a, b: batch(a, b, arguments.model),
        "RayBatch, 1 worker": lambda a, b: on_ray(a, b, arguments.model, 1),
        "RayBatch, 2 workers": lambda a, b: on_ray(a, b, arguments.model, 2),
    }
    print_header("Ray's overhead", threads=2, model=arguments.model, pictures=arguments.pictures)
    times: dict[str, list[tuple[tuple[float, float], ...]]] = {name: [] for name in ways}
    join(None)
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        (top / "of").mkdir()
        paths = make_images(top / "of", arguments.pictures, arguments.megapixels)
        folders = (copies(paths, top / "few", 1), copies(paths, top / "many", 3))
        for _ in range(arguments.rounds):
            for way, run in ways.items():
                took = []
                for folder in folders:
                    out = top / "out"
                    out.mkdir()
                    watch = Stopwatch()
                    with Processors() as processors:
                        run(folder, out)
                    took.append((watch.read().wall, processors.seconds))
                    shutil.rmtree(out)
                times[way].append((took[0], took[1]))
                shown = "; ".join(
                    f"{wall:.1f} s, {busy:.1f} s of processors" for wall, busy in took
                )
                print(f"  {way:24} {shown}", flush=True)
    ray.shutdown()
    print(f"{'medians, a picture':24} {'wall':>9} {'processors':>11} {'beside map':>11}")
    reference = 0.0
    more = 2 * arguments.pictures
    for way, pairs in times.items():
        wall, busy = (
            statistics.median((many[which] - few[which]) / more for few, many in pairs)
            for which in (0, 1)
        )
        reference = reference or busy
        print(f"{way:24} {wall * 1e3:6.0f} ms {busy * 1e3:8.0f} ms {busy / reference - 1:11.1%}")


def moved(arguments: argparse.Namespace) -> None:
    """Requests and bytes of a picture, by a proxy before an S3 server."""
    from object_store import Faults, environment, faulty, make_bucket, s3_server

    counted = Faults()
    with (
        tempfile.TemporaryDirectory() as name,
        s3_server() as server,
        faulty(server, counted) as endpoint,
    ):
        os.environ.update(environment(endpoint))
        os.environ["NSSBG_HOME"] = f"{name}/home"
        make_bucket(endpoint, "shop")
        folder = Path(name) / "in"
        folder.mkdir()
        paths = make_images(folder, arguments.pictures, arguments.megapixels)
        import s3fs

        store = s3fs.S3FileSystem()
        for path in paths:
            store.pipe_file(f"shop/in/{path.name}", path.read_bytes())
        read = sum(path.stat().st_size for path in paths) / len(paths)
        print(f"{len(paths)} pictures of {arguments.megapixels:g} MP, {read / 1e6:.2f} MB each")
        for engine in ("local", "ray"):
            out = f"s3://shop/{engine}"
            counted.counts.clear()
            counted.bytes.update(up=0, down=0)
            if engine == "local":
                made = nssbg.Batch("s3://shop/in", out, model=arguments.model, report=False)
            else:
                from nssbg.ray import RayBatch

                made = RayBatch("s3://shop/in", out, model=arguments.model, report=False)
                made.on(workers=1, batch_size=8)
            rows = list(made)
            assert {row.status for row in rows} == {"done"}
            written = statistics.fmean(row.bytes for row in rows)
            each = {key: value / len(rows) for key, value in counted.counts.items()}
            print(
                f"{engine:6} down {counted.bytes['down'] / len(rows) / 1e6:.2f} MB, up "
                f"{counted.bytes['up'] / len(rows) / 1e6:.2f} MB a picture, outputs "
                f"{written / 1e6:.2f} MB; requests: "
                + ", ".join(f"{count:.1f} {method}" for method, count in sorted(each.items()))
            )


def memory(arguments: argparse.Namespace) -> None:
    """What Ray's object store holds at most while files go through it."""
    import ray
    from ray._private.internal_api import get_memory_info_reply, get_state_from_address

    from nssbg.ray import remove
    from nssbg.ray.cluster import join
    from nssbg.ray.engine import be_quiet

    join(None)
    be_quiet()
    state = get_state_from_address(ray.get_runtime_context().gcs_address)
    most = {"used": 0, "spilled": 0}
    ended = threading.Event()

    def sample() -> None:
        while not ended.wait(0.2):
            told = get_memory_info_reply(state).store_stats
            most["used"] = max(most["used"], told.object_store_bytes_used)
            most["spilled"] = max(most["spilled"], told.spilled_bytes_total)

    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "of").mkdir()
        paths = make_images(Path(name) / "of", 8, 24)
        folder = copies(paths, Path(name) / "in", arguments.times)
        thread = threading.Thread(target=sample)
        thread.start()
        pictures = ray.data.read_binary_files(str(folder), include_paths=True)
        rows = remove(pictures, root=folder, output=f"{name}/out", model=arguments.model, workers=2)
        count = sum(1 for _ in rows.iter_rows())
        ended.set()
        thread.join()
        whole = sum(path.stat().st_size for path in folder.iterdir())
    limit = ray.cluster_resources()["object_store_memory"]
    ray.shutdown()
    print(
        f"{count} pictures of 24 MP, {whole / 1e6:.0f} MB in all: Ray's object store held at "
        f"most {most['used'] / 1e6:.0f} MB of {limit / 1e6:.0f} MB, "
        f"{most['spilled'] / 1e6:.0f} MB spilled"
    )


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", nargs="?", default="speed", choices=("speed", "bytes", "memory"))
    parser.add_argument("--pictures", type=int, default=24)
    parser.add_argument("--megapixels", type=float, default=4)
    parser.add_argument("--model", default="auto")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--times", type=int, default=12, help="of eight pictures, for memory")
    arguments = parser.parse_args()
    {"speed": throughput, "bytes": moved, "memory": memory}[arguments.what](arguments)


if __name__ == "__main__":
    main()
