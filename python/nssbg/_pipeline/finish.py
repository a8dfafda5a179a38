"""The last stages, which need no method: refine, merge alpha, foreground.

From an estimate to a cut-out. Apart from the stages before them, because a picture that a person
corrects goes through these again and again, and through the network once.
"""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from nssbg import _core as _typed_core
from nssbg._cutout import Cutout
from nssbg._ops.alpha_depth import alpha_as
from nssbg._ops.edge import adjusted_edge
from nssbg._ops.foreground import decontaminate
from nssbg._ops.refine import refine_with_report
from nssbg._pipeline.job import Job
from nssbg._segment.corrections import Region, corrected_alpha, corrected_estimate

# The stubs have an overload per dtype, and a union of dtypes picks none of them.
_core: Any = _typed_core

__all__ = ["estimate_foreground", "merge_alpha", "merged", "refine_alpha"]


def refine_alpha(job: Job, threads: int) -> bool:
    """The alpha at the picture's size, as a person corrected it; False: it was that already."""
    assert job.frame is not None
    assert job.estimate is not None
    job.alpha = job.estimate.alpha
    if job.region is not None:
        _correct(job, job.region, threads)
    elif not job.estimate.full_size:
        with job.timings.measure("refine"):
            job.alpha, report = refine_with_report(
                job.frame.rgb, job.alpha, level=job.options.refine, threads=threads
            )
        job.notes.extend(report.notes)
    if job.edge is not None:
        with job.timings.measure("edge"):
            job.alpha = adjusted_edge(job.alpha, job.edge, threads=threads)
    return not job.timings.stages.keys().isdisjoint(("refine", "correct", "edge"))


def merge_alpha(job: Job) -> bool:
    """The picture's own alpha counts too, unless it was left out."""
    assert job.frame is not None
    assert job.alpha is not None
    if job.frame.alpha is not None:
        with job.timings.measure("merge alpha"):
            job.alpha = merged(job.alpha, job.frame.alpha)
    return "merge alpha" in job.timings.stages


def _correct(job: Job, region: Region, threads: int) -> None:
    """Refine as a person said; the alpha of the whole picture."""
    assert job.frame is not None
    assert job.estimate is not None
    assert job.corrections is not None
    with job.timings.measure("correct"):
        estimate, changed = corrected_estimate(
            region.frame, job.estimate, job.corrections, threads=threads, grid=job.grid
        )
        alpha, notes = corrected_alpha(
            region.frame,
            job.estimate.alpha,
            estimate,
            changed,
            job.corrections,
            level=job.options.refine,
            threads=threads,
        )
        job.alpha = region.placed(alpha, job.frame.height, job.frame.width)
    job.notes.extend((*estimate.notes[len(job.estimate.notes) :], *notes))


def estimate_foreground(job: Job, threads: int) -> None:
    """The cut-out, its colours estimated where they are wanted."""
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
                threads=threads,
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
        enhancement=job.enhancement,
        notes=tuple(job.notes),
    )


def merged(alpha: NDArray[Any], existing: NDArray[Any]) -> NDArray[Any]:
    """The product of a new alpha with the one that the picture came with, rounded.

    uint8 or float32 times uint8 or uint16; the result keeps the finer of the two.
    """
    product: NDArray[Any] = _core.merge_alpha(alpha, existing)
    return product
