"""Measuring by itself at the start of a run over many pictures: when, at what price, and kept."""

from __future__ import annotations

import numpy as np
import pytest
from model_graphs import mask_network

import nssbg
from nssbg import _planner as planner
from nssbg._models.sidecar import ModelDescription
from nssbg._planner import autotune, benchmark, candidate_backend, resource_estimate
from nssbg._planner.candidates import BatchRun, Candidate, PlanRequest
from nssbg._planner.store import measured


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("NSSBG_HOME", str(tmp_path / "home"))
    for key in ("NSSBG_LICENSE", "OMP_NUM_THREADS"):
        monkeypatch.delenv(key, raising=False)


@pytest.fixture
def net(tmp_path):
    path = mask_network(tmp_path / "net.onnx")
    (tmp_path / "net.toml").write_text("size = [48, 64]\nlicense = 'MIT'\ncommercial = true\n")
    return path


PICTURES = [np.full((40, 60, 3), 30 * i, np.uint8) for i in range(6)]


def no_measuring(monkeypatch):
    def refuse(*arguments, **keys):
        pytest.fail("measured where it must not")

    monkeypatch.setattr(autotune, "benchmark_candidates", refuse)


def plans_of(net, image_count, threads=2, **keys):
    with (
        nssbg.Remover(str(net), threads=threads) as remover,
        remover.map(image_count, decontaminate="off", refine="none", **keys) as results,
    ):
        return [outcome.result().plan for outcome in results]


def said(plan):
    return " | ".join(plan.reasons)


def test_a_single_picture_never_measures(net, monkeypatch):
    no_measuring(monkeypatch)
    monkeypatch.setattr(autotune, "autotune_run", autotune.benchmark_candidates)
    nssbg.Remover(str(net)).cutout(PICTURES[0])
    nssbg.remove(PICTURES[0], model=str(net))


def test_a_short_run_does_not_and_says_from_where_it_pays(net, monkeypatch):
    no_measuring(monkeypatch)
    plans = plans_of(net, PICTURES)
    assert "pays from" in said(plans[0])
    assert len(plans) == len(PICTURES)


def test_only_where_it_might_pay_the_network_is_run_to_see(net, monkeypatch):
    no_measuring(monkeypatch)
    opened = []
    inner = autotune.open_candidate
    monkeypatch.setattr(
        autotune, "open_candidate", lambda *given: opened.append(given) or inner(*given)
    )
    plans_of(net, PICTURES)
    assert not opened
    monkeypatch.setattr(autotune, "_LEAST_OPENING", 0.0)
    monkeypatch.setattr(autotune, "_SHARE", 1e-9)
    assert "measuring takes about" in said(plans_of(net, PICTURES)[0])
    assert len(opened) == 1


def test_an_iterator_of_unknown_length_does_not(net, monkeypatch):
    no_measuring(monkeypatch)
    plans = plans_of(net, (item for item in PICTURES))
    assert "number of pictures is not known" in said(plans[0])


def test_calibrate_false_does_not(net, monkeypatch):
    no_measuring(monkeypatch)
    assert "autotune=False" in said(plans_of(net, PICTURES, autotune=False)[0])


def test_a_run_that_asks_measures_once_and_the_next_takes_what_was_found(net, monkeypatch):
    first = plans_of(net, iter(PICTURES), autotune=True)
    assert "measured at the start of this run" in said(first[0])
    assert "the fastest measured here" in said(first[-1])
    no_measuring(monkeypatch)
    second = plans_of(net, PICTURES)
    assert "the fastest measured here" in said(second[0])
    assert "at the start of this run" not in said(second[0])


def test_a_long_run_measures_by_itself(net, monkeypatch):
    monkeypatch.setattr(autotune, "_OTHER_STAGES", 60.0)
    assert "measured at the start of this run" in said(plans_of(net, PICTURES * 2)[0])


def test_a_longer_run_on_the_same_remover_looks_again(net, monkeypatch):
    with nssbg.Remover(str(net), threads=2) as remover:
        with remover.map(PICTURES[:1]) as results:
            assert "pays from" in said(next(results).result().plan)
        monkeypatch.setattr(autotune, "_OTHER_STAGES", 60.0)
        with remover.map(PICTURES) as results:
            assert "at the start of this run" in said(next(results).result().plan)


def test_alphas_are_checked_on_pictures_of_the_run(net, tmp_path, monkeypatch):
    seen = []
    inner = autotune.benchmark_candidates

    def spy(model, found, **keys):
        seen.append(keys["tensors"])
        return inner(model, found, **keys)

    monkeypatch.setattr(autotune, "benchmark_candidates", spy)
    unreadable = tmp_path / "no.jpg"
    unreadable.write_bytes(b"no picture")
    image_count = [PICTURES[1], unreadable, PICTURES[3]]
    with (
        nssbg.Remover(str(net), threads=2) as remover,
        remover.map(image_count, autotune=True) as results,
    ):
        outcomes = list(results)
    assert [outcome.error is None for outcome in outcomes] == [True, False, True]
    assert [tensor.shape for tensor in seen[0]] == [(1, 3, 48, 64)] * 2
    assert "alphas checked on 2 of its pictures" in said(outcomes[0].cutout.plan)


def test_a_plan_that_tune_found_is_what_a_remover_runs(net):
    found = planner.tune(str(net), rounds=1)
    best = min((m for m in found if not m.problem), key=lambda m: m.milliseconds).candidate
    plan = nssbg.Remover(str(net)).cutout(PICTURES[0]).plan
    assert (plan.backend, plan.precision) == (best.backend, best.precision)
    assert "the fastest measured here" in said(plan)


def test_a_run_takes_several_pictures_at_once(net):
    plan = plans_of(net, PICTURES, threads=4)[0]
    assert plan.threads == 4
    assert plan.streams == 4


def described(net):
    return ModelDescription(name="net", file=net.name, height=48, width=64).at(net)


def test_streams_follow_the_free_memory(net, monkeypatch):
    model = described(net)
    cost = resource_estimate.graph_cost(model)

    def need(streams):
        return resource_estimate.predicted_peak(
            cost, Candidate("openvino", "cpu", "float32", 8, streams)
        )

    for free, expected in ((need(8) * 2, 8), (need(8) * 2 - 2, 2), (need(2), 1), (0, 1)):
        monkeypatch.setattr(resource_estimate, "available_memory", lambda free=free: free)
        assert resource_estimate.max_streams_in_memory(model, 8) == expected
    monkeypatch.setattr(resource_estimate, "available_memory", lambda: need(1))
    problem = resource_estimate.memory_shortfall(model)
    assert problem(Candidate("openvino", "cpu", "float32", 8, 1)) == ""
    assert "is free" in problem(Candidate("openvino", "cpu", "float32", 8, 8))
    assert problem(Candidate("onnxruntime", "cuda", "float32", 8, 8)) == ""


def test_calibration_ends_in_time_and_says_what_it_left(net):
    found = [Candidate("openvino", "cpu", "float32", count) for count in (1, 2, 3)]
    result = benchmark.benchmark_candidates(described(net), found, rounds=1, begin_within=0.0)
    assert [item.problem == "" for item in result] == [True, True, False]
    assert "not measured, 0.0 s were given" in result[2].problem


def test_calibration_makes_room_before_it_gives_a_candidate_up(net):
    open_now = []
    inner = candidate_backend.open_backend

    def counting(model, **keys):
        opened = inner(model, **keys)
        open_now.append(opened)
        close = opened.close

        def closed():
            open_now.remove(opened)
            close()

        opened.close = closed
        return opened

    candidate_backend.open_backend = counting
    try:
        found = [Candidate("openvino", "cpu", "float32", count) for count in (1, 2)]
        result = benchmark.benchmark_candidates(
            described(net), found, rounds=2, memory=lambda c: "full" if open_now else ""
        )
    finally:
        candidate_backend.open_backend = inner
    assert [item.problem for item in result] == ["", ""]
    assert all(item.milliseconds > 0 for item in result)
    assert not open_now


def test_what_a_short_calibration_found_is_not_kept_alone(net, monkeypatch):
    model = described(net)

    def one_only(ready, found, **keys):
        return (benchmark.Measurement(found[0], 1.0),)

    monkeypatch.setattr(autotune, "benchmark_candidates", one_only)
    request = PlanRequest(threads=2, goal="throughput")
    result, line = autotune.autotune_run(
        model, model, request, BatchRun(2, 2, 10, [], True), int8=None, cache=autotune.Path("c")
    )
    assert len(result) == 1
    assert "1 of 1 ways" in line
    assert measured(model, request) == ()


def test_no_picture_is_kept_alive_by_the_plan(net):
    import gc
    import weakref

    image_count = [item.copy() for item in PICTURES]
    with nssbg.Remover(str(net), threads=2) as remover:
        with remover.map(image_count, autotune=True) as results:
            for _ in results:
                pass
        last = weakref.ref(image_count[0])
        image_count.clear()
        gc.collect()
        assert last() is None
