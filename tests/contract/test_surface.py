"""The public surface: what is there, and what importing it costs in modules."""

import json
import subprocess
import sys

import pytest

import nssbg

PUBLIC = {
    "Batch",
    "Canvas",
    "Corrections",
    "Cutout",
    "DeviceError",
    "ForkError",
    "Gradient",
    "ImageDecodeError",
    "ImageEncodeError",
    "LicenseError",
    "ModelError",
    "NssbgError",
    "OptionError",
    "Output",
    "Plan",
    "Remover",
    "Shadow",
    "__version__",
    "cut_rows",
    "decontaminate",
    "prepare",
    "refine",
    "remove",
    "suppress_spill",
}

# Each costs more than the whole budget of `import nssbg`, or drags in one that does.
HEAVY = {"numpy", "PIL", "onnxruntime", "openvino", "simplejpeg", "asyncio", "nssbg._core"}


def modules_after(code: str) -> set[str]:
    """Top-level and nssbg modules loaded in a fresh interpreter after running `code`."""
    script = f"{code}\nimport json, sys; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_all_names_exactly_the_public_surface():
    assert set(nssbg.__all__) == PUBLIC


def test_every_public_name_loads():
    for name in PUBLIC:
        assert getattr(nssbg, name) is not None


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such_name"):
        nssbg.no_such_name  # noqa: B018


def test_import_loads_no_heavy_module():
    before = modules_after("pass")
    loaded = modules_after("import nssbg") - before
    assert not loaded & HEAVY


def test_help_loads_no_heavy_module():
    code = (
        "import contextlib, io\n"
        "from nssbg.cli.main import main\n"
        "with contextlib.redirect_stdout(io.StringIO()):\n"
        "    try:\n"
        "        main(['--help'])\n"
        "    except SystemExit as done:\n"
        "        assert done.code == 0\n"
    )
    assert not modules_after(code) & HEAVY


def test_removing_with_the_studio_method_loads_no_network_runtime():
    code = (
        "import numpy, nssbg\n"
        "nssbg.remove(numpy.full((40, 40, 3), 200, numpy.uint8), model='studio')\n"
    )
    assert not modules_after(code) & {"onnxruntime", "openvino"}


def test_the_bundled_network_loads_one_runtime_and_nothing_slow_beside_it():
    # Each of these takes 10 ms or more of a start of 200.
    slow = {"onnxruntime", "onnx", "asyncio", "ssl", "importlib.metadata", "openvino.tools"}
    code = (
        "import numpy, nssbg\n"
        "nssbg.remove(numpy.full((40, 40, 3), 200, numpy.uint8), model='nssbg-lite')\n"
    )
    loaded = modules_after(code)
    assert "openvino" in loaded
    assert not loaded & slow
