"""Addresses, listings of stores, and transfers that run ahead of work."""

import hashlib
import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest
from batch_catalog import product_bytes

import nssbg
from nssbg.batch.address import is_uri, joined, local_path
from nssbg.batch.entry import Entry
from nssbg.batch.row import Row
from nssbg.batch.sink import StorageError
from nssbg.batch.sources import Item, Problem
from nssbg.batch.store.listing import Sources
from nssbg.batch.transfers import Prefetch, Recorder
from nssbg.batch.units import DEFAULT_PROFILE, WorkUnit

fsspec = pytest.importorskip("fsspec")


def test_what_is_a_uri():
    assert [is_uri(one) for one in ("s3://a/b", "gs://a", "memory://x", "GS://a")] == [True] * 4
    assert not any(is_uri(one) for one in ("a/b", "/a", "C:\\a", "file:///a", "a:b", "s3:/a", None))
    assert local_path("file:///a/b") == "/a/b"
    assert local_path("a/b") == "a/b"
    with pytest.raises(nssbg.OptionError, match="file:///path"):
        local_path("file://host/a")
    assert joined("s3://a/b/", "/c") == "s3://a/b/c"


@pytest.fixture
def store(tmp_path):
    """A folder of the memory store, and what writes into it."""
    system = fsspec.filesystem("memory")
    top = f"/store-{hashlib.sha256(str(tmp_path).encode()).hexdigest()[:12]}"

    def put(*names):
        for name in names:
            system.pipe_file(f"{top}/{name}", name.encode())

    put("a/1.jpg", "a/2.png", "a/deep/3.jpg", "b/4.JPG", "b/notes.txt", "b/.hidden/5.jpg", "6.webp")
    yield f"memory:/{top}", put
    system.rm(top, recursive=True)


def names(found):
    return [one.path.partition("//")[2].partition("/")[2] for one in found]


def test_a_prefix_is_listed_as_a_folder_would_be(store):
    top, _ = store
    found = list(Sources().scan(top))
    assert names(found) == ["6.webp", "a/1.jpg", "a/2.png", "a/deep/3.jpg", "b/4.JPG"]
    assert [one.dir for one in found] == ["", "a", "a", "a/deep", "b"]
    assert names(Sources().scan(top, include=["*.jpg"], exclude=["deep"])) == ["a/1.jpg"]
    assert names(Sources().scan(f"{top}/a")) == names(
        one for one in found if one.dir.startswith("a")
    )


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.webp", ["6.webp"]),
        ("a/*", ["a/1.jpg", "a/2.png"]),
        ("**/*.jpg", ["a/1.jpg", "a/deep/3.jpg", "b/.hidden/5.jpg"]),
        ("a/**", ["a/1.jpg", "a/2.png", "a/deep/3.jpg"]),
        ("?/[13].jpg", ["a/1.jpg"]),
        ("a/[!1].*", ["a/2.png"]),
    ],
)
def test_globs_of_a_store(store, pattern, expected):
    top, _ = store
    assert names(Sources().scan(f"{top}/{pattern}")) == expected


def test_what_is_not_there_or_is_the_output_is_told(store):
    top, put = store
    with pytest.raises(nssbg.OptionError, match="no such object"):
        list(Sources().scan(f"{top}/none"))
    with pytest.raises(nssbg.OptionError, match="no picture matches"):
        list(Sources().scan(f"{top}/*.tif"))
    with pytest.raises(nssbg.OptionError, match="the output itself"):
        list(Sources().scan(top, output=f"{top}/"))
    put("out/9.jpg", "out/.nssbg/rejected/8.jpg")
    assert "out/9.jpg" not in names(Sources().scan(top, output=f"{top}/out"))
    (one,) = Sources().scan(f"{top}/a/1.jpg")
    assert one == Item(f"{top}/a/1.jpg", "")
    # A name with a wildcard's letters in it is that name first.
    put("odd[1].jpg")
    (one,) = Sources().scan(f"{top}/odd[1].jpg")
    assert one.path == f"{top}/odd[1].jpg"
    put("a/1.jpg.nssbg.toml")
    (told,) = [one for one in Sources().scan(top) if isinstance(one, Problem)]
    assert "--corrections" in told.message
    with pytest.raises(nssbg.ImageDecodeError, match="not there any more"):
        Sources().load(f"{top}/gone.jpg")


def unit(number):
    return WorkUnit(input=f"memory://x/{number}.jpg", profile=DEFAULT_PROFILE)


def test_pictures_are_fetched_ahead_in_their_order_and_within_bounds():
    most, under_way, lock = 0, 0, threading.Lock()

    def find(one):
        nonlocal most, under_way
        with lock:
            under_way += 1
            most = max(most, under_way)
        time.sleep(0.002)
        with lock:
            under_way -= 1
        if one.input.endswith("/7.jpg"):
            raise OSError("broken")
        return one.input

    units = [unit(number) for number in range(40)]
    ahead = Prefetch(iter(units), find, lambda one: 10, readers=4, ahead=60)
    seen = []
    for one in ahead:
        assert ahead._bytes <= 60
        if one.input.endswith("/7.jpg"):
            with pytest.raises(OSError, match="broken"):
                ahead.found(one)
        else:
            assert ahead.found(one) == one.input
        seen.append(one)
    ahead.close()
    assert seen == units
    assert 2 <= most <= 4
    # One that is larger than the bound is fetched all the same, alone.
    large = Prefetch(iter(units[:3]), find, lambda one: 1000, readers=4, ahead=60)
    assert [large.found(one) for one in large] == [one.input for one in units[:3]]
    large.close()


def test_entries_are_recorded_at_the_same_time_and_failures_come_out():
    entry = Entry(b"0", "s", "", Row(input="x", status="done"))

    class Slow:
        def __init__(self):
            self.most = self.now = 0
            self.lock = threading.Lock()

        def record(self, one):
            with self.lock:
                self.now += 1
                self.most = max(self.most, self.now)
            time.sleep(0.01)
            with self.lock:
                self.now -= 1
            if one.settings == "bad":
                raise StorageError("the store takes no more")
            return one

    slow = Slow()
    recorder = Recorder(slow, writers=4)
    for number in range(20):
        recorder.submit(replace(entry, identity=b"%d" % number))
    kept = list(recorder.rest())
    recorder.close()
    assert sorted(one.identity for one in kept) == sorted(b"%d" % n for n in range(20))
    assert 2 <= slow.most <= 4
    recorder = Recorder(slow, writers=2)
    recorder.submit(replace(entry, settings="bad"))
    with pytest.raises(StorageError, match="takes no more"):
        list(recorder.rest())
    recorder.close()


@pytest.mark.parametrize(
    ("missing", "arguments", "command"),
    [
        ("fsspec", ["memory://a", "out"], "nssbg[cloud]"),
        ("s3fs", ["s3://a/b", "out"], "nssbg[cloud]"),
        ("ray", ["in", "out", "--engine", "ray"], "nssbg[ray]"),
    ],
)
def test_a_missing_extra_is_named_with_its_command(missing, arguments, command, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/1.jpg").write_bytes(product_bytes(1))
    code = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        f"from nssbg.cli.main import main; sys.exit(main({['batch', *arguments]!r}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 2
    assert f'pip install "{command}"' in done.stderr
    assert "Traceback" not in done.stderr
