"""Synthetic networks: the published architectures, made with onnx alone, and what they cost."""

from __future__ import annotations

import importlib.util
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest
from model_graphs import mask_network
from onnx import TensorProto, helper, numpy_helper

from nssbg._errors import ModelError, OptionError
from nssbg._models import catalog
from nssbg._models.graph_passes.float32 import to_float32
from nssbg._models.onnx_header import read_header
from nssbg._models.prepared import prepared
from nssbg._planner.graph_cost import graph_cost
from nssbg._planner.known_costs import known_cost, known_costs
from nssbg._runtime import open_backend
from nssbg._runtime_imports import import_onnxruntime
from nssbg.bench.synthetic import ARCHITECTURES, build, describe, make
from nssbg.bench.synthetic.weights import FromMapping, RandomWeights

SMALL = ("u2netp", "u2net", "isnet", "birefnet-lite")


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("NSSBG_HOME", str(tmp_path / "home"))


def parameters(model):
    return sum(int(np.prod(item.dims)) for item in model.graph.initializer)


@pytest.mark.parametrize(
    ("name", "published", "apart"),
    [
        # Published files of float32 weights: four bytes a parameter, and some names.
        ("u2netp", 4574861, 0.02),
        ("u2net", 175997641, 0.01),
        ("isnet", 176153355, 0.01),
        # That one's exporter wrote other constants for the positions that are sampled.
        ("birefnet-lite", 224005088, 0.07),
    ],
)
def test_the_weights_are_as_many_as_in_the_published_file(name, published, apart):
    assert 4 * parameters(build(name)) == pytest.approx(published, rel=apart)


def test_isnets_operators_are_those_of_the_published_file():
    # As `nssbg models info isnet-general-use-fp16` counts them.
    counted = Counter(node.op_type for node in build("isnet", size=64).graph.node)
    assert (counted["Conv"], counted["Resize"], counted["MaxPool"]) == (119, 39, 33)
    assert (counted["Add"], counted["Sigmoid"]) == (11, 6)


@pytest.mark.parametrize("name", SMALL)
def test_activations_stay_finite_and_the_mask_is_one(name):
    model = build(name, size=64)
    first = model.graph.output[0].name
    inside = [node.output[0] for node in model.graph.node if node.op_type in ("Conv", "Add")]
    model.graph.output.extend(onnx.ValueInfoProto(name=key) for key in inside if key != first)
    session = import_onnxruntime().InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    tensor = np.random.default_rng(1).normal(size=(1, 3, 64, 64)).astype(np.float32)
    found = session.run(None, {session.get_inputs()[0].name: tensor})
    largest = max(float(np.abs(value).max()) for value in found if value.dtype == np.float32)
    assert 1 < largest < 1000  # far from float16's 65504
    mask = found[0]
    assert mask.shape == (1, 1, 64, 64)
    assert mask.std() > 0.01


def test_the_same_arguments_give_the_same_bytes(tmp_path):
    one = make("u2netp", tmp_path / "a.onnx", size=64)
    two = make("u2netp", tmp_path / "b.onnx", size=64)
    other = make("u2netp", tmp_path / "c.onnx", size=64, seed=1)
    assert one.read_bytes() == two.read_bytes() != other.read_bytes()
    assert make("u2netp", one, size=32) == one  # replaced
    assert one.read_bytes() != two.read_bytes()


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
def test_the_product_opens_and_runs_it(tmp_path, backend):
    model = describe("u2netp", make("u2netp", tmp_path / "a.onnx", size=64), size=64)
    opened = open_backend(model, backend=backend, device="cpu", threads=1)
    try:
        mask = opened.run(np.zeros((1, 3, 64, 64), np.float32))
    finally:
        opened.close()
    assert mask.shape[-2:] == (64, 64)
    assert np.isfinite(mask).all()


def test_wrong_names_and_sizes_are_option_errors(tmp_path):
    with pytest.raises(OptionError, match="'resnet' is not known, expected one of u2netp, u2net"):
        make("resnet", tmp_path / "a.onnx")
    for size in (0, 100, -32):
        with pytest.raises(OptionError, match=f"size is {size}, expected a multiple of 32"):
            make("u2netp", tmp_path / "a.onnx", size=size)
    assert list(tmp_path.iterdir()) == []


def test_without_onnx_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ModelError, match=r"onnx is not installed; .*nssbg\[graphs\]"):
        make("u2netp", tmp_path / "a.onnx")


def test_weights_of_a_mapping_are_taken_by_name_and_shape():
    weights = FromMapping({"a": np.ones((2, 3), np.float32)})
    assert weights("a", (2, 3), "kernel").sum() == 6
    assert weights.asked == {"a"}
    with pytest.raises(ValueError, match=r"a: has shape \(2, 3\), the graph takes \(3, 2\)"):
        weights("a", (3, 2), "kernel")
    with pytest.raises(KeyError):
        weights("b", (1,), "bias")


def test_drawn_weights_do_not_depend_on_the_order_they_are_asked_in():
    one, two = RandomWeights(3), RandomWeights(3)
    first = one("a", (4, 4), "kernel")
    two("b", (4, 4), "kernel")
    assert (two("a", (4, 4), "kernel") == first).all()
    assert (RandomWeights(4)("a", (4, 4), "kernel") != first).any()


@pytest.mark.parametrize("name", ["u2netp", "isnet", "birefnet-lite"])
def test_outputs_are_torchs_for_the_same_weights(name):
    if importlib.util.find_spec("torch") is None:
        pytest.skip("torch is not installed (make bench-env)")
    sys.path.insert(0, str(Path(__file__).parents[2]))
    try:
        from bench.synthetic_against_torch import compare
    finally:
        sys.path.pop(0)
    assert compare(name, 64)


# Known costs.


@pytest.mark.parametrize("name", SMALL)
def test_known_costs_are_counted_again(tmp_path, name):
    size = ARCHITECTURES[name].size
    model = describe(name, make(name, tmp_path / f"{name}.onnx"))
    ready = prepared(model, folder=tmp_path)
    found = known_costs()
    assert found[name, size, True] == graph_cost(ready)
    if ready.path != model.path:
        assert found[name, size, False] == graph_cost(model)
        operators = read_header(ready.path).operators
        # Recognised as in the published files: all of them in one piece.
        assert (operators["DeformConv"], operators.get("GatherND", 0)) == (20, 0)
    else:
        assert (name, size, False) not in found


def test_every_architecture_of_the_catalog_is_known_at_its_size():
    models = catalog.builtin_catalog()
    like = {name: key for key, item in ARCHITECTURES.items() for name in item.like}
    for name, model in models.items():
        if model.architecture:
            assert known_cost(model) is not None, name
            assert like.get(name, "birefnet") == model.architecture
    assert set(like) <= set(models)
    assert known_cost(models["silueta"]) is None


def test_without_the_rewriter_the_cost_is_that_of_the_published_graph(monkeypatch):
    lite = catalog.builtin_catalog()["birefnet-general-lite"]
    fused = known_cost(lite)
    monkeypatch.setitem(sys.modules, "onnx", None)
    pieces = known_cost(lite)
    assert pieces.peak_bytes > 2 * fused.peak_bytes
    assert fused.sampled_operations > 0 == pieces.sampled_operations
    plain = catalog.builtin_catalog()["u2net"]
    assert known_cost(plain) is not None


# The float32 form of a float16 graph.


def half_network(path):
    """A network as a converter makes it: float16 inside, its casts at the end of the list."""
    random = np.random.default_rng(2)
    nodes = [
        helper.make_node("Conv", ["half_in", "w"], ["a"], pads=[1] * 4),
        helper.make_node("Constant", [], ["c"], value=numpy_helper.from_array(np.float16([0.5]))),
        helper.make_node("Mul", ["a", "c"], ["b"]),
        helper.make_node("Cast", ["b"], ["wide"], to=TensorProto.FLOAT),
        helper.make_node("Relu", ["wide"], ["r"]),
        helper.make_node("Cast", ["r"], ["narrow"], to=TensorProto.FLOAT16),
        helper.make_node("Sigmoid", ["narrow"], ["s"]),
        helper.make_node("Cast", ["input"], ["half_in"], to=TensorProto.FLOAT16),
        helper.make_node("Cast", ["s"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Shape", ["a"], ["sides"]),
        helper.make_node("Cast", ["sides"], ["sides_as_numbers"], to=TensorProto.FLOAT),
    ]
    nodes = [nodes[7], *nodes[:7], *nodes[8:]] if path.stem == "sorted" else nodes
    shape = [1, 3, 16, 16]
    graph = helper.make_graph(
        nodes,
        "half",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)],
        [
            helper.make_tensor_value_info("mask", TensorProto.FLOAT, [1, 1, 16, 16]),
            helper.make_tensor_value_info("sides_as_numbers", TensorProto.FLOAT, [4]),
        ],
        [numpy_helper.from_array((random.normal(size=(1, 3, 3, 3)) * 0.2).astype(np.float16), "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return model


@pytest.mark.parametrize("order", ["sorted", "as converters leave it"])
def test_a_float16_graph_becomes_a_float32_one(tmp_path, order):
    model = half_network(tmp_path / f"{order}.onnx")
    tensor = np.random.default_rng(3).normal(size=(1, 3, 16, 16)).astype(np.float32)
    ort = import_onnxruntime()

    def run(made):
        session = ort.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
        return session.run(None, {"input": tensor})

    expected = run(half_network(tmp_path / "sorted.onnx"))
    assert to_float32(model) == 2
    kinds = Counter(node.op_type for node in model.graph.node)
    assert kinds["Cast"] == 1  # of the sides: whole numbers stay a cast
    assert all(item.data_type == TensorProto.FLOAT for item in model.graph.initializer)
    found = run(model)
    assert np.abs(found[0] - expected[0]).max() < 2e-3
    assert (found[1] == expected[1]).all()


def test_a_float32_graph_is_left_alone(tmp_path):
    model = onnx.load(str(mask_network(tmp_path / "a.onnx")))
    before = model.SerializeToString()
    assert to_float32(model) == 0
    assert model.SerializeToString() == before
