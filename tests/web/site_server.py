"""web/dist on a plain file server, below a path of its own, with headers or without."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

BELOW = "/some/where/"
#: What the host's documentation asks servers for (docs/guides/browser.md).
ISOLATED = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}


@dataclass
class Served:
    """A site while it is served.

    Attributes:
        address: Of its page.
        asked: Paths below the site that were asked for, in order.
        replaced: Bodies given in place of files, by their paths.
    """

    address: str = ""
    asked: list[str] = field(default_factory=list)
    replaced: dict[str, bytes] = field(default_factory=dict)


@contextmanager
def served(folder: Path, headers: Mapping[str, str] | None = None) -> Iterator[Served]:
    """Serve a folder; nothing of it may be kept by the browser's own cache."""
    site = Served()

    class Handler(SimpleHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if not path.startswith(BELOW):
                self.send_error(404)
                return
            name = path.removeprefix(BELOW)
            site.asked.append(name)
            if name in site.replaced:
                self.send_response(200)
                self.send_header("Content-Type", self.guess_type(name))
                self.send_header("Content-Length", str(len(site.replaced[name])))
                self.end_headers()
                self.wfile.write(site.replaced[name])
                return
            self.path = "/" + name
            super().do_GET()

        def end_headers(self) -> None:
            self.send_header("Cache-Control", "no-store")
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            super().end_headers()

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    site.address = f"http://127.0.0.1:{server.server_port}{BELOW}"
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
