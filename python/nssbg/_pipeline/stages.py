"""The stages of one picture as explicit objects, in the order they run.

A `Job` is a picture on its way; a stage takes what it needs from the job and leaves what it
made. Nothing here knows whether pictures come alone or by the thousand.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nssbg import _io as image_io
from nssbg._corrections import Corrections
from nssbg._cutout import Cutout
from nssbg._ops.alpha_depth import alpha_as
from nssbg._ops.foreground import decontaminate
from nssbg._ops.refine import refine_with_report
from nssbg._options import CutoutOptions, check_corrections
from nssbg._pipeline.memory_estimate import bytes_in_flight
from nssbg._pipeline.settings import Settings
from nssbg._segment.base import Estimate, Method
from nssbg._segment.corrections import Region, corrected_alpha, corrected_estimate, region_of
from nssbg._segment.opening import open_method
from nssbg._types import Frame, Timings

if TYPE_CHECKING:
    from nssbg._planner import BatchRun

__all__ = ["Job", "Pipeline", "Stage"]

log = logging.getLogger("nssbg")


@dataclass
class Job:
    """One picture on its way through the stages.

    Attributes:
        source: What the caller handed in.
        options: How it is to be cut out.
        timings: Milliseconds per stage so far.
        frame: After decode.
        region: After decode, where a person corrected the picture: the part that is worked on.
        corrections: What was said, in the region's pixels.
        studio: After the studio stage: what the studio method says; None where it was not asked.
        prepared: After prepare: the network's input; None where none is asked.
        estimate: After segment; second pass and post-process replace it.
        alpha: After refine: H x W.
        cutout: After foreground.
        notes: What the stages had to say so far.
    """

    source: Any
    options: CutoutOptions
    timings: Timings = field(default_factory=Timings)
    frame: Frame | None = None
    studio: Estimate | None = None
    region: Region | None = None
    corrections: Corrections | None = None
    prepared: Any = None
    estimate: Estimate | None = None
    alpha: NDArray[Any] | None = None
    cutout: Cutout | None = None
    notes: list[str] = field(default_factory=list)

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
            threads=self._threads,
            license=settings.license,
            run=run,
        )

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages in the order they run.

        Made when asked for: kept, they would hold the pipeline that holds them, and a network that
        was let go of would stay in memory until Python looks for such rings.
        """
        bound = self._method.max_concurrency
        return (
            Stage("decode", self._decode),
            Stage("studio", self._studio),
            Stage("prepare", self._prepare),
            Stage("segment", self._segment, bound, "network"),
            Stage("second pass", self._second_pass, bound, "network"),
            Stage("post-process", self._postprocess),
            Stage("refine", self._refine),
            Stage("merge alpha", self._merge_alpha),
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

    def _decode(self, job: Job) -> None:
        with job.timings.measure("decode"):
            job.frame = image_io.decode(
                job.source,
                max_pixels=self._settings.max_pixels,
                max_memory=self._settings.max_memory,
                predict=bytes_in_flight,
                ignore_alpha=job.options.ignore_alpha,
            )
        said = job.options.corrections
        if said is not None and not isinstance(said, Corrections):
            said = said(job.source)
            check_corrections(said)
        if said is not None:
            job.region, job.corrections = region_of(job.frame, said)

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
        assert job.frame is not None
        assert job.estimate is not None
        job.alpha = job.estimate.alpha
        if job.region is not None:
            self._correct(job, job.region)
        elif not job.estimate.full_size:
            with job.timings.measure("refine"):
                job.alpha, report = refine_with_report(
                    job.frame.rgb, job.alpha, level=job.options.refine, threads=self._threads
                )
            job.notes.extend(report.notes)
        return not job.timings.stages.keys().isdisjoint(("refine", "correct"))

    def _merge_alpha(self, job: Job) -> bool:
        """The picture's own alpha counts too, unless it was left out."""
        assert job.frame is not None
        assert job.alpha is not None
        if job.frame.alpha is not None:
            with job.timings.measure("merge alpha"):
                job.alpha = _multiplied(job.alpha, job.frame.alpha)
        return "merge alpha" in job.timings.stages

    def _correct(self, job: Job, region: Region) -> None:
        """Refine as a person said; the alpha of the whole picture."""
        assert job.frame is not None
        assert job.estimate is not None
        assert job.corrections is not None
        with job.timings.measure("correct"):
            estimate, changed = corrected_estimate(
                region.frame, job.estimate, job.corrections, threads=self._threads
            )
            alpha, notes = corrected_alpha(
                region.frame,
                job.estimate.alpha,
                estimate,
                changed,
                job.corrections,
                level=job.options.refine,
                threads=self._threads,
            )
            job.alpha = region.placed(alpha, job.frame.height, job.frame.width)
        job.notes.extend((*estimate.notes[len(job.estimate.notes) :], *notes))

    def _foreground(self, job: Job) -> None:
        assert job.frame is not None
        assert job.estimate is not None
        assert job.alpha is not None
        rgba = None
        if job.options.alpha_only:
            alpha: NDArray[Any] = alpha_as(job.alpha, job.frame.rgb.dtype)
        else:
            with job.timings.measure("foreground"):
                rgba = decontaminate(
                    job.frame.rgb,
                    job.alpha,
                    method=job.options.decontaminate,
                    strength=job.options.strength,
                    matte=job.options.matte,
                    threads=self._threads,
                )
            alpha = rgba[..., 3]
        job.alpha = None
        job.cutout = Cutout(
            alpha=alpha,
            colored=rgba,
            frame=job.frame,
            plan=job.estimate.plan,
            timings=job.timings,
            confidence=job.estimate.confidence,
            low_confidence=job.estimate.low_confidence,
            second_pass=job.estimate.second_pass,
            notes=tuple(job.notes),
        )


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


def _multiplied(alpha: NDArray[Any], existing: NDArray[Any]) -> NDArray[Any]:
    """The product of a new alpha with the one that the picture came with, rounded.

    uint8 or float32 times uint8 or uint16; the result keeps the finer of the two.
    """
    full = np.iinfo(existing.dtype).max
    if alpha.dtype == np.float32:
        product32: NDArray[np.float32] = alpha * (existing.astype(np.float32) / np.float32(full))
        return product32
    # alpha / 255 * existing, in existing's own range, so that 16 bits stay 16 bits.
    product = (alpha.astype(np.uint32) * existing.astype(np.uint32) + 127) // 255
    return product.astype(existing.dtype)
