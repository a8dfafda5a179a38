"""Pulling weights from a server on this machine that truncates, stalls, redirects and lies."""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from model_server import ModelServer

from nssbg._errors import LicenseError, ModelError
from nssbg._models import download as room
from nssbg._models import first_contact, paths, store
from nssbg._models.sidecar import ModelDescription

CONTENT = np.random.default_rng(0).integers(0, 256, 1_500_000, np.uint8).tobytes()


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    for key in list(os.environ):
        if key.lower().endswith("_proxy") or key.startswith(("HF_", "NSSBG_", "HUGGING", "REMBG")):
            monkeypatch.delenv(key)
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setenv("NSSBG_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(room.time, "sleep", lambda seconds: None)


@pytest.fixture
def server():
    other = ModelServer(CONTENT)
    one = ModelServer(CONTENT, other)
    yield one
    one.close()
    other.close()


def model(server, path, **keys) -> ModelDescription:
    described = ModelDescription(
        name="net",
        file="net.onnx",
        height=8,
        width=8,
        license="MIT",
        commercial=True,
        url=f"{server.url}/{path}/net.onnx",
        bytes=len(CONTENT),
        checksum="sha256:" + hashlib.sha256(CONTENT).hexdigest(),
    )
    return replace(described, **keys)


def stored() -> list[str]:
    folder = paths.models_folder()
    return sorted(p.name for p in folder.iterdir() if p.name != ".net.onnx.lock")


@pytest.mark.parametrize(
    "path", ["ok", "plain", "move/ok", "away/ok", "move/move/ok", "short", "drop", "busy"]
)
def test_arrives_whole(server, path):
    seen = []
    got = store.pull(model(server, path), progress=lambda done, total: seen.append((done, total)))
    assert got == paths.models_folder() / "net.onnx"
    assert got.read_bytes() == CONTENT
    assert stored() == ["net.onnx"]
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    requests = len(server.requests)
    assert store.pull(model(server, path)) == got  # here already: nothing is asked
    assert len(server.requests) == requests


def test_a_stalled_connection_is_given_up_and_gone_on_with(server):
    assert store.pull(model(server, "stall"), timeout=0.3).read_bytes() == CONTENT
    ranges = [headers.get("Range") for _, headers in server.requests]
    assert ranges == [None, f"bytes={len(CONTENT) // 3}-"]


def test_an_earlier_processs_part_is_gone_on_with(server):
    folder = paths.models_folder()
    folder.mkdir(parents=True)
    (folder / "net.onnx.part").write_bytes(CONTENT[:1000])
    assert store.pull(model(server, "ok")).read_bytes() == CONTENT
    assert server.requests[0][1]["Range"] == "bytes=1000-"


def test_a_part_longer_than_the_file_starts_again(server):
    folder = paths.models_folder()
    folder.mkdir(parents=True)
    (folder / "net.onnx.part").write_bytes(CONTENT + b"more")
    assert store.pull(model(server, "ok")).read_bytes() == CONTENT


def test_a_part_of_unknown_length_that_the_server_refuses_starts_again(server):
    folder = paths.models_folder()
    folder.mkdir(parents=True)
    (folder / "net.onnx.part").write_bytes(CONTENT + b"more")
    assert store.pull(model(server, "ok", bytes=0)).read_bytes() == CONTENT


def test_wrong_bytes_are_refused_and_thrown_away(server):
    with pytest.raises(ModelError) as caught:
        store.pull(model(server, "wrong"))
    wrong = hashlib.sha256(bytes(255 - byte for byte in CONTENT)).hexdigest()
    assert f"sha256:{wrong}" in str(caught.value)
    assert "expected sha256:" in str(caught.value)
    assert stored() == []


def test_a_poisoned_part_does_not_block_for_ever(server):
    folder = paths.models_folder()
    folder.mkdir(parents=True)
    (folder / "net.onnx.part").write_bytes(b"x" * 1000)
    with pytest.raises(ModelError, match="checksum"):
        store.pull(model(server, "ok"))
    assert store.pull(model(server, "ok")).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("gone", "HTTP 404"),
        ("refuse", "HTTP 403, access refused"),
        ("longer", "expected 1,500,000"),
        ("loop", "HTTP 302"),
        ("file", "(?s)redirects to file|HTTP 302"),
    ],
)
def test_what_another_try_cannot_mend_fails_at_once(server, path, message):
    with pytest.raises(ModelError, match=message):
        store.pull(model(server, path))
    assert stored() == []
    assert len(server.requests) <= 11


def test_gives_up_in_the_end_and_keeps_what_came(server, monkeypatch):
    with pytest.raises(ModelError, match=r"gave up after 2 tries in a row"):
        store.pull(model(server, "busy"), retries=1, timeout=1)
    with pytest.raises(ModelError, match="expected an http"):
        store.pull(model(server, "ok", url="ftp://127.0.0.1/net.onnx"))


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://127.0.0.1:9/ok/net.onnx", "refused"),
        ("https://no-such-host.invalid/net.onnx", "looked up"),
    ],
)
def test_a_host_that_cannot_be_reached_is_given_up_at_once(server, url, reason, monkeypatch):
    waited = []
    monkeypatch.setattr(room.time, "sleep", waited.append)
    began = time.monotonic()
    with pytest.raises(ModelError, match="cannot be reached") as caught:
        store.pull(model(server, "ok", url=url))
    assert time.monotonic() - began + sum(waited) < 8  # a look-up itself may take 6 s
    assert sum(waited) <= 1
    told = str(caught.value)
    assert reason in told
    for way in ("nssbg models pull net", "NSSBG_MODEL_MIRROR", "NSSBG_OFFLINE=1", "a path"):
        assert way in told


def test_no_answer_at_all_is_given_up_in_seconds(server, monkeypatch):
    released = threading.Event()
    # A dead name server: the C library would wait for it three times as long.
    monkeypatch.setattr(first_contact, "_SECONDS", 0.2)
    monkeypatch.setattr(first_contact.socket, "getaddrinfo", lambda *_: [released.wait(3)])
    began = time.monotonic()
    with pytest.raises(ModelError, match="no name server answers"):
        store.pull(model(server, "ok", url="https://host.example/net.onnx"))
    took = time.monotonic() - began
    released.set()
    assert took < 2


def test_a_link_that_breaks_later_is_waited_for(server, monkeypatch):
    """Once something has come, a host that is gone for a while may come back."""
    real, turns = first_contact._connected, []

    def flaky(*args, **keys):
        turns.append(1)
        if len(turns) in (2, 3, 4):
            raise ConnectionRefusedError(errno.ECONNREFUSED, "refused")
        return real(*args, **keys)

    monkeypatch.setattr(first_contact, "_connected", flaky)
    got = store.pull(model(server, "drop"))
    assert got.read_bytes() == CONTENT
    assert len(turns) > 4


def test_tokens_go_to_the_mirror_and_no_further(server, monkeypatch):
    monkeypatch.setenv("NSSBG_MODEL_MIRROR", f"{server.url}/away/ok")
    monkeypatch.setenv("HF_TOKEN", "secret")
    described = model(server, "ok", url="https://huggingface.co/o/r/resolve/main/net.onnx")
    # Both servers are 127.0.0.1: ports tell them apart, as hosts would.
    assert store.pull(described).read_bytes() == CONTENT
    assert server.requests[0][0] == "/away/ok/o/r/resolve/main/net.onnx"
    assert server.requests[0][1]["Authorization"] == "Bearer secret"
    assert server.other is not None
    assert "Authorization" not in server.other.requests[0][1]


def test_tokens_are_not_sent_to_other_hosts(server, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "secret")
    store.pull(model(server, "ok"))
    assert "Authorization" not in server.requests[0][1]


def test_proxies_of_the_environment_are_used(server, monkeypatch):
    monkeypatch.setenv("http_proxy", server.url)
    described = model(server, "ok", url="http://models.invalid/ok/net.onnx")
    assert store.pull(described).read_bytes() == CONTENT
    assert server.requests[0][1]["Host"] == "models.invalid"


@pytest.mark.parametrize("key", ["NSSBG_OFFLINE", "HF_HUB_OFFLINE"])
def test_offline_asks_nothing_and_says_where_to_put_the_file(server, monkeypatch, key):
    monkeypatch.setenv(key, "1")
    with pytest.raises(ModelError) as caught:
        store.pull(model(server, "ok"))
    assert str(paths.models_folder() / "net.onnx") in str(caught.value)
    assert server.requests == []


def test_the_licence_is_asked_before_the_network(server):
    with pytest.raises(LicenseError):
        store.pull(model(server, "ok", commercial=False), license="commercial")
    assert server.requests == []


def test_verify_and_remove(server):
    described = model(server, "ok")
    path = store.pull(described)
    assert store.verify(described, path).ok is True
    path.write_bytes(CONTENT[:-1] + b"?")
    result = store.verify(described, path)
    assert result.ok is False
    assert result.got != result.expected
    with pytest.raises(ModelError, match="checksum"):
        store.pull(described)
    assert store.remove(described) == [path]
    assert store.remove(described) == []
    assert store.pull(described).read_bytes() == CONTENT


def test_a_full_or_read_only_place_is_a_model_error(server, monkeypatch, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("NSSBG_HOME", str(blocked))
    with pytest.raises(ModelError, match="not a folder"):
        store.pull(model(server, "ok"))
    (tmp_path / "models").write_text("")
    monkeypatch.setenv("NSSBG_HOME", str(tmp_path))
    with pytest.raises(ModelError, match="cannot be written"):
        store.pull(model(server, "ok"))


_PULL = """
import sys
from nssbg._models import store
from nssbg._models.sidecar import ModelDescription
url, checksum, length = sys.argv[1:]
model = ModelDescription(name="net", file="net.onnx", height=8, width=8, url=url,
                         bytes=int(length), checksum=checksum)
print(store.pull(model))
"""


def test_two_processes_pull_the_same_model_once(server):
    described = model(server, "ok")
    command = [sys.executable, "-c", _PULL, described.url, described.checksum, str(len(CONTENT))]
    started = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    told = [process.communicate(timeout=60) for process in started]
    assert [process.returncode for process in started] == [0, 0, 0], told
    assert {out.strip() for out, _ in told} == {str(paths.models_folder() / "net.onnx")}
    assert (paths.models_folder() / "net.onnx").read_bytes() == CONTENT
    assert len(server.requests) == 1
