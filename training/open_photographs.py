"""Banks of the open photographs of sources.toml: `open`, `watched-open` and `held-open` as RGBA,
`scenes` as RGB.

A true mask wins over the teacher's label; labels that show no subject are dropped (labels.judged).
Each picture has the weight by which it is drawn: its source's share, evened out over kinds, times
the sureness of its label.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import catalogue
import cv2
import decode
import labels
import look_alikes
import memmap_dataset
import numpy as np
import numpy.typing as npt
import prepare
import sets

LONG_SIDE = 448
SIDE = 640  # of the teacher's input: which labels are read
FROM = 0.004  # a true mask of less of the picture, or of more than the next, teaches nothing
TO = 0.97
CLEAR = 0.6  # sureness from which a subject is shown over other backdrops as well
KIND_POWER = 0.5  # a kind of four times as many pictures is drawn twice as often


Item = tuple[catalogue.Picture, memmap_dataset.Pixels, float]  # RGBA; the sureness of its mask


@dataclass
class Tally:
    """What became of the pictures of each source."""

    taken: Counter[str] = field(default_factory=Counter)
    dropped: dict[str, Counter[str]] = field(default_factory=dict)

    def drop(self, source: str, why: str) -> None:
        self.dropped.setdefault(source, Counter())[why] += 1

    def table(self) -> str:
        """A line a source, for the log."""
        lines = []
        for name in sorted(self.taken | dict.fromkeys(self.dropped, 0)):
            why = ", ".join(f"{n} {w}" for w, n in sorted(self.dropped.get(name, {}).items()))
            lines.append(f"{name}: {self.taken[name]} taken; dropped: {why or 'none'}")
        return "\n".join(lines)


def split_name(picture: catalogue.Picture) -> str:
    """What is kept together on one side of the split: a picture, or all frames of a clip."""
    return picture.kind if picture.source.masks == "frames" else picture.identifier


def bank_of(picture: catalogue.Picture) -> str:
    """Which bank an open photograph belongs to: trained on, validation, or kept for measuring."""
    subset, name = f"open-{picture.source.name}", split_name(picture)
    if memmap_dataset.is_held_out(subset, name):
        return "held-open"
    return "watched-open" if memmap_dataset.is_validation(subset, name) else "open"


def masked(
    picture: catalogue.Picture, content: str, tally: Tally
) -> tuple[memmap_dataset.Pixels, float] | None:
    """The picture at its bank size as RGBA and the sureness of its mask; None where dropped."""
    name = picture.source.name
    if picture.source.masks == "teacher":
        found = labels.read(labels.labels_folder(SIDE), content)
        if found is None:
            tally.drop(name, "not labelled yet")
            return None
        alpha, agreement = found
        verdict = labels.judged(alpha, agreement)
        if verdict.dropped:
            tally.drop(name, verdict.dropped)
            return None
        rgb = prepare.fitted(prepare.read_rgb(picture.path)[..., :3], LONG_SIDE)
        mask = cv2.resize(alpha, rgb.shape[1::-1], interpolation=cv2.INTER_AREA)
        return np.dstack([rgb, np.clip(mask * 255 + 0.5, 0, 255).astype(np.uint8)]), verdict.weight
    rgb = prepare.read_rgb(picture.path)[..., :3]
    mask = decode.READERS[picture.source.masks](picture.path, rgb.shape[:2])
    share = float((mask > 127).mean())
    if not FROM < share < TO:
        tally.drop(name, "mask too small or too large")
        return None
    return prepare.fitted(np.dstack([rgb, mask]), LONG_SIDE), 1.0


def kept_apart() -> look_alikes.Known:
    """Everything that is measured on, besides the open photographs' own held-out part."""
    known = look_alikes.Known()
    for _, rgb, _ in sets.general():
        known.add(rgb)
    folder = memmap_dataset.work_folder() / "banks"
    for name in ("people", "cats", "backgrounds"):
        for pixels in memmap_dataset.Bank(folder, f"held-{name}"):
            known.add(np.ascontiguousarray(pixels[..., :3]))
        if name != "backgrounds":
            bank = memmap_dataset.Bank(folder, name)
            for index, identifier in enumerate(bank.ids):
                if memmap_dataset.is_validation(name, identifier):
                    known.add(np.ascontiguousarray(bank[index][..., :3]))
    return known


def _weighed(items: list[Item]) -> npt.NDArray[np.float64]:
    """The share of each picture among the samples of all."""
    kinds: Counter[tuple[str, str]] = Counter()
    for picture, _, sureness in items:
        kinds[picture.source.name, picture.kind] += sureness
    totals: Counter[str] = Counter()
    for (name, _), mass in kinds.items():
        totals[name] += mass**KIND_POWER
    weights = [
        picture.source.share
        * kinds[picture.source.name, picture.kind] ** (KIND_POWER - 1)
        / totals[picture.source.name]
        * sureness
        for picture, _, sureness in items
    ]
    return np.asarray(weights, np.float64)


def gathered(sources: list[catalogue.Source], tally: Tally) -> dict[str, list[Item]]:
    """All that is taken, by bank, without copies and look-alikes."""
    seen: set[str] = set()
    found: dict[str, list[Item]] = {"open": [], "watched-open": [], "held-open": []}
    for source in sources:
        if source.masks == "none":
            continue
        for picture in catalogue.pictures(source):
            content = picture.content()
            if content in seen:
                tally.drop(source.name, "held by a source before it")
                continue
            seen.add(content)
            item = masked(picture, content, tally)
            if item is not None and item[1] > 0:
                found[bank_of(picture)].append((picture, *item))
    measured = kept_apart()
    own = look_alikes.Known()
    for _, pixels, _ in found["held-open"] + found["watched-open"]:
        own.add(np.ascontiguousarray(pixels[..., :3]))
    taken = []
    for item in found["open"]:
        rgb = np.ascontiguousarray(item[1][..., :3])
        if measured.holds_like(rgb, look_alikes.SAME_SCENE):
            tally.drop(item[0].source.name, "like a measured one")
        elif own.holds_like(rgb, look_alikes.SAME_PICTURE):
            tally.drop(item[0].source.name, "like one held out")
        else:
            taken.append(item)
    found["open"] = taken
    for items in found.values():
        tally.taken.update(p.source.name for p, _, _ in items)
    return found


def scene_items(
    sources: list[catalogue.Source],
) -> Iterator[tuple[str, str, memmap_dataset.Pixels]]:
    """Photographs that serve as backdrops only: those in which the teacher sees no subject."""
    measured = kept_apart()
    folder = labels.labels_folder(SIDE)
    for source in sources:
        if source.masks != "none":
            continue
        for picture in catalogue.pictures(source):
            label = labels.read(folder, picture.content())
            if label is not None and not labels.judged(*label).dropped:
                continue
            rgb = prepare.fitted(prepare.read_rgb(picture.path)[..., :3], prepare.FILL_SIDE)
            if min(rgb.shape[:2]) >= 64 and not measured.holds_like(rgb, look_alikes.SAME_SCENE):
                yield f"{source.name}/{picture.identifier}", source.name, rgb


def main() -> None:
    """Writes the banks anew, from whatever labels there are by now."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.parse_args()
    cv2.setNumThreads(1)
    folder = memmap_dataset.work_folder() / "banks"
    sources = catalogue.read_catalogue()
    tally = Tally()
    for name, items in gathered(sources, tally).items():
        written = (
            (f"{p.source.name}/{p.identifier}", p.source.name, pixels) for p, pixels, _ in items
        )
        clear = [sureness >= CLEAR for _, _, sureness in items]
        notes = list(zip(_weighed(items).tolist(), clear, strict=True))
        print(name, memmap_dataset.write_bank(folder, name, written, notes), flush=True)
    print(tally.table())
    print("scenes", memmap_dataset.write_bank(folder, "scenes", scene_items(sources)))


if __name__ == "__main__":
    main()
