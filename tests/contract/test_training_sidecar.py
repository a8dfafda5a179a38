"""What training/export.py writes beside the weights is read to the values of the bundled file.

Weights of confidence and selector are fitted afterwards (training/calibrate.py, choose.py), and the
int8 form is measured (evaluate_int8.py)."""

from __future__ import annotations

import ast
from dataclasses import fields
from pathlib import Path

from nssbg._models.sidecar import read_sidecar

ROOT = Path(__file__).parents[2]
BUNDLED = ROOT / "python" / "nssbg" / "_models" / "bundled"


def test_the_exported_sidecar_is_read_and_is_the_bundled_one(tmp_path):
    tree = ast.parse((ROOT / "training" / "export.py").read_text())
    (template,) = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and "checksum =" in node.value
    ]
    shipped = read_sidecar(BUNDLED / "nssbg-lite.toml", weights=BUNDLED / "nssbg-lite.onnx")
    text = template.format(side=384, size=shipped.bytes, digest=shipped.checksum.partition(":")[2])
    path = tmp_path / "nssbg-lite.toml"
    path.write_text(text)
    written = read_sidecar(path, weights=BUNDLED / "nssbg-lite.onnx")
    for field in fields(written):
        if field.name not in ("confidence", "selector", "int8"):
            assert getattr(written, field.name) == getattr(shipped, field.name), field.name
