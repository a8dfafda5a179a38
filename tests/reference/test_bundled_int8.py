"""Int8 forms that come with the package: whole, as near as their sidecars say, and really in int8.

Every form that a bundled sidecar declares is held to the rule of its release
(docs/decisions/0409-int8-by-training.md) on photographs of this repository, on both runtimes.
"""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import nssbg
from nssbg._cutout import report_record
from nssbg._io import decode
from nssbg._models.int8 import published_file
from nssbg._models.postprocess import coarse_alpha
from nssbg._models.sidecar import read_sidecar
from nssbg._planner.candidates import PlanRequest, ranked
from nssbg._planner.opening import int8_form
from nssbg._planner.store import measured
from nssbg._runtime import open_backend
from nssbg._runtime.devices import processor
from nssbg._segment.network import input_tensor
from nssbg.cli.main import main

BUNDLED = Path(nssbg.__file__).parent / "_models" / "bundled"
ROOT = Path(__file__).parents[2]
SIDECARS = [read_sidecar(path) for path in sorted(BUNDLED.glob("*.toml"))]
DECLARED = {model.name: model for model in SIDECARS if model.int8 is not None}
WITH_TRUTH = sorted((ROOT / "tests" / "data").glob("*.jpg"))
PICTURES = [*WITH_TRUTH, *sorted((ROOT / "examples").glob("*.jpg"))]

# The rule of the release, over all pictures: mean distance in 1/255 and mean IoU lost.
RULE_MEAN, RULE_LOSS = 1.5, 0.003
# Without int8 dot products sums of two products are cut off at 16 bits (the package says so, and
# takes such a form by name alone): alphas are then off by 10/255, their subject is the same.
LEAST_OVERLAP = 0.8

each_declared = pytest.mark.parametrize("name", DECLARED)
each_runtime = pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    """Neither a plan nor an int8 form of whoever runs the tests."""
    monkeypatch.setenv("NSSBG_HOME", str(tmp_path / "home"))


def overlap(first, second):
    return (first & second).sum() / (first | second).sum()


def alphas(model, backend):
    """The network's alpha of each picture, at its own size, in float32 and in int8."""
    pytest.importorskip(backend)
    form = int8_form(model)
    opened = [open_backend(one, backend=backend, threads=1) for one in (model, form)]
    assert [one.plan.precision for one in opened] == ["float32", "int8"]
    try:
        for path in PICTURES:
            tensor = input_tensor(decode(path), model)
            exact, found = (coarse_alpha(one.run(tensor), model)[0] for one in opened)
            yield path, exact, found
    finally:
        for one in opened:
            one.close()


def test_every_form_is_declared_and_every_declared_one_is_whole():
    there = {path.name for path in BUNDLED.glob("*.int8.onnx")}
    assert there == {model.int8.file for model in DECLARED.values()}
    assert sorted(path.name for path in BUNDLED.iterdir() if path.name.startswith("new-")) == []
    for model in DECLARED.values():
        assert published_file(model.int8, model.path) is not None  # its checksum fits
        assert model.int8.bytes <= 6_000_000
        assert model.int8.mean_error <= RULE_MEAN
        assert int8_form(model).precision == "int8"


@each_declared
@each_runtime
def test_its_alphas_are_as_near_as_was_measured(name, backend):
    model = DECLARED[name]
    means, losses = [], []
    for path, exact, found in alphas(model, backend):
        apart = 255 * np.abs(found - exact)
        means.append(float(apart.mean()))
        assert overlap(found > 0.5, exact > 0.5) > LEAST_OVERLAP, path
        if processor().int8:
            assert apart.mean() <= model.int8.worst_mean_error, path
            assert apart.max() <= model.int8.max_error, path
        if path in WITH_TRUTH:
            mask = Image.open(path.with_name(f"{path.stem}-mask.png")).convert("L")
            height, width = exact.shape
            truth = np.asarray(mask.resize((width, height), Image.Resampling.BOX)) > 127
            losses.append(overlap(exact > 0.5, truth) - overlap(found > 0.5, truth))
    assert len(means) >= 12
    assert len(losses) >= 6
    assert max(means) > 0  # the float network twice would be near to itself
    if processor().int8:
        assert np.mean(means) <= RULE_MEAN
        assert np.mean(losses) <= RULE_LOSS


@each_declared
def test_its_convolutions_run_in_eight_bits(name):
    openvino = pytest.importorskip("openvino")
    if not processor().int8:
        pytest.skip("no int8 dot products: the plugin may run convolutions in float32")
    compiled = openvino.Core().compile_model(str(int8_form(DECLARED[name]).path), "CPU")
    ran = [
        told["runtimePrecision"].value
        for told in (node.get_rt_info() for node in compiled.get_runtime_model().get_ops())
        if told["layerType"].value == "Convolution"
    ]
    assert len(ran) > 20
    assert sum(kind in ("u8", "i8") for kind in ran) >= 0.8 * len(ran)


@each_declared
@each_runtime
def test_the_package_runs_it_by_name_and_tells(name, backend, caplog):
    pytest.importorskip(backend)
    picture = ROOT / "examples" / "mug.jpg"
    found = {}
    for precision in ("auto", "float32", "int8"):
        with (
            caplog.at_level(logging.WARNING, logger="nssbg"),
            nssbg.Remover(name, backend=backend, precision=precision, threads=1) as remover,
        ):
            found[precision] = remover.cutout(picture)
    plan = found["int8"].plan
    assert (plan.backend, plan.precision, plan.fallbacks) == (backend, "int8", ())
    assert str(DECLARED[name].int8) in plan.reasons
    assert report_record(found["int8"].report)["precision"] == "int8"
    assert found["int8"].confidence == pytest.approx(found["float32"].confidence, abs=0.05)
    # What nobody asked for is float32, whose bytes other tests hold.
    assert found["auto"].plan.precision == found["float32"].plan.precision == "float32"
    assert np.array_equal(found["auto"].alpha, found["float32"].alpha)
    assert not np.array_equal(found["int8"].alpha, found["float32"].alpha)
    told = "no int8 dot products" in caplog.text
    assert told is not processor().int8


@each_declared
def test_tune_measures_it_and_the_faster_one_runs(name, capsys, monkeypatch):
    pytest.importorskip("openvino")
    if not processor().int8:
        pytest.skip("no int8 dot products: tune leaves it out")
    command = ["tune", name, "--backend", "openvino", "--threads", "1", "--rounds", "1"]
    assert main([*command, "--images", str(ROOT / "examples" / "mug.jpg")]) == 0
    told = capsys.readouterr().out
    found = measured(DECLARED[name], PlanRequest("openvino", threads=1))
    problems = {item.candidate.precision: item.problem for item in found}
    assert {"float32", "int8"} <= set(problems)
    assert problems["int8"] == "", told
    best = ranked(found)[0]
    with nssbg.Remover(name, backend="openvino", threads=1) as remover:
        plan = remover.cutout(ROOT / "examples" / "mug.jpg").plan
    assert plan.precision == best.candidate.precision
