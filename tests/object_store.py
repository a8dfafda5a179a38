"""An S3 server of the tests' own (moto's), a proxy before it that injects faults, and their use."""

from __future__ import annotations

import http.client
import os
import random
import re
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


def environment(endpoint: str) -> dict[str, str]:
    """What makes boto and s3fs talk to an endpoint and nothing else."""
    return {**CREDENTIALS, "AWS_ENDPOINT_URL": endpoint, "NO_PROXY": "127.0.0.1"}


# Ends when its standard input does, as it does with whoever started it, however that ends.
_SERVER = """
import os, sys, threading
from moto.server import main
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
main(["-H", "127.0.0.1", "-p", sys.argv[1]])
"""


@contextmanager
def s3_server():
    """moto's S3 server in a process of its own; its endpoint."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", _SERVER, str(port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **CREDENTIALS},
    )
    try:
        for _ in range(600):
            with socket.socket() as tried:
                if tried.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None, "moto's server ended"
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.communicate()


def request(endpoint: str, method: str, path: str, body: bytes = b"") -> bytes:
    """One plain request."""
    parts = urlsplit(endpoint)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
    connection.request(method, path, body)
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    assert answer.status < 300, (method, path, answer.status, data[:300])
    return data


def make_bucket(endpoint: str, name: str) -> None:
    """Make a bucket."""
    request(endpoint, "PUT", f"/{name}")


@dataclass
class Faults:
    """What a proxy does to requests, and what it did.

    Attributes:
        busy: Share of requests that are answered 503 SlowDown and go no further.
        lost: Share of requests that are carried out, and whose answer never comes.
        stalled: Share of requests that go no further, and whose connection stays silent.
        late: Seconds for which a listing leaves out what was written.
        plain: Whether conditional writes are made plain ones, as some stores do.
        seed: Of the draw.
        counts: Requests by method, and faults by name.
        bytes: Up and down.
    """

    busy: float = 0.0
    lost: float = 0.0
    stalled: float = 0.0
    late: float = 0.0
    plain: bool = False
    seed: int = 1
    counts: dict[str, int] = field(default_factory=dict)
    bytes: dict[str, int] = field(default_factory=lambda: {"up": 0, "down": 0})
    written: dict[str, float] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, name: str) -> None:
        with self.lock:
            self.counts[name] = self.counts.get(name, 0) + 1


_SLOW = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>SlowDown</Code>'
    b"<Message>Please reduce your request rate.</Message></Error>"
)


@contextmanager
def faulty(endpoint: str, faults: Faults):
    """A proxy before an S3 server that does what `faults` says; its endpoint."""
    target = urlsplit(endpoint)
    draw = random.Random(faults.seed)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def _one(self):
            length = int(self.headers.get("Content-Length") or 0)
            body = self._chunked() if self.headers.get("Transfer-Encoding") else (
                self.rfile.read(length)
            )  # fmt: skip
            with faults.lock:
                chance = draw.random()
            faults.count(self.command)
            faults.bytes["up"] += len(body)
            if chance < faults.busy:
                faults.count("busy")
                self._answer(503, _SLOW, {"Content-Type": "application/xml"})
                return
            if chance < faults.busy + faults.stalled:
                faults.count("stalled")
                time.sleep(0.3)
                self.close_connection = True
                return
            status, data, headers = self._forwarded(body)
            if chance < faults.busy + faults.stalled + faults.lost:
                faults.count("lost")
                self.close_connection = True
                return
            faults.bytes["down"] += len(data)
            self._answer(status, data, headers)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _one  # noqa: N815

        def _chunked(self):
            data = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                data += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return data

        def _forwarded(self, body):
            dropped = {"transfer-encoding", "connection"}
            if faults.plain:
                dropped.add("if-none-match")
            sent = {k: v for k, v in self.headers.items() if k.lower() not in dropped}
            sent["Content-Length"] = str(len(body))
            connection = http.client.HTTPConnection(target.hostname, target.port, timeout=60)
            connection.request(self.command, self.path, body, sent)
            answer = connection.getresponse()
            data = answer.read()
            headers = dict(answer.getheaders())
            connection.close()
            path = unquote(urlsplit(self.path).path)
            if self.command == "PUT" and answer.status < 300 and faults.late:
                faults.written[path] = time.monotonic()
            query = parse_qs(urlsplit(self.path).query)
            if self.command == "GET" and "list-type" in query and faults.late:
                data = self._without_late(path, data)
            return answer.status, data, headers

        def _without_late(self, path, data):
            now = time.monotonic()

            def kept(found):
                key = re.search(rb"<Key>(.*?)</Key>", found[0], re.DOTALL)[1].decode()
                written = faults.written.get(f"{path.rstrip('/')}/{unquote(key)}")
                if written is not None and now - written < faults.late:
                    faults.count("left out")
                    return b""
                return found[0]

            return re.sub(rb"<Contents>.*?</Contents>", kept, data, flags=re.DOTALL)

        def _answer(self, status, data, headers):
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in ("transfer-encoding", "connection", "date", "server"):
                    if name.lower() == "content-length" and self.command != "HEAD":
                        continue
                    self.send_header(name, value)
            if self.command != "HEAD":
                self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, *_):
            pass  # who asked is gone

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
