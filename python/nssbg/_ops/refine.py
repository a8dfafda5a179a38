"""From the model's coarse map to an alpha as large as the photograph.

In: H x W x 3 image, h x w coarse alpha of any size. Out: H x W alpha of the coarse alpha's
dtype. Only the band around the outline is computed, in tiles; docs/refine.md describes the
levels, their cost and their quality.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from nssbg import _core
from nssbg._errors import OptionError
from nssbg._ops.alpha_cleanup import remove_small_components_in_place
from nssbg._vocabulary import REFINE_LEVELS, RefineLevel

__all__ = ["RefineReport", "RefineStream", "refine", "refine_with_report"]

Alpha = TypeVar("Alpha", NDArray[np.uint8], NDArray[np.float32])

#: Side of the tiles, in pixels. Measured best at 12 and 24 MP; the result never depends on it.
DEFAULT_TILE = 512

#: Components of fewer pixels than this share of the picture are removed; why, says the core's
#: cleanup.hpp, whose number it is.
DEFAULT_COMPONENT_SHARE: float = _core.COMPONENT_SHARE


@dataclass(frozen=True)
class RefineReport:
    """What the refinement of one picture did and what it cost.

    Attributes:
        level: The level that was asked for.
        seconds: Wall time.
        tiles: Tiles of the picture.
        tiles_computed: Tiles that touch the band; all others were filled.
        band_share: Share of the picture's pixels that lie in the band, 0..1.
        matting_share: Share of the picture's pixels solved by the matting tier, 0..1.
        iterations: Iterations of the matting solver, the most that any block took.
        residual: Largest relative residual that the matting solver stopped at.
        components_removed: Components removed because they were smaller than `min_component_area`.
        notes: What fell back, and why: "guided result kept in 2 of 40 matting blocks: ...".
    """

    level: RefineLevel
    seconds: float
    tiles: int = 0
    tiles_computed: int = 0
    band_share: float = 0.0
    matting_share: float = 0.0
    iterations: int = 0
    residual: float = 0.0
    components_removed: int = 0
    notes: tuple[str, ...] = ()


def refine(
    image: NDArray[Any],
    coarse_alpha: Alpha,
    *,
    level: RefineLevel = "guided",
    trimap: NDArray[np.uint8] | None = None,
    threads: int = 0,
    tile: int = DEFAULT_TILE,
    min_component_area: int | None = None,
) -> Alpha:
    """Refine a coarse alpha to the size of the photograph.

    Args:
        image: H x W x 3, uint8 or uint16, sRGB-encoded: the photograph that guides.
        coarse_alpha: h x w of any size, uint8 0..255 or float32 0..1: the model's answer for
            the whole photograph.
        level: "none" is cubic (Catmull-Rom) upsampling. "guided" fits local linear models of
            alpha over colour (He, Sun, Tang: Guided Image Filtering, 2013, with the contrast
            that a blurred map loses restored). "matting" solves the matting Laplacian (Levin,
            Lischinski, Weiss 2008) in the band, from the guided result. "auto" solves where
            the band is hair-like only.
        trimap: H x W uint8, 0 sure background, 255 sure foreground, anything else unknown;
            replaces the band that the coarse map itself gives.
        threads: Threads to use; 0 means all usable cores. Never changes the result.
        tile: Side of a tile in pixels; memory grows with it. Never changes the result.
        min_component_area: Components of fewer pixels than this are removed; 0 keeps them all;
            None means `DEFAULT_COMPONENT_SHARE` of the picture. Not done at level "none".

    Returns:
        H x W alpha of the dtype of `coarse_alpha`.

    Raises:
        OptionError: For shapes, dtypes or values outside the above.
    """
    return refine_with_report(
        image,
        coarse_alpha,
        level=level,
        trimap=trimap,
        threads=threads,
        tile=tile,
        min_component_area=min_component_area,
    )[0]


def refine_with_report(
    image: NDArray[Any],
    coarse_alpha: Alpha,
    *,
    level: RefineLevel = "guided",
    trimap: NDArray[np.uint8] | None = None,
    threads: int = 0,
    tile: int = DEFAULT_TILE,
    min_component_area: int | None = None,
) -> tuple[Alpha, RefineReport]:
    """As `refine`, with a report of what was done, what it cost and what fell back."""
    check_refine_arguments(image, coarse_alpha, level, trimap, threads, tile)
    if min_component_area is not None and min_component_area < 0:
        raise OptionError(
            f"min_component_area is a number of pixels, 0 or more, not {min_component_area}"
        )
    begin = time.perf_counter()
    alpha, facts = _core.refine(image, coarse_alpha, trimap, level, threads, tile)
    pixels = alpha.shape[0] * alpha.shape[1]
    notes: tuple[str, ...] = facts["notes"]
    removed = 0
    least_area = (
        round(DEFAULT_COMPONENT_SHARE * pixels)
        if min_component_area is None
        else min_component_area
    )
    if level != "none" and least_area > 1:
        removed, note = remove_small_components_in_place(alpha, least_area)
        notes += note
    return alpha, RefineReport(
        level=level,
        seconds=time.perf_counter() - begin,
        tiles=facts["tiles"],
        tiles_computed=facts["tiles_computed"],
        band_share=facts["band_pixels"] / pixels,
        matting_share=facts["matting_pixels"] / pixels,
        iterations=facts["iterations"],
        residual=facts["residual"],
        components_removed=removed,
        notes=notes,
    )


class RefineStream:
    """Refinement of a picture whose rows come one after another, in the memory of a few hundred.

    The rows are those of `refine(..., min_component_area=0)`, byte for byte: small components
    cannot be told from subjects before the last row has come.

        stream = RefineStream(height, width, coarse_alpha)
        for rows in reader:              # any number of rows x width x 3
            writer.write(stream.push(rows))   # the rows that are finished, maybe none
    """

    def __init__(
        self,
        height: int,
        width: int,
        coarse_alpha: NDArray[np.uint8] | NDArray[np.float32],
        *,
        dtype: type[np.uint8] | type[np.uint16] = np.uint8,
        level: RefineLevel = "guided",
        threads: int = 0,
    ) -> None:
        """Begin a picture of height x width whose rows will have `dtype`; see `refine`."""
        self._empty = np.empty((0, width, 3), dtype)
        if height < 1 or width < 1:
            raise OptionError(f"the picture needs at least one pixel, not {width} x {height}")
        probe = np.empty((1, 1, 3), dtype)
        check_refine_arguments(probe, coarse_alpha, level, None, threads, DEFAULT_TILE)
        kind = "RefineStreamU{}{}".format(
            8 * np.dtype(dtype).itemsize, "U8" if coarse_alpha.dtype == np.uint8 else "F32"
        )
        self._core: Any = getattr(_core, kind)(height, width, coarse_alpha, level, threads)
        self._left = height

    def push(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Take the next rows (n x width x 3); return the finished rows of alpha (m x width).

        The last rows of the picture return all that is left. Raises OptionError for rows of
        another width, channel count or dtype, or for more rows than the picture has.
        """
        want = self._empty
        if not isinstance(rows, np.ndarray) or rows.ndim != 3 or rows.shape[1:] != want.shape[1:]:
            raise OptionError(f"rows must be n x {want.shape[1]} x 3, not {_shape_of(rows)}")
        if rows.dtype != want.dtype:
            raise OptionError(f"rows must be {want.dtype} as announced, not {rows.dtype}")
        if len(rows) > self._left:
            raise OptionError(
                f"{len(rows)} rows pushed, but the picture has only {self._left} left"
            )
        self._left -= len(rows)
        alpha: NDArray[Any] = self._core.push(rows)
        return alpha


def check_refine_arguments(
    image: NDArray[Any],
    coarse_alpha: NDArray[Any],
    level: str,
    trimap: NDArray[np.uint8] | None,
    threads: int,
    tile: int,
) -> None:
    """Raise OptionError unless the arguments of `refine` fit together."""
    if level not in REFINE_LEVELS:
        raise OptionError(
            f"refinement level {level!r} is unknown; choose one of {', '.join(REFINE_LEVELS)}"
        )
    if not isinstance(image, np.ndarray) or image.ndim != 3 or image.shape[2] != 3:
        raise OptionError(
            f"the image must be an H x W x 3 array, not {_shape_of(image)}; convert it to RGB first"
        )
    if image.dtype not in (np.uint8, np.uint16):
        raise OptionError(f"the image must be uint8 or uint16, not {image.dtype}")
    if not isinstance(coarse_alpha, np.ndarray) or coarse_alpha.ndim != 2:
        raise OptionError(f"the coarse alpha must be an h x w array, not {_shape_of(coarse_alpha)}")
    if coarse_alpha.dtype not in (np.uint8, np.float32):
        raise OptionError(
            f"the coarse alpha must be uint8 (0..255) or float32 (0..1), not {coarse_alpha.dtype}"
        )
    if 0 in image.shape or 0 in coarse_alpha.shape:
        raise OptionError("the image and the coarse alpha need at least one pixel")
    if coarse_alpha.dtype == np.float32:
        low, high = float(coarse_alpha.min()), float(coarse_alpha.max())
        if not (low >= -0.01 and high <= 1.01):  # also catches NaN
            raise OptionError(
                f"a float32 coarse alpha lies in 0..1, not {low:.3g}..{high:.3g}; "
                "scale it, or apply the model's sigmoid first"
            )
    if trimap is not None and (
        not isinstance(trimap, np.ndarray)
        or trimap.dtype != np.uint8
        or trimap.shape != image.shape[:2]
    ):
        raise OptionError(
            f"the trimap must be uint8 and as large as the image {image.shape[:2]}, "
            f"not {_shape_of(trimap)}"
        )
    if threads < 0:
        raise OptionError(f"threads must be 0 (all cores) or more, not {threads}")
    if tile < 1:
        raise OptionError(f"a tile has at least one pixel a side, not {tile}")


def _shape_of(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {' x '.join(map(str, value.shape))}"
    return type(value).__name__
