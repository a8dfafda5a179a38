"""What `refine` refuses, and in which words; what its report says."""

from __future__ import annotations

import numpy as np
import pytest

import nssbg
from nssbg._ops.refine import refine, refine_with_report

IMAGE = np.zeros((20, 30, 3), np.uint8)
MAP = np.zeros((4, 5), np.uint8)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"level": "best"}, "level 'best' is unknown"),
        ({"image": IMAGE[..., 0]}, "H x W x 3"),
        ({"image": np.zeros((4, 4, 4), np.uint8)}, "H x W x 3"),
        ({"image": IMAGE.astype(np.float32)}, "uint8 or uint16"),
        ({"image": IMAGE[:0]}, "at least one pixel"),
        ({"coarse_alpha": MAP[None]}, "h x w"),
        ({"coarse_alpha": MAP.astype(np.float64)}, "uint8 .* or float32"),
        ({"coarse_alpha": np.full((3, 3), np.nan, np.float32)}, "0..1"),
        ({"coarse_alpha": np.full((3, 3), 255, np.float32)}, "sigmoid"),
        ({"trimap": np.zeros((20, 29), np.uint8)}, "as large as the image"),
        ({"threads": -1}, "threads"),
        ({"tile": 0}, "tile"),
        ({"min_component_area": -1}, "min_component_area"),
    ],
)
def test_wrong_arguments_are_named(change, words):
    arguments = {"image": IMAGE, "coarse_alpha": MAP, **change}
    image, coarse = arguments.pop("image"), arguments.pop("coarse_alpha")
    with pytest.raises(nssbg.OptionError, match=words):
        refine(image, coarse, **arguments)


def test_inputs_are_not_changed_and_lists_of_facts_are_right():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (300, 400, 3)).astype(np.uint8)
    coarse = np.zeros((30, 40), np.uint8)
    coarse[10:20, 10:30] = 255
    copies = image.copy(), coarse.copy()
    alpha, report = refine_with_report(image, coarse, level="matting", tile=100)
    np.testing.assert_array_equal(image, copies[0])
    np.testing.assert_array_equal(coarse, copies[1])
    assert alpha.shape == (300, 400)
    assert report.tiles == 12
    assert 0 < report.tiles_computed <= 12
    assert 0 < report.band_share < 0.5
    assert 0 < report.matting_share <= report.band_share
    assert report.seconds > 0
    assert report.residual <= 3e-3
    assert report.notes == ()


def test_flat_regions_keep_the_guided_result():
    # No colour to go by: matting may not invent an edge where guided has none.
    image = np.full((200, 200, 3), 77, np.uint8)
    coarse = np.zeros((20, 20), np.uint8)
    coarse[5:15, 5:15] = 255
    guided = refine(image, coarse, level="guided").astype(int)
    solved = refine(image, coarse, level="matting").astype(int)
    assert np.abs(guided - solved).mean() < 3


def test_the_public_name_is_this_function():
    assert nssbg.refine is refine
