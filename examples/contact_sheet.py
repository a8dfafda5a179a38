"""Cuts out pictures and lays the results side by side: before, mask, over white, over black.

    python examples/contact_sheet.py OUTPUT_FOLDER PICTURE...

Writes each cut-out as a PNG into the folder, and contact-sheet.png over all of them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

import nssbg

# Height of a row of the sheet, in pixels, and the gap between its pictures.
ROW_HEIGHT = 300
GAP = 12
CAPTION_HEIGHT = 26
HEADINGS = ("before", "mask", "over white", "over black")


def row_of(cutout: nssbg.Cutout) -> list[Image.Image]:
    """The four small pictures of one cut-out."""
    pictures = [
        cutout.frame.rgb,
        np.repeat(cutout.alpha[..., None], 3, axis=2),
        cutout.over("white"),
        cutout.over("black"),
    ]
    width = round(ROW_HEIGHT * cutout.frame.width / cutout.frame.height)
    return [
        Image.fromarray(np.ascontiguousarray(picture)).resize(
            (width, ROW_HEIGHT), Image.Resampling.LANCZOS
        )
        for picture in pictures
    ]


def sheet_of(rows: list[tuple[str, list[Image.Image]]]) -> Image.Image:
    """All rows on one grey sheet, captions above each row."""
    width = max(sum(p.width for p in pictures) + GAP * 5 for _, pictures in rows)
    height = len(rows) * (ROW_HEIGHT + CAPTION_HEIGHT + GAP) + GAP
    sheet = Image.new("RGB", (width, height), (128, 128, 128))
    draw = ImageDraw.Draw(sheet)
    y = GAP
    for caption, pictures in rows:
        x = GAP
        for heading, picture in zip(HEADINGS, pictures, strict=True):
            text = f"{caption}: {heading}" if heading == HEADINGS[0] else heading
            draw.text((x + 2, y + 6), text, fill=(255, 255, 255))
            sheet.paste(picture, (x, y + CAPTION_HEIGHT))
            x += picture.width + GAP
        y += ROW_HEIGHT + CAPTION_HEIGHT + GAP
    return sheet


def main(folder: Path, sources: list[Path]) -> None:
    """Cut out, write, lay out, tell."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    with nssbg.Remover() as remover:
        for source in sources:
            cutout = remover.cutout(source)
            target = cutout.save(folder / f"{source.stem}-cutout.png")
            print(
                f"{source} -> {target}  ({cutout.plan.model} on {cutout.plan.device}, "
                f"{cutout.timings.total:.0f} ms, confidence {cutout.confidence:.2f})"
            )
            rows.append((source.stem, row_of(cutout)))
    target = folder / "contact-sheet.png"
    sheet_of(rows).save(target)
    print(f"contact sheet: {target.resolve()}")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])
