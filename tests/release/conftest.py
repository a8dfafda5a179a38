"""An sdist and a wheel made of it, once a session, and environments to install the wheel into.

Run by `make test-release`: it needs a package index and some minutes.
"""

from __future__ import annotations

import email
import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]


def run(*command: object, cwd: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    """A command in a folder that is not the checkout, so that only what is installed is found."""
    keep = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**keep, "NSSBG_HOME": str(cwd / "nssbg-home"), "NSSBG_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if check:
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done


@dataclass(frozen=True)
class Environment:
    """A virtual environment and a folder to work in."""

    folder: Path

    @property
    def bin(self) -> Path:
        return self.folder / "venv" / ("Scripts" if os.name == "nt" else "bin")

    def python(self, *arguments: object, check: bool = True) -> subprocess.CompletedProcess[str]:
        return run(self.bin / "python", *arguments, cwd=self.folder, check=check)

    def nssbg(self, *arguments: object, check: bool = True) -> subprocess.CompletedProcess[str]:
        return run(self.bin / "nssbg", *arguments, cwd=self.folder, check=check)

    def pip(self, *arguments: object) -> None:
        self.python("-m", "pip", "install", "-q", *arguments)

    def megabytes(self) -> int:
        """What the installed packages take on disk, without pip and setuptools."""
        code = "import sysconfig; print(sysconfig.get_path('purelib'))"
        packages = Path(self.python("-c", code).stdout.strip())
        tools = ("pip", "setuptools", "pkg_resources", "_distutils_hack")
        total = sum(
            item.stat().st_size
            for item in packages.rglob("*")
            if item.is_file() and not item.relative_to(packages).parts[0].startswith(tools)
        )
        return total // 1_000_000


@pytest.fixture(scope="session")
def make_environment(tmp_path_factory):
    """Makes an empty virtual environment."""

    def make(name: str) -> Environment:
        folder = tmp_path_factory.mktemp(name)
        run(sys.executable, "-m", "venv", folder / "venv", cwd=folder)
        return Environment(folder)

    return make


@pytest.fixture(scope="session")
def sdist(tmp_path_factory) -> Path:
    """The source distribution of the checkout."""
    folder = tmp_path_factory.mktemp("sdist")
    code = f"from scikit_build_core.build import build_sdist; build_sdist({str(folder)!r})"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("*.tar.gz")
    return path


@pytest.fixture(scope="session")
def wheel(sdist, make_environment) -> Path:
    """A wheel built from the sdist alone, its build tools from the index."""
    clean = make_environment("wheel")
    clean.python("-m", "pip", "wheel", "-q", "--no-deps", "-w", clean.folder, sdist)
    (path,) = clean.folder.glob("*.whl")
    return path


@pytest.fixture(scope="session")
def requirements(wheel) -> list[Requirement]:
    """What the wheel requires on this machine, without extras."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [n for n in archive.namelist() if n.endswith(".dist-info/METADATA")]
        told = email.message_from_bytes(archive.read(name))
    found = [Requirement(line) for line in told.get_all("Requires-Dist", [])]
    return [item for item in found if item.marker is None or item.marker.evaluate({"extra": ""})]
