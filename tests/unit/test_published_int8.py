"""A published int8 form: found whole, measured, taken by name or by measurement alone."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from model_graphs import mask_network
from PIL import Image

import nssbg
from nssbg import _planner as planner
from nssbg._errors import DeviceError, ModelError
from nssbg._models.int8 import Int8Form
from nssbg._models.sidecar import ModelDescription, description_from_mapping, read_sidecar
from nssbg._planner import benchmark, opening, quantization
from nssbg._planner.candidates import Candidate, PlanRequest, candidates
from nssbg._planner.opening import int8_form, open_model, tune
from nssbg._runtime.devices import Device, Hardware, Processor, Runtime
from nssbg.cli.main import main

TABLE = {
    "file": "net.int8.onnx",
    "bytes": 100,
    "checksum": "sha256:" + 64 * "0",
    "images": 2000,
    "mean_error": 0.31,
    "worst_mean_error": 40,
    "max_error": 200.0,
    "iou_loss": -0.0004,
}
BASE = {"name": "net", "file": "net.onnx", "size": [48, 64]}


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("NSSBG_HOME", str(tmp_path / "home"))


@pytest.fixture
def net(tmp_path):
    """A network with an int8 form beside it, and a sidecar that declares it."""
    path = mask_network(tmp_path / "net.onnx", size=(48, 64), batch=1, smooth=True)
    plain = ModelDescription(name="net", file="net.onnx", height=48, width=64).at(path)
    form = tmp_path / "net.int8.onnx"
    feed = benchmark.synthetic_tensors(plain, 4)
    quantization._by_onnxruntime(path, form, feed, 0)
    data = form.read_bytes()
    told = {
        **TABLE,
        "bytes": len(data),
        "checksum": "sha256:" + hashlib.sha256(data).hexdigest(),
    }
    lines = [f"{key} = {value!r}" for key, value in told.items()]
    (tmp_path / "net.onnx.toml").write_text("size = [48, 64]\n[int8]\n" + "\n".join(lines))
    return read_sidecar(tmp_path / "net.onnx.toml", weights=path)


def processor(*features: str) -> Hardware:
    cpu = Processor("made", 4, 4, "avx2", features)
    found = Runtime("openvino", "1", (Device("openvino", "cpu", "CPU"),))
    return Hardware(cpu, 1 << 34, 1 << 34, 1 << 33, (found,), ())


def test_the_table_is_read():
    model = description_from_mapping({**BASE, "int8": TABLE}, source="entry")
    assert isinstance(model.int8, Int8Form)
    assert model.int8.worst_mean_error == 40.0
    assert "0.31/255" in str(model.int8)
    assert "2,000 images" in str(model.int8)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"color": 1}, "int8: unknown key 'color'"),
        ({"images": "many"}, "int8.images is no whole number"),
        ({"bytes": 10**5000}, "int8.bytes is no whole number"),
        ({"bytes": 0}, "int8.bytes is no whole number"),
        ({"mean_error": True}, "int8.mean_error is no number from 0 to 255"),
        ({"max_error": float("nan")}, "int8.max_error is no number"),
        ({"worst_mean_error": -1}, "int8.worst_mean_error is no number"),
        ({"iou_loss": "0"}, "int8.iou_loss is no number from -1 to 1"),
        ({"file": "../net.onnx"}, "int8.file is '../net.onnx'"),
        ({"file": "net.xml"}, r"expected the name of an \.onnx file"),
        ({"checksum": "md5:" + 32 * "0"}, "int8.checksum is no 'sha256:'"),
    ],
)
def test_a_wrong_table_is_one_clear_error(change, message):
    with pytest.raises(ModelError, match=f"mine.toml: {message}|mine.toml: .*{message}"):
        description_from_mapping({**BASE, "int8": {**TABLE, **change}}, source="mine.toml")


def test_a_table_has_to_be_whole_and_of_float_weights():
    for key in TABLE:
        part = {k: v for k, v in TABLE.items() if k != key}
        with pytest.raises(ModelError, match=f"int8.{key} is missing"):
            description_from_mapping({**BASE, "int8": part}, source="mine.toml")
    with pytest.raises(ModelError, match="int8 is 'str', expected a table"):
        description_from_mapping({**BASE, "int8": "net.int8.onnx"}, source="mine.toml")
    with pytest.raises(ModelError, match="precision is int8 already"):
        description_from_mapping({**BASE, "precision": "int8", "int8": TABLE}, source="mine.toml")


def test_the_form_is_found_whole_or_not_at_all(net, caplog):
    found = int8_form(net)
    assert found is not None
    assert (found.path.name, found.precision) == ("net.int8.onnx", "int8")
    assert found.int8 == net.int8
    data = bytearray(found.path.read_bytes())
    data[len(data) // 2] ^= 1
    found.path.write_bytes(data)
    with caplog.at_level(logging.WARNING, logger="nssbg"):
        assert int8_form(net) is None
    assert str(found.path) in caplog.text
    assert "checksum" in caplog.text
    found.path.unlink()
    with pytest.raises(ModelError, match=r"net: there is no int8 form of it here.*quantize net"):
        open_model(net, precision="int8")


def test_what_was_quantised_here_goes_before_it(net):
    folder = opening.models_folder()
    folder.mkdir(parents=True)
    own = folder / f"net-{opening.weights_fingerprint(net.path)}.int8.onnx"
    own.write_bytes(b"own")
    found = int8_form(net)
    assert found.path == own
    assert found.int8 is None  # the published form's figures say nothing about it


def test_it_is_a_candidate_where_dot_products_are_exact_or_by_name(net):
    def precisions(hardware: Hardware, **request: str) -> set[str]:
        found = candidates(hardware, net, PlanRequest(**request), has_int8=True)
        return {item.precision for item in found}

    assert precisions(processor("AVX-512", "VNNI")) == {"float32", "int8"}
    assert precisions(processor("AVX2")) == {"float32"}
    assert precisions(processor("AVX2"), precision="int8") == {"int8"}
    with pytest.raises(DeviceError):
        candidates(processor("VNNI"), net, PlanRequest(precision="int8"), has_int8=False)
    # One that was made here is measured on any processor.
    own = candidates(processor("AVX2"), replace(net, int8=None), PlanRequest(), has_int8=True)
    assert {item.precision for item in own} == {"float32", "int8"}


def test_its_bound_is_what_was_measured_at_its_release(net):
    candidate = Candidate("openvino", "cpu", "int8", 1)

    def problem(**figures: float) -> tuple[str, float, float]:
        form = int8_form(net)
        declared = replace(form, int8=replace(form.int8, **figures))
        (found,) = benchmark.benchmark_candidates(net, [candidate], int8=declared, rounds=1)
        return found.problem, found.mean_error, found.max_error

    said, mean, most = problem()
    assert said == ""
    assert mean > 0
    said, *_ = problem(worst_mean_error=255 * mean / 2)
    assert "from float32, the bound is" in said
    said, *_ = problem(max_error=255 * most / 2)
    assert "from float32, the bound is" in said


def test_it_runs_by_name_says_how_far_off_it_is_and_never_by_rule(net):
    described, opened = open_model(net, precision="int8")
    assert described.name == "net"
    assert opened.plan.precision == "int8"
    assert any("0.31/255 from float32's" in line for line in opened.plan.reasons)
    assert opened.run(np.zeros((1, 3, 48, 64), np.float32)).shape == (1, 48, 64)
    _, plain = open_model(net)
    assert plain.plan.precision == "float32"
    assert not any("int8" in line for line in plain.plan.reasons)


def test_it_is_taken_where_it_was_measured_as_the_fastest(net, monkeypatch):
    # A network this small is not faster in int8: the times are made.
    monkeypatch.setattr(
        benchmark, "_seconds", lambda backend, *_: 0.001 if _is_int8(backend) else 0.002
    )
    monkeypatch.setattr(opening, "hardware", lambda: processor("AVX-512", "VNNI"))
    found = tune(net, planner.PlanRequest(backend="openvino"), rounds=1)
    assert {item.candidate.precision for item in found} == {"float32", "int8"}
    _, opened = open_model(net, backend="openvino")
    assert opened.plan.precision == "int8"
    assert any("fastest measured here" in line for line in opened.plan.reasons)
    assert any("0.31/255 from float32's" in line for line in opened.plan.reasons)


@pytest.mark.parametrize("asked", ["auto", "int8"])
def test_a_run_that_measures_by_itself_takes_it_by_name_alone(net, monkeypatch, asked):
    monkeypatch.setattr(
        benchmark, "_seconds", lambda backend, *_: 0.001 if _is_int8(backend) else 0.002
    )
    monkeypatch.setattr("nssbg._planner.autotune.hardware", lambda: processor("AVX-512", "VNNI"))
    run = planner.BatchRun(2, 2, 10, [], True)
    _, opened = open_model(
        net, backend="openvino", precision=asked, goal="throughput", threads=2, run=run
    )
    assert opened.plan.precision == ("int8" if asked == "int8" else "float32")
    # What was made here has the planner's own bound, and is measured by any run.
    form = int8_form(net)
    monkeypatch.setattr(opening, "int8_form", lambda _: replace(form, int8=None))
    monkeypatch.setattr(benchmark, "MEAN_ERROR", 1.0)
    monkeypatch.setattr(benchmark, "MAX_ERROR", 1.0)
    monkeypatch.setenv("NSSBG_HOME", str(net.path.parent / "another-home"))
    _, opened = open_model(
        net, backend="openvino", precision=asked, goal="throughput", threads=2, run=run
    )
    assert opened.plan.precision == "int8"


def _is_int8(backend) -> bool:
    return backend.plan.precision == "int8"


def test_a_processor_without_dot_products_is_told(net, monkeypatch, caplog):
    monkeypatch.setattr(opening, "processor", lambda: processor("AVX2").processor)
    with caplog.at_level(logging.WARNING, logger="nssbg"):
        _, opened = open_model(net, precision="int8")
    assert "no int8 dot products" in caplog.text
    assert any("no int8 dot products" in line for line in opened.plan.reasons)


def test_what_training_writes_is_read_and_other_tables_stay(net, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "training"))
    import sidecar

    path = net.path.with_name("net.onnx.toml")
    path.write_text("size = [48, 64]\n\n# Fitted.\n[confidence]\nsingle = [1.0, 0, 0, 0]\n")
    for mean in (0.5, 0.31234567):  # the second takes the first one's place
        sidecar.put_table(net.path, "int8", "Measured.", {**TABLE, "mean_error": mean})
    found = read_sidecar(path, weights=net.path)
    assert found.int8 == Int8Form(**{**TABLE, "mean_error": 0.3123})
    assert found.confidence.single == (1.0, 0, 0, 0)
    assert path.read_text().count("[int8]") == 1
    with pytest.raises(ModelError, match=r"int8\.images"):
        sidecar.put_table(net.path, "int8", "Measured.", {**TABLE, "images": 0})
    assert read_sidecar(path, weights=net.path) == found


def test_a_remover_takes_a_precision_by_name(net):
    image = np.full((40, 60, 3), 20, np.uint8)
    image[10:30, 15:45] = 230
    with nssbg.Remover(net.path, precision="int8") as remover:
        cutout = remover.cutout(image)
    assert cutout.plan.precision == "int8"
    with nssbg.Remover(net.path) as remover:
        assert remover.cutout(image).plan.precision == "float32"
    with pytest.raises(nssbg.OptionError, match=r"precision is 'int4', expected one of auto"):
        nssbg.Remover(net.path, precision="int4")
    net.path.with_name("net.int8.onnx").unlink()
    with (
        nssbg.Remover(net.path, precision="int8") as remover,
        pytest.raises(ModelError, match="no int8 form"),
    ):
        remover.cutout(image)


def test_the_command_takes_it_by_name(net, tmp_path, capsys):
    picture = tmp_path / "p.png"
    image = np.full((40, 60, 3), 20, np.uint8)
    image[10:30, 15:45] = 230
    Image.fromarray(image).save(picture)
    arguments = ["remove", str(picture), str(tmp_path / "out.png"), "--model", str(net.path)]
    assert main([*arguments, "--precision", "int8"]) == 0
    net.path.with_name("net.int8.onnx").unlink()
    assert main([*arguments, "--precision", "int8", "--overwrite"]) == ModelError.exit_code
    assert "there is no int8 form of it here" in capsys.readouterr().err


def test_the_commands_say_what_there_is_of_it_and_whether_it_is_whole(net, capsys, monkeypatch):
    assert main(["models", "info", str(net.path)]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("int8 ")]
    assert "net.int8.onnx" in line
    assert "on 2,000 images its alpha is 0.31/255 from float32's" in line
    monkeypatch.setattr(
        "nssbg._runtime.devices.hardware", lambda: processor("AVX-512", "VNNI"), raising=True
    )
    assert main(["doctor", str(net.path)]) == 0
    told = capsys.readouterr().out
    assert "plan     openvino CPU float32" in told
    assert "int8 may be faster here: taken once tune has checked its alpha" in told
    assert main(["models", "verify", str(net.path)]) == 0
    assert "net  ok  " in capsys.readouterr().out
    form = net.path.with_name("net.int8.onnx")
    form.write_bytes(form.read_bytes()[:-1] + b"?")
    assert main(["models", "verify", str(net.path)]) == ModelError.exit_code
    assert f"net  WRONG  {form}" in capsys.readouterr().out
