"""How an output folder stands: what its manifest tells, and the command it was last run with."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nssbg._errors import OptionError
from nssbg.batch.address import is_uri
from nssbg.batch.place import Place, place_of
from nssbg.batch.sink import telling
from nssbg.batch.sources import STATE_FOLDER

__all__ = ["Status", "command_of", "keep_command", "status_of"]

_SHOWN = 20


@dataclass(frozen=True)
class Status:
    """How an output folder stands.

    Attributes:
        out: The folder.
        done: Pictures whose outputs were written.
        failed: Pictures that failed.
        skipped: Pictures that nothing was written of, for low confidence.
        unfinished: Pictures that were begun and have no end: a run goes on, or was killed.
        missing: Outputs that are not there any more; the next run makes them again.
        verdicts: Pictures by verdict.
        reasons: Why pictures failed or are to be reviewed: input, verdict and message.
        bytes: Of all outputs.
    """

    out: str
    done: int
    failed: int
    skipped: int
    unfinished: int
    missing: tuple[str, ...]
    verdicts: Mapping[str, int]
    reasons: tuple[tuple[str, str, str], ...]
    bytes: int

    def event(self) -> dict[str, Any]:
        """As a JSON object, {"event": "status", ...}."""
        return {"event": "status", **vars(self)}

    def lines(self) -> list[str]:
        """In words, for a person."""
        parts = [f"{self.done} done", f"{self.failed} failed"]
        parts += [f"{self.skipped} skipped"] if self.skipped else []
        parts += [f"{self.unfinished} not finished"] if self.unfinished else []
        lines = [f"{self.out}: {', '.join(parts)}; outputs take {self.bytes / 1e6:.1f} MB"]
        told = [f"{self.verdicts[name]} {name}" for name in ("pass", "review", "fail")
                if self.verdicts.get(name)]  # fmt: skip
        lines += [f"verdicts: {', '.join(told)}"] if told else []
        for name, verdict, message in self.reasons[:_SHOWN]:
            lines.append(message if name in message else f"{name}: {verdict}: {message}")
        if len(self.reasons) > _SHOWN:
            lines.append(f"and {len(self.reasons) - _SHOWN} more; --json lists them all")
        if self.missing:
            lines.append(
                f"{len(self.missing)} outputs are not there any more ({self.missing[0]}"
                f"{', ...' if len(self.missing) > 1 else ''}); the next run makes them again"
            )
        return lines


def status_of(out: Path | str) -> Status:
    """How an output folder stands; changes nothing, and works beside a run.

    Raises:
        ManifestError: No batch was ever run into it, or its manifest is damaged.
    """
    place = place_of(out)
    entries, unfinished = place.known()
    sink = place.stamps()
    counts = Counter(entry.row.status for entry in entries)
    verdicts = Counter(entry.row.verdict for entry in entries if entry.row.verdict)
    reasons = [
        (row.input, row.verdict, row.error.message if row.error else "; ".join(row.reasons))
        for row in (entry.row for entry in entries)
        if row.verdict in ("fail", "review")
    ]
    reasons.sort(key=lambda one: (one[1] != "fail", one[0]))
    stored = [one for entry in entries for one in entry.outputs]
    return Status(
        out=os.fspath(out),
        done=counts["done"],
        failed=counts["failed"],
        skipped=counts["skipped"],
        unfinished=unfinished,
        missing=tuple(one.name for one in stored if sink.stamp(one.name) is None),
        verdicts=dict(verdicts),
        reasons=tuple(reasons),
        bytes=sum(one.bytes for one in stored),
    )


def keep_command(place: Place, arguments: Mapping[str, Any]) -> None:
    """Keep what a batch was run with, so that it can be run again by its output folder alone.

    Raises:
        StorageError: The folder cannot be written.
    """
    kept = dict(arguments)
    kept["sources"] = [
        one if is_uri(one) else os.path.abspath(one)  # noqa: PTH100
        for one in kept["sources"]
    ]
    for name in ("files_from", "profile"):
        given = kept.get(name)
        if isinstance(given, str) and given != "-" and Path(given).exists():
            kept[name] = os.path.abspath(given)  # noqa: PTH100
    with telling(place.address):
        place.keep_command(json.dumps(kept, indent=1).encode() + b"\n")


def command_of(out: Path | str) -> dict[str, Any]:
    """What a batch was last run with: arguments of `nssbg.Batch`, and `sources`.

    Raises:
        OptionError: That is not known, or cannot be repeated.
    """
    try:
        kept: dict[str, Any] = json.loads(place_of(out).command())
        sources, listed = kept["sources"], kept["files_from"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OptionError(
            f"{out}: what the batch was run with is not known there (no "
            f"{STATE_FOLDER}/command.json can be read); give the sources again: nssbg batch SRC... "
            "OUT --retry-failed"
        ) from error
    if listed == "-" or kept.get("profile") is False:
        what = "its list came from stdin" if listed == "-" else "its profile was made by a program"
        raise OptionError(
            f"{out}: cannot be repeated, as {what}; run the same command with --retry-failed"
        )
    assert isinstance(sources, list)
    return kept
