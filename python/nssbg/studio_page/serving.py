"""Serves a session on 127.0.0.1 until a signal comes."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

from nssbg._errors import NssbgError
from nssbg._http.listener import ListenerSettings, Server, listening_socket
from nssbg.studio_page.app import build
from nssbg.studio_page.session import Session

__all__ = ["listen", "server_of"]

_ADDRESS = "127.0.0.1"
# Seconds that requests in hand get to end in.
_GRACE = 5.0


def listen(port: int, *, preferred: int = 0) -> socket.socket:
    """A socket of this machine alone.

    Args:
        port: The one that is wanted; 0: any.
        preferred: Of any, this one if it is free.

    Raises:
        NssbgError: The port is taken or not allowed.
    """
    if not port and preferred:
        try:
            return listening_socket(_ADDRESS, preferred)
        except NssbgError:
            pass  # another program's by now
    return listening_socket(_ADDRESS, port)


def server_of(
    session: Session, bound: socket.socket, *, ready: Callable[[], None] = lambda: None
) -> Server:
    """The server of a session; its `run` answers requests until a signal or `stop` ends it.

    Args:
        session: Closed by the caller.
        bound: As `listen` gives it.
        ready: Called once requests are answered, in a thread of its own: a browser that is slow to
            start delays nobody.
    """
    port = bound.getsockname()[1]
    return Server(
        build(session, port=port),
        ListenerSettings(host=_ADDRESS, port=port, grace=_GRACE),
        bound,
        started=lambda _: threading.Thread(
            target=ready, name="nssbg-studio-ready", daemon=True
        ).start(),
        ending=session.hub.close,  # streams of events have no end of their own
    )
