"""Runs both networks in turns on one core: `python -m enhance.train` (training/ on the path).

Resumes from its checkpoint; `--until HH:MM` lets the learning rate fall by the clock. Checkpoints
hold weights, their average, both optimisers' state and the step, and are replaced whole.
"""

from __future__ import annotations

import argparse
import copy
import datetime
import math
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import memmap_dataset
import muon
import tomllib
import torch
from torch import Tensor, nn

from enhance import samples
from enhance.degradations import Shares
from enhance.network import NETWORKS, inner_kernels, network_of
from enhance.pictures import bank_folder

RECIPE = Path(__file__).with_name("recipe.toml")
# Errors of plain resizes are some hundredths; a smaller one counts as this.
LEAST_ERROR = 0.01


@dataclass(frozen=True)
class Recipe:
    """All of a run; see recipe.toml."""

    seed: int
    rate: float
    warm_up: int
    decay_from: float
    floor: float
    average: float
    networks: dict[str, dict[str, Any]]

    def rate_at(self, step: int, share: float) -> float:
        """Warm-up by steps, constant, then a cosine's square to the floor by the run's share.

        Muon's steps do not shrink with the gradient: most is learnt while the rate falls.
        """
        if step < self.warm_up:
            return self.rate * (step + 1) / self.warm_up
        at = min(max((share - self.decay_from) / (1 - self.decay_from), 0.0), 1.0)
        falls = (0.5 * (1 + math.cos(math.pi * at))) ** 2
        return self.rate * (self.floor + (1 - self.floor) * falls)


def read_recipe(path: Path = RECIPE) -> Recipe:
    """The recipe of a file; KeyError where something is missing."""
    data = tomllib.loads(path.read_text())
    networks = {name: data.pop(name) for name in NETWORKS if name in data}
    return Recipe(**data, networks=networks)


def task_of(name: str, wanted: dict[str, Any]) -> samples.Task:
    """What a network learns."""
    shares = {key: wanted[key] for key in Shares.__dataclass_fields__ if key in wanted}
    return samples.Task(name, wanted["patch"], wanted["batch"], Shares(**shares))


def _charbonnier(error: Tensor) -> Tensor:
    return torch.sqrt(error**2 + 1e-6).mean(dim=(1, 2, 3))


def _root_mean_square(error: Tensor) -> Tensor:
    return torch.sqrt((error**2).mean(dim=(1, 2, 3)) + 1e-6)


LOSSES: dict[str, Callable[[Tensor], Tensor]] = {
    "charbonnier": _charbonnier,
    "root-mean-square": _root_mean_square,
}


def loss_of(kind: str, found: Tensor, wanted: Tensor, baseline: Tensor) -> Tensor:
    """A kind of error of each sample, against that of a plain resize or of what came; their mean.

    Without the ratio the noisiest samples would be all that counts.
    """
    left = baseline - wanted
    size = (
        left.abs().mean(dim=(1, 2, 3))
        if kind == "charbonnier"
        else torch.sqrt((left**2).mean(dim=(1, 2, 3)))
    )
    return (LOSSES[kind](found - wanted) / (size + LEAST_ERROR)).mean()


class Learner:
    """One network with its average, optimisers and step."""

    def __init__(
        self, name: str, recipe: Recipe, build: Callable[[], nn.Module] | None = None
    ) -> None:
        wanted = recipe.networks[name]
        torch.manual_seed(recipe.seed)
        self.name, self.recipe = name, recipe
        self.steps, self.turns = wanted["steps"], wanted["turns"]
        self.loss = wanted["loss"]
        self.task = task_of(name, wanted)
        self.network = network_of(name, wanted) if build is None else build()
        self.network.to(memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.network)
        kernels = inner_kernels(self.network)
        chosen = {id(kernel) for kernel in kernels}
        others = [p for p in self.network.parameters() if id(p) not in chosen]
        self.optimisers: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(others, lr=recipe.rate, betas=(0.9, 0.98), weight_decay=0.0)
        ]
        if kernels:
            self.optimisers.insert(0, muon.Muon(kernels, lr=recipe.rate))
        self.step = 0
        self.shown: list[float] = []

    def learn(self, patches: samples.Patches, share: float) -> float:
        """One step; the loss."""
        given, wanted = samples.batch(
            self.task, self.network.scale, patches, self.recipe.seed, self.step
        )
        given = given.contiguous(memory_format=torch.channels_last)
        rate = self.recipe.rate_at(self.step, share)
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = rate
            optimiser.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = self.network(given)
        with torch.no_grad():
            baseline = self.network.baseline(given)
        loss = loss_of(self.loss, found.float(), wanted, baseline)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        for optimiser in self.optimisers:
            optimiser.step()
        self._keep_average()
        self.step += 1
        self.shown.append(loss.item())
        return self.shown[-1]

    @torch.no_grad()
    def _keep_average(self) -> None:
        # Young averages forget faster: nothing of the first weights stays.
        keep = min(self.recipe.average, (1 + self.step) / (10 + self.step))
        for mean, value in zip(self.average.parameters(), self.network.parameters(), strict=True):
            mean.lerp_(value, 1 - keep)

    def state(self) -> dict[str, Any]:
        return {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimisers": [o.state_dict() for o in self.optimisers],
            "step": self.step,
        }

    def load(self, state: dict[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        for optimiser, kept in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(kept)
        self.step = state["step"]


def save(learners: list[Learner], target: Path, began: float) -> None:
    """Replaces the checkpoint whole."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(".part")
    torch.save({"began": began, **{learner.name: learner.state() for learner in learners}}, part)
    part.replace(target)


def run(
    recipe: Recipe,
    target: Path,
    *,
    deadline: float | None = None,
    stopped: threading.Event | None = None,
    save_every: float = 120.0,
) -> list[Learner]:
    """Trains until the steps are made or the clock says so; goes on where a checkpoint is.

    `stopped` ends it after the steps that are under way; nothing is lost.
    """
    torch.set_num_threads(1)
    patches = samples.Patches(memmap_dataset.Bank(bank_folder(), "training"))
    learners = [Learner(name, recipe) for name in recipe.networks]
    began = time.time()
    if target.is_file():
        state = torch.load(target, weights_only=True)
        began = state["began"]
        for learner in learners:
            learner.load(state[learner.name])
    saved = shown = time.time()
    while stopped is None or not stopped.is_set():
        now = time.time()
        open_ = [x for x in learners if deadline is not None or x.step < x.steps]
        if not open_ or (deadline is not None and now >= deadline):
            break
        for learner in open_:
            share = learner.step / learner.steps
            if deadline is not None:
                share = (now - began) / (deadline - began)
            for _ in range(learner.turns):
                learner.learn(patches, share)
        if now - saved > save_every:
            save(learners, target, began)
            saved = now
        if now - shown > 60:
            for learner in learners:
                last = learner.shown[-200:]
                print(
                    f"{datetime.datetime.now():%H:%M:%S} {learner.name} step {learner.step} loss "
                    f"{sum(last) / len(last):.4f}",
                    flush=True,
                )
            shown = now
    save(learners, target, began)
    return learners


def clock(text: str) -> float:
    """The next time of day HH:MM, as seconds since the epoch."""
    now = datetime.datetime.now()
    hour, minute = (int(part) for part in text.split(":"))
    at = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return (at if at > now else at + datetime.timedelta(days=1)).timestamp()


def checkpoint(name: str) -> Path:
    return memmap_dataset.work_folder() / "enhance" / "runs" / name / "checkpoint.pt"


def main() -> None:
    """Reads the command line and runs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", default="enhance", help="folder of the run")
    parser.add_argument("--recipe", type=Path, default=RECIPE)
    parser.add_argument("--only", choices=tuple(NETWORKS), help="one of the two")
    parser.add_argument("--until", type=clock, help="HH:MM: the rate falls by the clock")
    options = parser.parse_args()
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    recipe = read_recipe(options.recipe)
    if options.only is not None:
        recipe = replace(recipe, networks={options.only: recipe.networks[options.only]})
    learners = run(
        recipe,
        checkpoint(options.name),
        deadline=options.until,
        stopped=stopped,
    )
    for learner in learners:
        print(f"{learner.name}: {learner.step} steps")


if __name__ == "__main__":
    main()
