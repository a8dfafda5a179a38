"""Takes request bodies in bounded memory: small JSON whole, files in pieces into the session."""

from __future__ import annotations

import json
import re
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request

from nssbg import _fs
from nssbg._errors import OptionError
from nssbg.studio_page.guard import TooLargeError

__all__ = ["JSON_BOUND", "file_name", "read_json_body", "receive_file", "relative_path"]

JSON_BOUND = 8 << 20
# Bytes that are gathered before they are written.
_PIECE = 1 << 20
_LONGEST_NAME = 200
_CONTROLS = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u2028-\\u202e\\u2066-\\u2069\\ud800-\\udfff]")


async def read_json_body(request: Request) -> Any:
    """The body, parsed.

    Raises:
        TooLargeError: It is longer than JSON_BOUND.
        OptionError: It is no JSON.
    """
    _check_announced(request, JSON_BOUND)
    data = bytearray()
    async for piece in request.stream():
        data += piece
        if len(data) > JSON_BOUND:
            raise TooLargeError(f"more than {JSON_BOUND >> 20} MB of settings")
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise OptionError(f"the body is no JSON: {error}") from error


async def receive_file(request: Request, path: Path, bound: int) -> int:
    """Write the body to a file, whole or not at all; how many bytes it has.

    Raises:
        TooLargeError: It is longer than the bound.
        OptionError: It is empty, or the sender went away.
        OSError: It cannot be written.
    """
    _check_announced(request, bound)
    length = 0
    piece = bytearray()
    with _fs.replacing(path) as part, part.open("wb") as file:
        try:
            async for chunk in request.stream():
                length += len(chunk)
                if length > bound:
                    raise TooLargeError(f"more than {bound >> 20} MB")
                piece += chunk
                if len(piece) >= _PIECE:
                    await run_in_threadpool(file.write, bytes(piece))
                    piece.clear()
        except ClientDisconnect as error:
            raise OptionError("the sender went away before the file was whole") from error
        file.write(piece)
        if not length:
            raise OptionError("the file is empty")
    return length


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
    if announced.isdigit() and int(announced) > bound:
        raise TooLargeError(
            f"{int(announced) / 1e6:.0f} MB; at most {bound / 1e6:.0f} MB are taken"
        )
