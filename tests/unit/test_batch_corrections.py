"""A batch obeys the corrections beside its pictures, and redoes only what they touch."""

import json

import numpy as np
import pytest
from PIL import Image

import nssbg
from nssbg.batch.report import ThumbnailStore, thumbnails_path
from nssbg.batch.reporting import report_folder

NAMES = ("a", "b", "c")


@pytest.fixture
def shoot(tmp_path):
    """Three pictures of a red disc and a blue one."""
    folder = tmp_path / "shoot"
    folder.mkdir()
    y, x = np.mgrid[0:240, 0:320]
    for number, name in enumerate(NAMES):
        image = np.full((240, 320, 3), 226 + number, np.uint8)
        image[(y - 120) ** 2 + (x - 90) ** 2 < 50**2] = (170, 40, 40)
        image[(y - 120) ** 2 + (x - 230) ** 2 < 50**2] = (30, 60, 160)
        Image.fromarray(image).save(folder / f"{name}.png")
    return folder


def run(shoot, **more):
    """Rows of a run, by the stem of their input."""
    batch = nssbg.Batch(shoot, shoot.parent / "out", model="studio", jobs=1, threads=1, **more)
    return {row.input.rpartition("/")[2].removesuffix(".png"): row for row in batch}


def alpha_of(shoot, name):
    with Image.open(shoot.parent / "out" / f"{name}.png") as opened:
        return np.asarray(opened)[..., 3]


def test_only_what_was_corrected_is_done_again(shoot):
    assert [row.status for row in run(shoot).values()] == ["done"] * 3
    assert alpha_of(shoot, "b")[:, 170:].any()
    (shoot / "b.png.nssbg.toml").write_text("drop = [[230, 120]]\n")
    rows = run(shoot)
    assert {name: row.status for name, row in rows.items()} == {
        "a": "skipped",
        "b": "done",
        "c": "skipped",
    }
    assert "corrected by hand: 1 drop point" in rows["b"].features["notes"]
    assert not alpha_of(shoot, "b")[:, 170:].any()
    assert alpha_of(shoot, "b")[:, :150].any()
    (shoot / "b.png.nssbg.toml").unlink()
    assert run(shoot)["b"].status == "done"
    assert alpha_of(shoot, "b")[:, 170:].any()


def test_a_mask_that_is_painted_anew_counts(shoot):
    Image.new("L", (320, 240), 128).save(shoot.parent / "paint.png")
    (shoot / "a.png.nssbg.toml").write_text('mask = "../paint.png"\n')
    run(shoot)
    assert alpha_of(shoot, "a")[:, 170:].any()
    Image.new("L", (320, 240), 0).save(shoot.parent / "paint.png")
    row = run(shoot)["a"]
    assert (row.status, row.error.kind) == ("failed", "EmptyResultError")


def test_a_damaged_sidecar_fails_its_picture_alone(shoot):
    (shoot / "c.png.nssbg.toml").write_text("drops = 3\n")
    rows = run(shoot)
    assert rows["c"].status == "failed"
    assert "c.png.nssbg.toml" in rows["c"].error.message
    assert [rows[name].status for name in "ab"] == ["done", "done"]


def test_rows_of_other_engines_obey_too(shoot):
    (shoot / "b.png.nssbg.toml").write_text("drop = [[230, 120]]\n")
    rows = list(
        nssbg.cut_rows(
            ["a.png", "b.png"], root=shoot, output=shoot.parent / "out", model="studio", threads=1
        )
    )
    assert [row.status for row in rows] == ["done", "done"]
    assert alpha_of(shoot, "a")[:, 170:].any()
    assert not alpha_of(shoot, "b")[:, 170:].any()


def test_thumbnails_are_made_with_the_pictures_and_kept(shoot):
    out = shoot.parent / "out"
    rows = run(shoot)
    with ThumbnailStore(thumbnails_path(out)) as store:
        kept = {name: store.get(row.fingerprint) for name, row in rows.items()}
    assert all(thumb is not None and thumb.after for thumb in kept.values())
    # A resume that does nothing, and whose pictures are gone, has them still.
    for name in NAMES:
        (shoot / f"{name}.png").rename(shoot.parent / f"{name}.elsewhere")
    made = report_folder(out)
    lines = [json.loads(line) for line in made.jsonl.read_text().splitlines()]
    assert [line["event"] for line in lines] == ["row"] * 3
    assert made.page.read_text(encoding="utf-8").count('"before":') == 3


def test_a_picture_called_like_a_report_is_not_written_over(shoot):
    (shoot / "a.png").rename(shoot / "contact-sheet.png")
    with pytest.raises(nssbg.OptionError, match=r"contact-sheet\.png"):
        run(shoot)
    run(shoot, report=False)
    before = (shoot.parent / "out" / "contact-sheet.png").read_bytes()
    made = report_folder(shoot.parent / "out")
    assert made.sheet.name == "nssbg-contact-sheet.png"
    assert (shoot.parent / "out" / "contact-sheet.png").read_bytes() == before


def test_no_batch_no_report(tmp_path):
    with pytest.raises(nssbg.NssbgError):
        report_folder(tmp_path)
    assert not list(tmp_path.iterdir())
