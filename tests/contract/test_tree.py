"""The house rules that a machine can hold: every file says what it is for, none is a barn."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHON = sorted(
    path
    for folder in ("python", "bench", "training", "examples", "tests")
    for path in (ROOT / folder).rglob("*.py")
)
PACKAGE = [path for path in PYTHON if path.is_relative_to(ROOT / "python")]
CPP = sorted(path for suffix in ("*.cpp", "*.hpp") for path in (ROOT / "cpp").rglob(suffix))
# Beyond this a file does more than one thing.
MOST_LINES = 650


def name_of(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", PYTHON, ids=name_of)
def test_a_python_file_opens_with_what_it_is_for(path):
    assert path.read_text().startswith(('"""', "#!")), path


@pytest.mark.parametrize("path", CPP, ids=name_of)
def test_a_cpp_file_opens_with_what_it_is_for(path):
    assert path.read_text().startswith("// "), path


@pytest.mark.parametrize("path", [*PACKAGE, *CPP], ids=name_of)
def test_no_file_is_a_barn(path):
    assert len(path.read_text().splitlines()) <= MOST_LINES
