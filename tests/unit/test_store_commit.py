"""The commit protocol: whoever dies or sleeps at any step, a unit counts once and is whole."""

import hashlib
import threading
from dataclasses import replace

import pytest

from nssbg.batch.entry import Entry
from nssbg.batch.row import Row, RowError
from nssbg.batch.sink import StorageError, Stored
from nssbg.batch.store.commit import COMMITS, PARTS, Committer, OvertakenError, epoch_key
from nssbg.batch.store.manifest import open_run, read_store
from nssbg.batch.store.objects import FsspecObjects, LocalObjects

fsspec = pytest.importorskip("fsspec")


@pytest.fixture(params=["local", "memory"])
def objects(request, tmp_path):
    """An empty store."""
    if request.param == "local":
        return LocalObjects(tmp_path / "store", sync=False)
    system = fsspec.filesystem("memory")
    root = f"/{tmp_path.name}-{id(request)}"
    return FsspecObjects(system, root, address=f"memory:/{root}")


def unit(label, *, settings="s", names=("a/1.png", "a/1-mask.png"), error=None):
    """What a writer has of one unit, and its outputs' bytes: other bytes for each label."""
    data = {} if error else {name: f"{label} {name}".encode() for name in names}
    stored = tuple(
        Stored(name, len(value), hashlib.sha256(value).hexdigest()) for name, value in data.items()
    )
    row = Row(
        input="in/1.jpg",
        status="failed" if error else "done",
        output=names[0] if not error else "",
        outputs=tuple(data),
        output_sha256=stored[0].sha256 if stored else "",
        error=RowError("Error", error) if error else None,
        fingerprint=f"f-{settings}",
        reasons=(label,),
    )
    return Entry(b"/in/1.jpg\0p", settings, "", row, stored), data


class Killed(BaseException):
    """A writer's end."""


class Steps:
    """A store whose `at`-th change kills its writer, or has it wait."""

    def __init__(self, objects, at, *, before=False, wait=None):
        self._objects, self._at, self._before, self._wait = objects, at, before, wait
        self.count = 0
        self.reached = threading.Event()

    def __getattr__(self, name):
        value = getattr(self._objects, name)
        if name not in ("put", "create", "move", "remove", "remove_all"):
            return value

        def step(*arguments):
            self.count += 1
            here = self.count == self._at
            if here and self._wait is not None:
                self.reached.set()
                assert self._wait.wait(20)
            if here and self._before:
                raise Killed
            made = value(*arguments)
            if here and self._wait is None and not self._before:
                raise Killed
            return made

        return step


def check(objects, label=None):
    """One entry counts; its outputs are there, are what it says, and nothing else is."""
    manifest = open_run(objects)
    try:
        (entry,) = manifest.entries()
        assert label is None or entry.row.reasons == (label,)
        for stored in entry.outputs:
            data = objects.read(stored.name)
            assert hashlib.sha256(data).hexdigest() == stored.sha256
            assert data.decode().startswith(entry.row.reasons[0])
        outside = [one.name for one in objects.find() if not one.name.startswith(".nssbg/")]
        assert sorted(outside) == sorted(stored.name for stored in entry.outputs)
        manifest.compact()
    finally:
        manifest.close()
    assert not list(objects.find(PARTS))
    assert not list(objects.find(COMMITS))
    assert read_store(objects) == [entry]
    return entry


def opened(objects):
    return open_run(objects, known=False)


@pytest.mark.parametrize("before", [False, True], ids=["after", "before"])
def test_a_writer_killed_at_any_step_leaves_nothing_torn(objects, before):
    steps = 0
    for at in range(1, 40):
        place = _below(objects, at)
        open_run(place).close()
        writer = Committer(Steps(place, at, before=before), 1, 1)
        entry, data = unit("first")
        try:
            writer.commit(entry, data)
            steps = at
            break
        except Killed:
            pass
        # Another worker runs the unit again; its bytes differ, as another processor's might.
        again, other = unit("second")
        made = Committer(place, 1, 1).commit(again, other)
        check(place, made.entry.row.reasons[0])
    assert steps >= 6


def test_a_run_goes_on_where_a_writer_was_killed(objects):
    for at in range(1, 40):
        place = _below(objects, at)
        open_run(place).close()
        writer = Committer(Steps(place, at), 1, 1)
        try:
            writer.commit(*unit("first"))
            break
        except Killed:
            pass
        manifest = open_run(place)
        known = manifest.find(b"/in/1.jpg\0p")
        if known is None:  # killed before the record: the unit is run again
            entry, data = unit("second")
            for name, value in data.items():
                manifest.sink.write(name, value)
            known = manifest.record(entry)
            assert known.row.reasons == ("second",)
        else:
            assert known.row.reasons == ("first",)
        manifest.close()
        check(place, known.row.reasons[0])


@pytest.mark.parametrize("later", [False, True], ids=["same-run", "later-run"])
def test_a_writer_that_sleeps_at_any_step_changes_nothing_afterwards(objects, later):
    """What a run that came later made stands, however late the first one's writer wakes."""
    reached = 0
    for at in range(1, 40):
        place = _below(objects, at)
        open_run(place).close()
        wake = threading.Event()
        steps = Steps(place, at, wait=wake)
        sleeper = Committer(steps, 1, 1)
        ended = []
        thread = threading.Thread(
            target=lambda sleeper=sleeper, ended=ended: ended.append(
                sleeper.commit(*unit("first", settings="old"))
            )
        )
        thread.start()
        while thread.is_alive() and not steps.reached.wait(0.01):
            pass
        asleep = thread.is_alive()
        reached = at if asleep else reached
        if later:
            made = Committer(place, 1, 2).commit(*unit("second", settings="new"))
            assert made.won
        else:
            made = Committer(place, 1, 1).commit(*unit("second", settings="old"))
        wake.set()
        thread.join()
        assert len(ended) == 1
        entry = check(place, "second" if later else made.entry.row.reasons[0])
        assert later or ended[0].entry.row.reasons == entry.row.reasons
        if not asleep:
            break
    assert reached >= 5


def test_writers_that_race_agree(objects):
    open_run(objects).close()
    made = []

    def write(number):
        made.append(Committer(objects, 1, 1).commit(*unit(f"w{number}")))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 8
    assert sum(one.won for one in made) == 1
    assert len({one.entry.row.reasons for one in made}) == 1
    check(objects, made[0].entry.row.reasons[0])


def test_a_success_takes_the_place_of_a_failure_and_not_the_other_way_round(objects):
    open_run(objects).close()
    one = Committer(objects, 1, 1)
    assert one.commit(*unit("fails", error="the network was away")).won
    assert one.commit(*unit("works")).won
    late = Committer(objects, 1, 1).commit(*unit("fails", error="out of memory"))
    assert (late.won, late.entry.row.reasons) == (False, ("works",))
    check(objects, "works")


def test_a_writer_of_a_run_that_was_overtaken_is_told(objects, monkeypatch):
    first = opened(objects)
    second = open_run(objects)
    entry, data = unit("second")
    for name, value in data.items():
        second.sink.write(name, value)
    second.record(entry)
    second.compact()
    second.close()
    monkeypatch.setattr("nssbg.batch.store.commit._LOOK", 0.0)
    other = replace(unit("late")[0], identity=b"/in/2.jpg\0p")
    with pytest.raises(OvertakenError, match="another run has finished here"):
        first.record(replace(other, outputs=()))


def test_a_lost_answer_is_no_other_writer(objects):
    """The write got through, its answer did not: the second try finds the writer's own record."""
    open_run(objects).close()

    class Lossy(Steps):
        def __getattr__(self, name):
            value = getattr(self._objects, name)
            if name != "create":
                return value
            return lambda *arguments: value(*arguments) and value(*arguments)

    made = Committer(Lossy(objects, 0), 1, 1).commit(*unit("first"))
    assert made.won
    check(objects, "first")


def test_a_store_that_lets_two_writers_win_is_refused(objects):
    class Plain(Steps):
        def __getattr__(self, name):
            if name != "create":
                return getattr(self._objects, name)
            return lambda key, data: self._objects.put(key, data) or True

    with pytest.raises(StorageError, match=r"conditional write .* nothing was done"):
        open_run(Plain(objects, 0))
    assert not list(objects.find())


def test_a_manifest_file_that_is_gone_is_told_of(objects):
    manifest = open_run(objects)
    entry, data = unit("first")
    for name, value in data.items():
        manifest.sink.write(name, value)
    manifest.record(entry)
    manifest.compact()
    manifest.close()
    assert read_store(objects) != []
    for one in list(objects.find(".nssbg/manifest")):
        objects.remove(one.name)
    with pytest.raises(Exception, match=r"manifest/.*it is missing"):
        open_run(objects)
    assert objects.stamp(epoch_key(2)) is not None


def _below(objects, number):
    """A fresh store beside the one given."""
    if isinstance(objects, LocalObjects):
        return LocalObjects(f"{objects.address}-{number}", sync=False)
    return FsspecObjects(
        objects._system, f"{objects._root}-{number}", address=f"{objects.address}-{number}"
    )
