"""`make odr` can fail: its flags see a type that has two definitions."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_the_flags_find_two_layouts_of_one_type(tmp_path):
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("needs GCC's C++ compiler: no other has -Wodr")
    asked = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=True)
    if "Free Software Foundation" not in asked.stdout:
        pytest.skip("g++ is not GCC here: no other compiler has -Wodr")
    presets = json.loads((ROOT / "CMakePresets.json").read_text())["configurePresets"]
    settings = next(item for item in presets if item["name"] == "odr")["cacheVariables"]
    flags = settings["CMAKE_CXX_FLAGS"].split()
    link = settings["CMAKE_EXE_LINKER_FLAGS"].split()

    def linked(second: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "a.cpp").write_text(
            "namespace n { struct Box { long top, left; }; }\n"
            "long width(const n::Box&);\n"
            "int main() { n::Box box{1, 2}; return static_cast<int>(width(box)); }\n"
        )
        (tmp_path / "b.cpp").write_text(
            f"namespace n {{ struct Box {{ long {second}; }}; }}\n"
            "long width(const n::Box& box) { return box.left; }\n"
        )
        command = [compiler, *flags, *link, "a.cpp", "b.cpp", "-o", "program"]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert linked("top, left").returncode == 0
    wrong = linked("left, top")
    assert wrong.returncode != 0
    assert "odr" in wrong.stderr.lower() or "one definition rule" in wrong.stderr.lower()
