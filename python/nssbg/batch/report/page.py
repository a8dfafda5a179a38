"""report.html: one file without network, filled from page.html, page.css and page.js.

The page's own script and style are the only ones that its content policy lets run, by their
hashes. Data stand in it as JSON that is never executed: an index of all pictures, from which
filters and search work, and chunks of CHUNK pictures with their thumbnails, which the script
parses as they are shown.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import quote

from nssbg import __version__, _fs
from nssbg.batch.profile import Profile
from nssbg.batch.report.tables import STATES, kinds_of, state_of
from nssbg.batch.report.thumbnails import Thumb
from nssbg.batch.row import Row

__all__ = ["CHUNK", "write_page"]

#: Pictures whose thumbnails stand in one piece of JSON; a page of the page shows as many.
CHUNK = 60

_FOLDER = Path(__file__).parent
_MARK = "<!-- data -->"


def write_page(
    path: Path,
    rows: Sequence[Row],
    thumb_of: Callable[[Row], Thumb | None],
    *,
    inputs: Callable[[Row], Path | None],
    profile: Profile | None,
    summary: Mapping[str, Any],
) -> Path:
    """Write the page; rows are shown in the order they come in."""
    style = (_FOLDER / "page.css").read_text(encoding="utf-8")
    script = (_FOLDER / "page.js").read_text(encoding="utf-8")
    title = f"{profile.name if profile else 'batch'}: {len(rows)} pictures"
    before, after = (_FOLDER / "page.html").read_text(encoding="utf-8").split(_MARK)
    values = {
        "{{policy}}": (
            "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
            f"style-src 'sha256-{_hash(style)}'; script-src 'sha256-{_hash(script)}'"
        ),
        "{{title}}": html.escape(title),
        "{{style}}": style,
    }
    for key, value in values.items():
        before = before.replace(key, value)
    with (
        _fs.replacing(path) as part,
        part.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as file,
    ):
        file.write(before)
        _put(file, "index", _index(rows, profile, summary))
        for number in range(0, len(rows), CHUNK):
            part_rows = rows[number : number + CHUNK]
            cards = [_card(row, thumb_of(row), inputs(row)) for row in part_rows]
            _put(file, f"chunk-{number // CHUNK}", cards)
            if number == 0:
                # Here, so that the first pictures show while the rest of the file is read.
                file.write(f"<script>{script}</script>\n")
        if not rows:
            file.write(f"<script>{script}</script>\n")
        file.write(after)
    return path


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _put(file: TextIO, name: str, data: Any) -> None:
    """JSON in a block that is not executed; no name in it can end the block."""
    text = json.dumps(data, separators=(",", ":"), default=str)  # ASCII: no U+2028 either
    for letter in "<>&":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    file.write(f'<script type="application/json" id="{name}">{text}</script>\n')


def _index(
    rows: Sequence[Row], profile: Profile | None, summary: Mapping[str, Any]
) -> dict[str, Any]:
    """What filters and search need of every picture, by column."""
    places: dict[str, int] = {}
    kinds = [[places.setdefault(kind, len(places)) for kind in kinds_of(row)] for row in rows]
    return {
        "version": __version__,
        "chunk": CHUNK,
        "profile": profile.name if profile else "",
        "background": _background(profile),
        "summary": [[str(key), _plain(value)] for key, value in summary.items() if value],
        "states": STATES,
        "kinds": list(places),
        "name": [row.input for row in rows],
        "state": [STATES.index(state_of(row)) for row in rows],
        "reasons": kinds,
    }


def _background(profile: Profile | None) -> str:
    """The profile's background as #rrggbb, "" where it is transparent."""
    from nssbg._compose.background import color_from

    said = profile.outputs[0].background if profile else None
    if said is None:
        return ""
    return "#" + "".join(f"{int(value):02x}" for value in color_from(said)[:3])


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_plain(one)}" for key, one in value.items())
    return f"{value:g}" if isinstance(value, float) else str(value)


def _card(row: Row, thumb: Thumb | None, source: Path | None) -> dict[str, Any]:
    """What one picture's card shows; empty things are left out."""
    card = {
        "before": base64.b64encode(thumb.before).decode() if thumb else "",
        "after": base64.b64encode(thumb.after).decode() if thumb else "",
        "size": [thumb.width, thumb.height] if thumb and thumb.width else None,
        "error": f"{row.error.kind}: {row.error.message}" if row.error else "",
        # Once: an error of a check repeats the reasons.
        "reasons": [one for one in row.reasons if not row.error or one not in row.error.message],
        # ./ before it: a name such as "javascript:x" is then no scheme.
        "output": "./" + quote(os.fsencode(row.output)) if row.output else "",
        "input": source.absolute().as_uri() if source else "",
        "confidence": None if row.confidence is None else round(row.confidence, 3),
        "pixels": f"{row.out_width} x {row.out_height}" if row.out_width else "",
        "bytes": row.bytes,
        "model": str(row.plan.get("model", "")),
        "ms": round(sum(row.timings.values())) if row.timings else 0,
        "attempts": row.attempts if row.attempts > 1 else 0,
    }
    return {key: value for key, value in card.items() if value not in ("", None, 0, [])}
