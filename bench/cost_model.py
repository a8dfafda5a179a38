"""What 10^6, 10^8 and 10^9 pictures take on many machines: core-hours, requests, bytes, dollars.

    python -m bench.cost_model [--seconds 0.11] [--core-hour 0.015] [--workers 1000] ...
    python -m bench.cost_model rates     # what one driver can do, measured here

Nothing but multiplication, with every factor an option: measured ones default to what
`bench.commit_simulation`, `bench.ray_overhead` and the second form here gave (docs/scale.md has
the conditions), prices to list prices that have to be replaced by one's own.
"""

from __future__ import annotations

import argparse
import gzip
import json
import statistics
import tracemalloc

from bench.timing import Stopwatch
from nssbg import CutoutOptions
from nssbg.batch.entry import Entry, to_line
from nssbg.batch.planning import Planner
from nssbg.batch.row import Row
from nssbg.batch.sink import Stored
from nssbg.batch.sources import Item
from nssbg.batch.store.commit import Committed
from nssbg.batch.store.manifest import open_run
from nssbg.batch.store.objects import FsspecObjects
from nssbg.batch.units import DEFAULT_PROFILE

SIZES = (10**6, 10**8, 10**9)


def table(given: argparse.Namespace) -> None:
    """The table of the page."""
    columns = [f"10^{len(str(size)) - 1}" for size in SIZES]
    print(f"| for {given.workers} workers of a core each | " + " | ".join(columns) + " |")
    print("|---|" + "---:|" * len(SIZES))

    def line(label: str, values: list[float], form: str = ",.0f") -> None:
        print(f"| {label} | " + " | ".join(format(value, form) for value in values) + " |")

    hours = [size * given.seconds / 3600 for size in SIZES]
    paid = [hour * (1 + given.lost) for hour in hours]
    writes = [size * given.writes for size in SIZES]
    reads = [size * given.reads for size in SIZES]
    stored = [size * given.output_mb / 1000 for size in SIZES]
    dollars = {
        "cores": [hour * given.core_hour for hour in paid],
        "requests": [
            write / 1000 * given.write_price + read / 1000 * given.read_price
            for write, read in zip(writes, reads, strict=True)
        ],
        "a month of outputs": [gigabytes * given.gigabyte_month for gigabytes in stored],
    }
    line("core-hours of work", hours)
    line("core-hours paid for", paid)
    line("hours", [hour / given.workers for hour in paid], ",.1f")
    for label, values in dollars.items():
        line(f"dollars: {label}", values)
    line("dollars a million, without storage",
         [(a + b) / (size / 1e6) for a, b, size in
          zip(dollars["cores"], dollars["requests"], SIZES, strict=True)], ",.2f")  # fmt: skip
    line("TB read and written", [size * (given.input_mb + given.output_mb) / 1e6 for size in SIZES],
         ",.1f")  # fmt: skip
    seconds = [hour / given.workers * 3600 for hour in paid]
    line("writes a second", [write / each for write, each in zip(writes, seconds, strict=True)])
    line("Gbit/s", [size * (given.input_mb + given.output_mb) * 8e-3 / each
                    for size, each in zip(SIZES, seconds, strict=True)], ",.1f")  # fmt: skip
    line("requests to list the inputs", [size / 1000 for size in SIZES])
    line("hours to list, one after the other", [size / 1000 * given.list_seconds / 3600
                                                for size in SIZES], ",.2f")  # fmt: skip
    line("hours to plan, one driver", [size / given.plan_rate / 3600 for size in SIZES], ",.2f")
    line("GB of plans in one driver", [size * given.plan_bytes / 1e9 for size in SIZES], ",.1f")
    line("hours to keep entries, one driver", [size / given.keep_rate / 3600 for size in SIZES],
         ",.2f")  # fmt: skip
    line("GB of compacted manifest", [size * given.entry_bytes / 1e9 for size in SIZES], ",.1f")
    each = given.core_hour * given.seconds / 3600 * (1 + given.lost)
    even = 1 / (each * 3600)
    print(f"an accelerator at 1 dollar an hour is cheaper from {even:,.0f} pictures a second on")


def rates(count: int) -> None:
    """What one driver does a second, and what it takes for a unit; on one core."""
    import fsspec

    planner = Planner(DEFAULT_PROFILE, CutoutOptions(), "m")
    items = [Item(f"s3://shop/in/{n % 997}/{n:08}.jpg", f"{n % 997}") for n in range(count)]
    tracemalloc.start()
    units = [planner.unit(item) for item in items]
    taken = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    watch = Stopwatch()
    again = Planner(DEFAULT_PROFILE, CutoutOptions(), "m")
    units = [again.unit(item) for item in items]
    planned = watch.read().processor
    system = fsspec.filesystem("memory")
    manifest = open_run(FsspecObjects(system, "/cost"))
    entries = [_entry(unit) for unit in units]
    watch = Stopwatch()
    for number, entry in enumerate(entries):
        manifest.keep(Committed(entry, f"000001/{number:040}.0000", True, 1))
    kept = watch.read().processor
    watch = Stopwatch()
    manifest.compact()
    compacted = watch.read().processor
    lines = [to_line(entry) for entry in entries]
    packed = len(gzip.compress("\n".join(lines).encode(), 5)) / count
    manifest.close()
    print(f"plan {count / planned:,.0f} units a second, {taken / count:,.0f} bytes each")
    print(f"keep {count / kept:,.0f} entries a second; compact {count / compacted:,.0f} a second")
    print(f"an entry takes {statistics.fmean(map(len, lines)):,.0f} bytes, {packed:,.0f} compacted")


def _entry(unit: object) -> Entry:
    """An entry as a run has it: features, timings, plan."""
    import hashlib

    name = unit.outputs[0]  # type: ignore[attr-defined]
    digest = hashlib.sha256(name.encode()).hexdigest()
    spread = int(digest[:8], 16) / 2**32
    row = Row(
        input=unit.input,  # type: ignore[attr-defined]
        status="done",
        input_sha256=digest[::-1],
        output=name,
        outputs=(name,),
        output_sha256=digest,
        out_width=1600,
        out_height=1200,
        bytes=int(1e6 * spread),
        confidence=round(spread, 6),
        verdict="pass",
        plan={"model": "nssbg-lite", "license": "Apache-2.0", "backend": "openvino",
              "device": "CPU", "precision": "float32", "fallbacks": []},
        timings={n: round(100 * spread * k, 2) for k, n in enumerate(
            ("decode", "studio", "prepare", "segment", "refine", "foreground", "render", "judge",
             "write"), 1)},
        features={n: round(spread / k, 4) for k, n in enumerate(
            ("fill", "components", "holes", "border", "softness", "halo", "width", "height"), 1)},
        fingerprint=digest[16:] + digest[:16],
    )  # fmt: skip
    stored = (Stored(name, row.bytes, digest, f'{row.bytes} "{digest[:32]}"'),)
    settings = unit.settings  # type: ignore[attr-defined]
    made = Entry(unit.identity, settings, f'1 "{digest[:32]}"', row, stored)  # type: ignore[attr-defined]
    assert json.loads(to_line(made))
    return made


def main() -> None:
    """Print the table, or measure a driver."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", nargs="?", default="table", choices=("table", "rates"))
    for name, default, told in (
        ("seconds", 0.11, "of a core a picture"),
        ("lost", 0.02, "share of work that is done again or waited for"),
        ("input-mb", 0.45, "MB of a picture"),
        ("output-mb", 0.48, "MB of its outputs"),
        ("writes", 3.2, "PUT, COPY and LIST requests a picture"),
        ("reads", 6.2, "GET and HEAD requests a picture"),
        ("core-hour", 0.015, "dollars a core-hour (spot)"),
        ("write-price", 0.005, "dollars a thousand writes"),
        ("read-price", 0.0004, "dollars a thousand reads"),
        ("gigabyte-month", 0.023, "dollars a GB-month"),
        ("list-seconds", 0.1, "of one listing of 1,000 names"),
        ("plan-rate", 19600.0, "units a second that a driver plans"),
        ("plan-bytes", 700.0, "of a planned unit in a driver"),
        ("keep-rate", 6100.0, "entries a second that a driver keeps"),
        ("entry-bytes", 280.0, "of an entry in a compacted manifest"),
    ):
        parser.add_argument(f"--{name}", type=float, default=default, help=told)
    parser.add_argument("--workers", type=int, default=1000)
    parser.add_argument("--count", type=int, default=20000, help="of units, for rates")
    arguments = parser.parse_args()
    if arguments.what == "rates":
        rates(arguments.count)
    else:
        table(arguments)


if __name__ == "__main__":
    main()
