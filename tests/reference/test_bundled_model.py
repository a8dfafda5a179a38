"""The shipped network on pictures whose alpha is known: checksum, both runtimes, quality floors."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import nssbg
from nssbg._models.sidecar import read_sidecar
from nssbg._segment.confidence import confidence

BUNDLED = Path(nssbg.__file__).parent / "_models" / "bundled"
DATA = Path(__file__).parent.parent / "data"
SIDE = read_sidecar(BUNDLED / "nssbg-lite.toml").input_size(1, 1)[0]


@pytest.fixture(scope="module")
def description():
    return read_sidecar(BUNDLED / "nssbg-lite.toml")


@pytest.fixture(scope="module")
def on_onnxruntime(description):
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(
        str(description.path), providers=["CPUExecutionProvider"]
    )
    return lambda batch: session.run(None, {"image": batch})[0]


def tensor(image, description):
    """A picture as the network takes it; `filter = "bilinear"` is Pillow's of that name."""
    small = image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    unit = np.asarray(small, np.float32) / 255
    normalised = (unit - np.float32(description.mean)) / np.float32(description.std)
    return np.ascontiguousarray(normalised.transpose(2, 0, 1)[None])


def overlap(alpha, truth):
    found, wanted = alpha > 0.5, truth > 0.5
    return (found & wanted).sum() / (found | wanted).sum()


def drawn(shape, subject, backdrop, seed):
    """A simple lit subject on a graded backdrop, and its alpha."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32) / SIDE
    if shape == "disc":
        alpha = np.clip((0.28 - np.hypot(x - 0.5, y - 0.52)) * SIDE + 0.5, 0, 1)
    elif shape == "carton":
        inside = np.minimum(0.2 - np.abs(x - 0.5), 0.33 - np.abs(y - 0.5))
        alpha = np.clip(inside * SIDE + 0.5, 0, 1)
    else:
        ring = 0.07 - np.abs(np.hypot(x - 0.5, y - 0.5) - 0.27)
        alpha = np.clip(ring * SIDE + 0.5, 0, 1)
    light = 1.15 - 0.5 * np.hypot(x - 0.42, y - 0.4)
    front = np.float32(subject) * light[..., None]
    back = np.float32(backdrop) * (1.0 - 0.12 * y)[..., None]
    rgb = front * alpha[..., None] + back * (1 - alpha[..., None])
    rgb = np.clip(rgb + rng.normal(0, 2, rgb.shape), 0, 255).astype(np.uint8)
    return Image.fromarray(rgb), alpha


CASES = {
    "red disc on white": ("disc", (190, 40, 50), (240, 240, 240), 1, 0.9),
    "blue carton on grey": ("carton", (40, 80, 170), (150, 150, 150), 2, 0.9),
    "dark carton on beige": ("carton", (40, 40, 45), (225, 210, 190), 3, 0.9),
    "green ring on white": ("ring", (50, 140, 60), (245, 245, 245), 4, 0.9),
    "blue ring on beige": ("ring", (40, 80, 170), (225, 210, 190), 5, 0.9),
}


def test_the_file_is_the_one_that_was_measured(description):
    content = description.path.read_bytes()
    assert len(content) <= 6_000_000
    assert len(content) == description.bytes
    algorithm, digest = description.digest
    assert algorithm == "sha256"
    assert hashlib.sha256(content).hexdigest() == digest


def test_it_may_be_used_for_anything(description):
    assert description.license == "Apache-2.0"
    assert description.commercial is True


@pytest.mark.parametrize("name", CASES)
def test_drawn_products_are_found(name, description, on_onnxruntime):
    shape, subject, backdrop, seed, floor = CASES[name]
    image, truth = drawn(shape, subject, backdrop, seed)
    alpha = on_onnxruntime(tensor(image, description))[0, 0]
    assert overlap(alpha, truth) > floor
    assert np.abs(alpha - truth).mean() < 0.06


@pytest.mark.parametrize(
    ("name", "floor"),
    [
        ("mug", 0.95),
        ("porcelain", 0.94),
        ("bear", 0.95),
        ("portrait", 0.95),
        ("headphones", 0.9),
        ("bottle", 0.85),  # clear glass, and a label of nearly the wall's colour
    ],
)
def test_photographed_products_are_found(name, floor, description, on_onnxruntime):
    image = Image.open(DATA / f"{name}.jpg")
    mask = Image.open(DATA / f"{name}-mask.png").convert("L")
    truth = np.asarray(mask.resize((SIDE, SIDE), Image.Resampling.BOX), np.float32) / 255
    alpha = on_onnxruntime(tensor(image, description))[0, 0]
    assert overlap(alpha, truth) > floor


def test_dark_eyes_in_brown_fur_are_no_windows():
    """The eyes and the nose of the bear, in the cut-out at full size."""
    with nssbg.Remover("nssbg-lite") as remover:
        alpha = remover.alpha(DATA.parents[1] / "examples" / "bear.jpg")
    assert alpha[300:460, 735:950].min() > 250


def test_both_runtimes_agree_for_any_batch(description, on_onnxruntime):
    openvino = pytest.importorskip("openvino")
    compiled = openvino.Core().compile_model(
        str(description.path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    )
    images = [drawn(*CASES[name][:4])[0] for name in CASES]
    batch = np.concatenate([tensor(image, description) for image in images])
    first = on_onnxruntime(batch)
    second = np.asarray(compiled({"image": batch})[0])
    assert first.shape == (len(images), 1, SIDE, SIDE)
    assert np.abs(first - second).max() < 2e-3
    assert first.min() >= 0
    assert first.max() <= 1
    alone = on_onnxruntime(batch[1:2])
    assert np.abs(alone - first[1:2]).max() < 1e-4


def test_confidence_tells_a_product_from_noise(description, on_onnxruntime):
    def judged(image):
        batch = tensor(image, description)
        both = on_onnxruntime(np.concatenate([batch, batch[..., ::-1]]))
        mirrored = both[1, 0, :, ::-1]
        weights = description.confidence
        return (
            confidence(both[0, 0], weights=weights),
            confidence(both[0, 0], mirrored, weights=weights),
        )

    clear_alone, clear = judged(drawn(*CASES["red disc on white"][:4])[0])
    rng = np.random.default_rng(3)
    noise = Image.fromarray(rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8))
    noise_alone, noisy = judged(noise)
    assert clear.overlap > 0.8
    assert not clear.low_confidence
    assert noisy.overlap < clear.overlap
    assert noise_alone.overlap < clear_alone.overlap


def test_confidence_rejects_what_it_cannot_judge():
    with pytest.raises(ValueError, match="axes"):
        confidence(np.zeros((1, 4, 4), np.float32), weights=None)
    with pytest.raises(ValueError, match="expected"):
        confidence(np.zeros((4, 4), np.float32), np.zeros((4, 5), np.float32), weights=None)
