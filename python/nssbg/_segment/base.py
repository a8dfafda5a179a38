"""What a method is: a decoded picture in, an estimate of its alpha and an account out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

from nssbg._segment.second_pass.run import SecondPassReport
from nssbg._types import Frame, Plan, Timings
from nssbg._vocabulary import Effort

__all__ = ["Estimate", "Method"]


@dataclass(frozen=True)
class Estimate:
    """A method's answer for one picture.

    Attributes:
        alpha: h x w, uint8 or float32 0..1, 255 or 1 = foreground; covers the whole picture.
        full_size: alpha already has the picture's own size and edges: no refinement follows.
        confidence: 0 to 1.
        low_confidence: The alpha is to be looked at, or a larger model to be tried.
        plan: What really ran.
        notes: What there is to say about this picture.
        second_pass: What running again on parts of the picture brought and cost; None where it
            was not tried.
    """

    alpha: NDArray[Any]
    full_size: bool
    confidence: float
    plan: Plan
    notes: tuple[str, ...] = ()
    second_pass: SecondPassReport | None = None
    low_confidence: bool = False


class Method(Protocol):
    """Estimates alphas; safe to call from several threads."""

    @property
    def max_concurrency(self) -> int:
        """Pictures that `infer` takes at once; 0: as many as there are threads to call it."""
        ...

    def prepare(self, frame: Frame, timings: Timings) -> Any:
        """What `infer` wants of a picture: a network's input tensor, or nothing."""
        ...

    def infer(self, frame: Frame, prepared: Any, timings: Timings, effort: Effort) -> Estimate:
        """The alpha of the whole picture; writes its stages' times into `timings`."""
        ...

    def second_pass(
        self, frame: Frame, estimate: Estimate, timings: Timings, effort: Effort
    ) -> Estimate:
        """The estimate after running again on parts of the picture, where that can pay."""
        ...

    def close(self) -> None:
        """Let go of whatever is held open."""
        ...
