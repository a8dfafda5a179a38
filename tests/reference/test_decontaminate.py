"""The foreground estimators against NumPy twins of the published methods."""

import numpy as np
import pytest

from nssbg import _core
from nssbg._ops.foreground import decontaminate, estimate_colors
from tests import multilevel_twin


def strands(height, width, seed, backdrop=(20, 200, 60), count=60):
    """Thin brown strands from a disc, on a saturated backdrop; exact alpha by supersampling."""
    rng = np.random.default_rng(seed)
    scale = 4
    y, x = np.mgrid[0 : height * scale, 0 : width * scale].astype(np.float32) / scale
    cover = np.hypot(y - height * 0.6, x - width * 0.5) < min(height, width) * 0.2
    for _ in range(count):
        angle = rng.uniform(np.pi, 2 * np.pi)
        length = rng.uniform(0.25, 0.45) * min(height, width)
        across, down = np.cos(angle), np.sin(angle)
        along = (x - width * 0.5) * across + (y - height * 0.6) * down
        aside = (x - width * 0.5) * -down + (y - height * 0.6) * across
        bent = aside - rng.normal() * 0.002 * along * along
        cover |= (along > 0) & (along < length) & (np.abs(bent) < rng.uniform(0.3, 0.9))
    alpha = cover.reshape(height, scale, width, scale).mean((1, 3))
    alpha8 = np.rint(alpha * 255).astype(np.uint8)
    texture = rng.normal(0, 4, (height, width, 1))
    fore = np.clip(np.array([96, 62, 40]) + texture, 0, 255)
    share = alpha8[..., None] / 255
    image = np.rint(fore * share + np.array(backdrop) * (1 - share)).astype(np.uint8)
    return image, alpha8, fore


@pytest.mark.parametrize(
    ("height", "width"), [(1, 1), (1, 40), (7, 3), (32, 32), (33, 31), (50, 117), (131, 97)]
)
def test_multilevel_equals_its_twin(height, width, isa_level):
    rng = np.random.default_rng(height * 1000 + width)
    image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    y, x = np.mgrid[0:height, 0:width]
    alpha = np.clip(128 + 140 * np.sin(x / 7 + y / 11), 0, 255).astype(np.uint8)
    fore, back = multilevel_twin.estimate(image / 255, alpha / 255)
    got_fore, got_back = estimate_colors(image, alpha)
    soft = (alpha > 0) & (alpha < 255)
    # One step: the twin is in double precision, the core in single.
    assert np.abs(got_fore[soft] - fore[soft] * 255).max(initial=0) <= 0.51
    assert np.abs(got_back[soft] - back[soft] * 255).max(initial=0) <= 0.51


def test_multilevel_equals_its_twin_at_16_bits():
    rng = np.random.default_rng(3)
    image = rng.integers(0, 65536, (90, 140, 3), dtype=np.uint16)
    alpha = rng.integers(0, 65536, (90, 140), dtype=np.uint16)
    fore, _ = multilevel_twin.estimate(image / 65535, alpha / 65535)
    rgba = decontaminate(image, alpha)
    soft = (alpha > 0) & (alpha < 65535)
    difference = np.abs(rgba[..., :3] - fore * 65535)[soft]
    # Where alpha is within a hair of 0 the foreground is all but undetermined.
    assert np.quantile(difference, 0.99) <= 4


def test_sparse_blocks_give_what_the_dense_twin_gives():
    # A large picture with one small soft patch: most blocks and levels are skipped.
    rng = np.random.default_rng(5)
    image = rng.integers(0, 256, (400, 500, 3), dtype=np.uint8)
    alpha = np.zeros((400, 500), np.uint8)
    alpha[100:260, 200:330] = 255
    alpha[98:102, 200:330] = np.arange(40, 240, 50, dtype=np.uint8)[:, None]
    fore, _ = multilevel_twin.estimate(image / 255, alpha / 255)
    rgba = decontaminate(image, alpha)
    soft = (alpha > 0) & (alpha < 255)
    assert np.abs(rgba[soft][:, :3] - fore[soft] * 255).max() <= 0.51


def test_strands_on_green_lose_their_fringe():
    # rembg's own test, restated: mean colour error on the soft edge under 10, and under a
    # tenth of the naive cut-out's (colours multiplied by alpha, read as straight).
    image, alpha, fore = strands(400, 480, seed=1)
    soft = (alpha > 0) & (alpha < 255)

    def error(rgb):
        return float(np.linalg.norm(rgb[soft] - fore[soft], axis=-1).mean())

    naive = error(np.rint(image * (alpha[..., None] / 255)))
    ours = error(decontaminate(image, alpha)[..., :3])
    # docs/colour.md: what blur-fusion is for, and that it is not this.
    fused = error(decontaminate(image, alpha, method="blur-fusion")[..., :3])
    assert 2 * ours < fused < naive / 5
    assert soft.mean() > 0.02
    assert ours < 5
    assert ours < naive / 10


def box_mean(planes, size):
    """Means over size x size windows that start size // 2 before, borders clamped."""
    before = size // 2
    widths = ((before, size - 1 - before),) * 2 + ((0, 0),)
    sums = np.pad(planes, widths, mode="edge").cumsum(0)
    sums = np.concatenate([np.zeros_like(sums[:1]), sums])
    sums = sums[size:] - sums[:-size]
    sums = np.concatenate([np.zeros_like(sums[:, :1]), sums.cumsum(1)], axis=1)
    return (sums[:, size:] - sums[:, :-size]) / size**2


def blur_fused(image, alpha, fore, back, size):
    mean = box_mean(alpha, size)
    blurred = box_mean(fore * alpha, size) / (mean + 1e-5)
    behind = box_mean(back * (1 - alpha), size) / (1 - mean + 1e-5)
    fused = blurred + alpha * (image - alpha * blurred - (1 - alpha) * behind)
    return np.clip(fused, 0, 1), behind


def test_blur_fusion_comes_close_to_the_published_method(isa_level):
    image, alpha, true = strands(300, 400, seed=2, backdrop=(90, 110, 160))
    rgb, cover = image / 255, alpha[..., None] / 255
    fore, back = blur_fused(rgb, cover, rgb, rgb, 90)
    fore, _ = blur_fused(rgb, cover, fore, back, 6)
    got = decontaminate(image, alpha, method="blur-fusion")[..., :3]
    soft = (alpha > 0) & (alpha < 255)
    weight = cover[soft]

    def error(colors):
        return float((np.abs(colors - true[soft]) * weight).mean() / weight.mean())

    # The wide blur is a box of cells here, so pixels differ; what counts is the colour error.
    assert np.abs(got[soft] - fore[soft] * 255).mean() < 4
    assert error(got[soft]) < error(fore[soft] * 255) * 1.1 + 0.5


def test_core_default_is_the_twins_default():
    image, alpha, _ = strands(60, 80, seed=3)
    assert np.array_equal(
        decontaminate(image, alpha),
        _core.decontaminate(image, alpha, gradient_weight=0.2, regularization=1e-5),
    )
