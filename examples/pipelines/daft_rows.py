"""Daft: a folder's or bucket's pictures through `nssbg.cut_rows`, rows into Parquet.

python daft_rows.py FOLDER-IN FOLDER-OUT rows.parquet
"""

import sys
from pathlib import Path
from typing import Any

import daft
from daft import DataType

import nssbg

COLUMNS = {
    "input": DataType.string(),
    "status": DataType.string(),
    "output": DataType.string(),
    "confidence": DataType.float64(),
    "verdict": DataType.string(),
    "error": DataType.string(),
}


@daft.cls
class Cutter:
    """One Remover for each instance, held from batch to batch."""

    def __init__(self, root: str, output: str) -> None:
        self.root, self.output = root, output
        self.remover = nssbg.Remover(threads=1)

    @daft.method.batch(return_dtype=DataType.struct(COLUMNS), unnest=True, batch_size=16)
    def cut(self, paths: daft.Series) -> list[dict[str, Any]]:
        """What became of each picture."""
        given = [path.removeprefix("file://") for path in paths.to_pylist()]
        # Batches know nothing of each other: photo.jpg and photo.webp would both be photo.png. The
        # whole file name as `sku` makes them photo.jpg.png and photo.webp.png.
        rows = nssbg.cut_rows(
            ({"path": path, "sku": Path(path).name} for path in given),
            root=self.root,
            output=self.output,
            name="{dir}/{sku}.{ext}",
            remover=self.remover,
        )
        return [
            {
                "input": row.input,
                "status": row.status,
                "output": row.output,
                "confidence": row.confidence,
                "verdict": row.verdict,
                "error": row.error and row.error.message,
            }
            for row in rows
        ]


def cut_folder(root: str, output: str) -> daft.DataFrame:
    """All JPEGs below `root`, lazily: nothing runs before the rows are asked for."""
    cutter = Cutter(root, output)
    photos = daft.from_glob_path(f"{root}/**/*.jpg")
    return photos.select(cutter.cut(photos["path"]))


if __name__ == "__main__":
    source, target, table = sys.argv[1:]
    cut_folder(str(Path(source).resolve()), str(Path(target).resolve())).write_parquet(table)
