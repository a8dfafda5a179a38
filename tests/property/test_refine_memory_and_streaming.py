"""Scratch is that of tiles, not of the picture; rows that come one by one give the same bytes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nssbg import _core
from nssbg._errors import OptionError
from nssbg._ops.refine import RefineStream, refine, refine_with_report


def scene(height: int, width: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (height, width, 3)).astype(np.uint8)
    y, x = np.mgrid[0:24, 0:32]
    coarse = np.clip((0.35 - np.hypot(y / 24 - 0.5, x / 32 - 0.5)) * 6 + 0.5, 0, 1)
    return image, np.rint(coarse * 255).astype(np.uint8)


@pytest.mark.parametrize("level", ["none", "guided", "matting", "auto"])
@given(
    height=st.integers(1, 700),
    width=st.integers(1, 90),
    pieces=st.lists(st.integers(1, 300), min_size=1, max_size=6),
    as_float=st.booleans(),
    deep=st.booleans(),
)
@settings(max_examples=12, deadline=None)
def test_a_stream_gives_the_bytes_of_the_whole(level, height, width, pieces, as_float, deep):
    image, coarse = scene(height, width, height * 100 + width)
    if deep:
        image = image.astype(np.uint16) * 257
    if as_float:
        coarse = coarse.astype(np.float32) / np.float32(255)
    whole = refine(image, coarse, level=level, min_component_area=0)
    stream = RefineStream(height, width, coarse, dtype=image.dtype.type, level=level)
    finished, y, turn = [], 0, 0
    while y < height:
        count = min(pieces[turn % len(pieces)], height - y)
        finished.append(stream.push(image[y : y + count]))
        y, turn = y + count, turn + 1
    np.testing.assert_array_equal(np.concatenate(finished), whole)


@pytest.mark.parametrize("level", ["guided", "matting"])
@pytest.mark.parametrize(("height", "width", "finer"), [(500, 400, 16), (900, 700, 20)])
def test_a_stream_gives_the_bytes_of_the_whole_on_several_grids(level, height, width, finer):
    """Maps fine enough for models on grids of 1, and of 2 and 1 pixels."""
    image, coarse = scene(height, width, 1)
    coarse = np.kron(coarse, np.ones((finer, finer), np.uint8))
    whole = refine(image, coarse, level=level, min_component_area=0)
    stream = RefineStream(height, width, coarse, level=level)
    finished = [stream.push(image[y : y + 97]) for y in range(0, height, 97)]
    np.testing.assert_array_equal(np.concatenate(finished), whole)


def test_a_stream_names_what_is_wrong():
    _, coarse = scene(8, 8, 0)
    stream = RefineStream(10, 8, coarse)
    with pytest.raises(OptionError, match="8 x 3"):
        stream.push(np.zeros((2, 9, 3), np.uint8))
    with pytest.raises(OptionError, match="uint8"):
        stream.push(np.zeros((2, 8, 3), np.uint16))
    with pytest.raises(OptionError, match="only 10 left"):
        stream.push(np.zeros((11, 8, 3), np.uint8))


@pytest.mark.parametrize("level", ["none", "guided", "matting"])
def test_scratch_does_not_grow_with_the_picture(level):
    """Pool bytes beyond input and output, at 4 and at 36 megapixels with a similar outline."""
    most = {}
    for side in (2000, 6000):
        image = np.broadcast_to(np.uint8(90), (side, side, 3))
        coarse = np.zeros((100, 100), np.uint8)
        coarse[40:43, 40:43] = 255  # a short outline, so that the test is short
        _core.pool_trim()
        before = _core.pool_statistics()
        _core.pool_set_idle_limit(1 << 40)  # everything taken stays countable
        alpha, _ = refine_with_report(image, coarse, level=level, threads=1, min_component_area=0)
        after = _core.pool_statistics()
        taken = after["idle_bytes"] + after["held_bytes"] - before["held_bytes"]
        most[side] = taken - alpha.nbytes
        del alpha
        _core.pool_set_idle_limit(before["idle_limit"])
        _core.pool_trim()
    assert most[6000] < 64 << 20
    # The matting strip is as wide as the picture: 320 rows of floats.
    strip = 320 * 4 * (6000 - 2000) if level == "matting" else 0
    assert most[6000] < most[2000] * 3 + strip + (4 << 20)
