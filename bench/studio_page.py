"""How soon the studio page answers a brush: previews through a real server, as a hand would paint.

python -m bench.studio_page [--megapixels 12] [--model nssbg-lite studio] [--levels guided matting]

A photograph is sent to a page's server, a stroke grows by a few points at a time, and after each of
them the visible part is asked for: the whole picture as wide as a screen, then a screen of it at
100 %. Told are the milliseconds from the request to the last byte of the answer, PNG and all, and
at the end those from the stroke's end to the result of the whole picture. Beside them stands the
processor time of server and client, which other programs of the machine hardly change. The network
must have run once for each picture.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import io
import json
import math
import os
import statistics
import tempfile
import threading
import time
from pathlib import Path

from PIL import Image

from bench.photos import photograph
from bench.timing import Stopwatch, print_header

SCREEN = (1440, 900)
STEPS = 40
GOAL = 150.0


class Page:
    """A page's server in this process, and a connection to it."""

    def __init__(self, folder: Path, threads: int) -> None:
        from nssbg.studio_page.folder import SessionFolder
        from nssbg.studio_page.serving import listen, server_of
        from nssbg.studio_page.session import Session

        self.folder = SessionFolder(folder)
        bound = listen(0)
        self.port = bound.getsockname()[1]
        self.session = Session(self.folder, threads=threads)
        started = threading.Event()
        self.server = server_of(self.session, bound, ready=started.set)
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()
        started.wait(30)
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)

    def ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        """The body of an answer."""
        cookie = {"Cookie": f"nssbg_studio_{self.port}={self.folder.key}"}
        self.connection.request(method, path, body, cookie)
        answer = self.connection.getresponse()
        data = answer.read()
        if answer.status >= 400:
            raise SystemExit(f"{path}: {data.decode()}")
        return data

    def done(self, name: str, revision: int) -> dict[str, object]:
        """Wait for a result."""
        while True:
            found = json.loads(self.ask("GET", f"/api/pictures/{name}"))
            if found["state"] == "failed":
                raise SystemExit(str(found["error"]))
            if found["done_revision"] >= revision:
                return dict(found)
            time.sleep(0.002)

    def close(self) -> None:
        """End it."""
        self.connection.close()
        self.server.stop()
        self.thread.join(30)
        self.session.close()
        self.folder.close()


def main() -> None:
    """Paint on each picture at each level and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megapixels", type=float, default=12.0)
    parser.add_argument("--model", nargs="+", default=["nssbg-lite", "studio"])
    parser.add_argument("--levels", nargs="+", default=["guided", "matting"])
    parser.add_argument("--example", default="bear", help="one of examples/")
    parser.add_argument("--threads", type=int, default=0)
    options = parser.parse_args()
    print_header("studio page", threads=str(options.threads or "all"))
    print(f"load of the machine before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n")
    pixels = photograph(options.megapixels, example=options.example)
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "JPEG", quality=92)
    height, width = pixels.shape[:2]
    print(
        f"{'':34}{'median':>8}{'90 %':>8}{'most':>8}{'cpu':>10}   ms a preview, {STEPS} of a stroke"
    )
    slow = []
    with tempfile.TemporaryDirectory() as folder:
        page = Page(Path(folder) / "session", options.threads)
        with contextlib.closing(page):
            for model in options.model:
                name = json.loads(page.ask("POST", "/api/pictures?name=a.jpg", data.getvalue()))
                name = name["id"]
                page.done(name, 0)
                for level in options.levels:
                    slow += paint(page, name, model, level, height, width)
                page.ask("DELETE", f"/api/pictures/{name}")
    if slow:
        raise SystemExit(
            f"above {GOAL:g} ms in the median, of processor time too: {', '.join(slow)}"
        )


def paint(page: Page, name: str, model: str, level: str, height: int, width: int) -> list[str]:
    """Paint a stroke in two views; the names of those that were too slow."""
    base = {"model": model, "refine": level}
    revision = json.loads(page.ask("PUT", f"/api/pictures/{name}/edit", encoded(base)))
    page.done(name, revision["revision"])
    ran = page.session.results.network_runs
    scale = min(SCREEN[0] / width, SCREEN[1] / height)
    views = {
        "whole": {"x": 0, "y": 0, "width": width, "height": height, "scale": scale},
        "100 %": {
            "x": int(width * 0.35), "y": int(height * 0.3), "width": SCREEN[0],
            "height": SCREEN[1], "scale": 1,
        },
    }  # fmt: skip
    slow = []
    for title, view in views.items():
        took, worked = [], []
        for step in range(1, STEPS + 1):
            edit = {**base, "corrections": {"strokes": [stroke(step, height, width)]}}
            body = encoded({"edit": edit, "view": view, "layer": "cutout"})
            watch = Stopwatch()
            page.ask("POST", f"/api/pictures/{name}/preview", body)
            one = watch.read()
            took.append(one.wall * 1000)
            worked.append(one.processor * 1000)
        label = f"{model}, {level}, {title}"
        median, late = statistics.median(took), sorted(took)[int(0.9 * STEPS)]
        cpu = statistics.median(worked)
        print(f"{label:34}{median:8.1f}{late:8.1f}{max(took):8.1f}{cpu:10.1f}", flush=True)
        if min(median, cpu) > GOAL:
            slow.append(label)
    watch = Stopwatch()
    revision = json.loads(page.ask("PUT", f"/api/pictures/{name}/edit", encoded(edit)))
    page.done(name, revision["revision"])
    print(f"{'':34}{watch.read().wall * 1000:8.1f}   ms to the whole result")
    assert page.session.results.network_runs == ran, "the network ran again for a stroke"
    return slow


def stroke(step: int, height: int, width: int) -> dict[str, object]:
    """A stroke along the subject's edge, as far as it has come."""
    points = []
    for part in range(3 * step):
        turn = part / (3 * STEPS) * math.pi
        points.append(
            [width * (0.5 + 0.22 * math.cos(turn)), height * (0.55 - 0.35 * math.sin(turn))]
        )
    return {"kind": "drop", "radius": width / 90, "points": points}


def encoded(value: object) -> bytes:
    """As JSON."""
    return json.dumps(value).encode()


if __name__ == "__main__":
    main()
