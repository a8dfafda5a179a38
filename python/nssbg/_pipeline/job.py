"""One picture on its way: what the stages take from it, and what they leave in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from nssbg._corrections import Corrections
from nssbg._cutout import Cutout
from nssbg._enhance_options import Enhancement
from nssbg._ops.edge import EdgeAdjustment
from nssbg._options import CutoutOptions
from nssbg._segment.base import Estimate
from nssbg._segment.corrections import CorrectionGrid, Region
from nssbg._types import Frame, Plan, Timings

__all__ = ["Job"]


@dataclass
class Job:
    """One picture on its way through the stages.

    Attributes:
        source: What the caller handed in.
        options: How it is to be cut out.
        timings: Milliseconds per stage so far.
        frame: After decode.
        enhance: After decode, how the picture is enhanced; None: it is not.
        deblock: After decode, what its own compression asks for, 0 to 1.
        enhancement: After the stage enhance, what ran there.
        region: Before the method looks, where a person corrected the picture: the part that is
            worked on.
        corrections: What was said, in the region's pixels.
        studio: After the studio stage: what the studio method says; None where it was not asked.
        prepared: After prepare: the network's input; None where none is asked.
        estimate: After segment; second pass and post-process replace it.
        alpha: After refine: H x W.
        cutout: After foreground.
        notes: What the stages had to say so far.
        edge: Where the refined alpha's edge is to lie, and how soft; None: as it is.
        grid: What corrections of the estimate have in common, where that was made before.
    """

    source: Any
    options: CutoutOptions
    timings: Timings = field(default_factory=Timings)
    frame: Frame | None = None
    enhance: Enhancement | None = None
    deblock: float = 0.0
    enhancement: Plan | None = None
    studio: Estimate | None = None
    region: Region | None = None
    corrections: Corrections | None = None
    prepared: Any = None
    estimate: Estimate | None = None
    alpha: NDArray[Any] | None = None
    cutout: Cutout | None = None
    notes: list[str] = field(default_factory=list)
    edge: EdgeAdjustment | None = None
    grid: CorrectionGrid | None = None

    @property
    def view(self) -> Frame:
        """The part of the picture that the method looks at: the frame, or the region's."""
        frame = self.frame if self.region is None else self.region.frame
        assert frame is not None
        return frame

    def release(self) -> None:
        """Let go of everything large; who wants the cut-out has taken it."""
        self.frame = self.region = self.studio = self.prepared = self.estimate = None
        self.alpha = self.corrections = self.cutout = None
