"""Where only the alpha is taken no colours are estimated and no RGBA is made; same bytes."""

import io

import numpy as np
import pytest
from PIL import Image

import nssbg
from nssbg import Canvas, Output, Shadow
from nssbg._ops.alpha_depth import alpha_as
from nssbg._ops.foreground import decontaminate

RNG = np.random.default_rng(4)


def product(dtype=np.uint8, channels=3):
    """A soft-edged disc on a light backdrop; a fourth channel is an alpha of its own."""
    y, x = np.mgrid[0:90, 0:120] + 0.5
    cover = np.clip(0.5 - (np.hypot(y - 48, x - 60) - 30) / 3, 0, 1)[..., None]
    rgb = 232 * (1 - cover) + np.array([150, 60, 40]) * cover
    planes = [rgb]
    if channels == 4:
        planes.append(np.linspace(120, 255, x.size).reshape(*x.shape, 1))
    image = np.rint(np.concatenate(planes, axis=2)).astype(np.uint8)
    if dtype == np.uint16:
        return image.astype(np.uint16) * 257
    return image if dtype == np.uint8 else (image / np.float32(255)).astype(np.float32)


@pytest.fixture
def calls(monkeypatch):
    """What the pipeline and the cut-outs asked the estimation for."""
    made = []

    def counted(*arguments, **options):
        made.append(options.get("method"))
        return decontaminate(*arguments, **options)

    monkeypatch.setattr("nssbg._pipeline.finish.decontaminate", counted)
    monkeypatch.setattr("nssbg._cutout.decontaminate", counted)
    return made


@pytest.mark.parametrize("image_type", [np.uint8, np.uint16])
@pytest.mark.parametrize("alpha_type", [np.uint8, np.uint16, np.float32])
def test_the_alpha_is_the_one_of_the_rgba(image_type, alpha_type):
    alpha = RNG.random((40, 50), np.float32)
    alpha[:2] = [[0], [1]]
    if alpha_type == np.uint8:
        alpha = np.arange(256, dtype=np.uint8).repeat(8).reshape(32, 64)
    elif alpha_type == np.uint16:
        alpha = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    image = RNG.integers(0, 255, (*alpha.shape, 3)).astype(image_type)
    expected = decontaminate(image, alpha, method="off")[..., 3]
    np.testing.assert_array_equal(alpha_as(alpha, image.dtype), expected)


@pytest.mark.parametrize("bad", [np.nan, -0.1, 1.1])
def test_a_float_alpha_outside_its_range_is_refused(bad):
    with pytest.raises(nssbg.OptionError, match=r"0\.\.1 without NaN"):
        alpha_as(np.array([[0.5, bad]], np.float32), np.dtype(np.uint8))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [3, 4])
def test_alpha_and_mask_are_those_of_the_cut_out(dtype, channels, calls):
    image = product(dtype, channels)
    with nssbg.Remover("studio") as remover:
        expected = remover.cutout(image).alpha
        assert calls.pop() == "multilevel"
        np.testing.assert_array_equal(remover.alpha(image), expected)
        mask = remover.remove(image, mask=True)
    if dtype == np.float32:
        expected = expected.astype(np.float32) / np.float32(65535)
    np.testing.assert_array_equal(mask, expected)
    assert not calls


@pytest.mark.parametrize(
    "output",
    [
        Output(kind="mask"),
        Output(kind="mask", trim=True),
        Output(kind="mask", canvas=Canvas(70, 60), padding=3),
        Output(kind="mask", longest_side=50),
        Output(kind="shadow", shadow=Shadow("drop")),
    ],
    ids=["whole", "trimmed", "on a canvas", "scaled", "a shadow's layer"],
)
def test_masks_of_a_run_are_those_of_full_cut_outs(output, tmp_path, calls):
    image = product()
    path = tmp_path / "a.png"
    with nssbg.Remover("studio") as remover:
        expected = remover.cutout(image).render(output)
        calls.clear()
        (outcome,) = remover.map([image], output=lambda _: path, result=output)
    assert outcome.error is None
    np.testing.assert_array_equal(np.asarray(Image.open(path)), expected)
    whole = output == Output(kind="mask")
    assert calls == ([] if whole else ["off"])  # framing takes an RGBA, of the plain colours


def test_a_run_of_masks_and_the_command_make_no_colours(tmp_path, calls):
    image = product()
    Image.fromarray(image).save(tmp_path / "a.png")
    with nssbg.Remover("studio") as remover:
        expected = remover.alpha(image)
        (outcome,) = remover.map([image], output=lambda _: tmp_path / "b.png", mask=True)
    assert outcome.error is None
    from nssbg.cli.main import main

    arguments = ["--mask", "--model", "studio"]
    assert main(["remove", str(tmp_path / "a.png"), str(tmp_path / "c.png"), *arguments]) == 0
    for name in ("b.png", "c.png"):
        np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / name)), expected)
    assert not calls


def test_colours_stay_to_be_had_from_a_cut_out_of_alpha_alone(calls):
    """In a stream with mask=True and no output, outcomes carry cut-outs."""
    image = product()
    with nssbg.Remover("studio") as remover:
        expected = remover.cutout(image, decontaminate="off").rgba
        (outcome,) = remover.map([image], mask=True)
        calls.clear()
        np.testing.assert_array_equal(outcome.cutout.rgba, expected)
        assert outcome.cutout.rgba is outcome.cutout.rgba
        assert calls == ["off"]
        again = Image.open(io.BytesIO(outcome.cutout.encode("png")))
    np.testing.assert_array_equal(np.asarray(again), expected)


def test_with_rgba_takes_the_alpha_along():
    image = product()
    cutout = nssbg.Remover("studio").cutout(image)
    edited = cutout.rgba.copy()
    edited[:10, :, 3] = 77
    other = cutout.with_rgba(edited)
    assert (other.alpha[:10] == 77).all()
    assert other.rgba is edited
