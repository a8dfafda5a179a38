"""The teacher's labels: one PNG for each picture and look, named by the picture's content.

A look is the picture as it is, or mirrored (kept turned back). What is there is never made again,
so labelling may stop at any moment and go on anywhere that has the folder.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import banks
import cv2
import numpy as np
import numpy.typing as npt
from catalogue import Picture

Floats = npt.NDArray[np.float32]
LOOKS = ("plain", "mirrored")
LONGEST = 512  # of a kept label: what the banks hold is no larger

NOTHING, EVERYTHING = 0.006, 0.93  # shares of the picture
UNSURE = 0.72  # sureness below which a label teaches nothing
LARGEST = 0.6  # share of what was found that its largest piece must have: else it is scraps
PIECES = 12


def labels_folder(side: int) -> Path:
    """Where the labels of one input size of the teacher lie."""
    return banks.work_folder() / "labels" / str(side)


def place(folder: Path, content: str, look: str) -> Path:
    """The file of one forward pass over one picture."""
    return folder / content[:2] / f"{content}-{look}.png"


def keep(folder: Path, content: str, look: str, alpha: Floats, shape: tuple[int, int]) -> None:
    """Writes a label at the picture's own size, or smaller; never half of it."""
    height, width = shape
    scale = min(1.0, LONGEST / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    shrinking = size[0] < alpha.shape[1]
    label = cv2.resize(alpha, size, interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR)
    target = place(folder, content, look)
    target.parent.mkdir(parents=True, exist_ok=True)
    packed = cv2.imencode(".png", (label * 255 + 0.5).astype(np.uint8))[1]
    part = target.with_suffix(".part")
    part.write_bytes(packed.tobytes())
    part.replace(target)


def read(folder: Path, content: str) -> tuple[Floats, float] | None:
    """The mean of the passes there are, float32 0..1, and their agreement (1 with one pass)."""
    found = []
    for look in LOOKS:
        path = place(folder, content, look)
        if path.exists():
            found.append(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE).astype(np.float32) / 255)
    if not found:
        return None
    if len(found) == 1:
        return found[0], 1.0
    both, either = np.minimum(*found).sum(), np.maximum(*found).sum()
    return (found[0] + found[1]) / 2, float(both / either) if either > 0 else 1.0


@dataclass(frozen=True)
class Verdict:
    """What a label is worth: a weight 0..1, and why it is dropped where that is zero."""

    weight: float
    dropped: str = ""


def sureness(alpha: Floats) -> float:
    """How near to 0 and 1 the label is where it matters: 1 is a hard mask, 0 is all one half.

    Over what the label covers at all; the soft rim that every outline has counts, so that small
    and frayed subjects come out a little lower.
    """
    touched = alpha[alpha > 0.1]
    return float(np.abs(2 * touched - 1).mean()) if touched.size else 0.0


def judged(alpha: Floats, agreement: float = 1.0) -> Verdict:
    """Whether a label shows a subject, and how sure the teacher is of it."""
    hard = (alpha > 0.5).astype(np.uint8)
    share = float(hard.mean())
    if share < NOTHING:
        return Verdict(0.0, "nothing")
    if share > EVERYTHING:
        return Verdict(0.0, "everything")
    _, _, table, _ = cv2.connectedComponentsWithStats(hard, connectivity=8)
    areas = table[1:, cv2.CC_STAT_AREA]
    large = areas[areas > 0.002 * hard.size]
    if large.size > PIECES or (areas.max() < LARGEST * areas.sum() and large.size > 4):
        return Verdict(0.0, "scraps")
    sure = sureness(alpha)
    if sure < UNSURE or agreement < UNSURE:
        return Verdict(0.0, "unsure")
    return Verdict((sure - UNSURE) / (1 - UNSURE) * agreement)


def fair_order(wanted: Iterable[Picture]) -> list[Picture]:
    """An order of which every beginning has the sources by their share, and all kinds alike."""
    by_source: dict[str, dict[str, list[Picture]]] = {}
    for picture in wanted:
        kinds = by_source.setdefault(picture.source.name, {})
        kinds.setdefault(picture.kind, []).append(picture)
    keyed = []
    for kinds in by_source.values():
        ranked = []
        for kind, members in kinds.items():
            source = members[0].source
            # Scattered, not by name: neighbours in a folder often show the same thing.
            members.sort(key=lambda p: banks.scatter(p.source.name, p.identifier))
            ranked += [(rank, kind, p) for rank, p in enumerate(members[: source.most])]
        ranked.sort(key=lambda r: (r[0], banks.scatter(r[2].source.name, r[1])))
        for position, (_, _, picture) in enumerate(ranked):
            keyed.append(((position + 1) / max(picture.source.share, 1e-3), picture))
    return [p for _, p in sorted(keyed, key=lambda k: (k[0], k[1].source.name))]
