"""What the studio page's tests share: a Chromium, the server as a process, pictures dropped."""

from __future__ import annotations

import base64
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chromium import CHROMIUM, FLAGS, MISSING
from PIL import Image
from studio_mock import serving

playwright = pytest.importorskip(
    "playwright.sync_api", reason="playwright is not installed: pip install --group browser"
)
pytest.importorskip(
    "starlette", reason="the studio's server is an extra: pip install nssbg[studio]"
)
pytest.importorskip("uvicorn", reason="the studio's server is an extra: pip install nssbg[studio]")
if CHROMIUM is None:
    pytest.skip(MISSING, allow_module_level=True)

expect = playwright.expect
STAGE = ".stage-canvas"
DONE = ".pictures li[data-state=done], .pictures li[data-state=look]"
# The machine may be busy; nothing here measures time.
LONG = 60_000


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser."""
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, headless=True, args=list(FLAGS))
        yield browser
        browser.close()


class Studio:
    """`nssbg studio` as a process, on a session of its own.

    Attributes:
        address: With the key, as the command prints it.
        origin: Of the page.
    """

    def __init__(self, session: Path) -> None:
        self.session = session
        self.start()

    def start(self, port: int = 0) -> None:
        """Start it, on the session that is there."""
        command = [
            *(sys.executable, "-m", "nssbg.cli.main", "studio", "--no-open", "--model", "studio"),
            *("--threads", "2", "--port", str(port), "--session", str(self.session)),
        ]
        environment = {**os.environ, "NSSBG_OFFLINE": "1", "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
        )
        assert self.process.stdout is not None
        said = ""
        for line in self.process.stdout:
            said += line
            found = re.search(r"http://\S+", line)
            if found:
                self.address = found[0]
                self.origin = self.address.partition("/?")[0]
                return
        self.stop()
        raise AssertionError(f"nssbg studio ended: {said}")

    @property
    def port(self) -> int:
        """That it listens on."""
        return int(self.origin.rpartition(":")[2])

    def kill(self) -> None:
        """As a crash would end it."""
        self.process.kill()
        self.process.wait(30)
        self._close()

    def stop(self) -> None:
        """As Ctrl-C ends it."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()
        self._close()

    def _close(self) -> None:
        if self.process.stdout is not None:
            self.process.stdout.close()


@contextmanager
def empty_page(browser: Any, studio: Studio, **options: Any) -> Iterator[Any]:
    """The page of an emptied session; no request may leave its origin, no script of it fail."""
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 860}, **options})
    opened = context.new_page()
    asked: list[str] = []
    said: list[str] = []
    opened.on("request", lambda request: asked.append(request.url))
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.goto(studio.address)
    opened.wait_for_selector("html[data-ready]")
    opened.request.delete(f"{studio.origin}/api/pictures")
    expect(opened.locator(".pictures li")).to_have_count(0)
    opened.asked = asked
    try:
        yield opened
    finally:
        context.close()
    assert said == []
    own = (studio.origin + "/", "blob:" + studio.origin, "data:")
    assert [url for url in asked if not url.startswith(own)] == []


@contextmanager
def elsewhere() -> Iterator[tuple[str, list[str]]]:
    """A server of another origin, which notes the paths that reach it."""
    reached: list[str] = []

    class Notes(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            reached.append(self.path)
            self.send_response(204)
            self.end_headers()

        do_POST = do_GET  # noqa: N815 - the name that the library looks for

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing."""

    with serving(Notes) as address:
        yield f"{address}steal", reached


def product(
    path: Path, *, width: int = 320, height: int = 240, color: tuple[int, int, int] = (190, 40, 50)
) -> Path:
    """A disc of one colour on a light backdrop: what the studio method is for."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    distance = np.hypot(y - height / 2, x - width / 2)
    alpha = np.clip(min(height, width) * 0.32 - distance + 0.5, 0, 1)[..., None]
    noise = np.random.default_rng(7).normal(0, 1.0, (height, width, 3))
    pixels = np.float32(color) * alpha + np.float32([232, 233, 235]) * (1 - alpha) + noise
    Image.fromarray(np.clip(np.rint(pixels), 0, 255).astype(np.uint8)).save(path, quality=95)
    return path


def drop(page: Any, *paths: Path) -> None:
    """Drop files on the page, by the events that a browser sends."""
    page.evaluate(
        """() => {
            const input = document.createElement('input');
            Object.assign(input, {type: 'file', multiple: true, id: 'dropped', hidden: true});
            document.body.append(input);
        }"""
    )
    page.set_input_files("#dropped", [str(path) for path in paths])
    page.evaluate(
        """() => {
            const dataTransfer = new DataTransfer();
            const input = document.querySelector('#dropped');
            for (const file of input.files) dataTransfer.items.add(file);
            const options = {dataTransfer, bubbles: true, cancelable: true};
            document.dispatchEvent(new DragEvent('dragenter', options));
            document.dispatchEvent(new DragEvent('dragover', options));
            document.dispatchEvent(new DragEvent('drop', options));
            input.remove();
        }"""
    )


def settled(page: Any, done: int) -> None:
    """Wait until so many pictures are done and none is at work."""
    expect(page.locator(DONE)).to_have_count(done, timeout=LONG)
    expect(page.locator(".updating")).to_be_hidden(timeout=LONG)


def downloaded(page: Any, path: Path) -> Image.Image:
    """Press the button, and open what came."""
    with page.expect_download(timeout=LONG) as waiting:
        page.click("#download")
    waiting.value.save_as(path)
    with Image.open(path) as made:
        made.load()
        return made


def on_stage(page: Any, x: float, y: float) -> tuple[float, float]:
    """Where a point of the picture (shares of its sides) lies on the screen."""
    page.wait_for_timeout(50)  # it is drawn with the next frame
    left, top, width, height = map(float, page.get_attribute(STAGE, "data-rect").split())
    box = page.locator(STAGE).bounding_box()
    return box["x"] + left + x * width, box["y"] + top + y * height


def pixels_of(page: Any) -> Any:
    """What the stage's canvas shows, as H x W x 4."""
    width, height, data = page.evaluate(
        """() => {
            const {width, height} = document.querySelector('.stage-canvas');
            const context = document.querySelector('.stage-canvas').getContext('2d');
            const {data} = context.getImageData(0, 0, width, height);
            let text = '';
            for (let at = 0; at < data.length; at += 32768)
                text += String.fromCharCode(...data.subarray(at, at + 32768));
            return [width, height, btoa(text)];
        }"""
    )
    return np.frombuffer(base64.b64decode(data), np.uint8).reshape(height, width, 4)


def wait_until(page: Any, condition: Any, *, seconds: float = 30, what: str = "") -> None:
    """Poll a condition of the test's own; the page's policy lets no string be run in it."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"not within {seconds} s: {what}"
        page.wait_for_timeout(50)  # its events come meanwhile
