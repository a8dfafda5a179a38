"""A batch whose disk fills up, is read-only, or holds a damaged manifest; and hostile pictures."""

import errno
import io
import os
import shutil
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest
from batch_catalog import catalog, check_whole, completions, events, product_bytes, run
from PIL import Image

import nssbg
from nssbg import _fs
from nssbg.batch.manifest import read_manifest
from nssbg.batch.sink import StorageError

# NSSBG_FAULTS=long is the long form (make test-faults).
LONG = os.environ.get("NSSBG_FAULTS") == "long"
COUNT = 120 if LONG else 24


def batch(tmp_path, **options):
    return nssbg.Batch(tmp_path / "in", tmp_path / "out", model="studio", **options)


def test_a_disk_that_fills_up_ends_the_run_clearly_and_is_resumed(tmp_path, monkeypatch):
    names = catalog(tmp_path / "in", COUNT)
    written = 0
    real = _fs.write

    def write(path, data, **options):
        nonlocal written
        if str(path).endswith(".png"):
            written += 1
            if written > COUNT // 2:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return real(path, data, **options)

    monkeypatch.setattr(_fs, "write", write)
    rows = []
    said = "No space left on device; free some space, then run"
    with pytest.raises(StorageError, match=said):
        rows.extend(batch(tmp_path))
    assert {row.status for row in rows} == {"done"}  # a full disk is no picture's failure
    assert len(rows) == COUNT // 2
    monkeypatch.setattr(_fs, "write", real)
    again = list(batch(tmp_path))
    assert sum(row.status == "done" for row in again) == COUNT - COUNT // 2
    check_whole(tmp_path / "out", names)
    assert set(completions(tmp_path / "out").values()) == {1}


def test_a_small_disk_that_fills_up_for_real(tmp_path):
    """Everything on it fills up at once: outputs, manifest and journal."""
    out = tmp_path / "small"
    out.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=640k", "tmpfs", str(out)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("no tmpfs can be mounted here (that takes root)")
    try:
        names = catalog(tmp_path / "in", 40)
        first = run(tmp_path / "in", out, "--progress", "jsonl")
        assert first.returncode == 4, (first.returncode, first.stderr)
        assert "then run the same command again" in first.stderr
        assert "Traceback" not in first.stderr
        done = len(events(first.stdout))
        assert 0 < done < len(names)
        assert subprocess.run(["mount", "-o", "remount,size=64m", str(out)]).returncode == 0
        again = run(tmp_path / "in", out, "--progress", "jsonl")
        assert again.returncode == 0, again.stderr
        check_whole(out, names)
    finally:
        subprocess.run(["umount", "-l", str(out)], check=True)


def test_a_read_only_output_folder_is_told_of_before_any_work(tmp_path):
    catalog(tmp_path / "in", 3)
    out = tmp_path / "out"
    out.mkdir()
    if os.geteuid() == 0:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(out)], capture_output=True
        )
        if mounted.returncode:
            pytest.skip("root writes anywhere, and no file system can be mounted here")
    else:
        out.chmod(0o500)
    try:
        done = run(tmp_path / "in", out)
        assert done.returncode == 4
        assert "cannot write" in done.stderr
        assert str(out) in done.stderr
        assert "Traceback" not in done.stderr
    finally:
        if os.geteuid() == 0:
            subprocess.run(["umount", "-l", str(out)], check=True)
        else:
            out.chmod(0o700)


@pytest.mark.parametrize("damage", ["overwritten", "cut short", "no database", "empty", "missing"])
def test_a_damaged_manifest_is_told_of_and_rebuilt(damage, tmp_path, caplog):
    names = catalog(tmp_path / "in", COUNT)
    list(batch(tmp_path))
    path = tmp_path / "out/.nssbg/manifest.sqlite"
    data = bytearray(path.read_bytes())
    if damage == "overwritten":
        data[4096 : len(data) - 100] = os.urandom(len(data) - 4196)
    elif damage == "cut short":
        del data[len(data) // 3 :]
    elif damage == "no database":
        data[:] = b"not a database, but some text that is long enough" * 100
    else:
        data.clear()
    path.write_bytes(data)
    if damage == "missing":
        path.unlink()
    (tmp_path / "out" / f"{names[0]}.png").write_bytes(b"altered meanwhile")
    rows = list(batch(tmp_path))
    made = [row.output for row in rows if row.status == "done"]
    assert made == [f"{names[0]}.png"]  # what is as it was is not done again
    assert "damaged" in caplog.text
    assert "rebuilt from the journal" in caplog.text
    check_whole(tmp_path / "out", names)


def test_a_damaged_manifest_without_journal_is_started_anew(tmp_path):
    names = catalog(tmp_path / "in", 4)
    list(batch(tmp_path))
    (tmp_path / "out/.nssbg/manifest.sqlite").write_bytes(b"x" * 5000)
    (tmp_path / "out/.nssbg/journal.jsonl").unlink()
    with pytest.raises(nssbg.OptionError, match="4 of the outputs are there already"):
        list(batch(tmp_path))
    assert len(list(batch(tmp_path, overwrite=True))) == 4
    check_whole(tmp_path / "out", names)


def test_a_clock_that_is_set_back_does_no_harm(tmp_path, monkeypatch):
    names = catalog(tmp_path / "in", 6)
    list(batch(tmp_path))
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() - 10 * 365 * 86400)
    changed = tmp_path / "in" / f"{names[3]}.jpg"
    changed.write_bytes(product_bytes(1000))
    os.utime(changed, (1, 1))
    lost = tmp_path / "out" / f"{names[5]}.png"
    lost.unlink()
    for path in (tmp_path / "out").rglob("*.png"):
        os.utime(path, (real() + 1e6, real() + 1e6))
    rows = list(batch(tmp_path))
    assert {row.output for row in rows if row.status == "done"} == {
        f"{names[3]}.png",
        f"{names[5]}.png",
    }
    assert [row.status for row in batch(tmp_path)] == ["skipped"] * 6


def hostile(folder: Path, count: int) -> list[Path]:
    """Files that are no pictures, or worse; all named as pictures."""
    good = product_bytes(0)
    stream = io.BytesIO()
    Image.new("RGB", (64, 64), "white").save(stream, "JPEG")
    kinds = [
        b"",
        b"this is text",
        good[: len(good) // 2],
        good[:20] + os.urandom(500),
        b"\x89PNG\r\n\x1a\n" + os.urandom(100),
        stream.getvalue(),  # a blank picture: nothing to cut out
    ]
    made = []
    for number in range(count):
        path = folder / f"bad/{number:03}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(kinds[number % len(kinds)])
        made.append(path)
    return made


def test_hostile_files_among_good_ones(tmp_path):
    """Twice as many as one in twenty in the short form, so that each kind is there."""
    good = catalog(tmp_path / "in", 200 if LONG else 60)
    bad = hostile(tmp_path / "in", 10 if LONG else 6)
    done = run(tmp_path / "in", tmp_path / "out", "--progress", "jsonl")
    assert done.returncode == 8, done.stderr
    rows = events(done.stdout)
    assert {r["output"].removesuffix(".png") for r in rows if r["status"] == "done"} == set(good)
    failed = {row["input"]: row["error"] for row in rows if row["status"] == "failed"}
    assert set(failed) == set(map(str, bad))
    for path, error in failed.items():
        assert path in error["message"]
        assert error["kind"] in ("ImageDecodeError", "EmptyResultError")
    (summary,) = events(done.stdout, "summary")
    assert (summary["done"], summary["failed"]) == (len(good), len(bad))
    # They are told of again, but not read again; and tried again when that is asked for.
    again = run(tmp_path / "in", tmp_path / "out", "--progress", "jsonl")
    assert again.returncode == 8
    assert {r["status"] for r in events(again.stdout)} == {"failed", "skipped"}
    # (What cannot be read at all has no digest that it could be known by.)
    assert {r["attempts"] for r in events(again.stdout) if r["input_sha256"]} == {1}
    shutil.copy(tmp_path / "in" / f"{good[0]}.jpg", bad[0])
    retried = run("retry", tmp_path / "out", "--progress", "jsonl")
    rows = events(retried.stdout)
    assert [r["input"] for r in rows if r["status"] == "done"] == [str(bad[0])]
    tried = [r["attempts"] for r in rows if r["status"] == "failed" and r["input_sha256"]]
    assert set(tried) == {2}


def test_two_runs_on_one_folder(tmp_path):
    catalog(tmp_path / "in", 3)
    running = iter(batch(tmp_path))
    next(running)
    second = run(tmp_path / "in", tmp_path / "out")
    assert second.returncode == 1
    assert f"another run is writing here (pid {os.getpid()} on " in second.stderr
    status = run("status", tmp_path / "out")
    assert status.returncode == 0  # looking is allowed
    running.close()
    assert run(tmp_path / "in", tmp_path / "out").returncode == 0


def test_a_newer_manifest_is_left_alone(tmp_path):
    catalog(tmp_path / "in", 1)
    list(batch(tmp_path))
    path = tmp_path / "out/.nssbg/manifest.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(nssbg.NssbgError, match="made by a newer nssbg"):
        list(batch(tmp_path))
    assert len(read_manifest(path.parent)[0]) == 1
