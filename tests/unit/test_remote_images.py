"""Addresses that requests name: what is fetched, and all that is not."""

from __future__ import annotations

import http.server
import shutil
import ssl
import subprocess
import threading
import time
from dataclasses import replace

import pytest

pytest.importorskip("starlette", reason="nssbg[serve] is not installed")

from nssbg._http.errors import HttpError
from nssbg.server import remote_images
from nssbg.server.remote_images import RemoteImages, host_pattern, is_public


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1",
        "169.254.169.254", "100.64.0.1", "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1",
        "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "ff02::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:db8::1",
        "2001:0:1:2:3:4:5:6",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public(address):
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "8.8.8.8", "2606:4700::1111", "64:ff9b::808:808"]
)
def test_addresses_that_are(address):
    assert is_public(address)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.asked.append((self.headers["Host"], self.path))
        answer = self.server.answers.get(self.path, (404, {}, b""))
        if callable(answer):
            answer(self)
            return
        status, headers, body = answer
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def world(monkeypatch):
    """A server that plays the open internet: every name leads to it, and it counts as public."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked, server.answers, server.lookups = [], {}, []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    port = server.server_address[1]

    def resolve(host, wanted):
        server.lookups.append(host)
        if host.startswith("private"):
            return [(2, 1, 6, "", ("93.184.216.34", wanted)), (2, 1, 6, "", ("10.0.0.1", wanted))]
        return [(2, 1, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(remote_images, "resolve", resolve)
    monkeypatch.setattr(
        remote_images, "is_public", lambda text: text == "127.0.0.1" or is_public(text)
    )
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


REMOTE = RemoteImages(
    frozenset({"example.org", "*.cdn.example", "private.example"}), max_bytes=1000, seconds=3
)


def refused(url, status=403):
    with pytest.raises(HttpError) as found:
        REMOTE.fetch(url)
    assert found.value.status == status
    return found.value.message


def test_an_allowed_host_is_fetched_by_its_name_looked_up_once(world):
    world.answers["/a.png?x=1"] = (200, {}, b"bytes")
    assert REMOTE.fetch("http://example.org/a.png?x=1") == b"bytes"
    assert world.asked == [("example.org", "/a.png?x=1")]
    assert world.lookups == ["example.org"]
    world.answers["/"] = (200, {}, b"root")
    assert REMOTE.fetch("http://img.cdn.example") == b"root"


@pytest.mark.parametrize(
    "url",
    [
        "http://other.org/", "http://example.org.evil.net/", "http://cdn.example/",
        "http://evilcdn.example/", "ftp://example.org/", "file:///etc/passwd",
        "http://example.org:8080/", "https://example.org:80/", "http://user@example.org/",
        "http://other.org@example.org/", "http://127.0.0.1/", "http://[::1]/", "http://2130706433/",
        "http://example.org\r\nX: y/", "http://example.org/ü", "http://", "//example.org/", "",
        "http://example.org:99999/", "http://[/", "gopher://example.org/",
    ],
)  # fmt: skip
def test_all_else_is_refused_without_a_lookup(world, url):
    refused(url)
    assert world.lookups == world.asked == []


def test_a_name_with_one_private_address_is_refused(world):
    assert "not public" in refused("http://private.example/")
    assert world.asked == []


def test_redirects_are_checked_like_addresses(world):
    world.answers["/near"] = (302, {"Location": "/a"}, b"")
    world.answers["/a"] = (200, {}, b"there")
    assert REMOTE.fetch("http://example.org/near") == b"there"
    world.answers["/far"] = (301, {"Location": "http://169.254.169.254/latest/meta-data/"}, b"")
    refused("http://example.org/far")
    world.answers["/inside"] = (307, {"Location": "http://private.example/"}, b"")
    assert "not public" in refused("http://example.org/inside")
    world.answers["/file"] = (302, {"Location": "file:///etc/passwd"}, b"")
    refused("http://example.org/file")
    world.answers["/round"] = (302, {"Location": "/round"}, b"")
    assert "more than 3 times" in refused("http://example.org/round", 422)


def test_size_and_time_are_bounded(world):
    world.answers["/large"] = (200, {}, bytes(5000))
    refused("http://example.org/large", 413)
    world.answers["/gone"] = (410, {}, b"")
    assert "410" in refused("http://example.org/gone", 422)

    def slow(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "500")
        handler.end_headers()
        for _ in range(40):
            handler.wfile.write(b"x")
            time.sleep(0.2)

    world.answers["/slow"] = slow
    began = time.monotonic()
    refused("http://example.org/slow", 422)
    assert time.monotonic() - began < 5


def test_what_does_not_speak_tls_is_told(world):
    assert "cannot be fetched" in refused("https://example.org/a.png", 422)


def test_https_goes_to_the_address_under_the_hosts_name_and_certificate(world, tmp_path):
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl, which makes the certificate, is not here")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    line = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    line += ["-subj", "/CN=example.org", "-addext", "subjectAltName=DNS:example.org"]
    line += ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(line, check=True, capture_output=True, timeout=60)
    asked_as = []
    there = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    there.load_cert_chain(certificate, key)
    there.sni_callback = lambda sock, name, context: asked_as.append(name)
    world.socket = there.wrap_socket(world.socket, server_side=True)
    world.answers["/a.png"] = (200, {}, b"bytes")
    world.answers["/down"] = (302, {"Location": "http://example.org/a.png"}, b"")
    trusting = ssl.create_default_context(cafile=str(certificate))
    remote = replace(REMOTE, _context=[trusting])
    assert remote.fetch("https://example.org/a.png") == b"bytes"
    assert asked_as == ["example.org"]
    for fetch, url in (
        (remote.fetch, "https://img.cdn.example/a.png"),  # not the certificate's name
        (REMOTE.fetch, "https://example.org/a.png"),  # nobody vouches for it
        (remote.fetch, "https://example.org/down"),  # on to http
    ):
        with pytest.raises(HttpError) as found:
            fetch(url)
        assert found.value.status == 422
    assert [path for _, path in world.asked] == ["/a.png", "/down"]


def test_nothing_is_fetched_where_no_host_is_named():
    with pytest.raises(HttpError, match="fetches no addresses"):
        RemoteImages().fetch("http://example.org/")


@pytest.mark.parametrize(
    "text",
    ["", "*", "*.", "a b.org", "http://x.org", "x.org:80", "x@y.org", "localhost", "*.*.org"],
)
def test_patterns_that_are_none(text):
    with pytest.raises(ValueError, match="--allow-url"):
        host_pattern(text)
