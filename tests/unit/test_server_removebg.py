"""remove.bg's API on a real port: fields, headers, errors, and two of its public clients."""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
import subprocess
import time
import zipfile

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("uvicorn", reason="nssbg[serve] is not installed")

from http_server import multipart, remote_giving, serving

from nssbg import OptionError
from nssbg.server.removebg_fields import fields_from

# A subject of 200 x 200 at (150, 100) of 800 x 400 pixels: more than a quarter of a megapixel.
WIDTH, HEIGHT = 800, 400


@pytest.fixture(scope="module")
def picture():
    image = Image.new("RGB", (WIDTH, HEIGHT), (235, 235, 235))
    image.paste((180, 20, 30), (150, 100, 350, 300))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=95)
    return file.getvalue()


@pytest.fixture(scope="module")
def server():
    with serving() as running:
        yield running


def asked(server, picture, fields=(), files=(), **headers):
    body, head = multipart(fields, {"image_file": ("p.jpg", picture), **dict(files)})
    return server.request("POST", "/v1.0/removebg", body, {**head, **headers})


def opened(data):
    return Image.open(io.BytesIO(data))


def box_of(headers):
    names = ("top", "left", "height", "width")
    return [int(headers[f"x-foreground-{name}"]) for name in names]


def near(found, expected, tolerance=10):
    return all(abs(a - b) <= tolerance for a, b in zip(found, expected, strict=True))


def test_a_preview_is_the_default_and_headers_tell_of_it(server, picture):
    status, headers, data = asked(server, picture)
    assert (status, headers["content-type"]) == (200, "image/png")
    image = opened(data)
    assert image.mode == "RGBA"
    assert image.width * image.height <= 250_000
    assert image.width == 2 * image.height
    assert (int(headers["x-width"]), int(headers["x-height"])) == image.size
    assert headers["x-credits-charged"] == "0"
    assert headers["x-type"] == "other"
    scale = image.width / WIDTH
    assert near(box_of(headers), [100 * scale, 150 * scale, 200 * scale, 200 * scale])
    assert int(headers["x-ratelimit-remaining"]) <= int(headers["x-ratelimit-limit"])
    assert abs(int(headers["x-ratelimit-reset"]) - time.time()) < 120


def test_auto_and_full_keep_every_pixel(server, picture):
    for size in ("auto", "full", "4k", "hd", "50MP"):
        assert opened(asked(server, picture, {"size": size})[2]).size == (WIDTH, HEIGHT)


def test_json_has_the_same_picture_and_the_box(server, picture):
    _, headers, data = asked(server, picture, {"size": "auto"}, Accept="application/json")
    assert headers["content-type"] == "application/json"
    told = json.loads(data)["data"]
    assert base64.b64decode(told["result_b64"]) == asked(server, picture, {"size": "auto"})[2]
    box = [told[f"foreground_{name}"] for name in ("top", "left", "height", "width")]
    assert box == box_of(headers)
    assert near(box, [100, 150, 200, 200])


def test_the_picture_may_come_in_base64(server, picture):
    text = base64.b64encode(picture).decode()
    expected = asked(server, picture)[2]
    body, head = multipart({"image_file_b64": text})
    assert server.request("POST", "/v1.0/removebg", body, head)[2] == expected
    as_json = json.dumps({"image_file_b64": text, "crop": False, "scale": None})
    head = {"Content-Type": "application/json"}
    assert server.request("POST", "/v1.0/removebg", as_json, head)[2] == expected


def test_formats(server, picture):
    def format_of(**fields):
        _, headers, data = asked(server, picture, fields)
        return opened(data).format, opened(data).mode, headers["content-type"]

    assert format_of(format="auto") == ("PNG", "RGBA", "image/png")
    assert format_of(format="auto", bg_color="fff") == ("JPEG", "RGB", "image/jpeg")
    assert format_of(format="png", bg_color="fff") == ("PNG", "RGB", "image/png")
    assert format_of(format="webp") == ("WEBP", "RGBA", "image/webp")
    assert format_of(format="jpg") == ("JPEG", "RGB", "image/jpeg")
    assert format_of(channels="alpha") == ("PNG", "L", "image/png")
    white = np.asarray(opened(asked(server, picture, {"format": "jpg"})[2]))
    assert white[0, 0].tolist() == [255, 255, 255]


def test_a_zip_is_put_together_to_the_png(server, picture):
    _, headers, data = asked(server, picture, {"format": "zip", "size": "auto"})
    assert headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert sorted(archive.namelist()) == ["alpha.png", "color.jpg"]
        alpha = np.asarray(opened(archive.read("alpha.png")))
        color = np.asarray(opened(archive.read("color.jpg")))
    png = np.asarray(opened(asked(server, picture, {"size": "auto"})[2]))
    assert np.array_equal(alpha, png[..., 3])
    inside = alpha == 255
    assert np.abs(color[inside].astype(int) - png[inside][:, :3]).mean() < 3


def test_crop_and_margins(server, picture):
    def size_of(**fields):
        _, headers, data = asked(server, picture, {"size": "auto", "crop": "true", **fields})
        return opened(data).size, box_of(headers)

    size, box = size_of()
    assert near(size, (200, 200))
    assert box[:2] == [0, 0]
    margin, inner = size_of(crop_margin="10%")
    assert near(margin, (240, 240))
    assert near(inner[:2], (20, 20), 2)
    wide, inner = size_of(crop_margin="10px 30px")
    assert (wide[0] - size[0], wide[1] - size[1]) == (60, 20)
    sides, inner = size_of(crop_margin="1px 2px 3px 4px")
    assert (sides[0] - size[0], sides[1] - size[1], inner[:2]) == (6, 4, [1, 4])


def test_scale_and_position(server, picture):
    def box(**fields):
        _, headers, data = asked(server, picture, {"size": "auto", **fields})
        assert opened(data).size == (WIDTH, HEIGHT)
        return box_of(headers)

    assert near(box(scale="80%"), [40, 240, 320, 320])
    assert near(box(position="center"), [100, 300, 200, 200])
    assert near(box(position="0% 100%"), [200, 0, 200, 200])
    assert near(box(position="100%"), [200, 600, 200, 200])
    assert near(box(scale="25%", position="original"), [150, 175, 100, 100])
    assert near(box(scale="25%", position="0% 100%"), [300, 0, 100, 100])
    assert near(box(position="original"), [100, 150, 200, 200])


def test_a_region_of_interest_is_all_that_is_looked_at(server, picture):
    for roi in ("0px 0px 250px 400px", "0% 0% 31.25% 100%"):
        data = asked(server, picture, {"size": "auto", "roi": roi})[2]
        alpha = np.asarray(opened(data))[..., 3]
        assert alpha[:, 251:].max() == 0
        assert alpha[150:250, 170:240].min() == 255
    assert asked(server, picture, {"roi": "0% 0% 100% 100%"})[2] == asked(server, picture)[2]


def test_backgrounds(server, picture):
    def corner(fields=(), files=()):
        data = asked(server, picture, {"format": "png", **dict(fields)}, files)[2]
        return np.asarray(opened(data))[0, 0].tolist()

    assert corner({"bg_color": "81d4fa"}) == [0x81, 0xD4, 0xFA]
    assert corner({"bg_color": "#0f0"}) == [0, 255, 0]
    assert corner({"bg_color": "green"}) == [0, 128, 0]
    assert corner({"bg_color": "ff00ff80"}) == [255, 0, 255, 128]
    assert corner({"bg_color": "transparent"}) == [0, 0, 0, 0]
    file = io.BytesIO()
    Image.new("RGB", (20, 40), (9, 8, 200)).save(file, "PNG")
    assert corner(files={"bg_image_file": ("b.png", file.getvalue())}) == [9, 8, 200]


def test_shadows(server, picture):
    plain = np.asarray(opened(asked(server, picture)[2]))[..., 3].astype(int)
    for fields in ({"add_shadow": "true"}, {"shadow_type": "drop"}, {"shadow_type": "3D"}):
        alpha = np.asarray(opened(asked(server, picture, fields)[2]))[..., 3].astype(int)
        assert (alpha > plain + 20).sum() > 50, fields
        light = np.asarray(opened(asked(server, picture, {**fields, "shadow_opacity": "5"})[2]))
        assert light[..., 3].astype(int).sum() < alpha.sum()
    none = asked(server, picture, {"add_shadow": "true", "shadow_type": "none"})[2]
    assert np.array_equal(np.asarray(opened(none))[..., 3], plain)


def test_the_type_is_given_back(server, picture):
    assert asked(server, picture, {"type": "car"})[1]["x-type"] == "car"
    assert "x-type" not in asked(server, picture, {"type": "car", "type_level": "none"})[1]


def test_fields_that_remove_bg_does_not_know_are_ignored_and_named(server, picture):
    status, headers, _ = asked(server, picture, {"frobnicate": "1", "evil\x7f": "2"})
    assert (status, headers["x-nssbg-ignored"]) == (200, "frobnicate")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"size": "huge"}, "size must be one of"),
        ({"format": "gif"}, "format"),
        ({"roi": "1 2 3"}, "roi"),
        ({"roi": "0px 0% 5px 5%"}, "one unit"),
        ({"roi": "9px 9px 2px 2px"}, "left < right"),
        ({"crop": "true", "crop_margin": "60%"}, "at most 50%"),
        ({"crop": "true", "crop_margin": "501px"}, "500px"),
        ({"crop": "true", "crop_margin": "-1px"}, "crop_margin"),
        ({"scale": "5%"}, "10% to 100%"),
        ({"scale": "50px"}, "scale"),
        ({"position": "120%"}, "0% to 100%"),
        ({"channels": "rgb"}, "channels"),
        ({"shadow_type": "soft"}, "shadow_type"),
        ({"shadow_opacity": "101", "add_shadow": "1"}, "0 to 100"),
        ({"bg_color": "notacolour"}, "unknown colour"),
        ({"bg_color": "/etc/passwd"}, "unknown colour"),
        ({"bg_color": "fff", "bg_image_url": "http://x.org/"}, "one of bg_color"),
        ({"image_url": "http://x.org/"}, "give one of image_file"),
        ({"crop": "perhaps"}, "true or false"),
    ],
)
def test_wrong_fields_are_errors_of_its_shape(server, picture, fields, words):
    status, _, data = asked(server, picture, fields)
    (error,) = json.loads(data)["errors"]
    assert (status, error["code"]) == (400, "invalid_parameters")
    assert words in error["title"]
    assert "request" in error["detail"]


def test_other_errors_have_its_codes(server, picture):
    def code(status, *request):
        found, _, data = server.request(*request)
        assert found == status
        return json.loads(data)["errors"][0]["code"]

    def form(*parts):
        return ("POST", "/v1.0/removebg", *multipart(*parts))

    empty = io.BytesIO()
    Image.new("RGB", (64, 64), (230, 230, 230)).save(empty, "PNG")
    nothing = {"image_file": ("e.png", empty.getvalue())}
    assert code(400, *form({}, nothing)) == "unknown_foreground"
    assert code(400, *form({}, {"image_file": ("x.png", b"text")})) == "invalid_file"
    assert code(400, *form({"size": "auto"})) == "invalid_parameters"
    assert code(400, *form({"image_url": "http://example.org/x.png"})) == "failed_image_download"
    assert code(404, "GET", "/v1.0/nope") == "not_found"
    with serving(token="key", engine={"max_pixels": 1000}) as running:
        server = running
        body, head = multipart({}, {"image_file": ("p.jpg", picture)})
        assert code(403, "POST", "/v1.0/removebg", body, head) == "auth_failed"
        head = {**head, "X-Api-Key": "key"}
        assert code(400, "POST", "/v1.0/removebg", body, head) == "file_too_large"


def test_a_full_queue_is_its_rate_limit(picture):
    with serving(engine={"max_waiting": 1}) as running:
        engine = running.engine
        engine._waiting += 1
        status, headers, data = asked(running, picture)
        engine._waiting -= 1
        assert status == 429
        assert json.loads(data)["errors"][0]["code"] == "rate_limit_exceeded"
        assert int(headers["retry-after"]) >= 1
        assert asked(running, picture)[0] == 200


def test_addresses_are_fetched_where_their_host_is_allowed(picture, monkeypatch):
    monkeypatch.setattr("nssbg.server.app.RemoteImages", remote_giving(picture))
    with serving(fetched_hosts=("example.org",)) as running:
        body, head = multipart({"image_url": "https://example.org/p.jpg"})
        assert (
            running.request("POST", "/v1.0/removebg", body, head)[2] == asked(running, picture)[2]
        )
        fields = {"bg_image_url": "https://example.org/p.jpg", "format": "png", "size": "auto"}
        data = asked(running, picture, fields)[2]
        assert np.asarray(opened(data))[0, 0].tolist() == [235, 235, 235]


def test_the_account_has_credits(server):
    told = json.loads(server.request("GET", "/v1.0/account")[2])["data"]["attributes"]
    assert told["credits"]["total"] > 0
    assert told["api"]["sizes"] == "all"


def test_numbers_of_json_are_as_good_as_text():
    fields = fields_from({"image_url": "u", "shadow_opacity": 50, "add_shadow": True}, {})
    assert fields.shadow.opacity == 0.5
    with pytest.raises(OptionError, match="image_url must be text"):
        fields_from({"image_url": ["u"]}, {})


def test_the_client_of_pypi(server, picture, tmp_path, monkeypatch):
    client = pytest.importorskip("removebg.removebg", reason="removebg is not installed")
    monkeypatch.setattr(client, "API_ENDPOINT", f"{server.address}/v1.0/removebg")
    path = tmp_path / "p.jpg"
    path.write_bytes(picture)
    user = client.RemoveBg("any-key", os.devnull)
    user.remove_background_from_img_file(str(path), size="4k", bg_color="00ff00")
    made = opened((tmp_path / "p.jpg_no_bg.png").read_bytes())
    assert made.size == (WIDTH, HEIGHT)
    assert near(np.asarray(made.convert("RGB"))[0, 0].astype(int), [0, 255, 0], 3)
    target = tmp_path / "b64.png"
    text = base64.b64encode(picture)
    user.remove_background_from_base64_img(text, new_file_name=str(target))
    assert opened(target.read_bytes()).mode == "RGBA"


@pytest.fixture(scope="session")
def node_client(tmp_path_factory):
    """The npm package remove.bg; nothing is changed but the address in it."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        pytest.skip("npm and node are not here")
    folder = tmp_path_factory.mktemp("node")
    line = [npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-save",
            "--fetch-retries=0", "--fetch-timeout=20000"]  # fmt: skip
    try:
        done = subprocess.run(
            [*line, "--prefix", str(folder), "remove.bg@1.3.0"],
            cwd=folder, capture_output=True, timeout=90, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        pytest.skip("npm's registry does not answer")
    if done.returncode:
        pytest.skip("npm cannot install remove.bg: no network")
    index = folder / "node_modules" / "remove.bg" / "dist" / "index.js"
    text = index.read_text()
    address = '"https://api.remove.bg/v1.0/removebg"'
    assert address in text
    index.write_text(text.replace(address, "process.env.SERVER"))
    return node, folder


SCRIPT = """
const client = require("remove.bg");
const fs = require("fs");
(async () => {
  const common = {apiKey: "any-key", size: "full", type: "product"};
  const file = await client.removeBackgroundFromImageFile({
    ...common, path: "p.jpg", crop: true, crop_margin: "10px", scale: "original",
    position: "original", roi: "0% 0% 100% 100%", bg_color: "0f0", bg_image_url: "",
    channels: "rgba", add_shadow: false, outputFile: "file.out"});
  const base64 = await client.removeBackgroundFromImageBase64({
    ...common, base64img: fs.readFileSync("p.jpg").toString("base64"), outputFile: "b64.out"});
  let failed = null;
  try {
    await client.removeBackgroundFromImageBase64({...common, base64img: "AAAA"});
  } catch (errors) { failed = errors; }
  console.log(JSON.stringify([file.resultWidth, base64.resultWidth, base64.detectedType,
    base64.creditsCharged, base64.rateLimit, failed]));
})();
"""


def test_the_client_of_npm(server, picture, node_client):
    node, folder = node_client
    (folder / "p.jpg").write_bytes(picture)
    (folder / "run.js").write_text(SCRIPT)
    done = subprocess.run(
        [node, "--no-deprecation", "run.js"],
        cwd=folder, capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "SERVER": f"{server.address}/v1.0/removebg"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    cropped, whole, kind, charged, limit, failed = json.loads(done.stdout)
    assert near([int(cropped), int(whole)], [220, WIDTH])
    assert (kind, charged, limit) == ("product", "0", "64")
    assert failed[0]["code"] == "invalid_file"
    assert near(
        opened((folder / "file.out").read_bytes()).convert("RGB").getpixel((0, 0)), (0, 255, 0)
    )
    assert opened((folder / "b64.out").read_bytes()).size == (WIDTH, HEIGHT)
