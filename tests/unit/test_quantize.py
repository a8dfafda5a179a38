"""Int8 forms: made, kept only within the bound, and then a candidate of the planner."""

from __future__ import annotations

import importlib.util

import numpy as np
import onnx
import pytest
from model_graphs import mask_network
from onnx import TensorProto

from nssbg import _planner as planner
from nssbg._errors import ModelError
from nssbg._models.sidecar import ModelDescription
from nssbg._planner import quantization
from nssbg._planner.opening import int8_form
from nssbg.cli.main import main

METHODS = ["onnxruntime", *(["nncf"] if importlib.util.find_spec("nncf") else [])]


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("NSSBG_HOME", str(tmp_path / "home"))


@pytest.fixture
def net(tmp_path):
    path = mask_network(tmp_path / "net.onnx", size=(48, 64), batch=1, smooth=True)
    return ModelDescription(name="net", file="net.onnx", height=48, width=64).at(path)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("method", METHODS)
def test_an_int8_form_within_the_bound_is_kept_and_runs(net, method, monkeypatch):
    with pytest.raises(ModelError, match="nssbg quantize net"):
        planner.open_model(net, precision="int8")
    if method == "nncf":  # it rounds this two-layer network's output too: 3.6/255 and 12/255
        monkeypatch.setattr(quantization, "MEAN_ERROR", 6 / 255)
        monkeypatch.setattr(quantization, "MAX_ERROR", 20 / 255)
    made = quantization.quantize(net, method=method, keep_float=0)
    assert made.method == method
    assert made.accepted, (255 * made.mean_error, 255 * made.max_error)
    assert made.mean_error > 0  # it is not the float network under another name
    found = int8_form(net)
    assert found is not None
    assert found.path == made.path
    measured = planner.tune(net, planner.PlanRequest(precision="int8"), rounds=1)
    assert {item.candidate.precision for item in measured} == {"int8"}
    _, opened = planner.open_model(net, precision="int8")
    assert opened.plan.precision == "int8"
    assert opened.run(np.zeros((1, 3, 48, 64), np.float32)).shape == (1, 48, 64)


@pytest.mark.filterwarnings("ignore")
def test_an_int8_form_outside_the_bound_is_thrown_away(net, monkeypatch):
    monkeypatch.setattr(quantization, "MAX_ERROR", 0.0)
    made = quantization.quantize(net, method="onnxruntime", keep_float=0)
    assert not made.accepted
    assert made.path is None
    assert int8_form(net) is None
    assert list((quantization.models_folder()).iterdir()) == []


def test_what_cannot_be_quantised_is_a_model_error(net, tmp_path, monkeypatch):
    with pytest.raises(ModelError, match="at least two pictures"):
        quantization.quantize(net, tensors=[np.zeros((1, 3, 48, 64), np.float32)])
    monkeypatch.setattr(quantization, "installed", lambda name: name != "nncf")
    with pytest.raises(ModelError, match="nncf is not installed"):
        quantization.quantize(net, method="nncf")
    monkeypatch.setattr(quantization, "installed", lambda name: False)
    with pytest.raises(ModelError, match=r"onnx is not installed.*nssbg\[graphs\]"):
        quantization.quantize(net)


@pytest.mark.filterwarnings("ignore")
def test_from_the_command_line(net, capsys):
    (net.path.parent / "net.onnx.toml").write_text("size = [48, 64]\n")
    assert main(["quantize", str(net.path), "--method", "onnxruntime", "--keep-float", "0"]) == 0
    assert "int8 by onnxruntime" in capsys.readouterr().out


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("method", METHODS)
def test_weights_in_half_precision_are_quantised_too(net, method, monkeypatch):
    """Files made half as large carry each weight behind a Cast, as the bundled network does."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model = onnx.load(net.path)
    for item in list(model.graph.initializer):
        half = numpy_helper.to_array(item).astype(np.float16)
        model.graph.initializer.remove(item)
        model.graph.initializer.append(numpy_helper.from_array(half, f"{item.name}_half"))
        cast = helper.make_node("Cast", [f"{item.name}_half"], [item.name], to=TensorProto.FLOAT)
        model.graph.node.insert(0, cast)
    onnx.save(model, net.path)
    monkeypatch.setattr(quantization, "MEAN_ERROR", 6 / 255)
    monkeypatch.setattr(quantization, "MAX_ERROR", 20 / 255)
    made = quantization.quantize(net, method=method, keep_float=0)
    assert made.accepted, (255 * made.mean_error, 255 * made.max_error)
    graph = onnx.load(made.path).graph
    assert not [node for node in graph.node if node.op_type == "Cast"]
    kinds = {item.data_type for item in graph.initializer}
    assert TensorProto.INT8 in kinds  # the weights themselves, not only what flows


def test_weights_kept_small_are_widened_and_other_casts_stay(net):
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    from nssbg._models.graph_passes.constants import widen_weights

    model = onnx.load(net.path)
    assert widen_weights(model) == 0
    first = model.graph.node[0]
    model.graph.node.insert(0, helper.make_node("Cast", ["w1"], ["w1_cast"], to=TensorProto.FLOAT))
    model.graph.node.insert(0, helper.make_node("Cast", ["input"], ["cast"], to=TensorProto.FLOAT))
    first = next(node for node in model.graph.node if node.op_type == "Conv")
    first.input[0], first.input[1] = "cast", "w1_steps"
    step = np.full((1, 1, 1, 1), 0.5, np.float32)
    model.graph.initializer.append(numpy_helper.from_array(step, "step"))
    model.graph.node.insert(1, helper.make_node("Mul", ["w1_cast", "step"], ["w1_steps"]))
    weights = {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}
    assert widen_weights(model) == 2
    widened = {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}
    np.testing.assert_array_equal(widened["w1_steps"], weights["w1"] / 2)
    assert "w1_cast" not in widened
    onnx.checker.check_model(model)
    assert [node.op_type for node in model.graph.node].count("Cast") == 1


@pytest.mark.filterwarnings("ignore")
def test_a_network_of_float16_weights_is_quantised_from_float32(tmp_path):
    half = TensorProto.FLOAT16
    path = mask_network(
        tmp_path / "half.onnx",
        size=(48, 64),
        batch=1,
        smooth=True,
        input_type=half,
        output_type=half,
    )
    model = ModelDescription(
        name="half", file="half.onnx", height=48, width=64, precision="float16"
    ).at(path)
    made = quantization.quantize(model, method="onnxruntime", keep_float=0)
    assert made.accepted, (255 * made.mean_error, 255 * made.max_error)
    kinds = {node.op_type for node in onnx.load(str(made.path)).graph.node}
    assert "QuantizeLinear" in kinds
    assert "Cast" not in kinds
