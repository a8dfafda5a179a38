"""A pandas column of paths: cut out side by side, and three columns that say what became of each.

python pandas_column.py photos.csv cutouts.csv FOLDER-OUT      (photos.csv has a column "path")
"""

import sys
from pathlib import Path

import pandas as pd

import nssbg


def with_cutouts(photos: pd.DataFrame, out: Path) -> pd.DataFrame:
    """`photos` with columns cutout (a path), confidence and error; index and order stay."""
    out.mkdir(parents=True, exist_ok=True)
    # Each file once, under a name of its own, however often and in whatever folders it stands.
    paths = photos["path"].unique()
    places = {path: out / f"{number:06}-{Path(path).stem}.png" for number, path in enumerate(paths)}
    found = {}
    with nssbg.Remover() as remover:
        for outcome in remover.map(list(places), output=places.__getitem__):
            confidence = outcome.report.confidence if outcome.report else None
            error = None if outcome.error is None else str(outcome.error)
            found[outcome.source] = (outcome.output_path, confidence, error)
    columns = pd.DataFrame.from_dict(
        found, orient="index", columns=["cutout", "confidence", "error"]
    )
    return photos.join(columns, on="path")


if __name__ == "__main__":
    with_cutouts(pd.read_csv(sys.argv[1]), Path(sys.argv[3])).to_csv(sys.argv[2], index=False)
