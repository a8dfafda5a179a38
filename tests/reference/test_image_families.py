"""Published image and depth networks: fed and read as their publishers do, against plain NumPy.

A generated network with the family's interface stands in for the weights; its plan is that of the
family (pixel shuffle, pixel unshuffle, windows, a mean over everything). The reference is written
from the publishers' own inference code and runs the onnx package's evaluator.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from image_graphs import depth_network, image_network
from model_graphs import run_reference
from PIL import Image

import nssbg
from nssbg._enhance.depth import DepthNetwork
from nssbg._enhance.network import ImageNetwork
from nssbg._io import decode
from nssbg._models.catalog import builtin_catalog

CATALOG = builtin_catalog()
IMAGENET = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])

# What the plan of each family asks of a stand-in.
IMAGES = {
    "realesr-general-x4v3": {"scale": 4, "depth": 6},
    "realesrgan-x2plus": {"scale": 2, "depth": 5, "unshuffle": 2},
    "swinir-light-x2": {"scale": 2, "depth": 4, "window": 8},
    "nafnet-sidd-width32": {"depth": 4, "everywhere": True},
    "scunet-psnr": {"depth": 4, "window": 64},
}
DEPTHS = {"depth-anything-v2-small": {"axes": 3}, "midas-small": {"axes": 3, "tile": (256, 256)}}


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("NSSBG_HOME", str(tmp_path_factory.mktemp("home")))


def photograph(height, width):
    random = np.random.default_rng(8)
    y, x = np.mgrid[0:height, 0:width]
    waves = np.stack([np.sin(x / 9 + y / 14), np.sin(x / 5 - y / 21), np.cos(x / 13)], -1)
    return np.clip(128 + 70 * waves + random.normal(0, 6, waves.shape), 0, 255).astype(np.uint8)


def test_every_model_of_the_catalog_is_held_to_its_family():
    kinds = {name: model.task for name, model in CATALOG.items() if model.task != "matte"}
    assert {name for name, task in kinds.items() if task == "image"} == set(IMAGES)
    assert {name for name, task in kinds.items() if task == "depth"} == set(DEPTHS)


def published(rgb, path, scale, unit):
    """RealESRGANer.process, test of SwinIR and NAFNet: / 255, pad by reflection to whole windows,
    run at once, clip to 0..1, cut, round."""
    image = rgb.astype(np.float32) / 255.0
    height, width = rgb.shape[:2]
    beyond = ((0, -height % unit), (0, -width % unit), (0, 0))
    tensor = np.pad(image, beyond, mode="reflect").transpose(2, 0, 1)[None]
    output = np.clip(run_reference(path, tensor)[0][0].transpose(1, 2, 0), 0, 1)
    return np.round(output[: height * scale, : width * scale] * 255.0)


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("name", IMAGES)
def test_an_image_network_gives_what_is_published(tmp_path, name, backend):
    model = CATALOG[name]
    path = image_network(tmp_path / model.file, seed=4, **IMAGES[name])
    # Room for what is compared, inside of what the edges' windows see.
    rgb = photograph(*(210, 230) if model.multiple > 16 else (120, 137))
    network = ImageNetwork(model.at(path), backend=backend, device="cpu", threads=1)
    got = network.run(rgb).astype(float)
    expected = published(rgb, path, model.scale, model.multiple)
    assert got.shape == expected.shape
    # Near the edges the published code sees zeros, or less of the reflection; inside, the same.
    reach = 8 + model.multiple
    inner = slice(reach * model.scale, -reach * model.scale)
    apart = np.abs(got - expected)[inner, inner]
    # A mean over everything differs with what is seen: it is the family's own tiles that do.
    assert apart.max() <= (6 if name.startswith("nafnet") else 1)
    whole = nssbg.enhance(rgb, model=model.at(path), backend=backend, device="cpu", threads=1)
    assert np.array_equal(whole, got)


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("name", DEPTHS)
@pytest.mark.parametrize("size", [(300, 400), (400, 300)])
def test_a_depth_network_is_fed_and_read_as_published(tmp_path, name, backend, size):
    model = CATALOG[name]
    if name.startswith("depth-anything"):  # a quarter of it: NumPy's convolutions are slow
        model = replace(model, height=140, width=140)
        rows, columns = (140, 182) if size[0] < size[1] else (182, 140)
    else:
        rows, columns = 256, 256
    path = depth_network(tmp_path / model.file, **DEPTHS[name])
    rgb = photograph(*size)
    resized = np.asarray(Image.fromarray(rgb).resize((columns, rows), Image.Resampling.BICUBIC))
    tensor = resized.astype(np.float32) / 255.0
    if name.startswith("depth-anything"):
        tensor = (tensor - IMAGENET[0]) / IMAGENET[1]
    raw = run_reference(path, tensor.transpose(2, 0, 1)[None])[0][0]
    expected = (raw - raw.min()) / (raw.max() - raw.min())
    network = DepthNetwork(model.at(path), backend=backend, device="cpu", threads=1)
    got = network.coarse(decode(rgb))
    assert got.shape == (rows, columns)
    assert np.abs(got - expected).max() < 0.01
    whole = nssbg.depth(rgb, model=model.at(path), backend=backend, device="cpu", threads=1)
    assert whole.shape == size
    assert whole.dtype == np.float32
    assert (whole.min(), whole.max()) >= (0, 0.9)
    large = np.asarray(
        Image.fromarray(expected.astype(np.float32)).resize(size[::-1], Image.Resampling.BILINEAR)
    )
    assert np.abs(whole - large).max() < 0.02


def test_depth_anything_keeps_the_proportions_in_multiples_of_fourteen():
    """DPT's lower_bound, by its own code: the short side is the size, the other rounded."""
    model = CATALOG["depth-anything-v2-small"]
    assert model.input_size(1200, 1600) == (518, 686)
    assert model.input_size(1600, 1200) == (686, 518)
    assert model.input_size(518, 518) == (518, 518)
    assert model.input_size(100, 1000) == (518, 5180)
    assert model.input_size(3000, 4001) == (518, 686)
