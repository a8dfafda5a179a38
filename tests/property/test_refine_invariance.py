"""The refined alpha never depends on tiles, threads or the ISA level."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nssbg import _core
from nssbg._ops.refine import refine

LEVELS = ("none", "guided", "matting", "auto")


def scene(
    height: int, width: int, map_height: int, map_width: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """A textured disc on a textured ground and the blurred map a model would give."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    distance = np.hypot((y + 0.5) / height - 0.5, (x + 0.5) / width - 0.45)
    inside = (distance < 0.3 + 0.04 * np.sin(x / 3.0))[..., None]
    colours = rng.integers(0, 256, (2, 3))
    grain = rng.integers(-20, 21, (height, width, 3))
    image = np.clip(np.where(inside, colours[0], colours[1]) + grain, 0, 255).astype(np.uint8)
    y, x = np.mgrid[0:map_height, 0:map_width]
    distance = np.hypot((y + 0.5) / map_height - 0.5, (x + 0.5) / map_width - 0.45)
    coarse = np.clip((0.3 - distance) * 12 + 0.5, 0, 1)
    return image, np.rint(coarse * 255).astype(np.uint8)


@pytest.fixture(autouse=True)
def _restore_isa() -> Iterator[None]:
    yield
    _core.set_isa("auto")


@pytest.mark.parametrize("level", LEVELS)
@given(
    height=st.integers(1, 150),
    width=st.integers(1, 150),
    map_height=st.integers(1, 40),
    map_width=st.integers(1, 40),
    tile=st.integers(7, 90),
    threads=st.integers(1, 4),
    isa=st.sampled_from(_core.isa_levels()),
    as_float=st.booleans(),
    seed=st.integers(0, 2**16),
)
@settings(max_examples=40, deadline=None)
def test_tiles_threads_and_isa_do_not_matter(
    level, height, width, map_height, map_width, tile, threads, isa, as_float, seed
):
    image, coarse = scene(height, width, map_height, map_width, seed)
    if as_float:
        coarse = coarse.astype(np.float32) / np.float32(255)
    _core.set_isa("v1")
    whole = refine(image, coarse, level=level, threads=1, tile=4096)
    _core.set_isa(isa)
    tiled = refine(image, coarse, level=level, threads=threads, tile=tile)
    assert whole.shape == (height, width)
    assert whole.dtype == coarse.dtype
    np.testing.assert_array_equal(tiled, whole)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("value", [0, 255])
def test_a_sure_map_stays_sure(level, value):
    image, _ = scene(120, 90, 4, 4, 5)
    alpha = refine(image, np.full((11, 7), value, np.uint8), level=level)
    assert (alpha == value).all()


@pytest.mark.parametrize("level", LEVELS)
def test_strides_and_sixteen_bits_do_not_matter(level):
    image, coarse = scene(97, 123, 20, 30, 9)
    expected = refine(image, coarse, level=level)
    wide = np.zeros((97, 2 * 123, 4), np.uint8)
    wide[:, ::2, :3] = image
    np.testing.assert_array_equal(refine(wide[:, ::2, :3], coarse, level=level), expected)
    flipped = np.ascontiguousarray(image[::-1])[::-1]
    np.testing.assert_array_equal(refine(flipped, coarse, level=level), expected)
    deep = image.astype(np.uint16) * 257
    np.testing.assert_array_equal(refine(deep, coarse, level=level), expected)
    strided = np.repeat(coarse, 2, axis=1)[:, ::2]
    np.testing.assert_array_equal(refine(image, strided, level=level), expected)


@pytest.mark.parametrize("level", ["guided", "auto"])
@pytest.mark.parametrize(
    ("side", "map_side", "tile"),
    [(300, 300, 77), (700, 300, 123), (1400, 700, 301), (2800, 64, 777)],
)
def test_tiles_do_not_matter_where_models_live_on_several_grids(level, side, map_side, tile):
    """Grids of 1; 2 and 1; 4 and 2; and 32 down to 2 pixels."""
    image, coarse = scene(side, side + 37, map_side, map_side, side)
    whole = refine(image, coarse, level=level, threads=1, tile=4096)
    _core.set_isa("v1" if side < 2000 else "auto")
    np.testing.assert_array_equal(refine(image, coarse, level=level, threads=3, tile=tile), whole)
