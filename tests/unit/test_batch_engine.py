"""Batches from Python: what is done, what is not done again, and what is told."""

import json
import os
import shutil
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from batch_catalog import catalog, product_bytes
from batch_pictures import profile_of
from PIL import Image

import nssbg
from nssbg.batch.metrics import metrics_text, write_metrics
from nssbg.batch.planning import also_decides
from nssbg.batch.progress import JsonLines, PlainLines, duration, progress_for
from nssbg.batch.row import Row, RowError
from nssbg.batch.status import command_of, status_of
from nssbg.batch.summary import Summary
from nssbg.batch.watch import Settling


@pytest.fixture
def shop(tmp_path):
    """Four pictures in folders, and what makes a batch of them."""
    catalog(tmp_path / "in", 4)

    def batch(**options):
        options = {"model": "studio", "report": False, **options}
        return nssbg.Batch(tmp_path / "in", tmp_path / "out", **options)

    return batch


def made(batch):
    """Outputs that a run wrote."""
    return sorted(row.output for row in batch if row.status == "done")


def test_rows_tell_what_became_of_each_picture(shop, tmp_path):
    rows = list(shop())
    assert [row.status for row in rows] == ["done"] * 4
    for row in rows:
        with Image.open(tmp_path / "out" / row.output) as image:
            assert (image.width, image.height) == (row.out_width, row.out_height) == (160, 160)
            assert image.mode == "RGBA"
        assert row.bytes == (tmp_path / "out" / row.output).stat().st_size
        assert row.verdict == "pass"
        assert row.plan["model"] == "studio"
        assert {"decode", "studio", "render", "judge", "write"} <= set(row.timings)
        assert len(row.fingerprint) == len(row.input_sha256) == 64
        json.dumps(row.event())


def test_nothing_is_done_twice_and_what_changed_is_done_again(shop, tmp_path):
    first = made(shop())
    assert made(shop()) == []
    assert made(shop(force=True)) == first
    # The same bytes under other times are the same picture.
    os.utime(tmp_path / "in" / first[0].replace("png", "jpg"), (1, 1))
    assert made(shop()) == []
    (tmp_path / "in" / first[0].replace("png", "jpg")).write_bytes(product_bytes(99))
    assert made(shop()) == [first[0]]
    (tmp_path / "in/new.jpg").write_bytes(product_bytes(98))
    assert made(shop()) == ["new.png"]


def test_outputs_that_were_lost_or_altered_are_made_again(shop, tmp_path):
    first = made(shop())
    (tmp_path / "out" / first[0]).unlink()
    (tmp_path / "out" / first[1]).write_bytes(b"altered")
    touched = tmp_path / "out" / first[2]
    data, times = touched.read_bytes(), touched.stat()
    touched.write_bytes(bytes(len(data)))  # as long as before, and as old
    os.utime(touched, ns=(times.st_atime_ns, times.st_mtime_ns))
    os.utime(tmp_path / "out" / first[3])
    assert made(shop()) == sorted(first[:3])
    assert touched.read_bytes() == data


def test_options_and_profiles_redo_what_they_touch(shop):
    first = made(shop())
    assert made(shop(strength=0.5)) == first
    assert made(shop(strength=0.5)) == []
    assert len(made(shop(strength=0.5, profile=profile_of()))) == 4
    assert made(shop(strength=0.5)) == []  # both are kept apart
    assert len(made(shop(strength=0.5, name="{stem}-x.{ext}"))) == 4


def test_a_moved_input_is_known_by_its_bytes(shop, tmp_path):
    assert len(made(shop())) == 4
    shutil.move(tmp_path / "in", tmp_path / "elsewhere")
    batch = nssbg.Batch(tmp_path / "elsewhere", tmp_path / "out", model="studio", report=False)
    assert made(batch) == []
    assert batch.summary.unchanged == 4


def test_strangers_files_are_not_written_over(shop, tmp_path):
    foreign = tmp_path / "out/a/0/0000.png"
    foreign.parent.mkdir(parents=True)
    foreign.write_bytes(b"a person's")
    with pytest.raises(nssbg.OptionError, match=r"1 of the outputs are there already .*overwrite"):
        list(shop())
    assert foreign.read_bytes() == b"a person's"
    assert len(made(shop(overwrite=True))) == 4


def test_a_source_is_never_written_over(tmp_path):
    (tmp_path / "1.jpg").write_bytes(product_bytes(1))
    (tmp_path / "2.png").write_bytes(product_bytes(2))
    before = (tmp_path / "2.png").read_bytes()
    sources = [tmp_path / "1.jpg", tmp_path / "2.png"]
    batch = nssbg.Batch(sources, tmp_path, model="studio", overwrite=True)
    with pytest.raises(nssbg.OptionError, match="a source picture of the same run"):
        list(batch)
    assert (tmp_path / "2.png").read_bytes() == before


def test_an_output_folder_inside_the_input_folder(tmp_path):
    catalog(tmp_path, 3)
    for _ in range(2):
        batch = nssbg.Batch(tmp_path, tmp_path / "out", model="studio", report=False)
        assert len(list(batch)) == 3


def test_an_empty_result_is_a_failure_and_writes_nothing(tmp_path):
    Image.new("RGB", (80, 80), "white").save(tmp_path / "blank.jpg")
    (row,) = nssbg.Batch(tmp_path, tmp_path / "out", model="studio", report=False)
    assert (row.status, row.verdict, row.outputs) == ("failed", "fail", ())
    assert row.error.kind == "EmptyResultError"
    assert not list((tmp_path / "out").glob("*.png"))


def test_what_does_not_pass_its_profile_is_set_apart(shop, tmp_path):
    from dataclasses import replace

    profile = profile_of()
    strict = replace(profile, require=replace(profile.require, least_short_side=3000))
    rows = list(shop(profile=strict))
    assert {row.error.kind for row in rows} == {"RejectedError"}
    for row in rows:
        assert row.output.startswith(".nssbg/rejected/")
        assert (tmp_path / "out" / row.output).exists()
        assert "at least 3000 on the shorter side" in row.error.message
    assert not list((tmp_path / "out").glob("[!.]*"))
    assert [row.attempts for row in shop(profile=strict)] == [1] * 4
    assert [row.attempts for row in shop(profile=strict, retry_failed=True)] == [2] * 4


def test_low_confidence(shop, tmp_path, monkeypatch):
    from nssbg.batch import engine

    real = engine.finish

    def finish(unit, cutout, *rest, **more):
        from dataclasses import replace

        return real(unit, replace(cutout, low_confidence=True, confidence=0.2), *rest, **more)

    monkeypatch.setattr(engine, "finish", finish)
    assert {row.verdict for row in shop(on_low_confidence="write")} == {"pass"}
    rows = list(shop(on_low_confidence="review"))
    assert {(row.status, row.verdict) for row in rows} == {("done", "review")}
    assert {row.reasons for row in rows} == {("low confidence (0.20)",)}
    shutil.rmtree(tmp_path / "out")
    rows = list(shop(on_low_confidence="skip"))
    assert {(row.status, row.outputs) for row in rows} == {("skipped", ())}
    assert not list((tmp_path / "out").rglob("*.png"))


def test_max_errors_ends_the_run(tmp_path):
    catalog(tmp_path / "in/z", 30)
    for number in range(4):
        (tmp_path / f"in/{number}.jpg").write_bytes(b"no picture")
    batch = nssbg.Batch(tmp_path / "in", tmp_path / "out", model="studio", max_errors=3, jobs=1)
    rows = list(batch)
    assert batch.summary.gave_up
    assert len(rows) < 34
    assert batch.summary.failed >= 3


def test_the_time_limit_fails_the_picture_alone(shop, tmp_path):
    rows = list(shop(time_limit=1e-6))
    assert {row.error.kind for row in rows} == {"TimeLimitError"}
    assert "more than the 1e-06 s" in rows[0].error.message
    assert not list((tmp_path / "out").rglob("*.png"))
    assert len(made(shop())) == 4  # and is tried again


def test_stop_finishes_what_is_in_flight(tmp_path):
    catalog(tmp_path / "in", 40)
    batch = nssbg.Batch(tmp_path / "in", tmp_path / "out", model="studio", report=False)
    rows = []
    for row in batch:
        rows.append(row)
        batch.stop()
    assert {row.status for row in rows} == {"done"}
    assert len(rows) < 40
    assert status_of(tmp_path / "out").unfinished == 0
    assert len(made(batch)) == 40 - len(rows)


def test_leaving_the_loop_early_is_resumed(tmp_path):
    catalog(tmp_path / "in", 12)
    batch = nssbg.Batch(tmp_path / "in", tmp_path / "out", model="studio", report=False)
    for _ in batch:
        break
    left = made(batch)
    assert 0 < len(left) < 12
    assert made(batch) == []


def test_a_list_with_options(tmp_path):
    catalog(tmp_path / "in", 2)
    listing = tmp_path / "list.csv"
    listing.write_text("path,background\na/0/0000.jpg,#ff0000\nb/0/0001.jpg,\n")
    batch = nssbg.Batch(
        [tmp_path / "in"], tmp_path / "out", files_from=str(listing), model="studio", report=False
    )
    assert len(made(batch)) == 2
    with Image.open(tmp_path / "out/a/0/0000.png") as image:
        assert image.mode == "RGB"
        assert image.getpixel((0, 0)) == (255, 0, 0)


def test_corrections_redo_only_their_picture(shop, tmp_path):
    first = made(shop())
    sidecar = tmp_path / "in" / first[1].replace(".png", ".jpg.nssbg.toml")
    sidecar.write_text("box = [0, 0, 80, 160]\n")
    assert made(shop()) == [first[1]]
    with Image.open(tmp_path / "out" / first[1]) as image:
        assert np.asarray(image)[:, 82:, 3].max() == 0
    assert made(shop()) == []
    sidecar.write_text("box = 3\n")
    (row,) = (row for row in shop() if row.status == "failed")
    assert "nssbg.toml" in row.error.message


def test_a_report_is_written_and_needs_nothing_that_is_outside(shop, tmp_path):
    list(shop(report=True))
    page = (tmp_path / "out/report.html").read_text(encoding="utf-8")
    assert "0000.png" in page
    lines = (tmp_path / "out/report.jsonl").read_text().splitlines()
    assert sum(json.loads(line)["event"] == "row" for line in lines) == 4


def test_a_dry_run_writes_nothing(shop, tmp_path):
    forecast = shop().forecast()
    assert (forecast.total, forecast.to_do, forecast.unchanged) == (4, 4, 0)
    assert forecast.seconds >= 0
    assert forecast.output_bytes > 0
    assert forecast.memory > 0
    assert not (tmp_path / "out").exists()
    list(shop())
    assert shop().forecast().to_do == 0
    assert shop(force=True).forecast().to_do == 4


def test_the_last_command_is_kept(shop, tmp_path):
    list(shop(strength=0.5))
    kept = command_of(tmp_path / "out")
    assert kept["strength"] == 0.5
    assert kept["sources"] == [str(tmp_path / "in")]
    with pytest.raises(nssbg.OptionError, match="give the sources again"):
        command_of(tmp_path)


def test_status_tells_what_is_missing(shop, tmp_path):
    first = made(shop())
    (tmp_path / "out" / first[0]).unlink()
    found = status_of(tmp_path / "out")
    assert found.done == 4
    assert found.missing == (first[0],)
    assert "1 outputs are not there any more" in "\n".join(found.lines())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"jobs": -1}, "jobs"),
        ({"max_errors": 0}, "max_errors"),
        ({"time_limit": 0}, "time_limit"),
        ({"on_low_confidence": "guess"}, "on_low_confidence"),
        ({"profile": "nope"}, "no profile"),
        ({"effort": "most"}, "effort"),
    ],
)
def test_wrong_options_are_refused_at_once(options, words, shop):
    with pytest.raises(nssbg.OptionError, match=words):
        shop(**options)


def test_no_pictures_is_an_error(tmp_path):
    (tmp_path / "in").mkdir()
    with pytest.raises(nssbg.OptionError, match="no pictures there"):
        list(nssbg.Batch(tmp_path / "in", tmp_path / "out"))
    with pytest.raises(nssbg.OptionError, match="there are no sources"):
        nssbg.Batch([], tmp_path / "out")


def test_cut_rows_takes_paths_and_bytes_and_needs_no_state(tmp_path):
    catalog(tmp_path / "in", 2)
    rows = list(
        nssbg.cut_rows(
            [
                "a/0/0000.jpg",
                {"name": "x/mine.jpg", "bytes": product_bytes(5), "background": "#00ff00"},
                {"path": "gone.jpg"},
                {"name": "bad.jpg", "bytes": b"no picture"},
            ],
            root=tmp_path / "in",
            output=tmp_path / "out",
            model="studio",
        )
    )
    assert [row.status for row in rows] == ["done", "done", "failed", "failed"]
    assert [row.output for row in rows[:2]] == ["a/0/0000.png", "x/mine.png"]
    assert "No such file" in rows[2].error.message
    assert "bad.jpg" in rows[3].error.message
    assert not (tmp_path / "out/.nssbg").exists()
    with pytest.raises(nssbg.OptionError, match="a row has no 'file'"):
        list(nssbg.cut_rows([{"file": "x"}], root=tmp_path, output=tmp_path / "o", model="studio"))


def test_cut_rows_and_the_engine_write_the_same_bytes(shop, tmp_path):
    engine = {row.output: row.output_sha256 for row in shop()}
    paths = [name.replace(".png", ".jpg") for name in engine]
    rows = nssbg.cut_rows(paths, root=tmp_path / "in", output=tmp_path / "other", model="studio")
    assert {row.output: row.output_sha256 for row in rows} == engine


def summary_of(total=10, **counts):
    made = Summary(total=total)
    for status, count in counts.items():
        for number in range(count):
            error = RowError("ImageDecodeError", f"cannot read {number}")
            made.count(
                Row(f"{number}", status, error=error if status == "failed" else None, verdict="")
            )
    return made


def test_plain_progress_speaks_every_ten_seconds(capsys):
    import sys

    now = [0.0]
    told = PlainLines(sys.stderr, repr, lambda: now[0])
    summary = summary_of(done=2, failed=1)
    for second in range(1, 21):
        now[0] = second
        told.row(Row("a", "done"), summary)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("3 of 10 pictures, ")
    assert lines[0].endswith("; 1 failed")
    told.row(Row("b", "failed", error=RowError("X", "b: \n")), summary)
    assert capsys.readouterr().err == "failed: 'b: \\n'\n"


def test_json_progress():
    lines, now = [], [0.0]
    told = JsonLines(lines.append, lambda: now[0])
    summary = summary_of(done=1)
    told.row(Row("a\udcff", "done"), summary)
    now[0] = 11
    told.row(Row("b", "done"), summary)
    told.close(summary)
    assert [json.loads(line)["event"] for line in lines] == ["row", "row", "progress", "summary"]
    assert json.loads(lines[0])["input"] == "a\udcff"
    with pytest.raises(nssbg.OptionError, match="progress must be one of"):
        progress_for("loud", say=print, stderr=None, printable=str)


def test_a_bar_on_a_terminal():
    import io

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    stream = Terminal()
    told = progress_for("auto", say=print, stderr=stream, printable=str)
    summary = summary_of(done=1, failed=1)
    told.row(Row("b", "failed", error=RowError("X", "cannot read b")), summary)
    told.close(summary)
    assert "failed: cannot read b" in stream.getvalue()
    assert "1/10" in stream.getvalue()


def test_durations_in_words():
    assert [duration(s) for s in (0.04, 42.4, 200, 7500)] == [
        "0.0 s", "42 s", "3 min 20 s", "2 h 05 min",
    ]  # fmt: skip


def test_metrics_are_prometheus_text(tmp_path):
    path = tmp_path / "nssbg.prom"
    write_metrics(str(path), summary_of(done=3, failed=2), 'out"\n\\', running=True)
    text = path.read_text()
    assert 'nssbg_batch_pictures{out="out\\"\\n\\\\",status="done"} 3\n' in text
    assert 'nssbg_batch_pictures{out="out\\"\\n\\\\",status="failed"} 2\n' in text
    assert [p.name for p in tmp_path.iterdir()] == ["nssbg.prom"]
    for line in metrics_text(summary_of(), "o", running=False).splitlines():
        assert line.startswith(("# HELP nssbg_batch_", "# TYPE nssbg_batch_", "nssbg_batch_"))
    with pytest.raises(nssbg.ImageEncodeError, match="does not exist"):
        write_metrics(str(tmp_path / "no/x.prom"), summary_of(), "o", running=True)


def test_a_file_is_taken_once_it_has_stopped_changing(tmp_path):
    settling = Settling(quiet=2.0)
    path = tmp_path / "1.jpg"
    path.write_bytes(b"half")
    settling.touch(str(path), 0.0)
    assert settling.unchanged(1.0) == []
    path.write_bytes(b"half and more")
    assert settling.unchanged(2.5) == []  # changed: its time begins anew
    assert settling.unchanged(4.4) == []
    assert settling.unchanged(4.6) == [str(path)]
    assert settling.unchanged(9.9) == []
    empty = tmp_path / "2.jpg"
    empty.touch()
    settling.touch(str(empty), 0.0)
    assert settling.unchanged(100.0) == []  # made, and not written yet
    empty.unlink()
    assert settling.unchanged(200.0) == []


def test_watching_a_folder(tmp_path, monkeypatch):
    pytest.importorskip("watchfiles", reason="nssbg[watch] is not installed")
    from nssbg.batch import watch

    real = watch.arrivals
    monkeypatch.setattr(
        watch, "arrivals", lambda folders, stopping: real(folders, stopping, quiet=0.3)
    )
    catalog(tmp_path / "in", 2)
    batch = nssbg.Batch(tmp_path / "in", tmp_path / "out", model="studio", watch=True, report=False)
    rows = []

    def late():
        time.sleep(1.0)
        (tmp_path / "in/new").mkdir()
        (tmp_path / "in/new/notes.txt").write_text("no picture")
        Path(tmp_path / "in/new/late.jpg").write_bytes(product_bytes(7))

    thread = threading.Thread(target=late)
    thread.start()
    for row in batch:
        rows.append(row.output)
        if len(rows) == 3:
            batch.stop()
    thread.join()
    assert sorted(rows) == ["a/0/0000.png", "b/0/0001.png", "new/late.png"]


def test_watching_without_watchfiles_names_what_brings_it(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "watchfiles", None)
    (tmp_path / "in").mkdir()
    batch = nssbg.Batch(tmp_path / "in", tmp_path / "out", model="studio", watch=True)
    with pytest.raises(nssbg.OptionError, match=r'pip install "nssbg\[watch\]"'):
        list(batch)


def test_a_picture_that_no_event_told_of_is_found(tmp_path, monkeypatch):
    """On network shares there are none, and a new folder is listened to too late."""
    watchfiles = pytest.importorskip("watchfiles", reason="nssbg[watch] is not installed")
    from nssbg.batch import watch

    def no_events(*tops, **options):
        while True:
            time.sleep(0.02)
            yield set()

    monkeypatch.setattr(watchfiles, "watch", no_events)
    monkeypatch.setattr(watch, "_LOOK", 0.1)
    (tmp_path / "new").mkdir()
    (tmp_path / "new/1.jpg").write_bytes(b"x")
    paths = watch.arrivals([tmp_path], lambda: False, quiet=0.1)
    assert next(paths) == str(tmp_path / "new/1.jpg")
    (tmp_path / "new/2.jpg").write_bytes(b"x")
    assert next(paths) == str(tmp_path / "new/2.jpg")  # and the first is not given again
    (tmp_path / "new/1.jpg").write_bytes(b"changed")
    assert next(paths) == str(tmp_path / "new/1.jpg")


def test_a_named_precision_runs_and_decides_what_is_done_again(shop):
    batch = shop(precision="float32")
    assert batch._remover._settings.precision == "float32"
    first = made(batch)
    assert len(first) == 4
    assert made(shop(precision="float32")) == []
    # What "auto" takes is the machine's business: that it is not named counts, and only that.
    assert made(shop()) == first
    assert made(shop(precision="auto")) == []


def test_what_else_decides_is_the_same_rule_on_one_machine_and_on_many():
    auto = also_decides("review", "auto")
    assert auto == {"on_low_confidence": "review"}
    assert also_decides("review", "int8") == {**auto, "precision": "int8"}


def test_a_precision_that_does_not_exist_is_refused(shop):
    with pytest.raises(nssbg.OptionError, match="float32"):
        shop(precision="float8")
