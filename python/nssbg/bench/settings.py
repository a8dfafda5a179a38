"""How `nssbg bench` measures: what was asked for on the command line, checked once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

from nssbg._errors import OptionError
from nssbg._vocabulary import EFFORTS, Effort
from nssbg.bench.cells import Wishes

__all__ = ["SCENARIOS", "SCOPES", "Scenario", "Scope", "Settings"]

Scope = Literal["network", "stages", "picture"]
Scenario = Literal["single", "batch", "cold"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
SCENARIOS: tuple[Scenario, ...] = get_args(Scenario)


@dataclass(frozen=True)
class Settings:
    """What to measure and for how long.

    Attributes:
        models: Names or paths; empty: every model whose weights are here, and "studio".
        wishes: Backends, devices, precisions and threads.
        scopes: "network": one forward pass. "stages": a picture in memory, each stage timed.
            "picture": from file to file.
        scenarios: "single": one after the other. "batch": many, with the streams or the batch that
            the planner takes. "cold": from the start of a process to its first result.
        sizes: Megapixels of the fixed pictures.
        pictures: Files to use in place of the fixed pictures; empty: those.
        synthetic: Architectures to measure with random weights.
        warmup: Rounds that are not counted.
        rounds: Counted rounds at least.
        seconds: No further round of a result is begun after these.
        width: Half-width of the median's interval, over the median, that ends a result's rounds.
        effort: How pictures are cut out.
        quick: It is a look, not a measurement: peaks are measured on less memory, once.
    """

    models: tuple[str, ...] = ()
    wishes: Wishes = field(default_factory=Wishes)
    scopes: tuple[Scope, ...] = SCOPES
    scenarios: tuple[Scenario, ...] = SCENARIOS
    sizes: tuple[float, ...] = (1.0, 12.0)
    pictures: tuple[str, ...] = ()
    synthetic: tuple[str, ...] = ()
    warmup: int = 3
    rounds: int = 8
    seconds: float = 10.0
    width: float = 0.025
    effort: Effort = "balanced"
    quick: bool = False

    def __post_init__(self) -> None:
        for name, values, known in (
            ("scope", self.scopes, SCOPES),
            ("scenario", self.scenarios, SCENARIOS),
            ("effort", (self.effort,), EFFORTS),
        ):
            for value in values:
                if value not in known:
                    raise OptionError(f"{name} is {value!r}, expected one of {', '.join(known)}")
        if "stages" in self.scopes and "single" not in self.scenarios:
            raise OptionError(
                "scope stages has the scenario single alone: name it, or leave it out"
            )
        if self.warmup < 0 or self.rounds < 1:
            raise OptionError("warmup is 0 or more rounds, rounds 1 or more")
        if not self.seconds > 0 or not 0 < self.width < 1:
            raise OptionError("duration is above 0 s, the half-width between 0 and 100 %")
