"""Fetches a picture from an address that a request names, where the operator allowed its host.

A server that fetches what strangers name can be led to what only it can reach. So: hosts from a
list alone, http and https alone, on their own ports; each name is resolved once, every address it
leads to has to be public, and the connection goes to that very address; redirects are checked in
the same way; size and time are bounded; no proxy, no credentials, no cookies.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

from nssbg._http.errors import HttpError

__all__ = ["RemoteImages", "host_pattern"]

_MOST_REDIRECTS = 3
_REDIRECTS = (301, 302, 303, 307, 308)
_PORTS = {"http": 80, "https": 443}
_PIECE = 64 << 10


def host_pattern(text: str) -> str:
    """A host of `--allow-url`, checked: "example.org", or "*.example.org" for all below it.

    Raises:
        ValueError: It is none.
    """
    pattern = text.strip().lower().rstrip(".")
    name = pattern.removeprefix("*.")
    if not name or "*" in name or any(sign in name for sign in "/:@?# ") or "." not in name:
        raise ValueError(
            f"--allow-url takes names of hosts, example.org or *.example.org, got {text!r}"
        )
    return pattern


@dataclass(frozen=True)
class RemoteImages:
    """Fetches from some hosts.

    Attributes:
        hosts: Patterns as of `host_pattern`; empty: nothing is ever fetched.
        max_bytes: Of a picture.
        seconds: For all of it, redirects included.
    """

    hosts: frozenset[str] = frozenset()
    max_bytes: int = 64 << 20
    seconds: float = 15.0
    # Once for all; made when first needed.
    _context: list[ssl.SSLContext] = field(default_factory=list, repr=False, compare=False)

    def fetch(self, url: str) -> bytearray:
        """The bytes at an address; blocks.

        Raises:
            HttpError: 403: not allowed; 422: it could not be had; 413: it is too long.
        """
        until = time.monotonic() + self.seconds
        for _ in range(_MOST_REDIRECTS + 1):
            place = self._allowed(url)
            found = self._ask(place, until)
            if isinstance(found, bytearray):
                return found
            url = urljoin(url, found)
            if place.scheme == "https" and urlsplit(url).scheme != "https":
                raise _unreachable("it leads from https to http")
        raise _unreachable(f"it leads on more than {_MOST_REDIRECTS} times")

    def _allowed(self, url: str) -> SplitResult:
        """The parts of an address that may be asked."""
        if not self.hosts:
            raise _refused("this server fetches no addresses; send the picture itself")
        try:
            place = urlsplit(url)
            host, port = (place.hostname or "").rstrip("."), place.port
        except ValueError:
            raise _refused("the address cannot be read") from None
        if place.scheme not in _PORTS or port not in (None, _PORTS[place.scheme]):
            raise _refused("only http and https on their own ports are fetched")
        if place.username is not None or place.password is not None:
            raise _refused("addresses with a user or password are not fetched")
        if any(ord(sign) <= 32 or ord(sign) > 126 for sign in url):
            raise _refused("the address holds characters that have to be percent-encoded")
        if not any(_matches(host, pattern) for pattern in self.hosts):
            raise _refused("pictures of that host are not fetched; its operator names hosts with "
                           "--allow-url")  # fmt: skip
        return place

    def _ask(self, place: SplitResult, until: float) -> bytearray | str:
        """The body, or where it is said to be."""
        host = place.hostname or ""
        address = _public_address(host, _PORTS[place.scheme])
        connection = self._connection(place.scheme, host, address, _left(until))
        path = (place.path or "/") + (f"?{place.query}" if place.query else "")
        try:
            connection.request("GET", path, headers={"Accept": "image/*", "User-Agent": "nssbg"})
            answer = connection.getresponse()
            if answer.status in _REDIRECTS:
                return answer.getheader("Location") or ""
            if answer.status != 200:
                raise _unreachable(f"its server answered with status {answer.status}")
            return self._body(connection, answer, until)
        except (OSError, http.client.HTTPException) as error:
            raise _unreachable(type(error).__name__) from None
        finally:
            connection.close()

    def _body(self, connection: Any, answer: Any, until: float) -> bytearray:
        result = bytearray()
        while True:
            if connection.sock is not None:
                connection.sock.settimeout(_left(until))
            piece = answer.read1(_PIECE)
            if not piece:
                return result
            result += piece
            if len(result) > self.max_bytes:
                raise HttpError(
                    413, "too_large", f"the picture has more than {self.max_bytes} bytes"
                )
            _left(until)

    def _connection(
        self, scheme: str, host: str, address: tuple[Any, ...], seconds: float
    ) -> http.client.HTTPConnection:
        """A connection to the very address that was checked, under the host's name."""
        if scheme == "http":
            connection = http.client.HTTPConnection(host, _PORTS[scheme], timeout=seconds)
        else:
            if not self._context:
                self._context.append(ssl.create_default_context())
            connection = http.client.HTTPSConnection(
                host, _PORTS[scheme], timeout=seconds, context=self._context[0]
            )
        try:
            connection.sock = socket.create_connection(address[:2], timeout=seconds)
            if scheme == "https":
                connection.sock = self._context[0].wrap_socket(
                    connection.sock, server_hostname=host
                )
        except OSError as error:
            connection.close()
            raise _unreachable(type(error).__name__) from None
        return connection


def _matches(host: str, pattern: str) -> bool:
    host = host.lower()
    if pattern.startswith("*."):
        return host.endswith(pattern[1:]) and len(host) > len(pattern) - 1
    return host == pattern


def _public_address(host: str, port: int) -> tuple[Any, ...]:
    """The address that a name leads to, looked up once.

    Raises:
        HttpError: It leads nowhere, or to one that is not public.
    """
    try:
        found = [entry[4] for entry in resolve(host, port)]
    except (OSError, UnicodeError):
        raise _unreachable("its host has no address") from None
    if not found:
        raise _unreachable("its host has no address")
    for address in found:
        if not is_public(str(address[0])):
            raise _refused("its host leads to an address that is not public")
    return tuple(found[0])


def resolve(host: str, port: int) -> list[Any]:
    """As socket.getaddrinfo gives them."""
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)


def is_public(text: str) -> bool:
    """Whether an address is one of the open internet: not private, local, shared or reserved."""
    address: Any = ipaddress.ip_address(text.partition("%")[0])
    for inner in ("ipv4_mapped", "sixtofour"):
        within = getattr(address, inner, None)
        if within is not None:
            return is_public(str(within))
    if getattr(address, "teredo", None) is not None:
        return False
    # 64:ff9b::/96 leads to IPv4 addresses of any kind.
    if address.version == 6 and address in ipaddress.ip_network("64:ff9b::/96"):
        return is_public(str(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)))
    return bool(address.is_global and not address.is_multicast and not address.is_reserved)


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise _unreachable("it took too long")
    return left


def _refused(why: str) -> HttpError:
    return HttpError(403, "url", f"the address is not fetched: {why}")


def _unreachable(why: str) -> HttpError:
    return HttpError(422, "url", f"the picture cannot be fetched: {why}")
