"""CONTRIBUTING's walkthroughs of a model and a profile, followed on a copy of the package."""

from __future__ import annotations

import functools
import hashlib
import http.server
import os
import re
import shutil
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest
from model_graphs import mask_network

import nssbg

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text()
# Run before the package is found: an editable installation would hide the copy.
ALONE = """
import sys
sys.meta_path[:] = [f for f in sys.meta_path if "ScikitBuild" not in type(f).__name__]
sys.path.insert(0, {copy!r})
import nssbg
assert nssbg.__file__.startswith({copy!r}), nssbg.__file__
"""


def blocks(heading: str) -> list[tuple[str, str]]:
    """Language and text of each block under a heading, in order."""
    (section,) = re.findall(rf"^## {heading}$(.*?)(?=^## |\Z)", TEXT, re.M | re.S)
    found = re.findall(r"^ *```(\w*)\n(.*?)^ *```$", section, re.M | re.S)
    return [(language, textwrap.dedent(code)) for language, code in found]


class Copy:
    """A copy of the package, and a folder in which its commands are typed."""

    def __init__(self, folder: Path) -> None:
        self.package = folder / "copy" / "nssbg"
        self.work = folder / "work"
        self.work.mkdir()
        shutil.copytree(Path(nssbg.__file__).parent, self.package)
        core = Path(nssbg._core.__file__)
        if not (self.package / core.name).exists():
            shutil.copy(core, self.package)
        shutil.copy(ROOT / "tests" / "data" / "mug.jpg", self.work / "photo.jpg")

    def python(self, code: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", ALONE.format(copy=str(self.package.parent)) + code],
            cwd=self.work,
            env={**os.environ, "NSSBG_HOME": str(self.work / "home")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{code}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def commands(self, code: str) -> str:
        """Every `$ nssbg ...` of a block; what they print."""
        said = ""
        for line in code.splitlines():
            words = line.split()
            assert words[:2] == ["$", "nssbg"], line
            words = [*words[2:], "--overwrite"] if words[2] == "remove" else words[2:]
            run = f"from nssbg.cli.main import main\nsys.exit(main({words!r}))"
            said += self.python(run)
        return said


@pytest.fixture
def copy(tmp_path):
    return Copy(tmp_path)


@pytest.fixture
def address(copy):
    """Where the folder is served over http."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(copy.work))
    handler.log_message = lambda *_: None
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_model_is_added_as_told(copy, address):
    (_, sidecar), (_, first), (_, entry), (_, second) = blocks("Add a model")
    weights = mask_network(copy.work / "mynet.onnx")
    assert "# check" in copy.commands("$ nssbg models info mynet.onnx")
    (copy.work / "mynet.onnx.toml").write_text(sidecar)
    copy.commands(first)
    (copy.work / "cutout.png").unlink()

    data = weights.read_bytes()
    entry = entry.replace("https://example.org", address).replace(
        "bytes = 1234", f"bytes = {len(data)}"
    )
    entry = re.sub(r"sha256:\w+", f"sha256:{hashlib.sha256(data).hexdigest()}", entry)
    catalog = copy.package / "_models" / "catalog.toml"
    catalog.write_text(f"{catalog.read_text()}\n{entry}")
    (copy.work / "mynet.onnx.toml").unlink()
    said = copy.commands(second)
    assert "mynet" in said
    assert (copy.work / "cutout.png").stat().st_size > 0


def test_the_keys_of_both_forms_are_the_same():
    (_, sidecar), _, (_, entry), _ = blocks("Add a model")
    keys = [set(re.findall(r"^(\w+) =", text, re.M)) for text in (sidecar, entry)]
    where = {"name", "summary", "family", "file", "url", "bytes", "checksum", "verified"}
    # mean and std default to ImageNet's in the catalogue.
    assert keys[0] - {"name", "mean", "std"} == keys[1] - where


def test_a_profile_is_added_as_told(copy):
    (_, profile), (_, code), (_, check) = blocks("Add a profile")
    assert "[require]" in copy.commands("$ nssbg profiles etsy")
    (copy.work / "mine.toml").write_text(profile)
    copy.python(code)
    assert "pass" in copy.commands(check)
    shutil.copy(copy.work / "mine.toml", copy.package / "batch" / "profiles")
    assert "My shop" in copy.commands("$ nssbg profiles mine")
    assert "pass" in copy.commands("$ nssbg validate cut.jpg --profile mine")


def test_files_and_targets_that_it_names_are_there():
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"`make ([\w-]+)", TEXT)):
        assert re.search(rf"^{target}:", makefile, re.M), target
    example = {"tests/property/test_inverted.py", "python/nssbg/batch/profiles/mine.toml"}
    example |= {f"cpp/src/alpha/{name}" for name in ("kernels.hpp", "inverted.cpp")}
    example |= {"cpp/include/nssbg/inverted.hpp", "docs/decisions/NNNN-title.md"}
    named = set(re.findall(r"\b(?:tests|cpp|python|docs|training)/[\w/.-]+\.\w+", TEXT)) - example
    assert len(named) > 10
    assert sorted(name for name in named if not (ROOT / name).exists()) == []
