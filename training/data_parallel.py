"""Sharing a step among processes: who holds which parameters, and handing them round."""

from __future__ import annotations

import argparse
from collections.abc import Callable

import torch
from torch import distributed


def start(work: Callable[[int, argparse.Namespace], None], options: argparse.Namespace) -> None:
    """Runs `work(rank, options)` in `options.ranks` processes, or in this one."""
    if options.ranks == 1:
        work(0, options)
    else:
        # Forked, so that every process shows the command line of the run.
        torch.multiprocessing.start_processes(
            work, args=(options,), nprocs=options.ranks, start_method="fork"
        )


class Ranks:
    """A handful of single-threaded processes that share each step.

    On a machine with other work, threads that wait for each other inside every operation lose
    most of their time when one is descheduled; processes that meet once a step do not. Each rank
    computes gradients on its own samples, steps its own share of the parameters and hands the
    moved values round.
    """

    def __init__(self, rank: int, count: int, parameters: list[torch.Tensor]) -> None:
        self.rank = rank
        self.count = count
        self.parameters = parameters
        # Deal out by size, largest first, to the rank with the least so far.
        loads = [0] * count
        self.owner: dict[int, int] = {}
        for index in sorted(range(len(parameters)), key=lambda i: -parameters[i].numel()):
            chosen = loads.index(min(loads))
            self.owner[index] = chosen
            loads[chosen] += parameters[index].numel()

    def owned(self, parameter: torch.Tensor) -> bool:
        """Whether this rank steps this parameter."""
        index = next(i for i, p in enumerate(self.parameters) if p is parameter)
        return self.owner[index] == self.rank

    def average_gradients(self) -> None:
        """Replaces each gradient by the mean over the ranks."""
        if self.count == 1:
            return
        flat = torch.cat([p.grad.contiguous().view(-1) for p in self.parameters])  # type: ignore[union-attr]
        distributed.all_reduce(flat)
        flat /= self.count
        start = 0
        for parameter in self.parameters:
            size = parameter.numel()
            parameter.grad = flat[start : start + size].view(parameter.shape)
            start += size

    @torch.no_grad()
    def share_values(self) -> None:
        """Gives every rank the values that their owners have stepped."""
        if self.count == 1:
            return
        flat = torch.cat(
            [
                p.contiguous().view(-1) if self.owner[i] == self.rank else torch.zeros(p.numel())
                for i, p in enumerate(self.parameters)
            ]
        )
        distributed.all_reduce(flat)
        start = 0
        for index, parameter in enumerate(self.parameters):
            size = parameter.numel()
            if self.owner[index] != self.rank:
                parameter.copy_(flat[start : start + size].view(parameter.shape))
            start += size
