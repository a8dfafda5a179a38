"""The commit protocol: a unit's outputs and the one record that says whose count.

A unit may be run twice: by a worker that was taken for lost, by a speculative copy, by a driver
that came again. Each writer does the same four steps, and only the second decides:

1. The outputs are written under temporary names of their own, `.nssbg/parts/SHA256-TOKEN`.
2. The record, `.nssbg/commits/EPOCH/UNIT.GENERATION`, is created where there is none
   (`If-None-Match: *`). One writer gets it. It names the outputs, their digests and the parts.
3. Who got it moves the parts to the outputs' names. Who did not makes sure that they are there, as
   the record says, and removes its own parts.
4. Whoever comes later finds the record, and moves what is still to be moved.

A later generation of the same unit (other options, a changed picture, a second try at a failure)
first removes the parts that the one before names: a writer that sleeps between steps 2 and 3 then
finds nothing to move over the newer outputs. docs/decisions/1020-commit-protocol.md has the proof.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from nssbg.batch.entry import Entry, from_line, to_line
from nssbg.batch.sink import StorageError, Stored
from nssbg.batch.sources import STATE_FOLDER
from nssbg.batch.store.objects import Objects

__all__ = [
    "COMMITS",
    "EPOCHS",
    "OWNERS",
    "PARTS",
    "Committed",
    "Committer",
    "OvertakenError",
    "Record",
    "epoch_key",
    "record_key",
    "unit_digest",
]

COMMITS = f"{STATE_FOLDER}/commits"
EPOCHS = f"{STATE_FOLDER}/epochs"
OWNERS = f"{STATE_FOLDER}/names"
PARTS = f"{STATE_FOLDER}/parts"
# Seconds for which the epoch is taken to be still open.
_LOOK = 5.0
# A record that exists and cannot be read yet: pauses before it is looked at again.
_WAITS = (0.05, 0.2, 0.5, 1.0, 2.0, 4.0)
_PUBLISHES = 4


class OvertakenError(StorageError):
    """Another run has finished and closed this output since this one began."""


@dataclass(frozen=True)
class Record:
    """What decides about a unit.

    Attributes:
        entry: What became of it; its outputs have no stamps yet.
        run: Number of the run that it is of; a later run has a higher one.
        token: Of the writer, unlike that of any other.
        parts: Name of each output to the temporary name that its bytes were written under.
    """

    entry: Entry
    run: int
    token: str
    parts: Mapping[str, str]

    def data(self) -> bytes:
        """As an object's bytes."""
        made = {
            "run": self.run,
            "token": self.token,
            "parts": dict(self.parts),
            "entry": json.loads(to_line(self.entry)),
        }
        return json.dumps(made).encode() + b"\n"

    @classmethod
    def of(cls, data: bytes) -> Record:
        """The record of an object's bytes.

        Raises:
            ValueError: It is none.
        """
        try:
            made: dict[str, Any] = json.loads(data)
            entry = from_line(json.dumps(made["entry"]))
            return cls(entry, int(made["run"]), str(made["token"]), dict(made["parts"]))
        except (KeyError, TypeError) as error:
            raise ValueError(f"no commit record: {error!r}") from error


@dataclass(frozen=True)
class Committed:
    """What became of a commit.

    Attributes:
        entry: What counts: this writer's, or that of one that was quicker.
        key: Of the record, EPOCH/UNIT.GENERATION.
        won: Whether it is this writer's.
        run: Number of the run that it is of.
    """

    entry: Entry
    key: str
    won: bool
    run: int


class Committer:
    """Commits units into one output; safe to use from several threads.

    Args:
        objects: The output's root.
        epoch: The open epoch.
        run: Number of this run.
        latest: Generation that each unit is known to have, by `unit_digest`.
    """

    def __init__(
        self, objects: Objects, epoch: int, run: int, latest: Mapping[str, int] | None = None
    ) -> None:
        self._objects = objects
        self._epoch = epoch
        self._run = run
        self._latest = dict(latest or {})
        self._looked = (time.monotonic(), time.time())

    @property
    def epoch(self) -> int:
        """The epoch that is written to."""
        return self._epoch

    @property
    def run(self) -> int:
        """Number of this run."""
        return self._run

    def commit(self, entry: Entry, data: Mapping[str, bytes]) -> Committed:
        """Make one unit's outputs and entry count, or find that another's do.

        Args:
            entry: What became of the unit.
            data: Bytes of each output by its name.

        Raises:
            OvertakenError: The epoch was closed by another run.
            StorageError: The store takes no more, or does not answer.
        """
        unit = unit_digest(entry.identity)
        generation = max(0, self._latest.get(unit, -1))
        mine = self._staged(entry, data)
        for _ in range(_PUBLISHES):
            while True:
                key = record_key(self._epoch, unit, generation)
                if self._objects.create(f"{COMMITS}/{key}", mine.data()):
                    break
                standing = self._standing(key)
                if standing.token == mine.token:  # the answer to the first try was lost
                    break
                later = self._later(unit, generation)
                if later is None and not self._supersedes(mine, standing):
                    self._latest[unit] = generation
                    found = self._published(standing, self._before(unit, generation))
                    if found is None and standing.run > self._run:
                        found = standing.entry  # that run sees to it
                    if found is not None:
                        self._objects.remove_all(mine.parts.values())
                        return Committed(found, key, False, standing.run)
                generation += 1
            self._latest[unit] = generation
            self._check_open()
            published = self._published(mine, self._before(unit, generation))
            if published is not None:
                return Committed(published, key, True, self._run)
            # Someone tidied the parts away. They are not written again under their names: a later
            # generation may have removed them on purpose. What counts is decided once more.
            generation += 1
            mine = self._staged(entry, data)
        raise StorageError(
            f"cannot write {self._objects.address}: parts of {entry.row.input} were removed "
            f"{_PUBLISHES} times before they were moved to their names; see that nothing else "
            "tidies up there, then run the same command again"
        )

    def lookup(self, identity: bytes) -> Committed | None:
        """What counts of a unit, its outputs in place; None where nothing is committed.

        A record whose outputs are gone or altered, and cannot be put in place any more, is none.
        """
        unit = unit_digest(identity)
        generation = max(0, self._latest.get(unit, -1))
        found: tuple[str, Record] | None = None
        while True:
            key = record_key(self._epoch, unit, generation)
            try:
                found = (key, self._read(key))
            except FileNotFoundError:
                break
            self._latest[unit] = generation
            generation += 1
        if found is None:
            return None
        entry = self._published(found[1], None)
        return None if entry is None else Committed(entry, found[0], False, found[1].run)

    def resolve(self, key: str) -> Committed | None:
        """The record of a key, its outputs put in place; None as for `lookup`."""
        try:
            record = self._read(key)
        except FileNotFoundError:
            return None
        entry = self._published(record, None)
        return None if entry is None else Committed(entry, key, False, record.run)

    def _staged(self, entry: Entry, data: Mapping[str, bytes]) -> Record:
        """A record of this writer's, its parts written."""
        token = os.urandom(6).hex()
        parts = {one.name: f"{PARTS}/{one.sha256}-{token}" for one in entry.outputs}
        for name, part in parts.items():
            self._objects.put(part, data[name])
        return Record(entry, self._run, token, parts)

    def _later(self, unit: str, generation: int) -> Record | None:
        """The next generation, where it is decided already."""
        try:
            return self._read(record_key(self._epoch, unit, generation + 1))
        except FileNotFoundError:
            return None

    def _supersedes(self, mine: Record, standing: Record) -> bool:
        """Whether a unit is to be decided anew, by this writer."""
        if standing.run > self._run:
            return False
        was, now = standing.entry.row, mine.entry.row
        if standing.run < self._run:
            return (
                was.error is not None
                or standing.entry.settings != mine.entry.settings
                or was.fingerprint != now.fingerprint
            )
        return was.error is not None and now.error is None

    def _before(self, unit: str, generation: int) -> Record | None:
        if generation == 0:
            return None
        try:
            return self._read(record_key(self._epoch, unit, generation - 1))
        except FileNotFoundError:
            return None

    def _published(self, record: Record, before: Record | None) -> Entry | None:
        """The record's entry with its outputs in place; None where their bytes are nowhere."""
        if before is not None:
            self._objects.remove_all(before.parts.values())
        outputs = []
        for stored in record.entry.outputs:
            try:
                self._objects.move(record.parts[stored.name], stored.name)
            except FileNotFoundError:  # moved already, by another writer or an earlier life
                if not self._holds(stored):
                    return None
            outputs.append(replace(stored, stamp=self._objects.stamp(stored.name) or ""))
        return replace(record.entry, outputs=tuple(outputs))

    def _holds(self, stored: Stored) -> bool:
        try:
            return hashlib.sha256(self._objects.read(stored.name)).hexdigest() == stored.sha256
        except FileNotFoundError:
            return False

    def _standing(self, key: str) -> Record:
        for wait in _WAITS:
            try:
                return self._read(key)
            except FileNotFoundError:  # seen by the write, not yet by the read
                time.sleep(wait)
        raise StorageError(
            f"{self._objects.address}: the record {key} is there for a write and not for a read; "
            "this store cannot be written to by several workers"
        )

    def _read(self, key: str) -> Record:
        data = self._objects.read(f"{COMMITS}/{key}")
        try:
            return Record.of(data)
        except ValueError as error:
            raise StorageError(
                f"{self._objects.address}/{COMMITS}/{key}: damaged ({error}); remove it and run "
                "the same command again: its picture is done anew"
            ) from error

    def _check_open(self) -> None:
        now = (time.monotonic(), time.time())
        if all(abs(one - other) < _LOOK for one, other in zip(now, self._looked, strict=True)):
            return
        if self._objects.stamp(epoch_key(self._epoch + 1)) is not None:
            raise OvertakenError(
                f"{self._objects.address}: another run has finished here since this one began; "
                "run the same command again: it does what is left"
            )
        self._looked = now


def unit_digest(identity: bytes) -> str:
    """A unit's name in keys."""
    return hashlib.sha256(identity).hexdigest()[:40]


def record_key(epoch: int, unit: str, generation: int) -> str:
    """EPOCH/UNIT.GENERATION."""
    return f"{epoch:06}/{unit}.{generation:04}"


def epoch_key(epoch: int) -> str:
    """The object that opens an epoch."""
    return f"{EPOCHS}/{epoch:06}"
