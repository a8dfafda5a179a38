"""Tests of the open 3D models: files are read as they are, frames have alpha where the model is."""

from __future__ import annotations

import io
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
mi = pytest.importorskip("mitsuba")

import memmap_dataset  # noqa: E402
import open_models  # noqa: E402

# A unit square of two materials, one face given as a quadrilateral with negative numbers.
OBJ = """mtllib board.mtl
v 0 0 0
v 0 0 2
v 0 4 2
v 0 4 0
vt 0 0
vt 1 0
vt 1 1
vt 0 1
usemtl painted
f 1/1 2/2 3/3
usemtl plain
f -4 -2 -1
"""
MTL = "newmtl painted\nKd 1 1 1\nmap_Kd Board.png\nnewmtl plain\nKd 0.8 0.1 0.1\nd 1\n"
CATALOGUE = (
    "name#1=Board\ncategory#1=Office\nmodel#1=/made/board.obj\n"
    "name#2=Door\ncategory#2=Doors and windows\nmodel#2=/made/door.obj\n"
    "name#3=Scene\ncategory#3=Office\nmodel#3=/made/scene.dae\n"
)


@pytest.fixture
def library(tmp_path: Path) -> Path:
    stream = io.BytesIO()
    Image.fromarray(np.full((8, 8, 4), (20, 200, 40, 255), np.uint8)).save(stream, "PNG")
    with zipfile.ZipFile(tmp_path / "Made.sh3f", "w") as archive:
        archive.writestr("PluginFurnitureCatalog.properties", CATALOGUE)
        archive.writestr("made/board.obj", OBJ)
        archive.writestr("made/board.mtl", MTL)
        archive.writestr("made/board.png", stream.getvalue())
    return tmp_path


class Surfaces:
    """A bank of one grey picture."""

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> np.ndarray:
        return np.full((64, 64, 3), 128, np.uint8)


def test_things_are_taken_and_doors_are_not(library: Path) -> None:
    found = open_models.models(library)
    assert [(model.identifier, model.category) for model in found] == [
        ("Made/made/board.obj", "Office")
    ]
    with pytest.raises(FileNotFoundError, match="sweethome3d-furniture"):
        open_models.models(library / "nothing")


def test_faces_of_every_form_are_read() -> None:
    arrays, parts, files = open_models._lists(OBJ)
    assert files == ["board.mtl"]
    assert {part.material: part.corners for part in parts} == {
        "painted": [(0, 0, -1), (1, 1, -1), (2, 2, -1)],
        "plain": [(0, -1, -1), (2, -1, -1), (3, -1, -1)],
    }
    assert arrays["v"].shape == (4, 3)
    assert open_models._materials(MTL)["painted"]["map_Kd"] == ["Board.png"]


def test_a_frame_shows_the_model_its_colours_and_nothing_else(
    library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_models.Furnisher, "chance", lambda self, probability: False)
    (model,) = open_models.models(library)
    studio = open_models.Furnisher(3, Surfaces())
    parts, (middle, reach) = studio.model(model)
    assert len(parts) == 2
    assert middle < reach < 1.0
    # The middle of every range looks along x, at the whole board.
    monkeypatch.setattr(studio, "between", lambda low, high: (low + high) / 2)
    frame = studio.shot(parts, (middle, reach))
    alpha = frame[..., 3]
    assert frame.shape == (256, 256, 5)
    assert 0.03 < (alpha > 128).mean() < 0.6
    assert alpha[0].max() == alpha[:, 0].max() == 0
    held = alpha > 250
    green = (frame[..., 1] > 1.5 * frame[..., 0].astype(int)) & held
    red = (frame[..., 0] > 1.5 * frame[..., 1].astype(int)) & held
    assert green.sum() > 0.2 * held.sum()
    assert red.sum() > 0.2 * held.sum()


def test_a_run_that_stopped_renders_only_what_is_missing(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NSSBG_TRAINING_WORK", str(tmp_path / "work"))
    made: list[object] = []

    def shot(self: object, parts: object, around: object = None) -> memmap_dataset.Pixels:
        made.append(around)
        return np.full((16, 16, 5), 255, np.uint8)

    monkeypatch.setattr(open_models.Furnisher, "shot", shot)
    chosen = open_models.models(library)
    first = list(open_models.items(chosen, 2, Surfaces()))
    again = list(open_models.items(chosen, 2, Surfaces()))
    assert [one[0] for one in first] == [one[0] for one in again]
    assert [one[0] for one in first] == ["Made/made/board.obj#0", "Made/made/board.obj#1"]
    assert len(made) == 2
    assert memmap_dataset.work_folder() == tmp_path / "work"
