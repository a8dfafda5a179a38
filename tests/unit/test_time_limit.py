"""A picture whose stage does not end is given up: the others go on, and nobody waits for it."""

import io
import re
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from batch_catalog import catalog, product_bytes
from PIL import Image

import nssbg
from nssbg import OptionError, TimeLimitError
from nssbg._pipeline import stage_clock
from nssbg._pipeline.stages import Pipeline
from nssbg.batch.manifest import read_manifest
from nssbg.batch.profile import OutputSpec, Profile

PHOTO = product_bytes(1)


class Slow:
    """A photograph from a socket that answers late, or never: `go` lets it."""

    def __init__(self, go, seconds=60.0):
        self.stream = io.BytesIO(PHOTO)
        self.go, self.seconds, self.asked = go, seconds, False

    def read(self, size=-1):
        if not self.asked:
            self.asked = True
            self.go.wait(self.seconds)
        return self.stream.read(size)


@pytest.fixture
def go():
    """Set at the end, so that no thread outlives its test."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def remover():
    with nssbg.Remover("studio", threads=2) as opened:
        yield opened


@pytest.fixture
def opened(monkeypatch):
    """Nothing is to be opened: the limit holds from the first picture on."""
    monkeypatch.setattr(stage_clock, "_OPENING", 0.0)


def workers():
    return [one for one in threading.enumerate() if one.name.startswith("nssbg-worker")]


# Limits are long enough for a small picture on a machine that has much else to do.
@pytest.mark.parametrize(("ordered", "place"), [(True, 0), (True, 7), (False, 3)])
def test_the_others_go_on(remover, go, opened, ordered, place):
    sources = [PHOTO] * 7
    sources.insert(place, Slow(go))
    begun = time.monotonic()
    with remover.map(sources, time_limit=2.0, ordered=ordered) as stream:
        outcomes = sorted(stream, key=lambda one: one.index)
    assert time.monotonic() - begun < 40  # not the minute that the read takes
    errors = {one.index: one.error for one in outcomes if one.error is not None}
    assert list(errors) == [place]
    assert isinstance(errors[place], TimeLimitError)
    message = str(errors[place])
    assert message.startswith("time limit: still in the stage 'decode' after ")
    assert message.endswith("more than the 2 s that a picture may; it was given up")
    assert len(outcomes) == 8
    go.set()  # what comes of it now is nobody's: the thread ends by itself
    for thread in workers():
        thread.join(10)
    assert not workers()


def test_one_worker_is_replaced_by_another(remover, go, opened):
    sources = [Slow(go), PHOTO, Slow(go), PHOTO]
    outcomes = list(remover.map(sources, workers=1, time_limit=1.5))
    assert [one.error is None for one in outcomes] == [False, True, False, True]


def test_a_delivery_that_hangs_is_given_up_too(remover, go, opened):
    def sink(source, cutout):
        if source is bad:
            go.wait(60)
        return cutout.alpha.mean()

    bad = bytes(PHOTO[:-2]) + PHOTO[-2:]
    outcomes = list(remover.map([PHOTO, bad, PHOTO], sink=sink, time_limit=1.5))
    assert [one.error is None for one in outcomes] == [True, False, True]
    assert "still in the stage 'write'" in str(outcomes[1].error)
    assert outcomes[1].report is not None
    assert {"decode", "studio"} <= outcomes[1].timings.stages.keys()


def test_nothing_waits_for_it_when_the_stream_is_closed(remover, go, opened):
    stream = remover.map([PHOTO, Slow(go), Slow(go), PHOTO], time_limit=1.0)
    next(stream)
    begun = time.monotonic()
    stream.close()
    assert time.monotonic() - begun < 15


def test_when_everything_hangs_the_stream_is_ended(remover, go, opened):
    stream = remover.map((Slow(go) for _ in range(100)), workers=2, time_limit=0.1)
    begun = time.monotonic()
    with pytest.raises(TimeLimitError, match=r"8 pictures hang .*look at the disk or share"):
        list(stream)
    assert time.monotonic() - begun < 20


def test_pictures_that_are_only_slow_end_nothing(remover, go, opened):
    sources = [Slow(go, 1.5) for _ in range(10)] + [PHOTO]
    outcomes = list(remover.map(sources, workers=2, time_limit=1.0))
    kinds = [type(one.error) for one in outcomes]
    assert kinds == [TimeLimitError] * 10 + [type(None)]


def test_before_a_stage_was_passed_it_has_time_to_open_what_it_needs(remover, go):
    first, later = remover.map([Slow(go, 0.6), Slow(go)], workers=1, time_limit=0.3)
    # It was not given up amid the stage, but what the stage took counts.
    assert re.match(r"time limit: took \d\.\d s up to the stage 'decode'", str(first.error))
    assert isinstance(later.error, TimeLimitError)


def test_without_a_limit_a_slow_picture_is_waited_for(remover, go):
    (outcome,) = remover.map([Slow(go, 0.5)])
    assert outcome.error is None
    with pytest.raises(OptionError, match="time_limit"):
        remover.map([PHOTO], time_limit=0)


SCRIPT = """
import sys, time
import nssbg
from nssbg._pipeline import stage_clock
from nssbg._pipeline.stages import Pipeline

stage_clock._OPENING = 0.0

class Hanging:
    def read(self, size=-1):
        time.sleep(600)

with nssbg.Remover("studio") as remover:
    for outcome in remover.map([Hanging()], time_limit=0.3):
        print(type(outcome.error).__name__)
sys.exit(7)
"""


def test_a_script_ends_without_it():
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT], capture_output=True, text=True, timeout=60
    )
    assert (done.stdout, done.stderr, done.returncode) == ("TimeLimitError\n", "", 7)


COMMAND = """
import sys, time
from nssbg._pipeline import stage_clock
from nssbg._pipeline.stages import Pipeline
from nssbg._pipeline.stages import Pipeline

stage_clock._OPENING = 0.0
refine = Pipeline._refine

def hangs(self, job):
    if job.source.name.endswith("0002.jpg"):
        time.sleep(600)
    return refine(self, job)

Pipeline._refine = hangs
from nssbg.cli.main import command
command()
"""


def test_the_command_fails_the_picture_goes_on_and_ends(tmp_path):
    catalog(tmp_path / "in", 6)
    arguments = [
        "batch",
        tmp_path / "in",
        tmp_path / "out",
        "--model",
        "studio",
        "--time-limit",
        "5",
    ]
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, *map(str, arguments), "--progress", "none"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 8, done.stderr
    assert "5 done, 1 failed" in done.stdout
    entries, _ = read_manifest(tmp_path / "out" / ".nssbg")
    (failed,) = [one.row for one in entries if one.row.status == "failed"]
    assert failed.input.endswith("0002.jpg")
    assert failed.error.kind == "TimeLimitError"
    assert "0002.jpg: time limit: still in the stage 'refine'" in failed.error.message
    again = list(nssbg.Batch(tmp_path / "in", tmp_path / "out", model="studio"))
    assert [row.status for row in again].count("done") == 1  # and is tried again
    assert len(list((tmp_path / "out").rglob("0*.png"))) == 6
    assert np.asarray(Image.open(next((tmp_path / "out").rglob("0002.png")))).shape == (160, 160, 4)


def test_the_measuring_of_groups_goes_on_past_it_too(tmp_path, go, opened, monkeypatch):
    refine, stuck = Pipeline._refine, []

    def hangs(self, job):
        if job.source.name.endswith("0003.jpg"):
            stuck.append(job.source.name)
            go.wait(60)
        return refine(self, job)

    monkeypatch.setattr(Pipeline, "_refine", hangs)
    canvas = OutputSpec(name="{stem}.png", format="png", width=200, height=200, fill=0.8)
    catalog(tmp_path / "in", 24)  # two a folder
    begun = time.monotonic()
    batch = nssbg.Batch(
        tmp_path / "in",
        tmp_path / "out",
        profile=Profile("canvas", (canvas,)),
        model="studio",
        group_by="folder",
        time_limit=4.0,
        report=False,
    )
    rows = list(batch)
    assert time.monotonic() - begun < 50
    assert len(stuck) == 2  # when it was measured, and in its own turn
    (error,) = [row.error for row in rows if row.error is not None]
    assert error.kind == "TimeLimitError"
    assert len(rows) == 24
