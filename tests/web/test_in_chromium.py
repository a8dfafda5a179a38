"""The engine's worker in a Chromium, from a plain file server, under the strictest policy."""

import base64
import io
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image

from nssbg import Remover

ROOT = Path(__file__).resolve().parents[2]
# No eval, no address but this one; WebAssembly may be compiled.
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; "
    "connect-src 'self'"
)
ISOLATED = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}

# Opens the worker and asks it, in the page; what it says last of each request.
ASK = """
async ({requests, image}) => {
  const worker = new Worker(new URL('engine/wasm-worker.js', document.baseURI), {type: 'module'});
  const failed = new Promise((_, reject) => {
    worker.onerror = (event) => reject(new Error(event.message));
  });
  const told = [crossOriginIsolated];
  for (const [id, {shape, ...request}] of requests.entries()) {
    if (shape) {
      const data = Uint8Array.from(atob(image), (letter) => letter.charCodeAt(0));
      request.image = {data, height: shape[0], width: shape[1], channels: 3};
    }
    const answer = new Promise((resolve) => {
      worker.onmessage = ({data}) => {
        if (data.id === id && data.type !== 'stage') resolve(data);
      };
    });
    worker.postMessage({id, ...request});
    const {png, ...rest} = await Promise.race([answer, failed]);
    if (png) {
      let letters = '';
      for (const byte of png) letters += String.fromCharCode(byte);
      rest.png = btoa(letters);
    }
    told.push(rest);
  }
  worker.terminate();
  return told;
}
"""


class Site(SimpleHTTPRequestHandler):
    """web/ below a path of its own, with the headers asked for."""

    extra: ClassVar = {}
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if not self.path.startswith("/some/where/"):
            return self.send_error(404)
        self.path = self.path.removeprefix("/some/where")
        if self.path == "/blank.html":
            body = b"<!doctype html><title>empty</title>"
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            return None
        return super().do_GET()

    def end_headers(self):
        self.send_header("Content-Security-Policy", POLICY)
        for name, value in self.extra.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def picture(web_builds):
    """A decoded example, and its native files by both models."""
    path = ROOT / "examples" / "mug.jpg"
    files = {}
    for model in ("studio", "nssbg-lite"):
        with Remover(model=model, device="cpu", backend="onnxruntime", threads=1) as remover:
            cutout = remover.cutout(path, effort="fast")
            files[model] = cutout.encode(format="png")
    return cutout.frame.rgb, files


def alpha_of(file):
    return np.asarray(Image.open(io.BytesIO(file)))[..., 3].astype(int)


@pytest.mark.parametrize(
    ("headers", "build"), [({}, "simd"), (ISOLATED, "simd-threads")], ids=["plain", "isolated"]
)
def test_a_page_cuts_out_as_natively(browser, picture, headers, build):
    rgb, files = picture
    site = type("Headed", (Site,), {"extra": headers})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(site, directory=str(ROOT / "web")))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    here = f"http://127.0.0.1:{server.server_port}/some/where/"
    elsewhere = []
    context = browser.new_context()
    context.on("request", lambda one: one.url.startswith(here) or elsewhere.append(one.url))
    try:
        page = context.new_page()
        complaints = []
        page.on("console", lambda line: complaints.append(line.text))
        page.goto(here + "blank.html")
        with_network = (ROOT / "web" / "dist" / "runtime" / "package.txt").exists()
        opening = {"type": "open", "core": here + "dist/core/"}
        if with_network:
            model = page.request.get(here + "dist/models/nssbg-lite.json").json()
            opening |= {"runtime": here + "dist/runtime/", "description": model}
            opening["network"] = here + "dist/models/nssbg-lite.onnx"
        models = ["studio", "nssbg-lite"] if with_network else ["studio"]
        fast = {"type": "cutout", "shape": rgb.shape[:2], "options": {"effort": "fast"}}
        cutouts = [{**fast, "model": name} for name in models]
        image = base64.b64encode(rgb.tobytes()).decode()
        isolated, opened, *told = page.evaluate(
            ASK, {"requests": [opening, *cutouts], "image": image}
        )
    finally:
        context.close()
        server.shutdown()
        server.server_close()
    assert (isolated, opened["type"], opened.get("build")) == (bool(headers), "opened", build), (
        opened,
        complaints,
    )
    for name, one in zip(models, told, strict=True):
        assert one["type"] == "done", (one, complaints)
        made = base64.b64decode(one["png"])
        if name == "studio":
            assert made == files[name]
        assert np.abs(alpha_of(made) - alpha_of(files[name])).max() <= 1
    assert not elsewhere
    assert not [line for line in complaints if "Content Security Policy" in line]
