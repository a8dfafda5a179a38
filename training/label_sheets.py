"""Contact sheets of the teacher's labels, to be looked at before anything is trained on them.

Five rows of eight: each picture over magenta by its label, with the verdict written on it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import banks
import cv2
import labels
import numpy as np
import prepare
import teach

ROWS, COLUMNS, SIDE = 5, 8, 224
MAGENTA = np.array([255, 0, 255], np.float32)


def tile(rgb: banks.Pixels, alpha: labels.Floats, words: str) -> banks.Pixels:
    """One picture: as it is on the left, cut out on the right, its verdict below."""
    small = prepare.fitted(rgb, SIDE - 40)
    cover = cv2.resize(alpha, small.shape[1::-1], interpolation=cv2.INTER_AREA)[..., None]
    cut = (small * cover + MAGENTA * (1 - cover)).astype(np.uint8)
    pair = np.hstack([small, cut])
    scale = min(1.0, SIDE / pair.shape[1], (SIDE - 16) / pair.shape[0])
    size = (max(1, int(pair.shape[1] * scale)), max(1, int(pair.shape[0] * scale)))
    pair = cv2.resize(pair, size, interpolation=cv2.INTER_AREA)
    canvas = np.full((SIDE, SIDE, 3), 255, np.uint8)
    canvas[: size[1], : size[0]] = pair
    place = (2, SIDE - 4)
    cv2.putText(canvas, words, place, cv2.FONT_HERSHEY_SIMPLEX, 0.36, (0, 0, 0), 1, cv2.LINE_AA)
    return canvas


def main() -> None:
    """Writes sheets of every so many-th label, so that all sources and kinds are seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sheets", type=int, default=5)
    parser.add_argument("--only", help="of one verdict: taken, unsure, scraps, nothing, everything")
    parser.add_argument("--source", help="of one source")
    parser.add_argument("--output", type=Path, default=banks.work_folder() / "sheets")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    folder = labels.labels_folder(teach.SIDE)
    found = []
    for picture in teach.wanted():
        if options.source and picture.source.name != options.source:
            continue
        content = picture.content()
        label = labels.read(folder, content)
        if label is None:
            continue
        verdict = labels.judged(*label)
        if options.only and (verdict.dropped or "taken") != options.only:
            continue
        words = f"{picture.kind[:14]} {verdict.dropped or f'{verdict.weight:.2f}'}"
        found.append((picture, label[0], f"{words} c{labels.sureness(label[0]):.2f}"))
    each = ROWS * COLUMNS
    chosen = found[:: max(1, len(found) // (options.sheets * each))][: options.sheets * each]
    blank = np.full((SIDE, SIDE, 3), 255, np.uint8)
    for number in range(-(-len(chosen) // each)):
        tiles = [
            tile(prepare.read_rgb(p.path)[..., :3], alpha, words)
            for p, alpha, words in chosen[number * each : (number + 1) * each]
        ]
        tiles += [blank] * (each - len(tiles))
        rows = [np.hstack(tiles[r * COLUMNS : (r + 1) * COLUMNS]) for r in range(ROWS)]
        target = options.output / f"{options.only or 'all'}-{number}.png"
        cv2.imwrite(str(target), cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR))
        print(target)


if __name__ == "__main__":
    main()
