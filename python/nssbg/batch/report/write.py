"""Writes all that a batch hands to people: tables, page, contact sheet."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nssbg.batch.profile import Profile
from nssbg.batch.report.page import write_page
from nssbg.batch.report.sheet import write_sheet
from nssbg.batch.report.tables import state_of, worst_first, write_csv, write_jsonl
from nssbg.batch.report.thumbnails import Thumb, ThumbnailStore, thumbnail
from nssbg.batch.row import Row

__all__ = ["Reports", "thumbnails_path", "write_reports"]

log: logging.Logger = logging.getLogger("nssbg")


@dataclass(frozen=True)
class Reports:
    """The files that were written, and how many pictures of each state they tell of.

    Attributes:
        jsonl: Every row as an object a line.
        csv: The same as a table.
        failures: Those that failed, and why.
        page: One HTML file that needs nothing else.
        sheet: The worst pictures at a glance.
        counts: State (see `tables.STATES`) to number of pictures.
    """

    jsonl: Path
    csv: Path
    failures: Path
    page: Path
    sheet: Path
    counts: dict[str, int]

    @property
    def paths(self) -> tuple[Path, ...]:
        """All of them, the page last."""
        return (self.jsonl, self.csv, self.failures, self.sheet, self.page)


def thumbnails_path(output: Path) -> Path:
    """Where the thumbnails of a batch lie."""
    return output / ".nssbg" / "thumbs.sqlite"


def write_reports(
    rows: Iterable[Row],
    *,
    output: Path,
    inputs: Callable[[Row], Path | None],
    profile: Profile | None = None,
    summary: Mapping[str, Any] | None = None,
    store: ThumbnailStore | None = None,
) -> Reports:
    """Write report.jsonl, report.csv, failures.csv, report.html and contact-sheet.png.

    Args:
        rows: All rows of the batch.
        output: The output folder; row outputs are relative to it.
        inputs: Gives a row's picture, to link to and for a thumbnail that was not kept; None
            where there is no file.
        profile: What the outputs were made for: its name and its background are shown.
        summary: Plain values by name, shown on top of the page and last in report.jsonl; None: the
            page shows how many pictures there are of each state.
        store: The thumbnails; None: those kept in the output folder (`thumbnails_path`).

    Raises:
        OSError: A file cannot be written; what was there before stays.
    """
    ordered = worst_first(rows)
    counts = dict(Counter(map(state_of, ordered)))
    own = None if store is not None else ThumbnailStore(thumbnails_path(output))
    shelf = store or own
    assert shelf is not None

    def thumb_of(row: Row) -> Thumb | None:
        key = row.fingerprint or row.input
        kept = shelf.get(key)
        if kept is None:
            kept = _thumb_anew(row, inputs(row), output)
            if kept is not None:
                shelf.put(key, kept)
        return kept

    taken = {name.casefold() for row in ordered for name in (row.output, *row.outputs)}

    def place(name: str) -> Path:
        # A picture may be called so; its output is never written over.
        return output / (f"nssbg-{name}" if name.casefold() in taken else name)

    try:
        reports = Reports(
            jsonl=write_jsonl(place("report.jsonl"), ordered, summary),
            csv=write_csv(place("report.csv"), ordered),
            failures=write_csv(place("failures.csv"), ordered, failures=True),
            page=write_page(
                place("report.html"),
                ordered,
                thumb_of,
                inputs=inputs,
                profile=profile,
                summary={"pictures": len(ordered), **counts} if summary is None else summary,
            ),
            sheet=write_sheet(place("contact-sheet.png"), ordered, thumb_of),
            counts=counts,
        )
        shelf.retain(row.fingerprint or row.input for row in ordered)
    finally:
        if own is not None:
            own.close()
    return reports


def _thumb_anew(row: Row, source: Path | None, output: Path) -> Thumb | None:
    """A thumbnail from the files; None where neither can be read."""
    import numpy as np
    from PIL import Image

    before = Thumb(b"", b"")
    rgba = None
    # A thumbnail is never worth a report: what cannot be read is told in its row already.
    try:
        if source is not None and source.is_file():
            before = thumbnail(source, None)
    except Exception as error:
        log.debug("%s: no thumbnail: %s", source, error)
    try:
        if row.output:
            with Image.open(output / row.output) as opened:
                opened.draft("RGB", (320, 320))
                rgba = np.asarray(opened.convert("RGBA"))
    except Exception as error:
        log.debug("%s: no thumbnail: %s", row.output, error)
    if rgba is None and not before.before:
        return None
    return Thumb(before.before, thumbnail(None, rgba).after, before.width, before.height)
