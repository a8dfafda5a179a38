"""Ctrl-C while the command still loads its modules: exit code 130 and not a word."""

import os
import re
import subprocess
import sys

import pytest
from PIL import Image

# Presses Ctrl-C when a module is looked for, else runs as the installed command does.
PRESS = """
import os, signal, sys

module = sys.argv.pop()

class Press:
    def find_spec(self, name, path=None, target=None):
        if name == module:
            print("pressed", flush=True)
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.SIGINT)

from nssbg.cli.entry import command
sys.meta_path.insert(0, Press())
command()
"""


@pytest.mark.skipif(os.name == "nt", reason="signals a process as a terminal does")
@pytest.mark.parametrize(
    "module",
    ["nssbg.cli.main", "nssbg.cli.quantize", "nssbg._remover", "nssbg._core", "numpy", "PIL.Image"],
)
def test_ctrl_c_during_imports_is_silent(module, product_path):
    run = subprocess.run(
        [sys.executable, "-c", PRESS, str(product_path), module],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (run.returncode, run.stdout, run.stderr) == (130, "pressed\n", "")
    assert [path.name for path in product_path.parent.iterdir()] == [product_path.name]


@pytest.mark.skipif(os.name == "nt", reason="signals a process as a terminal does")
def test_ctrl_c_while_a_runtime_loads_is_silent(product_path):
    """It loads in a thread of its own; the main one is told."""
    run = subprocess.run(
        [sys.executable, "-c", PRESS, str(product_path), "openvino"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 130
    # One line that says what became of the picture, or none; never a traceback.
    assert re.fullmatch(r"(nssbg: \S+: interrupted, nothing was written\n)?", run.stderr)
    # The studio method may have been done before: then the result is whole, and it is the only one.
    written = {path.name for path in product_path.parent.iterdir()} - {product_path.name}
    assert written <= {"product-cutout.png"}
    for name in written:
        assert Image.open(product_path.parent / name).convert("RGBA").size == (400, 300)
