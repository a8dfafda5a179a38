"""An HTTP server on the loopback address that misbehaves on purpose, for the store's tests."""

from __future__ import annotations

import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


class ModelServer:
    """Serves one content under paths that say how it fails.

    /ok/<any>         whole, resumes by Range
    /plain/<any>      whole, knows no Range (always 200)
    /wrong/<any>      other bytes of the same length
    /short/<any>      ends a third before its Content-Length, and the connection is closed;
                      resumes, so that each try brings more
    /drop/<any>       the connection is reset after a third, the first two times
    /stall/<any>      sends a third and then nothing for 3 s, the first time
    /busy/<any>       503 the first two times
    /longer/<any>     tells a Content-Length other than expected
    /refuse/<any>     403; /gone/<any>: 404
    /move/<rest>      302 to /<rest> here; /away/<rest>: 302 to /<rest> on the other server
    /loop/<any>       302 to itself
    /file/<any>       302 to a file: address
    """

    def __init__(self, content: bytes, other: ModelServer | None = None) -> None:
        self.content = content
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.other = other
        self.turns: dict[str, int] = {}
        self.lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: object) -> None:
                pass

            def do_GET(self) -> None:
                server.answer(self)

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http.server_address[1]}"

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        path = urlsplit(handler.path).path
        kind, _, rest = path.lstrip("/").partition("/")
        with self.lock:
            self.requests.append((path, dict(handler.headers.items())))
            turn = self.turns[kind] = self.turns.get(kind, 0) + 1
        handler.close_connection = True
        if kind in ("move", "away", "loop", "file"):
            base = self.other.url if kind == "away" and self.other else ""
            target = {"loop": path, "file": "file:///etc/hostname"}.get(kind, f"{base}/{rest}")
            handler.send_response(302)
            handler.send_header("Location", target)
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        if kind in ("refuse", "gone") or (kind == "busy" and turn <= 2):
            handler.send_error({"refuse": 403, "gone": 404, "busy": 503}[kind])
            return
        content = self.content
        if kind == "wrong":
            content = bytes(255 - byte for byte in content)
        start = 0
        asked = handler.headers.get("Range", "")
        if asked.startswith("bytes=") and kind not in ("plain", "wrong"):
            start = int(asked[6:].partition("-")[0])
            if start >= len(content):
                handler.send_error(416)
                return
        body = content[start:]
        handler.send_response(206 if start else 200)
        told = len(body) + (5 if kind == "longer" else 0)
        handler.send_header("Content-Length", str(told))
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        handler.end_headers()
        third = max(1, len(body) // 3)
        try:
            if kind == "short" and len(body) > 100:
                handler.wfile.write(body[: 2 * third])
            elif kind == "drop" and turn <= 2:
                handler.wfile.write(body[:third])
                handler.wfile.flush()
                handler.connection.setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0"
                )
            elif kind == "stall" and turn == 1:
                handler.wfile.write(body[:third])
                handler.wfile.flush()
                time.sleep(3)
            else:
                handler.wfile.write(body)
        except OSError:  # the client gave up
            pass
