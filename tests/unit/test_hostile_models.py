"""Models, sidecars and settings that cannot be: one clear error that names the file, in time."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from model_graphs import mask_network
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

import nssbg
from nssbg._errors import ModelError, OptionError
from nssbg._models import onnx_header
from nssbg._models.catalog import describe
from nssbg._runtime import open_backend
from nssbg._segment.confidence import confidence

RUNTIMES = ["onnxruntime", "openvino"]


def network(path, nodes, constants=(), *, size=16, out=None, input_shape=None):
    """A network of those nodes from "x" to "y", with a sidecar."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, size, size])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, out or [1, 1, size, size])],
        [numpy_helper.from_array(value, name) for name, value in constants],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, path)
    path.with_name(f"{path.name}.toml").write_text(f"size = {size}\nlicense = 'MIT'\n")
    return path


def constant(path, value, *, spoil=None):
    """Gives `value` at every pixel; `spoil` is added to one row."""
    row = np.zeros((1, 1, 16, 16), np.float32)
    if spoil is not None:
        row[:, :, 3] = spoil
    zero, base = np.zeros((1,), np.float32), np.full((1,), value, np.float32)
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["m"], axes=[1], keepdims=1),
        helper.make_node("Mul", ["m", "zero"], ["z"]),
        helper.make_node("Add", ["z", "base"], ["b"]),
        helper.make_node("Add", ["b", "row"], ["y"]),
    ]
    return network(path, nodes, [("zero", zero), ("base", base), ("row", row)])


def run(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "nssbg.cli.main", *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=120,
    )


def one_error(done, *parts):
    """Exit code of a known kind, one line on stderr that has these parts."""
    assert done.returncode not in (0, 1), done.stderr
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert len(lines) == 1, done.stderr
    assert "unexpected" not in lines[0]
    for part in parts:
        assert str(part) in lines[0]


@pytest.fixture
def image(tmp_path, product):
    path = tmp_path / "in.png"
    Image.fromarray(product[0]).save(path)
    return path


@pytest.mark.parametrize("arguments", [["--version"], ["doctor"], ["remove", "in.png", "out.png"]])
def test_a_level_that_is_not_there(tmp_path, image, arguments, monkeypatch):
    monkeypatch.chdir(tmp_path)
    one_error(run(*arguments, NSSBG_ISA="v9"), "'v9'", "NSSBG_ISA", "v1")
    assert not (tmp_path / "out.png").exists()


def test_a_level_set_by_name():
    from nssbg import _core

    with pytest.raises(OptionError, match="'v9' is not available"):
        _core.set_isa("v9")


@pytest.mark.parametrize("backend", RUNTIMES)
def test_an_output_larger_than_any_mask(tmp_path, image, backend):
    sizes = ("sizes", np.array([1, 1, 30_000, 30_000], np.int64))
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["m"], axes=[1], keepdims=1),
        helper.make_node("Resize", ["m", "", "", "sizes"], ["y"], mode="nearest"),
    ]
    path = network(tmp_path / "big.onnx", nodes, [sizes], out=[1, 1, 30_000, 30_000])
    done = run("remove", image, tmp_path / "o.png", "--model", path, "--backend", backend)
    one_error(done, path, "30000", "8,192")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("size = 1000000000", "8,192 at the most"),
        ("size = [32, 9223372036854775807]", "8,192 at the most"),
        ("size = 0", "from 1 up"),
        ("size = -4", "from 1 up"),
        ("size = 16\nmean = nan", "finite"),
        ("size = 16\nmean = [0.5, inf, 0.5]", "finite"),
        ("size = 16\nstd = inf", "finite"),
        ("size = 16\nstd = nan", "finite"),
        ("size = 16\nstd = 1e-30", "above 0"),
        ("size = 16\nmean = 1" + "0" * 400, "finite"),
        ("size = 16\nmultiple = 10000000", "8,192 at the most"),
        ("size = 16\noutput_index = 99999999999", "from -1000 to 1000"),
    ],
)
def test_a_sidecar_with_absurd_numbers(tmp_path, line, said):
    path = mask_network(tmp_path / "m.onnx", size=(16, 16))
    sidecar = tmp_path / "m.onnx.toml"
    sidecar.write_text(line + "\n")
    with pytest.raises(ModelError) as caught:
        describe(path)
    assert str(sidecar) in str(caught.value)
    assert said in str(caught.value)


@pytest.mark.parametrize("name", ["m.onnx.json", "m.onnx.toml"])
def test_a_sidecar_nested_without_end(tmp_path, name):
    path = mask_network(tmp_path / "m.onnx", size=(16, 16))
    text = "[" * 100_000 if name.endswith("json") else "a = " + "[" * 100_000
    (tmp_path / name).write_text(text)
    with pytest.raises(ModelError, match="cannot be read as"):
        describe(path)


def test_a_sidecar_with_a_number_of_many_digits(tmp_path):
    path = mask_network(tmp_path / "m.onnx", size=(16, 16))
    (tmp_path / "m.onnx.json").write_text('{"size": 1' + "0" * 4000 + "}")
    with pytest.raises(ModelError, match="at the most"):
        describe(path)


def test_a_sparse_file_of_two_gigabytes_is_refused_at_once(tmp_path):
    path = tmp_path / "sparse.onnx"
    with path.open("wb") as stream:
        stream.write(b"\x08\x08")  # its first field is that of a network
        stream.truncate(2 << 30)
    began = time.monotonic()
    with pytest.raises(ModelError, match="not an ONNX file") as caught:
        onnx_header.read_header(path)
    assert time.monotonic() - began < 2
    assert str(path) in str(caught.value)


def test_a_file_of_tiny_fields_is_walked_only_so_far(tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_header._Data, "fields_left", 1000)
    path = tmp_path / "tiny.onnx"
    path.write_bytes(b"\x08\x01" * 1001)
    with pytest.raises(ModelError, match=r"more than [0-9,]+ fields"):
        onnx_header.read_header(path)
    # A count for each file, not for the process.
    whole = mask_network(tmp_path / "m.onnx", size=(16, 16))
    for _ in range(20):
        assert onnx_header.read_header(whole).operators["Conv"] == 2


@pytest.mark.parametrize("value", [0.0, 1.0, 0.7, 5.0, -3.0])
def test_a_network_that_always_says_the_same_is_not_trusted(tmp_path, product, value):
    path = constant(tmp_path / "c.onnx", value)
    with nssbg.Remover(path, backend="onnxruntime") as remover:
        cutout = remover.cutout(product[0])
    assert cutout.confidence == 0.0
    assert cutout.low_confidence


@pytest.mark.parametrize("backend", RUNTIMES)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_network_that_gives_no_numbers_is_an_error(tmp_path, image, backend, value):
    path = constant(tmp_path / "c.onnx", value)
    target = tmp_path / "o.png"
    one_error(
        run("remove", image, target, "--model", path, "--backend", backend),
        path,
        "no finite number",
    )
    assert not target.exists()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_some_values_that_are_no_numbers_are_said(tmp_path, product, value):
    path = constant(tmp_path / "c.onnx", 0.2, spoil=value)
    with nssbg.Remover(path, backend="onnxruntime") as remover:
        cutout = remover.cutout(product[0])
    assert cutout.confidence == 0.0
    assert cutout.low_confidence
    assert any("not numbers" in note for note in cutout.notes)


@pytest.mark.parametrize("fill", [0.0, 0.49, 0.51, 1.0, np.nan, np.inf])
def test_confidence_of_a_map_without_an_outline(fill):
    flat = np.full((64, 64), fill, np.float32)
    weights = describe("nssbg-lite").confidence
    for any_network in (weights, None):
        told = confidence(flat, weights=any_network)
        assert (told.overlap, told.low_confidence) == (0.0, True)
    subject = np.zeros((64, 64), np.float32)
    subject[16:48, 16:48] = 1
    assert confidence(subject, weights=weights).overlap > 0.9


def test_a_network_opens_where_it_cannot_be_kept(tmp_path, monkeypatch):
    """The disk is full: compiling for the cache fails, which is no reason not to run."""
    from contextlib import contextmanager

    from nssbg._runtime.compiled_cache import CompiledCache

    @contextmanager
    def full(entry):
        yield tmp_path / "no" / "such" / "folder.ort"

    def no_space(*_):
        raise OSError(28, "No space left on device")

    path = mask_network(tmp_path / "m.onnx", size=(16, 16))
    path.with_name("m.onnx.toml").write_text("size = 16\nlicense = 'MIT'\n")
    cache = tmp_path / "cache"
    tensor = np.zeros((1, 3, 16, 16), np.float32)
    with monkeypatch.context() as patched:
        patched.setattr(CompiledCache, "writing", staticmethod(full))
        opened = open_backend(describe(path), backend="onnxruntime", cache=cache)
        assert opened.run(tensor).shape == (1, 16, 16)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", no_space)
        opened = open_backend(describe(path), backend="openvino", cache=cache)
        assert opened.run(tensor).shape == (1, 16, 16)
    assert list(cache.iterdir()) == []


def test_json_says_what_the_doctor_knows(tmp_path):
    told = run("doctor", "nssbg-lite", "--json")
    assert json.loads(told.stdout)["privacy"]["sends_nothing"] is True
