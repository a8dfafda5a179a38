"""Rows as tables: report.jsonl for machines, report.csv and failures.csv for spreadsheets."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from nssbg import _fs
from nssbg.batch.row import Row

__all__ = ["STATES", "reason_kind", "state_of", "worst_first", "write_csv", "write_jsonl"]

#: What a row is shown as, worst first.
STATES = ("failed", "interrupted", "fail", "review", "done", "skipped", "pass")

# A spreadsheet takes what begins so for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_REPORT = (
    "input", "status", "verdict", "reasons", "confidence", "output", "width", "height", "bytes",
    "error_kind", "error_message", "model", "device", "milliseconds", "attempts",
    "input_sha256", "output_sha256",
)  # fmt: skip
_FAILURES = (
    "input", "status", "verdict", "error_kind", "error_message", "reasons", "attempts",
)  # fmt: skip


def state_of(row: Row) -> str:
    """One of STATES: the verdict where the picture was judged, else what became of it."""
    if row.status in ("failed", "interrupted"):
        return row.status
    return row.verdict if row.verdict in STATES else row.status


def reason_kind(reason: str) -> str:
    """What a reason is about, without this picture's numbers, for filters: "halo", "fill", ..."""
    if "; expected " in reason:  # of the validator: "FILE: CHECK: found; expected ..."
        said = reason[: reason.index("; expected ")].split(": ")
        return said[1] if len(said) > 2 else said[0]
    return re.split(r"[\d(:;]", reason, maxsplit=1)[0].strip(" ,") or reason[:40]


def kinds_of(row: Row) -> tuple[str, ...]:
    """The kinds of all reasons of a row; an error's name is one."""
    kinds = [row.error.kind] if row.error else []
    said = row.error.message if row.error else None
    # An error stands among the reasons too, word for word: its name is its kind.
    kinds += [reason_kind(reason) for reason in row.reasons if reason != said]
    return tuple(dict.fromkeys(kinds))


def worst_first(rows: Iterable[Row]) -> list[Row]:
    """Rows in the order in which a person should look at them."""
    return sorted(
        rows,
        key=lambda row: (
            STATES.index(state_of(row)),
            2.0 if row.confidence is None else row.confidence,
            row.input,
        ),
    )


def write_jsonl(path: Path, rows: Iterable[Row], summary: Mapping[str, Any] | None) -> Path:
    """One JSON object a line: every row as it is, and the summary last.

    Names that are no UTF-8 stand in it as Python holds them, with escaped lone surrogates.
    """
    with _fs.replacing(path) as part, part.open("w", encoding="ascii", newline="\n") as file:
        for row in rows:
            file.write(json.dumps(row.event(), default=str) + "\n")
        if summary is not None:
            file.write(json.dumps({"event": "summary", **summary}, default=str) + "\n")
    return path


def write_csv(path: Path, rows: Iterable[Row], *, failures: bool = False) -> Path:
    """Rows as CSV (UTF-8, RFC 4180); a text that a spreadsheet would compute gets a ' in front."""
    columns = _FAILURES if failures else _REPORT
    with (
        _fs.replacing(path) as part,
        part.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file,
    ):
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow(columns)
        for row in rows:
            if failures and state_of(row) not in ("failed", "fail"):
                continue
            cells = _cells(row)
            writer.writerow([_harmless(cells[column]) for column in columns])
    return path


def _cells(row: Row) -> dict[str, Any]:
    return {
        "input": row.input,
        "status": row.status,
        "verdict": row.verdict,
        "reasons": "; ".join(row.reasons),
        "confidence": "" if row.confidence is None else f"{row.confidence:.3f}",
        "output": row.output,
        "width": row.out_width or "",
        "height": row.out_height or "",
        "bytes": row.bytes or "",
        "error_kind": row.error.kind if row.error else "",
        "error_message": row.error.message if row.error else "",
        "model": row.plan.get("model", ""),
        "device": row.plan.get("device", ""),
        "milliseconds": f"{sum(row.timings.values()):.0f}" if row.timings else "",
        "attempts": row.attempts,
        "input_sha256": row.input_sha256,
        "output_sha256": row.output_sha256,
    }


def _harmless(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(_FORMULA):
        return "'" + value
    return value
