"""Connections that say soon whether a host can be reached, and errors that mean it cannot.

A look-up and all tries of a host's addresses share a few seconds; once connected, the caller's own
timeout holds. Without it a dead name server or a firewall that drops packets costs minutes.
"""

from __future__ import annotations

import errno
import http.client
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
from typing import Any

__all__ = ["QuickHttp", "QuickHttps", "unreachable"]

# Two repeats of a lost first packet (after 1 and 3 s) fit in; a link by satellite takes 1 s.
_SECONDS = 6.0
_NO_WAY = {
    errno.ECONNREFUSED,
    errno.ENETUNREACH,
    errno.EHOSTUNREACH,
    errno.ENETDOWN,
    errno.EADDRNOTAVAIL,
}


def unreachable(error: Exception) -> str:
    """Why the host cannot be reached, where that is what the error means; else ""."""
    if not isinstance(error, urllib.error.URLError) or isinstance(error, urllib.error.HTTPError):
        return ""
    reason = error.reason
    if isinstance(reason, socket.gaierror):
        return f"its name cannot be looked up: {reason.strerror or reason}"
    if isinstance(reason, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {reason.verify_message}"
    if isinstance(reason, TimeoutError):
        return f"no answer in {_SECONDS:.0f} s"
    if isinstance(reason, OSError) and reason.errno in _NO_WAY:
        return reason.strerror or str(reason)
    return ""


def _looked_up(host: str, port: int, seconds: float) -> list[Any]:
    """The host's addresses; the C library's look-up takes no timeout, so it has a thread."""
    found: list[Any] = []
    problem: list[OSError] = []

    def ask() -> None:
        try:
            found.extend(socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM))
        except OSError as error:
            problem.append(error)

    thread = threading.Thread(target=ask, name="nssbg look-up", daemon=True)
    thread.start()
    thread.join(seconds)
    if problem:
        raise problem[0]
    if not found:
        raise socket.gaierror(socket.EAI_AGAIN, "no name server answers")
    return found


def _connected(address: tuple[str, int], timeout: Any, source_address: Any = None) -> socket.socket:
    """As socket.create_connection, within _SECONDS for everything."""
    limit = _SECONDS if not isinstance(timeout, (int, float)) else min(timeout, _SECONDS)
    until = time.monotonic() + limit
    problem: OSError = TimeoutError("timed out")
    for family, kind, protocol, _, place in _looked_up(*address, limit):
        left = until - time.monotonic()
        if left <= 0:
            break
        stream = socket.socket(family, kind, protocol)
        try:
            stream.settimeout(left)
            if source_address:
                stream.bind(source_address)
            stream.connect(place)
        except OSError as error:
            problem = error
            stream.close()
            continue
        stream.settimeout(timeout if isinstance(timeout, (int, float)) else None)
        return stream
    raise problem


class _Http(http.client.HTTPConnection):
    def __init__(self, *args: Any, **keys: Any) -> None:
        super().__init__(*args, **keys)
        self._create_connection = _connected


class _Https(http.client.HTTPSConnection):
    def __init__(self, *args: Any, **keys: Any) -> None:
        super().__init__(*args, **keys)
        self._create_connection = _connected


class QuickHttp(urllib.request.HTTPHandler):
    """http, connected within a few seconds or not at all."""

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_Http, req)


class QuickHttps(urllib.request.HTTPSHandler):
    """https, connected within a few seconds or not at all."""

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_Https, req, context=getattr(self, "_context", None))
