"""@nssbg/web beside @imgly/background-removal in a Chromium: bytes, seconds, memory, edges.

    make web-npm
    python -m bench.browser [--rounds 3] [--pixels 2 12] [--model isnet_fp16]

Each package in a Chromium of its own, on a cross-origin isolated page of this computer, with its
own defaults. "first" is from the navigation to the cut-out of the smallest picture: cold with
nothing in the browser's cache, again after a reload with what the cache has. Later pictures take
turns; the median is given. Memory is the largest resident set that a renderer had. Edge error is
the mean absolute error of alphas in the band around the true edge, on `bench.ground_truth`'s
composites.
"""

from __future__ import annotations

import argparse
import base64
import io
import math
import re
import statistics
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from shutil import which
from typing import Any

import numpy as np
from PIL import Image

from bench.browser_sites import PEER, PEER_MODELS, our_site, their_site
from bench.ground_truth import case_names, make_case
from bench.matting_metrics import unknown_band
from bench.timing import print_header

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "examples" / "portrait.jpg"
CHROMIUM = which("chromium") or which("google-chrome")
FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cache-Control": "max-age=31536000",
}
LONG = 300_000
#: Cuts a file out; the page's clock (from its navigation on), how long it took, and the PNG file.
RUN = """async ([file, type, how]) => {
  const bytes = Uint8Array.from(atob(file), (letter) => letter.charCodeAt(0));
  const began = performance.now();
  const blob = await run(new Blob([bytes], {type}), how);
  const ended = performance.now();
  const reader = new FileReader();
  const read = new Promise((resolve) => { reader.onload = resolve; });
  reader.readAsDataURL(blob);
  await read;
  return [ended, ended - began, reader.result.split(',')[1]];
}"""


@dataclass
class Page:
    """One package in its browser.

    Attributes:
        name: Of the package.
        how: Its options.
        sent: Bytes of bodies that the server sent.
    """

    name: str
    how: dict[str, Any]
    page: Any = None
    browser: Any = None
    sent: int = 0
    first: list[float] = field(default_factory=list)
    loaded: int = 0
    spent: dict[int, list[float]] = field(default_factory=dict)
    errors: list[float] = field(default_factory=list)

    def run(self, file: bytes, kind: str = "image/jpeg") -> tuple[float, float, bytes]:
        """Milliseconds since the navigation and since the call, and the cut-out."""
        clock, spent, png = self.page.evaluate(
            RUN, [base64.b64encode(file).decode(), kind, self.how]
        )
        return clock, spent, base64.b64decode(png)

    def peak(self) -> float:
        """The largest resident set that a renderer had, in MB."""
        told = self.browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")
        most = 0
        for process in told["processInfo"]:
            if process["type"] == "renderer":
                status = Path(f"/proc/{process['id']}/status").read_text()
                found = re.search(r"VmHWM:\s+(\d+)", status)
                most = max(most, int(found[1]) if found else 0)
        return most / 1000


@contextmanager
def served(folder: Path, page: Page) -> Iterator[str]:
    """The address of a folder while it is served; the page counts its bytes."""

    class Handler(SimpleHTTPRequestHandler):
        def end_headers(self) -> None:
            for name, value in HEADERS.items():
                self.send_header(name, value)
            super().end_headers()

        def copyfile(self, source: Any, outputfile: Any) -> None:
            data = source.read()
            page.sent += len(data)
            outputfile.write(data)

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/index.html"
    finally:
        server.shutdown()
        server.server_close()


def jpeg(megapixels: int) -> bytes:
    """The example in another size."""
    with Image.open(PICTURE) as opened:
        picture = opened.convert("RGB")
    factor = math.sqrt(megapixels * 1e6 / (picture.width * picture.height))
    size = round(picture.width * factor), round(picture.height * factor)
    file = io.BytesIO()
    picture.resize(size, Image.Resampling.LANCZOS).save(file, "JPEG", quality=92)
    return file.getvalue()


def edge_error(page: Page, name: str) -> float:
    """Of one composite, 0 to 1."""
    case = make_case(name, height=720, width=960, seed=3)
    file = io.BytesIO()
    Image.fromarray(case.image).save(file, "PNG")
    with Image.open(io.BytesIO(page.run(file.getvalue(), "image/png")[2])) as opened:
        alpha = np.asarray(opened.convert("RGBA"))[..., 3] / 255
    band = unknown_band(case.alpha)
    return float(np.abs(alpha - case.alpha)[band].mean())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pixels", type=int, nargs="+", default=[2, 12], metavar="MEGAPIXELS")
    parser.add_argument("--model", choices=PEER_MODELS, default="isnet_fp16", help="the peer's")
    asked = parser.parse_args()
    from playwright.sync_api import sync_playwright

    pages = [Page("@nssbg/web", {}), Page(PEER[0], {"model": asked.model})]
    sizes = sorted(asked.pixels)
    files = {size: jpeg(size) for size in sizes}
    print_header("browser packages", threads="their own", picture=PICTURE.name, rounds=asked.rounds)
    with ExitStack() as stack:
        driver = stack.enter_context(sync_playwright())
        for page, folder in zip(pages, (our_site(), their_site()), strict=True):
            address = stack.enter_context(served(folder, page))
            page.browser = driver.chromium.launch(
                executable_path=CHROMIUM, headless=True, args=list(FLAGS)
            )
            stack.callback(page.browser.close)
            page.page = page.browser.new_page()
            page.page.set_default_timeout(LONG)
            page.page.goto(address)
            for visit in range(2):
                if visit:
                    page.page.reload()
                page.page.wait_for_function("!!window.run")
                page.first.append(page.run(files[sizes[0]])[0])
                page.loaded = page.loaded or page.sent
        for size in sizes:
            for turn in range(asked.rounds):
                for page in pages if turn % 2 == 0 else pages[::-1]:
                    page.spent.setdefault(size, []).append(page.run(files[size])[1])
        peaks = [page.peak() for page in pages]
        for name in case_names():
            for page in pages:
                page.errors.append(edge_error(page, name))
    head = ["", "first load", "first, cold", "first, again", *(f"{size} MP" for size in sizes)]
    print("| " + " | ".join([*head, "peak memory", "edge error"]) + " |")
    print("|---" * (len(head) + 2) + "|")
    for page, peak in zip(pages, peaks, strict=True):
        seconds = [*page.first, *(statistics.median(page.spent[size]) for size in sizes)]
        cells = [f"{page.loaded / 1e6:.1f} MB", *(f"{one / 1000:.2f} s" for one in seconds)]
        cells += [f"{peak:.0f} MB", f"{statistics.mean(page.errors):.4f}"]
        print(f"| {page.name} {page.how.get('model', '')} | " + " | ".join(cells) + " |")
    for name, ours, theirs in zip(case_names(), *(page.errors for page in pages), strict=True):
        print(f"edge error, {name}: {ours:.4f}, {theirs:.4f}")


if __name__ == "__main__":
    main()
