"""What prepare accepts, refuses, and gives back."""

from __future__ import annotations

import numpy as np
import pytest

from nssbg import OptionError, _core
from nssbg._ops.prepare import Placement, prepare

PICTURE = np.arange(6 * 8 * 3, dtype=np.uint8).reshape(6, 8, 3)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"size": (0, 4)}, "size"),
        ({"size": 4}, "size"),
        ({"filter": "nearest"}, "filter"),
        ({"fit": "cover"}, "fit"),
        ({"crop": (0, 0, 9, 6)}, "crop"),
        ({"crop": (3, 0, 3, 6)}, "crop"),
        ({"dtype": "float64"}, "dtype"),
        ({"mean": (0.5,)}, "mean"),
        ({"std": (0.0, 1.0, 1.0)}, "std"),
        ({"std": (float("nan"), 1.0, 1.0)}, "std"),
        ({"dtype": "uint8", "mean": (0, 0, 0)}, "uint8"),
        ({"threads": -1}, "threads"),
        ({"fill": (0, 0, 256)}, "fill"),
        ({"out": np.zeros((1, 3, 4, 5), np.float32)}, "out"),
        ({"out": np.zeros((1, 3, 4, 4), np.float64)}, "out"),
        ({"out": np.zeros((1, 3, 4, 8), np.float32)[..., ::2]}, "out"),
    ],
)
def test_refuses_with_a_message_that_names_the_argument(options, said):
    with pytest.raises(OptionError, match=said):
        prepare(PICTURE, **{"size": (4, 4), **options})


@pytest.mark.parametrize(
    "image",
    [
        [[1, 2]],
        np.zeros((4, 4, 2), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((4, 4, 3), ">u2"),
        np.zeros(4, np.uint8),
    ],
)
def test_refuses_what_is_not_a_picture(image):
    with pytest.raises(OptionError, match="image"):
        prepare(image)


def test_identity_returns_the_samples():
    same = prepare(PICTURE, (6, 8), dtype="uint8")
    np.testing.assert_array_equal(same[0].transpose(1, 2, 0), PICTURE)


def test_a_ramp_halved_by_box_is_its_means():
    ramp = np.array([[0, 2, 10, 20], [4, 6, 30, 60]], np.uint8)
    assert prepare(ramp, (1, 2), filter="box", dtype="uint8")[0, 0].tolist() == [[3, 30]]


def test_out_is_filled_and_returned():
    for shape in ((1, 3, 5, 4), (3, 5, 4)):
        out = np.full(shape, np.nan, np.float32)
        assert prepare(PICTURE, (5, 4), out=out) is out
        np.testing.assert_array_equal(out.reshape(1, 3, 5, 4), prepare(PICTURE, (5, 4)))


def test_half_is_the_rounded_float():
    image = np.random.default_rng(5).integers(0, 256, (31, 47, 3), dtype=np.uint8)
    for name in ("lanczos", "torch-bilinear"):
        half = prepare(image, (16, 16), filter=name, dtype="float16")
        assert half.dtype == np.float16
        full = prepare(image, (16, 16), filter=name).astype(np.float16)
        np.testing.assert_array_equal(half, full)


def test_every_16_bit_value_is_rounded_to_the_nearest_8_bit_one():
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    ours = prepare(values, (256, 256), filter="box", dtype="uint8")[0, 0]
    np.testing.assert_array_equal(ours, np.floor(values / 257 + 0.5).astype(np.uint8))


def test_alpha_is_not_read_and_grey_is_three_channels():
    rgba = np.dstack([PICTURE, np.zeros((6, 8), np.uint8)])
    np.testing.assert_array_equal(prepare(rgba, (4, 4)), prepare(PICTURE, (4, 4)))
    grey = prepare(PICTURE[..., 0], (4, 4), dtype="uint8")
    np.testing.assert_array_equal(grey[0, 0], grey[0, 2])


def test_results_come_from_the_pool_and_go_back():
    _core.pool_trim()
    held = _core.pool_statistics()["held_bytes"]
    result = prepare(PICTURE, (64, 64))
    assert _core.pool_statistics()["held_bytes"] > held
    del result
    assert _core.pool_statistics()["held_bytes"] == held


def test_placement_in_a_smaller_answer():
    placement = Placement((50, 100), (0, 0, 100, 50), (1024, 1024), (0, 256, 1024, 768))
    assert placement.content_in(256, 256) == (0, 64, 256, 192)
    assert placement.take_content(np.zeros((1, 1, 256, 256))).shape == (1, 1, 128, 256)


def test_a_row_of_a_huge_reduction():
    wide = np.full((1, 70001, 3), 77, np.uint8)
    assert (prepare(wide, (3, 1), dtype="uint8") == 77).all()
