"""The OpenAPI document of the server, and a page that shows it without a script or another host."""

from __future__ import annotations

import html
from typing import Any

from nssbg import __version__
from nssbg._vocabulary import (
    COMPRESSIONS,
    EFFORTS,
    ENHANCE_ORDERS,
    FOREGROUND_METHODS,
    FORMATS,
    LICENSE_USES,
    MATTES,
    REFINE_LEVELS,
    SHADOWS,
    UPSCALES,
)
from nssbg.server.options import NAMES

__all__ = ["PAGE_HEADERS", "document", "page"]

#: The page may load nothing at all.
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Referrer-Policy": "no-referrer",
}

Schema = dict[str, Any]
_TEXT: Schema = {"type": "string"}
_FLAG: Schema = {"type": "boolean"}
_FILE: Schema = {"type": "string", "format": "binary"}
_NUMBER: Schema = {"type": "number"}
_WHOLE: Schema = {"type": "integer"}


def _word(words: tuple[str, ...], what: str = "") -> Schema:
    return {"type": "string", "enum": list(words), **({"description": what} if what else {})}


def _said(schema: Schema, what: str) -> Schema:
    return {**schema, "description": what}


_OPTIONS: dict[str, Schema] = {
    "model": _said(_TEXT, "a name of GET /v1/models; default: the server's"),
    "license": _word(LICENSE_USES, "commercial: refuse weights that do not allow it"),
    "effort": _word(EFFORTS, "how often a network may run on the picture"),
    "refine": _word(REFINE_LEVELS, "refinement of the alpha at full size"),
    "decontaminate": _word(FOREGROUND_METHODS, "estimate of true edge colours"),
    "strength": _said(_NUMBER, "share of the estimated edge colours, 0 to 1"),
    "matte": _word(MATTES, "colours under alpha 0"),
    "ignore_alpha": _said(_FLAG, "leave out the alpha that the picture came with"),
    "corrections": _said(
        {"type": "object"},
        "box [left, top, right, bottom], keep and drop [[x, y], ...] in pixels, size [width, "
        "height] they are meant for ([1, 1]: shares), mask (base64 of a painted picture)",
    ),
    "enhance": _word(
        ENHANCE_ORDERS,
        "enhance the photograph by a network before it is cut out (default where another option of "
        "these is given), or the cut-out after it; the result has no more pixels than pictures may",
    ),
    "upscale": {
        "type": "integer",
        "enum": list(UPSCALES),
        "description": "times the sides; default: what the network gives",
    },
    "denoise": _said(_NUMBER, "0 to 1; default: as the network does by itself"),
    "deblock": _said(
        {"type": ["number", "string"]}, "0 to 1, or auto: as the file's own compression asks for"
    ),
    "enhance_model": _said(
        _TEXT, "a name of GET /v1/models of task image; default: one that comes with nssbg"
    ),
    "mask": _said(_FLAG, "the alpha alone, as a grey picture"),
    "background": _said(
        {},
        "a colour (name, #rrggbb, [r, g, b]), a gradient "
        '{"colors": [...], "angle": 90, "radial": false}, or blur: the picture\'s own',
    ),
    "blur_radius": _said(
        _NUMBER,
        "of the largest circle of confusion, in pixels, above 0 to 400; default: 0.8 % of the "
        "diagonal",
    ),
    "blur_blades": _said(_WHOLE, "of the aperture, 3 to 16: polygons; 0 (default): discs"),
    "blur_rotation": _said(_NUMBER, "of a polygon, in degrees"),
    "blur_depth_model": _said(
        _TEXT,
        "a name of GET /v1/models of task depth, which the blur follows; default: a plane that the "
        "subject stands on",
    ),
    "trim": _said(_FLAG, "cut the empty border off"),
    "canvas": _said(_TEXT, "WIDTHxHEIGHT in pixels, the subject placed on it"),
    "fill": _said(_NUMBER, "share of the canvas that the subject takes, 0 to 1"),
    "align": _said(_TEXT, "on the canvas: center, bottom, top-left ..."),
    "padding": _said(_WHOLE, "margin around the result, in pixels"),
    "longest_side": _said(_WHOLE, "scale down to this length, in pixels"),
    "shadow": _word(SHADOWS, "a soft shadow under the subject"),
    "format": _word(FORMATS, "of the file; default: by Accept, else png"),
    "compression": _word(COMPRESSIONS, "time against bytes, for the same pixels"),
    "quality": _said(_WHOLE, "0 to 100, for lossy formats"),
    "subsampling": _word(("4:4:4", "4:2:2", "4:2:0"), "for JPEG and AVIF"),
    "progressive": _said(_FLAG, "JPEG that shows coarsely first"),
}
_URL = _said(_TEXT, "an address in place of the picture, where the server fetches its host")

_REMOVE_BG: dict[str, Schema] = {
    "image_file": _FILE,
    "image_file_b64": _TEXT,
    "image_url": _URL,
    "size": _word(
        ("preview", "small", "regular", "medium", "hd", "full", "4k", "50MP", "auto"),
        "0.25 megapixels (default), 1.5, 4, or those of the picture",
    ),
    "type": _said(_TEXT, "given back as X-Type; changes nothing else"),
    "type_level": _word(("none", "1", "2", "latest"), "none: no X-Type"),
    "format": _word(("auto", "png", "jpg", "webp", "zip")),
    "roi": _said(_TEXT, "x1 y1 x2 y2, all in px or all in %"),
    "crop": _FLAG,
    "crop_margin": _said(_TEXT, "one, two or four of 30px or 10%"),
    "scale": _said(_TEXT, "original, or 10% to 100%"),
    "position": _said(_TEXT, "original, center, or one or two of 0% to 100%"),
    "channels": _word(("rgba", "alpha")),
    "add_shadow": _FLAG,
    "shadow_type": _word(("none", "drop", "3D", "car", "auto")),
    "shadow_opacity": _said(_NUMBER, "0 to 100"),
    "semitransparency": _said(_FLAG, "changes nothing"),
    "bg_color": _said(_TEXT, "81d4fa, fff, ff00ff80, green"),
    "bg_image_file": _FILE,
    "bg_image_url": _URL,
}

_REMBG: dict[str, Schema] = {
    "model": _said(_TEXT, "one of rembg's names, or of GET /v1/models"),
    "a": _said(_FLAG, "alpha matting"),
    "af": _said(_WHOLE, "its foreground threshold (240)"),
    "ab": _said(_WHOLE, "its background threshold (10)"),
    "ae": _said(_WHOLE, "its erosion in pixels (10)"),
    "om": _said(_FLAG, "the mask alone"),
    "ppm": _said(_FLAG, "a binary mask with a smooth outline"),
    "dc": _said(_FLAG, "leave out the picture's own alpha; edge colours are always estimated"),
    "vm": _said(_FLAG, "not served"),
    "bgc": _said(_TEXT, "R,G,B,A behind the cut-out"),
    "extras": _said(_TEXT, '{"putalpha": true}'),
}


def _answers(*more: int, media: tuple[str, ...] = ()) -> dict[str, Any]:
    words = {
        400: "an option or field is not what it must be",
        401: "the token is missing or wrong",
        403: "not allowed: host, origin, licence or address",
        406: "nothing that Accept allows can be made",
        408: "the body came too slowly",
        413: "too many bytes or pixels",
        415: "not a form",
        422: "the picture cannot be read, or the model is not here",
        429: "too many requests wait; Retry-After says when to come back",
        503: "too many requests wait, or the time is over; Retry-After says when to come back",
    }
    found: dict[str, Any] = {
        "200": {
            "description": "the result",
            "content": {one: {"schema": _FILE if "json" not in one else {}} for one in media},
        }
    }
    found.update({str(status): {"description": words[status]} for status in more})
    return found


_IMAGES = tuple(f"image/{format}" for format in FORMATS)
_ERRORS = (400, 401, 403, 406, 408, 413, 415, 422, 503)


def _query(schemas: dict[str, Schema]) -> list[dict[str, Any]]:
    return [{"name": name, "in": "query", "schema": schema} for name, schema in schemas.items()]


def _form(schemas: dict[str, Schema]) -> dict[str, Any]:
    return {"schema": {"type": "object", "properties": schemas}}


def document() -> dict[str, Any]:
    """OpenAPI 3.1."""
    own = {name: _OPTIONS[name] for name in NAMES}
    files = {
        "image": _FILE,
        "background_image": _said(_FILE, "a picture to lay the cut-out over"),
        "corrections_mask": _said(_FILE, "painted: white keep, black drop, grey unknown"),
        "url": _URL,
    }
    base64 = {name: {**_TEXT, "contentEncoding": "base64"} for name in list(files)[:3]}
    raw = {"schema": _FILE}
    plain = {"200": {"description": "ok"}}
    remove = {
        "summary": "Cut out a picture",
        "description": "Options are fields of the form, the query, or names in the JSON. The "
        "result is what Accept asks for: an image, or application/json with the image as base64 "
        "and its report, which stands in X-Nssbg-Report in any case.",
        "parameters": _query({**own, "url": _URL}),
        "requestBody": {
            "content": {
                "multipart/form-data": _form({**files, **own}),
                "application/json": _form({**base64, "url": _URL, **own}),
                "image/*": raw,
                "application/octet-stream": raw,
            }
        },
        "responses": _answers(*_ERRORS, media=(*_IMAGES, "application/json")),
    }
    removebg_statuses = (400, 403, 408, 415, 429, 503)
    paths: dict[str, Any] = {
        "/v1/remove": {"post": remove},
        "/v1/models": {"get": {"summary": "Models that may be named", "responses": plain}},
        "/v1.0/removebg": {
            "post": {
                "summary": "Cut out a picture, as remove.bg's API",
                "requestBody": {
                    "content": {
                        "multipart/form-data": _form(_REMOVE_BG),
                        "application/x-www-form-urlencoded": _form(_REMOVE_BG),
                        "application/json": _form(_REMOVE_BG),
                    }
                },
                "responses": _answers(
                    *removebg_statuses,
                    media=("image/png", "image/jpeg", "image/webp", "application/zip",
                           "application/json"),
                ),
            }
        },
        "/v1.0/account": {"get": {"summary": "Credits, without end", "responses": plain}},
        "/api/remove": {
            "get": {
                "summary": "Cut out a picture at an address, as rembg's server",
                "parameters": _query({"url": _URL, **_REMBG}),
                "responses": _answers(*_ERRORS, media=("image/png",)),
            },
            "post": {
                "summary": "Cut out an uploaded picture, as rembg's server",
                "parameters": _query({name: _REMBG[name] for name in ("bgc", "extras")}),
                "requestBody": {
                    "content": {"multipart/form-data": _form({"file": _FILE, **_REMBG})}
                },
                "responses": _answers(*_ERRORS, media=("image/png",)),
            },
        },
        "/health": {"get": {"summary": "The process lives", "responses": plain}},
        "/ready": {"get": {"summary": "Requests are taken", "responses": {
            **plain, "503": {"description": "not yet, or no more"}}}},
        "/metrics": {"get": {"summary": "Numbers for Prometheus", "responses": plain}},
    }  # fmt: skip
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "nssbg",
            "version": __version__,
            "summary": "Takes the background out of pictures, on this machine",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "key": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
            }
        },
        "security": [{}, {"bearer": []}, {"key": []}],
    }


_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;"
    "color-scheme:light dark}code,pre{font-family:ui-monospace,monospace}pre{overflow:auto;"
    "padding:.75rem;border:1px solid #8886}table{border-collapse:collapse;width:100%}td,th{"
    "text-align:left;vertical-align:top;padding:.25rem .5rem;border-bottom:1px solid #8884}"
    "h2{margin-top:2.5rem}"
)


def page() -> str:
    """The document for people: HTML alone."""
    made = document()
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        f"<title>nssbg {html.escape(__version__)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>nssbg {html.escape(__version__)}</h1><p>{html.escape(made['info']['summary'])}. ",
        'For programs: <a href="/openapi.json">openapi.json</a>.</p><pre>',
        "curl -F image=@photo.jpg -o cutout.png http://HOST/v1/remove\n",
        "curl --data-binary @photo.jpg -H 'Accept: application/json' "
        "'http://HOST/v1/remove?background=white'</pre>",
    ]
    for path, methods in made["paths"].items():
        for method, told in methods.items():
            parts.append(f"<h2><code>{method.upper()} {html.escape(path)}</code></h2>")
            parts.append(f"<p>{html.escape(told['summary'])}. ")
            parts.append(html.escape(told.get("description", "")) + "</p>")
            parts.append(_table(told))
    return "".join([*parts, "</body></html>"])


def _table(told: dict[str, Any]) -> str:
    schemas = {one["name"]: one["schema"] for one in told.get("parameters", ())}
    for content in told.get("requestBody", {}).get("content", {}).values():
        for name, schema in content["schema"].get("properties", {}).items():
            schemas.setdefault(name, schema)
    if not schemas:
        return ""
    rows = [
        f"<tr><td><code>{html.escape(name)}</code></td><td>{_kind(schema)}</td>"
        f"<td>{html.escape(schema.get('description', ''))}</td></tr>"
        for name, schema in schemas.items()
    ]
    return f"<table><tr><th>name</th><th>value</th><th></th></tr>{''.join(rows)}</table>"


def _kind(schema: Schema) -> str:
    if "enum" in schema:
        return html.escape(", ".join(map(str, schema["enum"])))
    kind = schema.get("type", "")
    shown = kind if isinstance(kind, str) else ", ".join(kind)
    return "file" if schema.get("format") == "binary" else html.escape(shown)
