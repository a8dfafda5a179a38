"""Pictures whose alpha, foreground and background are known exactly, drawn from a seed.

In: the name of a subject, the name of a backdrop, a size, a seed. Out: a `Case` for which
`image = alpha * foreground + (1 - alpha) * background` holds to the rounding of 8 bits. Also
`coarse_from_alpha`, which degrades a true alpha into what a segmentation network would answer.

Subjects are drawn on a grid of 8 x 8 samples a pixel and averaged, so alpha is the true
box-filtered coverage of the drawn scene; defocus and glass work on the averaged layers, where they
stay exact. Pictures are composited in the sRGB encoding by default, because that is the equation
that matting methods solve, that the published benchmarks were made with and that every viewer of a
straight-alpha PNG computes. `linear_light=True` composites as a lens would, to measure what that
assumption costs.
"""

from __future__ import annotations

from bench.ground_truth.cases import Case, backdrop_names, case_names, make_case
from bench.ground_truth.coarse import coarse_from_alpha

__all__ = [
    "Case",
    "backdrop_names",
    "case_names",
    "coarse_from_alpha",
    "make_case",
]
