"""Decomposed deformable convolutions are found, replaced, and give the same picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from deform_graphs import deform_network, runtime_fuses
from model_graphs import mask_network

from nssbg._models import prepared
from nssbg._models.graph_passes import deform_conv
from nssbg._models.graph_passes.deform_conv import fuse_deform_conv
from nssbg._models.onnx_header import may_hold_deform_conv, read_header
from nssbg._models.sidecar import ModelDescription
from nssbg._runtime import open_backend

pytestmark = pytest.mark.skipif(
    not runtime_fuses(), reason="this ONNX Runtime has no DeformConv on processors"
)


def run(path, data, backend="onnxruntime"):
    height, width = data.shape[2:]
    model = ModelDescription(name="d", file=path.name, height=height, width=width).at(path)
    opened = open_backend(model, backend=backend, device="cpu")
    result = opened.run(data)
    opened.close()
    return result


def image(size=(20, 24), seed=3):
    return np.random.default_rng(seed).normal(size=(1, 3, *size)).astype(np.float32)


CASES = {
    "3x3": {},
    "1x1": {"kernel": (1, 1), "pad": (0, 0)},
    "7x7": {"kernel": (7, 7), "pad": (3, 3)},
    "3x3 without padding": {"pad": (0, 0)},
    "wide padding": {"pad": (4, 2)},
    "oblong": {"kernel": (3, 5), "pad": (1, 2)},
    "5x1": {"kernel": (5, 1), "pad": (2, 0)},
    "stride": {"stride": (2, 2)},
    "uneven stride": {"stride": (1, 2)},
    "dilation": {"dilation": (2, 3), "pad": (2, 3)},
    "groups": {"groups": 2},
    "offset groups": {"offset_groups": 2},
    "both groups": {"groups": 4, "offset_groups": 4},
    "no modulator": {"with_mask": False},
    "bias": {"with_bias": True},
    "bias without modulator": {"with_bias": True, "with_mask": False},
    "folded constants": {"constants_as_nodes": False},
    "two layers": {"layers": 2},
    "odd size": {"size": (17, 33)},
}


@pytest.mark.parametrize("form", ["gathernd", "gatherelements"])
@pytest.mark.parametrize("case", CASES)
def test_fuses_and_gives_the_same_on_both_runtimes(tmp_path, form, case):
    options = CASES[case]
    path = deform_network(tmp_path / "d.onnx", form=form, **options)
    data = image(options.get("size", (20, 24)))
    expected = run(path, data)
    graph, fused, left = fuse_deform_conv(onnx.load(path))
    assert len(fused) == options.get("layers", 1)
    assert left == []
    assert all(item.error is not None and item.error < 1e-4 for item in fused)
    kinds = [node.op_type for node in graph.graph.node]
    assert kinds.count("DeformConv") == len(fused)
    assert not {"GatherND", "GatherElements", "Floor"} & set(kinds)
    target = tmp_path / "fused.onnx"
    onnx.save(graph, target)
    for backend in ("onnxruntime", "openvino"):
        got = run(target, data, backend)
        scale = np.abs(expected).max()
        assert np.abs(got - expected).max() <= 1e-3 * scale, backend


def test_graphs_without_it_are_left_alone(tmp_path):
    path = mask_network(tmp_path / "m.onnx")
    assert not may_hold_deform_conv(read_header(path).operators)
    before = onnx.load(path)
    graph, fused, left = fuse_deform_conv(onnx.load(path))
    assert (fused, left) == ([], [])
    assert graph == before


def broken(path, change):
    model = onnx.load(path)
    change(model)
    graph, fused, left = fuse_deform_conv(model)
    assert fused == []
    assert "DeformConv" not in [node.op_type for node in graph.graph.node]
    return left


def constant(model, wanted):
    """The constant tensor that satisfies a predicate on its values."""
    from onnx import numpy_helper

    for node in model.graph.node:
        if node.op_type == "Constant" and wanted(numpy_helper.to_array(node.attribute[0].t)):
            return node.attribute[0].t
    raise AssertionError("no such constant")


def test_what_only_looks_like_one_is_left_as_it_is(tmp_path):
    path = deform_network(tmp_path / "d.onnx")
    from onnx import numpy_helper

    def bend_grid(model):  # one sample position moved by a pixel: no convolution any more
        tensor = constant(model, lambda v: v.ndim == 6)
        values = numpy_helper.to_array(tensor).copy()
        values[0, 0, 4, 0, 3, 3] += 1
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))

    assert broken(path, bend_grid) == ["the positions are no regular grid"]

    def other_unit(model):  # weights 2 - f instead of 1 - f: structure right, numbers wrong
        tensor = constant(model, lambda v: v.dtype == np.float32 and v.ndim == 0 and v == 1)
        tensor.CopyFrom(numpy_helper.from_array(np.float32(2), tensor.name))

    (reason,) = broken(path, other_unit)
    assert "differs from the original" in reason

    def filled_border(model):
        pad = next(node for node in model.graph.node if node.op_type == "Pad")
        model.graph.initializer.append(numpy_helper.from_array(np.float32(1), "one"))
        pad.input.append("one")

    assert broken(path, filled_border) == ["padding that is not zero, or not of rows and columns"]

    def reflected(model):
        pad = next(node for node in model.graph.node if node.op_type == "Pad")
        pad.attribute[0].s = b"edge"

    assert broken(path, reflected) == ["padding that is not a constant border"]


def test_a_kind_that_is_too_large_is_checked_on_a_smaller_one_or_left(tmp_path, monkeypatch):
    path = deform_network(tmp_path / "d.onnx", stride=(2, 2), layers=2)  # two sizes, one kind
    sizes = sorted(item.size for item in fuse_deform_conv(onnx.load(path))[1])
    assert sizes == [(5, 6), (10, 12)]
    small = 4 * 8 * 9 * 5 * 6
    monkeypatch.setattr(deform_conv, "_CHECK_BYTES", small)
    _, fused, left = fuse_deform_conv(onnx.load(path))
    assert [(item.size, item.error is None) for item in fused] == [
        ((5, 6), False),
        ((10, 12), True),
    ]
    monkeypatch.setattr(deform_conv, "_CHECK_BYTES", small - 1)
    _, fused, left = fuse_deform_conv(onnx.load(path))
    assert fused == []
    assert left == ["too large to be checked here"] * 2


def test_prepared_keeps_the_fused_graph_and_the_published_file(tmp_path, monkeypatch, caplog):
    path = deform_network(tmp_path / "d.onnx")
    before = path.read_bytes()
    model = ModelDescription(name="d", file="d.onnx", height=20, width=24).at(path)
    ready = prepared.prepared(model, folder=tmp_path / "kept")
    assert ready.path is not None
    assert ready.path != path
    assert "DeformConv" in read_header(ready.path).operators
    assert path.read_bytes() == before
    stamp = ready.path.stat().st_mtime_ns
    assert prepared.prepared(model, folder=tmp_path / "kept").path == ready.path
    assert ready.path.stat().st_mtime_ns == stamp
    np.testing.assert_allclose(run(ready.path, image()), run(path, image()), atol=1e-3)

    plain = mask_network(tmp_path / "m.onnx")
    other = ModelDescription(name="m", file="m.onnx", height=48, width=64).at(plain)
    assert prepared.prepared(other, folder=tmp_path / "kept").path == plain


@pytest.mark.parametrize("damage", ["a bit", "cut", "gone", "no note", "note damaged"])
def test_a_damaged_rewritten_graph_is_made_again(tmp_path, damage, caplog):
    path = deform_network(tmp_path / "d.onnx")
    model = ModelDescription(name="d", file="d.onnx", height=20, width=24).at(path)
    kept = prepared.prepared(model, folder=tmp_path / "kept").path
    whole, note = kept.read_bytes(), kept.with_suffix(".json")
    if damage == "a bit":
        spoiled = bytearray(whole)
        spoiled[len(whole) // 2] ^= 4
        kept.write_bytes(spoiled)
    elif damage == "cut":
        kept.write_bytes(whole[:-9])
    elif damage == "gone":
        kept.unlink()
    elif damage == "no note":
        note.unlink()
    else:
        note.write_text("[" * 100_000)
    assert prepared.prepared(model, folder=tmp_path / "kept").path == kept
    assert kept.read_bytes() == whole
    assert ("damaged" in caplog.text) == (damage != "gone")
    caplog.clear()
    assert prepared.prepared(model, folder=tmp_path / "kept").path == kept
    assert not caplog.text
    assert len(list((tmp_path / "kept").iterdir())) == 2


def test_prepared_looks_once_at_a_graph_that_cannot_be_fused(tmp_path, monkeypatch):
    path = deform_network(tmp_path / "d.onnx")
    model = ModelDescription(name="d", file="d.onnx", height=20, width=24).at(path)
    calls = []

    def nothing(graph):
        calls.append(graph)
        return graph, [], ["not this one"]

    monkeypatch.setattr(deform_conv, "fuse_deform_conv", nothing)
    assert prepared.prepared(model, folder=tmp_path).path == path
    assert prepared.prepared(model, folder=tmp_path).path == path
    assert len(calls) == 1


def test_prepared_runs_the_published_graph_where_fusing_fails(tmp_path, monkeypatch, caplog):
    path = deform_network(tmp_path / "d.onnx")
    model = ModelDescription(name="d", file="d.onnx", height=20, width=24).at(path)
    monkeypatch.setattr(
        deform_conv, "fuse_deform_conv", lambda graph: (_ for _ in ()).throw(ValueError("odd"))
    )
    assert prepared.prepared(model, folder=tmp_path).path == path
    assert "run as published, fusing failed: odd" in caplog.text


EXPORTED = sorted((Path(__file__).parents[1] / "data" / "deform").glob("*.onnx"))


@pytest.mark.parametrize("path", EXPORTED, ids=lambda path: path.stem)
def test_what_torch_exports_is_fused_at_every_size(path, tmp_path):
    """Files of torch's two exporters, the final product a MatMul, sizes fixed or computed."""
    assert may_hold_deform_conv(read_header(path).operators)
    graph, fused, left = fuse_deform_conv(onnx.load(path))
    assert [item.kernel for item in fused] == [(3, 3)]
    assert fused[0].error is not None
    assert left == []
    assert not {"GatherND", "GatherElements", "Floor"} & {n.op_type for n in graph.graph.node}
    target = tmp_path / "fused.onnx"
    onnx.save(graph, target)
    sizes = [(12, 16)] if "static" in path.stem else [(12, 16), (31, 17), (8, 40)]
    for size in sizes:
        data = image(size)
        expected = run(path, data)
        for backend in ("onnxruntime", "openvino"):
            got = run(target, data, backend)
            assert np.abs(got - expected).max() <= 1e-4 * np.abs(expected).max(), backend


def test_all_four_exports_are_there():
    names = {path.stem for path in EXPORTED}
    assert names == {f"{e}-{s}" for e in ("dynamo", "script") for s in ("static", "varying")}


def test_one_of_a_fixed_grid_in_a_graph_of_varying_size_is_left(tmp_path):
    """Sizes baked in by tracing: the graph says "any size", its grid has one."""
    path = deform_network(tmp_path / "d.onnx")
    model = onnx.load(path)
    for axis, name in ((2, "h"), (3, "w")):
        model.graph.input[0].type.tensor_type.shape.dim[axis].dim_param = name
    _, fused, left = fuse_deform_conv(model)
    assert fused == []
    assert len(left) == 1


def test_sizes_that_a_graph_computes_are_known():
    from nssbg._models.graph_passes.shapes import known_shapes

    model = onnx.load(EXPORTED[-1])
    assert "script-varying" in EXPORTED[-1].stem
    floor = next(node for node in model.graph.node if node.op_type == "Floor")
    assert floor.output[0] not in known_shapes(model)
    assert known_shapes(model, (1, 3, 8, 10))[floor.output[0]] == (1, 9, 2, 8, 10)
