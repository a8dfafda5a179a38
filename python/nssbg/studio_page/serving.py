"""Serves a session on 127.0.0.1 until it is told to end."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

import uvicorn

from nssbg._errors import NssbgError
from nssbg.studio_page.app import build
from nssbg.studio_page.session import Session

__all__ = ["listen", "serve"]

ADDRESS = "127.0.0.1"
# Seconds that requests in flight get at the end.
_PATIENCE = 5


def listen(port: int, *, preferred: int = 0) -> socket.socket:
    """A socket that listens on this machine alone.

    Args:
        port: The one that is wanted; 0: any.
        preferred: Of any, this one if it is free.

    Raises:
        NssbgError: The port is taken or not allowed.
    """
    for wanted in (port,) if port else (preferred, 0):
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            # Not on Windows, where it would share the port with whoever has it.
            if hasattr(socket, "SO_REUSEPORT"):
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((ADDRESS, wanted))
            listening.listen(128)
            return listening
        except OSError as error:
            listening.close()
            if port or wanted == 0:
                raise NssbgError(
                    f"cannot listen on {ADDRESS}:{wanted} ({error.strerror or error}); try "
                    "another --port, or none, which takes a free one"
                ) from error
    raise AssertionError("the last port is any")


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, session: Session, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._session = session
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._session.hub.open()
        await super().startup(sockets)
        # In a thread of its own: a browser that is slow to start delays nobody.
        threading.Thread(target=self._ready, name="nssbg-studio-ready", daemon=True).start()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._session.hub.close()  # streams of events have no end of their own
        await super().shutdown(sockets)


def serve(
    session: Session, listening: socket.socket, *, ready: Callable[[], None] = lambda: None
) -> None:
    """Answer requests until a signal comes.

    Args:
        session: Closed by the caller.
        listening: As `listen` gives it.
        ready: Called once requests are answered, in a thread of its own.
    """
    port = listening.getsockname()[1]
    app = build(session, port=port)
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,  # addresses carry the key once
        lifespan="off",
        ws="none",
        http="h11",
        loop="asyncio",
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=_PATIENCE,
    )
    server = _Server(config, session, ready)
    try:
        server.run(sockets=[listening])
    finally:
        app.close()
