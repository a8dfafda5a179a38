"""The pictures of a run, as they are pulled: only those that are left to do are read and handed on.

What is settled already, or cannot be read, becomes a row that is put aside for the caller.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from nssbg._io import NamedBytes
from nssbg.batch.entry import Entry
from nssbg.batch.manifest import Manifest
from nssbg.batch.resume import Loaded, load_file, resolved
from nssbg.batch.row import Row
from nssbg.batch.sink import Sink, StorageError, file_stamp
from nssbg.batch.units import WorkUnit
from nssbg.batch.work import CrashError, Input, failure

__all__ = ["Feed", "Picture", "Settings"]

# A picture whose work began so often without an end is taken for what ends the process.
_MOST_CRASHES = 3


class Picture(NamedBytes):
    """A picture's bytes on their way through a stream, with what they are for.

    Attributes:
        unit: What is to be made of it.
        given: What was read.
    """

    unit: WorkUnit
    given: Input


@dataclass(frozen=True)
class Settings:
    """What counts as left to do.

    Attributes:
        force: Everything.
        retry_failed: Failures too that would come again for all that is known.
    """

    force: bool = False
    retry_failed: bool = False


@dataclass
class Feed(Iterator[Picture]):
    """Pulls units, and hands on the pictures of those that are left to do.

    Used by one thread at a time, whichever it is.

    Attributes:
        units: What is pulled.
        manifest: What is known.
        sink: Where outputs lie.
        settings: What counts as left to do.
        stopping: Whether nothing new is to begin.
        count: Units at most; plans are made by that.
        ready: Rows of units that need no work, and whether an earlier run had settled them, in the
            order they were found; the caller takes them.
        patient: Whether units that a run began and did not end come last.
        found: What is known of a unit, or its picture, as `resolved` gives it; None: that is looked
            up here, and pictures are files of this machine.
        fatal: What ended the feed before its time, or None.
    """

    units: Iterator[WorkUnit]
    manifest: Manifest
    sink: Sink
    settings: Settings
    stopping: Callable[[], bool]
    count: int = 0
    ready: deque[tuple[Row, bool]] = field(default_factory=deque)
    fatal: Exception | None = None
    patient: bool = True
    found: Callable[[WorkUnit], Entry | Loaded] | None = None
    _late: list[WorkUnit] = field(default_factory=list)
    _put_back: list[Picture] = field(default_factory=list)

    def __next__(self) -> Picture:
        """The next picture that is left to do."""
        if self._put_back:
            return self._put_back.pop()
        while not self.stopping() and self.fatal is None:
            unit = next(self.units, None)
            if unit is None and not self._late:
                break
            if unit is None:
                # From here on only what ends the process is begun again and again.
                self.units, self._late, self.patient = iter(self._late), [], False
                continue
            try:
                if self.patient and self.manifest.attempts(unit.identity)[1]:
                    self._late.append(unit)
                    continue
                made, known = self._made(unit)
            except StorageError as error:
                self.fatal = error
                break
            if isinstance(made, Entry):
                self.ready.append((made.row, known))
            else:
                return made
        raise StopIteration

    def __length_hint__(self) -> int:
        """Pictures at most."""
        return self.count

    def put_back(self, picture: Picture) -> None:
        """Have a picture come again, as the next."""
        self._put_back.append(picture)

    def _made(self, unit: WorkUnit) -> tuple[Entry | Picture, bool]:
        """A unit's picture or what became of it, and whether an earlier run had settled it."""
        try:
            found = self._found(unit) if self.found is None else self.found(unit)
        except StorageError:
            raise
        except Exception as error:  # of this picture alone
            entry = failure(unit, error, Input("", "", self.manifest.begin(unit.identity)))
            return self.manifest.record(entry), False
        if isinstance(found, Entry):
            # A kill can come between the manifest's word and this one.
            self.manifest.end(unit.identity)
            row = found.row
            if row.error is None:
                row = replace(row, status="skipped")
            return replace(found, row=row), True
        begun, cut_short = self.manifest.attempts(unit.identity)
        if cut_short and begun >= _MOST_CRASHES and not self.settings.retry_failed:
            crash = CrashError(
                f"{unit.input}: {begun} runs ended while this picture was being worked on; it is "
                "left out until it changes, or until --retry-failed"
            )
            entry = failure(unit, crash, Input(found.sha256, found.stamp, begun))
            return self.manifest.record(entry), False
        picture = Picture(found.data)
        picture.name = unit.input
        picture.unit = unit
        picture.given = Input(found.sha256, found.stamp, self.manifest.begin(unit.identity))
        return picture, False

    def _found(self, unit: WorkUnit) -> Entry | Loaded:
        return self.looked_up(unit, load_file, _file_stamp)

    def looked_up(
        self,
        unit: WorkUnit,
        load: Callable[[str], Loaded],
        stamp: Callable[[str], str],
    ) -> Entry | Loaded:
        """What is known of a unit, or its picture; safe in any thread.

        Args:
            unit: The unit.
            load: Reads a picture by its path.
            stamp: What changes when that picture does; "" where there is none.
        """
        if self.settings.force:
            return load(unit.input)
        return resolved(
            unit,
            self.manifest,
            self.sink,
            lambda: load(unit.input),
            stamp=stamp(unit.input),
            retry_failed=self.settings.retry_failed,
        )


def _file_stamp(path: str) -> str:
    place = Path(path)
    return file_stamp(place.stat()) if place.exists() else ""
