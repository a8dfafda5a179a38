"""What needs no folder of nssbg's own works without one; damage in it costs time, not commands."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from nssbg._errors import ModelError
from nssbg._json_store import read_json, write_json
from nssbg._models import paths, store
from nssbg._models.catalog import describe
from nssbg._planner import store as plans
from nssbg._planner.candidates import Candidate, Measurement

TOO_LONG = "/tmp/" + "x" * 300


def homes(tmp_path):
    """Values of NSSBG_HOME that cannot be used."""
    (tmp_path / "file").write_text("")
    link = tmp_path / "loop"
    link.symlink_to(link)
    return {
        "nobody": "~nosuchuser/cache",
        "too long": TOO_LONG,
        "a file": str(tmp_path / "file"),
        "below a file": str(tmp_path / "file" / "x"),
        "a loop": str(link),
        "device": os.devnull,
    }


def command(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "nssbg.cli.main", *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=120,
    )


@pytest.mark.parametrize("model", ["nssbg-lite", "studio"])
@pytest.mark.parametrize("kind", ["nobody", "too long", "a file", "below a file", "a loop"])
def test_a_picture_is_cut_out_without_a_home(tmp_path, product, kind, model, monkeypatch):
    source, target = tmp_path / "in.png", tmp_path / "out.png"
    Image.fromarray(product[0]).save(source)
    before = set(tmp_path.iterdir())
    value = homes(tmp_path)[kind]
    monkeypatch.chdir(tmp_path)
    done = command("remove", source, target, "--model", model, NSSBG_HOME=value)
    assert done.returncode == 0, done.stderr
    alpha = np.asarray(Image.open(target))[..., 3]
    assert 0.1 < (alpha > 127).mean() < 0.9
    made = {path.name for path in set(tmp_path.iterdir()) - before}
    assert made == {"out.png", "file", "loop"}, "a folder of that name was made"


@pytest.mark.parametrize("kind", ["nobody", "too long", "a file", "below a file", "a loop"])
def test_doctor_says_it_and_a_pull_says_what_to_try(tmp_path, kind):
    value = homes(tmp_path)[kind]
    told = command("doctor", "nssbg-lite", NSSBG_HOME=value)
    assert told.returncode == 0, told.stderr
    assert f"NONE: NSSBG_HOME={value} cannot be used" in told.stdout
    pulled = command("models", "pull", "u2netp", NSSBG_HOME=value, NSSBG_OFFLINE="1")
    assert pulled.returncode not in (0, 1)
    assert f"NSSBG_HOME={value} cannot be used" in pulled.stderr
    assert "set NSSBG_HOME to a folder" in pulled.stderr
    assert "unexpected" not in pulled.stderr


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
def test_a_forbidden_home(tmp_path, product):
    forbidden = tmp_path / "forbidden"
    forbidden.mkdir(mode=0)
    try:
        source = tmp_path / "in.png"
        Image.fromarray(product[0]).save(source)
        for home in (forbidden, forbidden / "below"):
            done = command("remove", source, tmp_path / "out.png", NSSBG_HOME=str(home))
            assert done.returncode == 0, done.stderr
            (tmp_path / "out.png").unlink()
    finally:
        forbidden.chmod(0o700)


def test_a_user_without_a_home_folder(monkeypatch, tmp_path):
    """A container runs under a bare number: no entry in passwd, no HOME."""
    for key in ("NSSBG_HOME", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(key, raising=False)

    def nobody():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(paths.Path, "home", nobody)
    assert "the user's home folder cannot be used" in paths.home_problem()
    assert not paths.compiled_folder().exists()
    described = describe("u2netp")
    assert paths.known_locations(described)
    assert store.locate(described) is None
    with pytest.raises(ModelError, match="set NSSBG_HOME"):
        store.pull(described)


def test_a_path_of_nobodys_is_no_such_file():
    with pytest.raises(ModelError, match="no such file"):
        describe("~nosuchuser/net.onnx")


DAMAGED = {
    "deep": "[" * 100_000,
    "cut": '{"a": ',
    "bytes": "\x00\x01",
    "a list": "[1, 2]",
    "a number": "7",
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_kept_file_is_ignored_said_and_made_again(tmp_path, kind, caplog):
    path = tmp_path / "plans.json"
    path.write_text(DAMAGED[kind])
    assert plans.load(path, "key") == ()
    assert str(path) in caplog.text
    found = (Measurement(Candidate("openvino", "cpu"), 12.5),)
    plans.store(path, "key", found)
    assert plans.load(path, "key") == found
    assert [item.name for item in tmp_path.iterdir()] == ["plans.json"]


def test_bytes_that_are_no_text(tmp_path):
    path = tmp_path / "plans.json"
    path.write_bytes(b"\xff\xfe{}")
    assert read_json(path) == {}


GOOD = {"candidate": {"backend": "openvino", "device": "cpu"}, "milliseconds": 3.0}


@pytest.mark.parametrize(
    "entry",
    [
        7,
        {"a": 1},
        [None],
        [{**GOOD, "milliseconds": "fast"}],
        [{**GOOD, "milliseconds": float("nan")}],
        [{**GOOD, "milliseconds": -1}],
        [{**GOOD, "candidate": None}],
        [{**GOOD, "candidate": {"backend": 5, "device": "cpu"}}],
        [{**GOOD, "candidate": {"backend": "openvino", "device": "cpu", "threads": "2"}}],
        [{**GOOD, "stranger": 1}],
    ],
)
def test_a_damaged_entry_is_ignored(tmp_path, entry):
    path = tmp_path / "plans.json"
    path.write_text(json.dumps({"key": entry, "other": [GOOD]}))
    assert plans.load(path, "key") == ()
    assert len(plans.load(path, "other")) == 1


@pytest.mark.parametrize("value", [0, -1.0, "fast", None, float("nan"), float("inf")])
def test_damaged_rates_are_not_divided_by(value):
    from dataclasses import asdict

    from nssbg._planner.graph_cost import Rates, _kept_rates

    good = asdict(Rates(1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 2))
    assert _kept_rates(good) is not None
    assert _kept_rates({**good, "bytes": value}) is None
    assert _kept_rates([1]) is None


def test_a_write_that_fails_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "plans.json"
    write_json(path, {"a": 1})

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("nssbg._fs.os.write", full)
    with pytest.raises(OSError, match="No space"):
        write_json(path, {"b": 2})
    assert read_json(path) == {"a": 1}
    assert [item.name for item in tmp_path.iterdir()] == ["plans.json"]
