"""Resampling by the core: Pillow's windows over any part of a picture, on premultiplied values."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image

from nssbg import _core
from nssbg._ops.resample import scaled


def core_planes(source, size, part, filter="lanczos", threads=1):
    height, width = size
    target = np.zeros((3, height, width), np.uint8)
    _core.prepare_u8_from_u8(
        source,
        target,
        filter,
        (0, 0, width, height),
        (0, 0, 0),
        (0, 0, 0),
        (1, 1, 1),
        threads,
        part,
    )
    return np.moveaxis(target, 0, -1)


@given(
    st.integers(8, 150),
    st.integers(8, 150),
    st.floats(0.05, 4.0),
    st.tuples(*[st.floats(0, 1)] * 4),
    st.sampled_from(["box", "bilinear", "bicubic", "lanczos"]),
    st.integers(0, 2**32 - 1),
)
def test_a_part_with_fractions_is_resized_as_pillow_does(height, width, scale, sides, name, seed):
    # Pillow keeps its box in single precision.
    x0, x1 = sorted(float(np.float32(share * width)) for share in sides[:2])
    y0, y1 = sorted(float(np.float32(share * height)) for share in sides[2:])
    assume(x1 - x0 > 1 and y1 - y0 > 1)
    size = max(1, round((y1 - y0) * scale)), max(1, round((x1 - x0) * scale))
    source = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    filter = Image.Resampling[name.upper()]
    wanted = np.asarray(Image.fromarray(source).resize(size[::-1], filter, box=(x0, y0, x1, y1)))
    made = core_planes(source, size, (x0, y0, x1, y1), name)
    # Pillow takes the direction first that saves it work, and rounds in between: either order.
    turned = core_planes(np.swapaxes(source, 0, 1), size[::-1], (y0, x0, y1, x1), name)
    far = [np.abs(one.astype(int) - wanted).max() for one in (made, np.swapaxes(turned, 0, 1))]
    assert min(far) <= 1


def test_a_part_does_not_depend_on_threads_or_isa_level(isa_level):
    source = np.random.default_rng(1).integers(0, 256, (301, 199, 3), np.uint8)
    made = [core_planes(source, (150, 77), (3.3, 7.7, 190.2, 300.9), threads=n) for n in (1, 3)]
    np.testing.assert_array_equal(*made)
    before = _core.isa()
    _core.set_isa(_core.isa_levels()[0])
    lowest = core_planes(source, (150, 77), (3.3, 7.7, 190.2, 300.9))
    _core.set_isa(before)
    np.testing.assert_array_equal(made[0], lowest)


@pytest.mark.parametrize(
    "part", [(0, 0, 11, 10), (-0.1, 0, 5, 5), (5, 0, 5, 5), (0, 0, 5, float("nan"))]
)
def test_a_part_outside_the_picture_is_refused(part):
    with pytest.raises(ValueError, match="part must lie inside"):
        core_planes(np.zeros((10, 10, 3), np.uint8), (4, 4), part)
    with pytest.raises(ValueError, match="torch-bilinear"):
        core_planes(np.zeros((10, 10, 3), np.uint8), (4, 4), (1, 1, 5, 5), "torch-bilinear")


@pytest.mark.parametrize("scale", [0.3, 0.77, 1.9])
def test_a_cutout_is_within_a_level_of_pillow_and_of_its_own_sixteen_bits(scale):
    y, x = np.mgrid[0:120, 0:150]
    rgba = np.zeros((120, 150, 4), np.uint8)
    rgba[..., 0], rgba[..., 1], rgba[..., 2] = x, 2 * y, 250 - x
    rgba[..., 3] = np.clip(300 - np.hypot(y - 60, x - 75) * 6, 0, 255)
    rgba[rgba[..., 3] == 0] = 0
    height, width = round(120 * scale), round(150 * scale)
    made = scaled(rgba, height, width).astype(int)
    pillow = Image.fromarray(rgba).convert("RGBa").resize((width, height), Image.Resampling.LANCZOS)
    assert np.abs(made[..., 3] - np.asarray(pillow.convert("RGBA"))[..., 3]).max() <= 1
    deep = scaled(rgba.astype(np.uint16) * 257, height, width).astype(int)
    assert np.abs(made[..., 3] * 257 - deep[..., 3]).max() <= 2 * 257
    sure = made[..., 3] > 128
    assert np.abs(made[sure][:, :3] * 257 - deep[sure][:, :3]).max() <= 4 * 257


def test_windows_are_parts_of_one_picture():
    rgba = np.random.default_rng(2).integers(0, 256, (90, 80, 4), np.uint8)
    whole = _core.resample_window(rgba, 0.6, 3.2, 4.7, (0, 0, 60, 60))
    part = _core.resample_window(rgba, 0.6, 3.2, 4.7, (20, 10, 40, 50))
    np.testing.assert_array_equal(part[..., 3], whole[20:40, 10:50, 3])
    alone = _core.resample_window(rgba[..., 3], 0.6, 3.2, 4.7, (20, 10, 40, 50))
    np.testing.assert_array_equal(alone, part[..., 3])
