"""Tests of the enhancement networks' training: what is told is what was done, kernels fold, the
file computes what the network does, a stopped run goes on as if it had not been stopped."""

from __future__ import annotations

import copy
import dataclasses
import sys
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
torch = pytest.importorskip("torch")

import memmap_dataset  # noqa: E402
from enhance import (  # noqa: E402
    degradations,
    evaluate,
    export,
    measures,
    network,
    pictures,
    samples,
    train,
)

RECIPE = """
seed = 3
rate = 2e-3
warm_up = 4
decay_from = 0.5
floor = 0.1
average = 0.9
[upscale]
width = 8
depth = 1
patch = 16
batch = 2
steps = 6
turns = 1
loss = "charbonnier"
noise = 0.3
jpeg = 0.3
blur = 0.3
linear_resize = 0.3
gray = 0.2
[restore]
widths = [8, 12]
depths = [3, 1]
patch = 16
batch = 2
steps = 6
turns = 1
loss = "root-mean-square"
noise = 0.4
jpeg = 0.3
both = 0.2
gray = 0.2
"""


SMALL = {
    "upscale": {"width": 8, "depth": 1},
    "restore": {"widths": [8, 12], "depths": [3, 1]},
}


def picture(height: int = 96, width: int = 128, seed: int = 0) -> degradations.Pixels:
    """Soft blobs and a hard edge."""
    random = np.random.default_rng(seed)
    noise = cv2.GaussianBlur(random.normal(0, 1, (height, width, 3)), (0, 0), 4)
    base = 128 + 60 * noise / noise.std()
    base[:, width // 2 :] += 50
    return np.clip(base, 0, 255).astype(np.uint8)


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> train.Recipe:
    """A short recipe, and a work folder whose bank has two pictures."""
    monkeypatch.setenv("NSSBG_TRAINING_WORK", str(tmp_path / "work"))
    items = [(f"drawn/{i}", "drawn", picture(seed=i)) for i in range(2)]
    memmap_dataset.write_bank(pictures.bank_folder(), "training", items, [(1.0, True), (1.0, True)])
    (tmp_path / "recipe.toml").write_text(RECIPE)
    return train.read_recipe(tmp_path / "recipe.toml")


@pytest.mark.parametrize("strength", [5.0, 20.0])
def test_sensor_noise_has_about_the_strength_asked_for_in_mid_tones_and_grows_with_light(
    strength: float,
) -> None:
    random = np.random.default_rng(1)
    spreads = {}
    for level in (40, 124, 220):  # 124 is 0.2 in linear light
        flat = np.full((200, 200, 3), level, np.uint8)
        found = [degradations.sensor_noise(flat, strength, random) for _ in range(12)]
        spreads[level] = np.mean([f[..., 1].astype(float).std() for f in found])
    assert 0.8 * strength < spreads[124] < 1.2 * strength
    linear = {
        level: spread
        * float(
            degradations.to_linear(np.uint8(level + 1)) - degradations.to_linear(np.uint8(level))
        )
        for level, spread in spreads.items()
    }
    assert linear[40] < linear[124] < linear[220]


def test_linear_light_goes_there_and_back() -> None:
    values = np.arange(256, dtype=np.uint8)
    back = degradations.from_linear(degradations.to_linear(values))
    assert np.array_equal(np.rint(back * 255), values)


def test_what_is_told_is_what_was_done() -> None:
    random = np.random.default_rng(2)
    clean = picture()
    noise = degradations.Shares(noise=1, jpeg=0)
    for _ in range(8):
        given, denoise, deblock = degradations.spoiled(clean, noise, random)
        spread = float(np.sqrt(np.mean((given.astype(float) - clean) ** 2)))
        assert deblock == 0
        assert denoise == pytest.approx(min(spread / degradations.STRONGEST_NOISE, 1), abs=1e-6)
    written = degradations.Shares(noise=0, jpeg=1)
    told = []
    for _ in range(8):
        given, denoise, deblock = degradations.spoiled(clean, written, random)
        assert denoise == 0
        told.append((deblock, np.abs(given.astype(float) - clean).mean()))
    weakest, strongest = min(told), max(told)
    assert weakest[0] < strongest[0]
    assert weakest[1] < strongest[1]
    untouched = degradations.spoiled(clean, degradations.Shares(noise=0, jpeg=0), random)
    assert np.array_equal(untouched[0], clean)
    assert untouched[1:] == (0.0, 0.0)
    assert [degradations.deblock_of(q) for q in (20, 95, 100)] == [1.0, 0.0, 0.0]
    together = degradations.Shares(noise=0, jpeg=0, both=1)
    _, denoise, deblock = degradations.spoiled(clean, together, np.random.default_rng(1))
    assert min(denoise, deblock) > 0
    gray = degradations.spoiled(degradations.gray(clean), noise, random, is_gray=True)[0]
    assert np.array_equal(gray[..., 0], gray[..., 2])


def test_a_batch_follows_from_its_step(recipe: train.Recipe) -> None:
    patches = samples.Patches(memmap_dataset.Bank(pictures.bank_folder(), "training"))
    for name, scale in (("upscale", 2), ("restore", 1)):
        task = train.task_of(name, recipe.networks[name])
        one, two, other = (samples.batch(task, scale, patches, 3, step) for step in (7, 7, 8))
        assert torch.equal(one[0], two[0])
        assert torch.equal(one[1], two[1])
        assert not torch.equal(one[0], other[0])
        assert one[0].shape == (2, 5, 16, 16)
        assert one[1].shape == (2, 3, 16 * scale, 16 * scale)


def test_patches_of_both_sizes_lie_on_each_other(recipe: train.Recipe) -> None:
    """Nothing done to them: the halved patch is the truth's own, to the pixel."""
    patches = samples.Patches(memmap_dataset.Bank(pictures.bank_folder(), "training"))
    task = samples.Task("upscale", 16, 8, degradations.Shares(noise=0, jpeg=0, gray=0))
    given, wanted = samples.batch(task, 2, patches, 3, 1)
    halves = torch.nn.functional.avg_pool2d(wanted, 2)
    centred = torch.nn.functional.avg_pool2d(wanted.roll(2, 3), 2)
    error = (given[:, :3] - halves).abs().mean()
    assert error < 0.5 * (given[:, :3] - centred).abs().mean()


def test_the_baseline_is_pillows_bicubic() -> None:
    small = cv2.GaussianBlur(picture(40, 56), (0, 0), 1.0)
    expected = np.asarray(
        Image.fromarray(small).resize((112, 80), Image.Resampling.BICUBIC)
    ).astype(float)
    told = torch.zeros(1, 5, 40, 56)
    told[0, :3] = torch.from_numpy(small.transpose(2, 0, 1) / np.float32(255))
    found = network.UpscaleNetwork(8, 1).baseline(told)[0].permute(1, 2, 0).numpy() * 255
    assert np.abs(found - expected)[6:-6, 6:-6].max() < 1.5


@pytest.mark.parametrize("name", ["upscale", "restore"])
def test_the_file_computes_what_the_network_does(name: str, tmp_path: Path) -> None:
    torch.manual_seed(1)
    learnt = network.network_of(name, SMALL[name]).eval()
    for parameter in learnt.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    batch = torch.rand(2, 5, 20, 24)
    batch[:, 3:] = batch[:, 3:, :1, :1]
    with torch.no_grad():
        expected = learnt(batch)
        plain = network.folded(copy.deepcopy(learnt))
        assert torch.allclose(plain(batch), expected, atol=1e-5)
    path = tmp_path / "net.onnx"
    path.write_bytes(export.graph_of(plain).SerializeToString())
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    found = session.run(None, {"image": batch.numpy()})[0]
    assert np.abs(found - expected.numpy()).max() < 5e-3  # weights of half precision
    assert path.stat().st_size < 2 * sum(p.numel() for p in plain.parameters()) + 8000


def test_a_picture_of_which_nothing_is_told_comes_back_as_it_came() -> None:
    torch.manual_seed(1)
    learnt = network.network_of("restore", SMALL["restore"]).eval()
    for parameter in learnt.parameters():
        parameter.data += 0.2 * torch.randn_like(parameter)
    told = torch.rand(1, 5, 20, 24)
    told[:, 3:] = 0
    with torch.no_grad():
        assert torch.equal(learnt(told), told[:, :3])
        told[:, 3] = 0.5
        assert not torch.allclose(learnt(told), told[:, :3], atol=1e-3)


def test_operations_are_counted_at_each_level() -> None:
    restore = network.network_of("restore", SMALL["restore"])
    cells = 9 * 14 * 8 + 3 * 9 * 8 * 8 + 9 * 8 * 12  # head, three within, tail
    below = 4 * 8 * 12 + 9 * 12 * 12 + 12 * 4 * 8  # down, one within, up
    assert network.operations(restore) == cells / 4 + below / 16
    with pytest.raises(ValueError, match="2 widths and 1 depths"):
        network.RestoreNetwork([8, 12], [1])


def test_each_network_has_the_loss_that_it_was_trained_by() -> None:
    found, wanted = torch.zeros(1, 3, 1, 2), torch.tensor([[0.0, 0.4]]).expand(1, 3, 1, 2)
    baseline = torch.full_like(wanted, 0.2)  # off by 0.2 everywhere
    losses = {k: train.loss_of(k, found, wanted, baseline).item() for k in train.LOSSES}
    assert losses["charbonnier"] == pytest.approx(0.2 / 0.21, abs=5e-3)
    assert losses["root-mean-square"] == pytest.approx(0.08**0.5 / 0.21, abs=5e-3)
    kinds = {name: entry["loss"] for name, entry in train.read_recipe().networks.items()}
    assert kinds == {"upscale": "charbonnier", "restore": "root-mean-square"}


def loss_on_the_same(learner: train.Learner, recipe: train.Recipe) -> float:
    """Of the network as it is, on 16 samples that are always the same."""
    patches = samples.Patches(memmap_dataset.Bank(pictures.bank_folder(), "training"))
    task = dataclasses.replace(learner.task, batch=16)
    given, wanted = samples.batch(task, learner.network.scale, patches, recipe.seed, 0)
    with torch.no_grad():
        baseline = learner.network.baseline(given)
        return train.loss_of(learner.loss, learner.network(given), wanted, baseline).item()


def test_a_picture_is_learnt_and_a_stopped_run_goes_on_as_if_it_had_not_been(
    recipe: train.Recipe, tmp_path: Path
) -> None:
    whole = train.run(recipe, tmp_path / "whole.pt")
    short = copy.deepcopy(recipe)
    for wanted in short.networks.values():
        wanted["steps"] = 3
    train.run(short, tmp_path / "parts.pt")
    # The rate's fall follows from all the steps there will be: only those before it are the same.
    stopped = torch.load(tmp_path / "parts.pt", weights_only=True)
    assert stopped["upscale"]["step"] == 3
    resumed = train.run(recipe, tmp_path / "parts.pt")
    for one, two in zip(whole, resumed, strict=True):
        assert one.step == two.step == 6
        assert two.shown == pytest.approx(one.shown[3:], rel=1e-3)
        # The losses shown are of other samples each: on the same ones it has fallen.
        assert loss_on_the_same(one, recipe) < loss_on_the_same(
            train.Learner(one.name, recipe), recipe
        )


def test_the_rate_rises_stays_and_falls(recipe: train.Recipe) -> None:
    assert recipe.rate_at(0, 0.0) == pytest.approx(recipe.rate / 4)
    assert recipe.rate_at(5, 0.4) == recipe.rate
    assert recipe.rate_at(5, 1.0) == pytest.approx(recipe.rate * recipe.floor)
    shares = [recipe.rate_at(5, share) for share in np.linspace(0.5, 1, 9)]
    assert shares == sorted(shares, reverse=True)


def test_frames_of_one_video_stay_together() -> None:
    video = next(s for s in pictures.read_sources() if s.kind == "frames")
    parts = {
        clip: {pictures.part_of(video, f"{clip}/{frame:05}") for frame in range(40)}
        for clip in ("bear", "camel", "dog", "swan", "train")
    }
    assert all(len(found) == 1 for found in parts.values())


def test_sources_that_come_as_jpeg_are_reduced() -> None:
    for source in pictures.read_sources():
        if source.files.endswith(".jpg"):
            assert source.shrink >= 1.5, source.name


def test_measures_give_known_answers() -> None:
    truth = picture(200, 240)
    assert measures.gmsd(truth, truth) == 0
    assert measures.ms_ssim(truth, truth) == pytest.approx(1)
    shifted = np.where(truth < 255, truth + 1, truth - 1).astype(np.uint8)
    assert measures.psnr_rgb(shifted, truth) == pytest.approx(48.13, abs=0.01)
    noisy = evaluate.noisy(truth, 1)
    assert measures.psnr_rgb(noisy, truth) == pytest.approx(20.2, abs=0.4)
    assert measures.ms_ssim(noisy, truth) < 0.97
    assert measures.gmsd(noisy, truth) > 0.02
    alpha = np.zeros(truth.shape[:2], np.uint8)
    alpha[:, 100:140], alpha[:, 99], alpha[:, 140] = 255, 128, 128
    assert measures.overshoot(truth, truth, alpha) == 0
    assert (
        measures.overshoot(np.clip(truth.astype(int) + 90, 0, 255).astype(np.uint8), truth, alpha)
        > 5
    )


def test_a_network_runs_over_pictures_of_odd_size(tmp_path: Path) -> None:
    for name, scale in (("upscale", 2), ("restore", 1)):
        plain = network.folded(network.network_of(name, SMALL[name]).eval())
        path = tmp_path / f"{name}.onnx"
        path.write_bytes(export.graph_of(plain).SerializeToString())
        small = picture(33, 47)
        found = evaluate.Network(path, scale)(small, 0.2, 0.3)
        assert found.shape == (33 * scale, 47 * scale, 3)


def test_the_tables_have_a_row_for_each_set(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Networks that have learnt nothing: as good as bicubic, and as the picture that came."""
    networks = {}
    for name, scale in (("upscale", 2), ("restore", 1)):
        plain = network.folded(network.network_of(name, SMALL[name]).eval())
        plain.tail.weight.data.zero_()
        path = tmp_path / f"{name}.onnx"
        path.write_bytes(export.graph_of(plain).SerializeToString())
        networks[name] = evaluate.Network(path, scale)
    for title, key, way in [
        *evaluate.TASKS.values(),
        ("", "restore", partial(evaluate.denoised, beside_peers=True)),
    ]:
        rows = way([picture()], networks[key])
        evaluate.show(title, [("drawn", 1, rows)])
        found = list(rows.values())
        assert found[-1].psnr_y[0] == pytest.approx(found[0].psnr_y[0], abs=0.2)
    assert capsys.readouterr().out.count("| drawn | 1 |") == 5
