"""Lets nobody in but the person who started the page, and lets the page talk to nobody else.

Checked of every request, by `_http`'s front door: Host and Origin are the page's own (against DNS
rebinding and other pages of the same browser), and a secret cookie is there. Every response says
what the page may load: its own origin alone.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.types import Scope

from nssbg._http.errors import HttpError
from nssbg._http.front_door import AccessRules

__all__ = ["CONTENT_SECURITY_POLICY", "HEADERS", "PageRules", "cookie_name"]

CONTENT_SECURITY_POLICY = (
    "default-src 'self'; img-src 'self' blob: data:; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; worker-src 'self'; object-src 'none'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
#: Of every response, errors too; what a response says itself stays.
HEADERS = (
    ("Content-Security-Policy", CONTENT_SECURITY_POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Frame-Options", "DENY"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=()"),
    ("Cache-Control", "no-store"),
)
_NO_KEY = (
    "this page belongs to the person who started it: open the address that `nssbg studio` printed, "
    "which carries its key"
)


def cookie_name(port: int) -> str:
    """Cookies are shared by all ports of a host: each page has a name of its own."""
    return f"nssbg_studio_{port}"


@dataclass(frozen=True)
class PageRules(AccessRules):
    """Who may come in.

    Attributes:
        key: The secret.
        port: That is listened on.
    """

    key: str = field(default="", repr=False)
    port: int = 0

    def check(self, scope: Scope) -> None:
        """Raise where a request may not come in.

        Raises:
            HttpError: 403 for another Host or Origin, 401 without the cookie.
        """
        headers = Headers(scope=scope)
        host = headers.get("host", "").lower()
        if host not in (f"127.0.0.1:{self.port}", f"localhost:{self.port}"):
            raise HttpError(403, "host", "this page is not called by that name")
        # Browsers send it with whatever changes something, and with all that other pages fetch.
        origin = headers.get("origin")
        if origin is not None and origin.lower() != f"http://{host}":
            raise _foreign()
        # Other ports of this machine are the same "site": their pages could show our pictures.
        site = headers.get("sec-fetch-site", "none")
        followed = scope["path"] == "/" and headers.get("sec-fetch-mode") == "navigate"
        if site not in ("none", "same-origin") and not followed:
            raise _foreign()
        if not self._has_cookie(headers) and not self.opens(scope):
            raise HttpError(401, "key", _NO_KEY)

    def opens(self, scope: Scope) -> bool:
        """Whether a request brings the key itself: the address that the command printed."""
        if scope["path"] != "/" or scope["method"] != "GET":
            return False
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
        return self._is_key(query.get("key", [""])[0])

    def _has_cookie(self, headers: Headers) -> bool:
        wanted = cookie_name(self.port)
        for line in headers.getlist("cookie"):
            for part in line.split(";"):
                name, _, value = part.strip().partition("=")
                if name == wanted and self._is_key(value):
                    return True
        return False

    def _is_key(self, given: str) -> bool:
        return hmac.compare_digest(given.encode("utf-8", "replace"), self.key.encode())


def _foreign() -> HttpError:
    return HttpError(403, "origin", "the request comes from another page, which may not use this")
