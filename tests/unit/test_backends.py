"""The backends on small generated networks: same answers as NumPy, honest plans, flat memory."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from model_graphs import mask_network, run_reference
from onnx import TensorProto

from nssbg._errors import DeviceError, ModelError, NssbgError, OptionError
from nssbg._models.sidecar import ModelDescription
from nssbg._runtime import Backend, open_backend

RUNTIMES = ("onnxruntime", "openvino")


def describe(path, *, size=(48, 64), **keys) -> ModelDescription:
    return ModelDescription(
        name="small", file=path.name, height=size[0], width=size[1], license="MIT", **keys
    ).at(path)


def tensor(batch=1, size=(48, 64), seed=1):
    return np.random.default_rng(seed).normal(size=(batch, 3, *size)).astype(np.float32)


@pytest.mark.parametrize("backend", RUNTIMES)
@pytest.mark.parametrize("size", [None, (48, 64)], ids=["dynamic", "fixed"])
@pytest.mark.parametrize("index", [0, 1, 2, -1])
def test_gives_the_chosen_output_as_numpy_does(tmp_path, backend, size, index):
    path = mask_network(
        tmp_path / "m.onnx", size=size, outputs=("probability", "logits", "other"), input_name="x1"
    )
    data = tensor()
    expected = run_reference(path, data)[index][:, 0]
    with_ = open_backend(describe(path, output_index=index), backend=backend, device="cpu")
    got = with_.run(data)
    assert got.shape == (1, 48, 64)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, expected, atol=2e-5)
    assert isinstance(with_, Backend)
    with_.close()


@pytest.mark.parametrize("backend", RUNTIMES)
def test_float16_outputs_and_inputs_come_out_as_float32(tmp_path, backend):
    for kinds in (
        {"output_type": TensorProto.FLOAT16},
        {"output_type": TensorProto.FLOAT16, "input_type": TensorProto.FLOAT16},
    ):
        path = mask_network(tmp_path / f"m{len(kinds)}.onnx", **kinds)
        kind = np.float16 if "input_type" in kinds else np.float32
        data = tensor()
        expected = run_reference(path, data.astype(kind))[0][:, 0].astype(np.float32)
        got = open_backend(describe(path), backend=backend).run(data)
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, expected, atol=4e-3)


@pytest.mark.parametrize("backend", RUNTIMES)
@pytest.mark.parametrize("compiled_for", [1, 2])
@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_batches_of_any_length_equal_single_runs(tmp_path, backend, compiled_for, count):
    path = mask_network(tmp_path / "m.onnx")
    opened = open_backend(describe(path), backend=backend, batch=compiled_for)
    data = tensor(count)
    got = opened.run(data)
    assert got.shape == (count, 48, 64)
    single = np.concatenate([opened.run(data[i : i + 1]) for i in range(count)])
    np.testing.assert_allclose(got, single, atol=1e-6)


@pytest.mark.parametrize("backend", RUNTIMES)
def test_a_result_is_the_callers_own(tmp_path, backend):
    opened = open_backend(describe(mask_network(tmp_path / "m.onnx")), backend=backend)
    first = opened.run(tensor(seed=1))
    kept = first.copy()
    opened.run(tensor(seed=2))
    np.testing.assert_array_equal(first, kept)
    first[:] = 0  # writable, and the next run does not see it
    np.testing.assert_array_equal(opened.run(tensor(seed=1)), kept)


@pytest.mark.parametrize("backend", RUNTIMES)
def test_models_of_varying_size_run_at_each(tmp_path, backend):
    path = mask_network(tmp_path / "m.onnx")
    opened = open_backend(describe(path, fit="short_side", multiple=32), backend=backend)
    for size in ((32, 64), (64, 32), (96, 96), (32, 64)):
        data = tensor(size=size)
        np.testing.assert_allclose(opened.run(data), run_reference(path, data)[0][:, 0], atol=2e-5)


@pytest.mark.parametrize("backend", RUNTIMES)
@pytest.mark.parametrize("streams", [1, 2])
def test_threads_share_a_backend(tmp_path, backend, streams):
    opened = open_backend(
        describe(mask_network(tmp_path / "m.onnx")), backend=backend, streams=streams, threads=2
    )
    inputs = [tensor(seed=seed) for seed in range(8)]
    expected = [opened.run(item) for item in inputs]
    wrong: list[int] = []

    def work(start: int) -> None:
        for turn in range(20):
            which = (start + turn) % len(inputs)
            if not np.allclose(opened.run(inputs[which]), expected[which], atol=1e-6):
                wrong.append(which)

    threads = [threading.Thread(target=work, args=(start,)) for start in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize("backend", RUNTIMES)
def test_the_plan_says_what_runs(tmp_path, backend):
    opened = open_backend(
        describe(mask_network(tmp_path / "m.onnx")), backend=backend, threads=1, device="cpu"
    )
    plan = opened.plan
    assert (plan.backend, plan.device, plan.precision) == (backend, "CPU", "float32")
    assert (plan.threads, plan.license, plan.fallbacks) == (1, "MIT", ())
    assert backend in plan.reasons[0]


@pytest.mark.parametrize("backend", RUNTIMES)
@pytest.mark.parametrize("device", ["gpu", "npu"])
def test_a_device_that_is_not_there_is_an_error(tmp_path, backend, device):
    from nssbg._runtime.devices import runtimes

    there = {item.name for found in runtimes() for item in found.devices}
    if device in there or there & {"cuda", "rocm", "directml", "coreml"}:
        pytest.skip("this machine has one")
    with pytest.raises(DeviceError, match=f"'{device}' was asked for"):
        open_backend(describe(mask_network(tmp_path / "m.onnx")), backend=backend, device=device)


def test_onnxruntime_falling_back_is_an_error_or_recorded(tmp_path, monkeypatch, caplog):
    import onnxruntime

    real = onnxruntime.InferenceSession
    monkeypatch.setattr(
        onnxruntime,
        "get_available_providers",
        lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"],
    )

    # What a session does whose CUDA libraries do not load: it takes the CPU and says nothing.
    def falls_back(path, *, sess_options, providers):
        assert providers[0] == "CUDAExecutionProvider"
        return real(path, sess_options=sess_options, providers=["CPUExecutionProvider"])

    monkeypatch.setattr(onnxruntime, "InferenceSession", falls_back)
    model = describe(mask_network(tmp_path / "m.onnx"))
    for device in ("cuda", "gpu"):
        with pytest.raises(DeviceError, match="could not start CUDAExecutionProvider"):
            open_backend(model, backend="onnxruntime", device=device)
    with caplog.at_level(logging.WARNING, logger="nssbg"):
        opened = open_backend(model, backend="onnxruntime", device="auto")
    assert opened.plan.device == "CPU"
    assert "could not start CUDAExecutionProvider" in opened.plan.fallbacks[0]
    assert "could not start" in caplog.text


def test_auto_falls_from_openvino_to_onnxruntime_and_says_so(tmp_path, monkeypatch, caplog):
    from nssbg._runtime import openvino as room

    def missing():
        raise DeviceError("openvino cannot be loaded")

    monkeypatch.setattr(room, "_load", missing)
    with caplog.at_level(logging.WARNING, logger="nssbg"):
        opened = open_backend(describe(mask_network(tmp_path / "m.onnx")))
    assert opened.plan.backend == "onnxruntime"
    assert "openvino could not be used" in opened.plan.fallbacks[0]
    assert "openvino could not be used" in caplog.text


def test_openvino_reads_its_own_format(tmp_path):
    from nssbg._runtime_imports import import_openvino

    openvino = import_openvino()
    source = mask_network(tmp_path / "m.onnx")
    target = tmp_path / "m.xml"
    openvino.save_model(openvino.Core().read_model(source), target, compress_to_fp16=False)
    data = tensor()
    opened = open_backend(describe(target), backend="auto")
    assert opened.plan.backend == "openvino"
    np.testing.assert_allclose(opened.run(data), run_reference(source, data)[0][:, 0], atol=2e-5)
    with pytest.raises(ModelError, match=r"reads \.onnx"):
        open_backend(describe(target), backend="onnxruntime")


@pytest.mark.parametrize("backend", RUNTIMES)
def test_compiled_networks_are_kept_and_give_the_same(tmp_path, backend):
    path = mask_network(tmp_path / "m.onnx", outputs=("probability", "other"))
    cache = tmp_path / "compiled"
    data = tensor()
    first = open_backend(describe(path), backend=backend, cache=cache).run(data)
    kept = sorted(item.name for item in cache.iterdir())
    assert len(kept) == 1
    files = [item.stat().st_ino for item in cache.iterdir()]
    again = open_backend(describe(path), backend=backend, cache=cache)
    np.testing.assert_array_equal(again.run(data), first)
    assert [item.stat().st_ino for item in cache.iterdir()] == files  # read, not made again
    assert sorted(item.name for item in cache.iterdir()) == kept
    # Another network at the same path is another entry: never the old one's answers.
    mask_network(path, outputs=("probability", "other"), seed=5)
    changed = open_backend(describe(path), backend=backend, cache=cache).run(data)
    np.testing.assert_allclose(changed, run_reference(path, data)[0][:, 0], atol=2e-5)
    assert len(list(cache.iterdir())) == 2


def _overwritten(entry):
    entry.write_bytes(b"not a network" * 10)


def _cut(entry):
    entry.write_bytes(entry.read_bytes()[:-7])


def _emptied(entry):
    entry.write_bytes(b"")


def _one_bit(entry):
    data = bytearray(entry.read_bytes())
    data[len(data) * 3 // 4] ^= 1
    entry.write_bytes(data)


def _zeroed_page(entry):
    data = bytearray(entry.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 512] = bytes(512)
    entry.write_bytes(data[: entry.stat().st_size])


@pytest.mark.parametrize("damage", [_overwritten, _cut, _emptied, _one_bit, _zeroed_page])
@pytest.mark.parametrize("backend", RUNTIMES)
def test_a_damaged_cache_entry_is_made_again(tmp_path, backend, damage, caplog):
    path = mask_network(tmp_path / "m.onnx")
    cache = tmp_path / "compiled"
    opened = open_backend(describe(path), backend=backend, cache=cache)
    assert not any("damaged" in line for line in opened.plan.reasons)
    first = opened.run(tensor())
    opened.close()
    (entry,) = cache.iterdir()
    whole = entry.read_bytes()
    damage(entry)
    assert entry.read_bytes() != whole
    again = open_backend(describe(path), backend=backend, cache=cache)
    np.testing.assert_array_equal(again.run(tensor()), first)
    assert any(entry.name in line and "made again" in line for line in again.plan.reasons)
    assert entry.name in caplog.text
    (entry,) = cache.iterdir()
    assert entry.stat().st_size > 200
    third = open_backend(describe(path), backend=backend, cache=cache)
    assert not any("damaged" in line for line in third.plan.reasons)


@pytest.mark.parametrize("backend", RUNTIMES)
def test_every_bit_of_damage_to_a_cache_entry_is_seen(tmp_path, backend):
    """What a runtime opens all the same, and then answers otherwise, is never handed to it."""
    from nssbg._runtime.compiled_cache import CompiledCache

    path = mask_network(tmp_path / "m.onnx")
    cache = tmp_path / "compiled"
    open_backend(describe(path), backend=backend, cache=cache).close()
    (kept,) = cache.iterdir()
    entry = kept.with_name(f"{kept.stem.rsplit('-', 2)[0]}{kept.suffix}")
    whole = kept.read_bytes()
    assert CompiledCache.read(entry, []) is not None
    random = np.random.default_rng(3)
    for _ in range(200):
        data = bytearray(whole)
        data[random.integers(len(data))] ^= 1 << int(random.integers(8))
        kept.write_bytes(data)
        notes = []
        assert CompiledCache.read(entry, notes) is None
        assert len(notes) == 1


@pytest.mark.parametrize("backend", RUNTIMES)
def test_a_cache_that_cannot_be_written_costs_only_time(tmp_path, backend):
    path = mask_network(tmp_path / "m.onnx")
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    opened = open_backend(describe(path), backend=backend, cache=blocked / "compiled")
    assert opened.run(tensor()).shape == (1, 48, 64)


@pytest.mark.parametrize("backend", [*RUNTIMES, "fake"])
def test_closed_backends_refuse(tmp_path, backend):
    opened = open_backend(describe(mask_network(tmp_path / "m.onnx")), backend=backend)
    opened.close()
    opened.close()
    with pytest.raises(NssbgError, match="closed"):
        opened.run(tensor())


@pytest.mark.parametrize("backend", RUNTIMES)
def test_wrong_tensors_files_and_descriptions_have_clear_errors(tmp_path, backend):
    path = mask_network(tmp_path / "m.onnx")
    opened = open_backend(describe(path), backend=backend)
    for shape in ((1, 3, 48, 63), (1, 4, 48, 64), (3, 48, 64), (0, 3, 48, 64)):
        with pytest.raises(OptionError, match="tensor has shape"):
            opened.run(np.zeros(shape, np.float32))
    with pytest.raises(ModelError, match="1 outputs"):
        open_backend(describe(path, output_index=3), backend=backend)
    for name, content in (
        ("empty.onnx", b""),
        ("text.onnx", b"hello" * 50),
        ("cut.onnx", path.read_bytes()[:300]),
    ):
        broken = tmp_path / name
        broken.write_bytes(content)
        with pytest.raises(ModelError, match=name):
            open_backend(describe(broken), backend=backend)
    with pytest.raises(ModelError, match="no weights at"):
        open_backend(describe(tmp_path / "absent.onnx"), backend=backend)


def test_options_are_checked(tmp_path):
    model = describe(mask_network(tmp_path / "m.onnx"))
    with pytest.raises(OptionError, match="backend"):
        open_backend(model, backend="tensorflow")
    with pytest.raises(OptionError, match="threads"):
        open_backend(model, threads=-1)
    for backend in RUNTIMES:
        with pytest.raises(DeviceError, match="not known"):
            open_backend(model, backend=backend, device="abacus")
    with pytest.raises(DeviceError, match="bfloat16"):
        open_backend(model, backend="onnxruntime", precision="bfloat16")


def test_bfloat16_runs_where_the_processor_has_it(tmp_path):
    from nssbg._runtime.devices import processor

    model = describe(mask_network(tmp_path / "m.onnx"))
    if not processor().bfloat16:
        with pytest.raises(DeviceError, match="bfloat16 was asked for"):
            open_backend(model, backend="openvino", device="cpu", precision="bfloat16")
        return
    opened = open_backend(model, backend="openvino", device="cpu", precision="bfloat16")
    assert opened.plan.precision == "bfloat16"
    exact = open_backend(model, backend="openvino", device="cpu").run(tensor())
    difference = np.abs(opened.run(tensor()) - exact).max()
    assert 0 < difference < 0.02


def test_the_fake_backend_answers_with_the_channel_mean(tmp_path):
    model = ModelDescription(name="fake", file="none.onnx", height=4, width=5)
    opened = open_backend(model, backend="fake")
    data = tensor(2, (4, 5))
    np.testing.assert_allclose(opened.run(data), data.mean(axis=1))
    assert opened.shapes == [(2, 3, 4, 5)]
    assert opened.plan.backend == "fake"


_GROWTH = """
import sys
import numpy as np
from pathlib import Path
from nssbg._runtime import open_backend
from nssbg._models.sidecar import ModelDescription

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

path = Path(sys.argv[1])
model = ModelDescription(name="m", file=path.name, height=384, width=384).at(path)
opened = open_backend(model, backend=sys.argv[2], threads=2)
data = np.zeros((1, 3, 384, 384), np.float32)
for _ in range(20):
    opened.run(data)
before = resident()
for _ in range(200):
    opened.run(data.copy())
print(resident() - before)
"""


@pytest.mark.parametrize("backend", RUNTIMES)
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_memory_does_not_grow_over_two_hundred_pictures(tmp_path, backend):
    path = mask_network(tmp_path / "m.onnx")
    told = subprocess.run(
        [sys.executable, "-c", _GROWTH, str(path), backend],
        capture_output=True,
        text=True,
        check=True,
        env=dict(os.environ),
    )
    # One input and output are 2.4 MB: two hundred leaked ones would be half a gigabyte.
    assert int(told.stdout) < 8 << 20


def test_nothing_of_openvinos_telemetry_is_loaded():
    code = (
        "import sys; from nssbg._runtime_imports import import_openvino; import_openvino();"
        "assert not [n for n in sys.modules if 'telemetry' in n], sys.modules;"
        "assert 'openvino.tools.ovc' not in sys.modules;"
        "import openvino.tools.ovc"  # whoever wants it gets it
    )
    env = {**os.environ, "CI": "true"}
    subprocess.run([sys.executable, "-c", code], check=True, env=env)
