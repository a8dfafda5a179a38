"""The report of an output folder, from its manifest: tables, page, contact sheet."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from nssbg._errors import NssbgError
from nssbg.batch.address import is_uri
from nssbg.batch.entry import Entry
from nssbg.batch.place import place_of
from nssbg.batch.profile import Profile, load_profile
from nssbg.batch.report.thumbnails import ThumbnailStore
from nssbg.batch.report.write import Reports, write_reports
from nssbg.batch.row import Row
from nssbg.batch.sink import telling
from nssbg.batch.sources import STATE_FOLDER
from nssbg.batch.status import command_of

__all__ = ["REPORT_NAMES", "report_entries", "report_folder"]

# Names in the output folder that the report takes, none of which may be an output's.
REPORT_NAMES = (
    "report.jsonl",
    "report.csv",
    "failures.csv",
    "report.html",
    "contact-sheet.png",
)


def report_folder(out: Path | str) -> Reports:
    """Write the report of an output folder from what its manifest holds.

    Raises:
        ManifestError: No batch was ever run into it, or its manifest is damaged.
        StorageError: It cannot be written.
    """
    place = place_of(out)
    entries, _ = place.known()
    profile = None
    try:
        named = command_of(out).get("profile")
        profile = load_profile(named) if named else None
    except NssbgError:  # only its name and background are shown
        profile = None
    with telling(place.folder):
        place.folder.joinpath(STATE_FOLDER).mkdir(parents=True, exist_ok=True)
    made = report_entries(entries, place.folder, profile=profile)
    place.share([path.name for path in made.paths])
    return made


def report_entries(
    entries: Iterable[Entry],
    out: Path,
    *,
    profile: Profile | None = None,
    summary: Mapping[str, Any] | None = None,
    store: ThumbnailStore | None = None,
) -> Reports:
    """Write the report of a manifest's entries; see `write_reports`.

    Raises:
        StorageError: It cannot be written.
    """
    rows = []
    places: dict[str, Path] = {}
    for entry in entries:
        rows.append(entry.row)
        # A row has the path as it was given; where that starts from, the identity tells.
        if not is_uri(entry.row.input):
            places[entry.row.input] = Path(os.fsdecode(entry.identity.partition(b"\0")[0]))

    def inputs(row: Row) -> Path | None:
        return places.get(row.input)

    with telling(out / "report.html"):
        return write_reports(
            rows, output=out, inputs=inputs, profile=profile, summary=summary, store=store
        )
