"""How a run goes: figures on pictures that are neither trained on nor held out."""

from __future__ import annotations

import evaluate
import measures
import numpy as np
import sets
import torch


class Watch:
    """The validation sets in memory, with few made pictures: no run waits long for its figures."""

    def __init__(self, made: int = 60) -> None:
        self.sets = {name: list(pictures()) for name, pictures in sets.validation(made, 77).items()}
        self.sets = {name: pictures for name, pictures in self.sets.items() if pictures}

    def __call__(self, network: torch.nn.Module, size: int) -> str:
        """Mean IoU and MAE of each set, at the pictures' own size."""
        network.eval()
        words = []
        for name, pictures in self.sets.items():
            overlaps, errors = [], []
            for _, rgb, truth in pictures:
                batch = torch.from_numpy(evaluate.tensor(rgb, size))
                with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
                    alpha = torch.sigmoid(network(batch).float())[0, 0].numpy()
                alpha = evaluate.enlarged(alpha, rgb)
                overlaps.append(measures.overlap(alpha, truth))
                errors.append(np.abs(alpha - truth).mean())
            words.append(f"{name} {np.mean(overlaps):.4f} ({np.mean(errors):.4f})")
        network.train()
        return "IoU (MAE): " + ", ".join(words)
