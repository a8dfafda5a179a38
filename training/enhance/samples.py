"""Batches: patches of the bank, spoiled. Batch `step` follows from the seed and the step alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from memmap_dataset import Bank
from torch import Tensor

from enhance import degradations
from enhance.degradations import Pixels, Shares

#: What is cut off a patch at each side after it was resized and written: their own edges.
MARGIN = 8


@dataclass(frozen=True)
class Task:
    """What a network learns: see recipe.toml."""

    name: str
    patch: int  # of the network's input
    batch: int
    shares: Shares


class Patches:
    """Draws clean patches of a bank: sources by weight, within a source by area."""

    def __init__(self, bank: Bank) -> None:
        self._bank = bank
        self._ends = np.cumsum(np.asarray(bank.weights) / sum(bank.weights))

    def draw(self, side: int, random: np.random.Generator) -> Pixels:
        """side x side x 3; turned and mirrored by chance."""
        while True:
            index = int(np.searchsorted(self._ends, random.random()))
            picture = self._bank[min(index, len(self._bank) - 1)]
            height, width = picture.shape[:2]
            if min(height, width) < side:
                continue
            top = int(random.integers(height - side + 1))
            left = int(random.integers(width - side + 1))
            patch = picture[top : top + side, left : left + side]
            # Skies and walls teach little: most of the flat patches are drawn anew.
            if float(patch[::3, ::3].std()) < 8 and random.random() < 0.7:
                continue
            if random.random() < 0.5:
                patch = patch[:, ::-1]
            return np.ascontiguousarray(np.rot90(patch, int(random.integers(4))))


def sample(
    task: Task, scale: int, patches: Patches, random: np.random.Generator
) -> tuple[Pixels, Pixels, float, float]:
    """What the network sees, what it is to give, and the two strengths."""
    side = (task.patch + 2 * MARGIN) * scale
    clean = patches.draw(side, random)
    is_gray = random.random() < task.shares.gray
    if is_gray:
        clean = degradations.gray(clean)
    given = clean
    if scale == 2:
        if random.random() < task.shares.blur:
            given = degradations.blur(given, random)
        given = degradations.halved(given, task.shares, random)
    given, denoise, deblock = degradations.spoiled(given, task.shares, random, is_gray=is_gray)
    # JPEG's blocks begin anywhere in what is seen.
    top, left = (int(at) for at in random.integers(0, 2 * MARGIN + 1, 2))
    cut = (slice(top, top + task.patch), slice(left, left + task.patch))
    wanted = tuple(slice(part.start * scale, part.stop * scale) for part in cut)
    return given[cut], clean[wanted], denoise, deblock


def batch(task: Task, scale: int, patches: Patches, seed: int, step: int) -> tuple[Tensor, Tensor]:
    """N x 5 x h x w and N x 3 x scale h x scale w, float32 of 0..1."""
    random = np.random.default_rng([seed, step, sum(task.name.encode())])
    given, wanted = [], []
    for _ in range(task.batch):
        seen, truth, denoise, deblock = sample(task, scale, patches, random)
        planes = np.empty((5, task.patch, task.patch), np.float32)
        planes[:3] = seen.transpose(2, 0, 1) * np.float32(1 / 255)
        planes[3], planes[4] = denoise, deblock
        given.append(planes)
        wanted.append(truth.transpose(2, 0, 1))
    return (
        torch.from_numpy(np.stack(given)),
        torch.from_numpy(np.stack(wanted).astype(np.float32) / np.float32(255)),
    )
