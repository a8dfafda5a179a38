"""A thousand workers with failures, in simulated time, on the commit protocol as it is shipped.

    python -m bench.commit_simulation [--workers 1000] [--units 60000] [--batch 16] [--seed 1]
    python -m bench.commit_simulation --seconds report.jsonl   # a run's own times a picture

The store is a dictionary; everything else is `nssbg.batch.store.commit.Committer` itself, one real
thread a worker, of which one runs at a time: each request to the store costs simulated time and is
where a worker can be killed, or stand still and come back. Batches of a lost worker are handed out
again; so are those of workers that are only taken for lost, and copies of what is still out when
nothing else is left (as Ray Data and its like do). Each attempt at a unit writes other bytes, so
that a mixture would show. Prints what was run, what counts, and when the last unit was there.
"""

from __future__ import annotations

import argparse
import hashlib
import heapq
import itertools
import json
import math
import random
import statistics
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from nssbg.batch.entry import Entry
from nssbg.batch.row import Row
from nssbg.batch.sink import Stored
from nssbg.batch.store.commit import COMMITS, PARTS, Committer, Record, unit_digest
from nssbg.batch.store.objects import Found


class Killed(BaseException):
    """A worker's end."""


class Clock:
    """Simulated time over real threads, one of which runs at a time."""

    def __init__(self) -> None:
        self.now = 0.0
        self._events: list[tuple[float, int, threading.Lock | Callable[[], None]]] = []
        self._count = itertools.count()
        self._main = threading.Lock()
        self._main.acquire()
        self._local = threading.local()

    def start(self, work: Callable[[], None]) -> None:
        """Run something as a thread of its own, from now on."""
        gate = threading.Lock()
        gate.acquire()

        def run() -> None:
            gate.acquire()
            self._local.gate = gate
            try:
                work()
            finally:
                self._main.release()

        threading.stack_size(256 * 1024)
        threading.Thread(target=run, daemon=True).start()
        self._push(self.now, gate)

    def wait(self, seconds: float) -> None:
        """Let simulated time pass for the calling thread."""
        gate = self._local.gate
        self._push(self.now + seconds, gate)
        self._main.release()
        gate.acquire()

    def call(self, seconds: float, what: Callable[[], None]) -> None:
        """Have something happen later; it must not wait."""
        self._push(self.now + seconds, what)

    def run(self) -> None:
        """Go on until nothing is left to happen."""
        while self._events:
            self.now, _, what = heapq.heappop(self._events)
            if callable(what):
                what()
            else:
                what.release()
                self._main.acquire()

    def _push(self, at: float, what: threading.Lock | Callable[[], None]) -> None:
        heapq.heappush(self._events, (at, next(self._count), what))


@dataclass
class Settings:
    """What goes wrong, and how often; all of it is a parameter."""

    workers: int = 1000
    units: int = 60000
    batch: int = 16
    seed: int = 1
    lost_an_hour: float = 0.2  # a machine taken away, a worker that ends
    silent_an_hour: float = 0.2  # stands still, is taken for lost, and comes back
    still_seconds: float = 300.0
    noticed: float = 30.0
    replaced: float = 90.0
    slow_share: float = 0.02
    slow_factor: float = 4.0
    request: float = 0.03
    copies: bool = True
    seconds: list[float] = field(default_factory=list)


class Store:
    """A store whose requests take simulated time; see `nssbg.batch.store.objects.Objects`."""

    address = "simulated://"

    def __init__(self, site: Site, worker: Worker | None) -> None:
        self._site, self._worker = site, worker

    def _step(self) -> dict[str, bytes]:
        if self._worker is not None:
            self._worker.step(self._site.latency())
        return self._site.objects

    def read(self, name: str) -> bytes:
        objects = self._step()
        if name not in objects:
            raise FileNotFoundError(name)
        return objects[name]

    def put(self, name: str, data: bytes) -> None:
        self._step()[name] = data

    def create(self, name: str, data: bytes) -> bool:
        return self._step().setdefault(name, data) is data

    def move(self, source: str, target: str) -> None:
        objects = self._step()
        if source not in objects:
            raise FileNotFoundError(source)
        objects[target] = objects[source]
        self.remove(source)

    def remove(self, name: str) -> None:
        self._step().pop(name, None)

    def remove_all(self, names: Iterable[str]) -> None:
        for name in list(names):
            self.remove(name)

    def find(self, prefix: str = "") -> Iterator[Found]:
        objects = self._site.objects
        return iter(
            [Found(n, len(objects[n]), "") for n in sorted(objects) if n.startswith(prefix)]
        )

    def stamp(self, name: str) -> str | None:
        objects = self._step()
        return None if name not in objects else str(len(objects[name]))


class Worker:
    """One worker's life: batches, until it is killed or nothing is left."""

    def __init__(self, site: Site, number: int) -> None:
        self._site = site
        draw = site.draw
        settings = site.settings
        self.factor = settings.slow_factor if draw.random() < settings.slow_share else 1.0
        self._ends = site.clock.now + draw.expovariate(max(settings.lost_an_hour, 1e-9) / 3600)
        self._stands = site.clock.now + draw.expovariate(max(settings.silent_an_hour, 1e-9) / 3600)
        self.batch: tuple[int, ...] = ()
        self.number = number

    def step(self, seconds: float) -> None:
        """Let time pass; this is where a worker ends, or stands still and comes back."""
        site = self._site
        site.clock.wait(seconds)
        if site.clock.now >= self._ends:
            raise Killed
        if site.clock.now >= self._stands:
            self._stands = math.inf
            site.counts["stood still"] += 1
            still = site.draw.expovariate(1 / site.settings.still_seconds)
            if still > site.settings.noticed:  # it is taken for lost; it is not
                site.counts["taken for lost"] += 1
                batch = self.batch
                site.clock.call(site.settings.noticed, lambda: site.hand_out_again(batch))
            site.clock.wait(still)

    def live(self) -> None:
        site = self._site
        try:
            while batch := site.next_batch():
                self.batch = batch
                committer = Committer(Store(site, self), 1, 1)
                for number in batch:
                    self._one(committer, number)
                site.ended(batch)
                self.batch = ()
        except Killed:
            site.counts["killed"] += 1
            batch = self.batch
            site.clock.call(site.settings.noticed, lambda: site.hand_out_again(batch))
            site.clock.call(site.settings.replaced, site.hire)

    def _one(self, committer: Committer, number: int) -> None:
        site = self._site
        identity = str(number).encode()
        known = committer.lookup(identity)
        if known is not None:
            site.counts["found done"] += 1
            site.finished.setdefault(number, site.clock.now)
            return
        self.step(site.latency())  # the picture
        site.counts["run"] += 1
        attempt = site.counts["run"]
        self.step(site.draw.choice(site.settings.seconds) * self.factor)
        entry, data = unit(number, attempt)
        committer.commit(entry, data)
        site.finished.setdefault(number, site.clock.now)


class Site:
    """The store, the queue and the workers."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.draw = random.Random(settings.seed)
        self.clock = Clock()
        self.objects: dict[str, bytes] = {}
        self.counts: Counter[str] = Counter()
        self.finished: dict[int, float] = {}
        numbers = range(settings.units)
        size = settings.batch
        self._queue = deque(tuple(numbers[at : at + size]) for at in range(0, settings.units, size))
        self._out: dict[tuple[int, ...], float] = {}
        self._copied: set[tuple[int, ...]] = set()
        self._done: set[tuple[int, ...]] = set()
        self._hired = itertools.count()

    def latency(self) -> float:
        """Of a request: log-normal around its median, one in a hundred ten times as long."""
        slow = 10.0 if self.draw.random() < 0.01 else 1.0
        return self.settings.request * slow * math.exp(self.draw.gauss(0, 0.5))

    def hire(self) -> None:
        if self._queue or self._out:
            worker = Worker(self, next(self._hired))
            self.clock.start(worker.live)

    def next_batch(self) -> tuple[int, ...]:
        while self._queue:
            batch = self._queue.popleft()
            if batch not in self._done:
                self._out[batch] = self.clock.now
                return batch
        if self.settings.copies:
            for batch in sorted(self._out, key=self._out.__getitem__):
                if batch not in self._copied:
                    self._copied.add(batch)
                    self.counts["copies"] += 1
                    return batch
        return ()

    def ended(self, batch: tuple[int, ...]) -> None:
        self._done.add(batch)
        self._out.pop(batch, None)

    def hand_out_again(self, batch: tuple[int, ...]) -> None:
        if batch and batch not in self._done:
            self.counts["handed out again"] += 1
            self._queue.append(batch)
            self.hire()


def unit(number: int, attempt: int) -> tuple[Entry, dict[str, bytes]]:
    """A unit of two outputs; each attempt's bytes are its own."""
    data = {
        f"{number}.{suffix}": f"{number} {attempt} {suffix}".encode() for suffix in ("png", "jpg")
    }
    stored = tuple(Stored(n, len(v), hashlib.sha256(v).hexdigest()) for n, v in data.items())
    row = Row(input=str(number), status="done", outputs=tuple(data), attempts=attempt)
    return Entry(str(number).encode(), "s", "", row, stored), data


def check(site: Site) -> dict[str, int]:
    """What is in the store at the end, unit by unit."""
    found: Counter[str] = Counter()
    store = Store(site, None)
    for number in range(site.settings.units):
        digest = unit_digest(str(number).encode())
        records = [n for n in (f"{COMMITS}/000001/{digest}.{g:04}" for g in range(9))
                   if n in site.objects]  # fmt: skip
        found["units"] += 1
        found["without a record"] += not records
        found["with more than one"] += len(records) > 1
        if not records:
            continue
        record = Record.of(store.read(records[-1]))
        whole = all(
            hashlib.sha256(site.objects.get(one.name, b"")).hexdigest() == one.sha256
            for one in record.entry.outputs
        )
        found["outputs not the record's"] += not whole
    outputs = [name for name in site.objects if not name.startswith(".nssbg/")]
    found["outputs"] = len(outputs)
    found["parts left behind"] = sum(name.startswith(PARTS) for name in site.objects)
    return dict(found)


def simulate(settings: Settings) -> tuple[Site, dict[str, int]]:
    """One run to its end."""
    site = Site(settings)
    for _ in range(settings.workers):
        site.hire()
    site.clock.run()
    return site, check(site)


def seconds_of(path: Path) -> list[float]:
    """Seconds a picture of a run's report.jsonl."""
    found = []
    for line in path.read_text().splitlines():
        made = json.loads(line)
        if made.get("event") == "row" and made.get("timings") and made["status"] == "done":
            found.append(sum(made["timings"].values()) / 1000)
    return found


# Processor seconds a picture of 2 MP with `model="auto"` on one thread of an x86-64 core, from
# decoding to the encoded PNG: 20 quantiles of 114 drawn photographs (`python -m bench.catalog`).
QUANTILES = [
    0.033, 0.071, 0.092, 0.099, 0.102, 0.106, 0.108, 0.111, 0.112, 0.113,
    0.114, 0.115, 0.117, 0.120, 0.121, 0.123, 0.123, 0.124, 0.127, 0.164,
]  # fmt: skip


def main() -> None:
    """Simulate, and print what counts."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--workers", type=int, default=1000)
    parser.add_argument("--units", type=int, default=60000)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lost", type=float, default=0.2, help="of a worker, an hour")
    parser.add_argument("--silent", type=float, default=0.2, help="the same")
    parser.add_argument("--no-copies", action="store_true", help="no copies of what is last")
    parser.add_argument("--seconds", type=Path, help="report.jsonl of a run; else as in the page")
    arguments = parser.parse_args()
    seconds = seconds_of(arguments.seconds) if arguments.seconds else QUANTILES
    settings = Settings(
        workers=arguments.workers,
        units=arguments.units,
        batch=arguments.batch,
        seed=arguments.seed,
        lost_an_hour=arguments.lost,
        silent_an_hour=arguments.silent,
        copies=not arguments.no_copies,
        seconds=seconds,
    )
    site, found = simulate(settings)
    times = sorted(site.finished.values())
    mean = statistics.fmean(seconds)
    print(f"{settings.units} units, {settings.workers} workers, batches of {settings.batch}; "
          f"{mean:.2f} s a unit on average, {settings.request * 1e3:.0f} ms a request")  # fmt: skip
    told = ("killed", "stood still", "taken for lost", "handed out again", "copies")
    print("; ".join(f"{site.counts[name]} {name}" for name in told))
    run = site.counts["run"]
    print(f"run {run} times, {run / settings.units - 1:.2%} more than units; "
          f"{site.counts['found done']} found done")  # fmt: skip
    print("; ".join(f"{value} {name}" for name, value in found.items()))
    for share in (0.5, 0.9, 0.99, 0.999, 1.0):
        at = times[min(len(times) - 1, math.ceil(share * len(times)) - 1)]
        print(f"{share:7.1%} of the units were there after {at:7.1f} s")
    ideal = settings.units * mean / settings.workers
    print(f"  work alone, spread evenly: {ideal:.1f} s")


if __name__ == "__main__":
    main()
