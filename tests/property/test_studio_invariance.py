"""What holds for the studio method on any picture: no crash, sane ranges, the same bytes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.studio_cases import make_case
from nssbg import _core
from nssbg._ops.studio import studio_alpha


@pytest.fixture(autouse=True)
def _default_level_afterwards():
    yield
    _core.set_isa("auto")


@st.composite
def pictures(draw):
    """Noise, blocks, ramps and mixtures of odd sizes, both dtypes."""
    height, width = draw(st.integers(1, 90)), draw(st.integers(1, 90))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    base = rng.integers(0, 256, 3) + np.zeros((height, width, 1), np.int64)
    if draw(st.booleans()):
        base = base + np.linspace(-60, 60, width, dtype=np.int64)[None, :, None]
    if draw(st.booleans()):
        top, left = rng.integers(0, height), rng.integers(0, width)
        base[top : top + height // 2, left : left + width // 2] = rng.integers(0, 256, 3)
    base = base + np.rint(rng.normal(0, draw(st.sampled_from([0, 2, 60])), base.shape))
    rgb = np.clip(base, 0, 255).astype(np.uint8)
    return rgb.astype(np.uint16) * 257 if draw(st.booleans()) else rgb


@settings(max_examples=150, deadline=None)
@given(rgb=pictures(), chroma=st.sampled_from(["auto", "off", "green", "blue"]))
def test_any_picture_gives_a_sane_result(rgb, chroma):
    result = studio_alpha(rgb, chroma=chroma, shadow=True)
    assert result.alpha.shape == rgb.shape[:2]
    assert result.alpha.dtype == np.uint8
    assert 0 <= result.confidence <= 1
    if not result.alpha.any():
        assert result.confidence < 0.3
    if result.shadow is not None:
        assert result.shadow.shape == rgb.shape[:2]


@settings(max_examples=40, deadline=None)
@given(rgb=pictures(), threads=st.integers(2, 6))
def test_threads_and_levels_change_nothing(rgb, threads):
    _core.set_isa("v1")
    first = studio_alpha(rgb, shadow=True)
    for level in _core.isa_levels():
        _core.set_isa(level)
        other = studio_alpha(rgb, threads=threads, shadow=True)
        assert np.array_equal(first.alpha, other.alpha)
        assert first.confidence == other.confidence
        if first.shadow is not None:
            assert np.array_equal(first.shadow, other.shadow)


@settings(max_examples=40, deadline=None)
@given(rgb=pictures(), flip_tta=st.booleans())
def test_strides_change_nothing(rgb, flip_tta):
    expected = studio_alpha(rgb).alpha
    planar = np.ascontiguousarray(rgb.transpose(2, 0, 1)).transpose(1, 2, 0)
    assert np.array_equal(studio_alpha(planar).alpha, expected)
    padded = np.zeros((rgb.shape[0] + 3, rgb.shape[1] + 5, 3), rgb.dtype)
    padded[2:-1, 1:-4] = rgb
    assert np.array_equal(studio_alpha(padded[2:-1, 1:-4]).alpha, expected)
    if flip_tta:
        back = np.ascontiguousarray(rgb[::-1, ::-1])[::-1, ::-1]
        assert np.array_equal(studio_alpha(back).alpha, expected)


@pytest.mark.parametrize(("height", "width"), [(1237, 811), (1025, 1024), (2049, 333)])
def test_reduced_pictures_are_the_same_at_every_level(height, width):
    rgb = make_case("mug", "graded", height=height, width=width, scale=0.6).image
    wide = rgb.astype(np.uint16) * 257
    _core.set_isa("v1")
    first, first_wide = studio_alpha(rgb).alpha, studio_alpha(wide).alpha
    assert np.abs(first.astype(int) - first_wide).max() <= 1
    for level in _core.isa_levels():
        _core.set_isa(level)
        for threads in (1, 2, 3):
            assert np.array_equal(studio_alpha(rgb, threads=threads).alpha, first)
            assert np.array_equal(studio_alpha(wide, threads=threads).alpha, first_wide)
