"""A run's recipe: phases of size, batch and steps, and the learning rate over all of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import tomllib


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
    own: dict[str, float] | None = None  # shares of photographs in their own scene; Generator's


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
