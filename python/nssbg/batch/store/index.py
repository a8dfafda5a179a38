"""What a run knows of an output in a store, for quick look-ups: a SQLite file of this process.

Filled from the store's manifest when a run begins and gone when it ends; nothing is lost with it.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator

from nssbg.batch.entry import Entry, from_line, to_line

__all__ = ["Index"]


class Index:
    """Entries by identity and by fingerprint; safe to use from several threads.

    A temporary file of SQLite's own: a million entries take 2 GB, which is not kept in memory.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._connection.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; "
            "CREATE TABLE units (identity BLOB PRIMARY KEY, fingerprint TEXT, state TEXT, "
            "attempts INTEGER, entry TEXT) WITHOUT ROWID; "
            "CREATE INDEX by_fingerprint ON units (fingerprint); "
            "CREATE TABLE names (name TEXT PRIMARY KEY) WITHOUT ROWID;"
        )

    def put(self, entries: Iterable[Entry]) -> None:
        """Keep entries, in place of those of the same identity."""
        with self._lock:
            self._connection.execute("BEGIN")
            for entry in entries:
                row = entry.row
                self._connection.execute(
                    "INSERT OR REPLACE INTO units VALUES (?, ?, ?, ?, ?)",
                    (entry.identity, row.fingerprint, row.status, row.attempts, to_line(entry)),
                )
                self._connection.executemany(
                    "INSERT OR IGNORE INTO names VALUES (?)",
                    ((stored.name,) for stored in entry.outputs),
                )
            self._connection.execute("COMMIT")

    def remove(self, identity: bytes) -> None:
        """Drop what is known of a unit."""
        with self._lock:
            self._connection.execute("DELETE FROM units WHERE identity = ?", (identity,))

    def find(self, identity: bytes) -> Entry | None:
        """What is known of a unit."""
        return self._one("SELECT entry FROM units WHERE identity = ?", identity)

    def find_made(self, fingerprint: str) -> Entry | None:
        """A finished unit of this key."""
        text = "SELECT entry FROM units WHERE fingerprint = ? AND state = 'done' LIMIT 1"
        return self._one(text, fingerprint)

    def has_output(self, name: str) -> bool:
        """Whether an output of this name is of a known unit."""
        with self._lock:
            found = self._connection.execute("SELECT 1 FROM names WHERE name = ?", (name,))
            return found.fetchone() is not None

    def entries(self) -> Iterator[Entry]:
        """All, by identity."""
        last = b""
        while True:
            with self._lock:
                some = self._connection.execute(
                    "SELECT identity, entry FROM units WHERE identity > ? ORDER BY identity "
                    "LIMIT 1000",
                    (last,),
                ).fetchall()
            if not some:
                return
            for identity, line in some:
                last = identity
                yield from_line(line)

    def __len__(self) -> int:
        with self._lock:
            return int(self._connection.execute("SELECT count(*) FROM units").fetchone()[0])

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._connection.close()

    def _one(self, text: str, value: object) -> Entry | None:
        with self._lock:
            found = self._connection.execute(text, (value,)).fetchone()
        return None if found is None else from_line(found[0])
