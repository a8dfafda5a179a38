"""What a run knows about its output folder: each work unit's state, in one SQLite file.

`Manifest` is what engines use; `SqliteManifest` is its form on a local disk, at
OUT/.nssbg/manifest.sqlite, in WAL mode and flushed to disk with each finished unit. A journal
beside it gets each entry as a line as well: from it a damaged file is rebuilt.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from nssbg import _fs
from nssbg._errors import NssbgError
from nssbg.batch.begun import Begun, open_units
from nssbg.batch.entry import Entry, from_line, to_line
from nssbg.batch.row import Row
from nssbg.batch.sink import StorageError, Stored, telling

__all__ = ["Manifest", "ManifestError", "SqliteManifest", "read_manifest"]

log: logging.Logger = logging.getLogger("nssbg")

_NAME = "manifest.sqlite"
_JOURNAL = "journal.jsonl"
_BEGUN = "begun.log"
_SCHEMA = 1
# Ends the identity of what is no work unit: an unreadable folder, a link in a circle.
_PROBLEM = b"\0\0problem"
_TABLES = """
CREATE TABLE IF NOT EXISTS units (
  identity BLOB PRIMARY KEY,
  fingerprint TEXT NOT NULL DEFAULT '',
  state TEXT NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  entry TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_fingerprint ON units (fingerprint);
CREATE TABLE IF NOT EXISTS claims (name BLOB PRIMARY KEY) WITHOUT ROWID;
"""


class ManifestError(NssbgError):
    """The manifest of an output folder cannot be used."""


class Manifest(Protocol):
    """What an engine needs to know, and to have known; safe to use from several threads."""

    def find(self, identity: bytes) -> Entry | None:
        """What is known of a unit."""
        ...

    def find_made(self, fingerprint: str) -> Entry | None:
        """A finished unit with this key, whatever its identity: its input was moved, say."""
        ...

    def attempts(self, identity: bytes) -> tuple[int, bool]:
        """How often a unit was begun, and whether the last time had no end (a crash, a kill)."""
        ...

    def begin(self, identity: bytes) -> int:
        """Note that a unit is being worked on; how often it now was."""
        ...

    def end(self, identity: bytes) -> None:
        """Note that a unit is not being worked on after all: it is settled already."""
        ...

    def record(self, entry: Entry) -> Entry:
        """Keep what became of a unit; on the disk when this returns.

        Returns:
            What is kept: the entry, or where several engines write, that of who was first.
        """
        ...

    def refresh(self, entry: Entry) -> Entry:
        """Keep an entry again, for whose unit nothing was done: its stamps or place changed."""
        ...

    def claim(self, names: Iterable[str]) -> None:
        """Note that outputs of these names are this manifest's to replace."""
        ...

    def owns(self, name: str) -> bool:
        """Whether a name was claimed."""
        ...

    def entries(self) -> Iterator[Entry]:
        """All that is known, by identity."""
        ...


class SqliteManifest:
    """A manifest in a folder of the local disk.

    Args:
        folder: The state folder, OUT/.nssbg; it has to exist.

    Attributes:
        rebuilt: What was said about a damaged file that was rebuilt; "" where all was well.

    Raises:
        ManifestError: The file is of a newer nssbg, or cannot be opened.
        StorageError: The disk is full or read-only.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / _NAME
        self._journal = folder / _JOURNAL
        self._lock = threading.Lock()
        self.rebuilt: str = ""
        try:
            if _length(self._path) == 0 and _length(self._journal) > 0:
                raise sqlite3.DatabaseError("not a database: it is missing, or empty")
            self._open()
        except sqlite3.DatabaseError as error:
            if not _is_damage(error):
                raise self._error(error) from error
            self._rebuild(error)
        # Reads and begun units never wait for a commit that is being flushed to the disk.
        self._reader = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        self._reading = threading.Lock()
        self._begun = Begun(folder / _BEGUN)
        self._end_journal_line()

    def find(self, identity: bytes) -> Entry | None:
        """See `Manifest.find`."""
        return self._entry("SELECT entry FROM units WHERE identity = ?", identity)

    def find_made(self, fingerprint: str) -> Entry | None:
        """See `Manifest.find_made`."""
        text = "SELECT entry FROM units WHERE fingerprint = ? AND state = 'done' LIMIT 1"
        return self._entry(text, fingerprint)

    def attempts(self, identity: bytes) -> tuple[int, bool]:
        """See `Manifest.attempts`."""
        found = self._one("SELECT attempts FROM units WHERE identity = ?", identity)
        begun = self._begun.count(identity)
        return (0 if found is None else int(found[0])) + begun, begun > 0

    def begin(self, identity: bytes) -> int:
        """See `Manifest.begin`."""
        before, _ = self.attempts(identity)
        self._begun.begin(identity)
        return before + 1

    def end(self, identity: bytes) -> None:
        """See `Manifest.end`."""
        self._begun.end(identity)

    def record(self, entry: Entry) -> Entry:
        """See `Manifest.record`."""
        line = to_line(entry)
        row = entry.row
        with self._lock, self._told():
            self._connection.execute(
                "INSERT OR REPLACE INTO units (identity, fingerprint, state, attempts, entry) "
                "VALUES (?, ?, ?, ?, ?)",
                (entry.identity, row.fingerprint, row.status, row.attempts, line),
            )
            with telling(self._journal):
                _fs.append(self._journal, line.encode() + b"\n")
        self._begun.end(entry.identity)
        return entry

    def refresh(self, entry: Entry) -> Entry:
        """See `Manifest.refresh`."""
        return self.record(entry)

    def take_over(self, entries: Iterable[Entry]) -> None:
        """Keep entries of another manifest, their outputs' names claimed; in one transaction."""
        taken = [(entry, to_line(entry)) for entry in entries]
        with self._lock, self._told():
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany(
                "INSERT OR REPLACE INTO units VALUES (?, ?, ?, ?, ?)",
                (
                    (one.identity, one.row.fingerprint, one.row.status, one.row.attempts, line)
                    for one, line in taken
                ),
            )
            self._connection.commit()
            with telling(self._journal):
                _fs.append(self._journal, "".join(f"{line}\n" for _, line in taken).encode())
        self.claim(stored.name for one, _ in taken for stored in one.outputs)

    def claim(self, names: Iterable[str]) -> None:
        """See `Manifest.claim`."""
        with self._lock, self._told():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                self._connection.executemany(
                    "INSERT OR IGNORE INTO claims VALUES (?)",
                    ((os.fsencode(name),) for name in names),
                )
            except BaseException:
                self._connection.rollback()
                raise
            self._connection.commit()

    def owns(self, name: str) -> bool:
        """See `Manifest.owns`."""
        return self._one("SELECT 1 FROM claims WHERE name = ?", os.fsencode(name)) is not None

    def entries(self) -> Iterator[Entry]:
        """See `Manifest.entries`."""
        with self._lock, self._told():
            text = "SELECT entry FROM units WHERE entry != '' ORDER BY identity"
            lines = [line for (line,) in self._connection.execute(text)]
        for line in lines:
            yield from_line(line)

    def replace_problems(self, rows: Iterable[Row]) -> None:
        """Keep rows of what is no work unit, in place of those of an earlier run."""
        with self._lock, self._told():
            self._connection.execute(
                "DELETE FROM units WHERE substr(identity, ?) = ?", (-len(_PROBLEM), _PROBLEM)
            )
        for row in rows:
            self.record(Entry(os.fsencode(row.input) + _PROBLEM, "", "", row))

    def close(self) -> None:
        """Let go of the file, its WAL folded in; the journal is shortened where it grew long."""
        with self._lock, self._reading:
            with contextlib.suppress(sqlite3.Error, OSError, NssbgError):
                self._shorten_journal()
                self._begun.close()
            self._reader.close()
            self._connection.close()

    def _open(self) -> None:
        self._connection = sqlite3.connect(
            self._path, isolation_level=None, check_same_thread=False, timeout=30.0
        )
        try:
            execute = self._connection.execute
            execute("PRAGMA journal_mode = WAL")
            execute("PRAGMA synchronous = FULL")
            result = execute("PRAGMA quick_check(1)").fetchone()[0]
            if result != "ok":
                raise sqlite3.DatabaseError(f"database disk image is malformed: {result}")
            version = execute("PRAGMA user_version").fetchone()[0]
            if version > _SCHEMA:
                raise ManifestError(
                    f"{self._path}: made by a newer nssbg (form {version}, this one knows "
                    f"{_SCHEMA}); update nssbg, or give another output folder"
                )
            self._connection.executescript(_TABLES)
            execute(f"PRAGMA user_version = {_SCHEMA}")
        except BaseException:
            self._connection.close()
            raise

    def _rebuild(self, error: sqlite3.DatabaseError) -> None:
        """Put a damaged file aside and start again with what the journal holds."""
        aside = _free_name(self._path)
        for tail in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                Path(f"{self._path}{tail}").replace(f"{aside}{tail}")
        self._open()
        entries, lost = _from_journal(self._journal)
        # Neither inputs nor outputs are taken on trust: without stamps, both are hashed again.
        for entry in entries:
            outputs = tuple(Stored(o.name, o.bytes, o.sha256) for o in entry.outputs)
            row = entry.row
            self._connection.execute(
                "INSERT OR REPLACE INTO units VALUES (?, ?, ?, ?, ?)",
                (
                    entry.identity,
                    row.fingerprint,
                    row.status,
                    row.attempts,
                    to_line(Entry(entry.identity, entry.settings, "", row, outputs)),
                ),
            )
        self.claim(stored.name for entry in entries for stored in entry.outputs)
        unread = f", {lost} damaged lines left out" if lost else ""
        self.rebuilt = (
            f"{self._path}: damaged ({error}); kept as {aside.name}, and rebuilt from the journal: "
            f"{len(entries)} pictures{unread}. Their files are hashed before they are trusted."
        )
        log.warning("%s", self.rebuilt)

    def _end_journal_line(self) -> None:
        """After a kill or a power cut the last line may have no end."""
        with contextlib.suppress(FileNotFoundError), self._journal.open("rb") as file:
            if file.seek(0, os.SEEK_END) and file.seek(-1, os.SEEK_END) and file.read(1) != b"\n":
                with telling(self._journal):
                    _fs.append(self._journal, b"\n")

    def _shorten_journal(self) -> None:
        """Write the journal anew where most of its lines are about units that came again."""
        text = "SELECT count(*), coalesce(sum(length(entry)), 0) FROM units WHERE entry != ''"
        units, length = self._connection.execute(text).fetchone()
        if not self._journal.exists() or self._journal.stat().st_size < 4 * length + 65536:
            return
        lines = self._connection.execute("SELECT entry FROM units WHERE entry != ''")
        _fs.write(self._journal, "".join(f"{line}\n" for (line,) in lines).encode())
        log.debug("%s: shortened to %d lines", self._journal, units)

    def _entry(self, text: str, value: object) -> Entry | None:
        found = self._one(text, value)
        if found is None or not found[0]:
            return None
        try:
            return from_line(str(found[0]))
        except ValueError:  # of another version: the unit is done again
            return None

    def _one(self, text: str, value: object) -> tuple[int, str] | None:
        with self._reading, self._told():
            found: tuple[int, str] | None = self._reader.execute(text, (value,)).fetchone()
            return found

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._error(error) from error

    def _error(self, error: sqlite3.Error) -> NssbgError:
        words = str(error)
        if "full" in words or "disk I/O" in words or "readonly" in words:
            return StorageError(
                f"cannot write {self._path}: {words}; free some space or make it writable, then "
                "run the same command again: it goes on where it stopped"
            )
        return ManifestError(f"{self._path}: {words}")


def read_manifest(folder: Path) -> tuple[list[Entry], int]:
    """What a manifest knows, and how many units were begun without an end; changes nothing.

    Works beside a run that is writing it, and in a folder that cannot be written.

    Raises:
        ManifestError: There is none, or it is damaged.
    """
    path = folder / _NAME
    if not path.exists():
        raise ManifestError(
            f"{folder.parent}: no batch was ever run into this folder (there is no {path})"
        )
    last: sqlite3.Error | None = None
    for mode in ("mode=ro", "immutable=1"):
        try:
            address = f"file:{quote(os.fsencode(os.path.abspath(path)))}?{mode}"  # noqa: PTH100
            with contextlib.closing(sqlite3.connect(address, uri=True, timeout=30.0)) as connection:
                lines = connection.execute(
                    "SELECT entry FROM units WHERE entry != '' ORDER BY identity"
                ).fetchall()
            return [from_line(line) for (line,) in lines], len(open_units(folder / _BEGUN))
        except sqlite3.Error as error:
            last = error
    raise ManifestError(
        f"{path}: cannot be read ({last}); run the batch again, which rebuilds it from the journal"
    ) from last


def _length(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    words = str(error)
    return "malformed" in words or "not a database" in words or "no such column" in words


def _free_name(path: Path) -> Path:
    number = 1
    while (found := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    return found


def _from_journal(path: Path) -> tuple[list[Entry], int]:
    """The last entry of each unit, and how many lines could not be read."""
    entries: dict[bytes, Entry] = {}
    lost = 0
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return [], 0
    for line in lines:
        if not line:
            continue
        try:
            entry = from_line(line)
        except ValueError:
            lost += 1
            continue
        entries[entry.identity] = entry
    return list(entries.values()), lost
