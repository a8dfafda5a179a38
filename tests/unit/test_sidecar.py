"""Corrections beside a picture: found, read, and refused with the file's name."""

import numpy as np
import pytest
from PIL import Image

from nssbg import Corrections, OptionError
from nssbg.batch.sidecar import corrections_for, read_corrections


def beside(folder, text, name="a.jpg"):
    source = folder / name
    (folder / f"{name}.nssbg.toml").write_text(text, encoding="utf-8")
    return source


def test_all_that_can_be_said(tmp_path):
    grey = np.full((4, 6), 128, np.uint8)
    grey[0], grey[3] = 255, 0
    Image.fromarray(grey).save(tmp_path / "paint.png")
    source = beside(
        tmp_path,
        "# why\nbox = [1, 2, 5, 4]\nkeep = [[2, 3]]\ndrop = [[3, 3], [4.5, 3]]\n"
        'size = [6, 4]\nmask = "paint.png"\n',
    )
    said = corrections_for(source)
    assert said == Corrections(
        box=(1, 2, 5, 4), keep=((2, 3),), drop=((3, 3), (4.5, 3)), size=(6, 4), mask=grey
    )


def test_none_where_there_is_none(tmp_path):
    assert corrections_for(tmp_path / "a.jpg") is None
    beside(tmp_path, "drop = [[1, 1]]", "a.jpg")
    assert corrections_for(tmp_path / "a.png") is None


def test_a_folder_of_corrections_goes_first(tmp_path):
    source = beside(tmp_path, "drop = [[1, 1]]")
    folder = tmp_path / "said" / "shoot"
    folder.mkdir(parents=True)
    beside(folder, "keep = [[1, 1]]")
    root = tmp_path / "said"
    assert corrections_for(source, folder=root, relative="shoot/a.jpg").keep == ((1.0, 1.0),)
    assert corrections_for(source, folder=root, relative="other/a.jpg").drop == ((1.0, 1.0),)


def test_what_is_not_painted_on_says_nothing(tmp_path):
    layer = np.zeros((4, 6, 4), np.uint8)
    layer[0] = 255
    layer[3, :, 3] = 255
    Image.fromarray(layer).save(tmp_path / "layer.png")
    mask = corrections_for(beside(tmp_path, 'mask = "layer.png"')).mask
    assert mask[:, 0].tolist() == [255, 128, 128, 0]
    deep = (np.array([[0, 32768, 65535]] * 2)).astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    mask = corrections_for(beside(tmp_path, 'mask = "deep.png"')).mask
    assert mask[0].tolist() == [0, 128, 255]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("drop = [[1, 1]", "no valid TOML"),
        ("drops = [[1, 1]]", "did you mean 'drop'"),
        ("drop = 4", "list of points"),
        ("drop = [1, 2]", "points x, y"),
        ("box = [4, 4, 1, 1]", "left < right"),
        ("", "at least one of"),
        ('mask = "missing.png"', r"missing\.png"),
        ("mask = 3", "text in quotes"),
    ],
)
def test_a_damaged_sidecar_is_named(tmp_path, text, words):
    source = beside(tmp_path, text)
    with pytest.raises(OptionError, match=words) as caught:
        corrections_for(source)
    assert "a.jpg.nssbg.toml" in str(caught.value)


def test_a_link_that_leads_nowhere_is_told(tmp_path):
    (tmp_path / "a.jpg.nssbg.toml").symlink_to(tmp_path / "gone")
    with pytest.raises(OptionError, match="cannot read"):
        corrections_for(tmp_path / "a.jpg")


def test_a_painted_change_changes_the_fingerprint(tmp_path):
    source = beside(tmp_path, 'mask = "paint.png"')
    found = []
    for value in (0, 255):
        Image.new("L", (8, 8), value).save(tmp_path / "paint.png")
        found.append(corrections_for(source).fingerprint)
    assert len(set(found)) == 2
    assert read_corrections(tmp_path / "a.jpg.nssbg.toml").fingerprint == found[1]
