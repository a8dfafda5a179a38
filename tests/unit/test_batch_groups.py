"""Pictures of one product in a batch: one scale and one baseline, redone when these change."""

import csv
import json
import sqlite3
from collections import Counter

import numpy as np
import pytest
from batch_catalog import run
from PIL import Image, ImageFilter

import nssbg
from nssbg import OptionError
from nssbg.batch.groups import BOXES, BoxStore, chunks
from nssbg.batch.profile import OutputSpec, Profile, Requirements
from nssbg.batch.units import WorkUnit

_OUTPUT = OutputSpec(
    name="{stem}.png",
    format="png",
    width=200,
    height=200,
    fill=0.9,
    align="bottom",
    background="white",
    enlarge=True,
)
CANVAS = Profile("canvas", (_OUTPUT,), require=Requirements(least_fill=0.88))


def product(path, *, height, width, top=20, left=30, side=160):
    """A dark plate of a size on a light backdrop."""
    rng = np.random.default_rng(height * 1000 + width)
    rgb = np.full((side, side, 3), 232, np.uint8)
    rgb[top : top + height, left : left + width] = 70
    # As a lens draws edges: hard ones ring in a JPEG, and rings are parts of the subject.
    soft = np.asarray(Image.fromarray(rgb).filter(ImageFilter.GaussianBlur(0.8)), float)
    rgb = np.clip(soft + rng.normal(0, 1, rgb.shape), 0, 255).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(rgb).save(path, quality=97, subsampling=0)


def subject(path):
    """Top, left, bottom, right of what is no background."""
    pixels = np.asarray(Image.open(path).convert("L"))
    rows, columns = np.nonzero(pixels < 190)
    return rows.min(), columns.min(), rows.max() + 1, columns.max() + 1


@pytest.fixture
def shop(tmp_path):
    """Two products of two pictures each, one picture of none, and a batch of them."""
    folder = tmp_path / "in"
    product(folder / "mug/front.jpg", height=100, width=60)
    product(folder / "mug/above.jpg", height=50, width=60, top=70)
    product(folder / "pen/front.jpg", height=24, width=90)
    product(folder / "pen/end.jpg", height=24, width=24)
    product(folder / "lone.jpg", height=70, width=70)
    with (tmp_path / "list.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "sku"])
        for name in ("mug/front", "mug/above", "pen/front", "pen/end"):
            writer.writerow([f"{name}.jpg", name.partition("/")[0]])
        writer.writerow(["lone.jpg", ""])

    def batch(**options):
        options = {"model": "studio", "report": False, "group_by": "sku", "profile": CANVAS,
                   "files_from": str(tmp_path / "list.csv"), **options}  # fmt: skip
        return nssbg.Batch(folder, tmp_path / "out", **options)

    return batch


def fills(batch):
    """Output -> the share of the canvas that its subject takes."""
    return {row.output: row.features["fill"] for row in batch if row.status == "done"}


def done(batch):
    return sorted(row.output for row in batch if row.status == "done")


def test_a_group_shares_scale_and_baseline_and_the_largest_reaches_the_fill(shop, tmp_path):
    rows = list(shop())
    assert {row.verdict for row in rows} == {"pass"}, rows
    fill = fills(rows)
    front, above = (subject(tmp_path / "out/mug" / f"{one}.png") for one in ("front", "above"))
    assert fill["mug/front.png"] >= 0.88
    assert abs((above[2] - above[0]) / (front[2] - front[0]) - 0.5) < 0.03
    assert abs(above[2] - front[2]) <= 1  # they stand on one line
    pens = [subject(tmp_path / "out/pen" / f"{one}.png") for one in ("front", "end")]
    assert fill["pen/front.png"] >= 0.88
    assert abs((pens[1][2] - pens[1][0]) - (pens[0][2] - pens[0][0])) <= 2
    # What belongs to no group has a scale of its own.
    assert fill["lone.png"] >= 0.88


def test_alone_each_picture_reaches_the_fill(shop):
    assert min(fills(shop(group_by=None)).values()) >= 0.88


def test_nothing_is_done_or_measured_twice(shop, monkeypatch):
    assert len(done(shop())) == 5
    calls = Counter()
    plain = nssbg.Remover.map

    def counted(self, images, **options):
        calls["map"] += 1
        return plain(self, images, **options)

    monkeypatch.setattr(nssbg.Remover, "map", counted)
    again = shop()
    assert done(again) == []
    assert again.summary.unchanged == 5
    assert calls["map"] == 0
    assert shop().forecast().to_do == 0


def test_what_a_changed_box_touches_is_redone_and_no_more(shop, tmp_path):
    assert len(done(shop())) == 5
    # Another picture of the same subject at the same place: its own output alone.
    product(tmp_path / "in/mug/above.jpg", height=50, width=60, top=70)
    data = (tmp_path / "in/mug/above.jpg").read_bytes()
    (tmp_path / "in/mug/above.jpg").write_bytes(data + b"\0")
    assert done(shop()) == ["mug/above.png"]
    # A taller one changes the scale of the whole group, and of no other.
    product(tmp_path / "in/mug/above.jpg", height=130, width=60, top=10)
    assert shop().forecast().to_do >= 1
    assert done(shop()) == ["mug/above.png", "mug/front.png"]


def test_a_group_survives_a_picture_that_cannot_be_read(shop, tmp_path):
    (tmp_path / "in/mug/above.jpg").write_bytes(b"no picture")
    rows = list(shop())
    assert [row.input[-13:] for row in rows if row.status == "failed"] == ["mug/above.jpg"]
    assert sum(row.status == "done" for row in rows) == 4
    assert fills(rows)["mug/front.png"] >= 0.88


def test_folders_are_groups_too(shop, tmp_path):
    assert len(done(shop(group_by="folder", files_from=None))) == 5
    front, above = (subject(tmp_path / "out/mug" / f"{one}.png") for one in ("front", "above"))
    assert abs((above[2] - above[0]) / (front[2] - front[0]) - 0.5) < 0.03


def test_what_cannot_be_grouped_is_refused(shop):
    with pytest.raises(OptionError, match="group_by must be one of sku, folder, got 'colour'"):
        shop(group_by="colour")
    with pytest.raises(OptionError, match="with watch"):
        shop(watch=True)
    with pytest.raises(OptionError, match=r"no picture has a sku.*column sku"):
        done(shop(files_from=None))
    with pytest.raises(OptionError, match=r"profile cutout has no canvas.*amazon-main"):
        done(shop(profile=None))


def test_boxes_that_are_lost_cost_measuring_alone(shop, tmp_path, caplog):
    first = done(shop())
    store = tmp_path / "out/.nssbg" / BOXES
    for path in store.parent.glob(BOXES + "*"):
        path.unlink()
    store.write_bytes(b"no database at all, but long enough to be taken for one" * 40)
    again = shop()
    assert done(again) == []
    assert again.summary.unchanged == len(first)
    assert "cannot be used" in caplog.text


@pytest.mark.parametrize("damaged", [False, True])
def test_a_forecast_leaves_the_boxes_as_they_are(shop, tmp_path, damaged):
    assert len(done(shop())) == 5
    state = tmp_path / "out/.nssbg"
    if damaged:
        (state / BOXES).write_bytes(b"no database at all, but long enough to be taken for one" * 40)

    def there():
        return {path.name: path.read_bytes() for path in state.glob(BOXES + "*")}

    before = there()
    assert before
    assert shop().forecast().to_do == (4 if damaged else 0)  # what is grouped may change its scale
    assert there() == before


def test_the_store_keeps_what_is_asked_for(tmp_path):
    with BoxStore(tmp_path / BOXES) as store:
        store.put("a", (1, 2, 3, 4))
        store.put("b", (0, 0, 0, 0))
        store.retain(["b"])
        assert store.get("a") is None
        assert store.get("b") == (0, 0, 0, 0)
    assert sqlite3.connect(tmp_path / BOXES).execute("SELECT count(*) FROM boxes").fetchone() == (
        1,
    )


def test_chunks_part_no_group():
    units = [WorkUnit(f"{number}.jpg", CANVAS, sku=f"{number % 3}") for number in range(900)]
    made = list(chunks(units, "sku"))
    assert [len(group) for some in made for group in some] == [300, 300, 300]
    assert len(made) == 3


def test_the_command_groups(shop, tmp_path):
    (tmp_path / "shop.toml").write_text(
        'name = "shop"\n[[outputs]]\nname = "{stem}.png"\nformat = "png"\n'
        'canvas = [200, 200]\nbackground = "white"\nfill = 0.9\nenlarge = true\n'
    )
    made = run(tmp_path / "in", tmp_path / "cli", "--files-from", tmp_path / "list.csv",
               "--group-by", "sku", "--profile", tmp_path / "shop.toml", "--progress", "jsonl",
               "--no-report")  # fmt: skip
    assert made.returncode == 0, made.stderr
    summary = [json.loads(line) for line in made.stdout.splitlines()][-1]
    assert summary["done"] == 5
    front, above = (subject(tmp_path / "cli/mug" / f"{one}.png") for one in ("front", "above"))
    assert abs((above[2] - above[0]) / (front[2] - front[0]) - 0.5) < 0.03
