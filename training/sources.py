"""The pictures that samples are made of: the banks by kind of foreground and of backdrop."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import cv2
import memmap_dataset
import numpy as np
import numpy.typing as npt

Shares = tuple[list[str], npt.NDArray[np.float64]]


class Pool(list[tuple[memmap_dataset.Bank, int]]):
    """Pictures of one kind, (bank, position) each; with weights once `weigh` was called."""

    cumulative: npt.NDArray[np.float64] | None = None

    def weigh(self) -> None:
        """Draws by the weights of the bank from here on."""
        weights = np.array([bank.weights[index] for bank, index in self], np.float64)
        self.cumulative = np.cumsum(weights) / weights.sum()

    def draw(self, rng: np.random.Generator) -> memmap_dataset.Pixels:
        """A picture; without weights one draw of an integer, as the measured sets are made with."""
        if self.cumulative is None:
            bank, index = self[int(rng.integers(len(self)))]
        else:
            place = int(np.searchsorted(self.cumulative, rng.random(), side="right"))
            bank, index = self[min(place, len(self) - 1)]
        return bank[index]


def unit_shares(shares: dict[str, float]) -> Shares:
    """Names and probabilities that sum to one."""
    values = np.asarray(list(shares.values()), np.float64)
    return list(shares), values / values.sum()


@dataclass
class Sources:
    """The training banks by kind of foreground, without the validation pictures or with them alone.

    With a prefix ("held-"), the banks of that name, whole. The open photographs, their scenes and
    the open models come with `opened` alone: what is measured and validation is made without them.
    """

    folder: Path
    foregrounds: dict[str, Pool] = field(default_factory=dict)
    backdrops: dict[str, Pool] = field(default_factory=dict)
    prefix: str = ""
    validation: bool = False
    opened: bool = False

    def __post_init__(self) -> None:
        for name in ("people", "cats", "cutouts", "procedural", "rendered", "models"):
            bank = self._open(self.prefix + name)
            if bank is None or (name == "models" and not self.opened):
                continue
            for index, identifier in enumerate(bank.ids):
                if (
                    not self.prefix
                    and memmap_dataset.is_validation(name, identifier) != self.validation
                ):
                    continue
                kind = bank.tags[index] if name == "cutouts" else name
                self.foregrounds.setdefault(kind, Pool()).append((bank, index))
        for name, kind in (("fills", "fill"), ("backgrounds", "shop")):
            bank = self._open(self.prefix + name)
            if bank is not None:
                self.backdrops[kind] = Pool((bank, index) for index in range(len(bank)))
        if self.opened:
            self._open_photographs()

    def _open_photographs(self) -> None:
        photographs, scenes = self._open("open"), self._open("scenes")
        if photographs is not None:
            every = Pool((photographs, index) for index in range(len(photographs)))
            every.weigh()
            self.foregrounds["open"] = every
            clear = Pool(entry for entry in every if photographs.clear[entry[1]])
            if clear:
                clear.weigh()
                self.foregrounds["clear"] = clear
        if scenes is not None:
            self.backdrops["scene"] = Pool((scenes, index) for index in range(len(scenes)))

    def _open(self, name: str) -> memmap_dataset.Bank | None:
        return (
            memmap_dataset.Bank(self.folder, name)
            if (self.folder / f"{name}.json").exists()
            else None
        )


def shrunk(pixels: memmap_dataset.Pixels, ratio: float) -> memmap_dataset.Pixels:
    """Halves the picture as long as the coming warp would shrink it by more than about two."""
    while ratio > 1.6 and min(pixels.shape[:2]) > 8:
        size = (max(1, pixels.shape[1] // 2), max(1, pixels.shape[0] // 2))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        ratio /= 2
    return pixels


def shrunk_frame(pixels: memmap_dataset.Pixels, ratio: float) -> memmap_dataset.Pixels:
    """The same for a five-channel frame."""
    colour = shrunk(np.ascontiguousarray(pixels[..., :4]), ratio)
    return np.dstack([colour, shrunk(np.ascontiguousarray(pixels[..., 4]), ratio)])
