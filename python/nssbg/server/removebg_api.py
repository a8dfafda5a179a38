"""remove.bg's API: `POST /v1.0/removebg` and `GET /v1.0/account`, with its fields, headers, errors.

Its clients work once the address in them is this server's. Nothing is charged, and the rate limit
that the headers tell of is this server's queue.
"""

from __future__ import annotations

import base64
import json
import time
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from nssbg._cutout import Cutout, Report
from nssbg._http.errors import HttpError
from nssbg._http.replies import PiecewiseResponse
from nssbg._http.uploads import Upload
from nssbg._options import CutoutOptions
from nssbg.server.removebg_fields import Fields, fields_from
from nssbg.server.removebg_result import RemoveBgResult, made
from nssbg.server.service import Service

__all__ = ["PREFIX", "RemoveBgApi", "removebg_error"]

#: Of its paths.
PREFIX = "/v1.0/"
# What clients that look at their credits before they ask are told.
_CREDITS = 1_000_000

# Kind -> status and code there; others keep their status and are "invalid_parameters".
_CODES = {
    "busy": (429, "rate_limit_exceeded"),
    "time_limit": (503, "timeout"),
    "memory": (503, "timeout"),
    "token": (403, "auth_failed"),
    "too_large": (400, "file_too_large"),
    "decode": (400, "invalid_file"),
    "url": (400, "failed_image_download"),
    "unknown_foreground": (400, "unknown_foreground"),
    "not_found": (404, "not_found"),
    "method": (405, "method_not_allowed"),
    "unexpected": (500, "internal_error"),
}
_TITLES = {
    "rate_limit_exceeded": "Rate limit exceeded",
    "auth_failed": "API Key invalid",
    "file_too_large": "File too large",
    "unknown_foreground": "Could not identify foreground in image",
    "failed_image_download": "Failed to download image",
    "invalid_file": "Failed to read image",
}


def removebg_error(error: HttpError, request_id: str, path: str) -> Response:
    """`{"errors": [{"title", "detail", "code"}]}`."""
    status, code = _CODES.get(error.kind, (error.status, "invalid_parameters"))
    if error.kind == "option":
        status = 400
    title = _TITLES.get(code, error.message)
    content = {"title": title, "detail": f"{error.message} (request {request_id})", "code": code}
    return JSONResponse({"errors": [content]}, status_code=status, headers=error.headers)


class RemoveBgApi:
    """The handlers.

    Args:
        service: What they work with.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    async def account(self, request: Request) -> Response:
        """Credits without end."""
        credits = {"total": _CREDITS, "subscription": 0, "payg": _CREDITS, "enterprise": 0}
        attributes = {"credits": credits, "api": {"free_calls": _CREDITS, "sizes": "all"}}
        return JSONResponse({"data": {"attributes": attributes}})

    async def remove(self, request: Request) -> Response:
        """Cut out one picture."""
        service = self._service
        service.engine.check_room()
        async with service.uploads.of(request) as upload:
            fields = fields_from(*await _given(request, upload))
            image = fields.image
            if fields.image_url is not None:
                image = await service.fetched(fields.image_url)
            if fields.background_url is not None:
                behind = await service.fetched(fields.background_url)
                fields = replace(fields, background=behind)
            assert image is not None
            most = service.engine.settings.max_pixels

            def deliver(cutout: Cutout) -> tuple[RemoveBgResult, Report]:
                return made(cutout, fields, most), cutout.report

            result = await service.cut_out(
                request,
                image,
                deliver,
                name="image_file",
                model=service.models.default,
                options=CutoutOptions(
                    corrections=fields.corrections,
                    alpha_only=fields.alpha_only and fields.format != "zip",
                ),
            )
            headers = self._headers(result, fields)
            if "application/json" not in request.headers.get("accept", ""):
                return PiecewiseResponse(result.data, media_type=result.media_type, headers=headers)
            return PiecewiseResponse(
                json.dumps({"data": _json(result)}).encode(),
                media_type="application/json",
                headers=headers,
            )

    def _headers(self, result: RemoveBgResult, fields: Fields) -> dict[str, str]:
        engine = self._service.engine
        places = engine.settings.max_waiting
        left = max(0, places - engine.waiting)
        top, left_edge, height, width = result.box
        told: dict[str, Any] = {
            "X-Width": result.width,
            "X-Height": result.height,
            "X-Credits-Charged": 0,
            "X-Foreground-Top": top,
            "X-Foreground-Left": left_edge,
            "X-Foreground-Width": width,
            "X-Foreground-Height": height,
            "X-RateLimit-Limit": places,
            "X-RateLimit-Remaining": left,
            "X-RateLimit-Reset": int(time.time()) + (0 if left else engine.retry_after()),
        }
        if fields.kind:
            told["X-Type"] = fields.kind
        return {**{name: str(value) for name, value in told.items()}, **fields.ignored}


def _json(result: RemoveBgResult) -> dict[str, Any]:
    top, left, height, width = result.box
    return {
        "result_b64": base64.b64encode(result.data).decode(),
        "foreground_top": top,
        "foreground_left": left,
        "foreground_width": width,
        "foreground_height": height,
    }


async def _given(
    request: Request, upload: Upload
) -> tuple[dict[str, Any], dict[str, bytes | bytearray]]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        return await upload.json(), {}
    form = await upload.form(large={"image_file_b64"})
    return dict(form.fields), {name: file.data for name, file in form.files.items()}
