"""Manifest, journal, lock, keys, names and sinks of a batch."""

import errno
import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from batch_pictures import profile_of

from nssbg import ImageEncodeError, OptionError, _fs
from nssbg._options import CutoutOptions
from nssbg.batch.entry import Entry, from_line, to_line
from nssbg.batch.lock import BusyError, run_lock
from nssbg.batch.manifest import ManifestError, SqliteManifest, read_manifest
from nssbg.batch.planning import Planner
from nssbg.batch.row import Row, RowError
from nssbg.batch.sink import FileSystemSink, LocalSink, StorageError, Stored, telling
from nssbg.batch.sources import Item, Problem
from nssbg.batch.units import (
    DEFAULT_PROFILE,
    model_identity,
    recipe_digest,
    settings_digest,
    with_overrides,
)


def entry(name="a", **row):
    given = Row(
        **{
            "input": f"{name}.jpg",
            "status": "done",
            "output": f"{name}.png",
            "outputs": (f"{name}.png",),
            "fingerprint": f"f-{name}",
            "reasons": ("one", "two"),
            **row,
        }
    )
    return Entry(name.encode(), "s", "stamp", given, (Stored(f"{name}.png", 3, "abc", "x"),))


@pytest.mark.parametrize("name", ["plain", "new\nline", "\udcff\udc80", "ü"])
def test_an_entry_is_one_ascii_line(name):
    made = entry("a", input=name, error=RowError("ImageDecodeError", f"cannot read {name}"))
    line = to_line(made)
    assert "\n" not in line
    assert line.isascii()
    assert from_line(line) == made
    for cut in range(1, len(line), 7):
        with pytest.raises(ValueError):
            from_line(line[:cut])
    for other in ("[]", "{}", "3", '{"row": 3}'):
        with pytest.raises(ValueError):
            from_line(other)


def test_a_manifest_keeps_what_it_is_given(tmp_path):
    manifest = SqliteManifest(tmp_path)
    assert manifest.find(b"a") is None
    assert manifest.begin(b"a") == 1
    assert manifest.begin(b"a") == 2
    assert manifest.attempts(b"a") == (2, True)
    assert read_manifest(tmp_path) == ([], 1)
    manifest.record(entry("a", attempts=2))
    manifest.record(entry("b", status="failed"))
    manifest.claim(["x/\udcff.png", "y.png"])
    manifest.close()
    again = SqliteManifest(tmp_path)
    assert again.rebuilt == ""
    assert again.find(b"a") == entry("a", attempts=2)
    assert again.attempts(b"a") == (2, False)
    assert again.find_made("f-a") == entry("a", attempts=2)
    assert again.find_made("f-b") is None  # failed: nothing was made
    assert again.owns("x/\udcff.png")
    assert not again.owns("z.png")
    assert [one.identity for one in again.entries()] == [b"a", b"b"]
    again.close()
    assert read_manifest(tmp_path) == ([entry("a", attempts=2), entry("b", status="failed")], 0)


def test_problems_are_replaced_by_those_of_the_next_run(tmp_path):
    manifest = SqliteManifest(tmp_path)
    manifest.record(entry("a"))
    manifest.replace_problems([Row("shut", "failed"), Row("gone.jpg", "failed")])
    manifest.replace_problems([Row("gone.jpg", "failed")])
    assert [one.row.input for one in manifest.entries()] == ["a.jpg", "gone.jpg"]
    manifest.close()


def test_a_manifest_serves_many_threads(tmp_path):
    manifest = SqliteManifest(tmp_path)

    def work(number):
        for place in range(20):
            name = f"{number}-{place}"
            manifest.begin(name.encode())
            manifest.record(entry(name))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list(manifest.entries())) == 80
    manifest.close()


def test_a_journal_cut_short_costs_its_last_line_alone(tmp_path):
    manifest = SqliteManifest(tmp_path)
    manifest.record(entry("a"))
    manifest.record(entry("b"))
    manifest.close()
    journal = tmp_path / "journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:-10])
    manifest = SqliteManifest(tmp_path)  # ends the line, so that the next is one of its own
    manifest.record(entry("c"))
    manifest.close()
    (tmp_path / "manifest.sqlite").write_bytes(b"damaged" * 1000)
    manifest = SqliteManifest(tmp_path)
    assert "2 pictures, 1 damaged lines left out" in manifest.rebuilt
    found = list(manifest.entries())
    assert [one.identity for one in found] == [b"a", b"c"]
    assert all(one.stamp == "" and one.outputs[0].stamp == "" for one in found)  # to be hashed
    assert manifest.owns("a.png")
    manifest.close()
    assert (tmp_path / "manifest.sqlite.damaged-1").exists()


def test_a_journal_that_grew_is_shortened(tmp_path):
    manifest = SqliteManifest(tmp_path)
    for _ in range(400):
        manifest.record(entry("a"))
    before = (tmp_path / "journal.jsonl").stat().st_size
    manifest.close()
    lines = (tmp_path / "journal.jsonl").read_bytes().splitlines()
    assert before > 65536
    assert [from_line(line) for line in lines] == [entry("a")]


def test_reading_a_manifest_that_is_not_there(tmp_path):
    with pytest.raises(ManifestError, match="no batch was ever run into this folder"):
        read_manifest(tmp_path / ".nssbg")
    (tmp_path / "manifest.sqlite").write_bytes(b"damaged" * 1000)
    with pytest.raises(ManifestError, match="rebuilds it from the journal"):
        read_manifest(tmp_path)


def test_one_run_at_a_time(tmp_path):
    path = tmp_path / "out/.nssbg/lock"
    path.parent.mkdir(parents=True)
    who = rf"out: another run .*\(pid {os.getpid()} on "
    with run_lock(path), pytest.raises(BusyError, match=who):
        run_lock(path).__enter__()
    with run_lock(path):
        pass
    assert path.read_bytes() == b""


def planner(**options):
    return Planner(DEFAULT_PROFILE, CutoutOptions(), "studio", **options)


def test_units_mirror_the_tree():
    units = planner().plan([Item("in/a/1.jpg", "a"), Item("in/2.png")]).units
    assert [unit.outputs for unit in units] == [("a/1.png",), ("2.png",)]
    assert [unit.index for unit in units] == [1, 2]


def test_a_profile_without_folders_in_its_names_mirrors_too():
    made = Planner(profile_of(), CutoutOptions(), "m").plan([Item("in/a/1.jpg", "a")])
    assert made.units[0].outputs == ("a/1.jpeg",) or made.units[0].outputs == ("a/1.jpg",)
    flat = Planner(profile_of(), CutoutOptions(), "m", name="{stem}-x.{ext}")
    assert "/" not in flat.plan([Item("in/a/1.jpg", "a")]).units[0].outputs[0]


def test_collisions_are_told_before_any_work():
    twins = [Item("in/a/1.jpg", "a"), Item("in/a/1.png", "a"), Item("in/a/1.webp", "a")]
    with pytest.raises(OptionError, match=r"in/a/1.jpg and in/a/1.png would both be .* a/1.png"):
        planner().plan(twins)
    units = planner(collide="suffix").plan(twins).units
    assert [unit.outputs[0] for unit in units] == ["a/1.png", "a/1-2.png", "a/1-3.png"]


def test_a_file_and_a_folder_cannot_have_one_name():
    pair = [Item("in/x.jpg"), Item("in/x.png/1.jpg", "x.png")]
    with pytest.raises(OptionError, match=r"needs the folder x.png, where the output of in/x.jpg"):
        planner().plan(pair)
    with pytest.raises(OptionError, match=r"would both be written to x.png"):
        planner().plan(pair[::-1])
    made = planner(collide="suffix").plan(pair)
    assert len(made.units) == len(made.problems) == 1
    made = planner(collide="suffix").plan(pair[::-1])
    assert [unit.outputs[0] for unit in made.units] == ["x.png/1.png", "x-2.png"]


def test_names_without_stem_get_a_suffix_too():
    items = [Item("1.jpg", sku="A"), Item("2.jpg", sku="A")]
    made = planner(collide="suffix", name="{sku}.{ext}").plan(items)
    assert [unit.outputs[0] for unit in made.units] == ["A.png", "A-2.png"]


def test_case_counts_only_where_the_file_system_tells_cases_apart():
    pair = [Item("in/A.jpg"), Item("in/a.jpg")]
    assert len(planner().plan(pair).units) == 2
    with pytest.raises(OptionError, match="both"):
        planner(fold_case=True).plan(pair)


def test_the_same_picture_twice_is_one_unit():
    assert len(planner().plan([Item("in/1.jpg"), Item("in/../in/1.jpg")]).units) == 1


def test_reserved_names_are_no_outputs():
    with pytest.raises(OptionError, match=r"the report and in/contact-sheet.jpg"):
        planner(reserved=["contact-sheet.png"]).plan([Item("in/contact-sheet.jpg")])
    (problem,) = planner().plan([Item("in/1.jpg", ".nssbg")]).problems
    assert "state" in problem.message


def test_rows_override_the_profile_and_their_mistakes_are_their_own():
    made = planner().plan(
        [
            Item("1.jpg", background="#eee"),
            Item("2.jpg", profile="ebay"),
            Item("3.jpg", profile="nope"),
            Item("4.jpg", background="#nocolour"),
            Item("5.jpg", profile="amazon-main", background="red"),
        ]
    )
    one, two = made.units
    assert one.profile.outputs[0].background == "#eee"
    assert two.profile.name == "ebay"
    words = [problem.message for problem in made.problems]
    assert "no profile is called 'nope'" in words[0]
    assert "#nocolour" in words[1]
    assert "requires #ffffff" in words[2]


def test_a_key_changes_with_what_changes_outputs_and_nothing_else():
    def key(profile=DEFAULT_PROFILE, outputs=("a.png",), corrections=None, sha="x", **options):
        model = options.pop("model", "m")
        recipe = recipe_digest(profile, CutoutOptions(**options), model)
        unit = planner().plan([Item("a.jpg")]).units[0]
        return replace(unit, settings=settings_digest(recipe, outputs, corrections)).key(sha)

    base = key()
    assert base == key()
    assert key(profile=replace(DEFAULT_PROFILE, summary="other words")) == base
    others = [
        key(sha="y"),
        key(effort="fast"),
        key(model="n"),
        key(outputs=("b.png",)),
        key(corrections="z"),
        key(profile=replace(DEFAULT_PROFILE, metadata="strip")),
        key(profile=profile_of()),
    ]
    assert len({base, *others}) == len(others) + 1


def test_a_model_is_known_by_its_weights(tmp_path):
    from nssbg import ModelError

    assert model_identity("studio") == "studio"
    assert model_identity("auto") != model_identity("studio")
    with pytest.raises(ModelError):
        model_identity("no-such-model")


def test_a_background_replaces_the_profiles():
    jpeg = replace(profile_of(), require=replace(profile_of().require, background=None))
    assert with_overrides(jpeg, background="#eee").outputs[0].background == "#eee"
    with pytest.raises(OptionError, match="jpeg has no transparency"):
        with_overrides(jpeg, background="transparent")
    with pytest.raises(OptionError, match="writes 2 files"):
        with_overrides(replace(jpeg, outputs=jpeg.outputs * 2), name="{stem}.{ext}")


def test_a_local_sink_writes_whole_files_and_knows_them(tmp_path):
    sink = LocalSink(tmp_path / "out")
    stored = sink.write("a/b.png", b"data")
    assert (tmp_path / "out/a/b.png").read_bytes() == b"data"
    assert sink.stamp("a/b.png") == stored.stamp
    assert sink.sha256("a/b.png") == stored.sha256
    assert sink.stamp("no.png") is None
    assert sink.sha256("no.png") is None
    with pytest.raises(ImageEncodeError, match="it is there already"):
        sink.write("a/b.png", b"other", overwrite=False)
    (tmp_path / "out/a/b.png").write_bytes(b"DATA")
    assert sink.stamp("a/b.png") != stored.stamp


@pytest.mark.parametrize(
    ("number", "kind"),
    [(errno.ENOSPC, StorageError), (errno.EROFS, StorageError), (errno.EACCES, ImageEncodeError)],
)
def test_what_ails_the_place_is_told_from_what_ails_a_file(number, kind):
    with pytest.raises(ImageEncodeError) as caught, telling("x/y.png"):
        raise OSError(number, os.strerror(number), "x/y.png")
    assert type(caught.value) is kind
    assert "x/y.png" in str(caught.value)


def test_stale_part_files_are_swept_everywhere(tmp_path):
    host = _fs._host()
    stale = tmp_path / f"a/b/.1.png.nssbg-{host}-999999999-0123abcd.part"
    stale.parent.mkdir(parents=True)
    stale.write_bytes(b"half")
    foreign = stale.with_name(".1.png.nssbg-00000000-1-0123abcd.part")
    foreign.write_bytes(b"of another machine")
    assert LocalSink(tmp_path).sweep() == 1
    assert not stale.exists()
    assert foreign.exists()


class Bucket:
    """As much of fsspec as a sink uses."""

    def __init__(self):
        self.objects = {}

    def makedirs(self, path, exist_ok):
        assert exist_ok

    def pipe_file(self, path, data):
        self.objects[path] = bytes(data)

    def cat_file(self, path):
        try:
            return self.objects[path]
        except KeyError:
            raise FileNotFoundError(path) from None

    def info(self, path):
        return {"size": len(self.cat_file(path)), "ETag": hash(self.cat_file(path))}


def test_a_sink_of_another_file_system():
    bucket = Bucket()
    sink = FileSystemSink(bucket, "bucket/out/")
    stored = sink.write("a/1.png", b"data")
    assert bucket.objects == {"bucket/out/a/1.png": b"data"}
    assert sink.stamp("a/1.png") == stored.stamp != ""
    assert sink.sha256("a/1.png") == stored.sha256
    assert sink.stamp("b") is None
    with pytest.raises(ImageEncodeError, match="already"):
        sink.write("a/1.png", b"other", overwrite=False)
    with pytest.raises(TypeError, match="fsspec or pyarrow"):
        FileSystemSink(Path(), "x")


def test_a_sink_of_a_file_system_that_shows_half_written_files(tmp_path, monkeypatch):
    local = pytest.importorskip("fsspec").filesystem("file")
    sink = FileSystemSink(local, str(tmp_path / "out"))
    sink.write("a/1.png", b"data")
    assert [path.name for path in (tmp_path / "out").rglob("*.*")] == ["1.png"]

    def cut_short(path, data):
        Path(path).write_bytes(data[:1])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(local, "pipe_file", cut_short)
    with pytest.raises(StorageError, match="free some space"):
        sink.write("a/1.png", b"other")
    assert (tmp_path / "out/a/1.png").read_bytes() == b"data"
    assert [path.name for path in (tmp_path / "out").rglob("*.*")] == ["1.png"]


def test_problems_pass_through_planning():
    problem = Problem("x", "source", "cannot look into x")
    assert planner().plan([problem]).problems == [problem]
