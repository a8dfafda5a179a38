"""One file over HTTP: resumes, retries, honours proxies and a mirror, never keeps half.

Uses the standard library only. Comes in: a URL and a partial file that may hold the
beginning already. Goes out: the whole file at that path; the caller checks and renames it.
"""

from __future__ import annotations

import http.client
import logging
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nssbg._errors import ModelError
from nssbg._models.first_contact import QuickHttp, QuickHttps, unreachable

__all__ = ["UnreachableError", "download", "mirrored"]

log = logging.getLogger("nssbg")

_BLOCK = 1 << 18
# Answers that another try may change: timeouts, too many requests, servers in trouble.
# A host that could not be reached is asked once more within this many seconds, then given up.
_PATIENCE = 2.0
_TRANSIENT = {408, 425, 429, 500, 502, 503, 504}


class UnreachableError(ModelError):
    """No connection could be made at all: offline, no such host, or nothing listens there."""


def mirrored(url: str) -> str:
    """The URL, its scheme and host replaced by NSSBG_MODEL_MIRROR where that is set.

    A mirror "https://host/base" serves the path that the original host serves, below base.
    """
    mirror = os.environ.get("NSSBG_MODEL_MIRROR", "").rstrip("/")
    if not mirror:
        return url
    parts = urllib.parse.urlsplit(url)
    return mirror + parts.path


class _CarefulRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but carries no token to another host and no download to plain HTTP."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        old, new = urllib.parse.urlsplit(req.full_url), urllib.parse.urlsplit(newurl)
        if old.scheme == "https" and new.scheme != "https":
            raise ModelError(f"{req.full_url}: redirects to unencrypted {newurl}; refused")
        if new.scheme not in ("http", "https"):
            raise ModelError(f"{req.full_url}: redirects to {newurl}; refused")
        request = super().redirect_request(req, fp, code, msg, headers, newurl)
        if request is not None and old.netloc != new.netloc:
            request.remove_header("Authorization")
        return request


def _token(given: str | None) -> str | None:
    if given:
        return given
    for key in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        if os.environ.get(key):
            return os.environ[key]
    try:
        base = os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface"
        return (Path(base) / "token").read_text(encoding="utf-8").strip() or None
    except (OSError, UnicodeDecodeError, RuntimeError):  # RuntimeError: a user without a home
        return None


def _refused(
    url: str, error: urllib.error.HTTPError, *, gated: bool, login: str = ""
) -> ModelError:
    if error.code in (401, 403):
        hint = login or (
            "accept its terms on the publisher's page and set HF_TOKEN"
            if gated or "huggingface.co" in url
            else "it needs a login"
        )
        return ModelError(f"{url}: HTTP {error.code}, access refused; {hint}")
    return ModelError(f"{url}: HTTP {error.code} {error.reason}")


def _request(
    url: str, offset: int, token: str | None, authorization: str
) -> urllib.request.Request:
    request = urllib.request.Request(
        url, headers={"User-Agent": "nssbg", "Accept-Encoding": "identity"}
    )
    if offset:
        request.add_header("Range", f"bytes={offset}-")
    host = urllib.parse.urlsplit(url).hostname or ""
    mirror = os.environ.get("NSSBG_MODEL_MIRROR", "")
    ours = host == "huggingface.co" or (mirror and host == urllib.parse.urlsplit(mirror).hostname)
    if authorization:
        request.add_header("Authorization", authorization)
    elif token and ours:
        request.add_header("Authorization", f"Bearer {token}")
    return request


def _total(response: Any, offset: int) -> int:
    """Bytes of the whole file by the answer's headers; 0: not told."""
    span = response.headers.get("Content-Range", "")
    if "/" in span and span.rpartition("/")[2].isdigit():
        return int(span.rpartition("/")[2])
    length = response.headers.get("Content-Length", "")
    return offset + int(length) if length.isdigit() else 0


def _receive(
    opener: urllib.request.OpenerDirector,
    url: str,
    partial: Path,
    *,
    expected_bytes: int,
    progress: Callable[[int, int], None] | None,
    token: str | None,
    authorization: str,
    timeout: float,
) -> bool:
    """One connection's worth; whether the file is whole now. OSError and HTTPException: lost."""
    offset = partial.stat().st_size if partial.exists() else 0
    if expected_bytes and offset > expected_bytes:
        partial.unlink()
        offset = 0
    if expected_bytes and offset == expected_bytes:
        return True
    with opener.open(_request(url, offset, token, authorization), timeout=timeout) as response:
        if offset and response.status != 206:
            offset = 0  # the server does not resume: from the beginning
        total = _total(response, offset)
        if expected_bytes and total and total != expected_bytes:
            partial.unlink(missing_ok=True)
            raise ModelError(f"{url}: the server has {total:,} bytes, expected {expected_bytes:,}")
        total = total or expected_bytes
        with partial.open("r+b" if offset else "wb") as stream:
            stream.seek(offset)
            stream.truncate()
            done = offset
            while block := response.read(_BLOCK):
                stream.write(block)
                done += len(block)
                if progress is not None:
                    progress(done, total)
                if total and done > total:
                    raise ModelError(f"{url}: sends more than the {total:,} bytes it told")
    # A connection that closes early ends the loop like one that is through.
    return done == total if total else True


def download(
    url: str,
    partial: Path,
    *,
    expected_bytes: int = 0,
    progress: Callable[[int, int], None] | None = None,
    token: str | None = None,
    authorization: str = "",
    gated: bool = False,
    login: str = "",
    timeout: float = 30.0,
    retries: int = 5,
    pause: float = 1.0,
) -> None:
    """Bring the whole of url into partial, going on from what it holds already.

    Args:
        url: http or https; proxies come from HTTPS_PROXY, HTTP_PROXY and NO_PROXY.
        partial: Where to; its beginning may be there from an earlier try.
        expected_bytes: Length of the file; 0: the server's word is taken.
        progress: Called with bytes so far and bytes in all.
        token: Sent to huggingface.co and the mirror only, as a bearer token.
        authorization: The Authorization header for this address, whatever its host; a redirect
            to another host goes without.
        gated: Whether the publisher asks for a login, for the error's words.
        login: What to do where a login is asked for, in the error's words.
        timeout: Seconds without a byte after which the connection is given up.
        retries: Tries in a row that bring nothing before it is given up.
        pause: Seconds before the first new try; doubles up to 30.

    Raises:
        UnreachableError: No connection could be made, in two tries within a few seconds.
        ModelError: Refused, not there, of the wrong length, or lost for good.
    """
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise ModelError(f"{url}: expected an http or https address")
    opener = urllib.request.build_opener(_CarefulRedirects(), QuickHttp(), QuickHttps())
    secret = _token(token)
    failures = 0
    began = time.monotonic()
    reached = False  # whether anything has come: a link that breaks later may come back
    while True:
        before = partial.stat().st_size if partial.exists() else 0
        try:
            if _receive(
                opener,
                url,
                partial,
                expected_bytes=expected_bytes,
                progress=progress,
                token=secret,
                authorization=authorization,
                timeout=timeout,
            ):
                return
            reason, reached = "the connection closed early", True
        except urllib.error.HTTPError as error:
            error.close()
            reached = True
            if error.code == 416 and partial.exists():
                partial.unlink()  # what is there is longer than the file, or another file's
            elif error.code not in _TRANSIENT:
                raise _refused(url, error, gated=gated, login=login) from error
            reason = f"HTTP {error.code}"
        except (http.client.HTTPException, OSError) as error:
            if isinstance(error, OSError) and error.errno in (28, 30, 13, 122):
                raise  # the disk, not the connection
            no_way = unreachable(error)
            reached = reached or not no_way
            if not reached and (failures or time.monotonic() - began > _PATIENCE):
                raise UnreachableError(f"{url}: cannot be reached ({no_way})") from error
            reason = no_way or str(error) or type(error).__name__
        after = partial.stat().st_size if partial.exists() else 0
        failures = 1 if after > before else failures + 1
        if failures > retries:
            raise ModelError(
                f"{url}: gave up after {failures} tries in a row ({reason}); "
                f"{after:,} bytes are kept and the next pull goes on from there"
            )
        delay = min(30.0, pause * 2 ** (failures - 1))
        log.info("%s: %s; goes on at byte %d in %.0f s", url, reason, after, delay)
        time.sleep(delay)
