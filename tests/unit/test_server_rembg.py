"""rembg's API on a real port: its parameters, and the results of nssbg.compat.rembg."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from drawn_pictures import drawn_product
from model_graphs import mask_network
from PIL import Image

pytest.importorskip("uvicorn", reason="nssbg[serve] is not installed")

from http_server import multipart, remote_giving, serving

from nssbg.compat import rembg


@pytest.fixture(scope="module")
def picture():
    file = io.BytesIO()
    Image.fromarray(drawn_product(90, 120)[0]).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def server():
    with serving(engine={"model": "auto"}) as running:
        yield running


def asked(server, picture, fields=(), query=""):
    body, head = multipart(fields, {"file": ("p.png", picture)})
    return server.request("POST", f"/api/remove{query}", body, head)


def pixels(data):
    return np.asarray(Image.open(io.BytesIO(data)))


@pytest.mark.parametrize(
    ("fields", "query", "options"),
    [
        ({}, "", {}),
        ({"om": "true"}, "", {"only_mask": True}),
        ({}, "?bgc=255,0,0,128", {"bgcolor": (255, 0, 0, 128)}),
        ({"bgc": "1,2,3,255"}, "", {"bgcolor": (1, 2, 3, 255)}),
        ({"dc": "true"}, "", {"decontaminate": True}),
        ({"ppm": "true", "om": "1"}, "", {"post_process_mask": True, "only_mask": True}),
        (
            {"a": "true", "af": "230", "ab": "20", "ae": "5"},
            "",
            {
                "alpha_matting": True,
                "alpha_matting_foreground_threshold": 230,
                "alpha_matting_background_threshold": 20,
                "alpha_matting_erode_size": 5,
            },
        ),
        ({}, '?extras={"putalpha":true}', {"putalpha": True}),
    ],
)
def test_the_pixels_are_those_of_the_drop_in(server, picture, fields, query, options):
    status, headers, data = asked(server, picture, fields, query)
    assert (status, headers["content-type"]) == (200, "image/png")
    expected = rembg.remove(picture, session=rembg.new_session("auto"), **options)
    assert np.array_equal(pixels(data), pixels(expected))


@pytest.mark.parametrize(
    ("fields", "query", "status", "words"),
    [
        ({"model": "nope"}, "", 422, "/v1/models"),
        ({"model": "u2net_custom"}, "", 422, "not served"),
        ({"model": "sam"}, "", 422, "not served"),
        ({"model": "../../etc/passwd"}, "", 422, "/v1/models"),
        ({"model": "u2net"}, "", 422, "not on this server"),
        ({}, '?extras={"model_path":"/etc/passwd"}', 400, "'model_path' is not taken"),
        ({}, "?extras=7", 400, "JSON object"),
        ({}, "?bgc=1,2,3", 400, "R,G,B,A"),
        ({}, "?bgc=1,2,3,256", 400, "R,G,B,A"),
        ({"af": "300"}, "", 400, "0 to 255"),
        ({"ae": "many"}, "", 400, "number"),
        ({"vm": "true"}, "", 400, "vitmatte"),
    ],
)
def test_wrong_parameters_are_told(server, picture, fields, query, status, words):
    found, _, data = asked(server, picture, fields, query)
    assert found == status
    assert words.lower() in json.loads(data)["error"]["message"].lower()


def test_the_picture_is_asked_for(server, picture):
    body, head = multipart({"om": "true"})
    assert server.request("POST", "/api/remove", body, head)[0] == 400
    assert server.request("GET", "/api/remove")[0] == 400
    assert server.request("GET", "/api/remove?url=http://example.org/a.png")[0] == 403
    for fields in ({}, {"a": "true"}):
        assert asked(server, b"no picture", fields)[0] == 422


def test_addresses_are_fetched_where_their_host_is_allowed(picture, monkeypatch):
    monkeypatch.setattr("nssbg.server.app.RemoteImages", remote_giving(picture))
    with serving(fetched_hosts=("*.example.org",)) as running:
        path = "/api/remove?om=true&url=https://img.example.org/p.png"
        status, headers, data = running.request("GET", path)
        assert (status, headers["content-type"]) == (200, "image/png")
        assert Image.open(io.BytesIO(data)).mode == "L"
        assert np.array_equal(pixels(data), pixels(asked(running, picture, {"om": "1"})[2]))


def test_weights_that_rembg_stored_run_by_its_name(picture, tmp_path, monkeypatch):
    monkeypatch.setenv("U2NET_HOME", str(tmp_path))
    monkeypatch.setenv("MODEL_CHECKSUM_DISABLED", "1")
    mask_network(tmp_path / "u2netp.onnx")
    with serving() as running:
        expected = rembg.remove(picture, session=rembg.new_session("u2netp"))
        status, _, data = asked(running, picture, {"model": "u2netp"})
        assert status == 200
        assert np.array_equal(pixels(data), pixels(expected))
        monkeypatch.setenv("NSSBG_COMPAT", "exact")
        exact = rembg.remove(picture, session=rembg.new_session("u2netp"))
        status, _, data = asked(running, picture, {"model": "u2netp"})
        assert status == 200
        assert np.array_equal(pixels(data), pixels(exact))
        assert not np.array_equal(pixels(exact), pixels(expected))
