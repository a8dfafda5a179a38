"""What a user installs: from the sdist, plainly, with one runtime or the other, and with none."""

from __future__ import annotations

import json
import re
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import nssbg
from nssbg._installed import RUNTIMES

ROOT = Path(__file__).parents[2]
BEAR = ROOT / "examples" / "bear.jpg"
GUIDE = ROOT / "docs" / "guides" / "install.md"
# docs/decisions/0807-runtimes.md has what each part takes.
MOST_MEGABYTES = 400
MOST_MEGABYTES_ALONE = 300


def named_packages(runtime):
    """The packages that the guide names for an installation with one runtime."""
    lines = re.findall(
        r"^pip install (numpy .*)\npip install --no-deps nssbg$", GUIDE.read_text(), re.M
    )
    (line,) = [line for line in lines if runtime in line.split()]
    return line.split()


def cut_out(environment, *options):
    """The report of one cut-out by the installed command."""
    done = environment.nssbg("remove", BEAR, "cutout.png", "--overwrite", "--json", *options)
    return json.loads(done.stdout.splitlines()[-1])


def test_the_sdist_holds_what_a_build_needs_and_no_more(sdist):
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"LICENSE", "README.md", "pyproject.toml", "CMakeLists.txt"} <= names
    assert not [name for name in names if re.match(r"build/|training/|\.venv|shared/|out/", name)]
    assert sdist.stat().st_size < 20_000_000


def test_the_wheel_of_the_sdist_is_one_for_every_python(wheel):
    assert f"nssbg-{nssbg.__version__}-cp310-abi3-" in wheel.name
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert "nssbg/py.typed" in names
    assert any(name.endswith(".onnx") for name in names)
    assert not [name for name in names if not name.startswith(("nssbg/", "nssbg-"))]


def test_a_plain_installation_is_small_and_cuts_out(wheel, make_environment):
    plain = make_environment("plain")
    plain.pip(wheel)
    assert plain.nssbg("--version").stdout.split()[:2] == ["nssbg", nssbg.__version__]
    for runtime in RUNTIMES:
        told = cut_out(plain, "--model", "nssbg-lite", "--backend", runtime)
        assert told["backend"] == runtime
        assert told["fallbacks"] == []
    assert plain.megabytes() < MOST_MEGABYTES
    assert plain.python("-m", "pip", "check").returncode == 0


@pytest.mark.parametrize("runtime", sorted(RUNTIMES))
def test_each_runtime_alone_cuts_out(runtime, wheel, requirements, make_environment):
    alone = make_environment(runtime)
    packages = named_packages(runtime)
    # Neither more nor less than what the wheel requires, but for the other runtime.
    needed = {item.name for item in requirements if item.name not in RUNTIMES}
    assert {*packages, "tomli"} - {runtime} == needed | {"tomli"}
    alone.pip(*packages, *(["tomli"] if sys.version_info < (3, 11) else []))
    alone.pip("--no-deps", wheel)
    assert alone.megabytes() < MOST_MEGABYTES_ALONE
    for model in ("nssbg-lite", "auto"):
        told = cut_out(alone, "--model", model)
        assert told["backend"] == runtime
        assert told["fallbacks"] == []


def test_without_a_runtime_the_studio_method_works_and_the_network_is_one_clear_error(
    wheel, requirements, make_environment
):
    bare = make_environment("bare")
    bare.pip(*[str(item).partition(";")[0] for item in requirements if item.name not in RUNTIMES])
    bare.pip("--no-deps", wheel)
    assert cut_out(bare, "--model", "studio")["model"] == "studio"
    done = bare.nssbg("remove", BEAR, "other.png", "--model", "nssbg-lite", check=False)
    assert done.returncode != 0
    assert 'pip install "nssbg[openvino]"' in done.stderr
    assert "Traceback" not in done.stderr
    assert not (bare.folder / "other.png").exists()
