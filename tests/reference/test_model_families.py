"""Every family's way of feeding and reading a network, against plain NumPy + Pillow.

A generated network with the family's interface (input name, outputs, logits or
probabilities, float16 output, fixed or dynamic shape) stands in for the weights. The reference
is written from the publishers' own inference code: resize, normalise, run, activate, stretch.
What is compared is the coarse alpha, before it is brought to the picture's size.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from model_graphs import mask_network, run_reference
from onnx import TensorProto
from PIL import Image

from nssbg import _io as image_io
from nssbg._models.catalog import builtin_catalog
from nssbg._models.postprocess import coarse_alpha
from nssbg._ops.prepare import prepare
from nssbg._runtime import open_backend

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@dataclass(frozen=True)
class Published:
    """What a family's published code does, in the words of that code."""

    network: dict[str, Any]
    resize: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    output: int
    sigmoid: bool
    stretch: bool


SIDE_OUTPUTS = ("probability", "logits", "other", "other", "other", "other", "other")
U2NET = Published(
    {"outputs": SIDE_OUTPUTS, "input_name": "input.1"}, "lanczos", *IMAGENET, 0, False, True
)
ISNET = Published(
    {"outputs": SIDE_OUTPUTS[:6], "input_name": "input_image"},
    "torch",
    (0.5,) * 3,
    (1.0,) * 3,
    0,
    False,
    True,
)
BIREFNET = Published(
    {"outputs": ("other", "other", "logits"), "input_name": "input_image"},
    "bilinear",
    *IMAGENET,
    2,
    True,
    False,
)
FAMILIES = {
    "u2netp": U2NET,
    "u2net": U2NET,
    "u2net-human-seg": U2NET,
    "silueta": U2NET,
    "isnet-general-use": ISNET,
    # Its package's code: (x - 128) / 256.
    "isnet-general-use-fp16": replace(
        ISNET,
        network={"outputs": SIDE_OUTPUTS, "input_name": "input"},
        mean=(128 / 255,) * 3,
        std=(256 / 255,) * 3,
    ),
    "rmbg-1.4": replace(ISNET, network={"outputs": ("probability",), "input_name": "input"}),
    "isnet-anime": Published(
        {"outputs": ("probability",), "input_name": "img"},
        "lanczos",
        IMAGENET[0],
        (1.0,) * 3,
        0,
        False,
        True,
    ),
    "birefnet-general": BIREFNET,
    "birefnet-portrait": BIREFNET,
    "birefnet-dis": BIREFNET,
    "birefnet-hrsod": BIREFNET,
    "birefnet-cod": BIREFNET,
    "birefnet-massive": BIREFNET,
    "birefnet-hr": BIREFNET,
    "birefnet-general-lite": replace(
        BIREFNET, network={"outputs": ("logits",), "input_name": "input_image"}, output=0
    ),
    "rmbg-2.0": Published(
        {"outputs": ("probability",), "input_name": "pixel_values"},
        "bilinear",
        *IMAGENET,
        0,
        False,
        False,
    ),
    "modnet": Published(
        {"outputs": ("probability",), "input_name": "input"},
        "area",
        (0.5,) * 3,
        (0.5,) * 3,
        0,
        False,
        False,
    ),
    "ben2": Published(
        {"outputs": ("probability",), "output_type": TensorProto.FLOAT16, "input_name": "input"},
        "lanczos",
        *IMAGENET,
        0,
        False,
        True,
    ),
}


def image(height: int, width: int) -> np.ndarray:
    """A subject on a graded backdrop, with grain: something a resize filter shows on."""
    random = np.random.default_rng(height)
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    base = np.stack([0.4 + 0.3 * x, 0.5 + 0.2 * y, 0.6 - 0.3 * x * y], 2)
    inside = ((y - 0.5) / 0.3) ** 2 + ((x - 0.45) / 0.25) ** 2 < 1
    base[inside] = np.stack([0.8 * np.abs(np.sin(40 * x)), 0.3 + 0 * x, 0.2 + 0.5 * y], 2)[inside]
    noisy = base + random.normal(0, 0.02, base.shape)
    return (255 * np.clip(noisy, 0, 1)).round().astype(np.uint8)


def torch_bilinear(rgb: np.ndarray, height: int, width: int) -> np.ndarray:
    """torch's interpolate(mode="bilinear", align_corners=False), without antialiasing."""

    def taps(source: int, target: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        at = np.maximum((np.arange(target) + 0.5) * source / target - 0.5, 0)
        low = np.minimum(at.astype(int), source - 1)
        return low, np.minimum(low + 1, source - 1), at - low

    top, bottom, fy = taps(rgb.shape[0], height)
    left, right, fx = taps(rgb.shape[1], width)
    values = rgb.astype(np.float64)
    rows = values[top] * (1 - fy)[:, None, None] + values[bottom] * fy[:, None, None]
    return rows[:, left] * (1 - fx)[None, :, None] + rows[:, right] * fx[None, :, None]


def reference(rgb: np.ndarray, size: tuple[int, int], rule: Published, network: Any) -> np.ndarray:
    """Plain NumPy + Pillow, float64 but for the network's own arithmetic."""
    height, width = size
    if rule.resize == "torch":
        resized = torch_bilinear(rgb, height, width)
    else:
        filters = {
            "lanczos": Image.Resampling.LANCZOS,
            "bilinear": Image.Resampling.BILINEAR,
            "area": Image.Resampling.BOX,
        }
        resized = np.asarray(Image.fromarray(rgb).resize((width, height), filters[rule.resize]))
    tensor = (resized / 255.0 - np.array(rule.mean)) / np.array(rule.std)
    tensor = tensor.transpose(2, 0, 1)[None].astype(np.float32)
    raw = run_reference(network, tensor)[rule.output][0, 0].astype(np.float64)
    if rule.sigmoid:
        raw = 1 / (1 + np.exp(-raw))
    if rule.stretch:
        raw = (raw - raw.min()) / (raw.max() - raw.min())
    return np.clip(raw, 0, 1)


def test_every_model_of_the_catalog_is_held_to_its_family():
    mattes = {name for name, model in builtin_catalog().items() if model.task == "matte"}
    assert set(FAMILIES) == mattes  # the others: test_image_families.py


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("dynamic", [True, False], ids=["dynamic", "fixed"])
@pytest.mark.parametrize("name", FAMILIES)
def test_as_published_within_one_step(tmp_path, name, dynamic, backend):
    rule = FAMILIES[name]
    model = builtin_catalog()[name]
    # Quarter the input: the rules do not depend on it, NumPy's convolutions on 2048 x 2048 do.
    if model.static:
        model = replace(model, height=model.height // 4, width=model.width // 4)
    else:
        model = replace(model, height=160, width=160)
    rgb = image(371, 523)
    size = model.input_size(371, 523)
    if not model.static:
        assert size == (160, 224)
        if not dynamic:
            pytest.skip("its size follows the picture's")
    network = mask_network(
        tmp_path / model.file,
        size=None if dynamic else size,
        batch=1 if not dynamic else "b",
        seed=7,
        smooth=True,
        **rule.network,
    )
    expected = reference(rgb, size, rule, network)

    frame = image_io.decode(rgb)
    opened = open_backend(model.at(network), backend=backend, device="cpu")
    tensor = prepare(
        image_io.model_rgb(frame), size, mean=model.mean, std=model.std, filter=model.filter
    )
    got = coarse_alpha(opened.run(tensor), model)
    opened.close()
    assert got.shape == (1, *size)
    worst = np.abs(got[0] - expected).max()
    assert worst <= 1 / 255 + (2e-3 if "output_type" in rule.network else 0), worst
    assert expected.std() > 0.02  # a flat map would compare equal to anything
