"""Every kernel is called by a driver, and every binding is registered once."""

import re
from pathlib import Path

import pytest

CPP = Path(__file__).parents[2] / "cpp"
# Tables of function pointers: struct SomethingKernels or SomethingRows.
_TABLE = re.compile(r"^struct (\w+(?:Kernels|Rows)) \{\n(.*?)^\};", re.M | re.S)
_POINTER = re.compile(r"\(\*(\w+)\)\(")


# Each stage's folder has its kernels in files that say so, its driver and parts beside them.
HEADERS = sorted(path for path in (CPP / "src").rglob("*.hpp") if "kernels" in path.name)


def _kernels():
    for header in HEADERS:
        for table in _TABLE.finditer(header.read_text()):
            for name in _POINTER.findall(table[2]):
                yield f"{table[1]}.{name}"


KERNELS = list(_kernels())
# The probe's driver is its binding.
DRIVERS = "\n".join(
    path.read_text()
    for folder in ("src", "bindings")
    for suffix in ("*.cpp", "*.hpp")
    for path in sorted((CPP / folder).rglob(suffix))
    if "kernels" not in path.name
)


def test_the_tables_are_found():
    tables = {name.partition(".")[0] for name in KERNELS}
    dispatched = {
        name
        for header in HEADERS
        for name in re.findall(r"NSSBG_DISPATCH\((\w+),", header.read_text())
    }
    # These hold two tables of rows, 8 and 16 bits; the first two no pointer of their own.
    of_rows = {"ComposeKernels", "TileKernels"}
    rows = {"ComposeRows", "TileRows", "DefocusRows"}
    assert len(KERNELS) > 40
    assert tables == dispatched - of_rows | rows


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_driver_calls_the_kernel(kernel):
    name = kernel.partition(".")[2]
    assert re.search(rf"(?:\.|->|::){name}\b", DRIVERS), f"no driver calls {kernel}: remove it"


def test_every_binding_is_registered_once():
    module = (CPP / "bindings" / "module.cpp").read_text()
    registered = re.findall(r"bindings::(bind_\w+)\(module\)", module)
    declared = re.findall(r"void (bind_\w+)\(", (CPP / "bindings" / "arrays.hpp").read_text())
    assert sorted(registered) == sorted(declared)


def test_the_stubs_declare_no_signature_twice():
    stubs = (CPP.parent / "python" / "nssbg" / "_core.pyi").read_text()
    signatures = re.findall(r"^def (\w+\(.*\)) ->", stubs, re.M)
    assert len(signatures) > 10
    assert len(signatures) == len(set(signatures))
