"""What the tests of the browser's core need: Node, and builds in web/dist that `make web` made."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from chromium import CHROMIUM, FLAGS, MISSING

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
def dist(web_builds):
    """The site's folder; the test is skipped where it is not made of these files."""
    folder = ROOT / "web" / "dist"
    if not (folder / "site.json").exists():
        pytest.skip("web/dist has no site: make web (which needs npm)")
    assets = folder / "assets"
    for path in assets.rglob("*.*"):
        source = ROOT / "web" / path.relative_to(assets)
        if not source.exists() or source.read_bytes() != path.read_bytes():
            pytest.skip(f"web/dist was made before web/{path.relative_to(assets)}: make web")
    return folder


@pytest.fixture(scope="session")
def driver():
    """Playwright; the test is skipped without it or without a Chromium."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed: pip install --group browser"
    )
    if CHROMIUM is None:
        pytest.skip(MISSING)
    with playwright.sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="session")
def launch(driver):
    """Starts a Chromium with some flags; it ends with the tests."""
    return lambda flags: driver.chromium.launch(
        executable_path=CHROMIUM, headless=True, args=list(flags)
    )


@pytest.fixture
def profile(driver, tmp_path):
    """A Chromium's window with its storage on the disk, as a person has it."""
    context = driver.chromium.launch_persistent_context(
        tmp_path / "profile",
        executable_path=CHROMIUM,
        headless=True,
        args=list(FLAGS),
        viewport={"width": 1280, "height": 860},
    )
    yield context
    context.close()


@pytest.fixture(scope="session")
def browser(launch):
    """A Chromium."""
    opened = launch(FLAGS)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def node(web_builds):
    """Runs a script of this folder; its last line of output, as JSON."""

    def run(script, *arguments):
        command = ["node", str(Path(__file__).with_name(script)), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr[-4000:]
        return json.loads(done.stdout.splitlines()[-1])

    return run
