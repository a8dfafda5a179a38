"""What `make web` says of the bundled networks in the site: nothing of files that are not there."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest

WEB = Path(__file__).resolve().parents[2] / "web"


@pytest.fixture
def build(monkeypatch, tmp_path):
    """web/build.py, which writes into a folder of the test's."""
    monkeypatch.setattr(sys, "path", [str(WEB), *sys.path])
    spec = importlib.util.spec_from_file_location("web_build", WEB / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "DIST", tmp_path)
    return module


def named_files(told):
    """Every `file` of a sidecar's JSON, at any depth."""
    for key, value in told.items():
        if isinstance(value, dict):
            yield from named_files(value)
        elif key == "file":
            yield value


def test_every_file_that_the_sites_sidecars_name_is_in_the_site(build, tmp_path):
    build.copy_models()
    models = tmp_path / "models"
    told = [json.loads(path.read_text()) for path in sorted(models.glob("*.json"))]
    assert "nssbg-lite.onnx" in {one["file"] for one in told}
    named = [name for one in told for name in named_files(one)]
    assert [name for name in named if not (models / name).is_file()] == []
