"""Properties of the prepare stage that hold for any picture, size, stride, thread and ISA level."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from reference import prepare_twin as twin

from nssbg import _core
from nssbg._ops.prepare import IMAGENET_MEAN, IMAGENET_STD, prepare

PILLOW = {
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
filters = st.sampled_from(list(PILLOW))
sides = st.integers(1, 90)
sizes = st.tuples(st.integers(1, 80), st.integers(1, 80))
levels = st.sampled_from(_core.isa_levels())
SLICES = (slice(None), slice(None, None, -1), slice(None, None, 2), slice(1, None, 3))


@pytest.fixture(autouse=True)
def _default_level_afterwards() -> Iterator[None]:
    yield
    _core.set_isa("auto")


def noise(seed: int, shape: tuple[int, ...], binary: bool, dtype: type = np.uint8) -> np.ndarray:
    high = np.iinfo(dtype).max
    values = np.random.default_rng(seed).integers(0, high, shape, dtype=dtype, endpoint=True)
    return ((values > high // 2) * high).astype(dtype) if binary else values


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), sides, sides, sizes, filters, st.booleans(), levels)
def test_within_one_level_of_pillow_but_for_a_value_in_a_million(
    seed, height, width, size, filter_name, binary, level
):
    _core.set_isa(level)
    image = noise(seed, (height, width, 3), binary)
    # Pillow 13 picks which axis comes first by the sizes, earlier ones begin along x: two calls
    # pin the order. Where it is free, clipping of overshoot falls differently (decision 0101).
    pillow = Image.fromarray(image)
    pillow = pillow.resize((size[1], height), PILLOW[filter_name])
    pillow = pillow.resize((size[1], size[0]), PILLOW[filter_name])
    ours = prepare(image, size, filter=filter_name, dtype="uint8")[0].transpose(1, 2, 0)
    difference = np.abs(ours.astype(int) - np.asarray(pillow))
    # Both round to 8 bits between the axes; where they round apart and a negative lobe carries
    # it on, the end can be 2 apart: in pure noise one value in two million.
    assert difference.max() <= 2
    assert (difference > 1).sum() <= max(1, difference.size // 1000)


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, 2**32),
    sides,
    sides,
    sizes,
    filters,
    st.sampled_from([1, 3, 4]),
    st.sampled_from([np.uint8, np.uint16]),
    st.sampled_from(SLICES),
    st.sampled_from(SLICES),
    st.booleans(),
    st.integers(1, 5),
    levels,
)
def test_equals_the_twin_for_any_strides_threads_and_level(
    seed, height, width, size, filter_name, channels, dtype, rows, columns, turned, threads, level
):
    _core.set_isa(level)
    image = noise(seed, (3 * height, 3 * width, channels), False, dtype)[rows, columns]
    if turned and channels == 3:
        image = image.transpose(1, 0, 2)[:, :, ::-1]
    ours = prepare(image, size, filter=filter_name, threads=threads)
    expected = twin.prepare(image, size, filter_name, IMAGENET_MEAN, IMAGENET_STD)
    np.testing.assert_array_equal(ours, expected)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 255), sides, sides, sizes, st.sampled_from([*PILLOW, "torch-bilinear"]))
def test_a_constant_picture_stays_constant(value, height, width, size, filter_name):
    image = np.full((height, width, 3), value, np.uint8)
    assert (prepare(image, size, filter=filter_name, dtype="uint8") == value).all()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(2, 60), st.integers(2, 60), sizes, filters, st.data())
def test_a_crop_sees_nothing_outside_it(seed, height, width, size, filter_name, data):
    left = data.draw(st.integers(0, width - 1))
    top = data.draw(st.integers(0, height - 1))
    right = data.draw(st.integers(left + 1, width))
    bottom = data.draw(st.integers(top + 1, height))
    image = noise(seed, (height, width, 3), False)
    cropped = prepare(image, size, filter=filter_name, crop=(left, top, right, bottom))
    alone = prepare(image[top:bottom, left:right].copy(), size, filter=filter_name)
    np.testing.assert_array_equal(cropped, alone)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), sides, sides, sizes, st.integers(1, 4), levels)
def test_torch_bilinear_equals_the_formula(seed, height, width, size, threads, level):
    _core.set_isa(level)
    image = noise(seed, (height, width, 3), False)

    def axis(source: int, outputs: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        at = np.maximum((np.arange(outputs) + 0.5) * (source / outputs) - 0.5, 0)
        first = np.minimum(at.astype(int), source - 1)
        return first, np.minimum(first + 1, source - 1), at - first

    y0, y1, wy = axis(height, size[0])
    x0, x1, wx = axis(width, size[1])
    real = image.astype(float)
    along_x = real[:, x0] * (1 - wx)[:, None] + real[:, x1] * wx[:, None]
    expected = along_x[y0] * (1 - wy)[:, None, None] + along_x[y1] * wy[:, None, None]
    ours = prepare(
        image, size, filter="torch-bilinear", mean=(0, 0, 0), std=(1, 1, 1), threads=threads
    )
    np.testing.assert_allclose(ours[0].transpose(1, 2, 0) * 255, expected, atol=5e-3)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), sides, sides, sizes)
def test_letterbox_keeps_proportions_and_maps_back(seed, height, width, size):
    image = noise(seed, (height, width, 3), False)
    boxed, placement = prepare(image, size, fit="letterbox", fill=(9, 8, 7), dtype="uint8")
    left, top, right, bottom = placement.content
    inside = placement.take_content(boxed)
    np.testing.assert_array_equal(inside, prepare(image, inside.shape[2:], dtype="uint8"))
    bars = np.ones(size, bool)
    bars[top:bottom, left:right] = False
    assert (boxed[0][:, bars] == np.array([[9], [8], [7]])).all()
    scale = min(size[0] / height, size[1] / width)
    assert abs(bottom - top - height * scale) <= 1
    assert abs(right - left - width * scale) <= 1
    assert min(top, left) >= 0
    assert abs(top - (size[0] - bottom)) <= 1


@pytest.mark.parametrize("filter_name", ["torch-bilinear", "bilinear", "lanczos"])
def test_sixteen_bits_are_read_on_the_scale_of_eight(filter_name, isa_level):
    """A value v of 8 bits is 257 v in 16, and gives the same tensor."""
    image = noise(11, (37, 53, 3), False)
    wide = image.astype(np.uint16) * 257
    eight = prepare(image, (24, 32), filter=filter_name)
    np.testing.assert_array_equal(prepare(wide, (24, 32), filter=filter_name), eight)
