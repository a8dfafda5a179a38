"""The cross-built AArch64 code under emulation: its tests pass, and its bytes are x86-64's.

Run by `make test-aarch64`, which builds what NSSBG_AARCH64 points to: cpp (the build of the C++
tests) and machine (an AArch64 userland with the wheel in it). Skipped where that is not there.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
BUILT = Path(os.environ.get("NSSBG_AARCH64", "build/aarch64")).resolve()
MACHINE = BUILT / "machine"
EMULATOR = shutil.which("qemu-aarch64")

if EMULATOR is None:
    pytest.skip("qemu-aarch64 is missing; Debian: qemu-user", allow_module_level=True)
if not (MACHINE / ".ready").exists():
    pytest.skip(f"{MACHINE} is missing; make test-aarch64", allow_module_level=True)

# Whole cut-outs, from the JPEG to the PNG, and every stage on a mask that is none of our own.
CUT = """
import hashlib, json, sys
from pathlib import Path
import numpy as np
from PIL import Image
import nssbg
told = {}
def note(name, data):
    told[name] = hashlib.sha256(data).hexdigest()
for path in sorted(Path(sys.argv[1]).glob("*.jpg")):
    # Pillow decodes on both sides: which JPEG decoder is vectorised how is not in question here.
    photo = np.asarray(Image.open(path).convert("RGB"))
    mask = np.asarray(Image.open(path.with_name(path.stem + "-mask.png")).convert("L"))
    note(f"{path.stem} pixels", photo.tobytes())
    with nssbg.Remover(model="studio", threads=2) as remover:
        cutout = remover.cutout(photo)
    note(f"{path.stem} studio", cutout.rgba.tobytes())
    note(f"{path.stem} png", cutout.encode("png"))
    note(f"{path.stem} confidence", repr(cutout.confidence).encode())
    coarse = np.asarray(Image.fromarray(mask).resize((96, 80), Image.Resampling.BOX))
    for level in ("none", "guided", "matting"):
        alpha = nssbg.refine(photo, coarse, level=level)
        note(f"{path.stem} refine {level}", alpha.tobytes())
    for method in ("multilevel", "blur-fusion"):
        rgba = nssbg.decontaminate(photo, alpha, method=method)
        note(f"{path.stem} decontaminate {method}", rgba.tobytes())
    note(f"{path.stem} prepare", nssbg.prepare(photo, (320, 320)).tobytes())
print(json.dumps(told))
"""


def emulated(*arguments, library_path, **variables):
    """A program of the other machine; its output."""
    command = [EMULATOR, "-L", str(library_path)]
    for key, value in variables.items():
        command += ["-E", f"{key}={value}"]
    done = subprocess.run(
        [*command, *map(str, arguments)], capture_output=True, text=True, check=False, cwd=BUILT
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def python(*arguments):
    return emulated(
        MACHINE / "debian/usr/bin/python3.11",
        *arguments,
        library_path=MACHINE / "debian",
        PYTHONHOME=MACHINE / "debian/usr",
        PYTHONPATH=f"{MACHINE / 'site'}:{TESTS}",
        PYTHONDONTWRITEBYTECODE="1",
        HOME=MACHINE,
        NSSBG_HOME=MACHINE / "nssbg-home",
    )


def test_the_cpp_tests_pass():
    (program,) = (BUILT / "cpp").rglob("nssbg_tests")
    told = emulated(program, library_path=MACHINE / "debian")
    assert int(re.search(r"(\d+) passed, 0 failed", told)[1]) > 40


def test_the_golden_files_hold():
    told = python(
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-c",
        os.devnull,
        "--rootdir",
        TESTS,
        TESTS / "golden",
    )
    assert int(re.search(r"^(\d+) passed", told, re.M)[1]) >= 12
    assert "failed" not in told
    assert "skipped" not in told


def test_cut_outs_have_the_same_bytes_as_here():
    there = json.loads(python("-c", CUT, TESTS / "data").splitlines()[-1])
    here = subprocess.run(
        [sys.executable, "-c", CUT, str(TESTS / "data")], capture_output=True, text=True, check=True
    )
    expected = json.loads(here.stdout.splitlines()[-1])
    assert python("-c", "import platform; print(platform.machine())").strip() == "aarch64"
    assert len(expected) >= 50
    assert {name for name in expected if there[name] != expected[name]} == set()
