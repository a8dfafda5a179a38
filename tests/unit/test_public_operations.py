"""What is public beside `remove`: post-processing of alphas, streams, colours, the own shadow."""

import numpy as np
import pytest

import nssbg
from nssbg import OptionError, Output
from nssbg._ops import alpha_cleanup

STEPS = {
    "choke": (1.5,),
    "feather": (2.0,),
    "threshold_curve": (0.2, 0.7),
    "keep_largest": (),
    "remove_small_components": (30,),
    "fill_small_holes": (30,),
}


def disc(height=120, width=150, radius=40):
    """A soft disc with a small hole in it and a small blob beside it; float32 0..1."""
    y, x = np.mgrid[0:height, 0:width] + 0.5
    away = np.hypot(y - 60, x - 70)
    alpha = np.clip((radius - away) / 3 + 0.5, 0, 1).astype(np.float32)
    alpha[58:62, 68:72] = 0
    alpha[4:8, 130:134] = 1
    return alpha


def test_the_namespace_has_exactly_these_steps():
    assert set(nssbg.alpha.__all__) == STEPS.keys()


@pytest.mark.parametrize(("name", "arguments"), STEPS.items())
def test_every_step_takes_the_alphas_that_a_remover_gives(name, arguments):
    step = getattr(nssbg.alpha, name)
    plain = disc()
    expected = getattr(alpha_cleanup, name)(plain, *arguments)
    assert not np.array_equal(expected, plain)
    np.testing.assert_array_equal(step(plain, *arguments), expected)
    for dtype in (np.uint8, np.uint16):
        full = np.iinfo(dtype).max
        given = np.rint(plain * full).astype(dtype)
        before = given.copy()
        got = step(given, *arguments)
        assert got.dtype == dtype
        assert np.abs(got / full - expected).max() < 3 / full + 1e-5
        np.testing.assert_array_equal(given, before)


@pytest.mark.parametrize("name", STEPS)
def test_what_is_no_alpha_is_refused(name):
    for bad in (np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.int32), [[0, 1]]):
        with pytest.raises(OptionError, match="H x W"):
            getattr(nssbg.alpha, name)(bad, *STEPS[name])


def test_sixteen_bits_come_back_as_they_were():
    every = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    np.testing.assert_array_equal(nssbg.alpha.feather(every, 0), every)


def test_a_processed_alpha_gets_colours_of_its_own():
    image = np.full((120, 150, 3), 230, np.uint8)
    alpha = nssbg.alpha.choke(np.rint(disc() * 255).astype(np.uint8), 2)
    rgba = nssbg.decontaminate(image, alpha)
    np.testing.assert_array_equal(rgba[..., 3], alpha)


def test_a_stream_of_rows_gives_the_alpha_of_the_whole():
    rng = np.random.default_rng(1)
    image = rng.integers(0, 255, (300, 64, 3), np.uint8)
    coarse = np.rint(disc(32, 16, 6) * 255).astype(np.uint8)
    stream = nssbg.RefineStream(300, 64, coarse)
    rows = [stream.push(image[top : top + 37]) for top in range(0, 300, 37)]
    whole, report = nssbg.refine_with_report(image, coarse, min_component_area=0)
    np.testing.assert_array_equal(np.concatenate(rows), whole)
    assert isinstance(report, nssbg.RefineReport)


def test_both_colours_of_the_soft_band_mix_to_the_picture():
    cover = disc()[..., None]
    image = np.rint(200 * (1 - cover) + 60 * cover).astype(np.uint8).repeat(3, axis=2)
    alpha = np.rint(cover[..., 0] * 255).astype(np.uint8)
    front, back = nssbg.estimate_colors(image, alpha)
    mixed = front * cover + back * (1 - cover)
    soft = (alpha > 0) & (alpha < 255)
    assert soft.sum() > 200
    assert np.abs(mixed - image)[soft].mean() < 3


def test_the_photographs_own_shadow_becomes_a_layer_under_the_cut_out():
    y, x = np.mgrid[0:160, 0:200] + 0.5
    cover = np.clip(0.5 - (np.hypot(y - 80, x - 100) - 40) / 2, 0, 1)[..., None]
    shade = 0.35 * np.exp(-(((x - 112) / 50) ** 2 + ((y - 122) / 16) ** 2))[..., None]
    image = 235 * (1 - shade) * (1 - cover) + np.array([150, 60, 40]) * cover
    image = np.rint(image).astype(np.uint8)
    found = nssbg.studio_alpha(image, shadow=True)
    assert isinstance(found, nssbg.StudioResult)
    assert found.shadow is not None
    layer = nssbg.layer_from_strength(found.shadow / np.float32(255), np.uint8)
    assert layer.shape == (160, 200, 4)
    cutout = nssbg.Remover("studio").cutout(image)
    white = cutout.render(Output(background="white"))
    shaded = cutout.render(Output(background="white", shadow=layer))
    assert white[128, 112].min() == 255
    assert 150 < shaded[128, 112].max() < 240
