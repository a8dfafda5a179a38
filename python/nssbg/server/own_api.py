"""nssbg's own API: `POST /v1/remove` and `GET /v1/models`.

A picture comes as a form, as the body itself, or as base64 in JSON; options are fields of the form,
the query, or names in the JSON. The result is what Accept asks for: a file, or JSON with the file
and its account, which stands in headers in any case.
"""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from nssbg._cutout import Cutout, Report, report_record
from nssbg._errors import OptionError
from nssbg._http.errors import HttpError
from nssbg._http.replies import PiecewiseResponse
from nssbg._http.uploads import Upload
from nssbg._vocabulary import FORMATS, FileFormat
from nssbg.server.options import FILES, Made, Wanted, wanted
from nssbg.server.service import Service
from nssbg.server.values import from_base64

__all__ = ["MEDIA_TYPES", "OwnApi", "report_headers"]

MEDIA_TYPES: dict[FileFormat, str] = {format: f"image/{format}" for format in FORMATS}
_FORMATS = {media: format for format, media in MEDIA_TYPES.items()}
_JSON = "application/json"
# What the picture is called in a form and in JSON.
_IMAGE = "image"


@dataclass
class _Given:
    """What a request holds, whatever way it came."""

    image: bytes | bytearray | None = None
    options: dict[str, Any] = field(default_factory=dict)
    files: dict[str, bytes | bytearray] = field(default_factory=dict)


class OwnApi:
    """The handlers.

    Args:
        service: What they work with.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    async def models(self, request: Request) -> Response:
        """The models that a request may name."""
        return JSONResponse({"models": await asyncio.to_thread(self._service.models.listed)})

    async def remove(self, request: Request) -> Response:
        """Cut out one picture."""
        service = self._service
        service.engine.check_room()
        async with service.uploads.of(request) as upload:
            given = await _given(request, upload)
            url = given.options.pop("url", None)
            if (given.image is None) == (url is None):
                raise OptionError(
                    f"send one picture: the file {_IMAGE!r} of a form, the body itself, {_IMAGE!r} "
                    "as base64 in JSON, or a url where the server fetches some"
                )
            most = service.engine.settings.max_pixels
            asked = wanted(given.options, given.files, most, service.depth)
            format, as_json = _format(request.headers.get("accept", ""), asked)
            model = await service.models.checked(asked.model, asked.license)
            upscale = 1
            if asked.enhance is not None:
                upscale = await service.upscale(asked.enhance, asked.license)
            if asked.depth_model is not None:
                await service.models.checked_network(asked.depth_model, "depth", asked.license)
            image = given.image
            if image is None:
                image = await service.fetched(str(url))
            service.engine.check_pixels(image, upscale=upscale)

            def deliver(cutout: Cutout) -> tuple[Made, Report]:
                return asked.deliver(cutout, format), cutout.report

            made = await service.cut_out(
                request, image, deliver, name=_IMAGE, model=model, options=asked.options
            )
            return _answer(made, as_json)


async def _given(request: Request, upload: Upload) -> _Given:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    given = _Given()
    for name, value in request.query_params.multi_items():
        _put(given.options, name, value)
    if kind in ("multipart/form-data", "application/x-www-form-urlencoded"):
        form = await upload.form(large={_IMAGE, *FILES, "corrections"})
        for name, file in form.files.items():
            if name == _IMAGE:
                given.image = file.data
            elif name in FILES:
                given.files[name] = file.data
            else:
                raise OptionError(
                    f"there is no file {name!r}; expected {_IMAGE}, {', '.join(FILES)}"
                )
        fields: dict[str, Any] = dict(form.fields)
    elif kind == _JSON:
        fields = await upload.json()
    else:
        given.image = await upload.data() or None
        return given
    for name in (_IMAGE, *FILES):
        if fields.get(name) in (None, ""):
            fields.pop(name, None)
            continue
        text = fields.pop(name)
        if not isinstance(text, str):
            raise OptionError(f"{name} must be base64 of a picture's file")
        data = from_base64(text, name)
        if name == _IMAGE:
            if given.image is not None:
                raise OptionError(f"give {_IMAGE} once")
            given.image = data
        else:
            _put(given.files, name, data)
    for name, value in fields.items():
        _put(given.options, name, value)
    return given


def _put(where: dict[str, Any], name: str, value: Any) -> None:
    if name in where:
        raise OptionError(f"give {name} once")
    where[name] = value


def _format(accept: str, asked: Wanted) -> tuple[FileFormat, bool]:
    """The file's format, and whether it comes in JSON.

    Raises:
        HttpError: 406: nothing that is acceptable can be made.
        OptionError: JPEG, and nothing to lay the cut-out over.
    """
    media = _accepted(accept)
    as_json = next((one == _JSON for one in media if one in (_JSON, *_FORMATS, "*")), False)
    formats = [_FORMATS[one] for one in media if one in _FORMATS]
    if asked.format is not None:
        format = asked.format
        if media and not as_json and "*" not in media and format not in formats:
            raise HttpError(
                406, "accept", f"format={format} was asked for, and Accept allows only {accept}"
            )
    elif as_json or not media or (media[0] == "*"):
        format = "png"
    elif formats:
        format = formats[0]
    elif "*" in media:
        format = "png"
    else:
        raise HttpError(
            406, "accept", f"Accept is {accept}; expected {', '.join([*_FORMATS, _JSON])}"
        )
    if format == "jpeg" and not asked.mask and not asked.has_background:
        raise OptionError("JPEG holds no transparency: give a background, or take another format")
    return format, as_json


def _accepted(accept: str) -> list[str]:
    """Media types of an Accept header, the best first; "*" for any image."""
    found: list[tuple[float, str]] = []
    for part in accept.split(","):
        media, *parameters = (text.strip().lower() for text in part.split(";"))
        if not media:
            continue
        quality = 1.0
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name.strip() == "q":
                try:
                    quality = float(value)
                except ValueError:
                    quality = 0.0
        if quality > 0:
            found.append((-quality, "*" if media in ("*/*", "image/*") else media))
    found.sort(key=lambda one: one[0])  # stable: equal ones as they came
    return [media for _, media in found]


def report_headers(report: Report) -> dict[str, str]:
    """The account of a result as headers."""
    told = {
        "X-Nssbg-Model": report.plan.model,
        "X-Nssbg-Device": report.plan.device,
        "X-Nssbg-Report": json.dumps(report_record(report), separators=(",", ":")),
        "Server-Timing": ", ".join(
            f"{stage.replace(' ', '-')};dur={milliseconds:.1f}"
            for stage, milliseconds in report.timings.stages.items()
        ),
    }
    if report.confidence is not None:
        told["X-Nssbg-Confidence"] = f"{report.confidence:.4f}"
        told["X-Nssbg-Low-Confidence"] = "true" if report.low_confidence else "false"
    return told


def _answer(made: Made, as_json: bool) -> Response:
    media = MEDIA_TYPES[made.format]
    headers = report_headers(made.report)
    if not as_json:
        return PiecewiseResponse(made.data, media_type=media, headers=headers)
    content = {
        "image": base64.b64encode(made.data).decode(),
        "media_type": media,
        "report": report_record(made.report),
    }
    return PiecewiseResponse(json.dumps(content).encode(), media_type=_JSON, headers=headers)
