"""A server on a real port of this machine, in a thread, and raw sockets to speak to it with."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time
from urllib.parse import urlsplit


class Address:
    """Where a server listens, "http://127.0.0.1:PORT", and how it is asked."""

    def __init__(self, address):
        self.address = address
        self.port = urlsplit(address).port
        self._sockets = []

    def request(self, method, path, body=None, headers=None, timeout=30):
        """Status, headers (lower case) and body of an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            data = answer.read()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, data

    def error(self, *args, **kwargs):
        """Status and the error of the own API's shape."""
        status, _, data = self.request(*args, **kwargs)
        return status, json.loads(data)["error"]

    def socket(self, data=b""):
        """A connection on which something was sent; closed at the end at the latest."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        self._sockets.append(connection)
        if data:
            connection.sendall(data)
        return connection

    def close_sockets(self):
        """At the end."""
        for connection in self._sockets:
            connection.close()


class Served(Address):
    """A server in a thread.

    Attributes:
        server: Of nssbg._http.listener.
        engine: Behind it, where there is one.
    """

    def __init__(self, server, engine=None):
        super().__init__(server.address)
        self.server, self.engine = server, engine
        self.thread = threading.Thread(target=server.run, daemon=True)


@contextlib.contextmanager
def served(app, engine=None, **settings):
    """Run an application; it is stopped at the end."""
    from nssbg._http.listener import ListenerSettings, Server, listening_socket

    started = threading.Event()
    server = Server(
        app,
        ListenerSettings(port=0, **settings),
        listening_socket("127.0.0.1", 0),
        lambda address: started.set(),
    )
    running = Served(server, engine)
    running.thread.start()
    assert started.wait(30)
    try:
        yield running
    finally:
        running.close_sockets()
        server.stop()
        running.thread.join(30)
        assert not running.thread.is_alive()


def closed_after(connection):
    """Seconds until the other side closes; what came is thrown away."""
    began = time.monotonic()
    with contextlib.suppress(ConnectionError):
        while connection.recv(65536):
            pass
    return time.monotonic() - began


def multipart(fields=(), files=()):
    """Body and headers of a form; a file is name -> (filename, bytes)."""
    boundary = "nssbg-test-boundary"
    parts = []
    for name, value in dict(fields).items():
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
        parts.append(f"{head}{value}\r\n".encode())
    for name, (filename, data) in dict(files).items():
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; '
            f'filename="{filename}"\r\nContent-Type: application/octet-stream\r\n\r\n'
        )
        parts.append(head.encode() + data + b"\r\n")
    body = b"".join(parts) + f"--{boundary}--\r\n".encode()
    return body, {"Content-Type": f"multipart/form-data; boundary={boundary}"}


@contextlib.contextmanager
def serving(**settings):
    """`nssbg serve` with the studio method; keywords of ServerSettings."""
    from nssbg._http.engine import EngineSettings
    from nssbg._http.listener import ListenerSettings
    from nssbg.server.app import ServerSettings, application

    engine_settings = EngineSettings(
        **{"model": "studio", "threads": 2, **settings.pop("engine", {})}
    )
    listener = settings.pop("listener", {})
    app, engine = application(
        ServerSettings(engine=engine_settings, listener=ListenerSettings(**listener), **settings)
    )
    engine.open()
    with served(app, engine, **listener) as running:
        yield running


@contextlib.contextmanager
def command_serving(*arguments, environment=()):
    """The command line's server in a process, ended by SIGTERM."""
    line = [sys.executable, "-m", "nssbg.cli.main", *arguments]
    process = subprocess.Popen(
        line,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **dict(environment)},
    )
    with process:
        try:
            first = process.stdout.readline()
            assert " on http://" in first, first or process.stderr.read()
            running = Address(first.split(" on ")[1].strip())
            running.process = process
            yield running
            running.close_sockets()
            process.terminate()
            running.log = process.stderr.read()
            process.wait(30)
        finally:
            process.kill()


def remote_giving(picture):
    """`RemoteImages` that checks an address as ever, and has this picture at each it allows."""
    from nssbg.server.remote_images import RemoteImages

    class Remote(RemoteImages):
        def fetch(self, url):
            self._allowed(url)
            return bytearray(picture)

    return Remote
