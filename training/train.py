"""Trains nssbg-lite from the banks: `python training/train.py`, again with `--resume` to go on.

The recipe (phases of size, batch and steps, and the learning rate over all of them) is read from
recipe.toml at each start, so a run may be stopped, its remaining phases changed, and resumed.
"""

from __future__ import annotations

import argparse
import copy
import math
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import architecture
import banks
import cv2
import evaluate
import generator
import losses
import measures
import muon
import numpy as np
import sets
import tomllib
import torch
from torch import distributed
from torch.utils.data import DataLoader, IterableDataset

ECHO_DELAY = 12
LABELS = 0.12  # share of objects with a label that looks like a hole, or with a hole


@dataclass(frozen=True)
class Phase:
    """Steps at one picture size."""

    size: int
    batch: int
    steps: int
    easy: float
    joined: float = 0.0
    far: float = 0.0
    bent: float = 0.0
    drop: float = 0.0


@dataclass(frozen=True)
class Recipe:
    """All of a run."""

    seed: int
    peak: float
    warm_up: int
    decay_from: int
    floor: float
    weight_decay: float
    phases: tuple[Phase, ...]
    average: float = 0.998  # how much of the averaged weights stays at each step

    @property
    def steps(self) -> int:
        return sum(p.steps for p in self.phases)

    def phase_at(self, step: int) -> tuple[int, Phase, int]:
        """Which phase a step is in, and how many of its steps remain."""
        for index, phase in enumerate(self.phases):
            if step < phase.steps:
                return index, phase, phase.steps - step
            step -= phase.steps
        raise IndexError("past the end of the recipe")

    def rate_at(self, step: int) -> float:
        """Warm-up, constant, then a cosine down to the floor: extendable before the decay."""
        if step < self.warm_up:
            return self.peak * (step + 1) / self.warm_up
        if step < self.decay_from:
            return self.peak
        share = (step - self.decay_from) / max(1, self.steps - self.decay_from)
        return self.peak * (
            self.floor + (1 - self.floor) * 0.5 * (1 + math.cos(math.pi * min(1.0, share)))
        )


def read_recipe(path: Path) -> Recipe:
    """Parses recipe.toml: rounds of phases, if there are any, then the phases that come once."""
    data = tomllib.loads(path.read_text())
    rounds = data.pop("rounds", {"count": 0, "phases": []})
    listed = rounds["phases"] * rounds["count"] + data.pop("phases")
    return Recipe(phases=tuple(Phase(**p) for p in listed), **data)


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
            generator.Sources(self.folder),
            self.phase.size,
            self.seed * 100 + (info.id if info else 0),
            self.phase.easy,
            LABELS,
            self.phase.joined,
            self.phase.far,
            self.phase.bent,
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


class Watch:
    """Pictures that are neither trained on nor held out, and how a network does on them."""

    def __init__(self, made: int = 60) -> None:
        self.sets = {name: list(pictures()) for name, pictures in sets.watched(made, 77).items()}
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


def split_parameters(
    network: torch.nn.Module,
) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Kernels for Muon; everything thin (norms, biases, first layer, heads) for AdamW."""
    kernels, thin = [], []
    for name, parameter in network.named_parameters():
        wide = parameter.ndim == 4 and parameter.shape[0] > 4 and parameter.shape[1] > 3
        (kernels if wide and "head" not in name else thin).append(parameter)
    return kernels, thin


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


def train(rank: int, options: argparse.Namespace) -> None:
    """The loop of one rank."""
    os.nice(options.nice)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    if options.ranks > 1:
        distributed.init_process_group(
            "gloo",
            init_method=f"tcp://127.0.0.1:{options.port}",
            rank=rank,
            world_size=options.ranks,
            timeout=timedelta(hours=2),  # a pause of the machine's owner must not end the run
        )
    recipe = read_recipe(options.recipe)
    work = banks.work_folder()
    runs = work / "runs" / options.name
    runs.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(recipe.seed)
    network = architecture.LiteNetwork().to(memory_format=torch.channels_last).train()
    average = copy.deepcopy(network).eval()
    ranks = Ranks(rank, options.ranks, list(network.parameters()))
    kernels, thin = split_parameters(network)
    optimizers: list[torch.optim.Optimizer] = [
        muon.Muon(
            [p for p in kernels if ranks.owned(p)],
            lr=recipe.peak,
            weight_decay=recipe.weight_decay,
        ),
        torch.optim.AdamW([p for p in thin if ranks.owned(p)], lr=recipe.peak, weight_decay=0.0),
    ]
    step = 0
    # Each rank keeps the momentum of its own share; rank 0 also keeps the weights.
    checkpoint = runs / "checkpoint.pt"
    momentum = runs / f"momentum-{rank}-of-{options.ranks}.pt"
    if options.resume and checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        network.load_state_dict(saved["network"])
        average.load_state_dict(saved["average"])
        step = saved["step"]
        if momentum.exists():
            for optimizer, state in zip(
                optimizers, torch.load(momentum, weights_only=True), strict=True
            ):
                optimizer.load_state_dict(state)

    def save() -> None:
        wanted = [(momentum, [o.state_dict() for o in optimizers])]
        if rank == 0:
            weights = {
                "network": network.state_dict(),
                "average": average.state_dict(),
                "step": step,
            }
            wanted.append((checkpoint, weights))  # type: ignore[arg-type]
        for path, content in wanted:
            part = path.with_suffix(".part")
            torch.save(content, part)
            part.replace(path)

    def say(text: str) -> None:
        if rank == 0:
            print(text, flush=True)
            with (runs / "log.txt").open("a") as log:
                print(text, file=log)

    watched = Watch() if rank == 0 else None
    say(f"{time.strftime('%H:%M:%S')} start at step {step} of {recipe.steps}")
    total_loss, total_error, since = 0.0, 0.0, time.time()
    while step < recipe.steps:
        index, phase, left = recipe.phase_at(step)
        # Another seed a phase, a rank and a resume: no stretch of the stream is seen twice.
        seed = (recipe.seed * 1_000_000 + step + index) * options.ranks + rank
        network.drop_paths(phase.drop)
        share = replace(phase, batch=phase.batch // options.ranks)
        loader = DataLoader(
            Samples(work / "banks", share, seed),
            batch_size=None,
            num_workers=options.workers,
            prefetch_factor=4 if options.workers else None,
            # Not forked: a child of a process with threads in it dies now and then at its start.
            multiprocessing_context="spawn" if options.workers else None,
        )
        for rgb, mask, outline in loader:
            rate = recipe.rate_at(step)
            for optimizer in optimizers:
                for group in optimizer.param_groups:
                    group["lr"] = rate
            with torch.autocast("cpu", torch.bfloat16):
                full, sides = network.forward_training(normalised(rgb))
            loss, error = losses.total_loss(full, sides, mask, outline)
            network.zero_grad(set_to_none=True)
            loss.backward()
            ranks.average_gradients()
            for optimizer in optimizers:
                optimizer.step()
            ranks.share_values()
            keep = min(recipe.average, (1 + step) / (20 + step))
            with torch.no_grad():
                torch._foreach_lerp_(
                    list(average.parameters()), list(network.parameters()), 1 - keep
                )
                for slow, fast in zip(average.buffers(), network.buffers(), strict=True):
                    if slow.dtype.is_floating_point:
                        slow.lerp_(fast, 1 - keep)
            step += 1
            left -= 1
            total_loss += float(loss.detach())
            total_error += error
            if step % options.report == 0:
                speed = options.report * phase.batch / (time.time() - since)
                say(
                    f"{time.strftime('%H:%M:%S')} step {step} size {phase.size} rate {rate:.2e} "
                    f"loss {total_loss / options.report:.4f} MAE "
                    f"{total_error / options.report:.4f} {speed:.0f} samples/s"
                )
                total_loss, total_error, since = 0.0, 0.0, time.time()
            if step % options.watch == 0 or step == recipe.steps:
                save()
                if watched:
                    say(f"  watched at {evaluate.SIDE}: {watched(average, evaluate.SIDE)}")
                since = time.time()
            if left == 0:
                save()  # the next phase starts new processes, which may fail
                break
    save()
    say(f"{time.strftime('%H:%M:%S')} done")
    if options.ranks > 1:
        distributed.destroy_process_group()


def main(arguments: list[str] | None = None) -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", default="lite", help="folder of the run")
    parser.add_argument("--recipe", type=Path, default=Path(__file__).with_name("recipe.toml"))
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    parser.add_argument("--ranks", type=int, default=2, help="processes, one a core")
    parser.add_argument("--workers", type=int, default=1, help="generating processes a rank")
    parser.add_argument("--nice", type=int, default=0, help="how far to give way to other work")
    parser.add_argument("--port", type=int, default=29517)
    parser.add_argument("--report", type=int, default=50)
    parser.add_argument("--watch", type=int, default=1000)
    options = parser.parse_args(arguments)
    if options.ranks == 1:
        train(0, options)
    else:
        # Forked, so that every process shows the command line of the run.
        torch.multiprocessing.start_processes(
            train, args=(options,), nprocs=options.ranks, start_method="fork"
        )


if __name__ == "__main__":
    main()
