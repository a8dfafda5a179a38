"""The core's rules on a network's maps against their plain forms in NumPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from confidence_twin import (
    plain_features,
    plain_map_confidence,
    plain_overlap,
    plain_select,
    plain_selector_features,
)

from nssbg import _core
from nssbg._models.catalog import describe
from nssbg._models.fitted import ConfidenceWeights
from nssbg._models.postprocess import coarse_alpha, joined_maps
from nssbg._models.sidecar import description_from_mapping
from nssbg._segment.confidence import confidence, confidence_features, map_confidence
from nssbg._segment.selector import select, selector_features

BUNDLED = describe("nssbg-lite")


def soft_map(seed, height=57, width=83):
    """A subject with a soft outline and noise, h x w float32 0..1."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    radius = rng.uniform(0.1, 0.45) * height
    distance = radius - np.hypot(y - rng.uniform(0, height), x - rng.uniform(0, width))
    noise = rng.normal(0, rng.uniform(0, 0.2), (height, width))
    return np.clip(distance / rng.uniform(1, 30) + 0.5 + noise, 0, 1).astype(np.float32)


@pytest.mark.parametrize("seed", range(12))
def test_confidence_is_that_of_the_plain_form(seed):
    alpha, flipped = soft_map(seed), soft_map(seed)[::-1, ::-1]
    for pair in ((alpha, None), (alpha, flipped), (alpha[3:40:2, 70:2:-3], None)):
        assert confidence_features(*pair) == pytest.approx(plain_features(*pair), abs=1e-6)
        found = confidence(*pair, weights=BUNDLED.confidence)
        expected = plain_overlap(*pair, BUNDLED.confidence)
        assert found.overlap == pytest.approx(expected, abs=1e-6)
        assert found.low_confidence == (expected < 0.75)
    for weights in (BUNDLED.confidence, None):
        assert map_confidence(alpha, weights) == pytest.approx(
            plain_map_confidence(alpha, weights), abs=1e-6
        )


@pytest.mark.parametrize("value", [0.0, 1.0, 0.5, np.nan])
def test_maps_without_an_outline_have_confidence_zero(value):
    alpha = np.full((9, 11), value, np.float32)
    found = confidence(alpha, weights=ConfidenceWeights((9.0, 0, 0, 0)))
    assert (found.overlap, found.low_confidence) == (0.0, True)


def test_weights_of_another_number_are_refused():
    with pytest.raises(ValueError, match="one weight a feature"):
        confidence(soft_map(1), weights=ConfidenceWeights((1.0, 2.0)))
    with pytest.raises(ValueError, match="one weight a feature"):
        _core.select([0.0] * 5, [1.0] * 6, [1.0] * 6, [1.0] * 5)
    with pytest.raises(ValueError, match="five features"):
        _core.select([0.0] * 4, [1.0] * 6, [1.0] * 6, [1.0] * 6)


@pytest.mark.parametrize("seed", range(12))
def test_the_selector_is_the_plain_form(seed):
    rng = np.random.default_rng(seed)
    studio = np.rint(soft_map(seed, 131, 217) * 255).astype(np.uint8)
    shift = soft_map(seed + seed % 3)
    for one in (studio, studio[::-1], studio.astype(np.float32) / np.float32(255)):
        for other in (shift, np.rint(shift * 255).astype(np.uint8)):
            given = (one, float(rng.random()), other, float(rng.random()))
            features = selector_features(*given)
            assert features == pytest.approx(plain_selector_features(*given), abs=1e-6)
            found = select(features, BUNDLED.selector)
            took, overlap = plain_select(features, BUNDLED.selector)
            assert (found.studio, found.agreement) == (took, features[2])
            assert found.overlap == pytest.approx(overlap, abs=1e-12)
            assert found.low_confidence == (overlap < 0.75)


def test_a_constant_alone_gives_its_logistic():
    for score in (-80.0, -3.25, 0.0, 1e-9, 0.7, 12.0, 90.0):
        found = _core.select([0.0] * 5, [-1.0] + [0.0] * 5, [0.0] * 6, [score] + [0.0] * 5)
        assert found["overlap"] == pytest.approx(1 / (1 + math.exp(-score)), rel=4e-16)


def described(**keys):
    return description_from_mapping(
        {
            "name": "x",
            "file": "x.onnx",
            "size": 8,
            "mean": [0, 0, 0],
            "std": [1, 1, 1],
            "license": "MIT",
            **keys,
        },
        source="x",
    )


def test_logits_become_probabilities_within_a_unit_in_the_last_place():
    logits = np.linspace(-70, 70, 100_003, dtype=np.float32)
    exact = 1 / (1 + np.exp(-logits.astype(np.float64).clip(-60, 60)))
    alpha = coarse_alpha(logits[None].copy(), described(activation="sigmoid"))[0]
    assert alpha.dtype == np.float32
    assert (np.abs(alpha - exact) <= 3e-7 * exact + 1e-37).all()
    assert (np.diff(alpha) >= -1e-7).all()


def test_a_stretched_map_has_the_bytes_of_the_plain_form():
    raw = np.random.default_rng(3).normal(0.4, 0.3, (2, 37, 41)).astype(np.float32)
    expected = raw.copy()
    for mask in expected:
        low, high = float(mask.min()), float(mask.max())
        mask -= low
        mask *= 1.0 / (high - low)
    given = np.asfortranarray(raw)
    np.testing.assert_array_equal(
        coarse_alpha(given, described(range="minmax")), np.clip(expected, 0, 1)
    )


def test_two_passes_are_averaged_as_fine_as_the_image():
    alpha, flipped = soft_map(5), soft_map(6)[:, ::-1]
    mean = np.float32(0.5) * (alpha + flipped)
    np.testing.assert_array_equal(joined_maps(alpha, flipped, np.uint16), mean)
    eight = (mean * np.float32(255) + np.float32(0.5)).astype(np.uint8)
    np.testing.assert_array_equal(joined_maps(alpha, flipped, np.uint8), eight)
    np.testing.assert_array_equal(joined_maps(alpha, None, np.float32), alpha)


@pytest.mark.parametrize("level", _core.isa_levels())
def test_no_level_gives_other_bytes(level):
    logits = np.random.default_rng(1).normal(0, 9, (1, 61, 67)).astype(np.float32)
    told = []
    for name in (level, "v1"):
        _core.set_isa(name)
        try:
            alpha = coarse_alpha(logits.copy(), described(activation="sigmoid"))
            told.append((alpha.tobytes(), confidence_features(alpha[0], alpha[0, ::-1])))
        finally:
            _core.set_isa("auto")
    assert told[0] == told[1]


def test_the_second_pass_wants_one_answer_for_each_part():
    first = np.zeros((32, 32), np.float32)
    first[10:14, 10:14] = 1
    search = _core.SecondPass(first, 600, 600, "balanced", [])
    with pytest.raises(RuntimeError, match="nothing was asked"):
        search.answer(first)
    assert search.next(True) is not None
    with pytest.raises(RuntimeError, match="not answered"):
        search.next(True)
    with pytest.raises(ValueError, match="effort must be"):
        _core.SecondPass(first, 600, 600, "utmost", [])
    with pytest.raises(ValueError, match="no pixels"):
        _core.SecondPass(first, 0, 600, "best", [])
