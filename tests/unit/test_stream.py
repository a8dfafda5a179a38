"""Many pictures at once: order, back-pressure, memory bound, errors, cancellation."""

import gc
import itertools
import threading
import time
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

import nssbg
from nssbg._options import CutoutOptions
from nssbg._pipeline.stages import Stage
from nssbg._pipeline.stream import Stream


@dataclass
class Trace:
    """What the fake stages saw."""

    inside: int = 0
    most_inside: int = 0
    order: list = None


def stream_of(sources, *, work=None, max_concurrency=0, **settings):
    """A stream over two fake stages; the cut-out is a namespace that carries the source."""
    trace = Trace(order=[])
    lock = threading.Lock()

    def first(job):
        with lock:
            trace.inside += 1
            trace.most_inside = max(trace.most_inside, trace.inside)
        try:
            if work is not None:
                work(job.source)
        finally:
            with lock:
                trace.inside -= 1

    def second(job):
        job.cutout = SimpleNamespace(source=job.source, report=("report", job.source))
        with lock:
            trace.order.append(job.source)

    pipeline = SimpleNamespace(
        stages=(Stage("first", first, max_concurrency), Stage("second", second))
    )
    defaults = {"workers": 3, "max_in_flight": 5, "max_memory": None, "predict": lambda _: 1}
    return Stream(pipeline, sources, CutoutOptions(), **{**defaults, **settings}), trace


def test_ordered_results_come_in_the_order_of_the_sources():
    stream, _ = stream_of(range(40), work=lambda i: time.sleep(0.002 * (i % 3)))
    outcomes = list(stream)
    assert [outcome.index for outcome in outcomes] == list(range(40))
    assert [outcome.cutout.source for outcome in outcomes] == list(range(40))


def test_unordered_results_are_all_there_and_the_slow_one_comes_last():
    stream, _ = stream_of(range(5), work=lambda i: time.sleep(0.2 if i == 0 else 0), ordered=False)
    sources = [outcome.source for outcome in stream]
    assert sorted(sources) == list(range(5))
    assert sources[-1] == 0


def test_an_endless_iterable_is_pulled_only_as_results_are_taken():
    pulled = itertools.count()
    last = -1

    def endless():
        nonlocal last
        while True:
            last = next(pulled)
            yield last

    stream, _ = stream_of(endless(), max_in_flight=4)
    with stream:
        for taken in range(1, 21):
            next(stream)
            # Never more than most_in_flight pulled beyond what was taken.
            assert last + 1 <= taken + 4


def test_memory_bound_holds_and_a_giant_runs_alone():
    costs = {0: 10, 1: 10, 2: 500, 3: 10, 4: 60, 5: 60}
    inside = []
    lock = threading.Lock()
    worst = []

    def work(i):
        with lock:
            inside.append(costs[i])
            worst.append(list(inside))
        time.sleep(0.02)
        with lock:
            inside.remove(costs[i])

    stream, _ = stream_of(
        range(6), work=work, max_memory=100, predict=costs.__getitem__, max_in_flight=6
    )
    assert len(list(stream)) == 6
    for together in worst:
        assert sum(together) <= 100 or together == [500]


def test_lanes_bound_how_many_are_inside_a_stage():
    stream, trace = stream_of(range(12), work=lambda _: time.sleep(0.005), max_concurrency=1)
    assert len(list(stream)) == 12
    assert trace.most_inside == 1


def test_a_failing_picture_gives_its_error_and_the_others_go_on():
    def work(i):
        if i == 3:
            raise ValueError("three")

    stream, _ = stream_of(range(6), work=work)
    outcomes = list(stream)
    assert [outcome.error is None for outcome in outcomes] == [True] * 3 + [False] + [True] * 2
    with pytest.raises(ValueError, match="three"):
        outcomes[3].result()
    assert outcomes[3].cutout is None


def test_an_error_of_the_iterable_is_raised_after_what_was_pulled():
    def sources():
        yield 0
        yield 1
        raise OSError("no more")

    stream, _ = stream_of(sources())
    assert next(stream).source == 0
    assert next(stream).source == 1
    with pytest.raises(OSError, match="no more"):
        next(stream)
    with pytest.raises(StopIteration):
        next(stream)


def test_delivery_replaces_the_pixels_and_its_failure_is_the_pictures_own():
    def sink(source, cutout):
        assert cutout.source == source
        if source == 1:
            raise OSError("disk full")
        return f"out-{source}"

    stream, _ = stream_of(range(3), sink=sink)
    outcomes = list(stream)
    assert [outcome.output_path for outcome in outcomes] == ["out-0", None, "out-2"]
    assert all(outcome.cutout is None for outcome in outcomes)
    assert isinstance(outcomes[1].error, OSError)
    assert [outcome.report for outcome in outcomes] == [("report", i) for i in range(3)]
    assert "write" in outcomes[0].timings.stages


def test_close_ends_the_workers_and_pulls_no_more():
    seen = []

    def sources():
        for i in itertools.count():
            seen.append(i)
            yield i

    stream, _ = stream_of(sources(), work=lambda _: time.sleep(0.005))
    next(stream)
    stream.close()
    pulled = len(seen)
    assert not [t for t in threading.enumerate() if t.name.startswith("nssbg-worker")]
    time.sleep(0.03)
    assert len(seen) == pulled
    # What had finished before may still be taken; then it ends.
    assert len(list(stream)) <= 5


def test_an_abandoned_stream_ends_its_workers():
    stream, _ = stream_of(itertools.count())
    next(stream)
    del stream
    gc.collect()
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if not [t for t in threading.enumerate() if t.name.startswith("nssbg-worker")]:
            return
        time.sleep(0.01)
    raise AssertionError("workers of an abandoned stream still run")


def test_nothing_to_do_ends_at_once():
    stream, _ = stream_of([])
    assert list(stream) == []


def test_report_accounts_for_every_stage():
    stream, _ = stream_of(range(8), work=lambda _: time.sleep(0.002))
    list(stream)
    report = stream.report()
    assert report.images == 8
    assert report.stage_wall["first"] >= 8 * 0.002
    assert set(report.stage_cpu) == {"first", "second"}
    assert report.wall > 0


def test_stages_that_share_a_network_share_its_bound():
    inside, most = [0], [0]
    lock = threading.Lock()

    def network(_):
        with lock:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
        time.sleep(0.005)
        with lock:
            inside[0] -= 1

    def end(job):
        job.cutout = SimpleNamespace(source=job.source, report=None)

    for shares, bound in (("network", 2), ("", 4)):
        most[0] = 0
        pipeline = SimpleNamespace(
            stages=(
                Stage("segment", network, 2, shares),
                Stage("second pass", network, 2, shares),
                Stage("foreground", end),
            )
        )
        settings = {"max_in_flight": 12, "max_memory": None, "predict": lambda _: 1}
        list(Stream(pipeline, range(24), CutoutOptions(), workers=6, **settings))
        assert most[0] <= bound
    assert most[0] > 2  # without sharing both are full at once


def test_a_stage_without_anything_to_do_is_in_no_account():
    def end(job):
        job.cutout = SimpleNamespace(source=job.source, report=None)

    pipeline = SimpleNamespace(
        stages=(
            Stage("odd", lambda job: job.source % 2 == 1),
            Stage("never", lambda job: False),
            Stage("end", end),
        )
    )
    settings = {"workers": 2, "max_in_flight": 4, "max_memory": None, "predict": lambda _: 1}
    with Stream(pipeline, range(4), CutoutOptions(), **settings) as stream:
        list(stream)
        assert set(stream.report().stage_wall) == {"odd", "end"}


def test_what_runs_when_a_stream_is_stopped_can_still_be_taken(product_path, tmp_path):
    """A result that was written after stop() is told of, not lost."""
    writing, go_on = threading.Event(), threading.Event()

    def target(source):
        writing.set()
        assert go_on.wait(30)
        return tmp_path / "late.png"

    with nssbg.Remover("studio") as remover:
        stream = remover.map([product_path] * 9, output=target, workers=1, ordered=False)
        assert writing.wait(30)
        stream.stop()
        threading.Timer(0.2, go_on.set).start()
        outcomes = list(stream)
    assert [outcome.output_path for outcome in outcomes] == [tmp_path / "late.png"]
    assert stream.begun < 9
    assert (tmp_path / "late.png").exists()
