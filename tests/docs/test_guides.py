"""Every ```python block of the guides runs, in order, on the pictures of tests/data."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "tests" / "data"
GUIDES = sorted(
    path
    for path in [*(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "guides").glob("*.md")]
    if "```python\nimport nssbg\n" in path.read_text() or path.parent.name == "guides"
)
# Pages whose blocks are fragments: they name arrays of the reader's.
FRAGMENTS = {"colour.md", "refine.md"}


def blocks(text):
    return re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S)


RUN = [path for path in GUIDES if path.name not in FRAGMENTS and blocks(path.read_text())]


def test_the_guides_are_found():
    assert {"quickstart.md", "batches.md", "from-rembg.md", "models.md"} <= {p.name for p in RUN}


@pytest.mark.parametrize("path", RUN, ids=lambda path: path.name)
def test_the_code_of_a_guide_runs(path, tmp_path, monkeypatch):
    shoot = tmp_path / "shoot"
    shoot.mkdir()
    for image in PICTURES.glob("*.jpg"):
        shutil.copy(image, tmp_path)
    for name in ("bear.jpg", "mug.jpg"):
        shutil.copy(PICTURES / name, shoot)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NSSBG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NSSBG_OFFLINE", "1")
    monkeypatch.delenv("NSSBG_LICENSE", raising=False)
    names: dict[str, object] = {"__name__": "guide"}
    text = path.read_text()
    for number, code in enumerate(blocks(text), 1):
        exec(compile(code, f"{path.name}, block {number}", "exec"), names)


def test_the_sidecar_of_the_guide_is_read(tmp_path):
    """Every key of it, by the package's own strict reader."""
    from nssbg._models.sidecar import read_sidecar

    text = (ROOT / "docs" / "third-party-models.md").read_text()
    (sidecar,) = [
        b for b in re.findall(r"^```toml\n(.*?)^```$", text, re.M | re.S) if "mean =" in b
    ]
    path = tmp_path / "mynet.onnx.toml"
    path.write_text(sidecar)
    described = read_sidecar(path, weights=tmp_path / "mynet.onnx")
    assert (described.name, described.height, described.flip_tta) == ("mynet", 1024, False)
