"""Reports of a batch: tables, thumbnails and their store, the page's text, the contact sheet."""

import base64
import csv
import hashlib
import io
import json
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from batch_pictures import profile_of
from PIL import Image
from report_rows import HOSTILE, picture, rows_of, with_thumbnails

from nssbg.batch.report import ThumbnailStore, thumbnail, write_reports
from nssbg.batch.report.tables import reason_kind, worst_first
from nssbg.batch.report.write import thumbnails_path
from nssbg.batch.row import Row, RowError


def opened(data):
    return Image.open(io.BytesIO(data))


def reports_of(folder, count=40, **more):
    rows = with_thumbnails(folder, rows_of(count))
    return rows, write_reports(
        rows, output=folder, inputs=lambda row: None, profile=profile_of(), **more
    )


def blocks(page):
    """The JSON blocks of a page by their id."""
    found = re.findall(r'<script type="application/json" id="([^"]+)">(.*?)</script>', page, re.S)
    return {name: json.loads(text) for name, text in found}


def test_every_row_is_told_once_and_the_worst_first(tmp_path):
    rows, made = reports_of(tmp_path, summary={"pictures": 40, "per second": 5.25})
    lines = [json.loads(line) for line in made.jsonl.read_text(encoding="ascii").splitlines()]
    assert lines[-1] == {"event": "summary", "pictures": 40, "per second": 5.25}
    assert sorted(line["input"] for line in lines[:-1]) == sorted(row.input for row in rows)
    assert lines[0]["status"] == "failed"
    assert made.counts == {"failed": 4, "fail": 4, "review": 8, "pass": 24}
    index = blocks(made.page.read_text(encoding="utf-8"))["index"]
    assert index["name"] == [row.input for row in worst_first(rows)]
    assert index["state"] == sorted(index["state"])
    assert index["summary"] == [["pictures", "40"], ["per second", "5.25"]]


def test_within_a_verdict_the_least_confident_goes_first():
    rows = [
        Row("b", "done", verdict="review", confidence=0.9),
        Row("a", "done", verdict="review", confidence=0.4),
        Row("c", "done", verdict="fail", confidence=0.99),
        Row("d", "failed"),
        Row("e", "skipped", verdict="pass"),
    ]
    assert [row.input for row in worst_first(rows)] == ["d", "c", "a", "b", "e"]


def test_tables_are_whole_and_compute_nothing(tmp_path):
    rows, made = reports_of(tmp_path)
    with made.csv.open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    assert len(table) == len(rows)
    names = {line["input"] for line in table}
    assert "'=HYPERLINK(1).jpg" in names
    assert "two\nlines.jpg" in names
    assert "caf\\udce9 no utf-8.jpg" in names
    assert not any(cell.startswith(("=", "+", "@")) for line in table for cell in line.values())
    with made.failures.open(encoding="utf-8", newline="") as file:
        failures = list(csv.DictReader(file))
    assert [line["status"] for line in failures] == ["failed"] * 4 + ["done"] * 4
    assert failures[0]["error_kind"] == "ImageDecodeError"


def test_no_name_breaks_out_of_the_page(tmp_path):
    _, made = reports_of(tmp_path)
    page = made.page.read_text(encoding="utf-8")
    found = blocks(page)
    assert set(HOSTILE) <= set(found["index"]["name"])
    # Style and script of the package, and blocks of data: nothing else stands between tags.
    tags = re.findall(r"<script[^>]*>", page)
    assert tags.count("<script>") == 1
    assert len(tags) == 1 + len(found)
    assert not re.search(
        r"<img|onerror=\"|<b>", re.sub(r"<script.*?</script>", "", page, flags=re.S)
    )


def test_the_policy_names_the_page_s_own_script_and_style(tmp_path):
    page = reports_of(tmp_path)[1].page.read_text(encoding="utf-8")
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)[1]
    for tag in ("script", "style"):
        text = re.search(rf"<{tag}>(.*?)</{tag}>", page, re.S)[1]
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert not re.search(r"https?:", page)


def test_a_thousand_pictures_take_at_most_25_mb(tmp_path):
    """With thumbnails of full grain, which compress worse than a product on a backdrop."""
    _, made = reports_of(tmp_path, 1000)
    assert made.page.stat().st_size < 25e6
    chunks = blocks(made.page.read_text(encoding="utf-8"))
    cards = [card for name in chunks if name != "index" for card in chunks[name]]
    assert len(cards) == 1000
    assert all(opened(base64.b64decode(card["after"])).mode == "RGBA" for card in cards[:50])


def test_an_empty_batch_has_reports_too(tmp_path):
    made = write_reports([], output=tmp_path, inputs=lambda row: None)
    assert blocks(made.page.read_text(encoding="utf-8"))["index"]["name"] == []
    assert made.counts == {}
    assert opened(made.sheet.read_bytes()).size[0] > 0


def test_thumbnails_missing_are_made_from_the_files(tmp_path):
    rgb, rgba = picture(1, 500, 700)
    Image.fromarray(rgb).save(tmp_path / "a.jpg")
    Image.fromarray(rgba).save(tmp_path / "a.png")
    (tmp_path / "torn.jpg").write_bytes(b"\xff\xd8\xff")
    rows = [Row("a.jpg", "done", output="a.png"), Row("torn.jpg", "failed")]
    made = write_reports(rows, output=tmp_path, inputs=lambda row: tmp_path / row.input)
    cards = blocks(made.page.read_text(encoding="utf-8"))["chunk-0"]
    assert "before" not in cards[0]
    assert cards[1]["size"] == [700, 500]
    alpha = np.asarray(opened(base64.b64decode(cards[1]["after"])))[..., 3]
    assert alpha[0, 0] == 0
    assert alpha[alpha.shape[0] // 2, alpha.shape[1] // 2] == 255
    with ThumbnailStore(thumbnails_path(tmp_path)) as store:
        assert store.get("a.jpg") is not None


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(1, 1), (3, 5000), (900, 40), (2000, 2000)])
def test_a_thumbnail_of_any_size(shape, dtype):
    rgba = np.zeros((*shape, 4), dtype)
    rgba[..., 0] = rgba[..., 3] = np.iinfo(dtype).max
    made = thumbnail(rgba[..., :3], rgba)
    assert (made.width, made.height) == shape[::-1]
    for data in (made.before, made.after):
        image = opened(data)
        assert max(image.size) <= 160
        assert np.asarray(image.convert("RGBA"))[0, 0].tolist() == pytest.approx(
            [255, 0, 0, 255], abs=6
        )


def test_colours_under_alpha_0_do_not_bleed_into_a_thumbnail():
    rgba = np.zeros((640, 640, 4), np.uint8)
    rgba[...] = (0, 255, 0, 0)
    rgba[200:440, 200:440] = (200, 30, 30, 255)
    image = np.asarray(opened(thumbnail(None, rgba).after).convert("RGBA")).astype(int)
    seen = image[image[..., 3] > 60]
    assert (seen[:, 1] < 90).all()


def test_an_upright_photograph_is_told_as_it_is_seen(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (400, 200), "red").save(tmp_path / "a.jpg", exif=exif)
    made = thumbnail(tmp_path / "a.jpg", None)
    assert (made.width, made.height) == (200, 400)
    assert opened(made.before).size == (80, 160)


def test_the_store_outlives_a_run_and_lets_go_of_what_is_gone(tmp_path):
    path = tmp_path / "deep" / "thumbs.sqlite"
    thumb = thumbnail(*picture(3))
    with ThumbnailStore(path) as store:
        for key in ("a", "b", "\udce9"):
            store.put(key, thumb)
    with ThumbnailStore(path) as store:
        assert store.get("a") == thumb
        assert store.get("\udce9") == thumb
        store.retain(["b"])
        assert (store.get("a"), store.get("b")) == (None, thumb)


def test_where_nothing_can_be_kept_thumbnails_are_held_in_memory(tmp_path, caplog):
    (tmp_path / "file").write_bytes(b"")
    with ThumbnailStore(tmp_path / "file" / "thumbs.sqlite") as store:
        assert "not kept" in caplog.text
        store.put("a", thumbnail(*picture(3)))
        assert store.get("a") is not None


def test_a_killed_process_loses_no_thumbnail(tmp_path):
    script = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from nssbg.batch.report import Thumb, ThumbnailStore\n"
        "store = ThumbnailStore(Path(sys.argv[1]))\n"
        "for number in range(5):\n"
        "    store.put(f'{number}', Thumb(b'before', b'after', 3, number))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    path = tmp_path / "thumbs.sqlite"
    assert subprocess.run([sys.executable, "-c", script, path], check=False).returncode == -9
    with ThumbnailStore(path) as store:
        assert [store.get(str(number)).height for number in range(5)] == list(range(5))


def test_a_damaged_store_is_made_anew(tmp_path, caplog):
    path = tmp_path / "thumbs.sqlite"
    path.write_bytes(b"no database at all" * 100)
    with ThumbnailStore(path) as store:
        assert "damaged" in caplog.text
        store.put("a", thumbnail(*picture(3)))
        assert store.get("a") is not None
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM thumbs").fetchone() == (1,)
    connection.close()


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("halo 0.31, above 0.25", "halo"),
        ("low confidence (0.61)", "low confidence"),
        ("cut by the photograph's frame: 3.0%, above 0.1%", "cut by the photograph's frame"),
        ("a/b 7.jpg: fill: 0.70; expected at least 0.85", "fill"),
        ("empty result: nothing of the picture was taken for subject", "empty result"),
        ("7", "7"),
    ],
)
def test_reasons_are_joined_without_their_numbers(reason, kind):
    assert reason_kind(reason) == kind


def test_an_error_is_told_once_and_filtered_by_its_name(tmp_path):
    rows = [
        Row("a", "failed", error=RowError("ImageDecodeError", "a: torn"), reasons=("a: torn",)),
        Row(
            "b",
            "failed",
            error=RowError("RejectedError", "b: not fit: b.jpg: fill: 0.7; expected 0.85"),
            reasons=("b.jpg: fill: 0.7; expected 0.85",),
        ),
    ]
    made = write_reports(rows, output=tmp_path, inputs=lambda row: None)
    found = blocks(made.page.read_text(encoding="utf-8"))
    assert found["index"]["kinds"] == ["ImageDecodeError", "RejectedError", "fill"]
    assert [card.get("reasons") for card in found["chunk-0"]] == [None, None]


def test_a_report_that_cannot_be_written_leaves_the_old_one(tmp_path):
    _, made = reports_of(tmp_path)
    before = made.page.read_bytes()

    def fails(row):
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        write_reports(rows_of(3), output=tmp_path, inputs=fails)
    assert made.page.read_bytes() == before
    assert not [path for path in Path(tmp_path).iterdir() if path.suffix == ".part"]
