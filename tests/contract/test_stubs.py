"""The committed stubs of nssbg._core say what the built extension offers."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_stubs_are_those_of_the_extension(tmp_path):
    pytest.importorskip("nanobind")
    made = tmp_path / "_core.pyi"
    command = [sys.executable, "-m", "nanobind.stubgen", "-q", "-m", "nssbg._core", "-o", str(made)]
    subprocess.run(command, check=True, capture_output=True)
    committed = (ROOT / "python" / "nssbg" / "_core.pyi").read_text()
    assert made.read_text() == committed, "the bindings changed: run `make stubs`"
