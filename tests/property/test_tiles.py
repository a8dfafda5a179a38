"""Tiles of pictures: cut by reflection, put back rounded and faded, as their NumPy twins do."""

import numpy as np
import pytest

from nssbg import _core

DTYPES = [np.uint8, np.uint16]
# Height and width of a picture, then of its tiles.
SIZES = [((1, 1), (3, 5)), ((3, 17), (8, 8)), ((64, 65), (32, 48)), ((5, 1), (20, 4))]


def picture(dtype, height, width, seed=0):
    full = np.iinfo(dtype).max
    return np.random.default_rng(seed).integers(0, full + 1, (height, width, 3)).astype(dtype)


def cut_twin(image, origins, size, scale, shift):
    """np.pad(mode="reflect") of the picture, float32 throughout."""
    height, width = size
    far = int(np.abs(origins).max()) + max(size) + max(image.shape)
    wide = np.pad(image, ((far, far), (far, far), (0, 0)), mode="reflect")
    tiles = [wide[far + y : far + y + height, far + x : far + x + width] for y, x in origins]
    planes = np.stack(tiles).transpose(0, 3, 1, 2).astype(np.float32)
    return planes * scale[:, None, None] + shift[:, None, None]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("size", "tile"), SIZES)
@pytest.mark.parametrize("threads", [1, 3])
def test_a_tile_is_the_reflected_picture(dtype, size, tile, threads, isa_level):
    image = picture(dtype, *size)
    origins = np.array([[0, 0], [-7, -9], [size[0] - 2, size[1] - 1], [40, -60]], np.int64)
    scale, shift = np.float32([1 / 255, 0.01, 3]), np.float32([0, -0.5, 0.25])
    planes = np.full((4, 5, *tile), np.float32(7))
    for seen in (image, image[::-1, ::-1], picture(dtype, size[0], 2 * size[1])[:, ::2]):
        _core.cut_tiles(seen, planes, origins, scale, shift, threads)
        expected = cut_twin(seen, origins, tile, scale, shift)
        assert np.array_equal(planes[:, :3], expected)
        assert (planes[:, 3:] == 7).all()


def rising(count, width):
    steps = (np.arange(count, dtype=np.float32) + np.float32(0.5)) / np.float32(max(width, 1))
    return np.where(np.arange(count) < width, steps, np.float32(1))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("fade", [(0, 0, 0), (5, 0, 0), (0, 4, 6), (5, 4, 6)])
def test_a_tile_is_put_back_rounded_and_faded(dtype, fade, isa_level):
    full = np.float32(np.iinfo(dtype).max)
    left, top, right = fade
    planes = np.random.default_rng(1).uniform(-0.1, 1.1, (3, 23, 31)).astype(np.float32)
    before = picture(dtype, 23, 31)
    after = np.clip(planes.transpose(1, 2, 0) * full, 0, full)
    across = rising(31, left)
    over = np.zeros(31, np.float32)
    over[31 - right :] = rising(right, right)
    down = rising(23, top)[:, None]
    weight = across * down * (np.float32(1) - over) / (np.float32(1) - over * down)
    there = before.astype(np.float32)
    expected = np.floor(there + weight[..., None] * (after - there) + np.float32(0.5))
    for threads in (1, 3):
        out = before.copy()
        assert _core.put_tile(planes, out, left, top, right, threads)
        assert np.array_equal(out, expected.astype(dtype))


def test_fades_of_four_tiles_that_agree_change_nothing():
    """What each adds is its share: a flat picture stays flat over every seam."""
    out = np.zeros((40, 60, 3), np.uint16)
    flat = np.full((3, 25, 35), np.float32(0.25))
    for top in (0, 15):
        for left in (0, 25):
            part = out[top : top + 25, left : left + 35]
            _core.put_tile(flat, part, 10 if left else 0, 10 if top else 0, 0 if left else 10)
    assert np.ptp(out) == 0


def test_fades_leave_no_step_at_their_ends():
    """Four tiles that differ by a tenth: neighbours differ by what the fade's slope is."""
    out = np.zeros((60, 60, 3), np.uint16)
    levels = {(0, 0): 0.4, (0, 20): 0.5, (20, 0): 0.45, (20, 20): 0.55}
    for (top, left), level in levels.items():
        part = out[top : top + 40, left : left + 40]
        flat = np.full((3, 40, 40), np.float32(level))
        _core.put_tile(flat, part, 20 if left else 0, 20 if top else 0, 0 if left else 20)
    steps = max(np.abs(np.diff(out.astype(int), axis=axis)).max() for axis in (0, 1))
    assert steps <= 0.15 * 65535 / 20 + 2


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("fade", [0, 3])
def test_what_is_no_number_is_told(bad, fade, isa_level):
    planes = np.full((3, 9, 33), np.float32(0.5))
    planes[1, 4, 32] = bad
    out = np.zeros((9, 33, 3), np.uint8)
    assert not _core.put_tile(planes, out, fade, 0, 0)
    assert out[4, 32, 1] == (255 if bad == np.inf else 0)
    assert (out[:4, fade:] == 128).all()


def test_what_does_not_fit_is_refused():
    image, scale = picture(np.uint8, 4, 4), np.zeros(3, np.float32)
    far = np.full((1, 2), np.iinfo(np.int64).min)
    planes, out = np.zeros((1, 3, 8, 8), np.float32), np.zeros((8, 8, 3), np.uint8)
    with pytest.raises(ValueError, match="origins"):
        _core.cut_tiles(image, planes, np.zeros((2, 2), np.int64), scale, scale)
    with pytest.raises(ValueError, match="C at least 3"):
        _core.cut_tiles(image, planes[:, :2].copy(), np.zeros((1, 2), np.int64), scale, scale)
    with pytest.raises(ValueError, match="too far"):
        _core.cut_tiles(image, planes, far, scale, scale)
    with pytest.raises(ValueError, match="size of the part"):
        _core.put_tile(planes[0, :, :7], out)
    with pytest.raises(ValueError, match="fit into the tile"):
        _core.put_tile(planes[0], out, 6, 0, 6)
    with pytest.raises(ValueError, match="packed rows"):
        _core.put_tile(planes[0], np.zeros((8, 16, 3), np.uint8)[:, ::2])
