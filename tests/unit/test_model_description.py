"""Descriptions, sidecars, the catalog and where models are looked for."""

from __future__ import annotations

import json
import sys
from types import ModuleType

import numpy as np
import pytest

from nssbg._errors import LicenseError, ModelError, OptionError
from nssbg._models import catalog, paths, store
from nssbg._models.fitted import ConfidenceWeights, SelectorWeights
from nssbg._models.postprocess import coarse_alpha
from nssbg._models.sidecar import (
    ModelDescription,
    description_from_mapping,
    find_sidecar,
    read_sidecar,
)


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    home = tmp_path / "home"
    for key in ("REMBG_HOME", "U2NET_HOME", "XDG_DATA_HOME", "HF_HOME", "HF_HUB_CACHE"):
        monkeypatch.delenv(key, raising=False)
    for key in ("NSSBG_LICENSE", "XDG_CACHE_HOME", "NSSBG_OFFLINE", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(key, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setenv("NSSBG_HOME", str(home))
    return home


BASE = {"name": "mine", "file": "mine.onnx", "size": 512}
CONFIDENCE = {"single": [1, 0, 0, 0.0]}
SELECTOR = {key: [0] * 6 for key in ("studio_is_better", "studio_overlap", "network_overlap")}


def test_a_short_entry_is_enough_and_has_imagenets_numbers():
    model = description_from_mapping(BASE, source="entry")
    assert model.size == (512, 512)
    assert model.mean == (0.485, 0.456, 0.406)
    assert (model.activation, model.range, model.output_index) == ("none", "unit", 0)
    assert model.commercial is None
    assert model.path is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colour": 1}, "unknown key colour"),
        ({"name": None}, "name is None"),
        ({"name": "../up"}, "name is"),
        ({"file": "a/b.onnx"}, "without folders"),
        ({"file": "b.bin"}, "expected a .onnx"),
        ({"size": [1, 2, 3]}, "size is"),
        ({"size": 0}, "height is 0"),
        ({"size": "512"}, "size is '512'"),
        ({"mean": [1, 2]}, "mean is"),
        ({"std": 0}, "above 0"),
        ({"filter": "nearest"}, "filter is 'nearest', expected one of box"),
        ({"activation": "softmax"}, "activation is"),
        ({"range": "percent"}, "range is"),
        ({"output_index": 1.5}, "output_index is"),
        ({"commercial": "yes"}, "commercial is"),
        ({"verified": "yes"}, "verified is"),
        ({"checksum": "sha256:12"}, "checksum is"),
        ({"checksum": "crc32:12345678"}, "checksum is"),
        ({"bytes": -1}, "bytes is"),
        ({"aliases": "one"}, "aliases is"),
        ({"confidence": [1, 2, 3, 4]}, "confidence is 'list', expected a table"),
        ({"confidence": {"flip_tta": [0] * 5}}, "confidence.single is missing"),
        ({"confidence": {"single": [0] * 3}}, "confidence.single is no list of 4 numbers"),
        ({"confidence": {"single": [0, 0, 0, "1"]}}, "confidence.single is no list"),
        ({"confidence": {"single": [0, 0, 0, True]}}, "confidence.single is no list"),
        ({"confidence": {"single": [0, 0, 0, 10**400]}}, "confidence.single is no list"),
        ({"confidence": {"single": [0, 0, 0, float("nan")]}}, "confidence.single is no list"),
        ({"confidence": {"single": [0] * 4, "flip_tta": [0] * 4}}, "flip_tta is no list of 5"),
        ({"confidence": {"single": [0] * 4, "both": [0]}}, "confidence: unknown key 'both'"),
        ({"selector": SELECTOR}, "selector stands without confidence"),
        (
            {"confidence": CONFIDENCE, "selector": {"studio_overlap": [0] * 6}},
            "selector.network_overlap is missing",
        ),
    ],
)
def test_what_cannot_be_is_named_with_its_source(change, message):
    with pytest.raises(ModelError) as caught:
        description_from_mapping({**BASE, **change}, source="my.toml")
    assert str(caught.value).startswith("my.toml: ")
    assert message in str(caught.value)


def test_fitted_weights_are_read():
    found = description_from_mapping(
        {**BASE, "confidence": CONFIDENCE, "selector": SELECTOR}, source="x"
    )
    assert found.confidence == ConfidenceWeights(single=(1.0, 0.0, 0.0, 0.0))
    assert found.selector == SelectorWeights(*[(0.0,) * 6] * 3)
    plain = description_from_mapping(BASE, source="x")
    assert (plain.confidence, plain.selector) == (None, None)


def test_only_the_bundled_network_has_fitted_weights():
    fitted = [name for name, model in catalog.catalog().items() if model.confidence]
    assert fitted == ["nssbg-lite"]
    assert catalog.describe("nssbg-lite").selector is not None


@pytest.mark.parametrize("missing", ["name", "file", "size"])
def test_missing_keys_are_named(missing):
    data = {key: value for key, value in BASE.items() if key != missing}
    with pytest.raises(ModelError, match=f"{missing} is missing"):
        description_from_mapping(data, source="x")


@pytest.mark.parametrize("name", ["net.onnx.toml", "net.toml", "net.onnx.json", "net.json"])
def test_a_path_with_a_sidecar_is_a_model(tmp_path, name):
    weights = tmp_path / "net.onnx"
    weights.write_bytes(b"weights")
    content = {"size": [64, 96], "mean": 0.5, "std": 1, "activation": "sigmoid"}
    text = (
        json.dumps(content)
        if name.endswith("json")
        else "size = [64, 96]\nmean = 0.5\nstd = 1\nactivation = 'sigmoid'\n"
    )
    (tmp_path / name).write_text(text)
    model = catalog.find_model(weights)
    assert (model.name, model.path, model.size) == ("net", weights, (64, 96))
    assert (model.mean, model.std, model.activation) == ((0.5,) * 3, (1.0,) * 3, "sigmoid")
    assert find_sidecar(weights) == tmp_path / name


def test_a_path_without_a_sidecar_says_what_is_missing_unless_the_catalog_knows_it(tmp_path):
    weights = tmp_path / "net.onnx"
    with pytest.raises(ModelError, match="no such file"):
        catalog.find_model(weights)
    weights.write_bytes(b"x")
    with pytest.raises(ModelError, match=r"sidecar beside it, net\.onnx\.toml"):
        catalog.find_model(weights)
    other = tmp_path / "net.pt"
    other.write_bytes(b"x")
    with pytest.raises(ModelError, match=r"expected \.onnx"):
        catalog.find_model(other)
    known = tmp_path / "BiRefNet-general-epoch_244.onnx"
    known.write_bytes(b"x")
    assert catalog.find_model(known).name == "birefnet-general"


def test_broken_sidecars_are_model_errors(tmp_path):
    for name, text in (("a.toml", "size = ["), ("b.json", "{"), ("c.json", "[1]")):
        path = tmp_path / name
        path.write_text(text)
        with pytest.raises(ModelError, match=name):
            read_sidecar(path)


def test_the_builtin_catalog_is_complete():
    models = catalog.builtin_catalog()
    wanted = {
        *("u2net", "u2netp", "u2net-human-seg", "silueta", "isnet-general-use", "isnet-anime"),
        *("birefnet-general", "birefnet-general-lite", "birefnet-portrait", "birefnet-dis"),
        *("birefnet-hrsod", "birefnet-cod", "birefnet-massive", "birefnet-hr", "rmbg-1.4"),
        *("rmbg-2.0", "modnet", "ben2", "realesr-general-x4v3", "realesrgan-x2plus"),
        *("swinir-light-x2", "nafnet-sidd-width32", "scunet-psnr", "depth-anything-v2-small"),
        "midas-small",
    }
    assert wanted <= set(models)
    for model in models.values():
        assert model.url.startswith("https://") or model.npm is not None, model.name
        assert model.license, model.name
        assert model.summary, model.name
        assert model.checksum or not model.url.endswith(".onnx"), model.name
    files = [model.file for model in models.values()]
    assert len(files) == len(set(files))
    names = [name for model in models.values() for name in (model.name, *model.aliases)]
    assert len(names) == len(set(names))


def test_families_are_read_as_they_are_published():
    models = catalog.builtin_catalog()
    read = {name: (m.output_index, m.activation, m.range) for name, m in models.items()}
    assert read["u2netp"] == (0, "none", "minmax")
    assert read["rmbg-1.4"] == (0, "none", "minmax")
    assert read["birefnet-general-lite"] == (-1, "sigmoid", "unit")
    assert read["rmbg-2.0"] == (-1, "none", "unit")  # a second sigmoid would grey it
    assert read["modnet"] == (0, "none", "unit")
    assert not models["ben2"].verified


def test_names_aliases_and_near_misses():
    assert catalog.find_model("bria-rmbg").name == "rmbg-2.0"
    assert catalog.find_model("u2net_human_seg").name == "u2net-human-seg"
    with pytest.raises(ModelError, match="near it: u2netp"):
        catalog.find_model("u2netpp")


def test_models_of_ones_own_folder_and_entry_points_go_by_name(
    own_home, tmp_path, monkeypatch, caplog
):
    folder = own_home / "catalog"
    folder.mkdir(parents=True)
    (folder / "mine.onnx").write_bytes(b"x")
    (folder / "mine.toml").write_text("name = 'mine'\nfile = 'mine.onnx'\nsize = 64\n")
    (folder / "broken.toml").write_text("size = 3")
    (folder / "u2netp.toml").write_text("name = 'u2netp'\nfile = 'own.onnx'\nsize = 64\n")
    assert catalog.find_model("mine").path == folder / "mine.onnx"
    assert catalog.find_model("u2netp").size == (64, 64)
    assert "broken.toml" in caplog.text

    module = ModuleType("their_models")
    module.models = lambda: [{"name": "theirs", "file": "theirs.onnx", "size": 96}]
    module.bad = lambda: 1 / 0
    monkeypatch.setitem(sys.modules, "their_models", module)
    site = tmp_path / "site"
    info = site / "their-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[nssbg.models]\ngood = their_models:models\nbad = their_models:bad\n"
    )
    monkeypatch.syspath_prepend(str(site))
    assert catalog.find_model("theirs").size == (96, 96)
    assert {"theirs", "mine", "rmbg-2.0"} <= set(catalog.catalog())
    assert "entry point bad" in caplog.text


def fill(path, content=b"weights"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


SMALL = ModelDescription(
    name="small-net",
    file="small-net.onnx",
    height=8,
    width=8,
    url="https://huggingface.co/owner/repo/resolve/main/onnx/model.onnx",
    bytes=7,
    checksum="sha256:9bd4ff1b3e7c02d7e3b6e4eba0e9e2ba4d7a0d6ce4c7d4a1ad25e8a1a2b1ae5d",
    aliases=("small_net",),
)


@pytest.fixture
def small():
    import hashlib
    from dataclasses import replace

    return replace(SMALL, checksum="sha256:" + hashlib.sha256(b"weights").hexdigest())


@pytest.mark.parametrize(
    ("key", "value", "place"),
    [
        (None, "", "home/models/small-net.onnx"),
        (None, "", "user/.u2net/small-net.onnx"),
        (None, "", "user/.u2net/small_net.onnx"),
        (None, "", "user/.rembg/models/small-net/small-net.onnx"),
        ("REMBG_HOME", "r", "r/models/small-net/small-net.onnx"),
        ("U2NET_HOME", "u", "u/small_net.onnx"),
        ("XDG_DATA_HOME", "d", "d/rembg/models/small-net/small-net.onnx"),
        (
            None,
            "",
            "user/.cache/huggingface/hub/models--owner--repo/snapshots/abc/onnx/model.onnx",
        ),
        ("HF_HOME", "hf", "hf/hub/models--owner--repo/snapshots/abc/onnx/model.onnx"),
        ("HF_HUB_CACHE", "hub", "hub/models--owner--repo/snapshots/abc/onnx/model.onnx"),
    ],
)
def test_weights_that_are_there_already_are_found(tmp_path, monkeypatch, small, key, value, place):
    assert store.locate(small) is None
    if key:
        monkeypatch.setenv(key, str(tmp_path / value))
    path = fill(tmp_path / place)
    assert store.locate(small) == path


def test_wrong_weights_elsewhere_are_passed_over_and_in_the_own_folder_an_error(
    tmp_path, small, caplog
):
    elsewhere = fill(tmp_path / "user" / ".u2net" / "small-net.onnx", b"WEIGHTS")
    assert store.locate(small) is None
    assert "has checksum sha256:" in caplog.text
    fill(elsewhere, b"longer weights")
    assert store.locate(small) is None
    assert "has 14 bytes" in caplog.text
    fill(paths.models_folder() / "small-net.onnx", b"WEIGHTS")
    with pytest.raises(ModelError, match="has checksum sha256:"):
        store.locate(small)


def test_a_checked_file_is_not_hashed_again_until_it_changes(tmp_path, small, monkeypatch):
    path = fill(tmp_path / "user" / ".u2net" / "small-net.onnx")
    assert store.locate(small) == path
    hashed = []
    real = store.hash_file
    monkeypatch.setattr(store, "hash_file", lambda *a: hashed.append(a) or real(*a))
    assert store.locate(small) == path
    assert hashed == []
    path.write_bytes(b"WEIGHTS")
    assert store.locate(small) is None
    assert len(hashed) == 1


def test_the_licence_gate(monkeypatch):
    models = catalog.builtin_catalog()
    store.check_license(models["rmbg-2.0"])
    store.check_license(models["u2netp"], "commercial")
    with pytest.raises(LicenseError, match=r"not allowed: CC-BY-NC-4\.0"):
        store.check_license(models["rmbg-2.0"], "commercial")
    with pytest.raises(LicenseError, match="not settled"):
        store.check_license(models["isnet-anime"], "commercial")
    monkeypatch.setenv("NSSBG_LICENSE", "commercial")
    with pytest.raises(LicenseError):
        store.check_license(models["rmbg-1.4"])
    store.check_license(models["rmbg-1.4"], "any")
    with pytest.raises(OptionError, match="license is 'comercial'"):
        store.check_license(models["u2netp"], "comercial")
    monkeypatch.setenv("NSSBG_LICENSE", "yes")
    with pytest.raises(OptionError, match="NSSBG_LICENSE is 'yes'"):
        store.check_license(models["u2netp"])


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [
        (512, 512, (512, 512)),
        (1024, 2048, (512, 1024)),
        (3000, 2000, (768, 512)),
        (400, 600, (384, 576)),  # sides on both sides of 512 keep their size
        (100, 50, (1024, 512)),
        (1, 1, (512, 512)),
    ],
)
def test_modnet_keeps_proportions_in_multiples_of_32(height, width, expected):
    assert catalog.describe("modnet").input_size(height, width) == expected
    assert catalog.describe("u2netp").input_size(height, width) == (320, 320)


def test_coarse_alpha_of_logits_probabilities_and_stretched_maps():
    model = description_from_mapping({**BASE, "activation": "sigmoid"}, source="x")
    logits = np.array([[-200.0, -1.0, 0.0, 1.0, 200.0]], np.float32)
    expected = 1 / (1 + np.exp(-logits.astype(np.float64)))
    np.testing.assert_allclose(coarse_alpha(logits.copy(), model), expected, atol=1e-6)

    plain = description_from_mapping(BASE, source="x")
    np.testing.assert_array_equal(
        coarse_alpha(np.array([[-0.5, 0.25, 1.5]], np.float32), plain), [[0, 0.25, 1]]
    )
    stretched = description_from_mapping({**BASE, "range": "minmax"}, source="x")
    two = np.array([[[0.2, 0.3, 0.4]], [[5.0, 6.0, 9.0]]], np.float32)
    np.testing.assert_allclose(
        coarse_alpha(two, stretched), [[[0, 0.5, 1]], [[0, 0.25, 1]]], atol=1e-6
    )


def test_coarse_alpha_of_constant_and_broken_maps_is_finite():
    stretched = description_from_mapping({**BASE, "range": "minmax"}, source="x")
    np.testing.assert_array_equal(
        coarse_alpha(np.full((1, 2, 2), 0.25, np.float32), stretched), np.full((1, 2, 2), 0.25)
    )
    broken = np.array([[np.nan, np.inf, -np.inf, 0.5]], np.float32)
    for keys in ({}, {"activation": "sigmoid"}, {"range": "minmax"}):
        alpha = coarse_alpha(broken.copy(), description_from_mapping({**BASE, **keys}, source="x"))
        assert np.isfinite(alpha).all()
        assert alpha.min() >= 0
        assert alpha.max() <= 1


def test_coarse_alpha_leaves_a_read_only_map_alone():
    output = np.array([[1.0, 2.0]], np.float32)
    output.flags.writeable = False
    coarse_alpha(output, description_from_mapping({**BASE, "activation": "sigmoid"}, source="x"))
    np.testing.assert_array_equal(output, [[1, 2]])
