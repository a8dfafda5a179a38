"""The version stands in one place, and every way to ask for it gives that one."""

from __future__ import annotations

import importlib.metadata
import re
from pathlib import Path

import nssbg
from nssbg.cli.main import main

ROOT = Path(__file__).parents[2]


def test_the_installed_package_and_the_command_have_the_modules_version(capsys):
    assert importlib.metadata.version("nssbg") == nssbg.__version__
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.split()[:2] == ["nssbg", nssbg.__version__]


def test_no_build_file_repeats_it():
    assert re.fullmatch(r"\d+\.\d+\.\d+((a|b|rc)\d+|\.dev\d+)?", nssbg.__version__)
    for name in ("pyproject.toml", "CMakeLists.txt", "Makefile"):
        assert f'"{nssbg.__version__}"' not in (ROOT / name).read_text(), name
    assert re.search(r'^dynamic = \["version"\]$', (ROOT / "pyproject.toml").read_text(), re.M)
