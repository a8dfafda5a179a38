"""Whatever a request says, it is read or refused with one error; nothing else comes of it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("starlette", reason="nssbg[serve] is not installed")

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser

from nssbg import NssbgError
from nssbg._http.errors import HttpError, http_error
from nssbg._http.uploads import UploadLimits, _FormReader
from nssbg.server import openapi, own_api, rembg_api, removebg_fields
from nssbg.server.models import ModelNames
from nssbg.server.options import FILES, NAMES, OPERATORS, wanted
from nssbg.server.remote_images import RemoteImages
from nssbg.server.values import from_base64

REFUSED = (NssbgError, HttpError)
words = st.sampled_from(
    ["true", "0", "1e999", "-1", "nan", "50%", "10px 5%", "100x100", "#fff", "green", "off",
     "1 2 3 4", "255,255,255,255", "/etc/passwd", "best", "original", "center", "99999999999999999"]
)  # fmt: skip
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["box", "keep", "drop", "size", "mask", "colors", "angle", "radial"])
        | st.text(max_size=5),
        inner, max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


def no_depth(model, frame):
    """The depth of a picture by a network, where none is here."""
    raise HttpError(422, "blur_depth_model", f"no network {model!r} here")


def refused_or_read(read, *arguments):
    found = None
    try:
        return read(*arguments)
    except REFUSED as error:
        found = http_error(error)
    assert 400 <= found.status < 500
    assert "\n" not in found.message
    assert len(found.message) < 500
    return None


@given(st.dictionaries(st.sampled_from([*NAMES, *OPERATORS]) | st.text(max_size=8), values,
                       max_size=5),
       st.dictionaries(st.sampled_from(FILES), st.binary(max_size=20), max_size=2))  # fmt: skip
def test_options_of_the_own_api(given_options, files):
    found = refused_or_read(wanted, given_options, files, 1000, no_depth)
    if found is not None:
        refused_or_read(own_api._format, "image/jpeg", found)


INFINITE, HUGE = float("inf"), 10**400
EXTREMES = [
    INFINITE, float("nan"), HUGE, -HUGE, [INFINITE] * 3, [HUGE] * 3, [None] * 3, [[1]] * 3, {},
    {"colors": [[INFINITE] * 3, "#fff"]}, {"colors": ["#fff", "#000"], "angle": HUGE},
    {"box": [INFINITE] * 4}, {"box": "abcd"}, {"box": [1, 2, 3, HUGE]}, {"keep": [[HUGE, 1]]},
    {"keep": {"a": 1}}, {"keep": [[1, 2]] * 5000}, {"mask": 7}, {"mask": "AAAA"}, {"size": [1, 1]},
    "9" * 5000, "1e400", "{" * 3000, '{"colors":' * 2000, "\ud800", "100x" + "9" * 5000,
    "²x²", "0x0", "hsl(1,1%,1%)", "#" + "f" * 500, "a" * 100_000, True,
]  # fmt: skip


@pytest.mark.parametrize("value", EXTREMES, ids=lambda value: repr(value)[:30])
def test_every_option_takes_the_extremes(value):
    for name in NAMES:
        for more in ({}, {"canvas": "10x10"}):
            refused_or_read(wanted, {**more, name: value}, {}, 10**6, no_depth)
    for name in removebg_fields.NAMES:
        files = {} if name in removebg_fields.SOURCES else {"image_file": b"x"}
        refused_or_read(removebg_fields.fields_from, {name: value}, files)
    for name in rembg_api.PARAMETERS:
        refused_or_read(rembg_api._asked, {name: value})


@given(st.dictionaries(st.sampled_from(removebg_fields.NAMES), values | st.text(max_size=20),
                       max_size=6),
       st.dictionaries(st.sampled_from(["image_file", "bg_image_file", "x"]),
                       st.binary(max_size=5), max_size=2))  # fmt: skip
def test_fields_of_remove_bg(given_fields, files):
    refused_or_read(removebg_fields.fields_from, given_fields, files)


@given(st.dictionaries(st.sampled_from(rembg_api.PARAMETERS), values | words, max_size=5))
def test_parameters_of_rembg(parameters):
    refused_or_read(rembg_api._asked, parameters)


@given(st.text(max_size=60) | st.sampled_from(["u2net", "rembg:u2net", "..", "a.xml", "~", "CON"]))
def test_names_of_models_are_never_paths(name):
    names = ModelNames("auto", None)
    found = refused_or_read(names._checked, name, None)
    assert found in (None, "auto", "studio", "nssbg-lite")
    refused_or_read(names._checked_rembg, name)


@given(st.text(max_size=60) | st.builds("http://{}".format, st.text(max_size=30)))
def test_addresses(url):
    remote = RemoteImages(frozenset({"example.org"}))
    place = refused_or_read(remote._allowed, url)
    assert place is None or (place.hostname or "").rstrip(".") == "example.org"


@given(st.text(max_size=80) | st.sampled_from(["image/png;q=", "*/*;q=nan", ";;;,,,", "a;q=1e999"]))
def test_accept_headers(accept):
    assert all(isinstance(media, str) for media in own_api._accepted(accept))


@given(st.text(max_size=40))
def test_base64(text):
    assert isinstance(refused_or_read(from_base64, text, "image") or b"", bytes)


lines = st.sampled_from(
    [b"--b\r\n", b"--b--\r\n", b"\r\n", b'Content-Disposition: form-data; name="a"\r\n',
     b'Content-Disposition: form-data; name="i"; filename="\xff"\r\n', b"X: y\r\n", b"--b",
     b"Content-Disposition: form-data; filename*=utf-8''%ff; name=\r\n", b"\r", b"\n", b"--"]
)  # fmt: skip


@given(st.lists(lines | st.binary(max_size=30), max_size=12), st.integers(1, 7))
def test_forms(pieces, step):
    reader = _FormReader(UploadLimits(max_field=50, max_parts=4), frozenset())
    body = b"".join(pieces)
    try:
        parser = MultipartParser(b"b", reader.callbacks())
        for start in range(0, len(body), step):
            parser.write(body[start : start + step])
        form = reader.form()
    except (FormParserError, HttpError):
        return
    assert all(isinstance(value, str) for value in form.fields.values())


def test_the_document_is_json_and_names_every_option():
    made = json.loads(json.dumps(openapi.document()))
    schemas = made["paths"]["/v1.0/removebg"]["post"]["requestBody"]["content"]
    assert set(removebg_fields.NAMES) == set(schemas["multipart/form-data"]["schema"]["properties"])
    names = {one["name"] for one in made["paths"]["/api/remove"]["get"]["parameters"]}
    assert names == {"url", *rembg_api.PARAMETERS}
