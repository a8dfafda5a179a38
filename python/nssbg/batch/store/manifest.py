"""A manifest in an object store: commit records, segments of lines, compacted at a run's end.

Below OUT/.nssbg: `epochs/N` opens an epoch and names the files that hold all that was known then;
`segments/` gets what each writer recorded since, a few hundred entries an object, never changed;
`commits/N/` has the records that decide. A run that comes to its end writes all into new files,
opens the next epoch and removes what that makes superfluous. The records are the truth: an entry
that a killed writer put into no segment is found among them.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import logging
import os
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nssbg.batch.begun import Begun
from nssbg.batch.entry import Entry, from_line, to_line
from nssbg.batch.manifest import ManifestError
from nssbg.batch.row import Row, RowError
from nssbg.batch.sink import StorageError, Stored
from nssbg.batch.sources import STATE_FOLDER
from nssbg.batch.store.commit import (
    COMMITS,
    EPOCHS,
    PARTS,
    Committed,
    Committer,
    OvertakenError,
    epoch_key,
)
from nssbg.batch.store.index import Index
from nssbg.batch.store.objects import Objects

__all__ = ["StoreManifest", "StoreSink", "open_run", "read_store"]

log: logging.Logger = logging.getLogger("nssbg")

SEGMENTS = f"{STATE_FOLDER}/segments"
FILES = f"{STATE_FOLDER}/manifest"
RUNS = f"{STATE_FOLDER}/runs"
_PROBLEM = b"\0\0problem"
# Entries of a segment at most, seconds that an entry waits for one, entries of a compacted file.
_SEGMENT_ENTRIES = 256
_SEGMENT_SECONDS = 10.0
_FILE_ENTRIES = 20000
_READERS = 16


@dataclass(frozen=True)
class Epoch:
    """The open epoch.

    Attributes:
        number: From 1.
        files: Names of the files that hold what was known when it was opened.
    """

    number: int
    files: tuple[str, ...]


class StoreSink:
    """The outputs of a run, until they are committed with their entry; see `Sink`.

    Args:
        objects: The output's root.
        listing: Stamps of what was there when the run began, by name; None: each is looked up.
    """

    def __init__(self, objects: Objects, listing: dict[str, str] | None = None) -> None:
        self._objects = objects
        self._listing = listing
        self._held: dict[str, bytes] = {}

    def write(self, name: str, data: bytes, *, overwrite: bool = True) -> Stored:
        """Hold a file's bytes; `StoreManifest.record` of their entry writes them."""
        self._held[name] = data
        return Stored(name, len(data), hashlib.sha256(data).hexdigest())

    def held(self, entry: Entry) -> dict[str, bytes]:
        """The bytes of an entry's outputs, which are not held any longer."""
        return {stored.name: self._held.pop(stored.name) for stored in entry.outputs}

    def stamp(self, name: str) -> str | None:
        """See `Sink.stamp`; what a listing left out is looked up."""
        known = None if self._listing is None else self._listing.get(name)
        return self._objects.stamp(name) if known is None else known

    def sha256(self, name: str) -> str | None:
        """See `Sink.sha256`."""
        with contextlib.suppress(FileNotFoundError):
            return hashlib.sha256(self._objects.read(name)).hexdigest()
        return None

    def listed(self, name: str) -> bool:
        """Whether an output was there when the run began."""
        return self._listing is not None and name in self._listing

    def note(self, stored: Iterable[Stored]) -> None:
        """Keep the stamps of what was committed since."""
        if self._listing is not None:
            self._listing.update((one.name, one.stamp) for one in stored)


class StoreManifest:
    """A manifest in a store; see `Manifest`. `record` writes a unit's outputs too.

    Args:
        objects: The output's root.
        sink: Whose held bytes `record` commits.
        committer: Of this run.
        index: What is known; None: nothing but records, which are read when a unit is asked for.
        begun: Where units that are worked on are noted, on this machine; None: nowhere.
        segments: Whether what is recorded goes into segments; a driver of other machines does that.
    """

    def __init__(
        self,
        objects: Objects,
        sink: StoreSink,
        committer: Committer,
        *,
        index: Index | None = None,
        begun: Path | None = None,
        segments: bool = True,
    ) -> None:
        self._objects = objects
        self._sink = sink
        self._committer = committer
        self._index = index
        self._begun = None if begun is None else Begun(begun)
        self._lock = threading.Lock()
        self._writes = segments
        self._lines: list[str] = []
        self._since = time.monotonic()
        self._token = os.urandom(4).hex()
        self._count = 0
        self._changed = False
        # State objects that are superfluous once all is compacted.
        self._written: set[str] = set()

    @property
    def changed(self) -> bool:
        """Whether something is known that no compacted file has."""
        return self._changed

    @property
    def committer(self) -> Committer:
        """Who decides."""
        return self._committer

    @property
    def sink(self) -> StoreSink:
        """Where outputs are held."""
        return self._sink

    def find(self, identity: bytes) -> Entry | None:
        """See `Manifest.find`."""
        if self._index is not None:
            return self._index.find(identity)
        found = self._committer.lookup(identity)
        return None if found is None else found.entry

    def find_made(self, fingerprint: str) -> Entry | None:
        """See `Manifest.find_made`."""
        return None if self._index is None else self._index.find_made(fingerprint)

    def attempts(self, identity: bytes) -> tuple[int, bool]:
        """See `Manifest.attempts`."""
        known = None if self._index is None else self._index.find(identity)
        begun = 0 if self._begun is None else self._begun.count(identity)
        return (0 if known is None else known.row.attempts) + begun, begun > 0

    def begin(self, identity: bytes) -> int:
        """See `Manifest.begin`."""
        before, _ = self.attempts(identity)
        if self._begun is not None:
            self._begun.begin(identity)
        return before + 1

    def end(self, identity: bytes) -> None:
        """See `Manifest.end`."""
        if self._begun is not None:
            self._begun.end(identity)

    def record(self, entry: Entry) -> Entry:
        """See `Manifest.record`: commits the unit; the entry is that of who was first."""
        data = self._sink.held(entry)
        if not all(map(_is_key, data)):
            entry, data = _unnameable(entry), {}
        made = self._committer.commit(entry, data)
        self.keep(made)
        if self._begun is not None:
            self._begun.end(entry.identity)
        return made.entry

    def keep(self, made: Committed) -> None:
        """Know of a commit, this run's or another's, and put it into a segment."""
        self._sink.note(made.entry.outputs)
        if self._index is not None:
            self._index.put([made.entry])
        self._line(made.entry, made.key)

    def refresh(self, entry: Entry) -> Entry:
        """Keep an entry whose stamps have changed; nothing is committed."""
        if self._index is not None:
            self._index.put([entry])
        self._line(entry, "")
        return entry

    def claim(self, names: Iterable[str]) -> None:
        """See `Manifest.claim`; lasts for this run, as what is published is known by its entry."""

    def owns(self, name: str) -> bool:
        """See `Manifest.owns`."""
        return self._index is None or self._index.has_output(name)

    def entries(self) -> Iterator[Entry]:
        """See `Manifest.entries`."""
        return iter(()) if self._index is None else self._index.entries()

    def replace_problems(self, rows: Iterable[Row]) -> None:
        """See `SqliteManifest.replace_problems`."""
        if self._index is None:
            return
        wanted = {
            os.fsencode(row.input) + _PROBLEM: Entry(os.fsencode(row.input) + _PROBLEM, "", "", row)
            for row in rows
        }
        for entry in list(self._index.entries()):
            if entry.identity.endswith(_PROBLEM) and entry.identity not in wanted:
                self._index.remove(entry.identity)
                self._changed = True
        for entry in wanted.values():
            if self._index.find(entry.identity) != entry:
                self.refresh(entry)

    def flush(self) -> None:
        """Write what is recorded into a segment now."""
        with self._lock:
            self._flush()

    def compact(self) -> None:
        """Write all that is known into new files, and open the next epoch.

        Raises:
            OvertakenError: Another run did so first.
        """
        if self._index is None or not self._changed:
            return
        self.flush()
        objects, epoch = self._objects, self._committer.epoch
        names: list[str] = []
        waiting: list[str] = []

        def write() -> None:
            names.append(f"{FILES}/{epoch:06}-{self._token}-{len(names):04}.jsonl.gz")
            objects.put(names[-1], gzip.compress("".join(waiting).encode(), 5, mtime=0))
            waiting.clear()

        count = 0
        for entry in self._index.entries():
            waiting.append(f"{to_line(entry)}\n")
            count += 1
            if len(waiting) == _FILE_ENTRIES:
                write()
        if waiting:
            write()
        opening = {"files": names, "entries": count, "run": self._committer.run}
        data = json.dumps(opening).encode() + b"\n"
        if not objects.create(epoch_key(epoch + 1), data) and (
            objects.read(epoch_key(epoch + 1)) != data
        ):
            objects.remove_all(names)
            raise OvertakenError(
                f"{objects.address}: another run has finished here since this one began; run the "
                "same command again: it finds what both did"
            )
        self._changed = False
        # What was written here is known without a listing, which may be late.
        superfluous = self._written
        for folder in (COMMITS, SEGMENTS, FILES):
            superfluous.update(
                one.name
                for one in objects.find(folder)
                if _epoch_of(one.name.removeprefix(f"{folder}/")) <= epoch
            )
        # Nothing is decided in this epoch any more: parts of killed writers are of no use.
        superfluous.update(one.name for one in objects.find(PARTS))
        objects.remove_all(sorted(superfluous.difference(names)))
        self._written = set()

    def close(self) -> None:
        """Write what is recorded and not yet in a segment, and let go."""
        try:
            self.flush()
        finally:
            if self._begun is not None:
                with contextlib.suppress(OSError, StorageError):
                    self._begun.close()
            if self._index is not None:
                self._index.close()

    def _line(self, entry: Entry, key: str) -> None:
        made = json.loads(to_line(entry))
        made["commit"] = key
        with self._lock:
            self._changed = True
            if key:
                self._written.add(f"{COMMITS}/{key}")
            if not self._writes:
                return
            self._lines.append(json.dumps(made))
            late = time.monotonic() - self._since > _SEGMENT_SECONDS
            if len(self._lines) >= _SEGMENT_ENTRIES or late:
                self._flush()

    def _flush(self) -> None:
        self._since = time.monotonic()
        if not self._lines:
            return
        committer = self._committer
        name = f"{committer.epoch:06}-{committer.run:06}-{self._token}-{self._count:06}.jsonl"
        data = "".join(f"{line}\n" for line in self._lines).encode()
        self._objects.put(f"{SEGMENTS}/{name}", data)
        self._written.add(f"{SEGMENTS}/{name}")
        self._count += 1
        self._lines.clear()


def open_run(
    objects: Objects,
    *,
    begun: Path | None = None,
    about: Mapping[str, Any] | None = None,
    known: bool = True,
    segments: bool = True,
    base: Iterable[Entry] = (),
) -> StoreManifest:
    """The manifest of an output, for a run that begins now.

    Args:
        objects: The output's root.
        begun: See `StoreManifest`.
        about: What is kept of the run, for people who look into the store.
        known: Whether what earlier runs did is read: a driver's business, not each worker's.
        segments: See `StoreManifest`.
        base: What is known from elsewhere, older than what is of the open epoch.

    Raises:
        StorageError: The store does not answer, or two writers could not be told apart there.
        ManifestError: The manifest is damaged.
    """
    _check_creates(objects)
    epoch = _open_epoch(objects)
    run = _number(objects, about or {})
    if not known:
        committer = Committer(objects, epoch.number, run)
        sink = StoreSink(objects)
        return StoreManifest(objects, sink, committer, segments=segments)
    listing = {
        one.name: one.stamp
        for one in objects.find()
        if not one.name.startswith(f"{STATE_FOLDER}/")
        or one.name.startswith(f"{STATE_FOLDER}/rejected/")
    }
    index = Index()
    try:
        latest, filed = _fill(objects, epoch, index, base)
        committer = Committer(objects, epoch.number, run, latest)
        sink = StoreSink(objects, listing)
        manifest = StoreManifest(
            objects, sink, committer, index=index, begun=begun, segments=segments
        )
        # A run that was killed after its last picture left all done and nothing compacted.
        manifest._changed = bool(filed)
        _recover(objects, committer, manifest, filed)
        objects.remove_all([one.name for one in objects.find(PARTS)])
    except BaseException:
        index.close()
        raise
    return manifest


def read_store(objects: Objects, base: Iterable[Entry] = ()) -> list[Entry]:
    """What the manifest of an output knows; changes nothing, and works beside a run.

    Raises:
        ManifestError: No batch was ever run into it, or it is damaged.
    """
    epoch = _newest_epoch(objects)
    if epoch is None:
        raise ManifestError(
            f"{objects.address}: no batch was ever run into it (there is no {EPOCHS} below it)"
        )
    index = Index()
    try:
        _, filed = _fill(objects, epoch, index, base)
        for key in _unfiled(objects, epoch.number, filed):
            with contextlib.suppress(FileNotFoundError):
                made = json.loads(objects.read(f"{COMMITS}/{key}"))
                index.put([from_line(json.dumps(made["entry"]))])
        return list(index.entries())
    finally:
        index.close()


def _check_creates(objects: Objects) -> None:
    """See that of two writers of one name only the first gets it: some stores take both."""
    name = f"{STATE_FOLDER}/probe-{os.urandom(6).hex()}"
    objects.create(name, b"first\n")
    try:
        if objects.create(name, b"second\n") or objects.read(name) != b"first\n":
            raise StorageError(
                f"{objects.address}: this store takes a conditional write (If-None-Match: *) for a "
                "plain one, so that two workers could both count as first; nothing was done. Use a "
                "store that knows conditional writes, or a folder"
            )
    finally:
        objects.remove(name)


def _newest_epoch(objects: Objects) -> Epoch | None:
    numbers = [_number_of(one.name) for one in objects.find(EPOCHS)]
    number = max(numbers, default=0)
    data: bytes | None = None
    while True:  # a listing may be late, a read is not
        try:
            data = objects.read(epoch_key(number + 1))
        except FileNotFoundError:
            break
        number += 1
    if number == 0:
        return None
    if data is None:
        data = objects.read(epoch_key(number))
    try:
        return Epoch(number, tuple(json.loads(data)["files"]))
    except (ValueError, KeyError, TypeError) as error:
        raise ManifestError(
            f"{objects.address}/{epoch_key(number)}: damaged ({error!r}); remove it to go on from "
            "the epoch before"
        ) from error


def _open_epoch(objects: Objects) -> Epoch:
    found = _newest_epoch(objects)
    if found is not None:
        return found
    objects.create(epoch_key(1), b'{"files": [], "entries": 0}\n')
    return _newest_epoch(objects) or Epoch(1, ())


def _number(objects: Objects, about: Mapping[str, Any]) -> int:
    """A number for a run, higher than that of all before."""
    number = 1 + max((_number_of(one.name) for one in objects.find(RUNS)), default=0)
    host = os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "")
    told = {"host": host, "pid": os.getpid(), "began": time.time(), **about}
    while not objects.create(f"{RUNS}/{number:06}", json.dumps(told).encode() + b"\n"):
        number += 1
    return number


def _fill(
    objects: Objects, epoch: Epoch, index: Index, base: Iterable[Entry] = ()
) -> tuple[dict[str, int], set[str]]:
    """Read files and segments into an index; each unit's generation, and keys that are filed."""
    latest: dict[str, int] = {}
    filed: set[str] = set()
    segments = [
        one.name
        for one in objects.find(SEGMENTS)
        if _epoch_of(one.name.removeprefix(f"{SEGMENTS}/")) == epoch.number
    ]

    def read(name: str) -> bytes:
        try:
            data = objects.read(name)
        except FileNotFoundError as error:
            raise ManifestError(
                f"{objects.address}/{name}: it is missing, and holds what earlier runs did; bring "
                "it back, or remove .nssbg there to begin anew (with --overwrite)"
            ) from error
        return gzip.decompress(data) if name.endswith(".gz") else data

    with ThreadPoolExecutor(_READERS) as pool:
        if not epoch.files:
            index.put(base)
        for name, data in zip(
            (*epoch.files, *segments), pool.map(read, (*epoch.files, *segments)), strict=True
        ):
            entries = []
            for line in data.splitlines():
                try:
                    entry = from_line(line)
                    key = json.loads(line).get("commit", "")
                except ValueError as error:
                    raise ManifestError(f"{objects.address}/{name}: damaged: {error}") from error
                entries.append(entry)
                if key:
                    filed.add(key)
                    unit, _, generation = key.partition("/")[2].partition(".")
                    latest[unit] = max(latest.get(unit, 0), int(generation))
            index.put(entries)
            if epoch.files and name == epoch.files[-1]:
                index.put(base)
    return latest, filed


def _unfiled(objects: Objects, epoch: int, filed: set[str]) -> list[str]:
    """Keys of records that are in no segment, of each unit the latest."""
    newest: dict[str, str] = {}
    for one in objects.find(f"{COMMITS}/{epoch:06}"):
        key = one.name.removeprefix(f"{COMMITS}/")
        newest[key.partition(".")[0]] = key  # sorted: the last generation comes last
    return [key for key in newest.values() if key not in filed]


def _recover(
    objects: Objects, committer: Committer, manifest: StoreManifest, filed: set[str]
) -> None:
    """Find what killed writers committed and filed in no segment; put its outputs in place."""
    keys = _unfiled(objects, committer.epoch, filed)
    if not keys:
        return
    with ThreadPoolExecutor(_READERS) as pool:
        found = [made for made in pool.map(committer.resolve, keys) if made is not None]
    for made in found:
        manifest.keep(made)
    log.info(
        "%s: found %d pictures that runs before had finished and not yet filed",
        objects.address,
        len(found),
    )


def _is_key(name: str) -> bool:
    """Whether a name can be an object's: stores have UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _unnameable(entry: Entry) -> Entry:
    """The entry of a picture whose outputs cannot have their names in a store."""
    message = (
        f"{entry.row.input}: its outputs cannot have their names in a store, whose names are "
        "UTF-8; rename it, or give a --name that leaves {stem} out"
    )
    row = replace(
        entry.row,
        status="failed",
        output="",
        outputs=(),
        output_sha256="",
        bytes=0,
        error=RowError("ImageEncodeError", message),
        verdict="fail",
        reasons=(message,),
    )
    return replace(entry, row=row, outputs=())


def _number_of(name: str) -> int:
    with contextlib.suppress(ValueError):
        return int(name.rpartition("/")[2])
    return 0


def _epoch_of(name: str) -> int:
    """The epoch that the name of a segment, a file or a record begins with."""
    return _number_of(name.replace("/", "-").partition("-")[0])
