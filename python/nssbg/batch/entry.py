"""What a manifest keeps of one work unit, and its form as one line of text.

The same line stands in a manifest's SQLite file and in its journal, and would in an object store.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import Any

from nssbg.batch.row import Row, RowError
from nssbg.batch.sink import Stored

__all__ = ["Entry", "from_line", "to_line"]


@dataclass(frozen=True)
class Entry:
    """What is known of one work unit.

    Attributes:
        identity: See `WorkUnit.identity`.
        settings: See `WorkUnit.settings`.
        stamp: Of the input when it was read (`nssbg.batch.sink.file_stamp`); "" where not known.
        row: What became of it.
        outputs: What was written.
    """

    identity: bytes
    settings: str
    stamp: str
    row: Row
    outputs: tuple[Stored, ...] = ()


_ROW = {field.name for field in fields(Row)}


def to_line(entry: Entry) -> str:
    """One line of JSON in plain ASCII; names that are no UTF-8 stay what they are."""
    record = {
        "identity": entry.identity.hex(),
        "settings": entry.settings,
        "stamp": entry.stamp,
        "row": entry.row.plain(),
        "outputs": [vars(stored) for stored in entry.outputs],
    }
    return json.dumps(record)


def from_line(line: str | bytes) -> Entry:
    """The entry of a line.

    Raises:
        ValueError: The line is cut short, or is none of `to_line`.
    """
    try:
        record: dict[str, Any] = json.loads(line)
        row = {key: value for key, value in record["row"].items() if key in _ROW}
        if row.get("error") is not None:
            row["error"] = RowError(**row["error"])
        for key in ("outputs", "reasons"):
            row[key] = tuple(row.get(key, ()))
        return Entry(
            bytes.fromhex(record["identity"]),
            record["settings"],
            record["stamp"],
            Row(**row),
            tuple(Stored(**stored) for stored in record["outputs"]),
        )
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"no entry of a manifest: {error!r}") from error
