"""The studio page's pictures in README and docs: the real page, in a Chromium, on the examples.

    python -m bench.studio_screenshots [--to docs/pictures]

Needs playwright (`pip install --group browser`), `nssbg[studio]` and a Chromium of the system. The
page is driven as a person would: files chosen, the handle moved.
"""

from __future__ import annotations

import argparse
import io
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image

ROOT = Path(__file__).parents[1]
EXAMPLES = ("bear", "bottle", "headphones", "mug", "porcelain", "portrait")
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
DONE = ".pictures li[data-state=done], .pictures li[data-state=look]"
QUALITY = 78


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """`nssbg studio` as a process; the address with its key."""
    command = [sys.executable, "-m", "nssbg.cli.main", "studio", "--no-open"]
    process = subprocess.Popen(
        [*command, "--session", str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        address = next(filter(None, (re.search(r"http://\S+", line) for line in process.stdout)))
        yield address[0]
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)
        process.stdout.close()


@contextmanager
def browser_and_page() -> Iterator[tuple[Any, str]]:
    """A Chromium, and the address of a studio of its own."""
    from playwright.sync_api import sync_playwright

    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        raise SystemExit(f"no browser: none of {', '.join(NAMES)} is here")
    with (
        tempfile.TemporaryDirectory() as folder,
        served(Path(folder) / "session") as address,
        sync_playwright() as driver,
    ):
        browser = driver.chromium.launch(executable_path=found, headless=True, args=FLAGS)
        yield browser, address
        browser.close()


def save(page: Any, path: Path) -> None:
    """What the window shows, as WebP."""
    page.wait_for_timeout(400)
    with Image.open(io.BytesIO(page.screenshot())) as shot:
        shot.convert("RGB").save(path, quality=QUALITY, method=6)
    print(f"{path}  {shot.width} x {shot.height}, {path.stat().st_size / 1000:.0f} kB")


def opened(browser: Any, address: str, **options: Any) -> Any:
    """The page in a window of its own."""
    page = browser.new_context(**options).new_page()
    page.goto(address)
    page.wait_for_selector("html[data-ready]")
    return page


def choose(page: Any, files: list[Path]) -> None:
    """Choose files, and wait for their results."""
    from playwright.sync_api import expect

    with page.expect_file_chooser() as chooser:
        page.click("#choose")
    chooser.value.set_files(files)
    expect(page.locator(DONE)).to_have_count(len(files), timeout=120_000)
    page.locator(".notice").wait_for(state="hidden", timeout=30_000)


def wide(browser: Any, address: str, to: Path) -> None:
    """Six pictures, the first before and after."""
    page = opened(browser, address, viewport={"width": 1280, "height": 800}, color_scheme="light")
    choose(page, [ROOT / "examples" / f"{name}.jpg" for name in EXAMPLES])
    page.keyboard.press("c")
    page.locator(".split").focus()
    for _ in range(2):
        page.keyboard.press("ArrowRight")
    page.evaluate("document.activeElement.blur()")
    save(page, to / "studio-page.webp")
    page.context.close()


def dark(browser: Any, address: str, to: Path) -> None:
    """What ran and where, in the dark."""
    page = opened(browser, address, viewport={"width": 1280, "height": 800}, color_scheme="dark")
    page.wait_for_selector(DONE)
    page.locator(".pick", has_text="mug.jpg").click()
    page.click("#tab-device")
    page.check("input[name=backdrop][value=color]", force=True)
    page.evaluate("document.activeElement.blur()")
    save(page, to / "studio-page-dark.webp")
    page.context.close()


def main() -> None:
    """Make them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=Path, default=ROOT / "docs" / "pictures")
    to = parser.parse_args().to
    with browser_and_page() as (browser, address):
        wide(browser, address, to)
        dark(browser, address, to)


if __name__ == "__main__":
    main()
