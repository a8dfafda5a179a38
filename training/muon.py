"""Muon: momentum whose matrix is made orthogonal before each step, for the convolution kernels.

Kernels are seen as outputs x (inputs * taps). In this short schedule it learns in clearly fewer
samples than AdamW, which still serves the norms, biases and the thin layers.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor


def orthogonal(update: Tensor, steps: int = 5) -> Tensor:
    """The nearest semi-orthogonal matrix, roughly (Newton-Schulz, quintic)."""
    flipped = update.shape[0] > update.shape[1]
    matrix = (update.T if flipped else update).bfloat16()
    matrix = matrix / (matrix.norm() + 1e-7)
    for _ in range(steps):
        gram = matrix @ matrix.T
        matrix = 3.4445 * matrix + (-4.7750 * gram + 2.0315 * gram @ gram) @ matrix
    return (matrix.T if flipped else matrix).to(update.dtype)


class Muon(torch.optim.Optimizer):
    """SGD with Nesterov momentum, orthogonalised; steps scaled to AdamW's usual size."""

    def __init__(
        self,
        parameters: Iterable[Tensor],
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if "velocity" not in state:
                    state["velocity"] = torch.zeros_like(parameter)
                velocity = state["velocity"]
                velocity.lerp_(parameter.grad, 1 - group["momentum"])
                ahead = parameter.grad.lerp(velocity, group["momentum"])
                rows = parameter.shape[0]
                matrix = ahead.contiguous().reshape(rows, -1)
                scale = 0.2 * max(matrix.shape) ** 0.5
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                step = orthogonal(matrix).reshape(parameter.shape)
                parameter.add_(step, alpha=-group["lr"] * scale)
