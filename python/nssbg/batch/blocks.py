"""A picture by blocks of 8 x 8 pixels, as JPEG codes it: which hold subject, which are background.

- A block is *marked* where a pixel of it differs from the background's colour by more than NOISE
  levels of 255 in any channel. Marked blocks that hang together (8 neighbours) are a part; parts of
  less than STRAY of the largest in area, or of one or two blocks, are no subject but stray marks.
- *Near* the subject are its blocks and those that touch them (8 neighbours; two steps where chroma
  is coarser than brightness). There lie the soft edge and what compression makes of it: JPEG rings
  within the blocks of an edge and nowhere else, and no JPEG is exact there.
- *Background* is what can be reached from the picture's border without crossing that. There every
  pixel is to be exact. What the subject encloses may be a hole or a white part of it, which a file
  without transparency cannot tell; it is not looked at.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nssbg import _core as _typed_core

__all__ = ["BLOCK", "NOISE", "STRAY", "Blocks", "block_alpha", "block_distance", "sorted_blocks"]

_core: Any = _typed_core

BLOCK = 8
NOISE = 8
STRAY = 0.0005
_LEAST_BLOCKS = 3


@dataclass(frozen=True)
class Blocks:
    """Blocks sorted into subject and background; all grids are rows x columns of blocks.

    Attributes:
        subject: Marked, and part of the subject.
        background: To be exact.
        strays: Marked parts that are too small for subject.
    """

    subject: NDArray[np.bool_]
    background: NDArray[np.bool_]
    strays: int


def block_distance(pixels: NDArray[Any], color: tuple[int, int, int]) -> NDArray[np.uint8]:
    """The largest difference from a colour in each block, of 255, rounded up.

    Args:
        pixels: H x W x 3, uint8 or uint16.
        color: 0..255 each.

    Returns:
        ceil(H / 8) x ceil(W / 8).
    """
    full = int(np.iinfo(pixels.dtype).max)
    levels = np.array(color, np.int32) * (full // 255)
    # Rows first: whole rows are contiguous, and what is left is an eighth.
    apart = levels - _reduced(pixels, np.minimum).astype(np.int32)
    if levels.min() < full:
        apart = np.maximum(apart, _reduced(pixels, np.maximum).astype(np.int32) - levels)
    worst = -(-apart.max(axis=2) // (full // 255))
    result: NDArray[np.uint8] = worst.astype(np.uint8)
    return result


def block_alpha(rgba: NDArray[Any]) -> NDArray[Any]:
    """The largest alpha in each block of a cut-out, H x W x 4, packed."""
    if sys.byteorder != "little" or not rgba.flags.c_contiguous:
        plane = np.ascontiguousarray(rgba[:, :, 3:])
        return _reduced(plane, np.maximum)[:, :, 0]
    # A pixel as one number has alpha on top: the largest number is that of the largest alpha.
    whole = rgba.view(np.uint32 if rgba.dtype == np.uint8 else np.uint64)
    bits = 8 * rgba.dtype.itemsize
    alpha: NDArray[Any] = (_reduced(whole, np.maximum)[:, :, 0] >> (3 * bits)).astype(rgba.dtype)
    return alpha


def sorted_blocks(
    distance: NDArray[np.uint8],
    *,
    held: NDArray[np.bool_] | None = None,
    keep_held: bool = False,
    noise: int = NOISE,
    stray: float = STRAY,
    reach: int = 1,
) -> Blocks:
    """Subject and background from each block's distance to the background's colour.

    Args:
        distance: As `block_distance` gives it.
        held: Blocks that are marked whatever their colour; None: none is known.
        keep_held: They are subject even where they make up a stray mark.
        noise: Above this a block is marked.
        stray: Parts of less than this share of the largest are none.
        reach: Steps that are near the subject.
    """
    marked = distance > noise
    if held is not None:
        marked |= held
    parts = np.where(marked, np.uint8(128), np.uint8(0))
    facts = _core.clean_components(
        parts, False, 0.1, _LEAST_BLOCKS, False, of_largest=stray, faint=0.9
    )
    subject = parts > 0
    if held is not None and keep_held:
        subject |= held
    near = subject
    for _ in range(reach):
        near = _grown(near)
    closed = np.where(near, np.uint8(255), np.uint8(0))
    _core.clean_components(closed, True, 0.5, closed.size + 1, False)
    return Blocks(subject=subject, background=closed == 0, strays=int(facts["changed"]))


def _reduced(pixels: NDArray[Any], pick: Any) -> NDArray[Any]:
    """Least or greatest of each block and channel, rows x columns x channels."""
    height, width, channels = pixels.shape
    rows, columns = -(-height // BLOCK), -(-width // BLOCK)
    if (rows * BLOCK, columns * BLOCK) != (height, width):
        margins = ((0, rows * BLOCK - height), (0, columns * BLOCK - width), (0, 0))
        pixels = np.pad(pixels, margins, mode="edge")
    lines = pixels.reshape(rows, BLOCK, columns * BLOCK * channels)
    result: NDArray[Any] = pick.reduce(lines, axis=1)
    # Turned, so that the eight columns of all blocks are picked from in long runs.
    turned = np.ascontiguousarray(result.reshape(rows * columns, BLOCK * channels).T)
    best = pick.reduce(turned.reshape(BLOCK, channels, rows * columns), axis=0)
    grid: NDArray[Any] = best.T.reshape(rows, columns, channels)
    return grid


def _grown(grid: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """True also in the eight cells around."""
    padded = np.pad(grid, 1)
    wide = padded[:, :-2] | padded[:, 1:-1] | padded[:, 2:]
    grown: NDArray[np.bool_] = wide[:-2] | wide[1:-1] | wide[2:]
    return grown
