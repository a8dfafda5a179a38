"""The README: what it shows runs and gives what it says; its figures stand with their commands."""

from __future__ import annotations

import doctest
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text()


def blocks(kind: str) -> list[str]:
    fences = re.findall(r"^```(\w*)\n(.*?)^```$", TEXT, re.M | re.S)
    return [code for language, code in fences if language == kind]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where a reader stands who has the checkout's examples."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NSSBG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NSSBG_OFFLINE", "1")
    monkeypatch.delenv("NSSBG_LICENSE", raising=False)
    return tmp_path


def test_the_python_runs(folder):
    """Blocks in order, in one namespace; a block with prompts also gives what stands under them."""
    codes = blocks("python")
    assert len(codes) >= 3
    (folder / "out").mkdir()
    names: dict[str, object] = {
        "__name__": "readme",
        "paths": sorted((folder / "examples").glob("*.jpg"))[:2],
        "out": folder / "out",
    }
    parser = doctest.DocTestParser()
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    for number, code in enumerate(codes, 1):
        if code.startswith(">>>"):
            told: list[str] = []
            test = parser.get_doctest(code, names, f"README {number}", "README.md", 0)
            failed, _ = runner.run(test, out=told.append, clear_globs=False)
            names = test.globs
            assert not failed, "".join(told)
        else:
            exec(compile(code, f"README.md, block {number}", "exec"), names)
    assert (folder / "bear.png").stat().st_size > 1000
    assert len(list((folder / "out").iterdir())) == 2


def commands() -> list[str]:
    lines = [line for block in blocks("") for line in block.splitlines()]
    return [re.split(r"\s+# ", line[2:])[0].strip() for line in lines if line.startswith("$ nssbg")]


def test_the_commands_run(folder):
    """But for those that download or need pictures of the reader's."""
    run = [c for c in commands() if "examples/" in c or c.split()[1] in ("models", "doctor")]
    assert len(run) >= 3
    bin_folder = Path(sys.executable).parent
    for command in run:
        done = subprocess.run(
            command,
            shell=True,
            env={**os.environ, "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stderr}"


def test_the_other_commands_are_understood():
    from nssbg.cli.main import build_parser

    others = [c for c in commands() if "examples/" not in c]
    assert others
    for command in others:
        words = command.partition(" > ")[0].split()[1:]
        if words[0] in ("remove", "models", "doctor", "validate", "profiles", "tune", "quantize"):
            build_parser().parse_args([w for w in words if w not in ("<", "photo.jpg")])


def test_measured_figures_name_their_command_and_it_exists():
    (table,) = re.findall(r"^\| +\| rembg .*?\n\n", TEXT, re.M | re.S)
    rows = [line for line in table.splitlines()[2:] if line.startswith("|")]
    assert len(rows) >= 4
    for row in rows:
        module = re.search(r"`python -m (bench\.\w+)[^`]*`|`(du -sm)[^`]*`", row)
        assert module, row
        if module[1]:
            assert (ROOT / (module[1].replace(".", "/") + ".py")).is_file()


def test_the_error_of_edge_colours_is_the_one_measured():
    colour = (ROOT / "docs" / "colour.md").read_text()
    (row,) = [line for line in TEXT.splitlines() if line.startswith("| edge colours")]
    rembg, ours = re.findall(r"\d+\.\d+", row)[:2]
    assert re.search(rf"^\| rembg naive .*\| {rembg} \|", colour, re.M)
    assert re.search(rf"^\| \*\*nssbg multilevel\*\* .*\| \*\*{ours}\*\* \|", colour, re.M)
