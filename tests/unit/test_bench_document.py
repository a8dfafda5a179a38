"""What the document says of a result, from hand-made records: marks, floors, stages, failures."""

from __future__ import annotations

import pytest

from nssbg._models.sidecar import ModelDescription
from nssbg._planner.graph_cost import GraphCost
from nssbg._planner.machine_peaks import MachinePeaks
from nssbg.bench import document
from nssbg.bench.cells import Asked
from nssbg.bench.group import Job, Record
from nssbg.bench.settings import Settings

PEAKS = MachinePeaks(10e9, 10e9, {"float32": 100e9}, 2, {})
COST = GraphCost(1e9, 0.0, 0.0, 0.0, 1000, 0, 0, 64, 64)  # 10 ms at 100 GOP/s
MODEL = ModelDescription(name="net", file="net.onnx", height=64, width=64, license="MIT")
CALM = [1.0, 1.01, 1.0, 0.99, 1.0, 1.0]


def told(samples, *, yards=CALM, scope="network", scenario="single", problem="", device="cpu"):
    asked = Asked("openvino", device, "float32", 2)
    job = Job("net", "net", asked, scope, scenario, "", ())
    record = Record(job, samples=[[time] for time in samples], yardstick=yards, problem=problem)
    record.cpu = [[time] for time in samples]
    record.stages = [{"decode": 2.0, "segment": 20.0}, {"decode": 4.0, "segment": 20.0}]
    return document._result(record, Settings(), PEAKS, (), COST, MODEL, {})


def test_a_calm_result_has_no_mark_and_stands_against_its_floor():
    found = told([20.0, 20.1, 20.0, 19.9, 20.0, 20.0])
    assert found["noisy"] == []
    assert found["floor"]["ms"] == pytest.approx(10.0)
    assert found["floor"]["percent"] == pytest.approx(50.0)
    assert found["pictures_per_second"] == pytest.approx(50.0)


@pytest.mark.parametrize(
    ("samples", "yards", "why"),
    [
        ([20.0] * 3, CALM[:3], "too few rounds"),
        ([20.0, 21.5, 20.0, 19.0, 20.0, 20.0], CALM, "only known to"),
        ([20.0, 40.0, 25.0, 30.0, 21.0, 35.0], CALM, "spread by"),
        ([20.0] * 6, [1.0, 1.3, 1.0, 1.4, 1.2, 1.1], "the machine was busy"),
        ([5.0] * 6, CALM, "faster than the peak"),
    ],
)
def test_what_makes_a_figure_noisy_is_said(samples, yards, why):
    assert any(why in reason for reason in told(samples, yards=yards)["noisy"])


def test_what_failed_has_no_figures():
    found = told([20.0] * 6, problem="it ended")
    assert (found["samples_ms"], found["statistics"], found["floor"]) == ([], None, None)
    assert (found["stages"], found["noisy"], found["problem"]) == ([], [], "it ended")


def test_floors_are_of_the_processor_and_of_what_the_sample_is():
    assert told([20.0] * 6, device="gpu.0")["floor"] is None
    assert told([20.0] * 6, scenario="cold")["floor"] is None
    assert told([20.0] * 6, scenario="cold")["pictures_per_second"] is None
    rows = {row["stage"]: row for row in told([20.0] * 6, scope="stages")["stages"]}
    assert rows["decode"] == {"stage": "decode", "ms": 3.0, "floor_ms": None, "percent": None}
    # The network's floor once a forward pass.
    passes = 2 if MODEL.flip_tta else 1
    assert rows["segment"]["floor_ms"] == pytest.approx(10.0 * passes)
