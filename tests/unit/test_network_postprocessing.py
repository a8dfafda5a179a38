"""What a network for solid things was in doubt about: filled; holes and what lies open: kept."""

from __future__ import annotations

import numpy as np
import pytest

from nssbg._ops.alpha_cleanup import (
    fill_small_holes,
    remove_faint_components,
    remove_stray_alpha,
)
from nssbg._segment.cleanup import LARGEST_DIP, cleaned


@pytest.fixture(params=[np.uint8, np.float32])
def subject(request):
    """A 100 x 100 square of subject in 160 x 160, and the value that is opaque."""
    full = 255 if request.param == np.uint8 else 1
    alpha = np.zeros((160, 160), request.param)
    alpha[30:130, 30:130] = full
    return alpha, full


def test_a_dip_and_its_rim_become_opaque(subject):
    alpha, full = subject
    expected = alpha.copy()
    alpha[60:70, 60:70] = 0.95 * full
    alpha[62:68, 62:68] = 0.7 * full
    np.testing.assert_array_equal(cleaned(alpha), expected)


def test_holes_large_dips_and_dips_in_the_outline_are_kept(subject):
    alpha, full = subject
    alpha[60:66, 60:66] = 0.7 * full
    alpha[62:64, 62:64] = 0.3 * full  # a hole with a soft rim
    side = int((LARGEST_DIP * 100 * 100) ** 0.5) + 2
    alpha[90 : 90 + side, 90 : 90 + side] = 0.7 * full  # as large as a pane of glass
    alpha[40:46, 25:36] = 0.7 * full  # open to the backdrop
    np.testing.assert_array_equal(cleaned(alpha), alpha)


def test_faint_blobs_beside_the_subject_go(subject):
    alpha, full = subject
    expected = alpha.copy()
    expected[5:15, 5:15] = 0.9 * full  # small, and held for subject
    alpha[...] = expected
    alpha[140:155, 5:50] = 0.6 * full  # a stranger's arm
    alpha[139, 5:50] = 0.2 * full
    np.testing.assert_array_equal(cleaned(alpha), expected)


def test_a_faint_subject_alone_or_as_large_as_others_stays(subject):
    alpha, full = subject
    glass = (alpha * 0.5).astype(alpha.dtype)
    np.testing.assert_array_equal(cleaned(glass), glass)
    beside = alpha.copy()
    beside[30:130, 135:160] = 0.5 * full  # a quarter of the larger one
    np.testing.assert_array_equal(cleaned(beside), beside)


def test_a_soft_rim_that_hangs_on_the_subject_stays(subject):
    alpha, full = subject
    alpha[60:70, 131:160] = 0.3 * full  # a wisp of hair
    alpha[60:70, 130] = 0.2 * full
    np.testing.assert_array_equal(cleaned(alpha), alpha)


def test_the_map_that_comes_in_is_not_changed(subject):
    alpha, full = subject
    alpha[60:66, 60:66] = 0.7 * full
    before = alpha.copy()
    assert (cleaned(alpha) != alpha).any()
    np.testing.assert_array_equal(alpha, before)


def plain_stray_alpha(alpha, level=0.1, reach=0.03):
    """The core's remove_stray_alpha in NumPy, cell by cell."""
    height, width = alpha.shape
    block = -(-max(height, width) // 192)
    held = alpha > level * (255 if alpha.dtype == np.uint8 else 1)
    cells = int(np.ceil(reach * max(height, width) / block))
    near = np.zeros_like(held)
    for y, x in zip(*np.nonzero(held), strict=True):
        rows, columns = y // block, x // block
        near[
            max(0, rows - cells) * block : (rows + cells + 1) * block,
            max(0, columns - cells) * block : (columns + cells + 1) * block,
        ] = True
    return np.where(near, alpha, 0).astype(alpha.dtype)


def plain_cleaned(alpha):
    """The core's post_process by its public steps."""
    kept = plain_stray_alpha(remove_faint_components(alpha))
    area = int(0.01 * float(kept.sum(dtype=np.float64)) / (255 if alpha.dtype == np.uint8 else 1))
    filled = fill_small_holes(kept, area + 1, level=0.9, deepest=0.5)
    return fill_small_holes(filled, area + 1, level=0.995, deepest=0.9)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("shape", [(1, 1), (7, 300), (97, 61), (230, 401)])
def test_the_core_post_processes_as_its_twin(shape, dtype):
    rng = np.random.default_rng(shape[0])
    coarse = rng.random((-(-shape[0] // 9), -(-shape[1] // 9))) ** 3
    map_ = np.kron(coarse, np.ones((9, 9)))[: shape[0], : shape[1]]
    map_ = map_ * (1 - 0.2 * rng.random(shape))
    alpha = (map_ * 255).astype(np.uint8) if dtype == np.uint8 else map_.astype(np.float32)
    np.testing.assert_array_equal(remove_stray_alpha(alpha), plain_stray_alpha(alpha))
    np.testing.assert_array_equal(cleaned(alpha), plain_cleaned(alpha))
