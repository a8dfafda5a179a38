"""The weights-free method behind `model="studio"`."""

from __future__ import annotations

from nssbg import _io as image_io
from nssbg._ops.studio import (
    LOW_CONFIDENCE,
    StudioResult,
    studio_alpha,
    studio_alpha_of_backdrops,
)
from nssbg._segment.base import Estimate
from nssbg._types import Frame, Plan, Timings
from nssbg._vocabulary import Effort

__all__ = ["StudioMethod"]


class StudioMethod:
    """Products on plain or smoothly graded backdrops, and chroma screens."""

    def __init__(self, threads: int) -> None:
        self._plan = Plan(
            model="studio",
            backend="core",
            device="CPU",
            precision="float32",
            threads=threads,
            reasons=("weights-free: no runtime is loaded",),
        )

    max_concurrency = 0

    def studio(self, frame: Frame, timings: Timings) -> Estimate:
        """The alpha at full size, with the confidence that the picture is a studio picture."""
        with timings.measure("studio"):
            result = studio_alpha(image_io.model_rgb(frame), threads=self._plan.threads)
        return self._estimate(result)

    def prepare(self, frame: Frame, studio: Estimate | None, timings: Timings) -> None:
        """Nothing: no network is asked."""

    def segment(
        self,
        frame: Frame,
        prepared: None,
        studio: Estimate | None,
        timings: Timings,
        effort: Effort,
    ) -> Estimate:
        """The method's answer, the same at every effort."""
        assert studio is not None
        return studio

    def studio_of_backdrops(
        self, frame: Frame, timings: Timings, *, least_border: float
    ) -> Estimate | None:
        """The same where at least that share of the border is one backdrop; else None, at once."""
        with timings.measure("studio"):
            result = studio_alpha_of_backdrops(
                image_io.model_rgb(frame), least_border=least_border, threads=self._plan.threads
            )
        return None if result is None else self._estimate(result)

    def _estimate(self, result: StudioResult) -> Estimate:
        return Estimate(
            alpha=result.alpha,
            full_size=True,
            confidence=result.confidence,
            low_confidence=result.confidence < LOW_CONFIDENCE,
            plan=self._plan,
            notes=result.notes,
        )

    def second_pass(
        self, frame: Frame, estimate: Estimate, timings: Timings, effort: Effort
    ) -> Estimate:
        """The same: the method sees every pixel already."""
        return estimate

    def postprocess(self, estimate: Estimate, timings: Timings) -> Estimate:
        """The same: the method leaves no doubts of this kind."""
        return estimate

    def close(self) -> None:
        """Nothing is held open."""
