"""Tests of quantisation-aware fine-tuning: folding and export keep what is computed, gradients
reach every range, fine-tuning brings the rounded network nearer, and the comparison's figures."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
torch = pytest.importorskip("torch")

import architecture  # noqa: E402
import evaluate_int8  # noqa: E402
import export  # noqa: E402
import fake_quantisation  # noqa: E402
import quantise  # noqa: E402
import recipe as recipes  # noqa: E402
from onnx import TensorProto  # noqa: E402

ROUNDED = (fake_quantisation.Rounding, fake_quantisation.RoundedConvolution)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network whose norms have seen something, so that folding them is not a matter of course."""
    torch.manual_seed(3)
    network = architecture.LiteNetwork().train()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.uniform_(module.bias, -0.3, 0.3)
    with torch.no_grad():
        for _ in range(3):
            network(torch.randn(2, 3, 96, 96))
    path = tmp_path_factory.mktemp("int8") / "checkpoint.pt"
    torch.save({"average": network.state_dict()}, path)
    return path


@pytest.fixture
def rounded(checkpoint: Path) -> torch.nn.Module:
    """The same rounded, its ranges from one batch."""
    network = fake_quantisation.rounded(fake_quantisation.folded(checkpoint))
    torch.manual_seed(4)
    fake_quantisation.calibrate(network, [torch.randn(2, 3, 64, 64)])
    return network


def test_folding_keeps_the_answer_of_a_checkpoint_and_of_its_file(
    checkpoint: Path, tmp_path: Path
) -> None:
    network = architecture.LiteNetwork().eval()
    network.load_state_dict(export.weights_of(checkpoint))
    image = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        wanted = network(image)
        folded = fake_quantisation.folded(checkpoint)
        assert torch.allclose(folded(image), wanted, atol=1e-3, rtol=1e-3)
        file = tmp_path / "float32.onnx"
        export.export_float32(network, file)
        again = fake_quantisation.folded(file)
        assert torch.allclose(again(image), wanted, atol=1e-3, rtol=1e-3)
    assert not [m for m in folded.modules() if isinstance(m, torch.nn.BatchNorm2d)]


def test_a_kernel_is_what_its_bytes_and_steps_say(rounded: torch.nn.Module) -> None:
    convolutions = [
        m for m in rounded.modules() if isinstance(m, fake_quantisation.RoundedConvolution)
    ]
    assert len(convolutions) == 46  # all but four depthwise ones
    for convolution in convolutions:
        levels = convolution.levels()
        assert levels.dtype == torch.int8
        assert int(levels.min()) >= -127  # symmetric: no -128
        assert int(levels.abs().max()) == 127  # the range is used
        steps = convolution.steps[:, None, None, None]
        assert torch.allclose(convolution.kernel(), levels * steps, atol=1e-7)


def test_calibration_gives_up_outliers_for_finer_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fake_quantisation, "SAMPLED", 1_000_000)
    rounding = fake_quantisation.Rounding(signed=True)
    rounding.sampled = []
    values = torch.cat([torch.linspace(-1, 1, 200_000), torch.tensor([1.3])])
    rounding(values)
    rounding.calibrate()
    assert 1 / 128 <= float(rounding.step.detach()) < 1.1 / 127
    with torch.no_grad():
        apart = (rounding(values[:-1]) - values[:-1]).abs().max()
    assert float(apart) < 0.02


def test_gradients_reach_every_range_and_kernel(rounded: torch.nn.Module) -> None:
    found = rounded(torch.randn(1, 3, 64, 64))
    quantise.distillation(found, torch.randn_like(found)).backward()
    parameters = {n: p for n, p in rounded.named_parameters() if not n.startswith("side_heads")}
    assert {n for n in parameters if n.endswith("log_step")}
    assert {n for n in parameters if n.endswith("log_steps")}
    without = [n for n, p in parameters.items() if p.grad is None or not p.grad.abs().sum() > 0]
    assert without == []


@pytest.mark.parametrize(
    "in_float", [(), fake_quantisation.IN_FLOAT, fake_quantisation.FLOAT_PARTS]
)
def test_the_file_computes_what_was_trained(
    checkpoint: Path, tmp_path: Path, in_float: tuple[str, ...]
) -> None:
    network = fake_quantisation.rounded(fake_quantisation.folded(checkpoint), in_float)
    torch.manual_seed(5)
    images = torch.randn(2, 3, 64, 64)
    fake_quantisation.calibrate(network, [images])
    file = tmp_path / "int8.onnx"
    fake_quantisation.export_int8(network, file)
    quantise.check(network, file, images)
    with torch.no_grad():
        wanted = torch.sigmoid(network(images)).numpy()
    assert wanted.std() > 0.02  # a constant map would agree with anything
    for run in (export.run_onnxruntime, export.run_openvino):
        assert np.abs(run(file, images.numpy()) - wanted).mean() < 1.0 / 255
    # The file runs at other sizes and batches too, as the float one does.
    assert export.run_onnxruntime(file, np.zeros((3, 3, 96, 64), np.float32)).shape == (
        3,
        1,
        96,
        64,
    )
    graph = onnx.load(str(file)).graph
    rounds = sum(isinstance(m, ROUNDED[1]) for m in network.modules())
    stored = [i for i in graph.initializer if i.data_type == TensorProto.INT8 and len(i.dims) == 4]
    assert len(stored) == rounds
    wide = [i for i in graph.initializer if i.data_type == TensorProto.FLOAT and len(i.dims) == 4]
    assert sum(np.prod(i.dims) for i in wide) < 1000
    precisions = quantise.layer_precisions(file, 64)
    assert sum(precisions.values()) == 50
    whole = sum(count for kind, count in precisions.items() if kind in ("u8", "i8"))
    if whole:  # processors without int8 instructions run it in float32
        assert whole >= rounds - 4  # the depthwise ones have no int8 kernels


def test_another_runtime_network_is_refused(rounded: torch.nn.Module, tmp_path: Path) -> None:
    file = tmp_path / "int8.onnx"
    fake_quantisation.export_int8(rounded, file)
    with torch.no_grad():
        rounded.head.plain.bias.add_(0.5)
    with pytest.raises(SystemExit, match="computes another network"):
        quantise.check(rounded, file, torch.randn(1, 3, 64, 64))


def test_fine_tuning_brings_the_rounded_network_nearer(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import argparse

    torch.manual_seed(6)
    float_network = fake_quantisation.folded(checkpoint)
    network = fake_quantisation.rounded(fake_quantisation.folded(checkpoint))
    image = torch.randint(0, 255, (2, 64, 64, 3), dtype=torch.uint8)
    fake_quantisation.calibrate(network, [quantise.normalised(image)])
    with torch.no_grad():
        for rounding in fake_quantisation.roundings(network):
            rounding.log_step.add_(1.5)  # far too coarse: a range to be learnt
    mask = torch.zeros(2, 64, 64, dtype=torch.uint8)
    mask[:, 16:48, 16:48] = 255
    monkeypatch.setattr(quantise, "Samples", lambda *_: iter([(image, mask, mask)] * 30))
    # Ranges this far off have a long way to go in few steps.
    monkeypatch.setattr(quantise, "STEPS_RATE", 100.0)
    recipe = recipes.Recipe(1, 3e-4, 1, 30, 0.1, 0.0, (recipes.Phase(64, 2, 24, 0.5),))

    def apart() -> float:
        batch = quantise.normalised(image)
        with torch.no_grad():
            return float(quantise.distillation(network(batch), float_network(batch)))

    before = apart()
    options = argparse.Namespace(ranks=1, report=12, truth=0.0)
    quantise.learn(network, float_network, recipe, 0, options)
    assert apart() < 0.6 * before
    assert "step 24 of 24" in capsys.readouterr().out


def test_the_comparison_gives_known_answers() -> None:
    distances = evaluate_int8.Distances()
    exact = np.zeros((10, 10), np.float32)
    far = exact.copy()
    far[0, 0] = 51 / 255
    distances.add("a", exact, exact, (0.90, 0.90))
    distances.add("a", exact, far, (0.80, 0.79))
    distances.add("b", exact, exact + 1 / 255, (0.70, 0.71))
    told = distances.summary()
    assert told["pictures"] == 3
    assert told["mean"] == pytest.approx((0 + 0.51 + 1) / 3, rel=1e-4)
    assert told["worst_set_mean"] == pytest.approx(1, rel=1e-4)
    assert told["worst_mean"] == pytest.approx(1, rel=1e-4)
    assert told["most"] == pytest.approx(51, rel=1e-4)
    assert told["beyond_8"] == pytest.approx(0.01 / 3)
    assert told["outside_bound"] == pytest.approx(1 / 3)
    assert told["worst_set_iou_loss"] == pytest.approx(0.005)  # of a
    assert told["iou_loss"] == pytest.approx(0)


def test_the_rule_is_for_the_mean_over_all_pictures() -> None:
    told = {"mean": 1.5, "worst_set_mean": 9.0, "iou_loss": 0.003, "worst_set_iou_loss": 0.02}
    assert evaluate_int8.within_rule(told, 2.0)
    assert not evaluate_int8.within_rule(told, 1.99)
    assert not evaluate_int8.within_rule({**told, "mean": 1.51}, 2.0)
    assert not evaluate_int8.within_rule({**told, "iou_loss": 0.0031}, 2.0)


def test_every_set_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    distances = evaluate_int8.Distances()
    exact = np.zeros((10, 10), np.float32)
    for _ in range(9):
        distances.add("many", exact, exact, (0.9, 0.9))
    distances.add("clutter", exact, exact + 4 / 255, (0.50, 0.48))
    data = evaluate_int8.report({"form": distances}, {"form": (2.2, 2.5)})
    assert data["form"]["rule"] is True
    assert data["form"]["mean"] == pytest.approx(0.4, rel=1e-4)
    shown = capsys.readouterr().out
    assert "| form | 10 | 0.40 | 4.00 | 4.00 | 4 | 0.00 | 10 | +0.0020 | +0.0200 |" in shown
    assert "| clutter | 1 | 4.00 | 4.00 | 0.00 | 0.5000 | 0.4800 |" in shown
    assert "| many | 9 | 0.00 |" in shown


@pytest.mark.parametrize(
    "arguments",
    [("--limit", "12"), ("--sets", "people"), ("--made", "24"), ()],
)
def test_a_form_is_published_by_all_pictures_alone(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    forms = ["--forms", "a.onnx"] if arguments else []
    with pytest.raises(SystemExit):
        evaluate_int8.main(["--publish", *forms, *arguments])
    said = capsys.readouterr().err
    assert ("all validation pictures" if arguments else "--forms FILE.onnx") in said


def test_a_form_is_published_with_its_figures_or_not_at_all(tmp_path: Path) -> None:
    pytest.importorskip("nssbg")
    model = tmp_path / "net.onnx"
    model.write_bytes(b"float")
    described = "size = [64, 64]\n"
    model.with_name("net.toml").write_text(described)
    form = tmp_path / "made.onnx"
    form.write_bytes(b"int8")
    told = {"pictures": 3, "mean": 0.5, "worst_mean": 2.0, "most": 80.0, "iou_loss": 0.0004}
    told["worst_set_iou_loss"] = 0.001
    with pytest.raises(SystemExit, match="misses the rule"):
        evaluate_int8.publish(model, form, {**told, "rule": False})
    assert not (tmp_path / "net.int8.onnx").exists()
    with pytest.raises(Exception, match="images"):
        evaluate_int8.publish(model, form, {**told, "rule": True, "pictures": 0})
    assert not (tmp_path / "net.int8.onnx").exists()
    assert model.with_name("net.toml").read_text() == described
    evaluate_int8.publish(model, form, {**told, "rule": True})
    assert (tmp_path / "net.int8.onnx").read_bytes() == b"int8"
    published = model.with_name("net.toml").read_text()
    assert "mean_error = 0.5000" in published
    assert "iou_loss = 0.0010" in published
    # The one before it stays, and what is said of it, where another cannot be published.
    form.write_bytes(b"other")
    with pytest.raises(Exception, match="images"):
        evaluate_int8.publish(model, form, {**told, "rule": True, "pictures": 0})
    assert (tmp_path / "net.int8.onnx").read_bytes() == b"int8"
    assert model.with_name("net.toml").read_text() == published
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("made.onnx", "net.int8.onnx", "net.onnx", "net.toml")
    ]
