"""The pictures that networks are measured on, and those kept aside for choices between networks.

A set is made anew by calling it: (name, RGB, true alpha) one by one, H x W x 3 uint8 and H x W
float32 0..1. What is measured is never looked at for a choice; what choices are made on is
neither trained on nor measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import cv2
import generator
import memmap_dataset
import numpy as np
import numpy.typing as npt
from sources import Sources, unit_shares

Floats = npt.NDArray[np.float32]
Example = tuple[str, memmap_dataset.Pixels, Floats]
Set = Callable[[], Iterator[Example]]

SIDE = 384  # of generated pictures
MEASURED = 200  # pictures of each generated set
OPEN_SETS = {
    "outlined": ("outlined", "outlined-too"),
    "butterflies": ("butterflies",),
    "davis": ("davis",),
    "objects (teacher)": ("objects",),
    "clothing (teacher)": ("clothing",),
    "trash (teacher)": ("trash",),
    "groceries (teacher)": ("groceries",),
    "flowers (teacher)": ("flowers",),
    "clutter (teacher)": ("scenes-with-subjects",),
}
TRUE_MASKS = ("outlined", "butterflies", "davis")  # of the open sets: not the teacher's opinion
VALIDATION = 300  # a hundred tell two networks apart by no less than 0.01 of IoU


def photographs(subset: str, *, held: bool) -> Iterator[Example]:
    """Photographs with their masks: the held-out ones, else the validation ones."""
    bank = memmap_dataset.Bank(
        memmap_dataset.work_folder() / "banks", f"held-{subset}" if held else subset
    )
    for index, identifier in enumerate(bank.ids):
        if held or memmap_dataset.is_validation(subset, identifier):
            pixels = bank[index]
            truth = pixels[..., 3] / np.float32(255)
            yield identifier, np.ascontiguousarray(pixels[..., :3]), truth


def generated(kind: str, *, held: bool, seed: int, count: int) -> Iterator[Example]:
    """Seeded composites of held-out, else validation cut-outs, or products on plain backdrops."""
    folder = memmap_dataset.work_folder() / "banks"
    sources = Sources(folder, prefix="held-") if held else Sources(folder, validation=True)
    return generated_from(sources, kind, seed=seed, count=count)


def generated_from(sources: Sources, kind: str, *, seed: int, count: int) -> Iterator[Example]:
    """Composites of whatever the sources hold, or their products on plain and graded backdrops."""
    sources.foregrounds.pop("people", None)
    sources.foregrounds.pop("cats", None)
    if not sources.foregrounds:
        return
    stream = generator.Generator(sources, SIDE, seed)
    if kind == "products":
        stream.scenes = unit_shares({"plain": 0.5, "studio": 0.5})
        wanted = {
            k: v
            for k, v in generator.FOREGROUND_SHARES.items()
            if k in ("procedural", "rendered") and k in sources.foregrounds
        }
        stream.kinds = unit_shares(wanted)
    made = 0
    while made < count:
        with_frame = kind == "products" and "rendered" in sources.foregrounds and made % 2 == 0
        with_frame = with_frame or kind == "models"
        rgb, mask = stream.product() if with_frame else stream.composite()
        if (mask > 127).mean() < 0.01:
            continue  # placed outside the frame
        yield f"{kind}-{made:03d}", rgb, mask / np.float32(255)
        made += 1


def open_models() -> Iterator[Example]:
    """Frames of the open 3D models that are held out, with their own shadows on clean backdrops."""
    sources = Sources(memmap_dataset.work_folder() / "banks", prefix="held-", opened=True)
    sources.foregrounds = {k: v for k, v in sources.foregrounds.items() if k == "models"}
    return generated_from(sources, "models", seed=424_243, count=MEASURED)


def _open_bank(held: bool) -> str:
    return "held-open" if held else "watched-open"


def open_photographs(names: tuple[str, ...], *, held: bool) -> Iterator[Example]:
    """Open photographs of the named sources (sources.toml): held out, else validation."""
    bank = memmap_dataset.Bank(memmap_dataset.work_folder() / "banks", _open_bank(held))
    for index, identifier in enumerate(bank.ids):
        if bank.tags[index] in names:
            pixels = bank[index]
            truth = pixels[..., 3] / np.float32(255)
            yield identifier, np.ascontiguousarray(pixels[..., :3]), truth


def opened(*, held: bool) -> dict[str, Set]:
    """A set for each kind of open source; where the teacher labelled, agreement with it."""
    if not (memmap_dataset.work_folder() / "banks" / f"{_open_bank(held)}.json").exists():
        return {}
    present = set(
        memmap_dataset.Bank(memmap_dataset.work_folder() / "banks", _open_bank(held)).tags
    )
    return {
        label: lambda names=names: open_photographs(names, held=held)  # type: ignore[misc]
        for label, names in OPEN_SETS.items()
        if present & set(names)
    }


def general() -> Iterator[Example]:
    """Photographs for measuring only (not part of any training)."""
    folder = memmap_dataset.pictures_folder().parent / "evaluation" / "general"
    for path in sorted(folder.glob("*.jpg")):
        rgb = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
        mask = cv2.imread(str(path.with_suffix(".mask.png")), cv2.IMREAD_GRAYSCALE)
        yield path.stem, rgb, mask / np.float32(255)


def measured() -> dict[str, Set]:
    """What the model card reports."""
    return {
        "people": lambda: photographs("people", held=True),
        "cats": lambda: photographs("cats", held=True),
        "composites": lambda: generated("composites", held=True, seed=424_242, count=MEASURED),
        "products": lambda: generated("products", held=True, seed=424_242, count=MEASURED),
        "models": open_models,
        "general": general,
        **opened(held=True),
    }


def validation(made: int = VALIDATION, seed: int = 101) -> dict[str, Set]:
    """What choices are made on."""
    return {
        "people": lambda: photographs("people", held=False),
        "cats": lambda: photographs("cats", held=False),
        "composites": lambda: generated("composites", held=False, seed=seed, count=made),
        "products": lambda: generated("products", held=False, seed=seed + 1, count=made),
        **opened(held=False),
    }
