"""The way of tensors to a CUDA device and back, on a double of one (tests/gpu_double.py).

Not yet run on a GPU: what these tests hold is that tensors lie where the device needs them, cross
once each way, are reused, and that batches, float16 and failures come out as on the processor.
"""

from __future__ import annotations

import gc
import threading

import numpy as np
import pytest
from gpu_double import Gpu, device_tensor
from model_graphs import mask_network
from onnx import TensorProto

from nssbg._errors import ModelError, NssbgError
from nssbg._models.sidecar import ModelDescription
from nssbg._runtime import open_backend
from nssbg._runtime.batching import DynamicBatching

SIZE = (32, 48)


def description(path, **keys):
    return ModelDescription(name="net", file=path.name, height=32, width=48, **keys).at(path)


def on_cpu(model, tensor):
    opened = open_backend(model, backend="onnxruntime", device="cpu", threads=1)
    try:
        return opened.run(tensor)
    finally:
        opened.close()


@pytest.fixture
def model(tmp_path):
    return description(mask_network(tmp_path / "net.onnx"))


@pytest.mark.parametrize(
    ("provider", "device"),
    [("CUDAExecutionProvider", "cuda"), ("TensorrtExecutionProvider", "tensorrt")],
)
def test_input_and_output_stay_on_the_device(model, monkeypatch, provider, device):
    tensors = [device_tensor(1, seed=seed) for seed in range(4)]
    expected = [on_cpu(model, tensor) for tensor in tensors]
    gpu = Gpu(monkeypatch, provider=provider)
    opened = open_backend(model, backend="onnxruntime", device=device)
    assert gpu.opened == [[provider, "CPUExecutionProvider"]]
    assert opened.plan.fallbacks == ()
    found = [opened.run(tensor) for tensor in tensors]
    for one, other in zip(found, expected, strict=True):
        assert (one == other).all()
    # One crossing each way a run, and memory for one input and one output in all.
    assert gpu.to_device == [(1, 3, *SIZE)] * 4
    assert gpu.to_host == [(1, 1, *SIZE)] * 4
    assert gpu.used == gpu.peak == 4 * (3 + 1) * SIZE[0] * SIZE[1]
    opened.close()
    gc.collect()
    assert gpu.used == 0
    with pytest.raises(NssbgError, match="closed"):
        opened.run(tensors[0])


def test_a_result_is_the_callers_own(model, monkeypatch):
    Gpu(monkeypatch)
    opened = open_backend(model, backend="onnxruntime", device="cuda")
    first = opened.run(device_tensor(1, seed=0))
    kept = first.copy()
    opened.run(device_tensor(1, seed=1))
    assert (first == kept).all()


@pytest.mark.parametrize("count", [1, 4, 5, 8, 9])
def test_batches_are_filled_and_only_the_true_ones_come_back(tmp_path, monkeypatch, count):
    model = description(mask_network(tmp_path / "four.onnx", batch=4))
    tensor = device_tensor(count)
    expected = on_cpu(model, tensor)
    gpu = Gpu(monkeypatch)
    opened = open_backend(model, backend="onnxruntime", device="cuda", batch=4)
    found = opened.run(tensor)
    assert found.shape == (count, *SIZE)
    assert (found == expected).all()
    assert gpu.runs == [(4, 3, *SIZE)] * -(-count // 4)
    assert gpu.used == 4 * 4 * (3 + 1) * SIZE[0] * SIZE[1]


def test_varying_sizes_do_not_add_up(tmp_path, monkeypatch):
    path = mask_network(tmp_path / "net.onnx")
    model = description(path, fit="short_side", multiple=16)
    gpu = Gpu(monkeypatch)
    opened = open_backend(model, backend="onnxruntime", device="cuda")
    for size in ((32, 48), (48, 32), (64, 64), (32, 48)):
        opened.run(device_tensor(1, size))
        gc.collect()
        assert gpu.used == 16 * size[0] * size[1]


@pytest.mark.parametrize("output", [TensorProto.FLOAT, TensorProto.FLOAT16])
def test_float16_crosses_as_float16(tmp_path, monkeypatch, output):
    path = mask_network(
        tmp_path / "half.onnx", input_type=TensorProto.FLOAT16, output_type=output, smooth=True
    )
    model = description(path, precision="float16")
    tensors = [device_tensor(2, seed=seed) for seed in (0, 1)]
    expected = [on_cpu(model, tensor) for tensor in tensors]
    gpu = Gpu(monkeypatch)
    opened = open_backend(model, backend="onnxruntime", device="cuda", precision="float16", batch=2)
    assert opened.plan.precision == "float16"
    for tensor, wanted in zip(tensors, expected, strict=True):
        found = opened.run(tensor)
        assert found.dtype == np.float32
        assert np.abs(found - wanted).max() < 2e-3
    bytes_of = {TensorProto.FLOAT: 4, TensorProto.FLOAT16: 2}
    assert gpu.used == 2 * SIZE[0] * SIZE[1] * (3 * 2 + bytes_of[output])


def test_a_failed_run_is_one_error_and_the_next_runs_anew(model, monkeypatch):
    expected = on_cpu(model, device_tensor(1))
    gpu = Gpu(monkeypatch)
    opened = open_backend(model, backend="onnxruntime", device="cuda")
    opened.run(device_tensor(1))
    gpu.fails = 1
    with pytest.raises(ModelError, match=r"net: onnxruntime failed on a tensor .* illegal memory"):
        opened.run(device_tensor(1))
    gc.collect()
    assert gpu.used == 0  # what the failed run may have spoilt is not used again
    assert (opened.run(device_tensor(1)) == expected).all()


def test_no_room_on_the_device_is_one_error(model, monkeypatch):
    gpu = Gpu(monkeypatch, memory=3 * 4 * SIZE[0] * SIZE[1])
    opened = open_backend(model, backend="onnxruntime", device="cuda")
    with pytest.raises(ModelError, match="out of memory"):
        opened.run(device_tensor(1))
    gc.collect()
    assert gpu.used == 0


def test_threads_share_the_device_and_their_images_do_not_mix(model, monkeypatch):
    tensors = [device_tensor(1, seed=seed) for seed in range(12)]
    expected = [on_cpu(model, tensor) for tensor in tensors]
    gpu = Gpu(monkeypatch)
    opened = open_backend(model, backend="onnxruntime", device="cuda", batch=4)
    joined = DynamicBatching(opened, 4)
    found: dict[int, np.ndarray] = {}

    def run(index):
        found[index] = joined.run(tensors[index])

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(tensors))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for index, wanted in enumerate(expected):
        assert np.abs(found[index] - wanted).max() < 1e-6
    assert {shape[0] for shape in gpu.runs} == {4}
    joined.close()
    gc.collect()
    assert gpu.used == 0
