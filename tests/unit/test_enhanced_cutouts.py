"""Enhancement as a step of a cut-out: before it and after, alone and in streams."""

import io
import json

import numpy as np
import pytest
from image_graphs import sidecar_network
from PIL import Image

import nssbg
from nssbg import Enhancement
from nssbg._io import peek_header
from nssbg._pipeline.memory_estimate import bytes_in_flight
from nssbg.cli.main import main

CPU = {"device": "cpu", "backend": "onnxruntime"}


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("NSSBG_HOME", str(tmp_path_factory.mktemp("home")))


@pytest.fixture
def x2(tmp_path):
    return sidecar_network(tmp_path, gain=0.02)  # a backdrop stays one


@pytest.fixture
def remover():
    with nssbg.Remover("studio", threads=1, **CPU) as opened:
        yield opened


def test_before_the_cut_the_enhanced_photograph_is_cut_out(product, remover, x2):
    rgb, truth = product
    enhanced = nssbg.enhance(rgb, model=x2, threads=1, **CPU)
    expected = remover.cutout(enhanced)
    cutout = remover.cutout(rgb, enhance=Enhancement(upscale=2, model=str(x2)))
    assert np.array_equal(cutout.rgba, expected.rgba)
    assert cutout.frame.height == 2 * rgb.shape[0]
    assert list(cutout.timings.stages)[:3] == ["decode", "enhance", "studio"]
    assert (cutout.enhancement.model, cutout.plan.model) == ("x2", "studio")
    assert cutout.report.enhancement == cutout.enhancement
    assert expected.enhancement is None
    exact = np.kron(truth, np.ones((2, 2)))
    assert np.abs(cutout.alpha / 255 - exact).mean() < 0.01


def test_after_the_cut_the_alpha_that_was_found_is_enlarged(product, remover, x2):
    rgb, _ = product
    expected = remover.cutout(rgb).enhance(model=x2, threads=1, **CPU)
    cutout = remover.cutout(rgb, enhance=Enhancement(model=str(x2), order="after"))
    assert np.array_equal(cutout.rgba, expected.rgba)
    assert list(cutout.timings.stages)[-3:] == ["enhance", "enlarge alpha", "foreground"]
    # The options of the cut-out count for its colours at the larger size.
    plain = remover.cutout(
        rgb, decontaminate="off", enhance=Enhancement(model=str(x2), order="after")
    )
    soft = (plain.alpha > 0) & (plain.alpha < 255)
    assert np.array_equal(plain.rgba[soft][:, :3], plain.frame.rgb[soft])
    assert not np.array_equal(cutout.rgba[soft], plain.rgba[soft])
    alpha = remover.alpha(rgb, enhance=Enhancement(model=str(x2), order="after"))
    assert np.array_equal(alpha, cutout.alpha)


@pytest.mark.parametrize("order", ["before", "after"])
def test_corrections_are_said_of_the_photograph(product, remover, x2, order):
    rgb, _ = product
    height, width = rgb.shape[:2]
    box = nssbg.Corrections(box=(width / 4, height / 4, width / 2, height / 2))
    cutout = remover.cutout(rgb, corrections=box, enhance=Enhancement(model=str(x2), order=order))
    rows, columns = np.nonzero(cutout.alpha > 127)
    assert rows.size
    # Within the box, of twice the coordinates.
    assert height / 2 - 2 <= rows.min() <= rows.max() <= height + 2
    assert width / 2 - 2 <= columns.min() <= columns.max() <= width + 2
    outside = nssbg.Corrections(keep=((width + 5, 3),))
    with pytest.raises(nssbg.OptionError, match=f"outside the picture of {width} x {height}"):
        remover.cutout(rgb, corrections=outside, enhance=Enhancement(model=str(x2), order=order))


def test_the_pictures_own_alpha_goes_with_it(product, remover, x2):
    rgb, _ = product
    own = np.full(rgb.shape[:2], 255, np.uint8)
    own[:, : rgb.shape[1] // 2] = 0
    picture = np.dstack([rgb, own])
    for order in ("before", "after"):
        alpha = remover.alpha(picture, enhance=Enhancement(model=str(x2), order=order))
        assert alpha.shape == (2 * rgb.shape[0], 2 * rgb.shape[1])
        # Guided by a photograph that has no edge there.
        assert (alpha[:, : rgb.shape[1] - 12] == 0).all()
        assert (alpha[:, rgb.shape[1] + 12 :] > 200).any()


def test_auto_deblocks_by_the_files_own_compression(product, remover, tmp_path):
    rgb, _ = product
    model = sidecar_network(tmp_path, "told", conditions=("denoise", "deblock"), gain=1.0)
    stream = io.BytesIO()
    Image.fromarray(rgb).save(stream, "JPEG", quality=30)
    data = stream.getvalue()
    seen = {
        name: remover.cutout(data, enhance=Enhancement(model=str(model), **more)).frame.rgb
        for name, more in {
            "auto": {},
            "as it is": {"deblock": (95 - 30) / 75},
            "none": {"deblock": 0.0},
        }.items()
    }
    assert np.abs(seen["auto"].astype(int) - seen["as it is"]).max() <= 1
    assert not np.array_equal(seen["auto"], seen["none"])


def test_in_a_stream_each_source_may_have_its_own(product, x2, tmp_path):
    rgb, _ = product
    how = {0: None, 1: Enhancement(model=str(x2)), 2: Enhancement(model=str(x2), order="after")}
    pictures = [rgb, rgb.copy(), rgb.copy()]
    which = {id(picture): how[number] for number, picture in enumerate(pictures)}
    with nssbg.Remover("studio", threads=2, **CPU) as remover:
        with remover.map(pictures, enhance=lambda source: which[id(source)]) as stream:
            outcomes = list(stream)
            report = stream.report()
        alone = [remover.cutout(rgb, enhance=one) for one in how.values()]
    assert [outcome.error for outcome in outcomes] == [None] * 3
    for outcome, expected in zip(outcomes, alone, strict=True):
        assert np.array_equal(outcome.cutout.rgba, expected.rgba)
    assert outcomes[0].report.enhancement is None
    assert report.stage_wall["enhance"] > 0


@pytest.mark.parametrize("order", ["before", "after"])
def test_memory_is_predicted_for_the_enhanced_size(product, x2, order, tmp_path):
    rgb, _ = product
    path = tmp_path / "photo.png"
    Image.fromarray(rgb).save(path)
    header = peek_header(path)
    plain, large = bytes_in_flight(header), bytes_in_flight(header, upscale=2)
    pixels = rgb.shape[0] * rgb.shape[1]
    assert large - plain >= (4 - 1) * 14 * pixels
    enhance = Enhancement(model=str(x2), order=order)
    with nssbg.Remover("studio", threads=1, max_memory=(plain + large) // 2, **CPU) as remover:
        assert remover.cutout(path).alpha.shape == rgb.shape[:2]
        with pytest.raises(nssbg.ImageDecodeError, match=r"photo\.png.*predicted"):
            remover.cutout(path, enhance=enhance)
    with nssbg.Remover("studio", threads=1, max_pixels=2 * pixels, **CPU) as remover:
        assert remover.cutout(path).alpha.shape == rgb.shape[:2]
        with pytest.raises(nssbg.ImageDecodeError, match=r"photo\.png.*times 2.*max_pixels"):
            remover.cutout(path, enhance=enhance)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"upscale": 5}, "upscale must be one of"),
        ({"upscale": True}, "upscale must be one of"),
        ({"denoise": 2}, "denoise must be 0.0 to 1.0"),
        ({"deblock": "much"}, "deblock must be"),
        ({"order": "during"}, "order must be one of before, after"),
        ({"model": 3}, "a name or a path"),
        ({"model": ""}, "a name or a path"),
    ],
)
def test_what_cannot_be_is_refused(options, message):
    with pytest.raises(nssbg.OptionError, match=message):
        Enhancement(**options)


def test_what_is_no_enhancement_is_refused(product, remover):
    rgb, _ = product
    with pytest.raises(nssbg.OptionError, match=r"enhance must be a nssbg\.Enhancement"):
        remover.cutout(rgb, enhance=2)
    with pytest.raises(nssbg.OptionError, match=r"enhance must be a nssbg\.Enhancement"):
        remover.cutout(rgb, enhance=lambda source: "x2")


def test_a_network_of_another_task_is_refused(product, remover):
    rgb, _ = product
    with pytest.raises(nssbg.ModelError, match="gives an alpha"):
        remover.cutout(rgb, enhance=Enhancement(model="nssbg-lite"))


def test_the_licence_counts_for_the_enhancing_network_too(product, tmp_path):
    rgb, _ = product
    model = sidecar_network(tmp_path, commercial=None)
    with (
        nssbg.Remover("studio", threads=1, license="commercial", **CPU) as remover,
        pytest.raises(nssbg.LicenseError, match="not settled"),
    ):
        remover.cutout(rgb, enhance=Enhancement(model=str(model)))


def test_the_command_enhances_what_it_cuts_out(product, x2, tmp_path, capsys):
    rgb, _ = product
    Image.fromarray(rgb).save(tmp_path / "a.png")
    command = [
        "remove", str(tmp_path / "a.png"), str(tmp_path / "b.png"), "--model", "studio",
        "--backend", "onnxruntime", "--threads", "1", "--enhance-model", str(x2), "--json",
    ]  # fmt: skip
    assert main([*command, "--enhance", "after"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["enhancement"]["model"] == "x2"
    with nssbg.Remover("studio", threads=1, **CPU) as remover:
        enhance = Enhancement(model=str(x2), order="after")
        expected = remover.cutout(rgb, enhance=enhance)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "b.png")), expected.rgba)
    assert main([*command, "--overwrite", "--upscale", "3"]) == 2
    assert "upscale can be 1, 2, not 3" in capsys.readouterr().err
    assert main([*command, "--overwrite", "--deblock", "much"]) == 2
