"""Reads request bodies as they come, in bounded memory and time: raw, JSON, and forms.

A body may have so many bytes, all bodies together so many, and it has to come at a least rate.
Bytes that are held count until the request is over. Nothing is written to disk.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from nssbg._http.errors import HttpError

__all__ = ["File", "Form", "Upload", "UploadLimits", "Uploads"]


@dataclass(frozen=True)
class UploadLimits:
    """What bodies may take.

    Attributes:
        max_bytes: Of one body.
        max_held: Bytes of all bodies that are held at once.
        max_parts: Fields and files of a form.
        max_field: Bytes of one field that is no file.
        seconds: Time for a body to come in ...
        min_rate: ... and a second more for so many bytes that came.
    """

    max_bytes: int = 64 << 20
    max_held: int = 512 << 20
    max_parts: int = 64
    max_field: int = 64 << 10
    seconds: float = 20.0
    min_rate: int = 16 << 10


@dataclass(frozen=True)
class File:
    """A file of a form.

    Attributes:
        data: Its bytes.
        media_type: As the client says; "" where it says nothing.
    """

    data: bytearray
    media_type: str = ""


@dataclass(frozen=True)
class Form:
    """Fields and files of a form, each name once."""

    fields: dict[str, str] = field(default_factory=dict)
    files: dict[str, File] = field(default_factory=dict)


class Uploads:
    """Hands out readers of bodies and keeps what all of them hold below a bound.

    Args:
        limits: What bodies may take.
    """

    def __init__(self, limits: UploadLimits) -> None:
        self.limits = limits
        # Its warnings repeat what was sent; the answer has the error.
        logging.getLogger("python_multipart").setLevel(logging.CRITICAL)
        self.held: int = 0

    def of(self, request: Request) -> Upload:
        """The body of a request: `async with uploads.of(request) as upload`."""
        return Upload(request, self)

    def _take(self, count: int) -> None:
        if self.held + count > self.limits.max_held:
            raise HttpError(
                503,
                "busy",
                "the server holds as many uploads as it has memory for; try again later",
                {"Retry-After": "2"},
            )
        self.held += count


class Upload:
    """One body; what it holds counts until the with-block ends."""

    def __init__(self, request: Request, uploads: Uploads) -> None:
        self._request = request
        self._uploads = uploads
        self._limits = uploads.limits
        self._held = 0
        self._read = 0
        self._began = time.monotonic()
        self._is_whole = False

    async def __aenter__(self) -> Upload:
        """Refuse what says itself that it is too long, before anything of it is read."""
        said = self._request.headers.get("content-length", "")
        if said.isdecimal() and int(said) > self._limits.max_bytes:
            raise self._too_large()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the memory back."""
        self._uploads.held -= self._held
        self._held = 0

    async def data(self) -> bytearray:
        """The whole body."""
        result = bytearray()
        while (piece := await self._next()) is not None:
            result += piece
        return result

    async def json(self) -> dict[str, Any]:
        """A body that is one JSON object."""
        try:
            found = json.loads(await self.data())
        except (ValueError, RecursionError) as error:
            raise HttpError(400, "request", f"the body is no JSON: {error}") from None
        if not isinstance(found, dict):
            raise HttpError(400, "request", "the body must be a JSON object of names and values")
        return found

    async def form(self, large: Collection[str] = ()) -> Form:
        """A multipart or URL-encoded form.

        Args:
            large: Fields that may be as long as files (base64).
        """
        kind, options = parse_options_header(self._request.headers.get("content-type"))
        if kind == b"application/x-www-form-urlencoded":
            return await self._urlencoded(large)
        if kind != b"multipart/form-data" or not options.get(b"boundary"):
            raise HttpError(
                415,
                "request",
                "expected a form: Content-Type multipart/form-data with its boundary, or "
                "application/x-www-form-urlencoded",
            )
        reader = _FormReader(self._limits, frozenset(large))
        try:
            parser = MultipartParser(options[b"boundary"], reader.callbacks())
            while (piece := await self._next()) is not None:
                parser.write(piece)
        except FormParserError as error:
            raise HttpError(400, "request", f"the form cannot be read: {error}") from None
        return reader.form()

    async def _urlencoded(self, large: Collection[str]) -> Form:
        text = (await self.data()).decode("utf-8", "replace")
        try:
            pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=self._limits.max_parts)
        except ValueError:
            raise _too_many(self._limits) from None
        fields: dict[str, str] = {}
        for name, value in pairs:
            if name in fields:
                raise _twice(name)
            if name not in large and len(value) > self._limits.max_field:
                raise _long_field(name, self._limits)
            fields[name] = value
        return Form(fields)

    async def _next(self) -> bytes | None:
        """The next piece of the body, within bounds; None at the end."""
        if self._is_whole:
            return None
        allowed = self._limits.seconds + self._read / self._limits.min_rate
        left = self._began + allowed - time.monotonic()
        try:
            message = await asyncio.wait_for(self._request.receive(), max(0.0, left))
        except asyncio.TimeoutError:
            raise HttpError(408, "slow", "the body came too slowly; send it again") from None
        if message["type"] != "http.request":
            raise HttpError(499, "gone", "the client went away within its body")
        piece: bytes = message.get("body", b"")
        self._is_whole = not message.get("more_body", False)
        self._read += len(piece)
        if self._read > self._limits.max_bytes:
            raise self._too_large()
        self._uploads._take(len(piece))
        self._held += len(piece)
        return piece

    def _too_large(self) -> HttpError:
        most = self._limits.max_bytes
        return HttpError(
            413, "too_large", f"the body has more than the {most} bytes that are allowed"
        )


class _FormReader:
    """Takes a multipart parser's callbacks to a form."""

    def __init__(self, limits: UploadLimits, large: frozenset[str]) -> None:
        self._limits = limits
        self._large = large
        self._form = Form()
        self._parts = 0
        self._is_whole = False
        self._begin()

    def callbacks(self) -> Any:
        return {
            "on_part_begin": self._begin_part,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._data,
            "on_part_end": self._end,
            "on_end": self._whole,
        }

    def form(self) -> Form:
        if not self._is_whole:
            raise HttpError(400, "request", "the form is cut short: its last boundary is missing")
        return self._form

    def _begin(self) -> None:
        self._name = self._media_type = ""
        self._is_file = False
        self._content = bytearray()
        self._header = bytearray()
        self._value = bytearray()
        self._disposition = b""

    def _begin_part(self) -> None:
        self._parts += 1
        if self._parts > self._limits.max_parts:
            raise _too_many(self._limits)
        self._begin()

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        name = bytes(self._header).lower()
        if name == b"content-disposition":
            self._disposition = bytes(self._value)
        elif name == b"content-type":
            self._media_type = self._value.decode("latin-1")
        self._header.clear()
        self._value.clear()

    def _headers_finished(self) -> None:
        kind, options = parse_options_header(self._disposition)
        name = options.get(b"name")
        if kind != b"form-data" or not name:
            raise HttpError(
                400,
                "request",
                'a part of the form has no Content-Disposition: form-data; name="..."',
            )
        self._name = name.decode("utf-8", "replace")
        self._is_file = b"filename" in options or b"filename*" in options
        if self._name in self._form.fields or self._name in self._form.files:
            raise _twice(self._name)

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._content += memoryview(data)[start:end]
        is_field = not self._is_file and self._name not in self._large
        if is_field and len(self._content) > self._limits.max_field:
            raise _long_field(self._name, self._limits)

    def _end(self) -> None:
        if self._is_file:
            self._form.files[self._name] = File(self._content, self._media_type)
        else:
            self._form.fields[self._name] = self._content.decode("utf-8", "replace")
        self._content = bytearray()

    def _whole(self) -> None:
        self._is_whole = True


def _twice(name: str) -> HttpError:
    return HttpError(400, "request", f"the form has {name!r} twice; give it once")


def _too_many(limits: UploadLimits) -> HttpError:
    return HttpError(400, "request", f"a form may have {limits.max_parts} fields and files")


def _long_field(name: str, limits: UploadLimits) -> HttpError:
    return HttpError(
        400,
        "request",
        f"{name!r} is longer than the {limits.max_field} bytes of a field; send it as a file, "
        'that is with a filename="..."',
    )
