"""The stages of one picture as explicit objects, in the order they run.

A `Job` is a picture on its way; a stage takes what it needs from the job and leaves what it
made. Nothing here knows whether pictures come alone or by the thousand.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from nssbg import _io as image_io
from nssbg._corrections import Corrections
from nssbg._cutout import Cutout
from nssbg._enhance.jpeg_quality import deblock_strength
from nssbg._options import CutoutOptions, check_corrections
from nssbg._pipeline.analysis import Analysis
from nssbg._pipeline.enhancing import Enhancer
from nssbg._pipeline.finish import estimate_foreground, merge_alpha, refine_alpha
from nssbg._pipeline.job import Job
from nssbg._pipeline.memory_estimate import bytes_in_flight
from nssbg._pipeline.settings import Settings
from nssbg._segment.base import Estimate, Method
from nssbg._segment.corrections import region_of
from nssbg._segment.opening import open_method

if TYPE_CHECKING:
    from nssbg._planner import BatchRun

__all__ = ["Job", "Pipeline", "Stage"]

log = logging.getLogger("nssbg")

# Decode to post-process, but for enhance: what depends on the picture, the model and the effort
# alone. A person corrects the photograph as it is.
_STAGES_OF_ANALYSIS = ("decode", "studio", "prepare", "segment", "second pass", "post-process")


@dataclass(frozen=True)
class Stage:
    """A step: its name in reports, what it does to a job, how many jobs it takes at once.

    Attributes:
        name: In `Timings` and `StreamReport`.
        work: Does it; False says that there was nothing to do for this job. A bound method, not a
            closure: an error's traceback leads to the functions it went through, and a closure
            would keep what it holds, the network at the end, alive with the error.
        max_concurrency: Jobs at once; 0: as many as there are workers. A device that runs one
            picture at a time has 1.
        shares: What the bound is on, where several stages use the same thing: all of its stages
            together take `max_concurrency` jobs. "": the stage alone.
    """

    name: str
    work: Callable[[Job], bool | None]
    max_concurrency: int = 0
    shares: str = ""


class Pipeline:
    """The stages behind one open method; safe to use from several threads.

    Args:
        settings: What stays the same from picture to picture.
        method: An open one; None: what the settings name is opened.
        run: The run over many pictures that it is opened for; None: pictures come one by one.

    Raises:
        ModelError: The model is unknown, not on disk or damaged.
        LicenseError: Its weights do not allow the use asked for.
        DeviceError: The device asked for is not what would run.
    """

    def __init__(
        self,
        settings: Settings,
        method: Method | None = None,
        *,
        run: BatchRun | None = None,
    ) -> None:
        self._settings = settings
        self._threads = settings.thread_count
        self._method = method or open_method(
            settings.model,
            device=settings.device,
            backend=settings.backend,
            precision=settings.precision,
            threads=self._threads,
            license=settings.license,
            run=run,
        )
        self._enhancer = Enhancer(settings, self._threads if run is None else run.threads)

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages in the order they run.

        Made when asked for: kept, they would hold the pipeline that holds them, and a network that
        was let go of would stay in memory until Python looks for such rings.
        """
        bound = self._method.max_concurrency
        return (
            Stage("decode", self._decode),
            Stage("enhance", self._enhance, 1, "enhancing network"),
            Stage("studio", self._studio),
            Stage("prepare", self._prepare),
            Stage("segment", self._segment, bound, "network"),
            Stage("second pass", self._second_pass, bound, "network"),
            Stage("post-process", self._postprocess),
            Stage("refine", self._refine),
            Stage("merge alpha", self._merge_alpha),
            Stage("enhance", self._enhance_after, 1, "enhancing network"),
            Stage("foreground", self._foreground),
        )

    def close(self) -> None:
        """Let go of the model."""
        self._method.close()

    def run(self, source: Any, options: CutoutOptions) -> Cutout:
        """Cut out one picture.

        Raises:
            ImageDecodeError: The picture cannot be read.
        """
        job = Job(source, options)
        for stage in self.stages:
            stage.work(job)
        assert job.cutout is not None
        return job.cutout

    def analyse(
        self,
        source: Any,
        options: CutoutOptions,
        *,
        on_stage: Callable[[str], None] | None = None,
    ) -> Analysis:
        """Run a picture up to its estimate, which `Analysis.finished` makes cut-outs of.

        Args:
            source: As `run` takes it.
            options: Of these effort, ignore_alpha and the box of corrections count; enhance does
                not.
            on_stage: Called with each stage's name before it begins; what it raises ends the work.

        Raises:
            ImageDecodeError: The picture cannot be read.
        """
        job = Job(source, options)
        for stage in self.stages:
            if stage.name not in _STAGES_OF_ANALYSIS:
                continue
            if on_stage is not None:
                on_stage(stage.name)
            stage.work(job)
        return Analysis.of(job)

    def _decode(self, job: Job) -> None:
        job.enhance = enhance = job.options.enhancement_of(job.source)
        predict: Callable[[image_io.Header], int] = bytes_in_flight
        if enhance is not None:
            predict = self._enhancer.prediction(job.source, enhance)
        with job.timings.measure("decode"):
            job.frame = image_io.decode(
                job.source,
                max_pixels=self._settings.max_pixels,
                max_memory=self._settings.max_memory,
                predict=predict,
                ignore_alpha=job.options.ignore_alpha,
            )
        said = job.options.corrections
        if said is not None and not isinstance(said, Corrections):
            said = said(job.source)
            check_corrections(said)
        if enhance is not None and enhance.deblock == "auto":
            job.deblock = deblock_strength(job.source, job.frame)
        if said is not None and enhance is not None and enhance.order == "before":
            # Said of the photograph, and worked on in the pixels that it is enhanced to.
            width, height = job.frame.width, job.frame.height
            said = said.scaled_to(width, height, name=job.frame.name)
            job.corrections = replace(said, size=(float(width), float(height)))
        elif said is not None:
            job.region, job.corrections = region_of(job.frame, said)

    def _enhance(self, job: Job) -> bool:
        if job.enhance is None or job.enhance.order != "before":
            return False
        self._enhancer.before(job)
        assert job.frame is not None
        if job.corrections is not None:
            job.region, job.corrections = region_of(job.frame, job.corrections)
        return True

    def _enhance_after(self, job: Job) -> bool:
        if job.enhance is None or job.enhance.order != "after":
            return False
        self._enhancer.after(job)
        return True

    def _studio(self, job: Job) -> bool:
        job.studio = self._method.studio(job.view, job.timings)
        return "studio" in job.timings.stages

    def _prepare(self, job: Job) -> bool:
        assert job.frame is not None
        job.prepared = self._method.prepare(job.view, job.studio, job.timings)
        return "prepare" in job.timings.stages

    def _segment(self, job: Job) -> bool:
        assert job.frame is not None
        job.estimate = self._method.segment(
            job.view, job.prepared, job.studio, job.timings, job.options.effort
        )
        job.prepared = job.studio = None
        return "segment" in job.timings.stages

    def _second_pass(self, job: Job) -> bool:
        assert job.frame is not None
        assert job.estimate is not None
        job.estimate = self._method.second_pass(
            job.view, job.estimate, job.timings, job.options.effort
        )
        # Nothing looks at the picture as a network does from here on.
        image_io.release_model_rgb(job.view)
        return "second pass" in job.timings.stages

    def _postprocess(self, job: Job) -> bool:
        assert job.frame is not None
        assert job.estimate is not None
        job.estimate = self._method.postprocess(job.estimate, job.timings)
        job.notes.extend((*job.frame.notes, *job.estimate.notes, *_doubts(job.estimate)))
        for line in job.estimate.plan.fallbacks:
            log.warning("%s: %s", job.frame.name, line)
        return "post-process" in job.timings.stages

    def _refine(self, job: Job) -> bool:
        return refine_alpha(job, self._threads)

    def _merge_alpha(self, job: Job) -> bool:
        return merge_alpha(job)

    def _foreground(self, job: Job) -> None:
        estimate_foreground(job, self._threads)


def _doubts(estimate: Estimate) -> tuple[str, ...]:
    """What there is to say about the confidence, for the notes."""
    confidence = estimate.confidence
    if confidence is None:
        return (
            f"{estimate.plan.model}: no confidence fitted for this model: whether to look at the "
            "result is yours to judge",
        )
    if not estimate.low_confidence:
        return ()
    return (
        f"low confidence ({confidence:.2f}): look at the result, or try another model "
        "(nssbg models list)",
    )
