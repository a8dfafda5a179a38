"""The front door of an application: who may come in, the request's id, its errors, its log line.

Around Starlette routes stands one ASGI application. It checks the Host, Origin and token of every
request, turns what is raised behind it into an answer, and writes one line of JSON a request,
in which no picture's name or content can stand: paths only of known routes, and no query.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import logging
import re
import time
import uuid
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nssbg._http.errors import HttpError, error_response, http_error

__all__ = ["Access", "AccessRules", "FrontDoor", "local_hosts"]

log = logging.getLogger("nssbg.http")

# Ids that clients may choose themselves: what can stand in a log and in a header.
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
# Seconds and bytes that the rest of a refused body is read for, and thrown away: a client that
# still sends would else never see the answer, as a socket closed over unread bytes is reset.
_DISCARD_SECONDS = 2.0
_DISCARD_BYTES = 64 << 20


def local_hosts(*more: str) -> frozenset[str]:
    """Names by which this machine alone is reached, and more."""
    return frozenset({"localhost", "127.0.0.1", "::1", *(name.lower() for name in more)})


@dataclass(frozen=True)
class AccessRules:
    """Who may come in.

    Attributes:
        hosts: Names that the Host header may have; empty: any. A page elsewhere whose name was
            made to lead to 127.0.0.1 (DNS rebinding) comes with a name that is not among them.
        origins: Origins of pages elsewhere that may use this server; "*": all.
        token: What `Authorization: Bearer` or `X-Api-Key` has to say; "": nothing.
        without_token: Paths that are open without it.
    """

    hosts: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()
    token: str = field(default="", repr=False)
    without_token: frozenset[str] = frozenset()

    def check(self, scope: Scope) -> None:
        """Raise where a request may not come in.

        Raises:
            HttpError: 400 or 403 for a Host or Origin that is not allowed, 401 without the token.
        """
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self.hosts and _host_name(host) not in self.hosts:
            raise HttpError(
                403,
                "host",
                "this server is not called by that name; its operator allows others with "
                "--allow-host",
            )
        self._check_origin(headers, host)
        if self.token and scope["path"] not in self.without_token:
            given = _given_token(headers)
            if not hmac.compare_digest(given.encode(), self.token.encode()):
                raise HttpError(
                    401,
                    "token",
                    "the token is missing or wrong; send it as `Authorization: Bearer TOKEN` or "
                    "`X-Api-Key: TOKEN`",
                    {"WWW-Authenticate": "Bearer"},
                )

    def _check_origin(self, headers: Headers, host: str) -> None:
        """Pages elsewhere may not use this server, not even blindly: their forms need no CORS."""
        origin = headers.get("origin", "")
        if not origin:
            # A GET has no Origin, as of a picture in a page; following a link is a person's doing.
            cross = headers.get("sec-fetch-site") == "cross-site" and "*" not in self.origins
            if cross and headers.get("sec-fetch-mode") != "navigate":
                raise _foreign()
            return
        if "*" in self.origins or origin.lower() in self.origins:
            return
        if urlsplit(origin).netloc.lower() != host.lower():
            raise _foreign()


def _foreign() -> HttpError:
    return HttpError(
        403,
        "origin",
        "pages of other origins may not use this server; its operator allows some with "
        "--allow-origin",
    )


def _host_name(host: str) -> str:
    """The name of a Host header without its port and brackets, lower case."""
    name = host.rpartition("]")[0].lstrip("[") if host.startswith("[") else host.partition(":")[0]
    return name.lower().rstrip(".")


def _given_token(headers: Headers) -> str:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    return headers.get("x-api-key", "")


def is_loopback(host: str) -> bool:
    """Whether an address to listen on is reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


@dataclass
class Access:
    """One request, as the log and metrics have it.

    Attributes:
        request_id: As in the answer.
        method: Of HTTP.
        route: Path of the route that took it; "-" where none did.
        status: Of HTTP; 499: the client went away.
        seconds: From its head to the end of the answer.
        bytes_in: Of its body.
        bytes_out: Of the answer's body.
        kind: What went wrong; "" where nothing did.
        more: What a handler put into `request.state.told`, such as the model that ran.
    """

    request_id: str
    method: str
    route: str = "-"
    status: int = 499
    seconds: float = 0.0
    bytes_in: int = 0
    bytes_out: int = 0
    kind: str = ""
    more: dict[str, Any] = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        """As one line of the log holds it."""
        return {
            "event": "request",
            "request_id": self.request_id,
            "method": self.method,
            "route": self.route,
            "status": self.status,
            "seconds": round(self.seconds, 4),
            "bytes_in": self.bytes_in,
            "bytes_out": self.bytes_out,
            **({"error": self.kind} if self.kind else {}),
            **self.more,
        }


class FrontDoor:
    """An ASGI application around another; see the module's text.

    Args:
        app: Starlette's Router, or what else raises its errors.
        rules: Who may come in.
        routes: Paths that may be named in the log.
        error: Makes the answer of an error from it, the request's id and the path.
        observers: Called with each request at its end.
        headers: More headers of every answer.
    """

    def __init__(
        self,
        app: ASGIApp,
        rules: AccessRules,
        *,
        routes: Collection[str] = (),
        error: Callable[[HttpError, str, str], Response] = error_response,
        observers: Iterable[Callable[[Access], None]] = (),
        headers: Iterable[tuple[str, str]] = (("X-Content-Type-Options", "nosniff"),),
    ) -> None:
        self._app = app
        self._rules = rules
        self._routes = frozenset(routes)
        self._error = error
        self._observers = tuple(observers)
        self._headers = tuple(headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or run the lifespan."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        path = scope["path"]
        method = scope["method"] if re.fullmatch("[A-Z]{1,10}", scope["method"]) else "-"
        access = Access(request_id, method, path if path in self._routes else "-")
        told: dict[str, Any] = {}
        scope.setdefault("state", {}).update(request_id=request_id, told=told)
        scope["app"] = self  # Starlette's router raises then what it would else answer itself
        exchange = _Exchange(access, scope, receive, send, self._headers)
        began = time.perf_counter()
        try:
            await self._answered(scope, exchange, path)
        finally:
            access.seconds = time.perf_counter() - began
            access.more.update(told)
            log.info("request", extra={"record": access.record()})
            for observe in self._observers:
                observe(access)

    async def _answered(self, scope: Scope, exchange: _Exchange, path: str) -> None:
        access = exchange.access
        try:
            self._rules.check(scope)
            await self._app(scope, exchange.receive, exchange.send)
            return
        except Exception as error:
            found = http_error(error)
            access.kind = found.kind
            if found.status == 500:
                # The words of an unforeseen error may hold anything; its traceback names code only.
                log.error(
                    "unexpected %s (request %s) at %s",
                    type(error).__name__,
                    access.request_id,
                    _where(error),
                )
            if found.status == 499:
                _release_frames(error)
                return
            if exchange.is_begun:
                raise
            # Its traceback leads to frames that hold the request, and they lead back to it: picture
            # and result would stay in memory until Python looks for such rings.
            _release_frames(error)
            _release_frames(found)
        await exchange.discard(found)
        response = self._error(found, access.request_id, path)
        await response(scope, exchange.receive, exchange.send)


def _release_frames(error: BaseException | None) -> None:
    """Let go of what an error's traceback, and those of the errors behind it, lead to."""
    while error is not None:
        behind = error.__cause__ or error.__context__
        error.__traceback__ = error.__cause__ = error.__context__ = None
        error = behind


def _where(error: BaseException) -> str:
    """The places of a traceback, innermost last."""
    places, trace = [], error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{code.co_name}:{trace.tb_lineno}")
        trace = trace.tb_next
    return " > ".join(places[-8:])


class _Exchange:
    """The messages of one request and its answer, counted."""

    def __init__(
        self,
        access: Access,
        scope: Scope,
        receive: Receive,
        send: Send,
        headers: Iterable[tuple[str, str]],
    ) -> None:
        self.access = access
        self.is_begun = False
        self._receive = receive
        self._send = send
        self._headers = headers
        given = Headers(scope=scope)
        length = given.get("content-length", "0")
        self._unread = length != "0" or "transfer-encoding" in given
        # Who waits for "100 Continue" has sent nothing yet.
        self._held_back = "expect" in given

    async def receive(self) -> Message:
        message = await self._receive()
        self._held_back = False
        if message["type"] == "http.request":
            self.access.bytes_in += len(message.get("body", b""))
            self._unread = self._unread and bool(message.get("more_body"))
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.is_begun = True
            self.access.status = message["status"]
            headers = MutableHeaders(raw=list(message.get("headers", ())))
            for name, value in self._headers:
                headers.setdefault(name, value)
            headers["X-Request-Id"] = self.access.request_id
            if self._unread:
                # What still comes of the body belongs to no request.
                headers["Connection"] = "close"
            message = {**message, "headers": headers.raw}
        else:
            self.access.bytes_out += len(message.get("body", b""))
        await self._send(message)

    async def discard(self, error: HttpError) -> None:
        """Read on for a moment where a body is refused in its middle."""
        until, left = time.monotonic() + _DISCARD_SECONDS, _DISCARD_BYTES
        if error.status == 408 or self._held_back:
            return
        try:
            while self._unread and left > 0:
                message = await asyncio.wait_for(
                    self._receive(), max(0.0, until - time.monotonic())
                )
                if message["type"] != "http.request":
                    return
                left -= len(message.get("body", b""))
                self._unread = bool(message.get("more_body"))
        except asyncio.TimeoutError:
            return
