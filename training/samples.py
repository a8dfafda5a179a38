"""Batches out of the generator, each shown twice, for the loader's processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import evaluate
import generator
import losses
import numpy as np
import torch
from recipe import Phase
from sources import Sources
from torch.utils.data import IterableDataset

ECHO_DELAY = 12
LABELS = 0.12  # share of objects with a label that looks like a hole, or with a hole


class Samples(IterableDataset):  # type: ignore[type-arg]
    """Whole batches, so that the loader has nothing left to collate."""

    def __init__(self, folder: Path, phase: Phase, seed: int) -> None:
        self.folder = folder
        self.phase = phase
        self.seed = seed

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
        info = torch.utils.data.get_worker_info()
        cv2.setNumThreads(1)
        torch.set_num_threads(1)
        stream = generator.Generator(
            Sources(self.folder, opened="open" in (self.phase.own or {})),
            self.phase.size,
            self.seed * 100 + (info.id if info else 0),
            easy=self.phase.easy,
            labels=LABELS,
            joined=self.phase.joined,
            far=self.phase.far,
            bent=self.phase.bent,
            own=self.phase.own,
        )
        earlier: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []
        while True:
            pairs = [stream.sample() for _ in range(self.phase.batch)]
            fresh = (
                torch.from_numpy(np.stack([p[0] for p in pairs])),
                torch.from_numpy(np.stack([p[1] for p in pairs])),
                torch.from_numpy(np.stack([losses.boundary_map(p[1]) for p in pairs])),
            )
            # Making a sample costs about half of learning from it at small sizes: each is shown
            # once more, mirrored, a few batches later. Mirrored before it is handed over: the
            # queue's thread then moves it to shared memory and frees what it was read from.
            earlier.append(tuple(t.flip(2) for t in fresh))
            yield fresh
            if len(earlier) > ECHO_DELAY:
                yield earlier.pop(0)


def normalised(rgb: torch.Tensor) -> torch.Tensor:
    """uint8 N x H x W x 3 to the network's input; stays channels-last in memory."""
    mean = torch.from_numpy(evaluate.MEAN) * 255
    std = torch.from_numpy(evaluate.STD) * 255
    return ((rgb.float() - mean) / std).permute(0, 3, 1, 2)
