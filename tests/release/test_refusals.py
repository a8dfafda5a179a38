"""A build that cannot work stops at once, with what to do instead."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_free_threaded_python_is_refused_by_name(tmp_path):
    # This Python, telling of itself what a free-threaded one tells.
    (tmp_path / "sitecustomize.py").write_text(
        "import sysconfig; sysconfig.get_config_vars()['Py_GIL_DISABLED'] = 1\n"
    )
    done = subprocess.run(
        [
            *("cmake", "-G", "Ninja", "-S", str(ROOT), "-B", str(tmp_path / "build")),
            *("-DNSSBG_BUILD_PYTHON=ON", f"-DPython_EXECUTABLE={sys.executable}"),
        ],
        env={
            **os.environ,
            "PYTHONPATH": str(tmp_path),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "does not support free-threaded Python" in " ".join(done.stderr.split())
