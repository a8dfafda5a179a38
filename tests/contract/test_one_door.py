"""What sends on its own (onnxruntime, openvino, nncf) is imported through one module only."""

import ast
import subprocess
import sys
from pathlib import Path

import nssbg

PACKAGE = Path(nssbg.__file__).parent
DOOR = "_runtime_imports.py"
SENDERS = {"onnxruntime", "openvino", "nncf", "openvino_telemetry"}
IMPORTERS = {"__import__", "import_module", "run_module", "load_module"}


def imports_of(source):
    """Line and name of each import of a sender: by statement, or by a call with its name."""
    for node in ast.walk(ast.parse(source)):
        names = []
        if isinstance(node, ast.Import):
            names = [item.name for item in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or ""]
        elif isinstance(node, ast.Call) and node.args:
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if called in IMPORTERS and isinstance(node.args[0], ast.Constant):
                names = [str(node.args[0].value)]
        for name in names:
            if name.partition(".")[0] in SENDERS:
                yield node.lineno, name


def test_nothing_else_imports_a_runtime():
    found = [
        f"{path.relative_to(PACKAGE)}:{line}: {name}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.name != DOOR
        for line, name in imports_of(path.read_text(encoding="utf-8"))
    ]
    assert not found, f"import it by nssbg.{DOOR[:-3]}: {found}"


def test_benches_and_training_switch_telemetry_off_before_they_import_a_runtime():
    """A bench takes the door; training, which need not have nssbg, a file of its own."""
    root = Path(__file__).parents[2]
    assert not [
        f"{path.relative_to(root)}:{line}: {name}"
        for path in sorted((root / "bench").rglob("*.py"))
        for line, name in imports_of(path.read_text(encoding="utf-8"))
    ]
    importers = {
        path.name: path.read_text(encoding="utf-8")
        for path in sorted((root / "training").glob("*.py"))
        if list(imports_of(path.read_text(encoding="utf-8")))
    }
    assert importers
    assert [name for name, text in importers.items() if "\nimport quiet" not in text] == []


def test_what_training_imports_first_switches_them_off(tmp_path):
    code = (
        "import os, sys; import quiet\n"
        "assert os.environ['ORT_DISABLE_TELEMETRY'] == '1'\n"
        "try:\n    import openvino_telemetry\nexcept ImportError:\n    print('kept out')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(Path(__file__).parents[2] / "training")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "kept out\n"


def test_the_search_sees_every_kind_of_import():
    seen = imports_of(
        "import onnxruntime\nfrom openvino.opset8 import add\n"
        "m = __import__('openvino')\nx = importlib.import_module('nncf')\n"
        "from nssbg._runtime.onnxruntime import OnnxRuntimeBackend\nfrom . import openvino\n"
    )
    assert [line for line, _ in seen] == [1, 2, 3, 4]
