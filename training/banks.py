"""Banks: flat files of decoded pictures that the generator memory-maps, and the fixed split.

A bank is `NAME.bin` (pixels, uint8, back to back) with `NAME.json` (id, size and offset of each
picture), so that a worker pays no decoding and several workers share one copy in the page cache.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]

REPOSITORY = Path(__file__).resolve().parent.parent
HELD_OUT_PERMILLE = 100  # one picture in ten is never trained on, nor looked at while training
WATCHED_PERMILLE = 45  # a further share is not trained on either: it tells how a run goes


def pictures_folder() -> Path:
    """Where the licensed source pictures lie (NSSBG_PICTURES, or beside the repository)."""
    return Path(os.environ.get("NSSBG_PICTURES", REPOSITORY.parent / "shared" / "pictures"))


def work_folder() -> Path:
    """Where banks, checkpoints and logs go (NSSBG_TRAINING_WORK); none of it is committed."""
    return Path(os.environ.get("NSSBG_TRAINING_WORK", REPOSITORY / "build" / "training"))


def _place_in_split(subset: str, identifier: str) -> int:
    """A fixed number in 0..999 for a source picture; a pure function of its name."""
    digest = hashlib.sha256(f"nssbg-split-1/{subset}/{identifier}".encode()).digest()
    return int.from_bytes(digest[:4], "big") % 1000


def scatter(subset: str, identifier: str) -> int:
    """A fixed number for a source picture, unrelated to the split: for orders without pattern."""
    digest = hashlib.sha256(f"nssbg-order-1/{subset}/{identifier}".encode()).digest()
    return int.from_bytes(digest[:8], "big")


def is_held_out(subset: str, identifier: str) -> bool:
    """Whether a source picture is kept for the final measurement."""
    return _place_in_split(subset, identifier) < HELD_OUT_PERMILLE


def is_watched(subset: str, identifier: str) -> bool:
    """Whether a source picture is kept for watching a run (choices are made on these alone)."""
    place = _place_in_split(subset, identifier)
    return HELD_OUT_PERMILLE <= place < HELD_OUT_PERMILLE + WATCHED_PERMILLE


class Bank:
    """Read-only access to one bank by position; `ids[i]` names the source of picture i."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        entries = json.loads((folder / f"{name}.json").read_text())
        self.ids: list[str] = [e["id"] for e in entries]
        self.tags: list[str] = [e.get("tag", "") for e in entries]
        self.weights: list[float] = [e.get("weight", 1.0) for e in entries]
        self.clear: list[bool] = [e.get("clear", True) for e in entries]
        self._shapes: list[tuple[int, int, int]] = [tuple(e["shape"]) for e in entries]
        self._offsets: list[int] = [e["offset"] for e in entries]
        pixels = folder / f"{name}.bin"
        self._data = (  # an empty file cannot be mapped
            np.memmap(pixels, dtype=np.uint8, mode="r")
            if pixels.stat().st_size
            else np.zeros(0, np.uint8)
        )

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> Pixels:
        height, width, channels = self._shapes[index]
        start = self._offsets[index]
        flat = self._data[start : start + height * width * channels]
        return np.asarray(flat).reshape(height, width, channels)

    def __iter__(self) -> Iterator[Pixels]:
        return (self[i] for i in range(len(self)))


def write_bank(
    folder: Path,
    name: str,
    items: Iterable[tuple[str, str, Pixels]],
    notes: Sequence[tuple[float, bool]] | None = None,
) -> int:
    """Writes (id, tag, pixels) items as a bank; returns their number.

    `notes` has for each how often it is drawn, and whether its mask is good enough for a cut-out.

    Both files are written under temporary names and renamed, so a reader never sees half a bank.
    """
    folder.mkdir(parents=True, exist_ok=True)
    entries: list[dict[str, object]] = []
    offset = 0
    with (folder / f"{name}.bin.part").open("wb") as sink:
        for identifier, tag, pixels in items:
            contiguous = np.ascontiguousarray(pixels, dtype=np.uint8)
            sink.write(contiguous.tobytes())
            entries.append(
                {"id": identifier, "tag": tag, "shape": list(contiguous.shape), "offset": offset}
            )
            offset += contiguous.size
    if notes is not None:
        for entry, (weight, clear) in zip(entries, notes, strict=True):
            entry.update(weight=weight, clear=clear)
    (folder / f"{name}.json.part").write_text(json.dumps(entries))
    (folder / f"{name}.bin.part").replace(folder / f"{name}.bin")
    (folder / f"{name}.json.part").replace(folder / f"{name}.json")
    return len(entries)
