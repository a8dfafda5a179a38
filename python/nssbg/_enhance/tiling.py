"""Runs an image-to-image network over a picture of any size, tile by tile.

In: H x W x 3 and a function that runs one tensor. Out: the network's image, the same whatever the
tiles: each sees `overlap` pixels beyond its part, which is the network's receptive field, and the
picture is mirrored beyond its edges. docs/decisions/1040-tiles.md has the measurements.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from nssbg import _core as _typed_core
from nssbg._errors import ModelError, OptionError
from nssbg._types import ImageArray

__all__ = ["NotFiniteError", "Progress", "Tiling", "chosen_tiling", "run_tiled"]

# The stubs have an overload per dtype, and a union of dtypes picks none of them.
_core: Any = _typed_core

Run = Callable[[NDArray[np.float32]], NDArray[np.float32]]
#: Called with tiles done and tiles in all, before the first and after each run; what it raises
#: ends the run.
Progress = Callable[[int, int], None]

# Sides that a tile may have where the network takes any, in steps: few shapes to compile for.
_STEP = 32


class NotFiniteError(ModelError):
    """A network gave a value that is no finite number; who knows its name tells it."""


@dataclass(frozen=True)
class Tiling:
    """How a picture is cut, in pixels of the network's input.

    Attributes:
        height: Rows of a tile.
        width: Columns of a tile.
        overlap: What a tile sees beyond its own part on every side.
        multiple: What a tile's sides and place are multiples of.
        fade: Width over which neighbours are mixed; 0 where they agree anyway.
    """

    height: int
    width: int
    overlap: int
    multiple: int = 1
    fade: int = 0

    def __post_init__(self) -> None:
        for side in (self.height, self.width):
            if side % self.multiple or side - 2 * self.overlap < self.multiple:
                raise OptionError(
                    f"a tile of {self.height} x {self.width} with {self.overlap} pixels seen "
                    f"beyond it, in multiples of {self.multiple}, leaves nothing of its own"
                )
        if self.overlap % self.multiple:
            raise OptionError(f"overlap {self.overlap} is no multiple of {self.multiple}")
        if not 0 <= self.fade <= 2 * self.overlap:
            raise OptionError(f"fade is {self.fade}, expected 0 to {2 * self.overlap}")


@dataclass(frozen=True)
class _Span:
    """A tile's share of one axis: its part [begin, end) and how wide it fades at both ends."""

    begin: int
    end: int
    before: int
    after: int


def chosen_tiling(
    size: tuple[int, int],
    most: tuple[int, int],
    overlap: int,
    *,
    multiple: int = 1,
    fade: int = 0,
    fixed: bool = False,
) -> Tiling:
    """The tile that covers a picture with the fewest pixels run.

    Args:
        size: Height and width of the picture.
        most: The largest tile; of a fixed graph the only one.
        overlap: See `Tiling`; rounded up to the multiple.
        multiple: See `Tiling`.
        fade: See `Tiling`.
        fixed: The network takes tiles of that size alone.

    Raises:
        OptionError: Nothing of a tile would be its own.
    """
    overlap = -(-overlap // multiple) * multiple
    sides = [
        limit if fixed else _side(length, limit, overlap, multiple)
        for length, limit in zip(size, most, strict=True)
    ]
    return Tiling(sides[0], sides[1], overlap, multiple, fade)


def _side(length: int, limit: int, overlap: int, multiple: int) -> int:
    step = math.lcm(_STEP, multiple)
    least = 2 * overlap + multiple
    if least > limit:
        return limit  # which `Tiling` refuses
    sides = [side for side in range(step, limit + 1, step) if side >= least] or [limit]

    def cost(side: int) -> tuple[int, int]:
        tiles = -(-length // ((side - 2 * overlap) // multiple * multiple))
        return tiles * side, tiles

    return min(sides, key=cost)


def _spans(length: int, side: int, tiling: Tiling) -> list[_Span]:
    """Parts of about the same length, none longer than what a tile has of its own."""
    own = (side - 2 * tiling.overlap) // tiling.multiple * tiling.multiple
    count = -(-length // own)
    unit = tiling.multiple
    ends = [-(-(length * k) // (count * unit)) * unit for k in range(count)] + [length]
    shortest = min(after - before for before, after in itertools.pairwise(ends))
    fade = min(tiling.fade, shortest) // 2 * 2
    return [
        _Span(
            ends[k] - (fade // 2 if k else 0),
            ends[k + 1] + (fade // 2 if k + 1 < count else 0),
            fade if k else 0,
            fade if k + 1 < count else 0,
        )
        for k in range(count)
    ]


def run_tiled(
    image: ImageArray,
    run: Run,
    tiling: Tiling,
    *,
    scale: int = 1,
    reduce: int = 1,
    mean: Sequence[float] = (0.0, 0.0, 0.0),
    std: Sequence[float] = (1.0, 1.0, 1.0),
    conditions: Sequence[float] = (),
    batch: int = 1,
    threads: int = 1,
    progress: Progress | None = None,
) -> ImageArray:
    """A network's image of a picture.

    Args:
        image: H x W x 3, uint8 or uint16.
        run: N x C x height x width of the tiling in, N x 3 x scale height x scale width of 0..1
            out; N is `batch`, or less for the last ones.
        tiling: How to cut.
        scale: Pixels of the network's output for one of its input, along each axis.
        reduce: Means of so many by so many of those are one of the result; divides scale.
        mean: Subtracted from colours of 0..1 before.
        std: Divided by then.
        conditions: Values of the planes behind the colours.
        batch: Tiles in one tensor.
        threads: Threads of the kernels. Never changes the result.
        progress: See `Progress`.

    Returns:
        H' x W' x 3 of the image's dtype, H' = H scale / reduce.

    Raises:
        NotFiniteError: The network gave something that is no finite number.
    """
    if scale % reduce:
        raise OptionError(f"reduce {reduce} does not divide scale {scale}")
    factor = scale // reduce
    height, width = image.shape[:2]
    full = np.float32(np.iinfo(image.dtype).max)
    deviation = np.asarray(std, np.float32)
    to_scale = (1 / (deviation * full)).astype(np.float32)
    to_shift = (-np.asarray(mean, np.float32) / deviation).astype(np.float32)
    out = _empty(height * factor, width * factor, image.dtype)
    rows = _spans(height, tiling.height, tiling)
    columns = _spans(width, tiling.width, tiling)
    count = len(rows) * len(columns)
    planes = np.empty((min(batch, count), 3 + len(conditions), tiling.height, tiling.width), "f4")
    for index, value in enumerate(conditions):
        planes[:, 3 + index] = value
    done = 0
    if progress is not None:
        progress(0, count)
    for group in _groups([(row, column) for row in rows for column in columns], batch):
        # A tile's part begins where neither fade nor overlap counts.
        origins = np.array(
            [
                [row.begin + row.before // 2, column.begin + column.before // 2]
                for row, column in group
            ],
            np.int64,
        )
        origins -= tiling.overlap
        tensor = planes[: len(group)]
        _core.cut_tiles(image, tensor, origins, to_scale, to_shift, threads)
        answer = run(tensor)
        if reduce > 1:
            answer = _reduced(answer, reduce)
        for (row, column), origin, planes_out in zip(group, origins, answer, strict=True):
            top, left = (row.begin - int(origin[0])), (column.begin - int(origin[1]))
            part = planes_out[
                :,
                top * factor : (top + row.end - row.begin) * factor,
                left * factor : (left + column.end - column.begin) * factor,
            ]
            target = out[
                row.begin * factor : row.end * factor, column.begin * factor : column.end * factor
            ]
            if not _core.put_tile(
                part,
                target,
                column.before * factor,
                row.before * factor,
                column.after * factor,
                threads,
            ):
                raise NotFiniteError("gives values that are no finite numbers")
        done += len(group)
        if progress is not None:
            progress(done, count)
    return out


def _groups(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _reduced(answer: NDArray[np.float32], by: int) -> NDArray[np.float32]:
    count, channels, height, width = answer.shape
    cells = answer.reshape(count, channels, height // by, by, width // by, by)
    return cast("NDArray[np.float32]", cells.mean(axis=(3, 5), dtype=np.float32))


def _empty(height: int, width: int, dtype: Any) -> ImageArray:
    if dtype == np.uint8:
        return cast("ImageArray", _core.empty_u8(height, width, 3))
    return cast("ImageArray", np.empty((height, width, 3), dtype))
