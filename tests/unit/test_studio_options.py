"""The studio method's options, messages and description of what it saw."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.studio_cases import make_case
from nssbg._errors import OptionError
from nssbg._ops.studio import studio_alpha, studio_alpha_of_backdrops

DATA = Path(__file__).parent.parent / "data"
PICTURE = np.full((40, 50, 3), 200, np.uint8)


@pytest.mark.parametrize(
    ("rgb", "options", "message"),
    [
        (PICTURE[..., 0], {}, "H x W x 3"),
        (PICTURE[..., :2], {}, "H x W x 3"),
        (PICTURE.astype(np.float32), {}, "uint8 or uint16"),
        (PICTURE[:0], {}, "no pixels"),
        (PICTURE, {"chroma": "red"}, "chroma"),
        (PICTURE, {"threads": -1}, "threads"),
    ],
)
def test_wrong_arguments_are_named(rgb, options, message):
    with pytest.raises(OptionError, match=message):
        studio_alpha(rgb, **options)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (5, 2), (64, 48)])
def test_a_constant_picture_has_no_subject_and_says_so(shape):
    result = studio_alpha(np.full((*shape, 3), 180, np.uint8))
    assert result.alpha.shape == shape
    assert not result.alpha.any()
    assert result.confidence < 0.1
    assert "no subject" in result.notes[0]


def test_an_empty_graded_backdrop_has_no_subject():
    ramp = np.linspace(120, 240, 300)[None, :, None] + np.zeros((200, 1, 3))
    result = studio_alpha(np.rint(ramp).astype(np.uint8))
    assert not result.alpha.any()
    assert result.confidence < 0.1


def test_the_backdrop_is_described():
    case = make_case("bottle", "graded", noise=3, backdrop_color=(220, 200, 180))
    backdrop = studio_alpha(case.image).backdrop
    assert backdrop.kind == "graded"
    assert np.allclose(backdrop.color, (220, 200, 180), atol=20)
    assert backdrop.range > 20
    assert backdrop.noise == pytest.approx(3, rel=0.25)
    assert backdrop.border_share > 0.95


def test_a_subject_cut_by_one_side_leaves_the_other_sides_explained():
    backdrop = studio_alpha(make_case("bust", "plain", scale=1.2).image).backdrop
    top, bottom, left, right = backdrop.side_share
    assert min(top, left, right) > 0.7 > bottom


def test_the_shadow_is_a_layer_of_its_own():
    case = make_case("bottle", "plain", color="navy", shadow=0.4, noise=1)
    result = studio_alpha(case.image, shadow=True)
    assert result.shadow is not None
    below = result.shadow[500:520, 420:460]  # right under the bottle, on the backdrop
    assert result.alpha[505, 440] == 0
    assert 40 < below.max() < 130  # 0.4 * 255 = 102 at the darkest
    assert result.shadow[:200].max() < 12
    without = make_case("bottle", "plain", color="navy", shadow=0, noise=1)
    assert studio_alpha(without.image, shadow=True).shadow is None
    assert studio_alpha(case.image).shadow is None


def test_auto_keys_a_screen_and_off_does_not():
    case = make_case("sphere", "plain", color="red", backdrop_color=(40, 190, 60), shadow=0)
    assert studio_alpha(case.image).backdrop.kind == "green screen"
    assert "keyed as a green screen" in studio_alpha(case.image).notes
    assert studio_alpha(case.image, chroma="off").backdrop.kind == "plain"


def test_a_border_that_is_no_backdrop_ends_it_early_and_changes_nothing_else():
    photograph = np.asarray(Image.open(DATA / "portrait.jpg").convert("RGB"))
    clutter = np.random.default_rng(3).integers(0, 256, (30, 40, 3), np.uint8)
    clutter = np.repeat(np.repeat(clutter, 12, 0), 12, 1)
    green = (40, 190, 60)
    screen = make_case("sphere", "plain", color="red", backdrop_color=green, shadow=0).image
    for rgb in (photograph, clutter, screen):
        whole = studio_alpha(rgb)
        for least in (0.0, whole.backdrop.border_share, whole.backdrop.border_share + 0.01):
            result = studio_alpha_of_backdrops(rgb, least_border=least)
            if least > whole.backdrop.border_share and rgb is not screen:
                assert result is None
            else:
                np.testing.assert_array_equal(result.alpha, whole.alpha)
                assert result.confidence == whole.confidence
