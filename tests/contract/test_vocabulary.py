"""One vocabulary: types, run-time checks, command-line choices and the core's parsers agree."""

import argparse
import ast
import re
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

import nssbg
from nssbg import OptionError, _core, _vocabulary
from nssbg._io import encode
from nssbg._options import CutoutOptions, checked_quality
from nssbg.cli.main import build_parser

PACKAGE = Path(nssbg.__file__).parent
ROOT = Path(__file__).parents[2]
IMAGE = np.full((8, 9, 3), 90, np.uint8)
ALPHA = np.tile(np.linspace(0, 255, 9).astype(np.uint8), (8, 1))

# Type -> the tuple beside it.
PAIRS = {
    "Backend": "BACKENDS",
    "ChannelOrder": "CHANNEL_ORDERS",
    "Chroma": "CHROMAS",
    "Compression": "COMPRESSIONS",
    "Effort": "EFFORTS",
    "FileFormat": "FORMATS",
    "Filter": "FILTERS",
    "ForegroundMethod": "FOREGROUND_METHODS",
    "Goal": "GOALS",
    "GroupBy": "GROUP_BY",
    "LicenseUse": "LICENSE_USES",
    "Matte": "MATTES",
    "ModelPrecision": "MODEL_PRECISIONS",
    "Precision": "PRECISIONS",
    "PrecisionChoice": "PRECISION_CHOICES",
    "QuantizeMethod": "QUANTIZE_METHODS",
    "RefineLevel": "REFINE_LEVELS",
    "Screen": "SCREENS",
    "ShadowKind": "SHADOWS",
}


def choices():
    """(command, option) -> its argparse action, over all commands."""
    found = {}

    def walk(parser):
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                for child in dict.fromkeys(action.choices.values()):
                    walk(child)
            else:
                found[parser.prog.partition(" ")[2], action.dest] = action

    walk(build_parser())
    return found


ACTIONS = choices()


@pytest.mark.parametrize(("name", "words"), PAIRS.items())
def test_types_and_tuples_say_the_same(name, words):
    assert getattr(_vocabulary, words) == get_args(getattr(_vocabulary, name))


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("effort", "EFFORTS"),
        ("refine", "REFINE_LEVELS"),
        ("decontaminate", "FOREGROUND_METHODS"),
        ("matte", "MATTES"),
        ("compression", "COMPRESSIONS"),
        ("format", "FORMATS"),
        ("backend", "BACKENDS"),
        ("precision", "PRECISION_CHOICES"),
        ("license", "LICENSE_USES"),
        ("shadow", "SHADOWS"),
    ],
)
def test_the_command_offers_the_words(option, words):
    assert tuple(ACTIONS["remove", option].choices) == getattr(_vocabulary, words)


def test_the_command_offers_every_option_of_a_cut_out_with_its_default():
    default = CutoutOptions()
    for name in nssbg.CutoutOptionsDict.__optional_keys__:
        assert ACTIONS["remove", name].default == getattr(default, name)


def test_every_command_takes_the_same_uses_of_weights():
    uses = [action for (_, name), action in ACTIONS.items() if name == "license"]
    assert len(uses) >= 4
    assert {tuple(action.choices) for action in uses} == {_vocabulary.LICENSE_USES}


def test_the_runtimes_know_every_device_that_is_named():
    from nssbg._runtime.device_table import ONNXRUNTIME_ONLY, PROVIDER_NAMES

    assert set(PROVIDER_NAMES) | {"auto"} == set(_vocabulary.DEVICES)
    assert set(ONNXRUNTIME_ONLY) == set(_vocabulary.ONNXRUNTIME_DEVICES)
    assert set(_vocabulary.ONNXRUNTIME_DEVICES) < set(_vocabulary.DEVICES)


def test_the_core_parses_every_word_and_no_other():
    for level in _vocabulary.REFINE_LEVELS:
        _core.refine(IMAGE, ALPHA, None, level, 1, 512)
    for method in _vocabulary.FOREGROUND_METHODS:
        _core.decontaminate(IMAGE, ALPHA, method=method)
    for filter in _vocabulary.FILTERS:
        nssbg.prepare(IMAGE, (4, 4), filter=filter)
    with pytest.raises(ValueError, match="level"):
        _core.refine(IMAGE, ALPHA, None, "other", 1, 512)
    with pytest.raises(ValueError, match="method"):
        _core.decontaminate(IMAGE, ALPHA, method="other")


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("level_named", "REFINE_LEVELS"),
        ("method_named", "FOREGROUND_METHODS"),
        ("screen_named", "CHROMAS"),
        ("filter_named", "FILTERS"),
        ("compression_named", "COMPRESSIONS"),
    ],
)
def test_the_cores_parsers_know_no_word_besides(function, words):
    text = (ROOT / "cpp" / "bindings" / "vocabulary.hpp").read_text(encoding="utf-8")
    body = text[text.index(f" {function}(") :].partition("throw")[0]
    assert set(re.findall(r'name == "([^"]+)"', body)) == set(getattr(_vocabulary, words))


@pytest.mark.parametrize(
    "words", ["REFINE_LEVELS", "FOREGROUND_METHODS", "CHROMAS", "FILTERS", "COMPRESSIONS"]
)
def test_the_types_of_the_browsers_module_have_the_same_words(words):
    text = (ROOT / "web" / "core" / "core.js").read_text(encoding="utf-8")
    unions = [
        set(re.findall(r"'([^']+)'", union))
        for union in re.findall(r"'[\w-]+'(?: \| '[\w-]+')+", text)
    ]
    assert set(getattr(_vocabulary, words)) in unions


@pytest.mark.parametrize("format", _vocabulary.FORMATS)
def test_every_format_and_compression_can_be_written(format):
    if format == "jxl":
        pytest.importorskip("pillow_jxl", reason="JPEG XL is an extra: pillow-jxl-plugin")
    for compression in _vocabulary.COMPRESSIONS:
        assert encode(IMAGE, format=format, compression=compression)


def test_quality_has_one_range_in_python_and_on_the_command_line(tmp_path, capsys):
    from PIL import Image

    from nssbg.cli.main import main

    Image.fromarray(IMAGE).save(tmp_path / "a.png")
    for good in (0, 100):
        assert checked_quality(good) == good
        assert encode(IMAGE, format="jpeg", quality=good)
    for bad in (-1, 101, 90.5, "90", True):
        with pytest.raises(OptionError, match="quality must be"):
            encode(IMAGE, format="jpeg", quality=bad)
    for bad in ("-1", "101"):
        command = ["remove", str(tmp_path / "a.png"), str(tmp_path / "b.webp"), f"--quality={bad}"]
        assert main(command) == 2
        assert "quality must be 0 to 100" in capsys.readouterr().err
    command = ["remove", str(tmp_path / "a.png"), str(tmp_path / "b.webp"), "--quality=0"]
    assert main([*command, "--model=studio"]) == 0


@pytest.mark.parametrize("bad", [{"quality": 101}, {"compression": "most"}, {"format": "gif"}])
def test_a_run_refuses_wrong_words_at_once_and_not_picture_by_picture(bad):
    (name,) = bad
    with pytest.raises(OptionError, match=name):
        nssbg.Remover("studio").map([IMAGE], output=lambda _: "never.png", **bad)


def test_compression_has_one_default():
    import inspect

    default = _vocabulary.DEFAULT_COMPRESSION
    assert ACTIONS["remove", "compression"].default == default
    for function in (nssbg.Remover.map, encode):
        assert inspect.signature(function).parameters["compression"].default == default


def test_no_other_module_spells_the_words_out():
    """A tuple or Literal of two words or more that the vocabulary has, all of one of its tuples."""
    known = [set(getattr(_vocabulary, words)) for words in PAIRS.values()]
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.name == "_vocabulary.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, (ast.Tuple, ast.List, ast.Set)):
                continue
            words = [item.value for item in node.elts if isinstance(item, ast.Constant)]
            if len(words) == len(node.elts) and set(map(str, words)) in known:
                found.append(f"{path.relative_to(PACKAGE)}:{node.lineno}: {words}")
    assert not found, f"take them from nssbg._vocabulary: {found}"
