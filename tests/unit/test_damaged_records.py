"""Files that nssbg keeps for itself, or reads about models, damaged in ways that parsers hate."""

import json

import pytest

from nssbg import ModelError
from nssbg._json_store import read_json
from nssbg._models.sidecar import read_sidecar
from nssbg._planner import store

DEEP = "[" * 100_000 + "]" * 100_000


@pytest.mark.parametrize("suffix", [".json", ".toml"])
def test_a_sidecar_nested_beyond_reason_is_one_clear_error(tmp_path, suffix):
    path = tmp_path / f"model{suffix}"
    path.write_text(DEEP if suffix == ".json" else f"size = {DEEP}")
    with pytest.raises(ModelError, match=f"model{suffix}.*nested too deeply") as caught:
        read_sidecar(path)
    assert "\n" not in str(caught.value)


def test_an_error_about_a_long_value_stays_one_short_line(tmp_path):
    path = tmp_path / "model.json"
    for wrong in ({"x\n" * 3000: 1}, {"mean": [list(range(9)) * 900]}, {"license": [1] * 9000}):
        path.write_text(json.dumps({"name": "m", "file": "m.onnx", "size": 8, **wrong}))
        with pytest.raises(ModelError) as caught:
            read_sidecar(path)
        said = str(caught.value)
        assert str(path) in said
        assert "\n" not in said
        assert len(said) < len(str(path)) + 500


@pytest.mark.parametrize("text", [DEEP, '{"key": ' + DEEP + "}", "[]", "3", "\0", ""])
def test_plans_that_are_no_plans_count_as_none(tmp_path, text):
    path = tmp_path / "plans.json"
    path.write_text(text)
    assert store.load(path, "key") == ()
    store.store(path, "key", ())
    assert json.loads(path.read_text()) == {"key": []}


@pytest.mark.parametrize("text", [DEEP, "[]", "3", "\0"])
def test_records_that_are_none_are_taken_again(tmp_path, text):
    path = tmp_path / "stamps.json"
    path.write_text(text)
    assert read_json(path) == {}
    assert not path.exists()
