"""contact-sheet.png: the pictures before and after at a glance, worst first."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from nssbg import _fs
from nssbg._compose.checkerboard import checkerboard
from nssbg._io import encode
from nssbg.batch.report.tables import state_of
from nssbg.batch.report.thumbnails import SIDE, Thumb
from nssbg.batch.row import Row

__all__ = ["MOST", "write_sheet"]

#: Pictures on a sheet; the page has all.
MOST = 120
_COLUMNS = 6
_GAP = 8
_CAPTION = 18
_COLORS = {"failed": "#b3261e", "interrupted": "#b3261e", "fail": "#b3261e", "review": "#9a6700"}


def write_sheet(path: Path, rows: Sequence[Row], thumb_of: Callable[[Row], Thumb | None]) -> Path:
    """Write the sheet of the first MOST rows."""
    from PIL import Image, ImageDraw

    shown = rows[:MOST]
    wide, high = 2 * SIDE + 2 * _GAP, SIDE + _CAPTION + 2 * _GAP
    columns = max(1, min(_COLUMNS, len(shown)))
    lines = max(1, -(-len(shown) // columns))
    sheet = Image.new("RGB", (columns * wide, lines * high), "#ffffff")
    draw = ImageDraw.Draw(sheet)
    checker = Image.fromarray(checkerboard(SIDE, SIDE))
    for number, row in enumerate(shown):
        left, top = number % columns * wide + _GAP, number // columns * high + _GAP
        color = _COLORS.get(state_of(row), "#1a7f37" if state_of(row) == "pass" else "#555555")
        thumb = thumb_of(row)
        for place, data in enumerate((thumb.before, thumb.after) if thumb else ()):
            if not data:
                continue
            with Image.open(io.BytesIO(data)) as opened:
                image = opened.convert("RGBA")
            x = left + place * SIDE + (SIDE - image.width) // 2
            y = top + (SIDE - image.height) // 2
            if place:
                sheet.paste(checker.crop((0, 0, *image.size)), (x, y))
            sheet.paste(image, (x, y), image)
        draw.rectangle((left, top + SIDE + 5, left + 8, top + SIDE + 13), fill=color)
        name = f"{state_of(row)}  {row.input.replace(chr(92), '/').rpartition('/')[2]}"
        # The built-in font has the letters of Latin-1; others show as they are escaped.
        name = name.encode("latin-1", "backslashreplace").decode("latin-1")
        name = "".join(letter if letter.isprintable() else "?" for letter in name)
        draw.text((left + 13, top + SIDE + 3), name[:50], fill=color)
    _fs.write(path, encode(np.asarray(sheet), format="png", compression="fast"), sync=False)
    return path
