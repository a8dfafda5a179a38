"""The enhancement networks of the wheel: their files, what they gain, what they leave as it is."""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import nssbg
from nssbg._enhance.image import EnhanceOptions
from nssbg._enhance.network import ImageNetwork
from nssbg._enhance.opening import chosen_model
from nssbg._enhance.receptive_field import measured_reach
from nssbg._io import decode
from nssbg._models.catalog import bundled_models, catalog, matting_models
from nssbg._planner.graph_cost import graph_cost
from nssbg._runtime import open_backend
from nssbg.cli.main import main
from nssbg.cli.tune import tensors_of

NAMES = ("nssbg-restore", "nssbg-x2")
EXAMPLES = Path(__file__).parents[2] / "examples"
ON_CPU = {"device": "cpu", "threads": 1}


def psnr(found, truth, border=0):
    """Of luma, dB."""
    weights = np.array([65.481, 128.553, 24.966]) / 255
    error = ((found.astype(float) - truth) @ weights)[
        border : truth.shape[0] - border, border : truth.shape[1] - border
    ]
    return 10 * np.log10(255**2 / np.mean(error**2))


def size_of(path):
    with Image.open(path) as image:
        return image.size


# dB that are gained at least: x2 over bicubic, sigma 25, JPEG 30. Fur has the least to gain.
GAINS = {"bear": (0.7, 1.5, 0.4), "mug": (2.0, 12.0, 1.0)}


@pytest.fixture(scope="module", params=GAINS)
def example(request):
    """A photograph and what is to be gained on it at least."""
    return part_of(request.param), GAINS[request.param]


@pytest.fixture
def photograph(example):
    return example[0]


def part_of(name):
    """A part of an example, halved, so that its own compression does not count."""
    with Image.open(EXAMPLES / f"{name}.jpg") as opened:
        image = opened.convert("RGB")
    image = image.resize((image.width // 2, image.height // 2), Image.Resampling.LANCZOS)
    middle = image.width // 2, image.height // 2
    return np.asarray(image.crop((middle[0] - 120, middle[1] - 120, *(c + 120 for c in middle))))


@pytest.mark.parametrize("name", NAMES)
def test_the_files_are_the_ones_that_were_measured(name):
    model = bundled_models()[name]
    content = model.path.read_bytes()
    assert len(content) == model.bytes
    assert model.digest == ("sha256", hashlib.sha256(content).hexdigest())
    assert (model.license, model.commercial) == ("Apache-2.0", True)
    assert model.conditions == ("denoise", "deblock")


def test_together_they_are_small():
    folder = bundled_models()[NAMES[0]].path.parent
    assert sum(bundled_models()[name].bytes for name in NAMES) <= 3_000_000
    # With both forms of the segmentation network: all that a wheel carries of weights.
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 11_000_000


def test_they_stand_in_no_list_of_networks_that_cut_out():
    from nssbg.bench.models import _here
    from nssbg.bench.settings import Settings
    from nssbg.studio_page.about import _models

    lists = [
        [model.name for model in matting_models()],
        [model.name for model in _here(Settings())],
        [record["name"] for record in _models()],
    ]
    for names in lists:
        assert "nssbg-lite" in names
        assert not set(NAMES) & set(names)
    assert set(NAMES) <= set(catalog())


def test_their_cost_is_counted_with_the_planes_that_they_are_told_in():
    cost = {name: graph_cost(bundled_models()[name], size=(64, 64)) for name in NAMES}
    # Two for a multiplication and its addition.
    assert 2 * 64_000 < cost["nssbg-restore"].operations / 64**2 < 2 * 66_800
    assert 2 * 60_000 < cost["nssbg-x2"].operations / 64**2 < 2 * 63_000


def test_pictures_that_they_are_tuned_on_have_the_planes_that_they_are_told_in():
    picture = str(EXAMPLES / "mug.jpg")
    assert tensors_of(bundled_models()["nssbg-x2"], [picture])[0].shape == (1, 5, 256, 256)
    assert tensors_of(bundled_models()["nssbg-lite"], [picture])[0].shape == (1, 3, 384, 384)


def test_the_list_of_models_shows_their_size(capsys):
    assert main(["models", "list"]) == 0
    (row,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("nssbg-x2")]
    assert "0.1 MB" in row


@pytest.mark.parametrize(
    ("options", "name"),
    [
        (EnhanceOptions(), "nssbg-x2"),
        (EnhanceOptions(upscale=2), "nssbg-x2"),
        (EnhanceOptions(upscale=2, denoise=0.3, deblock=0.5), "nssbg-x2"),
        (EnhanceOptions(upscale=1), "nssbg-restore"),
        (EnhanceOptions(denoise=0.5), "nssbg-restore"),
        (EnhanceOptions(deblock=0.5), "nssbg-restore"),
    ],
)
def test_what_is_asked_for_chooses(options, name):
    assert chosen_model(None, "image", options).name == name


def test_upscaling_beats_bicubic_on_photographs(example):
    photograph, (least, _, _) = example
    small = Image.fromarray(photograph).resize((120, 120), Image.Resampling.BICUBIC)
    plain = np.asarray(small.resize((240, 240), Image.Resampling.BICUBIC))
    found = nssbg.enhance(np.asarray(small), upscale=2, **ON_CPU)
    assert psnr(found, photograph, 8) > psnr(plain, photograph, 8) + least


def test_noise_is_taken_out(example):
    photograph, (_, least, _) = example
    noise = np.random.default_rng(0).normal(0, 25, photograph.shape)
    noisy = np.clip(np.rint(photograph + noise), 0, 255).astype(np.uint8)
    found = nssbg.enhance(noisy, denoise=0.5, **ON_CPU)
    assert psnr(found, photograph) > psnr(noisy, photograph) + least
    less = nssbg.enhance(noisy, denoise=0.2, **ON_CPU)
    assert psnr(noisy, photograph) < psnr(less, photograph) < psnr(found, photograph)


def test_blocks_are_taken_out_by_the_files_own_quality(example):
    photograph, (_, _, least) = example
    data = io.BytesIO()
    Image.fromarray(photograph).save(data, "JPEG", quality=30)
    came = decode(data.getvalue()).rgb
    found = decode(nssbg.enhance(data.getvalue(), upscale=1, format="png", **ON_CPU)).rgb
    assert psnr(found, photograph) > psnr(came, photograph) + least
    asked = nssbg.enhance(came, deblock=(95 - 30) / 75, **ON_CPU)
    assert np.abs(found.astype(int) - asked).max() <= 1


def test_told_nothing_a_clean_picture_hardly_changes(photograph):
    found = nssbg.enhance(photograph, denoise=0, **ON_CPU)
    assert np.abs(found.astype(int) - photograph).max() <= 2


@pytest.mark.parametrize("name", NAMES)
def test_tiles_give_the_image_of_the_whole_picture(name, photograph):
    model = bundled_models()[name]
    told = {"denoise": 0.5, "deblock": 0.5}
    tiled = ImageNetwork(replace(model, height=64, width=64), **ON_CPU).run(photograph, told=told)
    whole = ImageNetwork(replace(model, height=320, width=320), **ON_CPU).run(photograph, told=told)
    assert np.abs(tiled.astype(int) - whole).max() <= 1


@pytest.mark.parametrize("name", NAMES)
def test_a_tile_sees_as_far_as_the_network_looks(name):
    model = bundled_models()[name]

    def run_at(height, width):
        return open_backend(replace(model, height=height, width=width), **ON_CPU).run

    assert measured_reach(run_at, model).overlap == model.overlap


@pytest.mark.parametrize("name", NAMES)
def test_flat_colours_stay(name):
    network = ImageNetwork(bundled_models()[name], **ON_CPU)
    levels = (0, 60, 128, 200, 255)
    for color in [(a, b, c) for a in levels for b in levels for c in levels][::3]:
        flat = np.full((16, 16, 3), color, np.uint8)
        assert np.abs(network.run(flat).astype(int) - color).max() <= 2, color


def test_edges_ring_less_than_lanczos_makes_them():
    """Discs on flat shades: how far colours leave the range of the two shades."""
    y, x = np.mgrid[0:96, 0:96] + 0.5
    cover = np.clip((30 - np.hypot(y - 48, x - 48)) + 0.5, 0, 1)[..., None]
    beyond = {"nssbg": 0.0, "lanczos": 0.0}
    for front, back in (((200, 60, 40), (60, 70, 90)), ((50, 50, 60), (190, 200, 180))):
        truth = np.rint(np.float64(front) * cover + np.float64(back) * (1 - cover))
        large = Image.fromarray(truth.astype(np.uint8))
        small = large.resize((48, 48), Image.Resampling.BOX)
        found = {
            "nssbg": nssbg.enhance(np.asarray(small), upscale=2, **ON_CPU),
            "lanczos": np.asarray(small.resize((96, 96), Image.Resampling.LANCZOS)),
        }
        low, high = np.minimum(front, back), np.maximum(front, back)
        for title, picture in found.items():
            value = picture.astype(float)
            beyond[title] += (np.maximum(value - high, 0) + np.maximum(low - value, 0)).mean()
    assert beyond["nssbg"] < 0.85 * beyond["lanczos"]


def test_gray_stays_gray():
    with Image.open(EXAMPLES / "mug.jpg") as opened:
        gray = np.asarray(opened.convert("L").reduce(4))
    found = nssbg.enhance(gray, upscale=2, **ON_CPU)
    assert np.array_equal(found[..., 0], found[..., 2])


def test_the_command_needs_no_model(tmp_path, capsys):
    path = tmp_path / "small.jpg"
    with Image.open(EXAMPLES / "mug.jpg") as opened:
        opened.convert("RGB").reduce(8).save(path, quality=60)
    size = size_of(path)
    assert main(["enhance", str(path), str(tmp_path / "large.png"), "--device", "cpu"]) == 0
    assert size_of(tmp_path / "large.png") == (2 * size[0], 2 * size[1])
    clean = str(tmp_path / "clean.png")
    assert main(["enhance", str(path), clean, "--denoise", "0.2", "--device", "cpu"]) == 0
    assert size_of(clean) == size
    assert main(["enhance", str(path), str(tmp_path / "no.png"), "--upscale", "4"]) == 5
    assert "name one by model=" in capsys.readouterr().err
