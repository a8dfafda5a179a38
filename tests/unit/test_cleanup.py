"""Specks, pinholes, edge moves on alphas small enough to read."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nssbg._errors import OptionError
from nssbg._ops.alpha_cleanup import (
    choke,
    feather,
    fill_small_holes,
    keep_largest,
    remove_faint_components,
    remove_small_components,
    remove_stray_alpha,
    threshold_curve,
)
from nssbg._ops.refine import refine_with_report


def image(*rows: str) -> np.ndarray:
    return np.array([[255 if c == "#" else 128 if c == "+" else 0 for c in r] for r in rows], "u1")


def test_specks_hang_together_by_corners_and_go_by_area():
    alpha = image("##....", "##..#.", ".....#", "......", "+.....")
    before = alpha.copy()
    cleaned = remove_small_components(alpha, 2)
    np.testing.assert_array_equal(cleaned, image("##....", "##..#.", ".....#", "......", "......"))
    np.testing.assert_array_equal(
        remove_small_components(alpha, 3), image("##....", "##....", "......", "......", "......")
    )
    np.testing.assert_array_equal(alpha, before)


def test_faint_blobs_go_beside_a_larger_one():
    alpha = image("######", "......", "#.++..", "......", "+.####", "+.....")
    expected = image("######", "......", "#.....", "......", "+.####", "+.....")
    # A mean of 128 of 255 is just above a half; two of six are a third.
    np.testing.assert_array_equal(remove_faint_components(alpha, 0.5, of_largest=0.5), alpha)
    np.testing.assert_array_equal(remove_faint_components(alpha, 0.51, of_largest=0.3), alpha)
    alpha[5, 0] = 255
    expected[5, 0] = 255
    np.testing.assert_array_equal(remove_faint_components(alpha, 0.51, of_largest=0.5), expected)
    with pytest.raises(OptionError, match="level"):
        remove_faint_components(alpha, 1.5)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("scale", [1, 7])
def test_fog_goes_where_no_subject_is_near(dtype, scale):
    """A veil of 0.08 all over, a subject of 0.2 in it: what is within 3 % of the side stays."""
    full = 255 if dtype == np.uint8 else 1
    alpha = np.full((100 * scale, 200 * scale), 0.08 * full).astype(dtype)
    alpha[40 * scale : 50 * scale, 60 * scale : 80 * scale] = np.asarray(0.2 * full).astype(dtype)
    before = alpha.copy()
    cleared = remove_stray_alpha(alpha)
    np.testing.assert_array_equal(alpha, before)
    kept = cleared == alpha
    assert (cleared[~kept] == 0).all()
    rows, columns = np.flatnonzero(kept.any(1)), np.flatnonzero(kept.any(0))
    slack = 2 * -(-200 * scale // 192)  # it is looked at by blocks
    for found, wanted in ((rows, (34, 56)), (columns, (54, 86))):
        assert abs(found[0] - wanted[0] * scale) <= slack
        assert abs(found[-1] + 1 - wanted[1] * scale) <= slack
        assert (np.diff(found) == 1).all()
    np.testing.assert_array_equal(remove_stray_alpha(np.zeros_like(alpha)), np.zeros_like(alpha))


def test_largest_is_kept_alone():
    alpha = image("#.###", "..###", "#....")
    np.testing.assert_array_equal(keep_largest(alpha), image("..###", "..###", "....."))


def test_pinholes_are_enclosed_by_sides_and_spare_the_edge():
    alpha = image(".####.", "##.#.#", "####.#", "######")
    filled = fill_small_holes(alpha, 3)
    np.testing.assert_array_equal(filled, image(".####.", "######", "######", "######"))
    np.testing.assert_array_equal(fill_small_holes(alpha, 2)[1:3, 4], [0, 0])


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_holes_that_go_too_deep_are_kept_whole(dtype):
    """A hole's rim is shallow too: what counts is how deep the hole that it belongs to goes."""
    alpha = np.full((9, 18), 255, dtype) if dtype == np.uint8 else np.ones((9, 18), dtype)
    full = float(alpha[0, 0])
    doubt, hole = (slice(3, 6), slice(2, 5)), (slice(3, 6), slice(10, 13))
    alpha[doubt] = 0.6 * full
    alpha[hole] = 0.6 * full
    alpha[4, 11] = 0.4 * full
    filled = fill_small_holes(alpha, 20, level=0.9, deepest=0.5)
    assert (filled[doubt] == full).all()
    np.testing.assert_array_equal(filled[hole], alpha[hole])
    assert (fill_small_holes(alpha, 20, level=0.9) == full).all()
    assert (fill_small_holes(alpha, 9, level=0.9, deepest=0.5) == alpha).all()


@given(
    bits=st.lists(st.lists(st.booleans(), min_size=9, max_size=9), min_size=1, max_size=9),
    least=st.integers(0, 12),
    as_float=st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_specks_agree_with_a_flood_fill(bits, least, as_float):
    opaque_subject = np.array(bits, bool)
    alpha = opaque_subject.astype(np.float32) if as_float else opaque_subject.astype(np.uint8) * 255
    expected = opaque_subject.copy()
    seen = np.zeros_like(opaque_subject)
    for start in zip(*np.nonzero(opaque_subject), strict=True):
        if seen[start]:
            continue
        stack, blob = [start], []
        seen[start] = True
        while stack:
            y, x = stack.pop()
            blob.append((y, x))
            for near in ((y + i, x + j) for i in (-1, 0, 1) for j in (-1, 0, 1)):
                inside = (
                    0 <= near[0] < opaque_subject.shape[0]
                    and 0 <= near[1] < opaque_subject.shape[1]
                )
                if inside and opaque_subject[near] and not seen[near]:
                    seen[near] = True
                    stack.append(near)
        if len(blob) < least:
            for cell in blob:
                expected[cell] = False
    np.testing.assert_array_equal(remove_small_components(alpha, least) > 0, expected)


@pytest.mark.parametrize("pixels", [-3.5, -1.25, -0.5, 0.5, 1.25, 3.5])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_choke_moves_a_straight_edge_by_fractions(pixels, dtype):
    ramp = np.clip(np.arange(60) - 29.3, 0, 1).astype(np.float32)  # the edge at 29.8
    alpha = np.repeat(ramp[None], 40, 0)
    if dtype == np.uint8:
        alpha = np.rint(alpha * 255).astype(np.uint8)
    full = 255 if dtype == np.uint8 else 1
    lost = (alpha[20].astype(float).sum() - choke(alpha, pixels)[20].astype(float).sum()) / full
    assert abs(lost - pixels) < 0.01


def test_feather_is_a_gaussian_and_keeps_constants():
    alpha = np.zeros((41, 41), np.float32)
    alpha[20, 20] = 1
    y, x = np.mgrid[-20:21, -20:21]
    exact = np.exp(-(y**2 + x**2) / (2 * 1.5**2))
    exact /= exact.sum()
    np.testing.assert_allclose(feather(alpha, 1.5), exact, atol=2e-4)
    np.testing.assert_array_equal(feather(np.full((9, 70), 255, np.uint8), 3.0), 255)
    np.testing.assert_array_equal(feather(alpha, 0), alpha)
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (200, 50)).astype(np.uint8)
    np.testing.assert_array_equal(feather(noise, 2.2, threads=1), feather(noise, 2.2, threads=3))


def test_threshold_curve():
    alpha = np.array([[0, 51, 102, 153, 255]], np.uint8)
    np.testing.assert_array_equal(threshold_curve(alpha, 0.2, 0.6), [[0, 0, 128, 255, 255]])
    unit = alpha.astype(np.float32) / np.float32(255)
    np.testing.assert_allclose(threshold_curve(unit, 0.2, 0.6), [[0, 0, 0.5, 1, 1]], atol=1e-6)


def test_refine_drops_small_specks_by_default_and_says_so():
    image = np.full((2000, 2000, 3), 128, np.uint8)
    image[1500, 1500] = 255
    trimap = np.zeros((2000, 2000), np.uint8)
    trimap[500:900, 500:900] = 255
    trimap[1500, 1500] = 255
    alpha, report = refine_with_report(image, np.zeros((9, 9), np.uint8), trimap=trimap)
    assert report.components_removed == 1
    assert alpha[1500, 1500] == 0
    assert (alpha[500:900, 500:900] == 255).all()
    kept, report = refine_with_report(
        image, np.zeros((9, 9), np.uint8), trimap=trimap, min_component_area=0
    )
    assert report.components_removed == 0
    assert kept[1500, 1500] == 255


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda a: feather(a, -1), "feather takes"),
        (lambda a: feather(a, float("nan")), "feather takes"),
        (lambda a: choke(a, 100), "choke takes"),
        (lambda a: threshold_curve(a, 0.7, 0.3), "low < high"),
        (lambda a: remove_small_components(a, -1), "area"),
        (lambda a: remove_small_components(a[None], 1), "H x W"),
        (lambda a: remove_small_components(a, 1, level=2), "level"),
    ],
)
def test_wrong_arguments_are_named(call, words):
    with pytest.raises(OptionError, match=words):
        call(np.zeros((4, 4), np.uint8))
