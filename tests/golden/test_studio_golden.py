"""One checksum serves every ISA level and thread count of the studio method.

A change of these is a change of every user's results: it needs a line in the changelog.
"""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

import nssbg
from nssbg import _core

GOLDEN = {(303, 401): "a992975d69270d68", (1003, 1517): "6447bce414b51b31"}


def image(height: int, width: int) -> np.ndarray:
    """A striped red disc on a graded, grained backdrop, from integers alone."""
    y, x = np.mgrid[0:height, 0:width].astype(np.int64)
    grain = ((x * 2654435761 + y * 40503) >> 7) % 3
    backdrop = np.stack([220 + y * 20 // height + grain] * 3, axis=2)
    disc = (y - height // 2) ** 2 + (x - width // 2) ** 2 < (min(height, width) // 3) ** 2
    stripes = np.stack([170 + (x // 9 % 2) * 30, 40 + grain * 5, 50 + (y // 11 % 2) * 20], axis=2)
    return np.where(disc[..., None], stripes, backdrop).astype(np.uint8)


@pytest.mark.parametrize("size", GOLDEN)
@pytest.mark.parametrize("level", _core.isa_levels())
@pytest.mark.parametrize("threads", [1, 3])
def test_checksum(size, level, threads):
    _core.set_isa(level)
    try:
        with nssbg.Remover(model="studio", threads=threads) as remover:
            cutout = remover.cutout(image(*size))
    finally:
        _core.set_isa("auto")
    digest = hashlib.sha256(np.ascontiguousarray(cutout.alpha)).hexdigest()[:16]
    assert (cutout.confidence > 0.5, digest) == (True, GOLDEN[size])
