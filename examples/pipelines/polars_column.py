"""A Polars column of paths: cut out side by side, and a frame of rows with verdicts to join.

python polars_column.py photos.parquet cutouts.parquet FOLDER-OUT   (photos has a column "path")
"""

import sys
from pathlib import Path

import polars as pl

import nssbg

SCHEMA = {
    "path": pl.String,
    "status": pl.String,
    "cutout": pl.String,
    "confidence": pl.Float64,
    "verdict": pl.String,
    "error": pl.String,
}


def with_cutouts(photos: pl.DataFrame, out: Path) -> pl.DataFrame:
    """`photos` with what a batch says of each; run again, only what is missing is done."""
    listed = out.parent / f"{out.name}.jsonl"
    listed.write_text(photos.select(pl.col("path").unique(maintain_order=True)).write_ndjson())
    batch = nssbg.Batch([], out, files_from=str(listed), collide="suffix", report=False)
    rows = [
        (
            row.input,
            row.status,
            str(out / row.output) if row.output else None,
            row.confidence,
            row.verdict,
            row.error.message if row.error else None,
        )
        for row in batch
    ]
    return photos.join(pl.DataFrame(rows, SCHEMA, orient="row"), on="path", how="left")


if __name__ == "__main__":
    with_cutouts(pl.read_parquet(sys.argv[1]), Path(sys.argv[3])).write_parquet(sys.argv[2])
