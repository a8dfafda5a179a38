"""What `nssbg bench` measures and what it lists as absent, on machines made up for it."""

from __future__ import annotations

import pytest

from nssbg._errors import OptionError
from nssbg._models.sidecar import ModelDescription
from nssbg._runtime.devices import Device, Hardware, Processor, Runtime
from nssbg._types import Plan
from nssbg.bench.candidate import difference
from nssbg.bench.cells import Asked, Wishes, ways
from nssbg.bench.machine import commit_of, cpu_quota, pinned_cpus
from nssbg.bench.pictures import SCENES, SHA256, draw, parse_size, pixels_sha256, size_of
from nssbg.bench.settings import Settings

ORT = Device("onnxruntime", "cpu", "CPUExecutionProvider")
CUDA = Device("onnxruntime", "cuda", "CUDAExecutionProvider", precisions=("float32", "float16"))
OV = Device("openvino", "cpu", "CPU", precisions=("float32", "bfloat16"))
GPU = Device("openvino", "gpu", "GPU.0", precisions=("float32", "float16"))

MODEL = ModelDescription(name="net", file="net.onnx", height=48, width=64, license="MIT")


def machine(*devices: Device, cores=4, features=(), missing=()) -> Hardware:
    runtimes = tuple(
        Runtime(name, "", problem="not installed", installed=False)
        if name in missing
        else Runtime(name, "1.0", tuple(item for item in devices if item.runtime == name))
        for name in ("onnxruntime", "openvino")
    )
    return Hardware(
        Processor("cpu", cores, cores, "v3", features), 8 << 30, 8 << 30, 4 << 30, runtimes, ()
    )


def asked(found):
    return [
        (way.asked.backend, way.asked.device, way.asked.precision, way.asked.threads)
        for way in found
    ]


def reasons(absent):
    return {(one.backend, one.device, one.precision): one.reason for one in absent}


def test_everything_that_is_here_is_measured_and_everything_else_is_listed():
    found, absent = ways(machine(ORT, OV), [(MODEL, False)], Wishes())
    assert asked(found) == [("openvino", "cpu", "float32", 4), ("onnxruntime", "cpu", "float32", 4)]
    why = reasons(absent)
    assert why["openvino", "cpu", "bfloat16"] == "this processor has no bfloat16 instructions"
    assert why["openvino", "cpu", "int8"] == "there is no int8 form of these weights"
    assert why["openvino", "gpu", ""] == "openvino finds no GPU here"
    assert why["onnxruntime", "cuda", ""] == "this onnxruntime has no CUDAExecutionProvider"
    # Each of 2 x 4 precisions of the processors, and each device of either runtime, once.
    places = [key for key in why if not key[2]]
    assert len(found) + len(why) - len(places) == 8
    assert {device for backend, device, _ in places if backend == "onnxruntime"} == {
        *("cuda", "tensorrt", "rocm", "directml", "coreml", "webgpu", "npu")
    }
    assert all(one.reason for one in absent)
    assert not any(one.named for one in absent)


def test_int8_and_bfloat16_are_measured_where_they_exist():
    found, _ = ways(machine(ORT, OV, features=("AVX-512 BF16",)), [(MODEL, True)], Wishes())
    assert {(backend, precision) for backend, _, precision, _ in asked(found)} == {
        *(("openvino", "float32"), ("openvino", "bfloat16"), ("openvino", "int8")),
        *(("onnxruntime", "float32"), ("onnxruntime", "int8")),
    }


def test_comma_lists_make_every_combination():
    wishes = Wishes(("openvino",), ("cpu", "gpu"), ("float32", "float16"), (1, 2, 4))
    found, absent = ways(machine(ORT, OV, GPU), [(MODEL, False)], wishes)
    assert asked(found) == [
        *(("openvino", "cpu", "float32", count) for count in (1, 2, 4)),
        # Threads are the processor's.
        ("openvino", "gpu.0", "float32", 1),
        ("openvino", "gpu.0", "float16", 1),
    ]
    named = {key for key, one in zip(reasons(absent), absent, strict=True) if one.named}
    assert named == {("openvino", "cpu", "float16")}


def test_a_device_that_is_named_and_absent_is_told_as_asked_for():
    _, absent = ways(machine(ORT, OV), [(MODEL, False)], Wishes(devices=("cpu", "npu")))
    assert {(one.backend, one.device) for one in absent if one.named} == {
        ("openvino", "npu"),
        ("onnxruntime", "npu"),
    }
    assert all(one.remedy for one in absent if one.named)
    # "gpu" is met by whatever GPU there is, with whichever runtime.
    found, absent = ways(machine(ORT, CUDA, OV), [(MODEL, False)], Wishes(devices=("gpu",)))
    assert {way.asked.device for way in found} == {"cuda"}
    assert not any(one.named for one in absent)


def test_a_runtime_that_is_not_installed_is_told_with_the_command_that_brings_it():
    _, absent = ways(machine(ORT, missing=("openvino",)), [(MODEL, False)], Wishes())
    (line,) = [one for one in absent if one.backend == "openvino"]
    assert (line.reason, line.named) == ("not installed", False)
    assert "pip install" in line.remedy
    broken = Device("onnxruntime", "cuda", "CUDAExecutionProvider", problem="no libcudart")
    _, absent = ways(machine(ORT, broken, OV), [(MODEL, False)], Wishes())
    assert reasons(absent)["onnxruntime", "cuda", ""] == "does not load: no libcudart"


@pytest.mark.parametrize(
    "wishes",
    [
        Wishes(backends=("torch",)),
        Wishes(devices=("cpu", "tpu")),
        Wishes(precisions=("float64",)),
        Wishes(threads=(0,)),
    ],
)
def test_a_word_that_names_nothing_is_refused(wishes):
    with pytest.raises(OptionError, match="expected"):
        ways(machine(ORT, OV), [(MODEL, False)], wishes)


def test_what_ran_differently_from_what_was_asked_is_said():
    wanted = Asked("openvino", "gpu.0", "float16", 4)
    same = Plan("net", "openvino", "GPU.0", "float16", 4)
    assert difference(wanted, same) == ""
    told = difference(wanted, Plan("net", "openvino", "CPU", "float32", 4, streams=2))
    assert "device gpu.0 was asked for, cpu ran" in told
    assert "precision float16 was asked for, float32 ran" in told
    assert "streams 1 was asked for, 2 ran" in told
    fell = Plan("net", "openvino", "GPU.0", "float16", 4, fallbacks=("too slow there",))
    assert difference(wanted, fell) == "too slow there"


@pytest.mark.parametrize(
    "given",
    [
        {"scopes": ("net",)},
        {"scenarios": ("warm",)},
        {"scopes": ("stages",), "scenarios": ("batch",)},
        {"rounds": 0},
        {"seconds": 0.0},
        {"width": 1.0},
        {"effort": "most"},
    ],
)
def test_settings_that_would_measure_nothing_are_refused(given):
    with pytest.raises(OptionError):
        Settings(**given)


def test_the_pictures_are_the_same_pixels_everywhere():
    assert pixels_sha256() == SHA256
    tall = draw("small", 30, 40)
    assert (tall.shape, tall.dtype.name) == ((30, 40, 3), "uint8")
    assert len({draw(scene, 30, 40).tobytes() for scene in SCENES}) == len(SCENES)


def test_sizes_are_megapixels_with_or_without_their_unit():
    assert [parse_size(text) for text in ("12MP", "12", " 0.25mp ")] == [12.0, 12.0, 0.25]
    assert size_of(12) == (3000, 4000)
    for text in ("", "large", "0", "-1", "nan", "4000MP"):
        with pytest.raises(OptionError, match="megapixels"):
            parse_size(text)


def test_the_quota_is_the_least_of_this_process_and_those_above(monkeypatch):
    files = {
        "/proc/self/cgroup": "0::/a/b\n",
        "/sys/fs/cgroup/a/b/cpu.max": "max 100000\n",
        "/sys/fs/cgroup/a/cpu.max": "150000 100000\n",
    }
    monkeypatch.setattr("nssbg.bench.machine.read_system_file", lambda path: files.get(path, ""))
    assert cpu_quota() == 1.5
    files["/proc/self/cgroup"] = "4:cpu,cpuacct:/a\n"
    files["/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us"] = "-1\n"
    files["/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us"] = "100000\n"
    assert cpu_quota() is None
    files["/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us"] = "200000\n"
    files["/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us"] = "100000\n"
    assert cpu_quota() == 2.0


def test_candidates_are_pinned_to_one_hardware_thread_of_each_core_first(monkeypatch):
    # Two cores of two hardware threads: 0 and 2, 1 and 3.
    folder = "/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"
    files = {folder.format(cpu): ("0,2" if cpu in (0, 2) else "1,3") for cpu in range(4)}
    monkeypatch.setattr("nssbg.bench.machine.read_system_file", lambda path: files.get(path, ""))
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0, 1, 2, 3}, raising=False)
    assert pinned_cpus(1) == (0,)
    assert pinned_cpus(2) == (0, 1)
    assert pinned_cpus(3) == (0, 1, 2)
    assert pinned_cpus(4) == ()


def test_the_commit_is_read_from_a_checkout_a_worktree_and_packed_references(tmp_path):
    git = tmp_path / "main" / ".git"
    (git / "refs" / "heads").mkdir(parents=True)
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    (git / "refs" / "heads" / "main").write_text("a" * 40 + "\n")
    assert commit_of(tmp_path / "main" / "python") == "a" * 40
    (git / "refs" / "heads" / "main").unlink()
    (git / "packed-refs").write_text(f"# pack\n{'b' * 40} refs/heads/main\n")
    assert commit_of(tmp_path / "main") == "b" * 40
    own = git / "worktrees" / "side"
    own.mkdir(parents=True)
    (own / "HEAD").write_text("ref: refs/heads/main\n")
    (own / "commondir").write_text("../..\n")
    (tmp_path / "side").mkdir()
    (tmp_path / "side" / ".git").write_text(f"gitdir: {own}\n")
    assert commit_of(tmp_path / "side") == "b" * 40
    (own / "HEAD").write_text("c" * 40)
    assert commit_of(tmp_path / "side") == "c" * 40
