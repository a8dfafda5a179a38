"""`nssbg serve`'s own API on a real port: every way in, every option, results by Accept."""

from __future__ import annotations

import base64
import io
import json
import logging
import time

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("uvicorn", reason="nssbg[serve] is not installed")

from http_server import multipart, serving

import nssbg
from nssbg import OptionError
from nssbg._delivery import RemoveOptionsDict
from nssbg.server.app import ServerSettings, application
from nssbg.server.openapi import document
from nssbg.server.options import NAMES, OPERATORS


def jpeg(image):
    file = io.BytesIO()
    image.save(file, "JPEG", quality=95)
    return file.getvalue()


@pytest.fixture(scope="module")
def picture():
    """A red block on light grey, as a JPEG."""
    image = Image.new("RGB", (120, 90), (235, 235, 235))
    image.paste((180, 20, 30), (40, 30, 80, 70))
    return jpeg(image)


@pytest.fixture(scope="module")
def server():
    with serving() as running:
        yield running


def opened(data):
    return Image.open(io.BytesIO(data))


def asked(server, picture, fields=(), files=(), **headers):
    body, head = multipart(fields, {"image": ("secret-name.jpg", picture), **dict(files)})
    return server.request("POST", "/v1/remove", body, {**head, **headers})


def test_the_pixels_are_those_of_remove(server, picture):
    status, headers, data = asked(server, picture)
    assert status == 200
    assert headers["content-type"] == "image/png"
    expected = nssbg.remove(picture, model="studio", threads=1)
    assert np.array_equal(np.asarray(opened(data)), np.asarray(opened(expected)))


def test_form_body_and_json_give_the_same_bytes(server, picture):
    form = asked(server, picture, {"background": "white"})[2]
    raw = server.request(
        "POST", "/v1/remove?background=white", picture, {"Content-Type": "image/jpeg"}
    )[2]
    text = base64.b64encode(picture).decode()
    for image in (text, "data:image/jpeg;base64," + text):
        body = json.dumps({"image": image, "background": [255, 255, 255]})
        status, _, data = server.request(
            "POST", "/v1/remove", body, {"Content-Type": "application/json"}
        )
        assert (status, data) == (200, form)
    assert raw == form
    assert opened(form).mode == "RGB"


def test_the_report_stands_in_headers_and_in_json(server, picture):
    status, headers, data = asked(server, picture, Accept="application/json")
    told = json.loads(data)
    assert (status, headers["content-type"]) == (200, "application/json")
    assert told["media_type"] == "image/png"
    assert opened(base64.b64decode(told["image"])).size == (120, 90)
    assert told["report"] == json.loads(headers["x-nssbg-report"])
    report = told["report"]
    assert (report["model"], report["width"], report["height"]) == ("studio", 120, 90)
    assert headers["x-nssbg-model"] == "studio"
    assert float(headers["x-nssbg-confidence"]) == report["confidence"]
    assert headers["x-nssbg-low-confidence"] in ("true", "false")
    assert "decode;dur=" in headers["server-timing"]


@pytest.mark.parametrize(
    ("accept", "fields", "format"),
    [
        ("*/*", {}, "PNG"),
        ("image/*", {}, "PNG"),
        ("image/webp", {}, "WEBP"),
        ("image/png;q=0.5, image/webp", {}, "WEBP"),
        ("text/html, image/webp;q=0.9, */*;q=0.8", {}, "WEBP"),
        ("image/tiff", {}, "TIFF"),
        ("image/jpeg", {"background": "white"}, "JPEG"),
        ("image/jpeg", {"mask": "true"}, "JPEG"),
        ("*/*", {"format": "webp"}, "WEBP"),
    ],
)
def test_the_format_is_what_accept_or_the_option_says(server, picture, accept, fields, format):
    status, headers, data = asked(server, picture, fields, Accept=accept)
    assert status == 200
    assert opened(data).format == format
    assert headers["content-type"] == f"image/{format.lower()}"


@pytest.mark.parametrize(
    ("accept", "fields", "status"),
    [
        ("text/html", {}, 406),
        ("image/gif, image/png;q=0", {}, 406),
        ("image/png", {"format": "webp"}, 406),
        ("image/jpeg", {}, 400),
        ("*/*", {"format": "jpeg"}, 400),
    ],
)
def test_what_cannot_be_made_is_refused_before_the_work(server, picture, accept, fields, status):
    assert asked(server, picture, fields, Accept=accept)[0] == status


def test_every_option_of_remove_is_here_or_the_operators():
    ours = set(NAMES) | set(OPERATORS)
    assert ours >= RemoveOptionsDict.__optional_keys__
    properties = document()["paths"]["/v1/remove"]["post"]["requestBody"]["content"]
    assert set(NAMES) < set(properties["multipart/form-data"]["schema"]["properties"])


def test_options_change_the_result(server, picture):
    plain = np.asarray(opened(asked(server, picture)[2]))
    mask = opened(asked(server, picture, {"mask": "1"})[2])
    assert mask.mode == "L"
    assert np.array_equal(np.asarray(mask), plain[..., 3])
    canvas = {"canvas": "200x100", "fill": "0.5", "align": "bottom", "background": "#00ff00"}
    board = np.asarray(opened(asked(server, picture, canvas)[2]))
    assert board.shape == (100, 200, 3)
    assert board[0, 0].tolist() == [0, 255, 0]
    trimmed = opened(asked(server, picture, {"trim": "yes", "padding": "5"})[2])
    assert abs(trimmed.width - 50) <= 6  # and the soft band of a small picture
    assert opened(asked(server, picture, {"longest_side": "60"})[2]).size == (60, 45)
    shadow = np.asarray(opened(asked(server, picture, {"shadow": "drop"})[2]))
    assert (shadow[..., 3] > 0).sum() > (plain[..., 3] > 0).sum()
    gradient = '{"colors": ["#000", "#fff"], "angle": 0}'
    across = np.asarray(opened(asked(server, picture, {"background": gradient})[2]))
    assert (across[0, 0, 0], across[0, -1, 0]) == (0, 255)
    extended = np.asarray(opened(asked(server, picture, {"matte": "extend"})[2]))
    assert extended[0, 0, 0] > 100
    small = asked(server, picture, {"format": "jpeg", "background": "white", "quality": "5"})[2]
    large = asked(server, picture, {"format": "jpeg", "background": "white", "quality": "95"})[2]
    assert len(small) < len(large)


def test_a_background_picture_and_corrections_may_be_uploaded(server, picture):
    blue = io.BytesIO()
    Image.new("RGB", (30, 30), (10, 20, 200)).save(blue, "PNG")
    data = asked(server, picture, files={"background_image": ("b.png", blue.getvalue())})[2]
    assert np.asarray(opened(data))[0, 0].tolist() == [10, 20, 200]
    box = {"corrections": '{"box": [0, 0, 60, 90]}'}
    alpha = np.asarray(opened(asked(server, picture, box)[2]))[..., 3]
    assert alpha[:, 61:].max() == 0
    assert alpha[40:60, 45:55].min() == 255
    half = {"corrections": '{"box": [0, 0, 0.5, 1], "size": [1, 1]}'}
    shares = np.asarray(opened(asked(server, picture, half)[2]))[..., 3]
    assert np.array_equal(shares, alpha)
    painted = np.full((90, 120), 128, np.uint8)
    painted[:, 60:] = 0
    paint = io.BytesIO()
    Image.fromarray(painted).save(paint, "PNG")
    dropped = asked(server, picture, files={"corrections_mask": ("m.png", paint.getvalue())})
    assert dropped[0] == 200
    assert np.asarray(opened(dropped[2]))[:, 62:, 3].max() == 0


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"efort": "fast"}, 400, "did you mean 'effort'"),
        ({"effort": "slow"}, 400, "effort must be one of"),
        ({"strength": "2"}, 400, "strength must be between 0 and 1"),
        ({"strength": "nan"}, 400, "strength must be a number"),
        ({"mask": "maybe"}, 400, "true or false"),
        ({"mask": "1", "background": "white"}, 400, "leave out the background"),
        ({"background": "/etc/passwd"}, 400, "unknown colour"),
        ({"background": "../x.png"}, 400, "unknown colour"),
        ({"background": '{"colors": ["#fff"]}'}, 400, "gradient"),
        ({"canvas": "60000x60000"}, 400, "50000000 pixels"),
        ({"canvas": "x"}, 400, "WIDTHxHEIGHT"),
        ({"fill": "0.5"}, 400, "canvas"),
        ({"padding": "9000"}, 400, "more than the 50000000"),
        ({"padding": "-1"}, 400, "0 pixels or more"),
        ({"corrections": "[]"}, 400, "JSON object"),
        ({"corrections": '{"boxes": []}'}, 400, "'boxes'"),
        ({"corrections": '{"box": [900, 0, 999, 9]}'}, 400, "outside"),
        ({"device": "cuda"}, 400, "server's own"),
        ({"threads": "64"}, 400, "server's own"),
        ({"max_pixels": "9"}, 400, "server's own"),
        ({"output": "/tmp/x"}, 400, "server's own"),
        ({"model": "nope"}, 422, "/v1/models"),
        ({"model": "/etc/passwd"}, 422, "/v1/models"),
        ({"model": "evil.onnx"}, 422, "/v1/models"),
        ({"model": ".."}, 422, "/v1/models"),
        ({"model": "u2net"}, 422, "not on this server"),
        ({"url": "http://127.0.0.1/"}, 400, "one picture"),
        ({"quality": "101"}, 400, "quality"),
        ({"quality": "50"}, 400, "lossless"),
    ],
)
def test_wrong_options_are_told(server, picture, fields, status, words):
    found, _, data = asked(server, picture, fields)
    assert found == status
    assert words in json.loads(data)["error"]["message"]


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"", "image/png", 400),
        (b"<html>", "image/png", 422),
        (b"\xff\xd8\xff" + bytes(100), "image/jpeg", 422),
        (b"{", "application/json", 400),
        (b"[1]", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b'{"image": "!!"}', "application/json", 400),
        (b'{"image": 7}', "application/json", 400),
        (b'{"image": "", "url": "http://example.org/"}', "application/json", 403),
    ],
)
def test_broken_bodies_are_told(server, body, kind, status):
    found, error = server.error("POST", "/v1/remove", body, {"Content-Type": kind})
    assert found == status
    assert len(error["message"]) < 400


def test_a_model_may_be_named_and_its_license_asked_for(server, picture):
    listed = json.loads(server.request("GET", "/v1/models")[2])["models"]
    assert {"auto", "studio", "nssbg-lite"} <= {model["name"] for model in listed}
    _, headers, _ = asked(server, picture, {"model": "nssbg-lite", "license": "commercial"})
    assert headers["x-nssbg-model"] == "nssbg-lite"
    # Two are held; a third takes the place of the one that rests.
    assert asked(server, picture, {"model": "auto"})[0] == 200
    assert asked(server, picture)[1]["x-nssbg-model"] == "studio"
    assert asked(server, picture, {"license": "neither"})[0] == 400


def test_probes_metrics_and_documentation(server, picture):
    asked(server, picture)
    asked(server, b"broken")
    assert json.loads(server.request("GET", "/health")[2])["status"] == "ok"
    assert json.loads(server.request("GET", "/ready")[2])["status"] == "ready"
    text = server.request("GET", "/metrics")[2].decode()
    for line in text.splitlines():
        assert line.startswith("# ") or len(line.rsplit(" ", 1)) == 2
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert float(values['nssbg_http_requests_total{route="/v1/remove",status="200"}']) >= 1
    assert float(values['nssbg_http_errors_total{kind="decode"}']) >= 1
    assert float(values['nssbg_images_total{model="studio"}']) >= 1
    assert float(values["nssbg_workers"]) == 2
    assert float(values["nssbg_waiting"]) == 0
    told = json.loads(server.request("GET", "/openapi.json")[2])
    assert told["openapi"] == "3.1.0"
    status, headers, page = server.request("GET", "/")
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "default-src 'none'" in headers["content-security-policy"]
    assert b"<script" not in page
    assert b"src=" not in page
    for path in told["paths"]:
        assert path.encode() in page


def test_the_log_names_no_picture(server, picture, caplog):
    caplog.set_level(logging.INFO)
    # By their ids: the line of an earlier test's request may still be to come.
    asked(server, picture, **{"X-Request-Id": "of-this-test-1"})
    server.request("GET", "/secret-name.jpg?secret-name", None, {"X-Request-Id": "of-this-test-2"})
    until = time.monotonic() + 10
    lines = []
    while len(lines) < 2:  # a line comes once its answer has gone out
        assert time.monotonic() < until
        lines = [getattr(record, "record", None) for record in list(caplog.records)]
        lines = [line for line in lines if line and line["request_id"].startswith("of-this-test")]
    assert [line["route"] for line in lines] == ["/v1/remove", "-"]
    assert lines[0]["model"] == "studio"
    assert lines[0]["pixels"] == 120 * 90
    assert "secret-name" not in caplog.text + repr(lines)


def test_json_lines(capsys):
    from nssbg.server.logs import JsonFormatter

    record = logging.LogRecord("nssbg", logging.WARNING, "", 0, "two\nlines", (), None)
    line = JsonFormatter().format(record)
    assert "\n" not in line
    assert json.loads(line)["message"] == "two\nlines"


def test_a_token_opens_everything_but_the_probes(picture):
    with serving(token="s3cret") as running:
        assert asked(running, picture)[0] == 401
        assert running.request("GET", "/metrics")[0] == 401
        for path in ("/health", "/ready", "/openapi.json", "/"):
            assert running.request("GET", path)[0] == 200
        assert asked(running, picture, Authorization="Bearer s3cret")[0] == 200


def test_cors_is_off_and_can_be_allowed(server, picture):
    origin = {"Origin": "https://shop.example"}
    preflight = {**origin, "Access-Control-Request-Method": "POST"}
    assert "access-control-allow-origin" not in server.request("GET", "/health")[1]
    assert server.request("OPTIONS", "/v1/remove", headers=preflight)[0] == 403
    with serving(origins=("https://shop.example",), token="t") as running:
        status, headers, _ = running.request("OPTIONS", "/v1/remove", headers=preflight)
        assert status == 200
        assert headers["access-control-allow-origin"] == "https://shop.example"
        status, headers, _ = asked(running, picture, **origin, **{"X-Api-Key": "t"})
        assert status == 200
        assert headers["access-control-allow-origin"] == "https://shop.example"
        assert asked(running, picture, Origin="https://evil.example")[0] == 403


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"listener": {"host": "0.0.0.0"}}, "NSSBG_TOKEN"),
        ({"listener": {"host": "192.168.1.7"}}, "NSSBG_TOKEN"),
        ({"listener": {"host": "::"}}, "NSSBG_TOKEN"),
        ({"token": "two words"}, "visible ASCII"),
        ({"token": "schlüssel"}, "visible ASCII"),
        ({"origins": ("shop.example",)}, "--allow-origin"),
        ({"fetched_hosts": ("http://example.org",)}, "--allow-url"),
        ({"fetched_hosts": ("*",)}, "--allow-url"),
        ({"fetched_hosts": ("10.0.0.1/8",)}, "--allow-url"),
        ({"fetched_hosts": ("localhost",)}, "--allow-url"),
    ],
)
def test_settings_that_let_everybody_in_are_refused(settings, words):
    from nssbg._http.listener import ListenerSettings

    if "listener" in settings:
        settings = {"listener": ListenerSettings(**settings["listener"])}
    with pytest.raises(OptionError, match=words):
        application(ServerSettings(**settings))


def test_another_address_is_listened_on_with_a_token_or_when_said():
    from nssbg._http.listener import ListenerSettings
    from nssbg.server.app import checked

    everywhere = ListenerSettings(host="0.0.0.0")
    assert checked(ServerSettings(listener=everywhere, token="t")).token == "t"
    assert checked(ServerSettings(listener=everywhere, insecure=True)).hosts == frozenset()
    named = ServerSettings(listener=everywhere, token="t", hosts=("cut.example",))
    assert "cut.example" in checked(named).hosts


def test_ready_comes_with_the_model():
    from http_server import served

    from nssbg._http.engine import EngineSettings

    app, engine = application(ServerSettings(engine=EngineSettings(model="studio", threads=1)))
    with served(app, engine) as running:
        status, error = running.error("GET", "/ready")
        assert (status, error["kind"]) == (503, "busy")
        assert running.request("GET", "/health")[0] == 200
        engine.open()
        assert running.request("GET", "/ready")[0] == 200
