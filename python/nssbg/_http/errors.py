"""What goes wrong with a request: one exception with its status, and which errors become which.

No message of these leads to a file of the server's: sources are called by their field.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from nssbg._errors import (
    DeviceError,
    ImageDecodeError,
    ImageEncodeError,
    LicenseError,
    ModelError,
    OptionError,
    TimeLimitError,
    kind_of,
)

__all__ = ["HttpError", "error_response", "http_error"]

# Characters of a message: what was sent stands in some, whatever its length.
_LONGEST = 400

# The first that fits; what is not here is a fault of the server's own.
_STATUS: tuple[tuple[type[BaseException], int], ...] = (
    (ImageDecodeError, 422),
    (ImageEncodeError, 422),
    (LicenseError, 403),
    (ModelError, 422),
    (OptionError, 400),
    (DeviceError, 503),
)


class HttpError(Exception):
    """A request that gets no result.

    Args:
        status: Of HTTP.
        kind: One word for programs: "busy", "too_large", "decode", ...
        message: For people: what was wrong, what was expected, what to try.
        headers: More headers of the answer.
    """

    def __init__(
        self, status: int, kind: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.message = message
        self.headers: dict[str, str] = dict(headers or {})


def http_error(error: BaseException) -> HttpError:
    """The answer that an error becomes; 500 without its words where it was not foreseen."""
    if isinstance(error, HttpError):
        return error
    if isinstance(error, HTTPException):  # Starlette's: no such path, no such method
        kind = {404: "not_found", 405: "method"}.get(error.status_code, "request")
        return HttpError(error.status_code, kind, str(error.detail), error.headers)
    if isinstance(error, MemoryError):
        words = "there is not enough memory for it now; try again later, or a smaller picture"
        return HttpError(503, "memory", words, {"Retry-After": "10"})
    if isinstance(error, TimeLimitError):
        return HttpError(503, "time_limit", str(error), {"Retry-After": "10"})
    for base, status in _STATUS:
        if isinstance(error, base):
            return HttpError(status, kind_of(error), _short(str(error)))
    return HttpError(500, "unexpected", "the server failed; its log has more under this request id")


def _short(text: str) -> str:
    """A message that repeats what was sent, on one line and no longer than is of use."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."


def error_response(error: HttpError, request_id: str, path: str) -> Response:
    """`{"error": {"kind", "message", "request_id"}}`; `FrontDoor` takes others in its place.

    Args:
        error: What went wrong.
        request_id: Under which the log has it.
        path: Of the request.
    """
    content: dict[str, Any] = {
        "kind": error.kind,
        "message": error.message,
        "request_id": request_id,
    }
    return JSONResponse({"error": content}, status_code=error.status, headers=error.headers)
