"""The public surface: what is there, what is said of it, and what importing it costs in modules."""

import ast
import inspect
import json
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

import nssbg
from nssbg._cutout import EncodeOptionsDict
from nssbg._delivery import DeliveryOptionsDict, RemoveOptionsDict
from nssbg._io import encode
from nssbg._options import CutoutOptions, CutoutOptionsDict, RemoverOptionsDict
from nssbg._pipeline.settings import Settings

PUBLIC = {
    "Backdrop",
    "Backend",
    "Background",
    "Batch",
    "Blur",
    "Canvas",
    "ChannelOrder",
    "Chroma",
    "Compression",
    "Corrections",
    "Cutout",
    "CutoutOptions",
    "CutoutOptionsDict",
    "DeliveryOptionsDict",
    "DeviceError",
    "Effort",
    "EncodeOptionsDict",
    "EnhanceOptionsDict",
    "EnhanceOrder",
    "Enhancement",
    "FileFormat",
    "Filter",
    "ForegroundMethod",
    "ForkError",
    "Frame",
    "FrameStream",
    "Gradient",
    "ImageDecodeError",
    "ImageEncodeError",
    "ImageSource",
    "LicenseError",
    "LicenseUse",
    "Matte",
    "ModelError",
    "NssbgError",
    "OptionError",
    "Outcome",
    "Output",
    "Placement",
    "Plan",
    "RefineLevel",
    "RefineReport",
    "RefineStream",
    "RemoveOptionsDict",
    "Remover",
    "RemoverOptionsDict",
    "Report",
    "Screen",
    "SecondPassReport",
    "Shadow",
    "Stream",
    "StreamReport",
    "StudioResult",
    "TimeLimitError",
    "Timings",
    "__version__",
    "alpha",
    "cut_rows",
    "decontaminate",
    "depth",
    "enhance",
    "estimate_colors",
    "layer_from_strength",
    "prepare",
    "refine",
    "refine_with_report",
    "remove",
    "studio_alpha",
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


def test_type_checkers_are_shown_every_name_where_it_lives():
    tree = ast.parse(Path(nssbg.__file__).read_text(encoding="utf-8"))
    shown = {
        name.asname: node.module.removeprefix("nssbg").removeprefix(".") or name.name
        for branch in tree.body
        if isinstance(branch, ast.If) and ast.unparse(branch.test) == "TYPE_CHECKING"
        for node in branch.body
        if isinstance(node, ast.ImportFrom)
        for name in node.names
    }
    assert shown == nssbg._HOMES


def test_every_public_class_function_and_method_says_what_it_does():
    silent = []
    for name in PUBLIC - {"__version__"}:
        value = getattr(nssbg, name)
        if not getattr(value, "__module__", "nssbg").startswith("nssbg"):
            continue  # an alias of a type
        members = vars(value).items() if inspect.isclass(value) else ()
        if inspect.ismodule(value):
            members = ((one, getattr(value, one)) for one in value.__all__)
        documented = [(name, value)]
        documented += [
            (f"{name}.{part}", member)
            for part, member in members
            if not part.startswith("_") and (inspect.isfunction(member) or hasattr(member, "func"))
        ]
        silent += [label for label, one in documented if not (one.__doc__ or "").strip()]
    assert not silent


def keys(typed_dict):
    return typed_dict.__required_keys__ | typed_dict.__optional_keys__


def parameters(function):
    return inspect.signature(function).parameters


def test_the_keywords_that_checkers_know_are_those_of_the_records():
    cutout = {field.name for field in fields(CutoutOptions)} - {"alpha_only"}
    assert keys(CutoutOptionsDict) == cutout
    assert keys(RemoverOptionsDict) == {field.name for field in fields(Settings)}
    assert keys(RemoverOptionsDict) == parameters(nssbg.Remover).keys()
    assert keys(DeliveryOptionsDict) == parameters(nssbg.Remover.remove).keys() - {
        "self",
        "image",
        "output",
    }
    assert keys(RemoveOptionsDict) == parameters(nssbg.remove).keys() - {"image", "output"}
    assert keys(EncodeOptionsDict) < parameters(encode).keys()


@pytest.mark.parametrize("name", ["cutout", "alpha", "remove", "map", "frames"])
def test_signatures_spell_out_every_option_with_the_records_default(name):
    shown = parameters(getattr(nssbg.Remover, name))
    for field in fields(CutoutOptions):
        if field.name == "alpha_only":
            assert field.name not in shown
        else:
            assert shown[field.name].default == field.default


def test_remove_and_remover_have_the_defaults_of_the_settings():
    for function in (nssbg.remove, nssbg.Remover):
        for field in fields(Settings):
            assert parameters(function)[field.name].default == field.default


def test_all_kernels_take_all_usable_cores_by_default():
    functions = [getattr(nssbg, name) for name in PUBLIC] + [nssbg.alpha.feather]
    taking = [one for one in functions if callable(one) and one is not nssbg.Report]
    found = {}
    for one in taking:
        try:
            found[one.__name__] = parameters(one)["threads"].default
        except (ValueError, KeyError, AttributeError):
            continue  # takes no threads
    found.pop("Plan")  # a record of what ran
    assert len(found) >= 9
    assert set(found.values()) == {0}, found


@pytest.mark.parametrize(
    "function", ["remove", "Remover.remove", "Remover.cutout", "Remover.map", "Remover.frames"]
)
def test_an_unknown_keyword_is_refused_with_the_nearest(function):
    owner, _, method = function.rpartition(".")
    call = getattr(nssbg.Remover("studio") if owner else nssbg, method)
    with pytest.raises(TypeError, match=r"'strenght'; did you mean 'strength'\?"):
        call([], strenght=0.5)
    with pytest.raises(TypeError, match="unexpected keyword argument 'alpha_only'"):
        call([], alpha_only=True)


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
