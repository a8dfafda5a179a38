"""Scripts that end while pictures run keep their exit code, and say nothing of their own."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "leaves_early.py"
# How a script ends: with which code, and how often it is tried.
CODES = {"break": 5, "raise": 1, "exit": 7, "daemon": 7, "held": 7, "blocked": 7}
REPEATS = {"break": 8, "raise": 8, "exit": 8, "daemon": 8, "held": 2, "blocked": 2}


def ended(how, model, backend):
    # The generator of "blocked" sleeps for an hour.
    command = [sys.executable, "-W", "error", str(SCRIPT), how, model, backend]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize(
    ("model", "backend"), [("auto", "openvino"), ("nssbg-lite", "onnxruntime")]
)
@pytest.mark.parametrize("how", CODES)
def test_a_script_may_end_while_pictures_run(how, model, backend):
    with ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(lambda _: ended(how, model, backend), range(REPEATS[how])))
    assert [run.returncode for run in runs] == [CODES[how]] * REPEATS[how]
    for run in runs:
        if how == "raise":
            assert run.stderr.rstrip().endswith("ValueError: the script's own")
            assert run.stderr.count("Traceback") == 1
        else:
            assert run.stderr == ""
