"""The studio page's enhancement at the moment a result is taken: what is offered, what comes."""

import io
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from image_graphs import sidecar_depth_network, sidecar_network
from PIL import Image

pytest.importorskip("starlette", reason="needs nssbg[studio]")
pytest.importorskip("uvicorn", reason="needs nssbg[studio]")

from studio_client import page

import nssbg
from nssbg import Enhancement
from nssbg._models.paths import catalog_folder
from nssbg._pipeline.enhancing import Enhancer

MUG = Path(__file__).parents[1] / "data" / "mug.jpg"


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NSSBG_HOME", str(tmp_path_factory.mktemp("home")))
        folder = catalog_folder()
        folder.mkdir(parents=True)
        sidecar_network(folder, gain=0.02)
        sidecar_network(folder, "told", scale=1, conditions=("denoise", "deblock"), gain=1.0)
        sidecar_depth_network(folder)
        with page(tmp_path_factory.mktemp("session")) as made:
            yield made


@pytest.fixture(scope="module")
def mug(client):
    made = client.add(MUG.read_bytes())
    assert client.ended(made["id"])["state"] == "done"
    return made["id"]


def saved(client, name, **query):
    words = "&".join(f"{key}={value}" for key, value in query.items())
    return client.pixels(f"/api/pictures/{name}/download?format=png&{words}")[0]


def expected(**options):
    with nssbg.Remover("studio") as remover:
        return remover.cutout(MUG, enhance=Enhancement(order="after", **options))


def test_what_can_enhance_is_offered_and_is_no_method_of_cutting_out(client):
    about = client.json("GET", "/api/about")[1]
    offered = {one["name"]: one for one in about["enhance"]}
    assert (offered["x2"]["upscales"], offered["x2"]["licence"]) == ([1, 2], "MIT")
    assert (offered["x2"]["denoise"], offered["x2"]["deblock"]) == (False, False)
    assert (offered["told"]["denoise"], offered["told"]["deblock"]) == (True, True)
    # Neither depth, nor what is not here.
    assert offered.keys().isdisjoint({"deep", "swinir-light-x2", "nssbg-lite"})
    models = {one["name"] for one in about["models"]}
    assert {"studio", "nssbg-lite"} <= models
    assert models.isdisjoint({"x2", "told", "deep", "swinir-light-x2"})


def test_a_result_is_enhanced_as_it_is_taken_and_stays_what_it_is(client, mug):
    plain = saved(client, mug)
    large = saved(client, mug, enhance="x2", upscale=2)
    assert np.array_equal(large, expected(upscale=2, model="x2").rgba)
    assert large.shape[0] == 2 * plain.shape[0]
    assert np.array_equal(saved(client, mug), plain)
    mask = saved(client, mug, enhance="x2", mask=1)
    assert np.array_equal(mask, large[..., 3])
    # The file's own compression says how strongly, as it does for a file.
    told = saved(client, mug, enhance="told")
    assert np.array_equal(told, expected(model="told").rgba)
    none = saved(client, mug, enhance="told", deblock=0, denoise=0.25)
    assert np.array_equal(none, expected(model="told", deblock=0.0, denoise=0.25).rgba)
    assert not np.array_equal(told, none)


def test_edits_count_and_framing_is_done_at_the_new_size(client, mug):
    edit = {
        "decontaminate": 0,
        "choke": 0.5,
        "corrections": {"strokes": [{"kind": "drop", "radius": 15, "points": [[240, 180]]}]},
        "framing": {"background": "blur", "blur": 0.02},
    }
    assert client.edit(mug, edit)["state"] == "done"
    large = saved(client, mug, enhance="x2")
    assert large.shape == (720, 960, 3)
    session = client.session
    cutout, kept = session.enhanced(mug, Enhancement(model="x2", order="after"))
    output = kept.framing.output(720, 960, session.folder.background)
    assert np.array_equal(large, cutout.render(output))
    assert output.background.radius == pytest.approx(0.02 * 1200)
    # What was painted out stays out, at twice the coordinates.
    assert cutout.alpha[340:380, 460:500].max() == 0
    soft = (cutout.alpha > 0) & (cutout.alpha < 255)
    assert np.array_equal(cutout.rgba[soft][:, :3], cutout.frame.rgb[soft])
    assert client.edit(mug, {})["state"] == "done"


def test_all_of_them_in_a_zip(client, mug):
    status, _, data = client.request("GET", f"/api/download.zip?format=png&ids={mug}&enhance=x2")
    assert status == 200
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.namelist() == ["mug-cutout.png"]
        image = Image.open(io.BytesIO(archive.read("mug-cutout.png")))
        assert image.size == (960, 720)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("enhance=nope", "no network that can enhance here is called 'nope'"),
        ("enhance=deep", "no network that can enhance"),
        ("enhance=/etc/passwd", "no network that can enhance"),
        ("enhance=x2&upscale=3", "upscale can be 1, 2, not 3"),
        ("enhance=x2&upscale=9", "upscale must be one of"),
        ("enhance=x2&upscale=two", "upscale is a whole number"),
        ("enhance=told&denoise=much", "denoise is a number"),
        ("enhance=told&denoise=2", "denoise must be 0.0 to 1.0"),
        ("enhance=x2&denoise=0.5", "cannot be told how strongly to denoise"),
        ("upscale=2", "upscale goes with enhance"),
    ],
)
def test_what_cannot_be_is_told(client, mug, query, words):
    for path in (f"/api/pictures/{mug}/download", "/api/download.zip"):
        status, _, message = client.error("GET", f"{path}?format=png&{query}")
        assert (status, words in message) == (422, True), message
        if "upscale can" in words or "cannot be told" in words:
            break  # of one picture's work, which a ZIP tells in errors.txt


def test_what_would_be_too_large_is_told(client, mug, monkeypatch):
    path = f"/api/pictures/{mug}/download?format=png&enhance=x2"
    results = client.session.results
    with monkeypatch.context() as patch:
        settings = replace(results._enhancing, max_pixels=480 * 360 + 1)
        patch.setattr(results, "_enhancing", settings)
        status, _, message = client.error("GET", path)
        assert status == 415
        assert "mug.jpg: 480 x 360 pixels times 2 a side are more than" in message
    with monkeypatch.context() as patch:
        patch.setattr("nssbg.studio_page.results.available_memory", lambda: 1 << 20)
        status, _, message = client.error("GET", path)
        assert "960 x 720 pixels take more memory than is free" in message
    assert isinstance(Enhancer(results._enhancing, 1), Enhancer)


def test_a_session_for_commercial_use_offers_what_allows_it(tmp_path, monkeypatch):
    monkeypatch.setenv("NSSBG_HOME", str(tmp_path / "home"))
    catalog_folder().mkdir(parents=True)
    sidecar_network(catalog_folder(), gain=0.02, commercial=None)
    from nssbg.studio_page.enhancing import enhancement_from, enhancers

    assert [one["name"] for one in enhancers(None) if one["name"] == "x2"] == ["x2"]
    assert "x2" not in {one["name"] for one in enhancers("commercial")}
    with pytest.raises(nssbg.OptionError, match="no network that can enhance here"):
        enhancement_from({"enhance": "x2"}, "commercial")
    assert enhancement_from({}, None) is None
