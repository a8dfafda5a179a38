"""`nssbg batch s3://in s3://out` against a real S3 server: whole, once, resumed, through faults."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time

import pytest
from batch_catalog import FAST, product_bytes
from object_store import Faults, environment, faulty

import nssbg

fsspec = pytest.importorskip("fsspec")


def system():
    """s3fs, with nothing remembered."""
    import s3fs

    return s3fs.S3FileSystem(use_listings_cache=False, skip_instance_cache=True)


def fill(address, count, store=None):
    """Write pictures below an address; their names without suffix."""
    store = store or system()
    names = []
    for number in range(count):
        name = f"{'abc'[number % 3]}/{number:04}"
        store.pipe_file(f"{address.partition('://')[2]}/{name}.jpg", product_bytes(number, side=96))
        names.append(name)
    return sorted(names)


def go_by(endpoint, monkeypatch):
    """Reach the store by another endpoint from here on."""
    import s3fs

    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    s3fs.S3FileSystem.clear_instance_cache()


def batch(bucket, **options):
    options = {"model": "studio", "effort": "fast", "report": False, **options}
    return nssbg.Batch(f"{bucket}/in", f"{bucket}/out", **options)


def outputs(address, store=None):
    """Name to digest of all outputs below an address, state left out."""
    store = store or system()
    top = address.partition("://")[2]
    found = {}
    for path in store.find(top):
        name = path.removeprefix(f"{top}/")
        if not name.startswith(".nssbg/"):
            found[name] = hashlib.sha256(store.cat_file(path)).hexdigest()
    return found


def state(address, store=None):
    """Names of the state of a run."""
    store = store or system()
    top = f"{address.partition('://')[2]}/.nssbg"
    return sorted(path.removeprefix(f"{top}/") for path in store.find(top))


def single_machine(tmp_path, count):
    """The same pictures by a run on local folders: name to digest."""
    for number in range(count):
        path = tmp_path / "in" / f"{'abc'[number % 3]}/{number:04}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(product_bytes(number, side=96))
    rows = list(
        nssbg.Batch(
            tmp_path / "in", tmp_path / "local", model="studio", effort="fast", report=False
        )
    )
    return {row.output: row.output_sha256 for row in rows}


def test_a_store_gets_what_a_folder_gets(bucket, tmp_path):
    fill(f"{bucket}/in", 12)
    first = batch(bucket)
    rows = list(first)
    assert {row.status for row in rows} == {"done"}
    assert outputs(f"{bucket}/out") == single_machine(tmp_path, 12)
    # Compacted: no record, segment or part is left, and the next run reads one file.
    kinds = [name.partition("/")[0] for name in state(f"{bucket}/out")]
    assert sorted(set(kinds)) == ["command.json", "epochs", "manifest", "runs"]
    assert kinds.count("manifest") == 1
    again = batch(bucket)
    assert {row.status for row in again} == {"skipped"}
    assert again.summary.unchanged == 12


def test_what_changed_or_was_lost_is_made_again(bucket):
    fill(f"{bucket}/in", 5)
    assert len(list(batch(bucket))) == 5
    store = system()
    top = bucket.partition("://")[2]
    store.pipe_file(f"{top}/in/a/0000.jpg", product_bytes(77, side=96))
    store.rm_file(f"{top}/out/b/0001.png")
    store.pipe_file(f"{top}/out/c/0002.png", b"altered")
    rows = list(batch(bucket))
    assert sorted(row.output for row in rows if row.status == "done") == [
        "a/0000.png", "b/0001.png", "c/0002.png"
    ]  # fmt: skip
    assert {row.status for row in batch(bucket)} == {"skipped"}
    assert len([row for row in batch(bucket, strength=0.5) if row.status == "done"]) == 5


def test_a_strangers_object_is_not_written_over(bucket):
    fill(f"{bucket}/in", 2)
    system().pipe_file(f"{bucket.partition('://')[2]}/out/a/0000.png", b"a person's")
    with pytest.raises(nssbg.OptionError, match="are there already"):
        list(batch(bucket))
    assert len(list(batch(bucket, overwrite=True))) == 2


def test_a_bad_picture_costs_only_itself(bucket):
    fill(f"{bucket}/in", 3)
    system().pipe_file(f"{bucket.partition('://')[2]}/in/torn.jpg", product_bytes(9)[:600])
    rows = list(batch(bucket))
    (failed,) = [row for row in rows if row.status == "failed"]
    assert failed.input == f"{bucket}/in/torn.jpg"
    assert failed.error.kind == "ImageDecodeError"
    assert len([row for row in rows if row.status == "done"]) == 3
    # It is a settled failure, told again and not tried again.
    again = batch(bucket)
    assert sorted(row.status for row in again) == ["failed", *["skipped"] * 3]
    assert again.summary.settled == 4


def command(bucket, endpoint, tmp_path):
    code = "from nssbg.cli.entry import command; command()"
    return subprocess.Popen(
        [sys.executable, "-c", code, "batch", f"{bucket}/in", f"{bucket}/out", *FAST,
         "--progress", "jsonl", "--no-report"],
        env={**os.environ, **environment(endpoint), "NSSBG_HOME": str(tmp_path / "home")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip


def check_once(bucket, expected):
    """Each input has one entry, and its output is the single-machine run's."""
    from nssbg.batch.store.manifest import read_store
    from nssbg.batch.store.objects import open_objects

    entries = read_store(open_objects(f"{bucket}/out"))
    assert sorted(entry.row.output for entry in entries) == sorted(expected)
    assert {entry.row.output: entry.row.output_sha256 for entry in entries} == expected
    assert outputs(f"{bucket}/out") == expected
    assert [name for name in state(f"{bucket}/out") if name.startswith(("parts", "commits"))] == []


def test_a_killed_run_is_gone_on_with(bucket, s3_endpoint, tmp_path):
    fill(f"{bucket}/in", 40)
    expected = single_machine(tmp_path, 40)
    process = command(bucket, s3_endpoint, tmp_path)
    for number, _ in enumerate(process.stdout):
        if number >= 6:
            break
    process.send_signal(signal.SIGKILL)
    process.communicate()
    committed = [name for name in state(f"{bucket}/out") if name.startswith("commits/")]
    assert 7 <= len(committed) < 40
    # On another machine: without the first one's folder.
    process = command(bucket, s3_endpoint, tmp_path / "other")
    told, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    events = [json.loads(line) for line in told.splitlines()]
    done = [one for one in events if one["event"] == "row" and one["status"] == "done"]
    assert len(done) <= 40 - len(committed)
    check_once(bucket, expected)


@pytest.mark.parametrize(
    "faults",
    [
        Faults(busy=0.1),
        Faults(lost=0.06, stalled=0.04),
        Faults(late=3.0),
        Faults(0.05, 0.03, 0.02, 1.0),
    ],
    ids=["busy", "lost-answers", "late-listing", "all"],
)
def test_a_store_with_faults(bucket, s3_endpoint, tmp_path, monkeypatch, faults):
    fill(f"{bucket}/in", 24)
    expected = single_machine(tmp_path, 24)
    with faulty(s3_endpoint, faults) as endpoint:
        go_by(endpoint, monkeypatch)
        rows = list(batch(bucket))
        assert {row.status for row in rows} == {"done"}, [row.error for row in rows if row.error]
        # Straight again, while listings still lag: nothing is made twice.
        rows = list(batch(bucket))
        assert {row.status for row in rows} == {"skipped"}
    go_by(s3_endpoint, monkeypatch)
    for name in ("busy", "lost", "stalled"):
        assert bool(faults.counts.get(name)) == bool(getattr(faults, name))
    assert bool(faults.counts.get("left out")) == bool(faults.late)
    check_once(bucket, expected)


def test_a_store_that_takes_conditional_writes_for_plain_ones_is_refused(
    bucket, s3_endpoint, monkeypatch
):
    fill(f"{bucket}/in", 1)
    with faulty(s3_endpoint, Faults(plain=True)) as endpoint:
        go_by(endpoint, monkeypatch)
        with pytest.raises(
            nssbg.ImageEncodeError, match=r"takes a conditional write .* for a plain"
        ):
            list(batch(bucket))
    go_by(s3_endpoint, monkeypatch)
    assert outputs(f"{bucket}/out") == {}


def test_a_store_that_does_not_answer_is_told_of(bucket, s3_endpoint, monkeypatch):
    from nssbg.batch.store import objects

    fill(f"{bucket}/in", 2)
    kept = objects.FsspecObjects.__init__.__kwdefaults__
    monkeypatch.setitem(kept, "tries", 2)
    with faulty(s3_endpoint, Faults(busy=1.0)) as endpoint:
        go_by(endpoint, monkeypatch)
        began = time.monotonic()
        with pytest.raises(nssbg.ImageEncodeError, match=r"2 tries.*run the same command again"):
            list(batch(bucket))
        assert time.monotonic() - began < 20


def test_the_commands_know_a_store(bucket, capsys):
    from nssbg.cli.main import main

    fill(f"{bucket}/in", 4)
    store = system()
    top = bucket.partition("://")[2]
    store.pipe_file(f"{top}/in/a/blank.jpg", _blank())
    where = [f"{bucket}/in/a/*.jpg", f"{bucket}/in/**/*2.jpg", f"{bucket}/out"]

    def run(*arguments):
        code = main(["batch", *arguments])
        return code, capsys.readouterr().out

    code, out = run(*where, *FAST, "--dry-run")
    assert code == 0
    assert "4 pictures: 4 to do" in out
    assert state(f"{bucket}/out") == []
    code, out = run(*where, *FAST)
    assert code == 8
    assert "3 done, 1 failed" in out
    assert f"report: {bucket}/out/report.html" in out
    page = store.cat_file(f"{top}/out/report.html")
    assert b"0003.png" in page
    code, out = run("status", f"{bucket}/out")
    assert code == 8
    assert "3 done, 1 failed" in out
    store.pipe_file(f"{top}/in/a/blank.jpg", product_bytes(50, side=96))
    code, out = run("retry", f"{bucket}/out")
    assert code == 0, out
    assert "1 done, 3 unchanged, 0 failed" in out
    code, out = run("report", f"{bucket}/out")
    assert code == 0
    code, out = run(*where, *FAST, "--dry-run")
    assert "4 pictures: 0 to do, 4 unchanged" in out


def _blank():
    import io

    from PIL import Image

    stream = io.BytesIO()
    Image.new("RGB", (80, 80), "white").save(stream, "JPEG")
    return stream.getvalue()


def test_stores_and_folders_mix(bucket, tmp_path):
    fill(f"{bucket}/in", 3)
    expected = single_machine(tmp_path, 3)
    local = nssbg.Batch(f"{bucket}/in", tmp_path / "down", model="studio", effort="fast")
    assert {row.output: row.output_sha256 for row in local} == expected
    assert {row.status for row in local} == {"skipped"}
    up = nssbg.Batch(tmp_path / "in", f"{bucket}/up", model="studio", effort="fast", report=False)
    assert {row.output: row.output_sha256 for row in up} == expected
    assert outputs(f"{bucket}/up") == expected
    listed = tmp_path / "list.txt"
    listed.write_text(f"{bucket}/in/a/0000.jpg\n{bucket}/in/gone.jpg\n")
    rows = list(nssbg.Batch([], tmp_path / "some", files_from=str(listed), model="studio"))
    assert sorted(row.status for row in rows) == ["done", "failed"]
    assert [row.error.message for row in rows if row.error] == [
        f"cannot read {bucket}/in/gone.jpg: it is not there any more"
    ]


def test_corrections_that_would_be_ignored_are_told_of(bucket):
    fill(f"{bucket}/in", 2)
    system().pipe_file(f"{bucket.partition('://')[2]}/in/a/0000.jpg.nssbg.toml", b"keep = [[1, 1]]")
    rows = {row.input.rpartition("/")[2]: row for row in batch(bucket)}
    assert rows["0001.jpg"].status == "done"
    assert "--corrections" in rows["0000.jpg"].error.message


def test_a_place_that_is_not_there(bucket):
    with pytest.raises(nssbg.OptionError, match="no such object or folder"):
        list(nssbg.Batch(f"{bucket}/nowhere", f"{bucket}/out", model="studio"))
    fill(f"{bucket}/in", 1)
    with pytest.raises(nssbg.ImageEncodeError, match=r"s3://none-such/.*make the bucket"):
        list(nssbg.Batch(f"{bucket}/in", "s3://none-such/out", model="studio"))
    with pytest.raises(nssbg.OptionError, match="no kind of store"):
        list(nssbg.Batch("nosuch://x/y", f"{bucket}/out", model="studio"))


def test_a_name_that_no_store_can_have_fails_alone(bucket, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "good.jpg").write_bytes(product_bytes(1, side=96))
    try:
        (folder / os.fsdecode(b"caf\xe9.jpg")).write_bytes(product_bytes(2, side=96))
    except OSError:
        pytest.skip("this file system takes no such name")
    rows = list(nssbg.Batch(folder, f"{bucket}/out", model="studio", report=False))
    assert sorted(row.status for row in rows) == ["done", "failed"]
    assert "UTF-8; rename it" in "".join(row.error.message for row in rows if row.error)
    again = nssbg.Batch(folder, f"{bucket}/out", model="studio", report=False)
    assert sorted(row.status for row in again) == ["failed", "skipped"]


def test_options_of_another_engine_are_refused():
    from nssbg.cli.main import main

    assert main(["batch", "in", "out", "--workers", "2"]) == 2
    pytest.importorskip("ray")
    assert main(["batch", "in", "out", "--engine", "ray", "--jobs", "2"]) == 2
    assert main(["batch", "memory://in", "memory://out", "--engine", "ray"]) == 2
