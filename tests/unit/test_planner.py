"""Planning: candidates and plans by rule, calibration against float32, plans kept on disk."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from model_graphs import mask_network

from nssbg import _planner as planner
from nssbg._errors import DeviceError, LicenseError, ModelError, OptionError
from nssbg._models.sidecar import ModelDescription
from nssbg._planner import benchmark, candidate_backend, opening
from nssbg._planner.candidates import (
    Candidate,
    Measurement,
    PlanRequest,
    candidates,
    plan,
    plan_reasons,
    ranked,
)
from nssbg._planner.store import load, machine_key, plan_key, store
from nssbg._runtime import open_backend
from nssbg._runtime.devices import Device, Hardware, Processor, Runtime


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("NSSBG_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("NSSBG_LICENSE", raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)


MODEL = ModelDescription(name="net", file="net.onnx", height=48, width=64, license="MIT")


def machine(*devices: Device, cores=2, features=()) -> Hardware:
    both = tuple(
        Runtime(name, "1.0", tuple(item for item in devices if item.runtime == name))
        for name in ("onnxruntime", "openvino")
    )
    return Hardware(
        Processor("cpu", cores, cores, "v3", features), 8 << 30, 8 << 30, 4 << 30, both, ()
    )


ORT = Device("onnxruntime", "cpu", "CPUExecutionProvider")
CUDA = Device("onnxruntime", "cuda", "CUDAExecutionProvider", precisions=("float32", "float16"))
OV = Device("openvino", "cpu", "CPU", precisions=("float32", "bfloat16"))
GPU = Device("openvino", "gpu", "GPU.0", precisions=("float32", "float16"))
NPU = Device("openvino", "npu", "NPU", precisions=("float16",))
BF16 = ("AVX-512 BF16",)


def short(found):
    return [f"{c.backend[:4]} {c.device} {c.precision} {c.threads} {c.streams}" for c in found]


def test_candidates_of_a_plain_machine():
    assert short(candidates(machine(ORT, OV), MODEL, PlanRequest())) == [
        "open cpu float32 2 1",
        "onnx cpu float32 2 1",
    ]
    assert short(candidates(machine(ORT, OV, features=BF16), MODEL, PlanRequest())) == [
        "open cpu float32 2 1",
        "open cpu bfloat16 2 1",
        "onnx cpu float32 2 1",
    ]


def test_candidates_follow_the_choice():
    full = machine(ORT, CUDA, OV, GPU, NPU, cores=8, features=BF16)
    assert short(candidates(full, MODEL, PlanRequest(device="cuda"))) == ["onnx cuda float32 8 1"]
    assert {c.device for c in candidates(full, MODEL, PlanRequest(device="gpu"))} == {
        "cuda",
        "gpu.0",
    }
    assert short(candidates(full, MODEL, PlanRequest(device="npu"))) == ["open npu float16 8 1"]
    assert short(
        candidates(full, MODEL, PlanRequest(backend="openvino", device="cpu", threads=3))
    ) == [
        "open cpu float32 3 1",
        "open cpu bfloat16 3 1",
    ]
    threads = {c.threads for c in candidates(full, MODEL, PlanRequest(device="cpu"))}
    assert threads == {8, 4}
    streams = {
        c.streams for c in candidates(full, MODEL, PlanRequest(device="cpu", goal="throughput"))
    }
    assert streams == {1, 2, 4, 8}
    batches = {
        c.batch for c in candidates(full, MODEL, PlanRequest(device="gpu", goal="throughput"))
    }
    assert batches == {1, 4, 16}
    bounded = PlanRequest(device="gpu", goal="throughput", max_concurrency=8)
    assert {c.batch for c in candidates(full, MODEL, bounded)} == {1, 4}
    precisions = {c.precision for c in candidates(full, MODEL, PlanRequest(), has_int8=True)}
    assert precisions == {"float32", "bfloat16", "float16", "int8"}
    only = candidates(full, MODEL, PlanRequest(precision="bfloat16", threads=8))
    assert short(only) == ["open cpu bfloat16 8 1"]


def test_an_openvino_file_runs_on_openvino_only():
    ir = replace(MODEL, file="net.xml")
    assert {c.backend for c in candidates(machine(ORT, OV), ir, PlanRequest())} == {"openvino"}


def test_devices_with_a_problem_are_no_candidates():
    sick = replace(CUDA, problem="libcudnn.so.9: cannot open shared object file")
    assert "cuda" not in {
        c.device for c in candidates(machine(ORT, OV, sick), MODEL, PlanRequest())
    }
    with pytest.raises(DeviceError, match="device 'cuda'"):
        candidates(machine(ORT, OV, sick), MODEL, PlanRequest(device="cuda"))


def test_wrong_choices_are_option_errors():
    for request in (
        PlanRequest(precision="float8"),
        PlanRequest(goal="speed"),
        PlanRequest(threads=-1),
    ):
        with pytest.raises(OptionError):
            candidates(machine(ORT, OV), MODEL, request)


def test_without_measurement_the_plan_is_exact_and_says_it_is_a_rule():
    made, chosen = plan(machine(ORT, OV, features=BF16), MODEL, PlanRequest())
    assert (made.backend, made.precision, made.license) == ("openvino", "float32", "MIT")
    assert chosen == Candidate("openvino", "cpu", "float32", 2)
    assert "by rule" in made.reasons[0]
    assert "bfloat16 may be faster" in made.reasons[1]
    made, _ = plan(machine(ORT, CUDA, OV), MODEL, PlanRequest())
    assert made.device == "CUDA"


def test_with_measurements_the_fastest_within_the_bound_wins_and_all_is_explained():
    here = machine(ORT, OV, features=BF16)
    exact, fast, other = candidates(here, MODEL, PlanRequest())
    measured = (
        Measurement(exact, 100.0),
        Measurement(fast, 40.0, 0.001, 0.01),
        Measurement(other, 80.0),
    )
    made, chosen = plan(here, MODEL, PlanRequest(), measured)
    assert chosen == fast
    assert "40 ms, the fastest measured" in made.reasons[0]
    assert "80 ms (2.00 x)" in made.reasons[1]
    refused = (measured[0], replace(measured[1], problem="its alpha is too far"), measured[2])
    made, chosen = plan(here, MODEL, PlanRequest(), refused)
    assert chosen == other
    assert any("out, its alpha is too far" in line for line in made.reasons)
    # A measurement of what the choice excludes does not count.
    _, chosen = plan(here, MODEL, PlanRequest(backend="openvino", precision="float32"), measured)
    assert chosen == exact


def test_plan_is_pure():
    here = machine(ORT, OV, features=BF16)
    assert plan(here, MODEL, PlanRequest()) == plan(here, MODEL, PlanRequest())


@pytest.fixture
def net(tmp_path):
    return MODEL.at(mask_network(tmp_path / "net.onnx"))


def test_calibration_times_every_candidate_and_measures_distance(net):
    found = candidates(machine(ORT, OV, features=BF16), net, PlanRequest())
    lines = []
    measured = benchmark.benchmark_candidates(net, found, rounds=3, progress=lines.append)
    assert [item.candidate for item in measured] == found
    assert len(lines) == 3
    exact = measured[0]
    assert exact.problem == ""
    assert exact.max_error < 1e-5
    for item in measured:
        assert item.problem or item.milliseconds > 0


class Slanted:
    """A backend that answers a given distance away, after a given time."""

    def __init__(self, inner, distance, seconds=0.0):
        self.inner, self.distance, self.seconds = inner, distance, seconds
        self.plan = inner.plan
        self.closed = False

    def run(self, tensor):
        import time

        time.sleep(self.seconds)
        return self.inner.run(tensor) + np.float32(self.distance)

    def close(self):
        self.closed = True
        self.inner.close()


def slanted(monkeypatch, distances, seconds=None):
    made = []

    def opener(model, **keys):
        inner = open_backend(model, **{**keys, "precision": "auto"})
        key = (keys["backend"], keys["precision"])
        made.append(Slanted(inner, distances.get(key, 0.0), (seconds or {}).get(key, 0.0)))
        return made[-1]

    monkeypatch.setattr(candidate_backend, "open_backend", opener)
    return made


def test_calibration_refuses_an_alpha_outside_the_bound(net, monkeypatch):
    made = slanted(monkeypatch, {("openvino", "bfloat16"): 1.2 / 255})
    found = candidates(machine(ORT, OV, features=BF16), net, PlanRequest())
    measured = {
        c.candidate.precision: c for c in benchmark.benchmark_candidates(net, found[:2], rounds=1)
    }
    assert measured["float32"].problem == ""
    assert "1.20/255 (mean)" in measured["bfloat16"].problem
    assert all(item.closed for item in made)


def test_calibration_drops_a_hopeless_candidate_and_survives_one_that_fails(net, monkeypatch):
    slanted(monkeypatch, {}, {("onnxruntime", "float32"): 0.3})
    found = [
        *candidates(machine(ORT, OV), net, PlanRequest()),
        Candidate("openvino", "gpu.7", "float32", 2),
    ]
    measured = benchmark.benchmark_candidates(net, found, rounds=1)
    assert "times the best" in measured[1].problem
    assert "gpu.7" in measured[2].problem
    assert measured[0].problem == ""


def test_calibration_leaves_out_what_does_not_fit(net):
    found = candidates(machine(ORT, OV), net, PlanRequest())
    measured = benchmark.benchmark_candidates(
        net, found, rounds=1, memory=lambda c: "needs 9 GB" if c.backend == "onnxruntime" else ""
    )
    assert [item.problem for item in measured] == ["", "needs 9 GB"]


def test_streams_are_measured_as_pictures_at_the_same_time(net):
    both = [Candidate("openvino", "cpu", "float32", 2, streams) for streams in (1, 2)]
    measured = benchmark.benchmark_candidates(net, both, rounds=2)
    assert all(item.problem == "" and item.milliseconds > 0 for item in measured)


def test_calibration_tensors_are_as_the_model_is_fed():
    one = replace(MODEL, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    tensors = benchmark.synthetic_tensors(one, 2, batch=3)
    assert [t.shape for t in tensors] == [(3, 3, 48, 64)] * 2
    for tensor in tensors:
        assert tensor.dtype == np.float32
        assert -1.001 <= tensor.min() < -0.2
        assert 0.2 < tensor.max() <= 1.001
    again = benchmark.synthetic_tensors(one, 2, batch=3)
    np.testing.assert_array_equal(tensors[1], again[1])


def test_measurements_are_kept_and_damage_is_no_error(tmp_path):
    path = tmp_path / "plans.json"
    measured = (Measurement(Candidate("openvino", "cpu", "float32", 2), 3.5, 0.1, 0.2, "x"),)
    assert load(path, "a") == ()
    store(path, "a", measured)
    store(path, "b", ())
    assert load(path, "a") == measured
    path.write_text("{")
    assert load(path, "a") == ()
    path.write_text(json.dumps({"a": [{"other": 1}], "b": 3, "c": [{"candidate": {"x": 1}}]}))
    assert [load(path, key) for key in "abc"] == [(), (), ()]
    store(path, "a", measured)
    assert load(path, "a") == measured


def test_keys_change_with_the_model_the_choice_and_the_machine(monkeypatch):
    keys = {
        plan_key(MODEL, "1", PlanRequest()),
        plan_key(MODEL, "2", PlanRequest()),
        plan_key(replace(MODEL, height=64), "1", PlanRequest()),
        plan_key(MODEL, "1", PlanRequest(device="cpu")),
    }
    assert len(keys) == 4
    before = machine_key()
    assert machine_key() == before
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert machine_key() != before


def test_tuning_is_found_again_by_open_model(net, monkeypatch):
    measured = planner.tune(net, rounds=1)
    good = [item for item in measured if not item.problem]
    best = min(good, key=lambda item: item.milliseconds).candidate
    described, opened = planner.open_model(net)
    assert described == net
    assert (opened.plan.backend, opened.plan.precision) == (best.backend, best.precision)
    assert any("the fastest measured here" in line for line in opened.plan.reasons)
    # A narrower choice uses the same measurements.
    _, narrow = planner.open_model(net, backend="onnxruntime")
    assert narrow.plan.backend == "onnxruntime"
    assert any("measured here" in line for line in narrow.plan.reasons)


def test_open_model_without_tuning_follows_the_rule(net):
    _, opened = planner.open_model(net, threads=1)
    assert (opened.plan.backend, opened.plan.precision, opened.plan.threads) == (
        "openvino",
        "float32",
        1,
    )


def test_a_measured_winner_that_is_gone_gives_way_with_a_warning(net, caplog):
    gone = Measurement(Candidate("openvino", "gpu.3", "float32", 1), 1.0)
    there = Measurement(Candidate("onnxruntime", "cpu", "float32", 1), 5.0)
    from nssbg._models.fingerprint import weights_fingerprint
    from nssbg._models.paths import plans_file

    store(plans_file(), plan_key(net, weights_fingerprint(net.path), PlanRequest()), (gone, there))
    _, opened = planner.open_model(net)
    assert opened.plan.backend == "onnxruntime"
    assert "does not open now" in caplog.text


def test_open_model_asks_the_licence_first_and_names_missing_weights(monkeypatch):
    with pytest.raises(LicenseError):
        planner.open_model("rmbg-2.0", license="commercial")
    monkeypatch.setenv("NSSBG_OFFLINE", "1")
    monkeypatch.setenv("HOME", str(opening.models_folder()))
    with pytest.raises(ModelError, match="NSSBG_OFFLINE"):
        planner.open_model("u2netp")


def test_open_model_takes_a_path_with_a_sidecar_and_the_fake_backend(tmp_path):
    path = mask_network(tmp_path / "own.onnx", outputs=("logits",))
    (tmp_path / "own.toml").write_text("size = [48, 64]\nactivation = 'sigmoid'\n")
    described, opened = planner.open_model(path)
    assert described.activation == "sigmoid"
    assert opened.run(np.zeros((1, 3, 48, 64), np.float32)).shape == (1, 48, 64)
    _, fake = planner.open_model("u2netp", backend="fake")
    assert fake.plan.backend == "fake"


def test_an_int8_candidate_without_an_int8_form_is_never_another_in_disguise(net):
    """Opened as the float32 file it was measured, and won, under a wrong name."""
    int8 = Candidate("openvino", "cpu", "int8", 1)
    with pytest.raises(ModelError, match="nssbg quantize"):
        candidate_backend.open_candidate(net, int8, None, None)
    found = benchmark.benchmark_candidates(net, [int8], rounds=1)
    assert "no int8 form" in found[0].problem
    own = replace(net, precision="int8")
    assert candidate_backend.int8_source(own, None) is own


def test_what_is_planned_and_what_is_opened_say_the_same():
    here = machine(ORT, OV)
    possible = candidates(here, MODEL, PlanRequest())
    measured = tuple(
        Measurement(c, 9.0 - i, problem="too far" if i == 1 else "") for i, c in enumerate(possible)
    )
    made, chosen = plan(here, MODEL, PlanRequest(), measured)
    good = ranked(measured)
    assert chosen == good[0].candidate
    assert [m.milliseconds for m in good] == sorted(m.milliseconds for m in good)
    assert made.reasons == plan_reasons(good, measured)
    assert "out, too far" in made.reasons[-1]
