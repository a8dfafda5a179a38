"""What the tests of the browser's core need: Node, and builds in web/dist that `make web` made."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def web_builds():
    """`build.json` of web/dist/core; the test is skipped without builds of these sources."""
    if shutil.which("node") is None:
        pytest.skip("Node is not installed")
    path = ROOT / "web" / "dist" / "core" / "build.json"
    if not path.exists():
        pytest.skip("web/dist is not built: make web (which needs Emscripten)")
    facts = json.loads(path.read_text())
    sys.path.insert(0, str(ROOT / "web"))
    try:
        from build import source_digest
    finally:
        sys.path.pop(0)
    if facts["sources"] != source_digest():
        pytest.skip("web/dist was built from other sources: make web")
    return facts


@pytest.fixture(scope="session")
def node(web_builds):
    """Runs a script of this folder; its last line of output, as JSON."""

    def run(script, *arguments):
        command = ["node", str(Path(__file__).with_name(script)), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr[-4000:]
        return json.loads(done.stdout.splitlines()[-1])

    return run
