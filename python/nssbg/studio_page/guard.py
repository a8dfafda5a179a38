"""Lets nobody in but the person who started the page, and lets the page talk to nobody else.

In front of the whole application: Host and Origin are the page's own (against DNS rebinding and
other pages of the same browser), a secret cookie is there, bodies are bounded; and every response
says what the page may load: its own origin alone.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

__all__ = ["CONTENT_SECURITY_POLICY", "Guard", "TooLargeError", "cookie_name"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

CONTENT_SECURITY_POLICY = (
    "default-src 'self'; img-src 'self' blob: data:; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; worker-src 'self'; object-src 'none'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = (
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=(), payment=(), usb=()"),
)
_NO_KEY = (
    "This page belongs to the person who started it. Open the address that `nssbg studio` printed, "
    "which carries its key."
)


class TooLargeError(Exception):
    """A body is longer than it may be."""


def cookie_name(port: int) -> str:
    """Cookies are shared by all ports of a host: each page has a name of its own."""
    return f"nssbg_studio_{port}"


class Guard:
    """The application behind its checks.

    Args:
        app: What answers.
        key: The secret.
        port: That is listened on.
        at_end: Called by `close`.
    """

    def __init__(
        self, app: App, *, key: str, port: int, at_end: Callable[[], None] = lambda: None
    ) -> None:
        self._app = app
        self.close = at_end
        self._key = key
        self._cookie = cookie_name(port)
        self._hosts = {f"{host}:{port}" for host in ("127.0.0.1", "localhost")}
        if port == 80:
            self._hosts |= {"127.0.0.1", "localhost"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            return
        headers = _single(scope)
        refused = self._refused(scope, headers)
        if refused is not None:
            await _answer(send, *refused)
            return
        if not self._has_cookie(headers):
            await self._without_cookie(scope, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *(pair for pair in _HEADERS if pair[0] not in given),
                ]
                if b"cache-control" not in given:
                    message["headers"].append((b"cache-control", b"no-store"))
            await send(message)

        await self._app(scope, receive, send_guarded)

    def _refused(self, scope: Scope, headers: dict[str, str]) -> tuple[int, str, str] | None:
        host = headers.get("host", "").lower()
        if host not in self._hosts:
            return 421, "host", "this is a page of this machine alone: its Host is not that one"
        origin = headers.get("origin")
        if origin is not None and origin.lower() != f"http://{host}":
            return 403, "origin", "the request comes from another page"
        site = headers.get("sec-fetch-site", "none")
        # A link or a bookmark may lead here ("none"; a redirect of ours is "same-origin").
        if site not in ("none", "same-origin") and not (
            scope["path"] == "/" and headers.get("sec-fetch-mode") == "navigate"
        ):
            return 403, "origin", "the request comes from another page"
        return None

    def _has_cookie(self, headers: dict[str, str]) -> bool:
        for part in headers.get("cookie", "").split(";"):
            name, _, value = part.strip().partition("=")
            if name == self._cookie and _same(value, self._key):
                return True
        return False

    async def _without_cookie(self, scope: Scope, send: Send) -> None:
        """Hand the cookie to who brings the key; nothing to anybody else."""
        given = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("key", [""])[0]
        if scope["path"] == "/" and scope["method"] == "GET" and _same(given, self._key):
            cookie = f"{self._cookie}={self._key}; HttpOnly; SameSite=Strict; Path=/"
            await _answer(
                send,
                303,
                "",
                "",
                [(b"location", b"/"), (b"set-cookie", cookie.encode())],
            )
            return
        await _answer(send, 401, "key", _NO_KEY)


def _same(given: str, key: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), key.encode())


def _single(scope: Scope) -> dict[str, str]:
    """Headers by name; one that comes twice is none that is trusted."""
    found: dict[str, str] = {}
    for name, value in scope["headers"]:
        text = name.decode("latin-1").lower()
        joiner = "; " if text == "cookie" else ","
        value = value.decode("latin-1")
        found[text] = f"{found[text]}{joiner}{value}" if text in found else value
    return found


async def _answer(
    send: Send,
    status: int,
    kind: str,
    message: str,
    headers: list[tuple[bytes, bytes]] | None = None,
) -> None:
    body = b""
    if kind:
        body = json.dumps({"error": {"kind": kind, "message": message}}).encode()
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", b"application/json"),
                (b"content-length", str(len(body)).encode()),
                (b"cache-control", b"no-store"),
                *_HEADERS,
                *(headers or []),
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})
