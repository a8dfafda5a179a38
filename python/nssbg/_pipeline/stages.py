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
from nssbg._cutout import Cutout
from nssbg._ops.alpha_depth import alpha_as
from nssbg._ops.foreground import decontaminate
from nssbg._ops.refine import refine_with_report
from nssbg._options import CutoutOptions
from nssbg._pipeline.memory_estimate import bytes_in_flight
from nssbg._pipeline.settings import Settings
from nssbg._segment.base import Estimate, Method
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
        prepared: After prepare: whatever the method wants to infer from.
        estimate: After infer.
        alpha: After refine: H x W.
        cutout: After decontaminate.
        notes: What the stages had to say so far.
    """

    source: Any
    options: CutoutOptions
    timings: Timings = field(default_factory=Timings)
    frame: Frame | None = None
    prepared: Any = None
    estimate: Estimate | None = None
    alpha: NDArray[Any] | None = None
    cutout: Cutout | None = None
    notes: list[str] = field(default_factory=list)

    def release(self) -> None:
        """Let go of everything large; who wants the cut-out has taken it."""
        self.frame = self.prepared = self.estimate = self.alpha = self.cutout = None


@dataclass(frozen=True)
class Stage:
    """A step: its name in reports, what it does to a job, how many jobs it takes at once.

    `max_concurrency` 0 means as many as there are workers; a device that runs one picture at a time
    has 1.
    """

    name: str
    work: Callable[[Job], None]
    max_concurrency: int = 0


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
        return (
            Stage("decode", self._decode),
            Stage("prepare", self._prepare),
            Stage("infer", self._infer, max_concurrency=self._method.max_concurrency),
            Stage("refine", self._refine),
            Stage("decontaminate", self._decontaminate),
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

    def _prepare(self, job: Job) -> None:
        assert job.frame is not None
        job.prepared = self._method.prepare(job.frame, job.timings)

    def _infer(self, job: Job) -> None:
        assert job.frame is not None
        effort = job.options.effort
        job.estimate = self._method.infer(job.frame, job.prepared, job.timings, effort)
        job.prepared = None
        job.estimate = self._method.second_pass(job.frame, job.estimate, job.timings, effort)
        job.notes.extend((*job.frame.notes, *job.estimate.notes))
        if job.estimate.low_confidence:
            job.notes.append(
                f"low confidence ( {job.estimate.confidence:.2f}): look at the result, or try "
                "another model (nssbg models list)"
            )
        for line in job.estimate.plan.fallbacks:
            log.warning("%s: %s", job.frame.name, line)

    def _refine(self, job: Job) -> None:
        assert job.frame is not None
        assert job.estimate is not None
        job.alpha = job.estimate.alpha
        if not job.estimate.full_size:
            with job.timings.measure("refine"):
                job.alpha, report = refine_with_report(
                    job.frame.rgb, job.alpha, level=job.options.refine, threads=self._threads
                )
            job.notes.extend(report.notes)
        if job.frame.alpha is not None:
            with job.timings.measure("merge alpha"):
                job.alpha = _multiplied(job.alpha, job.frame.alpha)

    def _decontaminate(self, job: Job) -> None:
        assert job.frame is not None
        assert job.estimate is not None
        assert job.alpha is not None
        rgba = None
        if job.options.alpha_only:
            alpha: NDArray[Any] = alpha_as(job.alpha, job.frame.rgb.dtype)
        else:
            with job.timings.measure("decontaminate"):
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
