"""The studio page's server: results equal the package's own, sessions last, nobody else gets in."""

import http.client
import io
import json
import math
import re
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from page_sources import of_the_page
from PIL import Image
from studio_client import page

import nssbg
from nssbg import Blur
from nssbg._compose.output import Output
from nssbg._ops.brush import Stroke, painted

pytest.importorskip("starlette", reason="needs nssbg[studio]")
pytest.importorskip("uvicorn", reason="needs nssbg[studio]")

DATA = Path(__file__).parents[1] / "data"
MUG = DATA / "mug.jpg"
STROKES = [
    {"kind": "drop", "radius": 15, "points": [[240, 180], [300, 200], [330, 150]]},
    {"kind": "keep", "radius": 9, "points": [[40, 330], [110, 300]]},
]
MASK = painted(
    [Stroke("drop", 15, ((240, 180), (300, 200), (330, 150))),
     Stroke("keep", 9, ((40, 330), (110, 300)))],
    360, 480,
)  # fmt: skip
VIEW = {"x": 0, "y": 0, "width": 480, "height": 360, "scale": 1}


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    with page(tmp_path_factory.mktemp("session")) as made:
        yield made


@pytest.fixture
def mug(client):
    """A picture whose result is there; removed at the end."""
    made = client.add(MUG.read_bytes())
    assert client.ended(made["id"])["state"] == "done"
    yield made["id"]
    client.request("DELETE", f"/api/pictures/{made['id']}")


def cut_out(**options):
    with nssbg.Remover("studio", threads=2) as remover:
        return remover.cutout(MUG, **options)


# Who may come in.


def test_only_who_has_the_key_comes_in(client):
    for path in ("/", "/api/about", "/api/pictures", "/assets/x.js", "/?key=wrong", "/?key="):
        status, headers, body = client.request("GET", path, cookie=False)
        assert status == 401, path
        assert json.loads(body)["error"]["kind"] == "key"
        assert "set-cookie" not in headers
    status, headers, _ = client.request("GET", f"/?key={client.key}", cookie=False)
    assert (status, headers["location"]) == (303, "/")
    cookie = headers["set-cookie"].lower()
    assert f"nssbg_studio_{client.port}=" in cookie
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    # The key opens the page, and nothing else.
    assert client.request("GET", f"/api/about?key={client.key}", cookie=False)[0] == 401
    wrong = {"Cookie": f"nssbg_studio_{client.port}=wrong"}
    assert client.request("GET", "/api/about", headers=wrong, cookie=False)[0] == 401
    other = {"Cookie": f"nssbg_studio_1={client.key}"}
    assert client.request("GET", "/api/about", headers=other, cookie=False)[0] == 401
    assert client.request("GET", "/api/about")[0] == 200


@pytest.mark.parametrize(
    ("headers", "kind"),
    [
        ({"Host": "evil.example"}, "host"),
        ({"Host": "127.0.0.1"}, "host"),
        ({"Host": "127.0.0.1:1"}, "host"),
        ({"Origin": "http://evil.example"}, "origin"),
        ({"Origin": "null"}, "origin"),
        ({"Origin": "http://127.0.0.1:1"}, "origin"),
        ({"Sec-Fetch-Site": "cross-site"}, "origin"),
        ({"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"}, "origin"),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, "origin"),
    ],
)
def test_other_pages_are_refused_even_with_the_cookie(client, headers, kind):
    for method, path in (("GET", "/api/pictures"), ("DELETE", "/api/pictures")):
        status, found, _ = client.error(method, path, headers=headers)
        assert (status, found) == (403, kind)


def test_the_page_may_follow_a_link_and_speak_to_itself(client):
    own = {"Origin": f"http://127.0.0.1:{client.port}", "Sec-Fetch-Site": "same-origin"}
    assert client.request("GET", "/api/pictures", headers=own)[0] == 200
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert client.request("GET", "/", headers=link)[0] in (200, 404)


def test_every_answer_says_that_the_page_loads_from_here_alone(client):
    for path in ("/", "/api/about", "/api/nothing", "/api/pictures/ffff/view"):
        _, headers, _ = client.request("GET", path)
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'self'; img-src 'self' blob: data:;")
        assert "http" not in policy
        assert "unsafe" not in policy
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-content-type-options"] == "nosniff"
    _, headers, _ = client.request("GET", "/api/about", cookie=False)
    assert "content-security-policy" in headers


# The page's own files.


def test_files_of_the_page_are_served_from_its_folder_alone(client, tmp_path):
    from nssbg.studio_page.page_files import Assets

    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "index.html").write_text("<p>here</p>")
    (tmp_path / "secret").write_text("no")
    (tmp_path / "web" / "link").symlink_to(tmp_path / "secret")
    assets = Assets(tmp_path / "web")
    assert assets.get("index.html").content_type.startswith("text/html")
    for path in ("../secret", "link", "/etc/passwd", "", "nothing", "a\0b"):
        assert assets.get(path) is None, path
    for path in ("/assets/../app.py", "/assets/%2e%2e/app.py", "/api/samples/..%2fapp.py"):
        assert client.request("GET", path)[0] == 404


def test_samples_are_there_small_and_not_sent_twice(client):
    samples = client.json("GET", "/api/about")[1]["samples"]
    assert len(samples) >= 3
    for sample in samples:
        status, headers, data = client.request("GET", sample["url"])
        assert status == 200
        assert headers["content-type"] == "image/jpeg"
        again = client.request("GET", sample["url"], headers={"If-None-Match": headers["etag"]})
        assert (again[0], again[2]) == (304, b"")
        with Image.open(io.BytesIO(data)) as image:
            assert max(image.size) >= 600
    status, made = client.json("POST", samples[0]["url"])
    assert status == 201
    assert client.ended(made["id"])["state"] == "done"
    client.request("DELETE", f"/api/pictures/{made['id']}")


def carried():
    """What a wheel carries for the page, by its path there; as CMakeLists.txt installs it."""
    from nssbg.studio_page.page_files import assets_folder, samples_folder

    page_folder = assets_folder()
    assert page_folder is not None, "index.html is neither in the package nor in web/"
    files = of_the_page(page_folder)
    files.update({f"samples/{path.name}": path for path in samples_folder().iterdir()})
    return files


def test_the_package_carries_the_page_in_less_than_310_kb():
    files = carried()
    assert {"index.html", "main.js", "samples/bear.jpg"} <= files.keys()
    assert sum(path.stat().st_size for path in files.values()) < 310_000


def test_the_page_comes_from_the_wheel_or_in_a_checkout_from_its_sources():
    """Both hold the same files: what is installed is web/, as it is."""
    from nssbg.studio_page.page_files import assets_folder

    package, root = Path(nssbg.__file__).parent, Path(__file__).parents[2]
    if package == root / "python" / "nssbg":
        assert assets_folder() == root / "web"
        return
    assert assets_folder() == package / "studio_page" / "assets"
    installed = {
        path.relative_to(assets_folder()).as_posix(): path.read_bytes()
        for path in assets_folder().rglob("*")
        if path.is_file()
    }
    sources = {name: path.read_bytes() for name, path in of_the_page(root / "web").items()}
    assert installed == sources


def test_every_file_of_the_page_is_served(client):
    for name in carried():
        if not name.startswith("samples/"):
            path = "/" if name == "index.html" else f"/assets/{name}"
            status, headers, _ = client.request("GET", path)
            assert status == 200, path
            assert "octet-stream" not in headers["content-type"]
    assert client.request("GET", "/assets/engine/mock.js")[0] == 404


def test_the_page_is_told_what_there_is(client):
    status, about = client.json("GET", "/api/about")
    assert status == 200
    assert about["version"] == nssbg.__version__
    assert [model["name"] for model in about["models"][:3]] == ["auto", "studio", "nssbg-lite"]
    missing = next(model for model in about["models"] if model["name"] == "isnet-general-use")
    assert not missing["here"]
    assert "nssbg models pull" in missing["reason"]
    assert {"png", "jpeg", "tiff"} <= set(about["formats"])
    assert about["profiles"]
    assert about["efforts"] == ["fast", "balanced", "best"]
    assert about["session_folder"] == str(client.session.folder.path)


# Results.


def test_a_picture_comes_out_as_remove_makes_it(client, mug):
    truth = cut_out()
    found = client.picture(mug)
    assert (found["width"], found["height"]) == (480, 360)
    assert found["result"]["model"] == "studio"
    assert found["result"]["confidence"] == truth.confidence
    assert found["result"]["plan"]["device"] == "CPU"
    assert list(found["result"]["timings"]) == list(truth.timings.stages)
    pixels, headers = client.pixels(f"/api/pictures/{mug}/download?format=png")
    assert np.array_equal(pixels, truth.rgba)
    assert 'filename="mug-cutout.png"' in headers["content-disposition"]
    pixels, _ = client.pixels(f"/api/pictures/{mug}/download?mask=1")
    assert np.array_equal(pixels, truth.alpha)
    pixels, _ = client.pixels(f"/api/pictures/{mug}/view?layer=cutout&x=10&y=20&width=99&height=50")
    assert np.array_equal(pixels, truth.rgba[20:70, 10:109])
    pixels, _ = client.pixels(f"/api/pictures/{mug}/view?layer=alpha")
    assert np.array_equal(pixels, truth.alpha)
    pixels, _ = client.pixels(f"/api/pictures/{mug}/view?layer=original")
    assert np.array_equal(pixels, truth.frame.rgb)
    pixels, _ = client.pixels(f"/api/pictures/{mug}/view?layer=original&scale=0.5")
    assert pixels.shape == (180, 240, 3)
    left, top, right, bottom = found["result"]["bbox"]
    alpha = truth.alpha[top:bottom, left:right] > 5
    assert alpha[0].any()
    assert alpha[-1].any()
    assert not (truth.alpha[:top] > 5).any()


EDITS = [
    ({"refine": "matting", "decontaminate": 0.5}, {"refine": "matting", "strength": 0.5}),
    (
        {"decontaminate": 0, "corrections": {"keep": [[240, 180]], "drop": [[5, 5]]}},
        {
            "decontaminate": "off",
            "strength": 0.0,
            "corrections": nssbg.Corrections(keep=((240, 180),), drop=((5, 5),)),
        },
    ),
    (
        {"corrections": {"strokes": STROKES, "drop": [[300, 100]]}},
        {"corrections": nssbg.Corrections(drop=((300, 100),), mask=MASK)},
    ),
    (
        {"effort": "fast", "corrections": {"box": [100, 50, 400, 330], "strokes": STROKES}},
        {
            "effort": "fast",
            "corrections": nssbg.Corrections(box=(100, 50, 400, 330), mask=MASK),
        },
    ),
]


@pytest.mark.parametrize(("edit", "options"), EDITS, ids=["refine", "points", "strokes", "box"])
def test_an_edit_gives_what_remove_gives_with_the_same_options(client, mug, edit, options):
    done = client.edit(mug, edit)
    assert done["state"] == "done", done["error"]
    pixels, _ = client.pixels(f"/api/pictures/{mug}/download?format=png")
    assert np.array_equal(pixels, cut_out(**options).rgba)
    view = f"/api/pictures/{mug}/view?revision={done['done_revision']}"
    pixels, headers = client.pixels(view)
    assert np.array_equal(pixels, cut_out(**options).rgba)
    assert "immutable" in headers["cache-control"]


def test_a_network_runs_once_however_often_a_picture_is_corrected(client):
    made = client.add((DATA / "bear.jpg").read_bytes(), "bear.jpg")["id"]
    before = client.session.results.network_runs
    assert client.edit(made, {"model": "nssbg-lite", "effort": "fast"})["state"] == "done"
    ran = client.session.results.network_runs
    assert ran - before in (1, 2)  # the upload's own run may have ended before the edit came
    base = {"model": "nssbg-lite", "effort": "fast"}
    with nssbg.Remover("nssbg-lite", threads=2) as remover:
        for edit, options in (
            ({"corrections": {"strokes": STROKES}}, {"corrections": nssbg.Corrections(mask=MASK)}),
            ({"corrections": {"keep": [[240, 180]]}},
             {"corrections": nssbg.Corrections(keep=((240, 180),))}),
            ({"refine": "matting"}, {"refine": "matting"}),
            ({"decontaminate": 0.3}, {"strength": 0.3}),
            ({"softness": 0.5, "choke": -0.5}, None),
            ({"framing": {"background": "#ff0000"}}, None),
            ({}, {}),
        ):  # fmt: skip
            done = client.edit(made, {**base, **edit})
            assert done["state"] == "done", done["error"]
            body = {"edit": {**base, **edit}, "view": VIEW, "layer": "cutout"}
            client.pixels(f"/api/pictures/{made}/preview", body)
            if options is not None:
                wanted = remover.cutout(DATA / "bear.jpg", effort="fast", **options).rgba
                got, _ = client.pixels(f"/api/pictures/{made}/view")
                assert np.array_equal(got, wanted), edit
    assert client.session.results.network_runs == ran
    client.request("DELETE", f"/api/pictures/{made}")


def test_softness_and_choke_move_the_edge_as_the_package_does(client, mug):
    client.edit(mug, {"choke": 0.5, "softness": 0.5, "decontaminate": 0})
    got, _ = client.pixels(f"/api/pictures/{mug}/view?layer=alpha")
    # The most that is offered: 2 pixels of choke, 1 of softness, in a picture as small as this.
    wanted = nssbg.alpha.feather(nssbg.alpha.choke(cut_out().alpha, 1.0), 0.5)
    assert np.array_equal(got, wanted)


def test_a_preview_shows_the_result_before_it_is_made(client, mug):
    edit = {"corrections": {"strokes": STROKES}}
    before = client.picture(mug)
    shown, headers = client.pixels(
        f"/api/pictures/{mug}/preview", {"edit": edit, "view": VIEW, "layer": "cutout"}
    )
    assert re.fullmatch(r"made;dur=[0-9.]+", headers["server-timing"])
    assert client.picture(mug) == before
    alpha, _ = client.pixels(
        f"/api/pictures/{mug}/preview", {"edit": edit, "view": VIEW, "layer": "alpha"}
    )
    assert np.array_equal(alpha, shown[..., 3])
    client.edit(mug, edit)
    got, _ = client.pixels(f"/api/pictures/{mug}/view")
    assert np.array_equal(got[..., 3], shown[..., 3])
    half = {**VIEW, "scale": 0.5}
    small, _ = client.pixels(f"/api/pictures/{mug}/preview", {"edit": edit, "view": half})
    assert small.shape == (180, 240, 4)


def test_the_last_of_many_edits_wins(client, mug):
    revisions = [
        client.json("PUT", f"/api/pictures/{mug}/edit", {"decontaminate": number / 10})[1]
        for number in range(11)
    ]
    last = revisions[-1]["revision"]
    assert [one["revision"] for one in revisions] == list(range(last - 10, last + 1))
    done = client.ended(mug, last)
    assert done["done_revision"] == last
    got, _ = client.pixels(f"/api/pictures/{mug}/view?revision={last}")
    assert np.array_equal(got, cut_out().rgba)
    status, kind, _ = client.error("GET", f"/api/pictures/{mug}/view?revision={last - 1}")
    assert (status, kind) == (409, "not-ready")


def test_edits_that_come_while_a_picture_is_analysed_do_not_begin_it_anew(client, monkeypatch):
    from nssbg.studio_page.picture import Picture

    begun = []
    begin = Picture.begin

    def told(self, stage):
        begun.append((self.id, stage))
        begin(self, stage)

    monkeypatch.setattr(Picture, "begin", told)
    with client.session.hurry():  # the stages of the queue wait for each other
        made = client.add((DATA / "bear.jpg").read_bytes())["id"]
        until = time.monotonic() + 30
        while (made, "decode") not in begun and time.monotonic() < until:
            time.sleep(0.005)
        for number in range(1, 4):
            revision = client.json("PUT", f"/api/pictures/{made}/edit", {"choke": number / 20})[1]
    done = client.ended(made, revision["revision"])
    assert done["done_revision"] == done["revision"] == 3
    assert begun.count((made, "decode")) == 1
    # Another model is another matter.
    assert client.edit(made, {"effort": "fast"})["done_revision"] == 4
    assert begun.count((made, "decode")) == 2
    client.request("DELETE", f"/api/pictures/{made}")


def turned():
    exif = Image.Exif()
    exif[0x0112] = 6
    data = io.BytesIO()
    with Image.open(MUG) as image:
        image.save(data, "JPEG", exif=exif, quality=95)
    return data.getvalue()


def transparent():
    data = io.BytesIO()
    with Image.open(MUG) as image:
        image = image.convert("RGBA")
        image.paste((0, 0, 0, 0), (0, 0, 250, 100))
        image.save(data, "PNG")
    return data.getvalue()


def deep():
    from nssbg import _io

    with Image.open(MUG) as image:
        pixels = np.asarray(image.convert("RGB")).astype(np.uint16) * 257
    return _io.encode(pixels, format="png")


@pytest.mark.parametrize("made", [turned, transparent, deep], ids=lambda made: made.__name__)
def test_pictures_of_every_kind_are_corrected_as_remove_corrects_them(client, made):
    from nssbg import _io

    data = made()
    with nssbg.Remover("studio", threads=2) as remover:
        truth = remover.cutout(data, corrections=nssbg.Corrections(drop=((300, 20),)))
    name = client.add(data, "picture")["id"]
    client.ended(name)
    found = client.picture(name)
    assert (found["width"], found["height"]) == (truth.frame.width, truth.frame.height)
    edit = {"corrections": {"drop": [[300, 20]]}}
    assert client.edit(name, edit)["state"] == "done"
    body = client.request("GET", f"/api/pictures/{name}/download?format=png")[2]
    got = _io.decode(body)
    assert np.array_equal(got.rgb, truth.rgba[..., :3])
    assert np.array_equal(got.alpha, truth.alpha)
    shown, _ = client.pixels(
        f"/api/pictures/{name}/preview", {"edit": edit, "view": {"scale": 1}, "layer": "alpha"}
    )
    alpha = truth.alpha if truth.alpha.dtype == np.uint8 else truth.alpha >> 8
    assert np.abs(shown.astype(int) - alpha).mean() < 0.5
    client.request("DELETE", f"/api/pictures/{name}")


def test_a_result_is_framed_as_the_package_frames_it(client, mug):
    _, back = client.json("POST", "/api/backgrounds?name=b.jpg", (DATA / "bear.jpg").read_bytes())
    cutout = cut_out()
    for framing, output in (
        ({"trim": True}, Output(trim=True)),
        ({"background": "#102030"}, Output(background="#102030")),
        (
            {"canvas": "300x200", "fill": 0.7, "shadow": True},
            Output(canvas=nssbg.Canvas(300, 200, fill=0.7), shadow=nssbg.Shadow()),
        ),
        (
            {"shadow": {"kind": "contact", "opacity": 0.5, "offset": [0.1, 0], "color": "#222222"}},
            Output(shadow=nssbg.Shadow("contact", opacity=0.5, offset=(0.1, 0.0), color="#222222")),
        ),
        ({"background": {"picture": back["id"]}}, Output(background=DATA / "bear.jpg")),
        ({"background": "blur"}, Output(background=Blur(radius=0.008 * math.hypot(480, 360)))),
        (
            {"background": "blur", "blur": 0.02},
            Output(background=Blur(radius=0.02 * math.hypot(480, 360))),
        ),
    ):
        assert client.edit(mug, {"framing": framing})["state"] == "done"
        got, _ = client.pixels(f"/api/pictures/{mug}/view?layer=framed")
        assert np.array_equal(got, cutout.render(output)), framing
        plain, _ = client.pixels(f"/api/pictures/{mug}/view?layer=cutout")
        assert np.array_equal(plain, cutout.rgba)
        saved, _ = client.pixels(f"/api/pictures/{mug}/download?format=png")
        assert np.array_equal(saved, got)
    client.edit(mug, {"framing": {"profile": "amazon-main"}})
    got, _ = client.pixels(f"/api/pictures/{mug}/view?layer=framed&scale=0.1")
    assert got.shape[2] == 3


FRAMINGS = [
    {"background": "#ff8000"},
    {"canvas": "600x400", "fill": 0.6, "align": "bottom", "background": "white"},
    {"trim": True, "shadow": True},
    {"background": "blur"},
    {"background": "blur", "blur": 0.03},
    {"profile": "amazon-main"},
]


@pytest.mark.parametrize(
    "framing", FRAMINGS, ids=["color", "canvas", "trim", "blur", "wide blur", "profile"]
)
def test_a_framed_preview_is_near_the_framed_result(client, mug, framing):
    path = f"/api/pictures/{mug}"
    body = {"edit": {"framing": framing}, "view": {"fit": 240}, "layer": "framed"}
    shown, headers = client.pixels(f"{path}/preview", body)
    assert client.edit(mug, {"framing": framing})["state"] == "done"
    truth, told = client.pixels(f"{path}/view?layer=framed&fit=240")
    assert max(truth.shape[:2]) <= 240
    for name in ("x-layer-width", "x-layer-height"):
        assert abs(int(headers[name]) - int(told[name])) <= (12 if "trim" in framing else 1)
    assert np.abs(np.subtract(shown.shape, truth.shape)).max() <= 6
    height, width = np.minimum(shown.shape[:2], truth.shape[:2])
    away = np.abs(shown[:height, :width].astype(int) - truth[:height, :width])
    assert away.mean() < (12 if "trim" in framing else 4)


def test_the_whole_layer_is_given_at_the_size_of_a_thumbnail(client, mug):
    path = f"/api/pictures/{mug}/view?fit=100"
    for layer in ("cutout", "alpha", "original", "framed"):
        pixels, headers = client.pixels(f"{path}&layer={layer}")
        assert pixels.shape[:2] == (75, 100)
        assert (headers["x-layer-width"], headers["x-layer-height"]) == ("480", "360")
        assert float(headers["x-scale"]) == pytest.approx(100 / 480, rel=1e-4)
    enlarged, _ = client.pixels(f"/api/pictures/{mug}/view?fit=5000")
    assert enlarged.shape[:2] == (360, 480)


def test_backgrounds_are_shown_and_the_page_can_ask_for_headers_alone(client):
    _, back = client.json("POST", "/api/backgrounds?name=b.jpg", (DATA / "bear.jpg").read_bytes())
    shown, _ = client.pixels(f"/api/backgrounds/{back['id']}")
    assert shown.shape == (360, 480, 3)
    assert client.error("GET", "/api/backgrounds/0123456789abcdef")[0] == 404
    assert client.error("POST", "/api/backgrounds", b"no picture")[0] == 415
    status, headers, body = client.request("HEAD", "/api/about")
    assert (status, body) == (200, b"")
    assert "content-security-policy" in headers


@pytest.mark.parametrize("format", ["png", "webp", "jpeg", "tiff", "avif"])
def test_a_result_is_given_in_every_format(client, mug, format):
    if format not in client.json("GET", "/api/about")[1]["formats"]:
        pytest.skip(f"this Pillow writes no {format}")
    truth = cut_out()
    got, headers = client.pixels(f"/api/pictures/{mug}/download?format={format}&quality=90")
    assert headers["content-type"] == f"image/{format}"
    assert got.shape[:2] == truth.rgba.shape[:2]
    assert got.shape[2] == (3 if format == "jpeg" else 4)
    if format != "jpeg":
        assert np.abs(got[..., 3].astype(int) - truth.alpha).mean() < 2


# What is refused.


@pytest.mark.parametrize(
    "edit",
    [
        [],
        {"colour": 1},
        {"model": 3},
        {"model": "/etc/passwd"},
        {"model": "some/model.onnx"},
        {"model": "no-such-model"},
        {"effort": "hard"},
        {"refine": ["guided"]},
        {"foreground": "none"},
        {"framing": {"align": "middle"}},
        {"softness": 2},
        {"choke": "1"},
        {"decontaminate": None},
        {"corrections": []},
        {"corrections": {"box": [5, 5, 1, 1]}},
        {"corrections": {"box": [1000, 1000, 1100, 1100]}},
        {"corrections": {"keep": [[480, 0]]}},
        {"corrections": {"keep": [[1]]}},
        {"corrections": {"strokes": [{"kind": "keep"}]}},
        {"corrections": {"strokes": {}}},
        {"framing": 3},
        {"framing": {"canvas": "0x10"}},
        {"framing": {"canvas": "99999x99999"}},
        {"framing": {"profile": "../x.toml"}},
        {"framing": {"background": "/etc/passwd"}},
        {"framing": {"background": "picture.jpg"}},
        {"framing": {"background": {"picture": "0123456789abcdef"}}},
        {"framing": {"background": "blur", "trim": True}},
        {"framing": {"background": "blur", "blur": 0}},
        {"framing": {"background": "blur", "blur": 0.2}},
        {"framing": {"background": "blur", "blur": "wide"}},
        {"framing": {"background": "blur", "blur": True}},
        {"framing": {"shadow": {"opacity": 7}}},
        {"framing": {"shadow": {"colour": "red"}}},
        {"framing": {"fill": 0}},
    ],
)
def test_an_edit_that_is_none_is_refused_in_words(client, mug, edit):
    before = client.picture(mug)
    status, _, message = client.error("PUT", f"/api/pictures/{mug}/edit", edit)
    assert status == 422
    assert len(message) > 10
    assert client.picture(mug) == before
    status, _, _ = client.error(
        "POST", f"/api/pictures/{mug}/preview", {"edit": edit, "view": VIEW}
    )
    assert status == 422


def test_bodies_that_are_none_are_refused(client, mug):
    for body in (b"", b"{", b"[" * 100_000, b"\xff"):
        assert client.error("PUT", f"/api/pictures/{mug}/edit", body)[0] == 422
    for view in (None, {"x": "a"}, {"x": 1e9}, {"scale": 0}, {"width": -1}, {"x": float("nan")}):
        body = {"edit": {}, "view": view}
        assert client.error("POST", f"/api/pictures/{mug}/preview", body)[0] == 422
    for query in ("layer=depth", "revision=x", "x=a", "scale=nan"):
        assert client.error("GET", f"/api/pictures/{mug}/view?{query}")[0] == 422
    for query in ("format=exe", "format=webp&quality=101", "quality=-1"):
        assert client.error("GET", f"/api/pictures/{mug}/download?{query}")[0] == 422
    status, kind, _ = client.error("PUT", f"/api/pictures/{mug}/edit", b" " * (9 << 20))
    assert (status, kind) == (413, "too-large")


@pytest.mark.parametrize("name", ["0123456789abcdef", "x", "..", "%2e%2e%2fkey", "0" * 300])
def test_pictures_that_are_not_there_are_missing(client, name):
    for method, path in (
        ("GET", ""), ("DELETE", ""), ("POST", "/cancel"), ("POST", "/retry"), ("GET", "/view"),
        ("GET", "/download"),
    ):  # fmt: skip
        status, _, _ = client.request(method, f"/api/pictures/{name}{path}")
        assert status == 404, (method, path)


def test_what_is_no_picture_is_refused_and_named(client):
    for data in (b"hello, this is text", b"\x89PNG\r\n\x1a\n", MUG.read_bytes()[:40]):
        status, kind, message = client.error("POST", "/api/pictures?name=a%2Fnotes.txt", data)
        assert (status, kind) == (415, "decode")
        assert "notes.txt" in message
    assert client.error("POST", "/api/pictures?name=x.jpg", b"")[0] == 422
    assert not list((client.session.folder.path / "incoming").iterdir())


def test_a_damaged_picture_costs_only_itself(client, mug):
    made = client.add(MUG.read_bytes()[:9000], "cut.jpg")["id"]
    failed = client.ended(made)
    assert failed["state"] == "failed"
    assert failed["error"]["kind"] == "decode"
    assert "cut.jpg" in failed["error"]["message"]
    assert str(client.session.folder.path) not in failed["error"]["message"]
    assert client.error("GET", f"/api/pictures/{made}/view")[0] == 409
    assert client.error("GET", f"/api/pictures/{made}/view?layer=original")[0] == 415
    assert client.json("POST", f"/api/pictures/{made}/retry")[1]["state"] in ("queued", "running")
    assert client.ended(made)["state"] == "failed"
    assert client.picture(mug)["state"] == "done"
    client.request("DELETE", f"/api/pictures/{made}")


def test_a_model_that_is_not_here_fails_in_words_and_leaves_the_result(client, mug):
    done = client.edit(mug, {"model": "isnet-general-use"})
    assert done["state"] == "failed"
    assert done["error"]["kind"] == "model"
    assert done["done_revision"] == 0
    got, _ = client.pixels(f"/api/pictures/{mug}/view")
    assert np.array_equal(got, cut_out().rgba)
    assert client.edit(mug, {})["state"] == "done"


def test_what_is_too_large_is_refused_before_it_is_taken(tmp_path):
    from nssbg.studio_page.results import Limits

    with page(tmp_path / "s", limits=Limits(max_pixels=100_000, max_bytes=40_000)) as client:
        status, kind, message = client.error("POST", "/api/pictures?name=m.jpg", MUG.read_bytes())
        assert (status, kind) == (415, "decode")
        assert "480 x 360" in message
        assert client.error("POST", "/api/pictures?name=m.jpg", b"x" * 40_001)[:2] == (
            413, "too-large",
        )  # fmt: skip
        # Without saying how long it is.
        connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=30)
        pieces = (b"x" * 1000 for _ in range(41))
        connection.request(
            "POST", "/api/pictures?name=m.jpg", pieces, {"Cookie": client.cookie},
            encode_chunked=True,
        )  # fmt: skip
        assert connection.getresponse().status == 413
        connection.close()
        assert not list((client.session.folder.path / "incoming").iterdir())
        assert client.json("GET", "/api/pictures")[1] == []


# Many pictures.


def test_many_pictures_are_queued_told_of_and_given_out_as_a_zip(tmp_path):
    with page(tmp_path / "s") as client:
        connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=30)
        connection.request("GET", "/api/events", headers={"Cookie": client.cookie})
        stream = connection.getresponse()
        assert stream.getheader("content-type").startswith("text/event-stream")
        data = MUG.read_bytes()
        names = [
            client.add(data, "mug.jpg", path)["id"]
            for path in ("a/mug.jpg", "a/mug.jpg", "../../b/mug.jpg", "mug.jpg")
        ]
        for name in names:
            assert client.ended(name)["state"] == "done"
        assert [one["id"] for one in client.json("GET", "/api/pictures")[1]] == names
        status, headers, body = client.request("GET", "/api/download.zip?format=webp")
        assert status == 200
        assert headers["content-type"] == "application/zip"
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            assert archive.testzip() is None
            assert sorted(archive.namelist()) == [
                "a/mug-cutout-2.webp", "a/mug-cutout.webp", "b/mug-cutout.webp",
                "mug-cutout.webp",
            ]  # fmt: skip
            with Image.open(io.BytesIO(archive.read("mug-cutout.webp"))) as image:
                assert np.array_equal(np.asarray(image)[..., 3], cut_out().alpha)
        some = client.request("GET", f"/api/download.zip?ids={names[0]},0123456789abcdef")[2]
        with zipfile.ZipFile(io.BytesIO(some)) as archive:
            assert archive.namelist() == ["a/mug-cutout.png", "errors.txt"]
        assert client.request("DELETE", f"/api/pictures/{names[0]}")[0] == 204
        assert client.request("DELETE", "/api/pictures")[0] == 204
        assert client.json("GET", "/api/pictures")[1] == []
        assert not list((client.session.folder.path / "pictures").iterdir())
        assert client.error("GET", "/api/download.zip")[0] == 409
        events = read_events(stream, until=lambda name, _: name == "removed", most=4)
        connection.close()
    assert [name for name, _ in events[:3]] == ["hello", "pictures", "queue"]
    seen = [data for name, data in events if name == "picture" and data["id"] == names[0]]
    states = [one["state"] for one in seen]
    assert states[0] == "queued"
    assert states[-1] == "done"
    assert {one["stage"] for one in seen} >= {"decode", "segment", "refine"}
    progress = [one["progress"] for one in seen]
    assert progress == sorted(progress)
    assert any(data["running"] for name, data in events if name == "queue")


def read_events(stream, *, until, most):
    """(name, data) of events up to `most` that `until` is true of."""
    found, name = [], ""
    ends = time.monotonic() + 60
    for line in stream:
        assert time.monotonic() < ends, found[-3:]  # comments come for ever
        text = line.decode().rstrip("\n")
        if text.startswith("event: "):
            name = text[7:]
        elif text.startswith("data: "):
            found.append((name, json.loads(text[6:])))
            most -= until(*found[-1])
            if most == 0:
                break
    return found


def test_what_waits_is_cancelled_at_once_and_can_be_tried_again(tmp_path):
    with page(tmp_path / "s") as client:
        data = (DATA / "bear.jpg").read_bytes()
        names = [client.add(data, f"{number}.jpg")["id"] for number in range(8)]
        stopped = client.json("POST", f"/api/pictures/{names[-1]}/cancel")[1]
        assert stopped["state"] in ("cancelled", "running")
        assert client.ended(names[-1])["state"] == "cancelled"
        assert client.error("GET", f"/api/pictures/{names[-1]}/download")[0] == 409
        client.json("POST", f"/api/pictures/{names[-1]}/retry")
        for name in names:
            assert client.ended(name)["state"] == "done"


def test_a_full_disk_fails_a_picture_in_words_and_no_other(tmp_path, monkeypatch):
    from nssbg.studio_page.folder import SessionFolder

    keep = SessionFolder.keep_estimate

    def full(self, name, *rest):
        if self.state(name)["name"] == "one.jpg":
            raise OSError(28, "No space left on device", str(self.path))
        keep(self, name, *rest)

    monkeypatch.setattr(SessionFolder, "keep_estimate", full)
    with page(tmp_path / "s") as client:
        one, two = (client.add(MUG.read_bytes(), name)["id"] for name in ("one.jpg", "two.jpg"))
        failed = client.ended(one)
        assert (failed["state"], failed["error"]["kind"]) == ("failed", "storage")
        assert "No space left" in failed["error"]["message"]
        assert client.ended(two)["state"] == "done"
        monkeypatch.setattr(SessionFolder, "free_bytes", lambda self: 1000)
        status, kind, _ = client.error("POST", "/api/pictures?name=x.jpg", MUG.read_bytes())
        assert (status, kind) == (507, "storage")


def test_the_queue_lets_previews_go_first(tmp_path):
    with page(tmp_path / "s") as client:
        first = client.add(MUG.read_bytes())["id"]
        client.ended(first)
        with client.session.hurry():
            began = time.monotonic()
            second = client.add(MUG.read_bytes())["id"]
            client.ended(second)
            # It waited a second in all, and no longer.
            assert 1.0 < time.monotonic() - began < 20.0
        assert client.ended(client.add(MUG.read_bytes())["id"])["state"] == "done"


def test_a_batch_goes_to_the_batch_engine(client, tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("one.jpg", "two.jpg"):
        (tmp_path / "in" / name).write_bytes(MUG.read_bytes())
    (tmp_path / "in" / "bad.jpg").write_bytes(b"no picture")
    order = {"folder": str(tmp_path / "in"), "output": str(tmp_path / "out"), "model": "studio"}
    for wrong in (
        {}, {**order, "folder": "relative"}, {**order, "folder": str(tmp_path / "nowhere")},
        {**order, "profile": "no-such"}, {**order, "model": "/a/b.onnx"}, {**order, "x": 1},
    ):  # fmt: skip
        assert client.error("POST", "/api/batch", wrong)[0] == 422, wrong
    status, begun = client.json("POST", "/api/batch", order)
    assert status == 202
    until = time.monotonic() + 60
    while (state := client.json("GET", "/api/batch")[1])["state"] == "running":
        assert time.monotonic() < until
        time.sleep(0.05)
    assert (state["state"], state["id"]) == ("done", begun["id"])
    assert (state["done"], state["failed"], state["total"]) == (2, 1, 3)
    assert "bad.jpg" in state["failures"][0]["input"]
    assert Path(state["report"]).is_file()
    with Image.open(tmp_path / "out" / "one.png") as image:
        assert np.array_equal(np.asarray(image), cut_out().rgba)
