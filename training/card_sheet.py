"""Draws the model card's picture: products that the code drew itself, cut out by the bundled
network, over white and over black. No licensed picture appears in it, so it may be committed."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import cv2
import evaluate
import generator
import measures
import memmap_dataset
import numpy as np
import procedural
from sources import Sources

COLUMNS, ROWS = 10, 2
SEED = 31


def main() -> None:
    """Draws, predicts, writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    model = (
        memmap_dataset.REPOSITORY / "python" / "nssbg" / "_models" / "bundled" / "nssbg-lite.onnx"
    )
    parser.add_argument("--model", type=Path, default=model)
    output = memmap_dataset.REPOSITORY / "docs" / "model-card.png"
    parser.add_argument("--output", type=Path, default=output)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    predict = evaluate.at_own_size(
        evaluate.predictor(options.model, evaluate.SIDE, 1), evaluate.SIDE, mirror=True
    )
    with tempfile.TemporaryDirectory() as folder:
        drawn = procedural.items(60, SEED, None)
        memmap_dataset.write_bank(Path(folder), "procedural", drawn)
        stream = generator.Generator(Sources(Path(folder)), 320, SEED)
        columns = []
        while len(columns) < COLUMNS * ROWS:
            rgb, mask = stream.composite()
            if (mask > 127).mean() < 0.05:
                continue
            truth = mask / np.float32(255)
            alpha = predict(rgb)
            columns.append(evaluate.column(rgb, alpha, truth))
            print(f"{measures.overlap(alpha, truth):.3f}", end=" ")
    print()
    rows = [np.hstack(columns[i : i + COLUMNS]) for i in range(0, COLUMNS * ROWS, COLUMNS)]
    sheet = cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR)
    cv2.imwrite(str(options.output), sheet, [cv2.IMWRITE_PNG_COMPRESSION, 9])


if __name__ == "__main__":
    main()
