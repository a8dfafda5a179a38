"""What a call from Python costs, and what an extension weighs, in nanobind and in pybind11.

The same three functions (no argument; two integers; one NumPy array whose sum of shape comes back)
are built three ways in a temporary folder with the compiler's -O2: nanobind in split mode (the
run-time part lives in the nanobind-backend package, one binary for every CPython from 3.10 on),
nanobind linked into the extension, and pybind11. Run: `python -m bench.binding_overhead` after
`make bench-env`. Decision 0001 quotes it.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import types
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bench import timing
from bench.timing import Stopwatch

CALLS = 200_000
BODY = {
    "nanobind": """
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
namespace nb = nanobind;
using Picture = nb::ndarray<const unsigned char, nb::numpy, nb::ndim<3>, nb::device::cpu>;
NB_MODULE(NAME, m) {
    m.def("nothing", [] {});
    m.def("add", [](int a, int b) { return a + b; });
    m.def("shape", [](const Picture& p) { return p.shape(0) + p.shape(1) + p.shape(2); });
}
""",
    "pybind11": """
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
namespace py = pybind11;
PYBIND11_MODULE(NAME, m) {
    m.def("nothing", [] {});
    m.def("add", [](int a, int b) { return a + b; });
    m.def("shape", [](const py::array_t<unsigned char, 0>& p) {
        return p.shape(0) + p.shape(1) + p.shape(2);
    }, py::arg().noconvert());
}
""",
}
CMAKE = """
cmake_minimum_required(VERSION 3.18...3.31)
project(overhead LANGUAGES CXX)
find_package(Python 3.10 REQUIRED COMPONENTS Interpreter Development.Module
             OPTIONAL_COMPONENTS Development.SABIModule)
set(CMAKE_CXX_STANDARD 17)
set(CMAKE_BUILD_TYPE Release)
find_package(nanobind CONFIG REQUIRED)
find_package(pybind11 CONFIG REQUIRED)
nanobind_add_module(overhead_split BACKEND_MODULE nanobind_backend split.cpp)
nanobind_add_module(overhead_linked linked.cpp)
pybind11_add_module(overhead_pybind11 pybind11.cpp)
"""
FORMS = {
    "overhead_split": "nanobind, split",
    "overhead_linked": "nanobind, linked",
    "overhead_pybind11": "pybind11",
}


def package_folder(module: str, option: str) -> str:
    """Where a binding library keeps its CMake files."""
    return subprocess.run(
        [sys.executable, "-m", module, option], capture_output=True, text=True, check=True
    ).stdout.strip()


def build(folder: Path) -> dict[str, Path]:
    """Write the sources, build them, and return the extension files by module name."""
    for source, kind, name in (
        ("split.cpp", "nanobind", "overhead_split"),
        ("linked.cpp", "nanobind", "overhead_linked"),
        ("pybind11.cpp", "pybind11", "overhead_pybind11"),
    ):
        (folder / source).write_text(BODY[kind].replace("NAME", name), encoding="utf-8")
    (folder / "CMakeLists.txt").write_text(CMAKE, encoding="utf-8")
    tools = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
    cmake = shutil.which("cmake", path=environment["PATH"]) or "cmake"
    for command in (
        [
            cmake, "-S", str(folder), "-B", str(folder / "build"), "-G", "Ninja",
            f"-DPython_EXECUTABLE={sys.executable}",
            f"-Dnanobind_ROOT={package_folder('nanobind', '--cmake_dir')}",
            f"-Dpybind11_DIR={package_folder('pybind11', '--cmakedir')}",
        ],
        [cmake, "--build", str(folder / "build")],
    ):  # fmt: skip
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return {name: next((folder / "build").glob(f"{name}*.so")) for name in FORMS}


def load(name: str, path: Path) -> types.ModuleType:
    """Import an extension from a file."""
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{path} is no extension module")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def wheel_bytes(path: Path) -> int:
    """Bytes of the extension in a wheel, which is a deflated archive."""
    archive = path.with_suffix(".whl")
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as wheel:
        wheel.write(path, path.name)
    return archive.stat().st_size


def repeated(function: Callable[..., object], *arguments: object) -> Callable[[], float]:
    """A callable that makes CALLS calls."""
    if not arguments:

        def without() -> float:
            watch = Stopwatch()
            for _ in range(CALLS):
                function()
            return watch.read().wall

        return without

    def with_arguments() -> float:
        watch = Stopwatch()
        for _ in range(CALLS):
            function(*arguments)
        return watch.read().wall

    return with_arguments


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=9)
    runs = parser.parse_args().runs
    import nanobind
    import pybind11

    timing.print_header(
        "call overhead and size of nanobind and pybind11",
        threads=1,
        nanobind=nanobind.__version__,
        pybind11=pybind11.__version__,
        tag=sysconfig.get_config_var("EXT_SUFFIX"),
    )
    picture = np.zeros((4, 5, 3), np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        files = build(Path(folder))
        modules = {name: load(name, path) for name, path in files.items()}
        for title, function, arguments in (
            ("no argument", "nothing", ()),
            ("two integers", "add", (3, 4)),
            ("a NumPy array", "shape", (picture,)),
        ):
            result = timing.interleaved(
                {
                    label: repeated(getattr(modules[name], function), *arguments)
                    for name, label in FORMS.items()
                },
                runs=runs,
                title=title,
                quiet=True,
            )
            per_call = "".join(
                f"  {label}: {milliseconds / CALLS * 1e6:6.1f} ns"
                for label, milliseconds in result.minima.items()
            )
            print(f"{title:<16}{per_call}")
        for name, path in files.items():
            print(
                f"{FORMS[name]:<18} {path.stat().st_size / 1024:7.1f} KB built, "
                f"{wheel_bytes(path) / 1024:7.1f} KB in a wheel, {path.name}"
            )


if __name__ == "__main__":
    main()
