"""A new alpha times the one that the picture came with, beside its twin in NumPy."""

import numpy as np
import pytest

from nssbg import _core


def plain(alpha, existing):
    full = np.iinfo(existing.dtype).max
    if alpha.dtype == np.float32:
        return alpha * (existing.astype(np.float32) / np.float32(full))
    product = alpha.astype(np.uint32) * existing.astype(np.uint32)
    return ((product + 127) // 255).astype(existing.dtype)


@pytest.mark.parametrize("existing_type", [np.uint8, np.uint16])
@pytest.mark.parametrize("alpha_type", [np.uint8, np.float32])
def test_the_product_is_the_twins(alpha_type, existing_type):
    rng = np.random.default_rng(3)
    existing = rng.integers(0, np.iinfo(existing_type).max + 1, (61, 83)).astype(existing_type)
    existing[0], existing[1] = 0, np.iinfo(existing_type).max
    alpha = rng.integers(0, 256, (61, 83)).astype(np.uint8)
    if alpha_type == np.float32:
        alpha = alpha.astype(np.float32) / np.float32(255)
    made = _core.merge_alpha(alpha, existing)
    expected = plain(alpha, existing)
    assert made.dtype == expected.dtype
    np.testing.assert_array_equal(made, expected)
    np.testing.assert_array_equal(
        _core.merge_alpha(alpha[::-2], existing[::-2]), plain(alpha[::-2], existing[::-2])
    )


def test_alphas_of_two_sizes_are_refused():
    with pytest.raises(ValueError, match="one size"):
        _core.merge_alpha(np.zeros((3, 4), np.uint8), np.zeros((4, 3), np.uint8))
