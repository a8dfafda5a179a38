"""Defocus: as its twin in full resolution, without the subject's light, the same everywhere."""

import numpy as np
import pytest

from nssbg import _core

DTYPES = [np.uint8, np.uint16]
STEP = np.float32(0.70710678)


def to_linear(values):
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def to_encoded(light):
    light = np.clip(light, 0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def disc(radius):
    """Coverage of pixels, from 16 x 16 points each, summing to one."""
    reach = int(np.ceil(radius + 0.5))
    at = (np.arange((2 * reach + 1) * 16) + 0.5) / 16 - reach - 0.5
    inside = (at[:, None] ** 2 + at[None] ** 2 < radius**2).astype(float)
    kernel = inside.reshape(2 * reach + 1, 16, 2 * reach + 1, 16).mean(axis=(1, 3))
    return kernel / kernel.sum()


def convolved(planes, kernel):
    """Zeros outside; by the Fourier transform."""
    size = [side + kernel.shape[0] for side in planes.shape[:2]]
    product = np.fft.rfft2(planes, size, axes=(0, 1)) * np.fft.rfft2(kernel, size)[..., None]
    reach = kernel.shape[0] // 2
    whole = np.fft.irfft2(product, size, axes=(0, 1))
    return whole[reach : reach + planes.shape[0], reach : reach + planes.shape[1]]


def ladder(least, largest):
    far, near = [], []
    while largest >= 1.2:
        far.append(largest)
        largest = float(np.float32(largest) * STEP)
    least = -least
    while least >= 1.2:
        near.append(-least)
        least = float(np.float32(least) * STEP)
    return [*near, 0.0, *far[::-1]]


def twin(image, rgba, radii):
    """The formula of cpp/src/defocus/README.md on every pixel; radii are H x W."""
    full = np.iinfo(image.dtype).max
    alpha = rgba[..., 3:].astype(float) / full
    own = image / full - alpha * rgba[..., :3] / full
    own = np.clip(own / np.maximum(1 - alpha, 1e-9), 0, 1)
    light = np.concatenate([to_linear(own), np.ones_like(alpha)], axis=2) * (1 - alpha)
    middles = ladder(min(radii.min(), 0), max(radii.max(), 0))
    sums = np.zeros_like(light)
    covered, last = np.zeros(alpha.shape), np.zeros(alpha.shape)
    for index, middle in enumerate(middles):
        low = middles[index - 1] if index else -1e9
        high = middles[index + 1] if index + 1 < len(middles) else 1e9
        weight = np.where(
            radii < middle, (radii - low) / (middle - low), (high - radii) / (high - middle)
        )
        layer = light * np.clip(weight, 0, 1)[..., None]
        if abs(middle) >= 1.2:
            layer = convolved(layer, disc(abs(middle)))
        sums += np.clip(1 - covered, 0, 1) * layer
        covered, last = covered + last, layer[..., 3:]
    with np.errstate(divide="ignore", invalid="ignore"):
        result = to_encoded(sums[..., :3] / sums[..., 3:]) * full
    return result, sums[..., 3]


def scene(dtype, height=90, width=130, seed=2):
    """Blocks of colour, and a soft disc of another colour over them: photograph and cut-out."""
    random = np.random.default_rng(seed)
    full = np.iinfo(dtype).max
    blocks = random.random((height // 6 + 1, width // 6 + 1, 3)).repeat(6, 0).repeat(6, 1)
    behind = blocks[:height, :width]
    y, x = np.mgrid[0:height, 0:width]
    alpha = np.clip((20 - np.hypot(y - height / 2, x - width / 2)) / 5 + 0.5, 0, 1)[..., None]
    front = np.broadcast_to([1.0, 0.1, 0.05], behind.shape)
    image = np.rint((alpha * front + (1 - alpha) * behind) * full).astype(dtype)
    rgba = np.rint(np.concatenate([front, alpha], axis=2) * full).astype(dtype)
    return image, np.ascontiguousarray(rgba)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("radius", [1.5, 3.0, 6.5, 10.0, 18.0])
def test_one_radius_is_the_twins_disc(dtype, radius, isa_level):
    image, rgba = scene(dtype)
    got = _core.defocus(image, rgba, np.full((1, 1), radius, np.float32))
    expected, weight = twin(image, rgba, np.full(image.shape[:2], radius))
    seen = (rgba[..., 3] < np.iinfo(dtype).max) & (weight > 0.05)
    apart = np.abs(got - expected)[seen] / np.iinfo(dtype).max * 255
    assert apart.mean() < 0.6
    # Coarser cells from 8 pixels on: an eighth of the radius blurs a circle's edge.
    assert apart.max() < (5 if radius < 8 else 9)


@pytest.mark.parametrize("reach", [(0, 14), (-7, 7), (-14, 0), (2, 5)])
def test_radii_that_change_are_the_twins_layers(reach):
    image, rgba = scene(np.uint8)
    rgba[:] = 0
    ramp = np.linspace(*reach, 33, dtype=np.float32)[:, None]
    height, width = image.shape[:2]
    place = np.clip((np.arange(height) + 0.5) * 33 / height - 0.5, 0, 32)
    rows = np.interp(place, np.arange(33), ramp[:, 0])
    got = _core.defocus(image, rgba, ramp)
    expected, _ = twin(image, rgba, np.broadcast_to(rows[:, None], (height, width)))
    apart = np.abs(got - expected)
    assert apart.mean() < 1.0
    assert np.percentile(apart, 99.5) < 8


def test_nothing_is_blurred_at_radius_zero(isa_level):
    for dtype in DTYPES:
        image, rgba = scene(dtype)
        rgba[:] = 0
        got = _core.defocus(image, rgba, np.zeros((3, 5), np.float32))
        # 4096 (65536) steps of the root of light: half a step at the most.
        assert np.abs(got.astype(int) - image).max() <= (0 if dtype == np.uint8 else 2)


@pytest.mark.parametrize("radius", [2.0, 9.0, 25.0])
def test_a_flat_background_stays_flat_around_any_subject(radius):
    """Neither the subject's light nor its shadow: weights at its edge and the picture's cancel."""
    image, rgba = scene(np.uint16)
    alpha = rgba[..., 3:] / 65535
    flat = np.array([0.2, 0.5, 0.8])
    image = np.rint((alpha * rgba[..., :3] / 65535 + (1 - alpha) * flat) * 65535).astype(np.uint16)
    for radii in (np.full((1, 1), radius), np.linspace(-radius, radius, 9)[None]):
        got = _core.defocus(image, rgba, np.ascontiguousarray(radii, np.float32))
        seen = rgba[..., 3] < 65535 * 0.9
        assert np.abs(got[seen] / 65535 - flat).max() < 0.004
        assert (got[rgba[..., 3] == 65535] == 0).all()


def test_a_sharp_surface_in_front_is_not_crossed_by_light_from_behind():
    """Left half in focus and dark, right half far away and bright: the edge stays where it is."""
    image = np.zeros((80, 160, 3), np.uint8)
    image[:, :80], image[:, 80:] = 40, 240
    radii = np.zeros((80, 160), np.float32)
    radii[:, 80:] = 12
    got = _core.defocus(image, np.zeros((80, 160, 4), np.uint8), radii)
    assert np.abs(got[:, :78].astype(int) - 40).max() <= 1
    assert np.abs(got[:, 84:].astype(int) - 240).max() <= 2


@pytest.mark.parametrize(("blades", "area"), [(0, np.pi), (6, 2.598), (4, 2.0), (3, 1.299)])
def test_a_point_of_light_becomes_the_aperture(blades, area):
    image = np.zeros((161, 161, 3), np.uint16)
    image[80, 80] = 65535
    none = np.zeros((161, 161, 4), np.uint16)
    radius = 7.0
    got = _core.defocus(image, none, np.full((1, 1), radius, np.float32), blades, 0.3)
    light = to_linear(got[..., 0] / 65535)
    assert abs(light.sum() - 1) < 0.02
    assert abs(1 / light.max() - area * radius**2) < 0.06 * area * radius**2
    y, x = np.mgrid[0:161, 0:161] - 80
    assert light[np.hypot(y, x) > radius + 1].sum() == 0
    if blades:
        corners = 0.3 + 2 * np.pi * np.arange(blades) / blades
        middles = corners + np.pi / blades
        outside = 0.5 * (radius * np.cos(np.pi / blades) + radius) + 0.7
        for angle in middles:
            assert light[
                round(80 + outside * np.sin(angle)), round(80 + outside * np.cos(angle))
            ] < (0.5 * light.max())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [(1, 1), (1, 700), (530, 3), (520, 1040)])
def test_the_bytes_depend_neither_on_threads_nor_on_the_level(dtype, size):
    image, rgba = scene(dtype, *(max(side, 40) for side in size))
    image, rgba = (np.ascontiguousarray(part[: size[0], : size[1]]) for part in (image, rgba))
    radii = np.random.default_rng(1).uniform(-9, 30, (4, 6)).astype(np.float32)
    before, results = _core.isa(), []
    for level in _core.isa_levels():
        _core.set_isa(level)
        results += [
            _core.defocus(image, rgba, radii, 5, 0.2, threads).tobytes() for threads in (1, 3)
        ]
    _core.set_isa(before)
    assert len(set(results)) == 1


def test_memory_that_was_used_before_is_not_seen():
    """Scratch comes from a pool: what others left there, numbers that are none too, is no input."""
    image, rgba = scene(np.uint8, 300, 500)
    radii = np.full((1, 1), 9, np.float32)
    first = _core.defocus(image, rgba, radii)
    for size in (100, 250, 320, 560, 1100):
        for _ in range(3):
            _core.empty_planar_f32(size, size)[:] = np.nan
        assert np.array_equal(_core.defocus(image, rgba, radii), first)


def test_tiles_meet_without_a_seam():
    """Larger than a tile: the same as where the tiles lie elsewhere."""
    image, rgba = scene(np.uint8, 560, 1100)
    rgba[:] = 0
    radii = np.full((1, 1), 11, np.float32)
    whole = _core.defocus(image, rgba, radii).astype(int)
    # Moved by whole cells and out of reach of the edge, what is the same is the same.
    part = _core.defocus(image[96:, 96:].copy(), rgba[96:, 96:].copy(), radii).astype(int)
    assert np.abs(whole[96 + 16 :, 96 + 16 :] - part[16:, 16:]).max() <= 1


def test_what_is_not_seen_behind_a_large_subject_is_what_lies_around():
    image, rgba = np.full((300, 300, 3), 90, np.uint8), np.zeros((300, 300, 4), np.uint8)
    image[:, 150:] = 200
    rgba[20:280, 20:280] = [255, 0, 0, 254]
    got = _core.defocus(image, rgba, np.full((1, 1), 5, np.float32))
    assert 80 <= got[150, 40, 1] <= 160
    assert 150 <= got[150, 260, 1] <= 220


def test_what_does_not_fit_is_refused():
    image, rgba = scene(np.uint8)
    one = np.ones((1, 1), np.float32)
    for bad, message in [
        ((image, rgba[1:], one), "rgba must be"),
        ((image, rgba, np.zeros((0, 3), np.float32)), "radii must be"),
        ((image, rgba, one * np.nan), "400"),
        ((image, rgba, one * 401), "400"),
        ((image, rgba, one, 2), "blades"),
        ((image, rgba, one, 17), "blades"),
        ((image, rgba, one, 5, np.inf), "rotation"),
        ((image[:, ::2], rgba[:, ::2], one), "packed"),
    ]:
        with pytest.raises(ValueError, match=message):
            _core.defocus(*bad)
