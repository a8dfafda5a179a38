"""The page of environment variables and the code name the same ones."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "environment.md").read_text()
# All-caps texts in files that read the environment, which name something else.
OTHERS = re.compile(r"SC_|PC_|O_|FULL_DEVICE_NAME|OPTIMIZATION_CAPABILITIES")


def read_by_python():
    """Names in the package that look like variables, in files that read the environment."""
    found = set()
    for path in (ROOT / "python").rglob("*.py"):
        text = path.read_text()
        if not re.search(r"environ|getenv|putenv", text):
            continue
        for node in ast.walk(ast.parse(text)):
            is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
            if is_text and re.fullmatch(r"[A-Z0-9]+(_[A-Z0-9]+)+|LOCALAPPDATA", node.value):
                found.add(node.value)
    return {name for name in found if not OTHERS.match(name)}


def read_by_cpp():
    """Names that the core asks for."""
    found = set()
    for path in (ROOT / "cpp").rglob("*.[ch]pp"):
        found |= set(re.findall(r'getenv\("(\w+)"\)', path.read_text()))
    return found


def told_by_the_page():
    """First cells of its tables."""
    cells = re.findall(r"^\| (`[A-Z].*?) \|", PAGE, re.M)
    return {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}


def test_the_page_tells_every_variable_and_no_other():
    assert {"NSSBG_HOME", "OMP_NUM_THREADS"} <= read_by_python()
    assert read_by_cpp() == {"NSSBG_ISA"}
    assert told_by_the_page() == read_by_python() | read_by_cpp()


def test_variables_of_tests_and_training_are_told_too():
    found = set()
    for folder in ("tests", "training", "bench"):
        for path in (ROOT / folder).rglob("*.py"):
            for line in path.read_text().splitlines():
                if "environ" in line and "setenv" not in line:
                    found |= set(re.findall(r'"(NSSBG_[A-Z_]+)"', line))
    assert sorted(name for name in found if f"`{name}" not in PAGE) == []
