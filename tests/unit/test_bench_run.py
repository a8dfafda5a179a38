"""How `nssbg bench` puts candidates together, and what it refuses before it measures."""

from __future__ import annotations

import pytest

from nssbg._errors import ModelError, OptionError
from nssbg._models.sidecar import ModelDescription
from nssbg._planner import Candidate, Measurement
from nssbg.bench import run
from nssbg.bench.cells import STUDIO, Asked, Wishes
from nssbg.bench.group import Job
from nssbg.bench.models import Model
from nssbg.bench.run import run_bench
from nssbg.bench.settings import Settings


def job(name):
    asked = Asked("core", "cpu", "float32", 1)
    return Job(name, name, asked, "stages", "single", "1MP", ())


def parts(monkeypatch, needs, free):
    monkeypatch.setattr(run, "available_memory", lambda: free / run._SHARE_OF_MEMORY)
    monkeypatch.setattr(run, "_predicted", lambda one, models: needs[one.name])
    return [
        ([one.name for one in kept], [record.job.name for record in refused])
        for kept, refused in run._within_memory([job(name) for name in needs], {})
    ]


def test_candidates_that_do_not_fit_together_are_measured_after_each_other(monkeypatch):
    assert parts(monkeypatch, {"a": 3, "b": 3, "c": 3}, 100) == [(["a", "b", "c"], [])]
    assert parts(monkeypatch, {"a": 3, "b": 3, "c": 3}, 6.5) == [(["a", "b"], []), (["c"], [])]


def test_one_that_fits_in_no_way_is_a_result_that_says_so(monkeypatch):
    found = parts(monkeypatch, {"a": 3, "b": 50, "c": 3}, 10)
    assert [names for names, _ in found] == [["a", "c"]]
    assert [name for _, refused in found for name in refused] == ["b"]
    (record,) = next(run._within_memory([job("b")], {}))[1]
    assert "GB" in record.problem
    assert parts(monkeypatch, {"b": 50}, 10) == [([], ["b"])]


def test_many_pictures_take_the_layout_that_was_measured_else_the_rule(monkeypatch):
    described = ModelDescription(name="net", file="net.onnx", height=48, width=64, license="MIT")
    model = Model("net", "net", described, described, None)
    kept = []
    monkeypatch.setattr(run, "measured", lambda one, request: tuple(kept))
    monkeypatch.setattr(run, "streams_by_rule", lambda one, threads: threads)
    cpu, gpu = (Asked("openvino", device, "float32", 4) for device in ("cpu", "gpu"))
    assert run._layout(cpu, model).streams == 4
    assert (run._layout(gpu, model).streams, run._layout(gpu, model).batch) == (1, 4)
    assert run._layout(Asked("openvino", "gpu", "float32", 2), model).batch == 1
    for streams, spent in ((1, 9.0), (2, 5.0)):
        kept.append(Measurement(Candidate("openvino", "cpu", "float32", 4, streams), spent))
    assert run._layout(cpu, model).streams == 2
    assert run._layout(Asked("onnxruntime", "cpu", "float32", 4), model).streams == 4


@pytest.mark.parametrize(
    ("wishes", "scopes", "why"),
    [
        (Wishes(), ("network", "stages"), ()),
        (Wishes(devices=("cpu", "gpu")), ("stages",), ()),
        (Wishes(backends=("openvino",)), ("stages",), "kernels"),
        (Wishes(devices=("gpu",)), ("stages",), "processor"),
        (Wishes(precisions=("int8",)), ("stages",), "precision"),
        (Wishes(), ("network",), "network"),
    ],
)
def test_where_the_studio_method_is_left_out_there_is_a_reason(wishes, scopes, why):
    found = run._no_studio(Settings(models=(STUDIO,), wishes=wishes, scopes=scopes))
    assert found == () if not why else why in found[0]


def test_what_is_named_and_not_here_is_an_error_before_anything_is_measured(tmp_path, monkeypatch):
    monkeypatch.setenv("NSSBG_HOME", str(tmp_path))
    with pytest.raises(ModelError, match="nssbg models pull isnet-general-use"):
        run_bench(Settings(models=("isnet-general-use",), scopes=("network",)))
    with pytest.raises(OptionError, match="nothing of what was asked for is here"):
        run_bench(Settings(models=(STUDIO,), scopes=("network",)))
    with pytest.raises(OptionError, match="no-such-architecture"):
        run_bench(Settings(synthetic=("no-such-architecture",), scopes=("network",)))
