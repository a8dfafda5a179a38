"""Applies what a person said about a picture to the alpha that a method found.

In: the picture, the method's alpha and `Corrections`. Out: the part of the picture to look at
(box), a coarse alpha in which points and painted pixels are obeyed, and a full-size alpha in
which they hold exactly. What points take, and how it goes into the alpha, is the core's own
(`nssbg/corrections.hpp`): the browser's engine follows the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nssbg import _core as _typed_core
from nssbg._corrections import Corrections
from nssbg._segment.base import Estimate
from nssbg._types import Frame
from nssbg._vocabulary import RefineLevel

__all__ = [
    "CorrectionGrid",
    "Region",
    "corrected_alpha",
    "corrected_estimate",
    "mixed",
    "region_of",
    "resized",
    "trimap_of",
]

# The stubs have an overload per dtype, and a union of dtypes picks none of them.
_core: Any = _typed_core


@dataclass(frozen=True)
class Region:
    """The part of a picture that is worked on.

    Attributes:
        frame: That part; its alpha left out.
        top: Its first row in the picture.
        left: Its first column.
        inner: top, left, bottom, right of the box within the part; None: all of it.
    """

    frame: Frame
    top: int = 0
    left: int = 0
    inner: tuple[int, int, int, int] | None = None

    def placed(self, alpha: NDArray[Any], height: int, width: int) -> NDArray[Any]:
        """The part's alpha in the whole picture, 0 outside the box."""
        if self.inner is None:
            return alpha
        top, left, bottom, right = self.inner
        whole = np.zeros((height, width), alpha.dtype)
        whole[self.top + top : self.top + bottom, self.left + left : self.left + right] = alpha[
            top:bottom, left:right
        ]
        return whole


def region_of(frame: Frame, corrections: Corrections) -> tuple[Region, Corrections]:
    """What the method is to look at, and the corrections in its pixels.

    Raises:
        OptionError: They do not fit the picture.
    """
    found = corrections.scaled_to(frame.width, frame.height, name=frame.name)
    if found.box is None:
        return Region(frame), found
    left, top, right, bottom = found.box
    (y0, x0, y1, x1), inner = _core.region_of_box(found.box, frame.height, frame.width)
    rgb: Any = np.ascontiguousarray(frame.rgb[y0:y1, x0:x1])
    part = replace(frame, rgb=rgb, alpha=None)
    mask = found.mask
    if mask is not None:
        mask = np.ascontiguousarray(resized(mask, frame.height, frame.width)[y0:y1, x0:x1])
    within = (inner[1], inner[0], inner[3], inner[2])
    moved = Corrections(
        box=(float(within[0]), float(within[1]), float(within[2]), float(within[3])),
        keep=tuple((x - x0, y - y0) for x, y in found.keep),
        # Outside the box all is background as it is.
        drop=tuple(
            (x - x0, y - y0) for x, y in found.drop if left <= x <= right and top <= y <= bottom
        ),
        mask=mask,
    )
    return Region(part, y0, x0, inner), moved


class CorrectionGrid:
    """What corrections of one estimate have in common: made once where they come one by one.

    Args:
        frame: What the estimate is of.
        estimate: As the method gave it; its alpha may be full size.
        threads: Threads of the kernels.

    Attributes:
        shape: Rows and columns of the map that goes on: as fine as the finer of the grid that
            points grow on and the estimate's own map.
    """

    def __init__(self, frame: Frame, estimate: Estimate, *, threads: int) -> None:
        self._grid: Any = _core.CorrectionGrid(
            np.ascontiguousarray(frame.rgb), estimate.alpha, estimate.full_size, threads
        )
        self._in_bytes = estimate.alpha.dtype == np.uint8
        self.shape: tuple[int, int] = self._grid.shape()

    def apply(self, corrections: Corrections) -> tuple[NDArray[Any], NDArray[np.float32]]:
        """The corrected map in the estimate's dtype, and 1.0 at and near cells that changed."""
        coarse, changed = self._grid.apply(
            corrections.keep, corrections.drop, corrections.mask, self._in_bytes
        )
        return coarse, changed


def corrected_estimate(
    frame: Frame,
    estimate: Estimate,
    corrections: Corrections,
    *,
    threads: int,
    grid: CorrectionGrid | None = None,
) -> tuple[Estimate, NDArray[np.float32] | None]:
    """The estimate with points and painted pixels obeyed at the size of a coarse map.

    Args:
        frame: What the estimate is of.
        estimate: As the method gave it; its alpha may be full size.
        corrections: In the frame's pixels.
        threads: Threads of the kernels.
        grid: Of this frame and estimate, where there is one already.

    Returns:
        The estimate, its alpha coarse; and how far each cell of it was changed or lies near one
        that was, 0..1. None where nothing was changed.
    """
    told = f"corrected by hand: {_counted(corrections)}"
    if not corrections.keep and not corrections.drop and corrections.mask is None:
        return replace(estimate, notes=(*estimate.notes, told)), None
    grid = grid or CorrectionGrid(frame, estimate, threads=threads)
    coarse, changed = grid.apply(corrections)
    return replace(estimate, alpha=coarse, notes=(*estimate.notes, told)), changed


def corrected_alpha(
    frame: Frame,
    before: NDArray[Any],
    estimate: Estimate,
    changed: NDArray[np.float32] | None,
    corrections: Corrections,
    *,
    level: RefineLevel,
    threads: int,
) -> tuple[NDArray[Any], tuple[str, ...]]:
    """The full-size alpha from a corrected coarse one: refined, and exact where a person spoke.

    Args:
        frame: The picture.
        before: The method's alpha before it was corrected; where it is full size its own edges
            stay wherever nothing was changed.
        estimate: As `corrected_estimate` gave it.
        changed: The same.
        corrections: In the frame's pixels.
        level: Of the refinement. The matting solver takes the points and the painted pixels as
            hard constraints.
        threads: Threads of the kernels.

    Returns:
        H x W of the estimate's dtype, and what the refinement had to say.
    """
    alpha, report = _core.corrected_alpha(
        np.ascontiguousarray(frame.rgb),
        before,
        estimate.full_size,
        estimate.alpha,
        changed,
        corrections.keep,
        corrections.drop,
        corrections.mask,
        level,
        threads,
    )
    return alpha, report["notes"]


def mixed(before: NDArray[Any], after: NDArray[Any], changed: NDArray[np.float32]) -> NDArray[Any]:
    """The method's own full-size alpha, and the refined one where something was changed."""
    result: NDArray[Any] = _core.mix_changed(before, after, changed)
    return result


def trimap_of(coarse: NDArray[Any], height: int, width: int) -> NDArray[np.uint8]:
    """Sure where the coarse map is, two cells away from where it is not."""
    trimap: NDArray[np.uint8] = _core.correction_trimap(coarse, height, width)
    return trimap


def resized(values: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    """Box when smaller, bilinear when larger; uint8 stays uint8, float32 float32."""
    if values.shape == (height, width):
        return values
    result: NDArray[Any] = _core.resize_map(values, height, width)
    return result


def _counted(corrections: Corrections) -> str:
    said = [
        f"{len(points)} {kind} point{'s' if len(points) > 1 else ''}"
        for kind, points in (("keep", corrections.keep), ("drop", corrections.drop))
        if points
    ]
    if corrections.mask is not None:
        said.append("a painted mask")
    if corrections.box is not None:
        said.append("a box")
    return ", ".join(said)
