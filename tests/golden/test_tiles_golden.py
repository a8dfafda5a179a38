"""Checksums of tiles cut and put back: the same bytes on every ISA level.

A change of these numbers is a change of every enhanced picture: say so in CHANGELOG.md.
"""

import hashlib

import numpy as np
import pytest

from nssbg import _core


@pytest.mark.parametrize(
    ("dtype", "golden"), [(np.uint8, "17864045775dbe17"), (np.uint16, "3a7b6a38f72bfc08")]
)
def test_the_bytes_are_the_same_everywhere(dtype, golden, isa_level):
    y, x = np.mgrid[0:61, 0:83].astype(np.int64)
    image = (np.stack([x * 7 + y * 3, x * x // 9 + y, (x ^ y) * 5], -1) % 256).astype(dtype)
    image *= np.iinfo(dtype).max // 255
    full = np.float32(np.iinfo(dtype).max)
    scale = np.float32([1 / full] * 3)
    planes = np.empty((1, 3, 70, 90), np.float32)
    _core.cut_tiles(image, planes, np.array([[-5, -4]]), scale, np.float32([0.01, 0, -0.01]))
    out = np.full((70, 90, 3), np.iinfo(dtype).max // 3, dtype)
    _core.put_tile(planes[0], out, 12, 9, 7)
    digest = hashlib.sha256(planes.tobytes() + out.tobytes()).hexdigest()[:16]
    assert digest == golden
