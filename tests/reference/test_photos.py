"""The bench's large photographs and the rendered examples with their masks: sizes, bytes, sense."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from bench import photos

TEST_DATA = photos.EXAMPLES.parent / "tests" / "data"
NAMES = ("mug", "porcelain", "headphones", "bottle", "bear", "portrait")


def test_twelve_megapixels_are_4000_by_3000():
    assert photos.size_from_megapixels(12) == (3000, 4000)


def test_photograph_is_the_same_each_time_and_grain_is_grain():
    plain = photos.photograph(0.5, grain=False)
    grainy = photos.photograph(0.5, seed=3)
    assert plain.shape == grainy.shape == (*photos.size_from_megapixels(0.5), 3)
    assert plain.dtype == grainy.dtype == np.uint8
    np.testing.assert_array_equal(grainy, photos.photograph(0.5, seed=3))
    difference = grainy.astype(float) - plain
    assert abs(difference.mean()) < 0.5
    assert 1 < difference.std() < 8


def test_mask_of_the_large_photograph_fits_it():
    mask = photos.photograph_mask(1)
    assert mask.shape == photos.size_from_megapixels(1)
    assert mask.min() == 0
    assert mask.max() == 255


@pytest.mark.parametrize("name", NAMES)
def test_small_copy_and_mask_belong_together(name):
    with (
        Image.open(TEST_DATA / f"{name}.jpg") as picture,
        Image.open(TEST_DATA / f"{name}-mask.png") as mask,
        Image.open(photos.EXAMPLES / f"{name}.jpg") as full,
    ):
        assert picture.size == mask.size
        assert picture.width * full.height == picture.height * full.width
        assert mask.mode == "L"
        levels = np.asarray(mask)
        colours = np.asarray(picture, np.float32)
    assert 0.1 < (levels > 127).mean() < 0.6
    assert ((levels > 0) & (levels < 255)).any()
    # The outline of the mask runs where the picture changes: the median step across it is higher
    # than the median step between backdrop pixels.
    edge = (levels[:, 1:] > 127) != (levels[:, :-1] > 127)
    step = np.abs(np.diff(colours, axis=1)).mean(2)
    backdrop = (levels[:, 1:] == 0) & (levels[:, :-1] == 0)
    assert np.median(step[edge]) > 2 * np.median(step[backdrop])


def test_examples_stay_small():
    total = sum(path.stat().st_size for path in photos.EXAMPLES.iterdir() if path.is_file())
    assert total < 6_000_000
