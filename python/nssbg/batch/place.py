"""Where a run's outputs, manifest and report lie: a folder of this machine, or an object store.

An engine asks a place for its sink and manifest and knows no more of it. `LocalPlace` has them in
the folder (SQLite), `StorePlace` in the store (records and segments), with a folder of this machine
for what one run needs: its lock, thumbnails, and which pictures it was working on.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from nssbg import _fs
from nssbg._errors import OptionError
from nssbg._models.paths import home
from nssbg.batch.address import is_uri, joined, local_path
from nssbg.batch.manifest import Manifest, SqliteManifest, read_manifest
from nssbg.batch.sink import LocalSink, Sink
from nssbg.batch.sources import STATE_FOLDER
from nssbg.batch.store.manifest import StoreManifest, StoreSink, open_run, read_store
from nssbg.batch.store.objects import LocalObjects, Objects, open_objects
from nssbg.batch.units import WorkUnit

if TYPE_CHECKING:
    from nssbg.batch.entry import Entry

__all__ = ["LocalPlace", "Place", "StorePlace", "place_of"]

log: logging.Logger = logging.getLogger("nssbg")

_COMMAND = "command.json"
_SHOWN = 3


class RunManifest(Manifest, Protocol):
    """A manifest as a run holds it."""

    def replace_problems(self, rows: Any) -> None:
        """See `SqliteManifest.replace_problems`."""
        ...

    def close(self) -> None:
        """Let go of it; all that was recorded is kept."""
        ...


class Place(Protocol):
    """Where outputs lie.

    Attributes:
        address: The output's path or URI.
        folder: Where the report is written, on this machine, and `.nssbg` with what a run needs.
        writers: Threads that record entries; 0: that takes no time to speak of.
    """

    address: str
    folder: Path
    writers: int

    def open(self, about: Mapping[str, Any]) -> tuple[Sink, RunManifest]:
        """Sink and manifest of a run that begins."""
        ...

    def claim(
        self, manifest: Manifest, sink: Sink, units: Sequence[WorkUnit], *, overwrite: bool
    ) -> None:
        """Take the outputs' names, none of which may be a source or a stranger's file.

        Raises:
            OptionError: One is.
        """
        ...

    def finish(self, manifest: Manifest, *, whole: bool) -> None:
        """Put in order what a run leaves.

        Args:
            manifest: Of the run, still open.
            whole: Whether it came to its end.
        """
        ...

    def share(self, names: Sequence[str]) -> None:
        """Bring files of `folder` to where the outputs lie."""
        ...

    def known(self) -> tuple[list[Entry], int]:
        """All entries, and how many units were begun without an end; changes nothing.

        Raises:
            ManifestError: No batch was ever run into it.
        """
        ...

    def stamps(self) -> Sink:
        """What tells the stamps of outputs; nothing is written to it."""
        ...

    def keep_command(self, command: bytes) -> None:
        """Keep what a batch was run with."""
        ...

    def command(self) -> bytes:
        """What was kept.

        Raises:
            OSError: There is none.
        """
        ...


class LocalPlace:
    """A folder of this machine; see `Place`."""

    writers: int = 0

    def __init__(self, folder: Path) -> None:
        self.folder: Path = folder
        self.address: str = os.fspath(folder)

    def open(self, about: Mapping[str, Any]) -> tuple[Sink, RunManifest]:
        """See `Place.open`."""
        sink = LocalSink(self.folder)
        swept = sink.sweep()
        if swept:
            log.info("%s: removed %d part files of runs that were killed", self.folder, swept)
        return sink, SqliteManifest(self.folder / STATE_FOLDER)

    def claim(
        self, manifest: Manifest, sink: Sink, units: Sequence[WorkUnit], *, overwrite: bool
    ) -> None:
        """See `Place.claim`."""
        inputs: dict[tuple[int, int] | None, str] | None = None
        strange = []
        for unit in units:
            for name in unit.outputs:
                path = self.folder / name
                there = _fs.identity(path)
                if there is None:
                    continue
                if inputs is None:
                    inputs = {
                        _fs.identity(one.input): one.input for one in units if not is_uri(one.input)
                    }
                if there in inputs:
                    raise _over_source(path, unit.input, inputs[there])
                if not overwrite and not manifest.owns(name):
                    strange.append(name)
        _refuse(self.address, strange)
        manifest.claim(name for unit in units for name in unit.outputs)

    def finish(self, manifest: Manifest, *, whole: bool) -> None:
        """See `Place.finish`."""

    def share(self, names: Sequence[str]) -> None:
        """See `Place.share`: they lie there."""

    def known(self) -> tuple[list[Entry], int]:
        """See `Place.known`."""
        state = self.folder / STATE_FOLDER
        if any(state.glob("segments/*")) or any(state.glob("commits/*/*")):
            # Several machines were at work here, and have not come to their end.
            return read_store(LocalObjects(self.folder), _sqlite_entries(self.folder)), 0
        return read_manifest(state)

    def stamps(self) -> Sink:
        """See `Place.stamps`."""
        return LocalSink(self.folder)

    def keep_command(self, command: bytes) -> None:
        """See `Place.keep_command`."""
        _fs.write(self.folder / STATE_FOLDER / _COMMAND, command, sync=False)

    def command(self) -> bytes:
        """See `Place.command`."""
        return (self.folder / STATE_FOLDER / _COMMAND).read_bytes()


class StorePlace:
    """A prefix of an object store, or a folder that several machines write to; see `Place`.

    Args:
        address: The URI, or the folder's path.
        writers: See `Place`.
    """

    def __init__(self, address: str, *, writers: int = 8) -> None:
        self.address: str = address.rstrip("/") if is_uri(address) else address
        digest = hashlib.sha256(self.address.encode()).hexdigest()[:20]
        self.folder: Path = home() / "batches" / digest if is_uri(address) else Path(address)
        self.writers: int = writers
        self._opened: Objects | None = None

    @property
    def objects(self) -> Objects:
        """The output's root."""
        if self._opened is None:
            self._opened = open_objects(self.address)
        return self._opened

    def open(self, about: Mapping[str, Any]) -> tuple[Sink, RunManifest]:
        """See `Place.open`."""
        begun = self.folder / STATE_FOLDER / "begun.log"
        base = [] if is_uri(self.address) else _sqlite_entries(self.folder)
        manifest = open_run(self.objects, begun=begun, about=about, base=base)
        return manifest.sink, manifest

    def claim(
        self, manifest: Manifest, sink: Sink, units: Sequence[WorkUnit], *, overwrite: bool
    ) -> None:
        """See `Place.claim`."""
        assert isinstance(manifest, StoreManifest)
        inputs = {unit.input for unit in units}
        strange = []
        for unit in units:
            for name in unit.outputs:
                if not manifest.sink.listed(name):
                    continue
                path = joined(self.address, name)
                if path in inputs:
                    raise _over_source(path, unit.input, path)
                if not overwrite and not manifest.owns(name):
                    strange.append(name)
        _refuse(self.address, strange)

    def finish(self, manifest: Manifest, *, whole: bool) -> None:
        """See `Place.finish`: the manifest is compacted once a run came to its end."""
        assert isinstance(manifest, StoreManifest)
        if not whole:
            manifest.flush()
            return
        if not is_uri(self.address) and manifest.changed:
            # A folder's manifest is SQLite, for whatever runs on it next or asks how it stands.
            local = SqliteManifest(self.folder / STATE_FOLDER)
            try:
                local.take_over(manifest.entries())
            finally:
                local.close()
        manifest.compact()

    def share(self, names: Sequence[str]) -> None:
        """See `Place.share`."""
        if not is_uri(self.address):
            return
        for name in names:
            path = self.folder / name
            if path.exists():
                self.objects.put(name, path.read_bytes())

    def known(self) -> tuple[list[Entry], int]:
        """See `Place.known`."""
        return read_store(self.objects), 0

    def stamps(self) -> Sink:
        """See `Place.stamps`."""
        listing = {one.name: one.stamp for one in self.objects.find()}
        return StoreSink(self.objects, listing)

    def keep_command(self, command: bytes) -> None:
        """See `Place.keep_command`."""
        self.objects.put(f"{STATE_FOLDER}/{_COMMAND}", command)

    def command(self) -> bytes:
        """See `Place.command`."""
        return self.objects.read(f"{STATE_FOLDER}/{_COMMAND}")


def place_of(out: str | os.PathLike[str]) -> LocalPlace | StorePlace:
    """The place that a path or URI names."""
    if is_uri(out):
        return StorePlace(os.fspath(out))
    return LocalPlace(Path(local_path(out)))


def _sqlite_entries(folder: Path) -> list[Entry]:
    """What runs of one machine have left in a folder; nothing where there were none."""
    state = folder / STATE_FOLDER
    return read_manifest(state)[0] if (state / "manifest.sqlite").exists() else []


def _over_source(path: object, source: str, over: str) -> OptionError:
    return OptionError(
        f"{path}: this output of {source} would be written over {over}, a source picture of the "
        "same run; give another output folder or name"
    )


def _refuse(address: str, strange: Sequence[str]) -> None:
    if strange:
        shown = ", ".join(strange[:_SHOWN]) + (", ..." if len(strange) > _SHOWN else "")
        raise OptionError(
            f"{address}: {len(strange)} of the outputs are there already and are of no run "
            f"of nssbg batch ({shown}); nothing was done. Use --overwrite to replace them, or "
            "give another output folder"
        )
