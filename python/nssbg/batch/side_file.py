"""A table in one SQLite file beside the manifest that only saves time: what is lost is made again.

Thumbnails and subjects' boxes are kept in such files. A damaged one is made anew, one that cannot
be written is held in memory, each with a warning: neither is worth a run.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import threading
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["SideFile"]

log: logging.Logger = logging.getLogger("nssbg")

# What SQLite says of a file that is none of its own, or of another program's or a newer form.
_DAMAGE = ("not a database", "malformed", "no such table", "no such column", "has no column")


class SideFile:
    """Rows by key. Safe to use from several threads; close it, or use it in a `with`.

    Args:
        path: The file; made where there is none, its folder too.
        read_only: The file and its folder are left as they are; where it cannot be read there are
            no rows.
    """

    #: Its table, and the columns beside the key with their types.
    TABLE: ClassVar[str]
    COLUMNS: ClassVar[dict[str, str]]
    #: What it holds, for messages.
    WHAT: ClassVar[str]

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection = self._read() if read_only else self._open()

    def _put(self, key: str, values: Iterable[Any]) -> None:
        """Keep a row; a full disk costs it alone, with a warning."""
        row = (_text(key), *values)
        places = ",".join("?" * len(row))
        with self._lock:
            try:
                self._connection.execute(
                    f"INSERT OR REPLACE INTO {self.TABLE} VALUES ({places})", row
                )
                # Each at once, for a run that is killed to lose none: not flushed, it costs little.
                self._connection.commit()
            except sqlite3.DatabaseError as error:
                log.warning("%s: some %s are not kept: %s", self._path, self.WHAT, error)

    def _get(self, key: str) -> tuple[Any, ...] | None:
        """The values of a key, or None."""
        with self._lock:
            try:
                found: tuple[Any, ...] | None = self._connection.execute(
                    f"SELECT {', '.join(self.COLUMNS)} FROM {self.TABLE} WHERE key = ?",
                    (_text(key),),
                ).fetchone()
            except sqlite3.DatabaseError as error:
                log.warning("%s: damaged (%s)", self._path, error)
                return None
        return found

    def retain(self, keys: Iterable[str]) -> None:
        """Let go of all but these: the others are of inputs and options that are no more."""
        with self._lock, contextlib.suppress(sqlite3.DatabaseError):
            self._connection.execute("CREATE TEMP TABLE wanted (key TEXT PRIMARY KEY)")
            self._connection.executemany(
                "INSERT OR IGNORE INTO wanted VALUES (?)", ((_text(key),) for key in keys)
            )
            self._connection.execute(
                f"DELETE FROM {self.TABLE} WHERE key NOT IN (SELECT key FROM wanted)"
            )
            self._connection.execute("DROP TABLE wanted")
            self._connection.commit()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def __enter__(self) -> Self:
        """Use in a `with`."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    def _open(self) -> sqlite3.Connection:
        """The file; made anew where it is damaged, in memory where it cannot be written."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            try:
                return self._opened(self._path)
            except sqlite3.DatabaseError as error:
                if not any(word in str(error) for word in _DAMAGE):
                    raise
                log.warning(
                    "%s: damaged, cannot be used (%s); %s are made again",
                    self._path,
                    error,
                    self.WHAT,
                )
                for suffix in ("", "-wal", "-shm"):
                    with contextlib.suppress(FileNotFoundError):
                        self._path.with_name(self._path.name + suffix).unlink()
                return self._opened(self._path)
        except (OSError, sqlite3.DatabaseError) as error:
            log.warning("%s: %s are not kept (%s)", self._path, self.WHAT, error)
            return self._opened(":memory:")

    def _read(self) -> sqlite3.Connection:
        """The file as it is, also in a folder that cannot be written; empty where that fails."""
        # A closed file is whole without its log. SQLite makes the log's files even to read; here it
        # may only where a run that is writing has made them already.
        log_is_there = self._path.with_name(self._path.name + "-wal").exists()
        for mode in ("mode=ro", "immutable=1") if log_is_there else ("immutable=1",):
            path = quote(os.fsencode(os.path.abspath(self._path)))  # noqa: PTH100
            try:
                connection = sqlite3.connect(
                    f"file:{path}?{mode}", uri=True, check_same_thread=False, timeout=30
                )
            except sqlite3.DatabaseError:
                continue
            try:
                self._probe(connection)
                return connection
            except sqlite3.DatabaseError as error:
                connection.close()
                log.debug("%s: cannot be read: %s", self._path, error)
        return self._opened(":memory:")

    def _opened(self, path: Path | str) -> sqlite3.Connection:
        connection = sqlite3.connect(path, check_same_thread=False, timeout=30)
        try:
            # A crash of the machine may cost rows, which are made again.
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = OFF")
            columns = ", ".join(f"{name} {kind} NOT NULL" for name, kind in self.COLUMNS.items())
            connection.execute(
                f"CREATE TABLE IF NOT EXISTS {self.TABLE} (key TEXT PRIMARY KEY, {columns})"
            )
            self._probe(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _probe(self, connection: sqlite3.Connection) -> None:
        """Raise where the table is not of this form."""
        connection.execute(f"SELECT key, {', '.join(self.COLUMNS)} FROM {self.TABLE} LIMIT 1")


def _text(key: str) -> str:
    """A key that SQLite takes: names that are no UTF-8 have lone surrogates."""
    return key.encode("utf-8", "backslashreplace").decode()
