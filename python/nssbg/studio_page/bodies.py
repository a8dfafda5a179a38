"""Takes request bodies in bounded memory: small JSON whole, files in pieces into the session."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request

from nssbg import _fs
from nssbg._errors import OptionError
from nssbg._http.errors import HttpError

__all__ = ["JSON_BOUND", "file_name", "read_json_body", "receive_file", "relative_path"]

JSON_BOUND = 8 << 20
# Bytes that are gathered before they are written.
_PIECE = 1 << 20
# Seconds without any of a body after which it is given up.
_PATIENCE = 20.0
_LONGEST_NAME = 200
_CONTROLS = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u2028-\\u202e\\u2066-\\u2069\\ud800-\\udfff]")


async def read_json_body(request: Request) -> Any:
    """The body, parsed.

    Raises:
        HttpError: 413: it is longer than JSON_BOUND; 408, 499: it did not come.
        OptionError: It is no JSON.
    """
    _check_announced(request, JSON_BOUND)
    data = bytearray()
    async for piece in _pieces(request, JSON_BOUND):
        data += piece
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise OptionError(f"the body is no JSON: {error}") from error


async def receive_file(request: Request, path: Path, bound: int) -> int:
    """Write the body to a file, whole or not at all; how many bytes it has.

    Raises:
        HttpError: 413: it is longer than the bound; 408, 499: it did not come.
        OptionError: It is empty.
        OSError: It cannot be written.
    """
    _check_announced(request, bound)
    length = 0
    gathered = bytearray()
    with _fs.replacing(path) as part, part.open("wb") as file:
        async for piece in _pieces(request, bound):
            length += len(piece)
            gathered += piece
            if len(gathered) >= _PIECE:
                await run_in_threadpool(file.write, bytes(gathered))
                gathered.clear()
        file.write(gathered)
        if not length:
            raise OptionError("the file is empty")
    return length


async def _pieces(request: Request, bound: int) -> AsyncIterator[bytes]:
    """The body as it comes, within bounds."""
    stream = request.stream().__aiter__()
    length = 0
    while True:
        try:
            piece = await asyncio.wait_for(stream.__anext__(), _PATIENCE)
        except StopAsyncIteration:
            return
        except asyncio.TimeoutError:
            raise HttpError(408, "slow", "the body came too slowly; send it again") from None
        except ClientDisconnect:
            raise HttpError(499, "gone", "the sender went away within the body") from None
        length += len(piece)
        if length > bound:
            raise _too_large(bound)
        yield piece


def file_name(text: str | None, default: str = "picture") -> str:
    """What to call a file: its last part, on one line, not too long."""
    last = re.split(r"[/\\]", text or "")[-1]
    name = _CONTROLS.sub("", last).strip().strip(".") or default
    if len(name) <= _LONGEST_NAME:
        return name
    suffix = PurePosixPath(name).suffix[:16]
    return name[: _LONGEST_NAME - len(suffix)] + suffix


def relative_path(text: str | None, name: str) -> str:
    """A path of X-Relative-Path (percent-encoded UTF-8) within any folder; else the name."""
    parts = [
        file_name(part, "")
        for part in re.split(r"[/\\]", unquote(text or "", errors="replace"))[:32]
    ]
    kept = [part for part in parts if part]
    return "/".join([*kept[:-1], name]) if kept else name


def _check_announced(request: Request, bound: int) -> None:
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > bound:
        raise _too_large(bound)


def _too_large(bound: int) -> HttpError:
    return HttpError(
        413, "too-large", f"the body has more than the {bound / 1e6:.0f} MB that are taken"
    )
