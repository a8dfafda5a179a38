"""Either runtime alone is enough, none leaves the studio method, and what is missing is named.

Each case runs in a fresh interpreter in which the missing packages cannot be imported; `make
test-release` does the same in environments that really lack them.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from deform_graphs import deform_network, runtime_fuses

from nssbg import _installed
from nssbg._models import prepared
from nssbg._models.sidecar import ModelDescription
from nssbg._runtime import devices

BEAR = Path(__file__).parents[1] / "data" / "bear.jpg"


def without(missing: list[str], code: str, home: Path) -> dict:
    """What `code` leaves in `told`, in an interpreter that lacks those packages."""
    script = (
        "import json, sys\n"
        f"for name in {missing!r}: sys.modules[name] = None\n"
        "import nssbg\n"
        "told = {}\n"
        f"{code}\n"
        "print(json.dumps(told))\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        capture_output=True,
        text=True,
        env={"NSSBG_HOME": str(home), "HOME": str(home), "PATH": "", "NSSBG_OFFLINE": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {**json.loads(done.stdout.splitlines()[-1]), "stderr": done.stderr}


CUT = f"""
cutout = nssbg.Remover(model="nssbg-lite").cutout({str(BEAR)!r})
told = dict(backend=cutout.plan.backend, fallbacks=cutout.plan.fallbacks,
            subject=float((cutout.rgba[..., 3] > 127).mean()))
"""


@pytest.mark.parametrize(
    ("missing", "runs"), [("openvino", "onnxruntime"), ("onnxruntime", "openvino")]
)
def test_one_runtime_alone_cuts_out_and_is_no_fallback(missing, runs, tmp_path):
    told = without([missing, "onnx"], CUT, tmp_path)
    assert told["backend"] == runs
    assert told["fallbacks"] == []
    assert told["stderr"] == ""
    assert 0.1 < told["subject"] < 0.6


def test_without_a_runtime_the_studio_method_works_and_the_network_says_what_to_install(tmp_path):
    code = f"""
told["studio"] = nssbg.Remover(model="studio").cutout({str(BEAR)!r}).plan.model
for model in ("nssbg-lite", "auto"):
    try:
        nssbg.remove({str(BEAR)!r}, model=model)
    except nssbg.DeviceError as error:
        told[model] = str(error)
"""
    told = without(["openvino", "onnxruntime"], code, tmp_path)
    assert told["studio"] == "studio"
    for model in ("nssbg-lite", "auto"):
        assert 'pip install "nssbg[openvino]"' in told[model]
        assert 'model="studio"' in told[model]


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
def test_a_runtime_that_was_asked_for_is_an_error_where_it_is_missing(backend, tmp_path):
    code = f"""
try:
    nssbg.Remover(model="nssbg-lite", backend={backend!r}).cutout({str(BEAR)!r})
except nssbg.DeviceError as error:
    told["error"] = str(error)
"""
    told = without([backend], code, tmp_path)
    assert told["error"].startswith(f"{backend} is not installed")
    assert f'pip install "nssbg[{backend}]"' in told["error"]


def test_the_doctor_tells_what_is_missing_without_calling_it_a_fault(tmp_path):
    code = """
import contextlib, io
from nssbg.cli.main import main
said = io.StringIO()
with contextlib.redirect_stdout(said):
    told["code"] = main(["doctor", "nssbg-lite"])
told["text"] = said.getvalue()
"""
    told = without(["onnxruntime"], code, tmp_path)
    assert told["code"] == 0
    assert "onnxruntime not installed" in told["text"]
    assert "force-reinstall" not in told["text"]
    told = without(["openvino"], code, tmp_path)
    assert told["code"] == 0
    assert "no prediction: openvino is not installed" in told["text"]
    told = without(["openvino", "onnxruntime"], code, tmp_path)
    assert "no network runtime is installed: only the studio method runs" in told["text"]


def test_one_missing_runtime_is_no_conflict_and_two_are():
    here = devices.Runtime("openvino", "1")
    gone = devices.Runtime("onnxruntime", "", problem="not installed", installed=False)
    assert devices.conflicts((gone, here), distributions=[], nvidia=False) == ()
    both = (gone, devices.Runtime("openvino", "", problem="not installed", installed=False))
    (line,) = devices.conflicts(both, distributions=[], nvidia=False)
    assert line.mend == 'pip install "nssbg[openvino]"'


def test_missing_packages_are_named_with_one_command():
    assert _installed.not_installed("nncf").endswith('pip install "nssbg[quantize]"')
    several = _installed.not_installed("onnx", "onnxruntime")
    assert several.startswith("onnx and onnxruntime are not installed")
    assert several.endswith('pip install "nssbg[graphs,onnxruntime]"')


@pytest.mark.parametrize("missing", ["onnx", "onnxruntime"])
def test_a_graph_that_is_not_fused_for_want_of_a_package_stands_in_the_plan(
    missing, tmp_path, monkeypatch, caplog
):
    path = deform_network(tmp_path / "d.onnx")
    model = ModelDescription(name="d", file="d.onnx", height=20, width=24, license="MIT").at(path)
    kept = tmp_path / "kept"
    monkeypatch.setattr(prepared, "installed", lambda name: name != missing)
    assert prepared.prepared(model, folder=kept).path == path
    assert f"{missing} is not installed" in caplog.text
    line = prepared.left_in_pieces(model, folder=kept)
    assert f"{missing} is not installed" in line
    assert "several times the memory" in line
    monkeypatch.undo()
    if not runtime_fuses():
        pytest.skip("this ONNX Runtime has no DeformConv")
    ready = prepared.prepared(model, folder=kept)
    assert ready.path != path
    monkeypatch.setattr(prepared, "installed", lambda name: name != missing)
    assert prepared.left_in_pieces(ready, folder=kept) == ""


def test_what_the_published_graph_costs_stands_in_the_cutouts_plan(tmp_path):
    path = deform_network(tmp_path / "d.onnx")
    (tmp_path / "d.onnx.toml").write_text('size = [20, 24]\nlicense = "MIT"\n')
    code = f"""
from nssbg._planner import open_model
described, backend = open_model({str(path)!r})
told["fallbacks"] = backend.plan.fallbacks
"""
    told = without(["onnx"], code, tmp_path)
    (line,) = told["fallbacks"]
    assert "onnx is not installed" in line
