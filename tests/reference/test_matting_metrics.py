"""The matting metrics against values worked by hand and against slow, literal definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bench import matting_metrics as metrics


def test_sad_and_mse_of_a_grid_worked_by_hand():
    truth = np.array([[0.0, 0.5], [1.0, 1.0]])
    estimate = np.array([[0.1, 0.5], [0.7, 1.0]])
    assert metrics.sum_of_absolute_differences(estimate, truth) == pytest.approx(0.4)
    assert metrics.mean_squared_error(estimate, truth) == pytest.approx((0.01 + 0.09) / 4)
    band = np.array([[True, True], [False, False]])
    assert metrics.sum_of_absolute_differences(estimate, truth, band) == pytest.approx(0.1)
    assert metrics.mean_squared_error(estimate, truth, band) == pytest.approx(0.01 / 2)


def test_bytes_are_read_as_255ths():
    assert metrics.sum_of_absolute_differences(
        np.array([[255, 51]], np.uint8), np.array([[1.0, 0.0]])
    ) == pytest.approx(0.2)


def test_every_error_of_the_truth_is_zero():
    alpha = np.random.default_rng(1).random((23, 31))
    errors = metrics.matting_errors(alpha, alpha)
    assert (errors.sad, errors.mse, errors.gradient, errors.connectivity) == (0, 0, 0, 0)
    assert errors.pixels == 23 * 31


def test_gradient_of_a_ramp_is_its_slope_times_the_filter_gain():
    # On alpha = x / 100 the derivative filter answers the slope times its gain; a ramp twice as
    # steep doubles it, so the error a pixel is (gain * 0.01)^2 away from the borders.
    half = math.ceil(1.4 * math.sqrt(-2 * math.log(math.sqrt(2 * math.pi) * 1.4 * 0.01)))
    assert half == 4
    bell = [math.exp(-(k * k) / (2 * 1.96)) / (1.4 * math.sqrt(2 * math.pi)) for k in range(-4, 5)]
    slope = [-k * g / 1.96 for k, g in zip(range(-4, 5), bell, strict=True)]
    energy = math.sqrt(sum(g * g for g in bell) * sum(d * d for d in slope))
    gain = abs(sum(k * d for k, d in zip(range(-4, 5), slope, strict=True))) * sum(bell) / energy
    x = np.broadcast_to(np.arange(40) / 100, (30, 40))
    band = np.zeros((30, 40), bool)
    band[10:20, 10:30] = True
    assert metrics.gradient_error(2 * x, x, band) == pytest.approx(200 * (gain * 0.01) ** 2)
    assert metrics.gradient_error(2 * x.T, x.T, band.T) == pytest.approx(200 * (gain * 0.01) ** 2)


def test_gradient_ignores_a_constant_offset():
    alpha = np.random.default_rng(2).random((20, 20)) * 0.5
    assert metrics.gradient_error(alpha + 0.3, alpha) == pytest.approx(0, abs=1e-20)


def test_connectivity_counts_an_island_and_not_a_joined_pixel():
    # A 4 x 4 opaque block in both. The estimate adds an island of 0.6 that touches nothing.
    truth = np.zeros((6, 9))
    truth[1:5, 1:5] = 1
    island = truth.copy()
    island[2, 7] = 0.6
    # The island leaves the common region at the first step: level 0, distance 0.6, phi = 0.4
    # against 1 for the truth.
    assert metrics.connectivity_error(island, truth) == pytest.approx(0.6)
    # Under theta = 0.15 nothing is seen.
    island[2, 7] = 0.14
    assert metrics.connectivity_error(island, truth) == pytest.approx(0)


def test_connectivity_of_a_bridge_worked_by_hand():
    # Two blocks, the left one larger, joined in the truth by an opaque pixel that the estimate puts
    # at 0.35. Up to level 0.3 all is joined; from 0.4 on bridge and right block are apart, so their
    # level is 0.3. Truth: bridge and right block are 0.7 above it: phi 0.3. Estimate: right block
    # the same, bridge 0.05 above, under theta: phi 1. Only the bridge differs, by 0.7.
    truth = np.zeros((3, 8))
    truth[:, 0:4] = 1
    truth[1, 4] = 1
    truth[:, 5:7] = 1
    estimate = truth.copy()
    estimate[1, 4] = 0.35
    assert metrics.connectivity_error(estimate, truth) == pytest.approx(0.7)


def _largest_component_slowly(mask):
    seen, best = np.zeros_like(mask), []
    for y, x in zip(*np.nonzero(mask), strict=True):
        if seen[y, x]:
            continue
        stack, region = [(y, x)], []
        seen[y, x] = True
        while stack:
            row, column = stack.pop()
            region.append((row, column))
            for dy, dx in ((0, 1), (1, 0), (0, -1), (-1, 0)):
                v, u = row + dy, column + dx
                inside = 0 <= v < mask.shape[0] and 0 <= u < mask.shape[1]
                if inside and mask[v, u] and not seen[v, u]:
                    seen[v, u] = True
                    stack.append((v, u))
        if len(region) > len(best):
            best = region
    result = np.zeros_like(mask)
    for y, x in best:
        result[y, x] = True
    return result


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.6, 0.8, 1.0])
@pytest.mark.parametrize("shape", [(1, 1), (1, 17), (13, 1), (19, 23)])
def test_largest_component_is_that_of_a_flood_fill(shape, share):
    for seed in range(6):
        mask = np.random.default_rng(seed).random(shape) < share
        np.testing.assert_array_equal(
            metrics.largest_component(mask), _largest_component_slowly(mask)
        )


def test_diagonal_neighbours_are_not_connected():
    mask = np.array([[1, 0, 0], [0, 1, 1], [0, 0, 0]], bool)
    np.testing.assert_array_equal(metrics.largest_component(mask)[0], [False, False, False])


def test_band_surrounds_soft_pixels_and_hard_steps():
    alpha = np.zeros((1, 12))
    alpha[0, 3] = 0.5
    assert np.flatnonzero(metrics.unknown_band(alpha, 2)[0]).tolist() == [1, 2, 3, 4, 5, 6]
    alpha = np.array([[0.0] * 6 + [1.0] * 6])
    assert np.flatnonzero(metrics.unknown_band(alpha, 1)[0]).tolist() == [5, 6, 7]
    assert metrics.trimap_from_alpha(alpha, 0).tolist() == [[0] * 6 + [128] + [255] * 5]


def test_foreground_error_weighs_by_alpha():
    truth = np.zeros((1, 3, 3))
    estimate = truth + np.array([0.4, 0.1, 1.0])[None, :, None]
    # Opaque pixels do not count; 0.25 * 0.4 + 0.75 * 0.1 over a weight of 1.
    alpha = np.array([[0.25, 0.75, 1.0]])
    assert metrics.foreground_error(estimate, truth, alpha) == pytest.approx(0.175)


def test_composite_error_is_that_of_the_laid_pictures():
    white = (1.0, 1.0, 1.0)
    black = np.zeros((1, 2, 3))
    # A half-transparent black over white is grey 0.5; a quarter is 0.75: off by 0.25 in one of two.
    error = metrics.composite_error(
        np.array([[0.5, 1.0]]), black, np.array([[0.25, 1.0]]), black, white
    )
    assert error == pytest.approx(0.125)


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match="one size"):
        metrics.matting_errors(np.zeros((2, 3)), np.zeros((3, 2)))
    with pytest.raises(ValueError, match="boolean band"):
        metrics.matting_errors(np.zeros((2, 3)), np.zeros((2, 3)), np.zeros((2, 3)))  # type: ignore[arg-type]
