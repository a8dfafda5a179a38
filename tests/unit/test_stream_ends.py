"""How a stream of pictures ends before its sources do: errors, requests to end, waiting sources."""

import asyncio
import io
import os
import signal
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest

import nssbg
from nssbg._options import CutoutOptions
from nssbg._pipeline.stages import Stage
from nssbg._pipeline.stream import Stream

ENDS = [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), asyncio.CancelledError()]
# Far beyond what anything here takes; a source that blocks does so for as long.
LONG = 30


class OddError(Exception):
    """None that nssbg knows of."""


def stream_of(sources, *, work=lambda job: None, **settings):
    """A stream over one stage that does `work`."""

    def only(job):
        work(job)
        job.cutout = SimpleNamespace(source=job.source, report=None)

    defaults = {"workers": 2, "max_in_flight": 4, "max_memory": None, "predict": lambda _: 1}
    pipeline = SimpleNamespace(stages=(Stage("only", only),))
    return Stream(pipeline, sources, CutoutOptions(), **{**defaults, **settings})


def workers():
    return [t for t in threading.enumerate() if t.name.startswith("nssbg-worker")]


def raises(error):
    def at_two(item):
        if getattr(item, "source", item) == 2:
            raise error

    return at_two


@pytest.mark.parametrize("end", ENDS, ids=lambda end: type(end).__name__)
@pytest.mark.parametrize("place", ["stage", "predict", "sink", "images"])
def test_a_request_to_end_ends_the_stream_and_reaches_the_caller(place, end):
    at_two = raises(end)

    def images():
        for number in range(100):
            if place == "images":
                at_two(number)
            yield number

    def predict(source):
        if place == "predict":
            at_two(source)
        return 1

    stream = stream_of(
        images(),
        work=at_two if place == "stage" else lambda job: None,
        predict=predict,
        sink=lambda source, _: at_two(source) if place == "sink" else source,
    )
    with pytest.raises(type(end)) as raised:
        list(stream)
    assert raised.value is end
    assert list(stream) == []
    assert workers() == []


@pytest.mark.parametrize("place", ["stage", "predict", "sink"])
@pytest.mark.parametrize("error", [OddError("odd"), MemoryError(), StopIteration(), OSError(28)])
def test_whatever_is_wrong_with_a_picture_is_its_own_error(place, error):
    at_two = raises(error)
    stream = stream_of(
        range(6),
        work=at_two if place == "stage" else lambda job: None,
        predict=lambda source: (place == "predict" and at_two(source)) or 1,
        sink=lambda source, _: (place == "sink" and at_two(source)) or source,
        max_memory=3,
    )
    outcomes = list(stream)
    assert [outcome.error for outcome in outcomes] == [None, None, error, None, None, None]
    assert [outcome.source for outcome in outcomes] == list(range(6))


def test_names_that_no_file_can_have_and_samples_that_fail_stop_nothing(
    product, monkeypatch, tmp_path
):
    monkeypatch.setenv("NSSBG_HOME", str(tmp_path / "home"))

    class Broken(io.RawIOBase):
        def read(self, size=-1):
            raise OddError("odd")

    image, _ = product
    impossible = ["caf\udce9\ud800.png", "nul\0.png", "x" * 5000]
    # Wider than the core takes: ValueError in a stage, and in a sample that a run measures with.
    stripe = np.zeros((1, 262145, 3), np.uint8)
    sources = [image, *impossible, Broken(), stripe, object(), image]
    with nssbg.Remover("auto", threads=2) as remover:
        outcomes = list(remover.map(sources, autotune=True))
    assert [outcome.error is None for outcome in outcomes] == [True, *[False] * 6, True]


def test_a_callback_that_fails_is_the_pictures_own(product, tmp_path):
    image, _ = product
    names = iter([tmp_path / "0.png", "caf\ud800.png", OddError("odd"), tmp_path / "3.png"])

    def output(_):
        name = next(names)
        if isinstance(name, Exception):
            raise name
        return name

    with nssbg.Remover("studio", threads=1) as remover:
        outcomes = list(remover.map([image] * 4, output=output, workers=1))
    assert [outcome.error is None for outcome in outcomes] == [True, False, False, True]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.png", "3.png"]


@pytest.mark.parametrize("place", ["images", "read"])
def test_close_does_not_wait_for_a_source_that_blocks(place):
    go_on, begun = threading.Event(), threading.Event()

    def block(*_):
        begun.set()
        go_on.wait(LONG)
        return 2

    def images():
        yield 1
        yield block() if place == "images" else SimpleNamespace(read=block)
        raise AssertionError("pulled on after the stream was closed")

    def work(job):
        if hasattr(job.source, "read"):
            job.source.read()

    stream = stream_of(images(), work=work, max_in_flight=2)
    assert next(stream).source == 1
    assert begun.wait(LONG)
    start = time.monotonic()
    stream.close()
    assert time.monotonic() - start < LONG / 3
    assert list(stream) == []
    assert len(workers()) == 1
    # And it ends by itself once the source comes back.
    go_on.set()
    for thread in workers():
        thread.join(LONG)
    assert workers() == []


def test_close_waits_for_stages_that_run():
    begun, done = threading.Event(), threading.Event()

    def work(job):
        begun.set()
        time.sleep(0.2)
        done.set()

    stream = stream_of(range(9), work=work, workers=1)
    assert begun.wait(LONG)
    stream.close()
    assert done.is_set()
    assert workers() == []


@pytest.mark.skipif(os.name == "nt", reason="signals a process as a terminal does")
def test_ctrl_c_does_not_wait_for_a_source_that_blocks():
    go_on = threading.Event()

    def images():
        yield 1
        go_on.wait(LONG)
        yield 2

    start = time.monotonic()
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt), stream_of(images()) as stream:
        list(stream)
    assert time.monotonic() - start < LONG / 3
    go_on.set()


def test_a_worker_that_cannot_go_on_ends_the_stream():
    class WithoutReport:
        @property
        def report(self):
            raise OddError("no account")

    def only(job):
        job.cutout = WithoutReport()

    settings = {"workers": 2, "max_in_flight": 2, "max_memory": None, "predict": lambda _: 1}
    pipeline = SimpleNamespace(stages=(Stage("only", only),))
    with pytest.raises(OddError, match="no account"):
        list(Stream(pipeline, [1], CutoutOptions(), **settings))
