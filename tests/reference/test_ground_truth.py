"""The generator of known pictures: the same bytes each time, its equation, true areas."""

from __future__ import annotations

import hashlib
import math

import numpy as np
import pytest

from bench import ground_truth as ground
from bench.ground_truth import pictures, sketch, strands

SMALL = (96, 128)


@pytest.mark.parametrize("name", ground.case_names())
def test_image_is_foreground_over_background(name):
    case = ground.make_case(name, "clutter", *SMALL, seed=3)
    assert case.image.shape == (*SMALL, 3)
    assert case.image.dtype == np.uint8
    assert case.alpha.shape == SMALL
    assert case.alpha.dtype == case.foreground.dtype == case.background.dtype == np.float32
    for values in (case.alpha, case.foreground, case.background):
        assert np.isfinite(values).all()
        assert values.min() >= 0
        assert values.max() <= 1
    share = case.alpha[..., None].astype(np.float64)
    mixed = case.foreground * share + case.background * (1 - share)
    assert np.abs(mixed * 255 - case.image).max() <= 0.5 + 1e-3
    assert (case.alpha == 0).mean() > 0.1
    assert case.alpha.max() > 0.7


@pytest.mark.parametrize("name", ground.case_names())
def test_same_arguments_give_the_same_bytes_and_another_seed_does_not(name):
    def digest(seed):
        case = ground.make_case(name, "noise", *SMALL, seed=seed)
        parts = (case.image, case.alpha, case.foreground, case.background)
        return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()

    assert digest(5) == digest(5)
    assert digest(5) != digest(6)


@pytest.mark.parametrize("backdrop", ground.backdrop_names())
def test_every_backdrop_carries_the_same_subject(backdrop):
    case = ground.make_case("cables", backdrop, *SMALL, seed=1)
    reference = ground.make_case("cables", "white", *SMALL, seed=1)
    np.testing.assert_array_equal(case.alpha, reference.alpha)
    np.testing.assert_array_equal(case.foreground, reference.foreground)


def test_drawing_does_not_depend_on_the_bands():
    tall = strands.hair(160, 100, 4)
    original = sketch.BAND_ROWS
    try:
        sketch.BAND_ROWS = 37
        np.testing.assert_array_equal(strands.hair(160, 100, 4).alpha, tall.alpha)
    finally:
        sketch.BAND_ROWS = original


def test_sampled_disc_has_its_area():
    x0, y0, radius = 31.37, 28.81, 19.6

    def disc(x, y):
        return np.hypot(x - x0, y - y0) - radius

    alpha = sketch.coverage_from_distance(disc, 64, 64)
    assert alpha.sum() == pytest.approx(math.pi * radius**2, rel=2e-4)


@pytest.mark.parametrize("offset", [0.1, 0.25, 1 / 3, 0.5, 0.77])
def test_sampled_upright_edge_is_exact_to_a_256th(offset):
    alpha = sketch.coverage_from_distance(lambda x, y: x - (10 + offset), 8, 24)
    np.testing.assert_allclose(alpha[:, 10], offset, atol=1 / 256)
    assert (alpha[:, :10] == 1).all()
    assert (alpha[:, 11:] == 0).all()


def test_sampled_slanted_edge_equals_the_analytic_area():
    # x + y < c cuts triangles off pixels: with c on the pixel grid's diagonal exactly one half.
    alpha = sketch.coverage_from_distance(lambda x, y: (x + y - 16) / math.sqrt(2), 16, 16)
    rows, columns = np.indices((16, 16))
    np.testing.assert_allclose(alpha[rows + columns == 15], 0.5, atol=1 / 128)
    assert (alpha[rows + columns < 15] == 1).all()
    assert (alpha[rows + columns > 15] == 0).all()


def test_drawn_line_has_the_area_of_its_outline():
    lines = sketch.Sketch(60, 200, 0)
    line = np.array([[10.0, 20.0], [190.0, 41.0]], np.float32)
    lines.stroke(line, 6.0, [1.0, 0.5, 0.25])
    layer = lines.render()
    length = math.hypot(180, 21)
    # Polygons include their border samples: half a sample a side, a twelfth of this width.
    assert layer.alpha.sum() == pytest.approx(length * 6.0, rel=0.04)
    np.testing.assert_allclose(layer.colour[layer.alpha > 0] - [1, 0.5, 0.25], 0, atol=0.003)


def test_foreground_goes_on_where_alpha_ends():
    colour = np.zeros((40, 40, 3), np.float32)
    alpha = np.zeros((40, 40), np.float32)
    alpha[10:30, 10:30] = 1
    colour[10:30, 10:30] = 0.75
    np.testing.assert_allclose(pictures.filled(colour, alpha), 0.75, atol=1e-3)


def test_linear_light_keeps_the_truth_and_changes_only_the_soft_band():
    encoded = ground.make_case("hair", "white", *SMALL, seed=2)
    linear = ground.make_case("hair", "white", *SMALL, seed=2, linear_light=True)
    np.testing.assert_array_equal(encoded.alpha, linear.alpha)
    hard = (encoded.alpha == 0) | (encoded.alpha == 1)
    np.testing.assert_allclose(
        encoded.image[hard].astype(int), linear.image[hard].astype(int), atol=1
    )
    assert np.abs(encoded.image[~hard].astype(int) - linear.image[~hard].astype(int)).max() > 5


@pytest.mark.parametrize("size", [320, 1024])
def test_coarse_map_is_worse_than_resizing_but_still_the_subject(size):
    alpha = ground.make_case("hair", "white", 240, 320, seed=1).alpha
    coarse = ground.coarse_from_alpha(alpha, size, seed=9)
    assert coarse.shape == (size, size)
    assert coarse.dtype == np.uint8
    np.testing.assert_array_equal(coarse, ground.coarse_from_alpha(alpha, size, seed=9))
    clean = ground.coarse_from_alpha(
        alpha, size, blur=0, missing=0, filling=0, blobs=0, miscalibration=0
    )
    truth = pictures.resized(alpha, size, size)
    assert np.abs(clean / 255 - truth).max() <= 0.5 / 255 + 1e-6
    difference = np.abs(coarse / 255 - truth)
    assert 0.005 < difference.mean() < 0.1
    assert ((coarse > 127) == (truth > 0.5)).mean() > 0.95


def test_unknown_names_are_refused_by_name():
    with pytest.raises(ValueError, match="no subject 'cat'"):
        ground.make_case("cat")
    with pytest.raises(ValueError, match="no backdrop 'sea'"):
        ground.make_case("hair", "sea")
