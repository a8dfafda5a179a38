"""Arrays that callers drop, share among threads or ask for in absurd sizes do no harm."""

from __future__ import annotations

import gc
import threading

import numpy as np
import pytest

from nssbg import _core
from nssbg._ops.refine import RefineStream, refine

HEIGHT, WIDTH = 600, 90
RNG = np.random.default_rng(3)
IMAGE = RNG.integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)
COARSE = np.zeros((40, 12), np.float32)
COARSE[8:30, 3:9] = 1


@pytest.mark.parametrize("level", ["none", "guided", "matting", "auto"])
def test_a_stream_outlives_its_map_and_its_rows(level):
    whole = refine(IMAGE, COARSE, level=level, threads=1)
    coarse = COARSE.copy()
    stream = RefineStream(HEIGHT, WIDTH, coarse, level=level, threads=2)
    coarse[:] = np.nan  # whoever still reads it will show
    del coarse
    gc.collect()
    pieces = []
    for y in range(0, HEIGHT, 40):
        rows = IMAGE[y : y + 40].copy()
        pieces.append(stream.push(rows))
        rows[:] = 0
        del rows
    np.testing.assert_array_equal(np.concatenate(pieces), whole)


def test_the_rows_that_a_stream_gave_outlive_it():
    stream = RefineStream(HEIGHT, WIDTH, COARSE, threads=1)
    alpha = stream.push(IMAGE)
    del stream
    gc.collect()
    _core.pool_trim()
    np.testing.assert_array_equal(alpha, refine(IMAGE, COARSE, threads=1))


def test_threads_that_push_at_once_take_turns():
    # All rows are alike, so that their order does not matter.
    rows = np.full((1, WIDTH, 3), 120, np.uint8)
    expected = refine(np.repeat(rows, HEIGHT, 0), COARSE, threads=1)
    for _ in range(10):
        stream = _core.RefineStreamU8F32(HEIGHT, WIDTH, COARSE, "guided", 1)
        pieces: list[np.ndarray] = []

        def push(stream=stream, pieces=pieces):
            for _ in range(HEIGHT // 4):
                pieces.append(stream.push(rows))

        threads = [threading.Thread(target=push) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(len(piece) for piece in pieces) == HEIGHT
        # Strips are of different heights only at the end: put them in order by content.
        found = np.concatenate([piece for piece in pieces if len(piece)])
        assert sorted(map(bytes, found)) == sorted(map(bytes, expected))


def test_a_size_that_wraps_around_is_refused():
    with pytest.raises(MemoryError):
        _core.empty_u8(1 << 31, 1 << 31, 4)  # 2**64 bytes: none, if they are counted carelessly


@pytest.mark.parametrize("threads", [0, -1])
def test_numbers_of_threads_that_cannot_be_are_refused(threads):
    rgba = np.zeros((4, 4, 4), np.uint8)
    with pytest.raises(ValueError, match="threads"):
        _core.png_encode(rgba, "fast", b"", threads)
    with pytest.raises(ValueError, match="threads"):
        _core.subject_box(rgba, 0, threads)
