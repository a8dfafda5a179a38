"""Cut-outs as training data: a torch Dataset whose workers take the background out.

python dataloader.py FOLDER
"""

import sys
from pathlib import Path

import torch
from torch.utils.data import DataLoader, Dataset

import nssbg


class Cutouts(Dataset):
    """Pictures without their background, all of one size: 4 x SIDE x SIDE, float32 in 0..1."""

    SIDE = 224

    def __init__(self, paths: list[Path]) -> None:
        self.paths = paths
        # Travels to the workers closed; each opens the network anew at its first picture. One
        # thread each: the workers are what runs side by side.
        self.remover = nssbg.Remover(threads=1)
        self.output = nssbg.Output(canvas=nssbg.Canvas(self.SIDE, self.SIDE))

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> torch.Tensor:
        rgba = self.remover.cutout(self.paths[index]).render(self.output)
        return torch.from_numpy(rgba).permute(2, 0, 1).to(torch.float32) / 255


def loader(paths: list[Path], *, workers: int = 2) -> DataLoader:
    """Batches of eight. `spawn`, since OpenVINO's threads do not survive the fork of a parent."""
    return DataLoader(
        Cutouts(paths),
        batch_size=8,
        num_workers=workers,
        multiprocessing_context="spawn" if workers else None,
        persistent_workers=workers > 0,
    )


if __name__ == "__main__":
    for batch in loader(sorted(Path(sys.argv[1]).glob("*.jpg"))):
        print(tuple(batch.shape), batch.dtype, f"covered {batch[:, 3].mean():.2f}")
