"""Listens: uvicorn with what it has not, deadlines for heads, a bound on connections, one error.

A connection whose request's head does not come in time is cut off, and so is, where there are too
many, the one that has been without a request the longest: slow clients hold nothing that others
need. On SIGTERM or Ctrl-C no new connection is taken, requests in hand are finished, then it ends.
"""

from __future__ import annotations

import asyncio
import errno
import gc
import logging
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from nssbg._errors import NssbgError
from nssbg._http.replies import ABORT

__all__ = ["ListenerSettings", "Server", "listening_socket", "serve"]


# Python's own: allocations, and collections of younger ones, after which rings are looked for.
_COLLECT_AFTER = (700, 10, 10)


@dataclass(frozen=True)
class ListenerSettings:
    """Where and how to listen.

    Attributes:
        host: An address or name of this machine.
        port: 0: any that is free.
        head_seconds: Time for a request's head to come in.
        idle_seconds: Time that a connection is kept for a next request.
        max_connections: Connections at once.
        grace: Seconds that requests in hand get to end in.
    """

    host: str = "127.0.0.1"
    port: int = 7000
    head_seconds: float = 10.0
    idle_seconds: float = 15.0
    max_connections: int = 512
    grace: float = 30.0


def listening_socket(host: str, port: int) -> socket.socket:
    """A bound socket.

    Raises:
        NssbgError: The address is not this machine's, or taken, or not allowed.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:  # UnicodeError: nothing that a name could be
        why = getattr(error, "strerror", None) or str(error)
        raise NssbgError(f"cannot listen on {host}: {why}") from error
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError as error:
        bound.close()
        hint = {
            errno.EADDRINUSE: "another program listens there; take another --port",
            errno.EACCES: "ports below 1024 are the system's; take another --port",
            errno.EADDRNOTAVAIL: "it is no address of this machine",
        }.get(error.errno or 0, error.strerror or str(error))
        raise NssbgError(f"cannot listen on {host} port {port}: {hint}") from error
    return bound


def address_of(bound: socket.socket) -> str:
    """The address that a browser takes."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Server:
    """An application on a bound socket.

    Args:
        app: ASGI.
        settings: How to listen.
        bound: From `listening_socket`.
        started: Called with the address once requests are taken.
        ending: Called on the event loop when no more are: what has no end of its own, such as
            streams of events, is to end.
    """

    def __init__(
        self,
        app: ASGIApp,
        settings: ListenerSettings,
        bound: socket.socket,
        started: Callable[[str], None] = lambda address: None,
        ending: Callable[[], None] = lambda: None,
    ) -> None:
        self.address: str = address_of(bound)
        self._bound = bound
        config = uvicorn.Config(
            app,
            http=_protocol(settings),
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=int(settings.idle_seconds),
            timeout_graceful_shutdown=int(settings.grace),
        )
        self._server = _Server(config, lambda: started(self.address), ending)
        # What it says of its own start and end is said otherwise, and of broken requests nothing.
        logging.getLogger("uvicorn").setLevel(logging.ERROR)
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)

    def run(self) -> None:
        """Serve until a signal or `stop`; signals are raised again at the end."""
        if threading.current_thread() is threading.main_thread():
            # The command line collects rings rarely, as its processes end soon; this one does not.
            gc.freeze()
            gc.set_threshold(*_COLLECT_AFTER)
        self._server.run(sockets=[self._bound])

    def stop(self) -> None:
        """Take no more requests, finish those in hand, and end; from any thread."""
        self._server.should_exit = True


def serve(
    app: ASGIApp,
    settings: ListenerSettings,
    *,
    started: Callable[[str], None] = lambda address: None,
) -> None:
    """Bind and serve in this thread.

    Args:
        app: ASGI.
        settings: Where and how.
        started: Called with the address once requests are taken.

    Raises:
        NssbgError: The address cannot be listened on.
    """
    Server(app, settings, listening_socket(settings.host, settings.port), started).run()


class _Server(uvicorn.Server):
    def __init__(
        self, config: uvicorn.Config, started: Callable[[], None], ending: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._tell_started = started
        self._tell_ending = ending

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._tell_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._tell_ending()
        await super().shutdown(sockets)


def _protocol(settings: ListenerSettings) -> type[asyncio.Protocol]:
    """uvicorn's protocol with deadlines and a bound on connections."""

    class Protocol(H11Protocol):
        _head_timer: asyncio.TimerHandle | None = None
        _since = 0.0

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            inner = self.app

            async def with_abort(scope: Scope, receive: Receive, send: Send) -> None:
                scope[ABORT] = self.transport.abort
                await inner(scope, receive, send)

            self.app = with_abort

        @property
        def _is_idle(self) -> bool:
            return self.cycle is None or self.cycle.response_complete

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._since = time.monotonic()
            self._arm()
            if len(self.connections) > settings.max_connections:
                idle = [one for one in self.connections if isinstance(one, Protocol)]
                idle = [one for one in idle if one._is_idle and one is not self]
                min(idle, key=lambda one: one._since, default=self).transport.abort()

        def connection_lost(self, exc: Exception | None) -> None:
            self._disarm()
            super().connection_lost(exc)
            self.app = None  # which leads back to this

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if not self._is_idle:
                self._disarm()
            elif self._head_timer is None:
                self._arm()

        def on_response_complete(self) -> None:
            self._since = time.monotonic()
            super().on_response_complete()

        def _arm(self) -> None:
            self._head_timer = self.loop.call_later(settings.head_seconds, self._too_slow)

        def _disarm(self) -> None:
            if self._head_timer is not None:
                self._head_timer.cancel()
                self._head_timer = None

        def _too_slow(self) -> None:
            self._head_timer = None
            if self._is_idle:
                self.transport.abort()

    return Protocol
