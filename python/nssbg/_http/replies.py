"""Sends results in pieces that a client has to take in time, and notices clients that went away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from nssbg._http.errors import HttpError

__all__ = ["ABORT", "PiecewiseResponse", "until_gone"]

T = TypeVar("T")

#: Key of the scope under which the listener leaves what cuts the connection off at once.
ABORT = "nssbg.abort"

_PIECE = 256 << 10
# Seconds that a client may take for a piece.
_PATIENCE = 20.0


class PiecewiseResponse(Response):
    """A body in pieces; the connection of a client that does not take one in time is cut off."""

    def __init__(
        self,
        content: bytes,
        *,
        media_type: str,
        headers: Mapping[str, str] | None = None,
        status_code: int = 200,
    ) -> None:
        super().__init__(content, status_code, dict(headers or {}), media_type)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        await send(
            {
                "type": "http.response.start",
                "status": self.status_code,
                "headers": self.raw_headers,
            }
        )
        view = memoryview(self.body)
        try:
            for start in range(0, max(1, len(view)), _PIECE):
                message = {
                    "type": "http.response.body",
                    "body": bytes(view[start : start + _PIECE]),
                    "more_body": start + _PIECE < len(view),
                }
                # Waits until what was sent before has gone out.
                await asyncio.wait_for(send(message), _PATIENCE)
        except asyncio.TimeoutError:
            abort: Callable[[], None] | None = scope.get(ABORT)
            if abort is not None:
                abort()


async def until_gone(request: Request, work: Awaitable[T]) -> T:
    """Await work for a request whose body was read; give it up when the client goes away.

    Raises:
        HttpError: 499 (told to nobody): the client went away.
    """

    async def gone() -> None:
        while True:
            message: Any = await request.receive()
            if message["type"] == "http.disconnect":
                return

    working = asyncio.ensure_future(work)
    watching = asyncio.ensure_future(gone())
    try:
        await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise HttpError(499, "gone", "the client went away before its result was there")
    finally:
        watching.cancel()
        working.cancel()
