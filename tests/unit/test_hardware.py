"""The probe and the doctor: limits, conflicts with what mends them, the report as text and JSON."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from deform_graphs import deform_network
from model_graphs import mask_network

from nssbg import _doctor, _memory
from nssbg._errors import DeviceError, ModelError
from nssbg._planner.candidates import Candidate
from nssbg._planner.graph_cost import graph_cost, measure_rates
from nssbg._planner.resource_estimate import fit
from nssbg._runtime import devices
from nssbg._runtime.devices import Device, Runtime, conflicts
from nssbg.cli.main import main


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("NSSBG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    for key in ("REMBG_HOME", "U2NET_HOME", "HF_HOME", "HF_HUB_CACHE", "OMP_NUM_THREADS"):
        monkeypatch.delenv(key, raising=False)


def test_the_probe_finds_both_runtimes_and_the_processor():
    found = devices.hardware()
    assert [item.name for item in found.runtimes] == ["onnxruntime", "openvino"]
    assert all(item.version and not item.problem for item in found.runtimes)
    assert {(d.runtime, d.name) for d in found.devices} >= {
        ("onnxruntime", "cpu"),
        ("openvino", "cpu"),
    }
    assert 1 <= found.processor.usable_cores <= found.processor.cores
    assert 0 < found.memory_available <= found.memory_limit <= found.memory_total
    assert found.fingerprint == devices.hardware().fingerprint
    assert "AzureExecutionProvider" not in {d.id for d in found.devices}


def test_threads_come_from_the_argument_the_environment_or_the_machine(monkeypatch):
    assert devices.usable_threads(3) == 3
    every = devices.usable_threads()
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert devices.usable_threads() == 5
    monkeypatch.setenv("OMP_NUM_THREADS", "4,2")
    assert devices.usable_threads() == 4
    for nonsense in ("0", "many", ""):
        monkeypatch.setenv("OMP_NUM_THREADS", nonsense)
        assert devices.usable_threads() == every


def pretend(monkeypatch, files):
    for module in (devices, _memory):
        monkeypatch.setattr(module, "read_system_file", lambda path: files.get(path, ""))


def test_memory_limits_of_cgroups(monkeypatch):
    meminfo = "MemTotal:       16000000 kB\nMemAvailable:   12000000 kB\n"
    pretend(monkeypatch, {"/proc/meminfo": meminfo})
    assert _memory.memory_limit() == (16384000000, 16384000000)
    assert _memory.available_memory() == 12288000000
    second = {
        "/proc/meminfo": meminfo,
        "/proc/self/cgroup": "0::/user/app\n",
        "/sys/fs/cgroup/user/app/memory.max": "max\n",
        "/sys/fs/cgroup/user/memory.max": "2000000000\n",
        "/sys/fs/cgroup/user/memory.current": "500000000\n",
    }
    pretend(monkeypatch, second)
    assert _memory.memory_limit()[1] == 2000000000
    assert _memory.available_memory() == 1500000000
    pretend(
        monkeypatch,
        {
            "/proc/meminfo": meminfo,
            "/proc/self/cgroup": "4:memory:/docker/x\n",
            "/sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes": "3000000000",
            "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712",
        },
    )
    assert _memory.memory_limit()[1] == 3000000000


def test_a_page_cache_that_can_be_given_back_counts_as_free(monkeypatch):
    files = {
        "/proc/meminfo": "MemTotal:       16000000 kB\nMemAvailable:   12000000 kB\n",
        "/proc/self/cgroup": "0::/app\n",
        "/sys/fs/cgroup/app/memory.max": "2000000000\n",
        "/sys/fs/cgroup/app/memory.current": "1900000000\n",
        "/sys/fs/cgroup/app/memory.stat": "anon 300000000\nfile 1600000000\n"
        "inactive_anon 5\nactive_file 200000000\ninactive_file 1400000000\n",
    }
    pretend(monkeypatch, files)
    assert _memory.available_memory() == 1500000000
    files["/proc/self/cgroup"] = "4:memory:/x\n"
    first = "/sys/fs/cgroup/memory/x/memory"
    files[f"{first}.limit_in_bytes"] = "2000000000"
    files[f"{first}.usage_in_bytes"] = "1900000000"
    files[f"{first}.stat"] = "inactive_file 7\ntotal_inactive_file 900000000\n"
    assert _memory.available_memory() == 1000000000


def test_what_a_cgroup_has_left_is_counted_where_its_limit_stands(monkeypatch):
    """The limit is the parent's: what its other children use counts."""
    pretend(
        monkeypatch,
        {
            "/proc/meminfo": "MemTotal:       16000000 kB\nMemAvailable:   12000000 kB\n",
            "/proc/self/cgroup": "0::/all/app\n",
            "/sys/fs/cgroup/all/memory.max": "2000000000\n",
            "/sys/fs/cgroup/all/memory.current": "1500000000\n",
            "/sys/fs/cgroup/all/app/memory.max": "max\n",
            "/sys/fs/cgroup/all/app/memory.current": "100000000\n",
        },
    )
    assert _memory.available_memory() == 500000000


def test_windows_tells_its_memory(monkeypatch):
    import ctypes
    from types import SimpleNamespace

    def tell(reference):
        status = reference._obj
        assert status.length == ctypes.sizeof(status) == 64
        status.total_physical, status.available_physical = 16 << 30, 9 << 30
        return 1

    pretend(monkeypatch, {})
    kernel = SimpleNamespace(GlobalMemoryStatusEx=tell)
    monkeypatch.setattr(ctypes, "windll", SimpleNamespace(kernel32=kernel), raising=False)
    assert _memory.memory_limit() == (16 << 30, 16 << 30)
    assert _memory.available_memory() == 9 << 30
    kernel.GlobalMemoryStatusEx = lambda reference: 0  # it fails: what the C library tells
    assert _memory.memory_limit()[0] > 0


ORT = Runtime("onnxruntime", "1.20", (Device("onnxruntime", "cpu", "CPUExecutionProvider"),))
OV = Runtime("openvino", "2026.1", (Device("openvino", "cpu", "CPU"),))


def test_a_clean_installation_has_no_conflicts():
    assert conflicts((ORT, OV), distributions=["onnxruntime"], nvidia=False) == ()


def test_each_conflict_names_what_mends_it():
    (line,) = conflicts(
        (ORT, OV),
        distributions=["onnxruntime", "onnxruntime-gpu", "onnxruntime-tools"],
        nvidia=False,
    )
    assert "onnxruntime and onnxruntime-gpu are installed side by side" in line.what
    assert (
        line.mend == "pip uninstall -y onnxruntime onnxruntime-gpu && pip install onnxruntime-gpu"
    )

    (line,) = conflicts((ORT, OV), distributions=["onnxruntime"], nvidia=True)
    assert "no installed runtime uses CUDA" in line.what
    assert "pip install" in line.mend
    assert "pip uninstall -y onnxruntime " in line.mend

    cuda = Device(
        "onnxruntime",
        "cuda",
        "CUDAExecutionProvider",
        problem="libcudnn.so.9: cannot open shared object file",
    )
    gpu = replace(ORT, devices=(*ORT.devices, cuda))
    (line,) = conflicts((gpu, OV), distributions=["onnxruntime-gpu"], nvidia=True)
    assert "CUDAExecutionProvider does not load: libcudnn.so.9" in line.what
    assert "onnxruntime-gpu[cuda,cudnn]" in line.mend

    broken = Runtime("openvino", "", problem="libtbb.so.12: cannot open shared object file")
    (line,) = conflicts((ORT, broken), distributions=["onnxruntime"], nvidia=False)
    assert "openvino does not load: libtbb.so.12" in line.what


def test_a_required_device_is_there_or_an_error_with_hints():
    machine = devices.hardware()
    _doctor.require_device(machine, "cpu")
    _doctor.require_device(machine, "CPU")
    bare = replace(machine, runtimes=(ORT, OV), conflicts=())
    for device in ("gpu", "npu", "cuda"):
        with pytest.raises(DeviceError, match=f"'{device}' is required, there is: cpu"):
            _doctor.require_device(bare, device)
    sick = replace(ORT, devices=(Device("onnxruntime", "cuda", "CUDA", problem="libcudnn"),))
    machine = replace(bare, runtimes=(sick, OV), conflicts=conflicts((sick, OV), nvidia=True))
    with pytest.raises(DeviceError, match="does not load: libcudnn"):
        _doctor.require_device(machine, "cuda")


@pytest.fixture
def own_model(tmp_path):
    folder = tmp_path / "home" / "catalog"
    folder.mkdir(parents=True)
    mask_network(folder / "own.onnx", size=(192, 256))
    (folder / "own.toml").write_text(
        "name = 'own'\nfile = 'own.onnx'\nsize = [192, 256]\nlicense = 'MIT'\n"
    )
    return folder / "own.onnx"


def test_the_doctor_tells_the_plan_and_the_fit_of_each_model_here(own_model, capsys):
    assert main(["doctor"]) == 0
    text = capsys.readouterr().out
    for word in ("Hardware", "Runtimes", "openvino", "onnxruntime", "own  (MIT", "plan", "fits"):
        assert word in text
    assert main(["doctor", "--json", "own", "--require-device", "cpu"]) == 0
    data = json.loads(capsys.readouterr().out)
    (model,) = data["models"]
    assert model["model"]["name"] == "own"
    assert model["plan"]["backend"] == "openvino"
    assert model["fit"]["fits"] is True
    assert data["hardware"]["fingerprint"]
    assert data["cache"]["home"]


def test_the_doctors_exit_codes(capsys):
    assert main(["doctor", "--require-device", "abacus"]) == 7
    assert "'abacus' is required" in capsys.readouterr().err
    assert main(["doctor", "silueta"]) == 5  # of which nothing is known without its weights
    assert "nssbg models pull silueta" in capsys.readouterr().err


def test_a_damaged_model_is_told_and_does_not_hide_the_others(own_model, capsys):
    (own_model.parent / "bad.onnx").write_bytes(b"nonsense")
    (own_model.parent / "bad.toml").write_text("name = 'bad'\nfile = 'bad.onnx'\nsize = 64\n")
    assert main(["doctor"]) == 0
    text = capsys.readouterr().out
    assert "not an ONNX file" in text
    assert "own  (MIT" in text


def test_tuning_from_the_command_line_shows_in_the_doctor(own_model, capsys):
    assert main(["tune", "own", "--rounds", "1", "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert told["model"] == "own"
    assert len(told["measurements"]) >= 2
    assert main(["doctor", "own"]) == 0
    assert "the fastest measured here" in capsys.readouterr().out


def test_the_models_command(own_model, capsys):
    assert main(["models", "list"]) == 0
    text = capsys.readouterr().out
    assert "CC-BY-NC-4.0" in text
    assert main(["models", "list", "--license", "commercial", "--json"]) == 0
    names = {item["name"] for item in json.loads(capsys.readouterr().out)}
    assert "u2netp" in names
    assert not names & {"rmbg-2.0", "isnet-anime"}
    assert main(["models", "path", "own"]) == 0
    assert Path(capsys.readouterr().out.strip()) == own_model
    assert main(["models", "info", str(own_model), "--json"]) == 0
    info = json.loads(capsys.readouterr().out)
    assert info["inputs"] == ["input float32 ['batch', 3, 192, 256]"]
    assert info["operators"]["Conv"] == 2
    bare = own_model.parent.parent / "bare.onnx"
    mask_network(bare, outputs=("logits", "other"), size=(64, 96))
    assert main(["models", "info", str(bare)]) == 0
    start = capsys.readouterr().out.partition("beside it:")[2]
    bare.with_name("bare.onnx.toml").write_text(start)
    assert main(["models", "info", str(bare), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["width"] == 96
    assert main(["models", "info", "rmbg-1.4"]) == 0
    assert "not on this machine" in capsys.readouterr().out
    assert main(["models", "verify"]) == 0
    assert "no published checksum" in capsys.readouterr().out
    assert main(["models", "path", "u2netp"]) == 5
    assert main(["models", "pull", "rmbg-2.0", "--license", "commercial"]) == 6
    assert main(["models", "remove", "u2netp"]) == 0


def test_verify_finds_a_wrong_copy_wherever_it_lies(tmp_path, capsys):
    wrong = tmp_path / "user" / ".u2net" / "u2netp.onnx"
    wrong.parent.mkdir(parents=True)
    wrong.write_bytes(b"x" * 4574861)
    assert main(["models", "verify", "u2netp"]) == 5
    assert "WRONG" in capsys.readouterr().out


def network(path, size):
    from nssbg._models.sidecar import ModelDescription

    return ModelDescription(name="m", file=path.name, height=size[0], width=size[1]).at(path)


def test_the_graphs_cost_is_counted_by_hand(tmp_path):
    size = (64, 96)
    cost = graph_cost(network(mask_network(tmp_path / "m.onnx"), size))
    pixels = 64 * 96
    assert cost.operations == 2 * pixels * (8 * 27 + 8 * 9)
    assert cost.weights_bytes >= 4 * (8 * 27 + 8 * 9)
    # Alive at a time: the eight channels and the picture, or the eight channels and one more.
    assert cost.peak_bytes == 4 * pixels * (8 + 3)
    double = graph_cost(network(mask_network(tmp_path / "n.onnx"), (128, 96)))
    assert double.operations == 2 * cost.operations
    assert double.peak_bytes == 2 * cost.peak_bytes


def test_what_does_not_fit_is_said_with_what_would(tmp_path):
    model = network(mask_network(tmp_path / "m.onnx"), (2048, 2048))
    rates = measure_rates(1)
    assert rates.operations > 1e8
    assert measure_rates(1) == rates  # kept
    on = Candidate("onnxruntime", "cpu", "float32", 1)
    assert fit(model, on, available=8 << 30, rates=rates).fits
    tight = fit(model, on, available=380 << 20, rates=rates)
    assert not tight.fits
    text = "\n".join(tight.advice)
    assert "backend openvino" in text
    assert "model='studio'" in text
    # The file takes any size, so that the advice is a size, and holds what it promises.
    tight = fit(model, replace(on, backend="openvino"), available=300 << 20, rates=rates)
    height, width = map(int, re.search(r"input of (\d+) x (\d+)", "\n".join(tight.advice)).groups())
    assert height % 32 == width % 32 == 0
    smaller = replace(model, height=height, width=width)
    assert fit(smaller, replace(on, backend="openvino"), available=300 << 20, rates=rates).fits
    fixed = network(mask_network(tmp_path / "f.onnx", size=(2048, 2048)), (2048, 2048))
    told = fit(fixed, replace(on, backend="openvino"), available=300 << 20, rates=rates).advice
    assert any("an export of it for" in line for line in told)
    several = replace(on, backend="openvino", streams=4)
    told = fit(model, several, available=800 << 20, rates=rates).advice
    assert any(line.startswith("one picture at a time") for line in told)


def test_predicted_time_follows_the_classes_of_operators():
    from nssbg._planner.graph_cost import GraphCost, Rates
    from nssbg._planner.resource_estimate import predicted_seconds

    rates = Rates(100e9, 200e9, 50e9, 100e9, 10e9, 20e9, 2)
    cost = GraphCost(1e9, 1e9, 1e8, 2e8, 0, 0, 0, 320, 320)
    exact = Candidate("openvino", "cpu", "float32", 2)
    assert predicted_seconds(cost, exact, rates) == pytest.approx(0.01 + 0.02 + 0.01 + 0.01)
    half = replace(exact, precision="bfloat16")
    assert predicted_seconds(cost, half, rates) == pytest.approx(0.005 + 0.01 + 0.01 + 0.005)
    one = replace(exact, threads=1)
    assert predicted_seconds(cost, one, rates) == pytest.approx(2 * (0.01 + 0.02 + 0.01) + 0.01)
    other = replace(exact, backend="onnxruntime")
    assert predicted_seconds(cost, other, rates) > predicted_seconds(cost, exact, rates)


_PEAK = """
import sys
import numpy as np
from pathlib import Path
from nssbg._runtime import open_backend
from nssbg._models.sidecar import ModelDescription
path = Path(sys.argv[1])
model = ModelDescription(name="m", file=path.name, height=1536, width=1536).at(path)
opened = open_backend(model, backend=sys.argv[2], device="cpu", threads=1)
for _ in range(2):
    opened.run(np.zeros((1, 3, 1536, 1536), np.float32))
status = Path("/proc/self/status").read_text().split()
print(1024 * int(status[status.index("VmHWM:") + 1]))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_the_predicted_peak_is_near_the_measured_one(tmp_path, backend):
    path = mask_network(tmp_path / "m.onnx")
    model = network(path, (1536, 1536))
    told = subprocess.run(
        [sys.executable, "-c", _PEAK, str(path), backend],
        capture_output=True,
        text=True,
        check=True,
    )
    predicted = fit(
        model, Candidate(backend, "cpu", "float32", 1), available=8 << 30, rates=measure_rates(1)
    ).peak_bytes
    logging.info("measured %s predicted %s", told.stdout, predicted)
    assert 0.5 < predicted / int(told.stdout) < 2.0


def test_model_errors_of_graphs_that_do_not_take_a_size(tmp_path):
    path = deform_network(tmp_path / "d.onnx")  # sizes are built into it
    with pytest.raises(ModelError, match="does not take 21 x 24"):
        graph_cost(network(path, (20, 24)), size=(21, 24))


def test_openvino_is_not_asked_for_devices_that_no_node_stands_for(monkeypatch):
    from nssbg._runtime import openvino

    class Core:
        asked = 0

        @property
        def available_devices(self):
            self.asked += 1
            return ["CPU", "GPU"]

    core = Core()
    monkeypatch.setattr(openvino, "accelerator_nodes", lambda: ())
    assert openvino._available(core, "auto") == ["CPU"]
    assert openvino._available(core, "cpu") == ["CPU"]
    assert core.asked == 0
    # What is named is looked for in any case, and so is "auto" where nothing is known.
    assert openvino._available(core, "gpu") == ["CPU", "GPU"]
    for nodes in (None, ("/dev/dri/renderD128",)):
        monkeypatch.setattr(openvino, "accelerator_nodes", lambda nodes=nodes: nodes)
        assert openvino._available(core, "auto") == ["CPU", "GPU"]
    assert core.asked == 3


def test_openvino_asked_for_by_two_threads_is_whole_for_both(tmp_path):
    """The second one must not be handed what the first is still importing."""
    package = tmp_path / "openvino"
    package.mkdir()
    (package / "__init__.py").write_text(
        "import time\nstarted = True\ntime.sleep(0.3)\n__version__ = '1'\n"
    )
    program = """
import sys, threading, time
sys.path.insert(0, sys.argv[1])
from nssbg._runtime_imports import import_openvino
found = []
def ask():
    found.append(import_openvino().__version__)
threads = [threading.Thread(target=ask) for _ in range(2)]
threads[0].start()
while not getattr(sys.modules.get("openvino"), "started", False):
    time.sleep(0.001)
threads[1].start()
for thread in threads:
    thread.join()
print(found)
"""
    told = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, timeout=60
    )
    assert told.stdout.strip() == "['1', '1']", told.stderr
