"""Tells every open page what happens: events as `text/event-stream`, made in any thread.

A page that falls behind is cut off; its browser connects again and is told everything anew.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

__all__ = ["Event", "Hub"]

Event = tuple[str, Any]
# Events that wait for one page before it is cut off.
_MOST_WAITING = 2000
# Seconds without an event after which a comment keeps the connection open.
_QUIET = 15.0


class Hub:
    """Hands events to whoever listens."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listeners: set[asyncio.Queue[bytes | None]] = set()
        self._closed = False

    def open(self) -> None:
        """Take events from now on for listeners of the running loop."""
        self._loop = asyncio.get_running_loop()

    def publish(self, name: str, data: Any) -> None:
        """Tell of an event; from any thread."""
        loop = self._loop
        if loop is None or loop.is_closed():
            return
        message = encoded((name, data))
        try:
            loop.call_soon_threadsafe(self._spread, message)
        except RuntimeError:  # closed this moment
            return

    def close(self) -> None:
        """End all streams; on the loop."""
        self._closed = True
        for queue in list(self._listeners):
            _end(queue)

    @property
    def listeners(self) -> int:
        """Pages that listen."""
        return len(self._listeners)

    async def stream(self, first: Callable[[], Iterable[Event]]) -> AsyncIterator[bytes]:
        """The stream of one page: all that is there, then what happens.

        Args:
            first: Gives the events that tell of all that is there; called once this page listens,
                so that nothing falls between.
        """
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(_MOST_WAITING)
        self._listeners.add(queue)
        try:
            yield b"retry: 1000\n\n"
            for event in first():
                yield encoded(event)
            while not self._closed:
                try:
                    message = await asyncio.wait_for(queue.get(), _QUIET)
                except asyncio.TimeoutError:
                    yield b": still here\n\n"
                    continue
                if message is None:
                    return
                yield message
        finally:
            self._listeners.discard(queue)

    def _spread(self, message: bytes) -> None:
        for queue in list(self._listeners):
            try:
                queue.put_nowait(message)
            except asyncio.QueueFull:
                _end(queue)


def _end(queue: asyncio.Queue[bytes | None]) -> None:
    while queue.full():
        queue.get_nowait()
    queue.put_nowait(None)


def encoded(event: Event) -> bytes:
    """One event as it goes over the wire."""
    name, data = event
    return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()
