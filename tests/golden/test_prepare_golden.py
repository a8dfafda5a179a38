"""One checksum serves every ISA level and thread count of the prepare stage.

A change of these is a change of every user's results: it needs a line in the changelog.
"""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from nssbg import _core
from nssbg._ops.prepare import prepare


def image(height: int, width: int) -> np.ndarray:
    """Smooth waves, hard edges and noise, from integers alone."""
    y, x = np.mgrid[0:height, 0:width].astype(np.uint32)
    hashed = (x * 2654435761 + y * 40503) >> 7
    return np.stack(
        [(x * x // 7 + y * 3) % 256, ((x // 9 + y // 5) % 2) * 255, hashed % 256], axis=2
    ).astype(np.uint8)


GOLDEN = {
    "box": "abade46a37b86742",
    "bilinear": "fafa6b4f482f8884",
    "bicubic": "fb009f7099bc5b4f",
    "lanczos": "8ebeb0f4a4c22587",
    "torch-bilinear": "97f1c3d7a18da5c6",
}


@pytest.mark.parametrize("filter_name", GOLDEN)
@pytest.mark.parametrize("level", _core.isa_levels())
@pytest.mark.parametrize("threads", [1, 3])
def test_checksum(filter_name, level, threads):
    _core.set_isa(level)
    try:
        digest = hashlib.sha256()
        for height, width in ((811, 1237), (37, 53)):
            digest.update(
                prepare(image(height, width), (224, 192), filter=filter_name, threads=threads)
            )
    finally:
        _core.set_isa("auto")
    assert digest.hexdigest()[:16] == GOLDEN[filter_name]
