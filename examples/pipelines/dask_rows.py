"""Dask: paths through `nssbg.cut_rows` in `map_partitions`.

python dask_rows.py FOLDER-IN FOLDER-OUT rows.jsonl
"""

import json
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import dask.bag as db

import nssbg


@cache
def remover() -> nssbg.Remover:
    """One for each worker process, opened by its first partition."""
    return nssbg.Remover(threads=1)


def cut(paths: Iterable[str], root: str, output: str) -> list[dict[str, Any]]:
    """One partition: what became of each picture."""
    # Partitions know nothing of each other: photo.jpg and photo.webp would both be photo.png. The
    # whole file name as `sku` makes them photo.jpg.png and photo.webp.png.
    rows = nssbg.cut_rows(
        ({"path": path, "sku": Path(path).name} for path in paths),
        root=root,
        output=output,
        name="{dir}/{sku}.{ext}",
        remover=remover(),
    )
    return [row.event() for row in rows]


def cut_folder(root: str, output: str) -> db.Bag:
    """All JPEGs below `root`, lazily: nothing runs before the rows are asked for."""
    paths = sorted(str(path.relative_to(root)) for path in Path(root).rglob("*.jpg"))
    return db.from_sequence(paths, partition_size=16).map_partitions(cut, root, output)


if __name__ == "__main__":
    source, target, listed = sys.argv[1:]
    found = cut_folder(str(Path(source).resolve()), str(Path(target).resolve())).compute()
    Path(listed).write_text("".join(json.dumps(row) + "\n" for row in found))
