"""Spark: pictures as `binaryFile` through `nssbg.cut_rows` in `mapInPandas`, rows into Parquet.

spark-submit spark_rows.py FOLDER-IN FOLDER-OUT rows.parquet     (or python spark_rows.py ...)

Outputs are written by the executors: FOLDER-OUT is a path that all of them see, or an object store
by `filesystem=`.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlparse

import pandas as pd
from pyspark.sql import DataFrame, SparkSession

import nssbg

SCHEMA = (
    "input string, status string, output string, confidence double, verdict string, error string"
)


def cut_folder(spark: SparkSession, root: str, output: str) -> DataFrame:
    """All JPEGs below `root`, lazily: nothing runs before the rows are asked for."""
    # Travels closed; each task opens its copy at its first picture, in a fifth of a second.
    remover = nssbg.Remover(threads=1)

    def given(frames: Iterator[pd.DataFrame]) -> Iterator[dict[str, object]]:
        for frame in frames:
            for uri, content in zip(frame["path"], frame["content"], strict=True):
                name = unquote(urlparse(uri).path)
                # Tasks know nothing of each other: photo.jpg and photo.webp would both be
                # photo.png. The whole file name as `sku` makes them photo.jpg.png, photo.webp.png.
                yield {"name": name, "bytes": content, "sku": Path(name).name}

    def cut(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        rows = nssbg.cut_rows(
            given(frames),
            root=root,
            output=output,
            name="{dir}/{sku}.{ext}",
            remover=remover,
        )
        for row in rows:
            error = row.error and row.error.message
            columns = (row.input, row.status, row.output, row.confidence, row.verdict, error)
            yield pd.DataFrame([columns], columns=[part.split()[0] for part in SCHEMA.split(", ")])

    photos = (
        spark.read.format("binaryFile")
        .option("recursiveFileLookup", "true")
        .option("pathGlobFilter", "*.jpg")
        .load(root)
        .select("path", "content")
    )
    # The rows of one Arrow batch lie in memory together; by default they are 10,000.
    spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", "16")
    return photos.mapInPandas(cut, SCHEMA)


if __name__ == "__main__":
    source, target, table = sys.argv[1:]
    folders = [str(Path(folder).resolve()) for folder in (source, target)]
    session = SparkSession.builder.appName("cutouts").getOrCreate()
    cut_folder(session, *folders).write.parquet(table)
    session.stop()
