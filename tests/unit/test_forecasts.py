"""What is predicted of models before their weights are here: lists, the doctor, advice."""

from __future__ import annotations

import itertools
import json
import os
from dataclasses import asdict

import pytest
from model_graphs import mask_network
from onnx import TensorProto

from nssbg._errors import ModelError
from nssbg._models import catalog
from nssbg._models.sidecar import ModelDescription
from nssbg._planner import graph_cost, resource_estimate
from nssbg._planner.candidates import Candidate
from nssbg._planner.graph_cost import Rates, _kept_rates, measure_rates
from nssbg._planner.known_costs import known_cost
from nssbg._planner.resource_estimate import fit, model_cost
from nssbg.cli.main import main

ON = Candidate("openvino", "cpu", "float32", 2)
RATES = Rates(1e11, 2e11, 8e10, 1.6e11, 2e10, 5e9, 2)


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory, tmp_path, monkeypatch):
    for key in list(os.environ):
        if key.startswith(("HF_", "NSSBG_", "REMBG", "U2NET")):
            monkeypatch.delenv(key)
    monkeypatch.setenv("HOME", str(tmp_path))
    # One for all tests here: the machine's rates are measured once.
    monkeypatch.setenv("NSSBG_HOME", str(tmp_path_factory.getbasetemp() / "forecasts"))


def free(monkeypatch, count):
    monkeypatch.setattr(resource_estimate, "available_memory", lambda: count)


def test_the_list_predicts_every_model_of_a_known_architecture(capsys, monkeypatch):
    free(monkeypatch, 2_000_000_000)
    assert main(["models", "list"]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split()[-4:] == ["FITS", "MEMORY", "SECONDS", "FOR"]
    rows = {line.split()[0]: line for line in lines}
    for name, model in catalog.builtin_catalog().items():
        assert (" GB " in rows[name]) == bool(model.architecture), rows[name]
    assert rows["birefnet-general"].split()[8:12] == ["-", "NO", "4.5", "GB"]
    assert " yes " in rows["u2netp"]


def test_the_list_as_json_has_the_prediction_whole(capsys, monkeypatch):
    free(monkeypatch, 2_000_000_000)
    assert main(["models", "list", "--json"]) == 0
    found = {item["name"]: item["prediction"] for item in json.loads(capsys.readouterr().out)}
    assert found["silueta"] is None
    general = found["birefnet-general"]
    assert general["fits"] is False
    assert general["backend"] == "openvino"
    assert general["precision"] == "float32"
    assert general["available_bytes"] == 2_000_000_000
    assert any(line.startswith("a smaller model: ") for line in general["advice"])
    assert general["seconds"] > 10 * found["u2netp"]["seconds"] > 0
    assert found["nssbg-lite"]["fits"] is True


def test_the_doctor_tells_of_every_model_what_would_fit_instead(capsys, monkeypatch):
    free(monkeypatch, 4_000_000_000)
    assert main(["doctor", "--all"]) == 0
    here, _, every = capsys.readouterr().out.partition("Every known model")
    assert "nssbg-lite  (Apache-2.0" in here
    assert "birefnet" not in here.partition("Models here")[2]
    for name in (*catalog.builtin_catalog(), "nssbg-lite"):
        assert f"\n  {name} " in every
    advice = every.partition("birefnet-general does not fit")[2].partition("does not fit")[0]
    assert "instead  an export of it for" in advice
    assert "instead  precision bfloat16: 3." in advice
    assert "instead  a smaller model: " in advice
    assert "ben2: no prediction: its weights are not here" in every


def test_the_doctor_predicts_a_model_that_is_named_and_not_here(capsys):
    assert main(["doctor", "rmbg-1.4", "--json"]) == 0
    (item,) = json.loads(capsys.readouterr().out)["models"]
    assert item["model"]["path"] is None
    assert item["fit"]["peak_bytes"] > 500_000_000
    assert item["plan"]["license"] == "LicenseRef-bria-rmbg-1.4"


def test_a_smaller_model_that_would_not_fit_either_is_not_advised():
    general = catalog.builtin_catalog()["birefnet-general"]
    told = fit(general, ON, available=1_000_000_000, rates=RATES)
    assert not told.fits
    (line,) = (line for line in told.advice if line.startswith("a smaller model: "))
    assert "birefnet-general-lite" not in line  # 1.8 GB
    assert "u2netp" in line


def test_rates_of_a_loaded_machine_are_measured_anew_once_it_is_quiet(monkeypatch):
    def entry(load):
        return {**asdict(RATES), "load": load}

    monkeypatch.setattr(graph_cost.os, "getloadavg", lambda: (1.0, 1.0, 1.0), raising=False)
    assert _kept_rates(entry(0.5)) == RATES
    assert _kept_rates(asdict(RATES)) == RATES
    assert _kept_rates(entry(8.0)) is None  # half a process a thread now, eight then
    monkeypatch.setattr(graph_cost.os, "getloadavg", lambda: (15.0, 9.0, 9.0), raising=False)
    assert _kept_rates(entry(8.0)) == RATES  # no quieter: measuring again would tell the same
    for broken in ("much", None, [1]):
        assert _kept_rates(entry(broken)) is None


def test_rates_by_another_clock_are_not_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("NSSBG_HOME", str(tmp_path / "own"))
    ticks = itertools.count(0, 0.5)
    found = measure_rates(1, clock=lambda: next(ticks))
    assert not (tmp_path / "own").exists()
    assert found.operations > 0
    assert next(ticks) == 2 * 6 * 5 * 0.5  # twice for each of five runs of six graphs


def test_what_is_known_is_what_the_arithmetic_says():
    lite = catalog.builtin_catalog()["birefnet-general-lite"]
    cost = known_cost(lite)
    assert model_cost(lite) == cost
    found = fit(lite, ON, available=8 << 30, rates=RATES)
    assert found.seconds == pytest.approx(
        cost.operations / 1e11
        + cost.product_operations / 8e10
        + cost.sampled_operations / 2e10
        + cost.moved_bytes / 5e9
    )
    with pytest.raises(ModelError, match="what its architecture costs at 320 x 320 is not known"):
        model_cost(catalog.builtin_catalog()["silueta"])


def test_a_file_of_float16_costs_what_the_same_of_float32_costs(tmp_path):
    half = TensorProto.FLOAT16
    costs = []
    for name, kind in (("single", TensorProto.FLOAT), ("half", half)):
        path = mask_network(
            tmp_path / f"{name}.onnx", size=(64, 96), input_type=kind, output_type=kind
        )
        model = ModelDescription(name=name, file=path.name, height=64, width=96).at(path)
        costs.append(graph_cost.graph_cost(model))
    assert costs[0] == costs[1]
