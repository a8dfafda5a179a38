"""What a forked child may do with what its parent opened, with real networks on both runtimes.

NSSBG_FORKS (default 12) children of each kind of parent: `make test-fork` has 200.
"""

import json
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[1] / "scripts"
FORKS = int(os.environ.get("NSSBG_FORKS", "12"))
FORK_ERROR = 77

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def script(*arguments, timeout):
    command = [sys.executable, "-W", "ignore::DeprecationWarning", *arguments]
    run = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    return run.stdout


@pytest.mark.parametrize("state", ["idle", "busy"])
@pytest.mark.parametrize(
    ("model", "backend"),
    [
        ("studio", "auto"),
        ("nssbg-lite", "onnxruntime"),
        ("nssbg-lite", "openvino"),
        ("auto", "onnxruntime"),
        ("auto", "auto"),
    ],
)
def test_a_forked_child_never_hangs(model, backend, state):
    """It cuts out anew with onnxruntime and studio, is told what to do with openvino."""
    survives = model == "studio" or backend == "onnxruntime"
    arguments = (str(SCRIPTS / "forks.py"), model, backend, state, str(FORKS))
    found = json.loads(script(*arguments, timeout=100 + 5 * FORKS))
    assert sum(sum(codes.values()) for codes in found.values()) == FORKS
    for way, codes in found.items():
        opens = way in ("remove", "map")
        assert set(codes) == {str(0 if survives or not opens else FORK_ERROR)}, way


POOL = """
import multiprocessing, sys
import numpy as np
import nssbg

def work(number):
    return int(remover.remove(picture).sum())

method, backend = sys.argv[1:]
picture = np.random.default_rng(1).integers(0, 255, (96, 128, 3), dtype=np.uint8)
remover = nssbg.Remover("nssbg-lite", backend=backend, threads=2)
if __name__ == "__main__":
    expected = int(remover.remove(picture).sum())
    with multiprocessing.get_context(method).Pool(2) as pool:
        try:
            print(set(pool.map(work, range(6))) == {expected})
        except nssbg.ForkError as error:
            print(error)
"""


@pytest.mark.parametrize(
    ("method", "backend", "expected"),
    [
        ("fork", "onnxruntime", "True"),
        ("fork", "openvino", 'multiprocessing.get_context("spawn")'),
        ("spawn", "openvino", "True"),
        ("forkserver", "openvino", "True"),
    ],
)
def test_a_pool_of_processes_after_the_first_picture(method, backend, expected, tmp_path):
    assert method in multiprocessing.get_all_start_methods()
    (tmp_path / "pool.py").write_text(POOL)
    assert expected in script(str(tmp_path / "pool.py"), method, backend, timeout=120)
