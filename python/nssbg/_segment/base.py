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
        confidence: 0 to 1; None where nothing was fitted to the model that made the alpha.
        low_confidence: The alpha is to be looked at, or a larger model to be tried; None where
            the confidence is.
        plan: What really ran.
        notes: What there is to say about this picture.
        second_pass: What running again on parts of the picture brought and cost; None where it
            was not tried.
    """

    alpha: NDArray[Any]
    full_size: bool
    confidence: float | None
    plan: Plan
    notes: tuple[str, ...] = ()
    second_pass: SecondPassReport | None = None
    low_confidence: bool | None = False


class Method(Protocol):
    """Estimates alphas; safe to call from several threads.

    Its calls are the stages of a picture, in this order; each writes the time of what it really did
    into `timings`, under the stage's name, and nothing where there was nothing to do.
    """

    @property
    def max_concurrency(self) -> int:
        """Pictures that its network takes at once; 0: as many as there are threads to call it."""
        ...

    def studio(self, frame: Frame, timings: Timings) -> Estimate | None:
        """The studio method's answer; None where it is not asked, or gives up."""
        ...

    def prepare(self, frame: Frame, studio: Estimate | None, timings: Timings) -> Any:
        """A network's input tensor; None where no network is asked."""
        ...

    def segment(
        self,
        frame: Frame,
        prepared: Any,
        studio: Estimate | None,
        timings: Timings,
        effort: Effort,
    ) -> Estimate:
        """The alpha of the whole picture, from what `prepare` and `studio` gave."""
        ...

    def second_pass(
        self, frame: Frame, estimate: Estimate, timings: Timings, effort: Effort
    ) -> Estimate:
        """The estimate after running again on parts of the picture, where that can pay."""
        ...

    def postprocess(self, estimate: Estimate, timings: Timings) -> Estimate:
        """The estimate after post-processing of its map."""
        ...

    def close(self) -> None:
        """Let go of whatever is held open."""
        ...
