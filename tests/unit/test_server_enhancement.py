"""`nssbg serve`'s own API: enhancement in bounds, and the picture's own background out of focus."""

import io
import json

import numpy as np
import pytest
from image_graphs import sidecar_depth_network, sidecar_network
from PIL import Image

pytest.importorskip("uvicorn", reason="nssbg[serve] is not installed")

from http_server import multipart, serving

import nssbg
from nssbg import Blur, Enhancement
from nssbg._enhance import depth
from nssbg._models.paths import catalog_folder
from nssbg.server.openapi import document, page

CPU = {"model": "studio", "device": "cpu", "backend": "onnxruntime", "threads": 1}
WIDTH, HEIGHT = 120, 90


@pytest.fixture(scope="module")
def picture():
    """A red block on light grey, as a JPEG."""
    image = Image.new("RGB", (WIDTH, HEIGHT), (235, 235, 235))
    image.paste((180, 20, 30), (40, 30, 80, 70))
    image.paste((30, 30, 200), (0, 0, 20, 10))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=95)
    return file.getvalue()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """One whose operator has an enhancing and a depth network; pictures of 20,000 pixels."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NSSBG_HOME", str(tmp_path_factory.mktemp("home")))
        folder = catalog_folder()
        folder.mkdir(parents=True)
        sidecar_network(folder, gain=0.02)
        sidecar_network(folder, "free", commercial=None)
        sidecar_depth_network(folder, commercial=True)
        with serving(engine={**CPU, "max_pixels": 50_000}) as running:
            yield running


def asked(server, picture, fields=(), files=()):
    body, head = multipart(fields, {"image": ("secret-name.jpg", picture), **dict(files)})
    return server.request("POST", "/v1/remove", body, head)


def pixels(data):
    return np.asarray(Image.open(io.BytesIO(data)))


@pytest.mark.parametrize("order", ["before", "after"])
def test_the_result_is_that_of_remove(server, picture, order):
    fields = {"enhance": order, "upscale": "2", "enhance_model": "x2"}
    status, headers, data = asked(server, picture, fields)
    assert status == 200, data
    enhance = Enhancement(upscale=2, model="x2", order=order)
    with nssbg.Remover(**CPU) as remover:
        expected = remover.cutout(picture, enhance=enhance)
    assert np.array_equal(pixels(data), expected.rgba)
    report = json.loads(headers["x-nssbg-report"])
    assert report["enhancement"]["model"] == "x2"
    assert (report["width"], report["height"]) == (2 * WIDTH, 2 * HEIGHT)
    assert "enhance;dur=" in headers["server-timing"]


def test_json_says_it_too_and_one_option_is_enough(server, picture):
    import base64

    body = {"image": base64.b64encode(picture).decode(), "enhance_model": "x2", "upscale": 1}
    status, headers, data = server.request(
        "POST", "/v1/remove", json.dumps(body), {"Content-Type": "application/json"}
    )
    assert status == 200
    assert pixels(data).shape == (HEIGHT, WIDTH, 4)
    assert json.loads(headers["x-nssbg-report"])["enhancement"] is not None
    _, headers, _ = asked(server, picture)
    assert json.loads(headers["x-nssbg-report"])["enhancement"] is None


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"upscale": "5", "enhance_model": "x2"}, 400, "upscale must be one of"),
        ({"upscale": "2.5", "enhance_model": "x2"}, 400, "whole number"),
        ({"upscale": "3", "enhance_model": "x2"}, 400, "upscale can be 1, 2, not 3"),
        ({"denoise": "2", "enhance_model": "x2"}, 400, "denoise must be 0.0 to 1.0"),
        ({"denoise": "0.5", "enhance_model": "x2"}, 400, "cannot be told"),
        ({"deblock": "much", "enhance_model": "x2"}, 400, "deblock must be a number"),
        ({"enhance": "during"}, 400, "enhance must be one of before, after"),
        ({"enhance_model": "nssbg-lite"}, 422, "of task matte; here one of task image"),
        ({"enhance_model": "deep"}, 422, "of task depth; here one of task image"),
        ({"enhance_model": "nope"}, 422, "/v1/models"),
        ({"enhance_model": "/etc/passwd"}, 422, "/v1/models"),
        ({"enhance_model": "../x2.onnx"}, 422, "/v1/models"),
        ({"enhance_model": "swinir-light-x2"}, 422, "not on this server"),
        ({"enhance_model": "studio"}, 422, "/v1/models"),
        ({"enhance_model": "free", "license": "commercial"}, 403, "not settled"),
        ({"model": "x2"}, 422, "of task image; here one of task matte"),
        ({"background": "blur", "blur_radius": "0"}, 400, "radius must be above 0"),
        ({"background": "blur", "blur_radius": "401"}, 400, "radius must be above 0 to 400"),
        ({"background": "blur", "blur_blades": "2"}, 400, "blades must be 0"),
        ({"background": "blur", "trim": "1"}, 400, "keeps the photograph's frame"),
        ({"background": "blur", "canvas": "10x10"}, 400, "keeps the photograph's frame"),
        ({"background": "blur", "mask": "1"}, 400, "leave out the background"),
        ({"background": "blur", "blur_depth_model": "x2"}, 422, "here one of task depth"),
        ({"background": "white", "blur_radius": "9"}, 400, "blur_radius is for background=blur"),
        ({"blur_depth_model": "deep"}, 400, "blur_depth_model is for background=blur"),
    ],
)
def test_wrong_options_are_told(server, picture, fields, status, words):
    found, _, data = asked(server, picture, fields)
    assert found == status, data
    assert words in json.loads(data)["error"]["message"]
    assert str(catalog_folder()) not in data.decode()


def test_results_are_bounded_as_pictures_are(server, picture):
    large = io.BytesIO()
    Image.new("RGB", (200, 100), (235, 235, 235)).save(large, "JPEG")
    assert asked(server, large.getvalue())[0] == 200
    status, _, data = asked(server, large.getvalue(), {"enhance_model": "x2"})
    assert status == 413
    message = json.loads(data)["error"]["message"]
    assert "200 x 100 pixels, which times 2 a side are more than the 50000" in message
    assert asked(server, large.getvalue(), {"enhance_model": "x2", "upscale": "1"})[0] == 200


def test_a_model_has_its_task_in_the_list(server):
    listed = json.loads(server.request("GET", "/v1/models")[2])["models"]
    tasks = {model["name"]: model["task"] for model in listed}
    assert (tasks["studio"], tasks["nssbg-lite"]) == ("matte", "matte")
    assert (tasks["x2"], tasks["deep"]) == ("image", "depth")


def test_the_blurred_background_is_that_of_over(server, picture):
    with nssbg.Remover(**CPU) as remover:
        cutout = remover.cutout(picture)
    plain = pixels(asked(server, picture, {"background": "blur"})[2])
    assert np.array_equal(plain, cutout.over("blur"))
    fields = {
        "background": "blur", "blur_radius": "6", "blur_blades": "6", "blur_rotation": "15",
    }  # fmt: skip
    status, _, data = asked(server, picture, {**fields, "format": "png"})
    assert status == 200
    expected = cutout.over(Blur(radius=6, blades=6, rotation=15))
    assert np.array_equal(pixels(data), expected)
    assert not np.array_equal(expected, plain)
    status, _, data = asked(server, picture, {**fields, "blur_depth_model": "deep"})
    assert status == 200, data
    found = nssbg.depth(picture, model="deep", device="cpu", backend="onnxruntime", threads=1)
    followed = cutout.over(Blur(radius=6, blades=6, rotation=15, depth=found))
    assert np.abs(pixels(data).astype(int) - followed).max() <= 3  # of a map at another size
    assert not np.array_equal(pixels(data), expected)


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_the_depth_network_computes_in_the_operators_precision(
    picture, tmp_path, monkeypatch, precision
):
    monkeypatch.setenv("NSSBG_HOME", str(tmp_path))
    folder = catalog_folder()
    folder.mkdir(parents=True)
    sidecar_depth_network(folder, commercial=True)
    opened = []

    def open_model(*given, **named):
        opened.append(named.get("precision"))
        return planned(*given, **named)

    planned = depth.open_model
    monkeypatch.setattr(depth, "open_model", open_model)
    with serving(engine={**CPU, "precision": precision}) as running:
        status, _, data = asked(
            running, picture, {"background": "blur", "blur_depth_model": "deep"}
        )
    assert opened == [precision]
    if precision == "float32":
        assert status == 200, data
    else:  # the network has no such form: refused, not computed in another
        assert (status, b"no int8 form" in data) == (422, True), data


def test_jpeg_takes_a_blurred_background(server, picture):
    status, headers, _ = asked(server, picture, {"background": "blur", "format": "jpeg"})
    assert (status, headers["content-type"]) == (200, "image/jpeg")


def test_without_a_network_the_request_is_told(picture, tmp_path, monkeypatch):
    from nssbg._models import catalog

    monkeypatch.setenv("NSSBG_HOME", str(tmp_path))
    monkeypatch.setattr("nssbg._enhance.opening.bundled_models", dict)
    assert catalog.bundled_models()
    with serving(engine=CPU) as running:
        status, _, data = asked(running, picture, {"enhance": "before"})
    assert status == 422
    assert "give enhance_model" in json.loads(data)["error"]["message"]


def test_the_documentation_has_the_options():
    schema = document()["paths"]["/v1/remove"]["post"]["requestBody"]["content"]
    properties = schema["multipart/form-data"]["schema"]["properties"]
    assert properties["enhance"]["enum"] == ["before", "after"]
    assert properties["upscale"]["enum"] == [1, 2, 3, 4]
    assert "blur_radius" in page()
    assert "number, string" in page()
