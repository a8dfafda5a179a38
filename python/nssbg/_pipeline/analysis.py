"""A picture with what its method said of it: cut-outs are made of it without asking again.

What a person changes afterwards (points, strokes, the edge, colours) needs the estimate alone; the
network runs anew only for another model, effort or box.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from nssbg._corrections import Corrections
from nssbg._errors import OptionError
from nssbg._ops.edge import EdgeAdjustment
from nssbg._options import CutoutOptions
from nssbg._pipeline.finish import estimate_foreground, merge_alpha, refine_alpha
from nssbg._pipeline.job import Job
from nssbg._segment.base import Estimate
from nssbg._segment.corrections import CorrectionGrid, Region, region_of
from nssbg._types import Frame, Timings

if TYPE_CHECKING:
    from nssbg._cutout import Cutout
    from nssbg._pipeline.enhancing import Enhancer

__all__ = ["FINISHING", "Analysis"]

Box = tuple[float, float, float, float]

#: Stages that `Analysis.finished` tells of.
FINISHING = ("refine", "foreground")


@dataclass(frozen=True)
class Analysis:
    """What is known of a picture before it is refined.

    Attributes:
        frame: The decoded picture.
        estimate: Of the whole picture, or of the part that the box is in.
        box: left, top, right, bottom that the method looked within; None: the whole picture.
        stages: Milliseconds per stage that ran.
        notes: What these stages had to say.
    """

    frame: Frame
    estimate: Estimate
    box: Box | None = None
    stages: tuple[tuple[str, float], ...] = ()
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, job: Job) -> Analysis:
        """Of a job that has come through post-process."""
        assert job.frame is not None
        assert job.estimate is not None
        said = job.options.corrections
        return cls(
            frame=job.frame,
            estimate=job.estimate,
            box=said.box if isinstance(said, Corrections) else None,
            stages=tuple(job.timings.stages.items()),
            notes=tuple(job.notes),
        )

    @property
    def nbytes(self) -> int:
        """Bytes of its arrays, those that corrections will ask for too."""
        alpha = 0 if self.frame.alpha is None else self.frame.alpha.nbytes
        # The part within a box is a copy; the map that is corrected is float32.
        copies = 1 if self.box is None else 2
        grid = 0 if self.estimate.full_size else 4 * self.estimate.alpha.size
        return int(copies * self.frame.rgb.nbytes + alpha + self.estimate.alpha.nbytes + grid)

    @cached_property
    def region(self) -> Region:
        """The part of the picture that the estimate is of."""
        if self.box is None:
            return Region(self.frame)
        return region_of(self.frame, Corrections(box=self.box))[0]

    @cached_property
    def grid(self) -> CorrectionGrid:
        """What all corrections of the estimate have in common."""
        return CorrectionGrid(self.region.frame, self.estimate, threads=0)

    def finished(
        self,
        options: CutoutOptions,
        *,
        edge: EdgeAdjustment | None = None,
        threads: int = 0,
        on_stage: Callable[[str], None] | None = None,
        enhancer: Enhancer | None = None,
        deblock: float = 0.0,
    ) -> Cutout:
        """The cut-out: refined, corrected, its colours estimated; no network cuts out.

        Args:
            options: As of the analysis in effort, ignore_alpha and the box of corrections.
            edge: Where the edge is to lie, and how soft; None: as the refinement finds it.
            threads: Threads of the kernels; 0: all usable cores. Never changes the result.
            on_stage: Called with each stage's name before it begins; what it raises ends the work.
            enhancer: Does what the options say of enhancing, after the cut whatever their order;
                None: nothing is enhanced.
            deblock: What the picture's own compression asks for, 0 to 1.

        Returns:
            Without an edge adjustment what `Remover.cutout` gives with the same options.

        Raises:
            OptionError: The corrections do not fit the picture, or have another box.
        """
        from nssbg import _core

        threads = threads or _core.usable_cores()
        job = Job(self.frame.name, options, Timings(dict(self.stages)), notes=list(self.notes))
        job.frame, job.estimate, job.edge, job.grid = self.frame, self.estimate, edge, self.grid
        said = options.corrections
        if said is not None:
            if not isinstance(said, Corrections):
                raise OptionError("corrections must be a nssbg.Corrections here")
            job.region, job.corrections = region_of(self.frame, said)
        box = said.box if isinstance(said, Corrections) else None
        if box != self.box:
            raise OptionError(
                f"{self.frame.name}: was analysed within the box {self.box}, and is to be finished "
                f"with {box}; analyse it anew"
            )
        for name, stage in zip(FINISHING, (refine_alpha, estimate_foreground), strict=True):
            if on_stage is not None:
                on_stage(name)
            stage(job, threads)
            if name == "refine":
                merge_alpha(job)
                job.enhance = None if enhancer is None else options.enhancement_of(self.frame.name)
                if enhancer is not None and job.enhance is not None:
                    job.deblock = deblock
                    enhancer.after(job)
        assert job.cutout is not None
        return job.cutout
