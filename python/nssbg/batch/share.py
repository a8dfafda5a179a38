"""A worker's share of a run on many machines: units in, what became of them out.

Pictures are fetched and outputs committed while others are worked on, as on one machine. What was
begun before and ended the process is tried once more in a process of its own, and fails with its
reason if it ends that too. Knows nothing of any cluster: an engine hands over a `Job` once and
then batches of units.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from nssbg._io import NamedBytes
from nssbg._options import CutoutOptions
from nssbg._vocabulary import Backend, LicenseUse, PrecisionChoice
from nssbg.batch.entry import Entry
from nssbg.batch.feed import Feed, Settings
from nssbg.batch.inputs import Inputs
from nssbg.batch.profile import Profile
from nssbg.batch.report.thumbnails import Thumb, thumbnail
from nssbg.batch.resume import Loaded, resolved
from nssbg.batch.sink import Stored
from nssbg.batch.sources import STATE_FOLDER
from nssbg.batch.store.commit import Committed, Committer, unit_digest
from nssbg.batch.store.manifest import StoreManifest, StoreSink
from nssbg.batch.store.objects import Objects, open_objects
from nssbg.batch.transfers import Prefetch, Recorder
from nssbg.batch.units import WorkUnit, enhancements_of
from nssbg.batch.work import CrashError, Input, Policy, failure, finish, picture_keywords

if TYPE_CHECKING:
    from nssbg._cutout import Cutout
    from nssbg._remover import Remover

__all__ = ["BEGUN", "HeldSink", "Job", "Share", "Task", "alone", "begun_units", "load_task"]

BEGUN = f"{STATE_FOLDER}/begun"
# Seconds that a picture gets which is tried in a process of its own.
_ALONE_SECONDS = 900.0


@dataclass(frozen=True)
class Job:
    """What all workers of a run share; can be pickled.

    Attributes:
        output: Address of the outputs' root.
        epoch: See `Committer`.
        run: See `Committer`.
        profiles: That units are made for; each unit says which.
        options: How pictures are cut out.
        policy: See `Policy`.
        settings: What counts as left to do.
        model: See `nssbg.Remover`; so are the others.
        device: See there.
        backend: See there.
        precision: See there.
        license: See there.
        threads: Of a worker.
        thumbnails: Whether thumbnails are made for the report.
    """

    output: str
    epoch: int
    run: int
    profiles: tuple[Profile, ...]
    options: CutoutOptions
    policy: Policy
    settings: Settings
    model: str = "auto"
    device: str = "auto"
    backend: Backend = "auto"
    precision: PrecisionChoice = "auto"
    license: LicenseUse | None = None
    threads: int = 1
    thumbnails: bool = False

    def packed(self, unit: WorkUnit) -> bytes:
        """A unit as bytes; its profile is named where it is one of the job's."""
        profile = unit.profile
        which = self.profiles.index(profile) if profile in self.profiles else profile
        return pickle.dumps((which, {**vars(unit), "profile": None}))

    def unpacked(self, data: bytes) -> WorkUnit:
        """The unit of `packed`."""
        which, values = pickle.loads(data)
        profile = self.profiles[which] if isinstance(which, int) else which
        return WorkUnit(**{**values, "profile": profile})


@dataclass(frozen=True)
class Task:
    """One unit, as a driver hands it over.

    Attributes:
        unit: What is to be made.
        stamp: Of its picture when it was listed; "" where that is not known.
        alone: Whether a run ended while it was being worked on: it gets a process of its own.
        data: The picture's bytes, where they came with it; None: they are read.
    """

    unit: WorkUnit
    stamp: str = ""
    alone: bool = False
    data: bytes | None = field(default=None, repr=False)


class Share:
    """A worker's means: its network, opened when it is first needed, and its way to the output.

    Args:
        job: What all workers share.
        objects: The output's root; None: as the job says.
    """

    def __init__(self, job: Job, objects: Objects | None = None) -> None:
        self._job = job
        self._objects = open_objects(job.output) if objects is None else objects
        self._inputs = Inputs()
        self._opened: Remover | None = None
        self._sink = StoreSink(self._objects)
        committer = Committer(self._objects, job.epoch, job.run)
        self._manifest = _Noting(self._objects, self._sink, committer, job)
        self._thumbs: dict[str, Thumb] = {}

    @property
    def remover(self) -> Remover:
        """The network; opened and warmed by its first picture."""
        if self._opened is None:
            from nssbg._remover import Remover

            job = self._job
            self._opened = Remover(
                job.model,
                device=job.device,
                backend=job.backend,
                precision=job.precision,
                threads=job.threads,
                license=job.license,
            )
        return self._opened

    def close(self) -> None:
        """Let go of the network."""
        if self._opened is not None:
            self._opened.close()

    def run(self, tasks: Sequence[Task]) -> Iterator[tuple[Committed, Thumb | None]]:
        """Cut out the pictures of some units and commit what comes of them.

        Yields:
            What counts of each unit, as it is committed, and its thumbnail where one was made.

        Raises:
            StorageError: The store takes no more.
        """
        # Rows of one picture are one unit.
        tasks = list({task.unit.identity: task for task in tasks}.values())
        if not tasks:
            return
        marker = self._marker(tasks)
        units = [unit_digest(task.unit.identity) for task in tasks]
        fresh = self._objects.create(marker, json.dumps(units).encode() + b"\n")
        # A marker that is there already is of an earlier life of this batch, which ended with it.
        together = [task for task in tasks if fresh and not task.alone]
        apart = [task for task in tasks if not fresh or task.alone]
        try:
            yield from self._together(together)
            for task in apart:
                yield self._apart(task)
        finally:
            # Whatever was raised, this process did not end of it.
            self._objects.remove(marker)

    def _together(self, tasks: Sequence[Task]) -> Iterator[tuple[Committed, Thumb | None]]:
        if not tasks:
            return
        by_identity = {task.unit.identity: task for task in tasks}
        feed = Feed(
            iter([task.unit for task in tasks]),
            self._manifest,
            self._sink,
            self._job.settings,
            lambda: False,
            len(tasks),
        )
        ahead = Prefetch(
            feed.units, lambda unit: self._found(by_identity[unit.identity]), lambda unit: 0
        )
        feed.units, feed.found = ahead, ahead.found
        recorder = Recorder(self._manifest)
        try:
            first = next(feed, None)
            yield from self._known_already(feed)
            if first is not None:
                feed.put_back(first)
                yield from self._worked(feed, recorder)
            yield from self._known_already(feed)
            if feed.fatal is not None:
                raise feed.fatal
        finally:
            recorder.close()
            ahead.close()

    def _worked(self, feed: Feed, recorder: Recorder) -> Iterator[tuple[Committed, Thumb | None]]:
        job = self._job
        # What is wrong with a network is no picture's fault.
        for enhancement in enhancements_of(job.profiles):
            self.remover._open_enhancement(enhancement)
        with self.remover.map(
            feed,
            sink=self._finished,
            ordered=False,
            workers=job.threads,
            autotune=False,
            time_limit=job.policy.time_limit,
            **picture_keywords(job.options),
        ) as stream:
            for outcome in stream:
                yield from self._known_already(feed)
                if outcome.error is None:
                    made: Entry = outcome.output_path
                else:
                    picture: Any = outcome.source
                    made = failure(picture.unit, outcome.error, picture.given)
                recorder.submit(made)
                for entry in recorder.kept():
                    yield self._told(entry.row.input)
        for entry in recorder.rest():
            yield self._told(entry.row.input)

    def _finished(self, picture: Any, cutout: Cutout) -> Entry:
        entry = finish(
            picture.unit, cutout, picture.given, sink=self._sink, policy=self._job.policy
        )
        if self._job.thumbnails:
            small = thumbnail(cutout.frame.rgb, cutout.rgba)
            self._thumbs[entry.row.fingerprint] = small
        return entry

    def _found(self, task: Task) -> Entry | Loaded:
        """What is committed of a unit, or its picture."""
        found = resolved(
            task.unit, self._manifest, self._sink, lambda: load_task(task, self._inputs)
        )
        if isinstance(found, Entry):
            self._manifest.note(found)
        return found

    def _known_already(self, feed: Feed) -> Iterator[tuple[Committed, Thumb | None]]:
        while feed.ready:
            row, _ = feed.ready.popleft()
            yield self._told(row.input)

    def _told(self, name: str) -> tuple[Committed, Thumb | None]:
        made = self._manifest.last(name)
        return made, self._thumbs.pop(made.entry.row.fingerprint, None)

    def _apart(self, task: Task) -> tuple[Committed, Thumb | None]:
        """One unit in a process of its own."""
        known = self._manifest.find(task.unit.identity)
        if known is not None and known.settings == task.unit.settings:
            self._manifest.note(known)
            return self._told(known.row.input)
        entry, data, thumb = alone(self._job, task)
        for name, value in data.items():
            self._sink.write(name, value)
        self._manifest.record(entry)
        return self._manifest.last(entry.row.input), thumb

    def _marker(self, tasks: Sequence[Task]) -> str:
        digest = hashlib.sha256(
            b"".join(unit_digest(task.unit.identity).encode() for task in tasks)
        ).hexdigest()
        return f"{BEGUN}/{self._job.run:06}-{digest[:32]}"


class HeldSink:
    """A sink that keeps what is written to it, by name, in `data`."""

    def __init__(self) -> None:
        self.data: dict[str, bytes] = {}

    def write(self, name: str, data: bytes, *, overwrite: bool = True) -> Stored:
        """See `Sink.write`."""
        self.data[name] = data
        return Stored(name, len(data), hashlib.sha256(data).hexdigest())

    def stamp(self, name: str) -> str | None:
        """See `Sink.stamp`."""
        return None

    def sha256(self, name: str) -> str | None:
        """See `Sink.sha256`."""
        return None


class _Noting(StoreManifest):
    """A manifest that keeps what counts of each unit of a batch, for its worker to tell of.

    What earlier runs did is the driver's to know: who hands a unit over wants their failures tried
    again. A success that a listing left out is found here.
    """

    def __init__(self, objects: Objects, sink: StoreSink, committer: Committer, job: Job) -> None:
        super().__init__(objects, sink, committer, segments=False)
        self._force = job.settings.force
        self._keys: dict[bytes, str] = {}
        self._last: dict[str, deque[Committed]] = {}

    def find(self, identity: bytes) -> Entry | None:
        """See `Manifest.find`."""
        found = self._committer.lookup(identity)
        if found is None:
            return None
        earlier = found.run < self._committer.run
        if earlier and (self._force or found.entry.row.error is not None):
            return None
        self._keys[identity] = found.key
        return found.entry

    def keep(self, made: Committed) -> None:
        """See `StoreManifest.keep`."""
        super().keep(made)
        self._put(made)

    def refresh(self, entry: Entry) -> Entry:
        """See `StoreManifest.refresh`: the driver keeps it."""
        return entry

    def note(self, entry: Entry) -> None:
        """Have an entry told that was there before."""
        run = self._committer.run
        self._put(Committed(entry, self._keys.get(entry.identity, ""), False, run))

    def last(self, name: str) -> Committed:
        """What counts of an input; it is told then."""
        return self._last[name].popleft()

    def _put(self, made: Committed) -> None:
        self._last.setdefault(made.entry.row.input, deque()).append(made)


def alone(job: Job, task: Task) -> tuple[Entry, dict[str, bytes], Thumb | None]:
    """Cut out one picture in a process of its own; a failure where it ends that.

    Returns:
        What is to be committed, its outputs by name, and its thumbnail.
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "nssbg.batch.alone"],
            input=pickle.dumps((job, job.packed(task.unit), task.stamp, task.data)),
            capture_output=True,
            env=environment,
            timeout=_ALONE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        how = f"took more than {_ALONE_SECONDS:g} s and was ended"
    else:
        if done.returncode == 0:
            made: tuple[Entry, dict[str, bytes], Thumb | None] = pickle.loads(done.stdout)
            return made
        how = f"ended by {_end_of(done.returncode, done.stderr)}"
    crash = CrashError(
        f"{task.unit.input}: a worker ended while it was working on this picture, and a process of "
        f"its own for it {how}; it is left out until it changes, or until --retry-failed"
    )
    try:
        digest = load_task(task, Inputs()).sha256
    except Exception:  # a second failure says no more than the first
        digest = ""
    return failure(task.unit, crash, Input(digest, task.stamp, 2)), {}, None


def load_task(task: Task, inputs: Inputs) -> Loaded:
    """A task's picture.

    Raises:
        ImageDecodeError: It cannot be read.
        StorageError: Its store does not answer.
    """
    if task.data is not None:
        named = NamedBytes(task.data)
        named.name = task.unit.input
        return Loaded(named, hashlib.sha256(named).hexdigest(), task.stamp)
    loaded = inputs.load(task.unit.input)
    return replace(loaded, stamp=task.stamp) if task.stamp else loaded


def begun_units(objects: Objects) -> set[str]:
    """Digests of units whose batch was begun and has no end; the notes are removed."""
    units: set[str] = set()
    names = [one.name for one in objects.find(BEGUN)]
    for name in names:
        try:
            units.update(json.loads(objects.read(name)))
        except (FileNotFoundError, ValueError):
            continue
    objects.remove_all(names)
    return units


def _end_of(code: int, stderr: bytes) -> str:
    if code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        return f"{name} (too little memory?)" if name == "SIGKILL" else name
    last = stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
    return f"exit code {code} ({last[0] if last else 'nothing was said'})"
