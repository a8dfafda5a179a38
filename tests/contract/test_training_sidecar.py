"""What training writes beside the weights is read to the values of the bundled files.

Weights of confidence and selector are fitted afterwards (training/calibrate.py, choose.py), and the
int8 form is measured (evaluate_int8.py)."""

from __future__ import annotations

import ast
from dataclasses import fields
from pathlib import Path

import pytest

from nssbg._enhance import jpeg_quality
from nssbg._models.sidecar import read_sidecar

ROOT = Path(__file__).parents[2]
BUNDLED = ROOT / "python" / "nssbg" / "_models" / "bundled"


def template_of(source):
    """The text with "checksum =" in it of a module that cannot be imported here."""
    (template,) = [
        node.value
        for node in ast.walk(ast.parse(source.read_text()))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and "checksum =" in node.value
    ]
    return template


def test_the_exported_sidecar_is_read_and_is_the_bundled_one(tmp_path):
    template = template_of(ROOT / "training" / "export.py")
    shipped = read_sidecar(BUNDLED / "nssbg-lite.toml", weights=BUNDLED / "nssbg-lite.onnx")
    text = template.format(side=384, size=shipped.bytes, digest=shipped.checksum.partition(":")[2])
    path = tmp_path / "nssbg-lite.toml"
    path.write_text(text)
    written = read_sidecar(path, weights=BUNDLED / "nssbg-lite.onnx")
    for field in fields(written):
        if field.name not in ("confidence", "selector", "int8"):
            assert getattr(written, field.name) == getattr(shipped, field.name), field.name


@pytest.mark.parametrize("name", ["nssbg-restore", "nssbg-x2"])
def test_the_sidecar_of_an_enhancement_network_is_the_bundled_one(name, tmp_path):
    source = ROOT / "training" / "enhance" / "export.py"
    shipped = read_sidecar(BUNDLED / f"{name}.toml")
    text = template_of(source).format(
        name=name,
        summary=shipped.summary,
        scale=shipped.scale,
        unit=shipped.multiple,
        overlap=shipped.overlap,
        size=shipped.bytes,
        digest=shipped.checksum.partition(":")[2],
    )
    assert text == (BUNDLED / f"{name}.toml").read_text()
    assert shipped.summary in source.read_text()


def test_the_networks_learnt_the_strengths_that_auto_tells_them():
    """Qualities that deblock = 0 and = 1 stand for: training has a copy, as it has no nssbg."""
    text = (ROOT / "training" / "enhance" / "degradations.py").read_text()
    line = f"CLEAN_QUALITY, WORST_QUALITY = {jpeg_quality._CLEAN}, {jpeg_quality._WORST}"
    assert line in text
