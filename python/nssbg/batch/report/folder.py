"""The reports of an output folder, from its manifest: what `nssbg batch report OUT` writes."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nssbg._errors import NssbgError
from nssbg.batch.core import chosen_profile
from nssbg.batch.manifest import read_manifest
from nssbg.batch.profile import Profile
from nssbg.batch.report.write import Reports, write_reports
from nssbg.batch.row import Row
from nssbg.batch.sink import telling
from nssbg.batch.sources import STATE_FOLDER
from nssbg.batch.status import command_of

__all__ = ["report_of"]


def report_of(
    out: Path, *, profile: Profile | None = None, summary: Mapping[str, Any] | None = None
) -> Reports:
    """Write the reports of all pictures that the manifest of an output folder knows.

    Args:
        out: The output folder.
        profile: What its outputs were made for; None: what the batch was last run with, where
            that is known.
        summary: Plain values to show; None: how many pictures there are of each state.

    Raises:
        ManifestError: No batch was ever run into it, or its manifest is damaged.
        StorageError: The folder cannot be written, or its disk is full.
    """
    entries, unfinished = read_manifest(out / STATE_FOLDER)
    rows = [entry.row for entry in entries]
    if profile is None:
        with contextlib.suppress(NssbgError):
            profile = chosen_profile(command_of(out).get("profile"))
    if summary is None:
        summary = {
            "pictures": len(rows),
            "done": sum(row.status == "done" for row in rows),
            "failed": sum(row.status == "failed" for row in rows),
            **({"not finished": unfinished} if unfinished else {}),
            "MB of outputs": round(sum(one.bytes for e in entries for one in e.outputs) / 1e6, 1),
        }
    with telling(out):
        return write_reports(rows, output=out, inputs=_input_of, profile=profile, summary=summary)


def _input_of(row: Row) -> Path | None:
    path = Path(row.input)
    try:
        return path if path.is_file() else None
    except (OSError, ValueError):
        return None
