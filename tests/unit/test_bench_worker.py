"""The processes of `nssbg bench`: what fails, crashes or hangs costs one candidate alone."""

from __future__ import annotations

import os
import signal
import sys
import time

import numpy as np
import pytest

from nssbg import _io as image_io
from nssbg._errors import DeviceError
from nssbg._installed import RUNTIMES, installed
from nssbg._types import Plan
from nssbg.bench import candidate, group, processes
from nssbg.bench.cells import Asked
from nssbg.bench.group import Job, Record, measure_group, yardstick
from nssbg.bench.pictures import draw
from nssbg.bench.processes import Worker, WorkerError
from nssbg.bench.settings import Settings

RUNTIME = next(name for name in RUNTIMES if installed(name))


def opening(**more):
    request = {
        "model": "nssbg-lite",
        "asked": vars(Asked(RUNTIME, "cpu", "float32", 1)),
        "scope": "network",
        "scenario": "single",
        "cache": None,
        "files": [],
        "output": ".",
        "effort": "fast",
    }
    return {**request, **more}


def test_a_failure_is_told_and_the_worker_goes_on():
    with Worker() as worker:
        with pytest.raises(WorkerError, match="nothing is open"):
            worker.ask("run", count=1)
        with pytest.raises(WorkerError, match="no-such-model") as found:
            worker.ask("open", **opening(model="no-such-model"))
        assert found.value.what == "ModelError"
        told = worker.ask("open", **opening())
        assert told["ran"] == vars(Asked(RUNTIME, "cpu", "float32", 1))
        assert len(worker.ask("run", count=3)["samples_ms"]) == 3


def test_modules_of_the_current_folder_are_not_run(tmp_path, monkeypatch):
    for name in ("json.py", "numpy.py", "nssbg.py"):
        (tmp_path / name).write_text("raise SystemExit('not mine')")
    monkeypatch.chdir(tmp_path)
    with Worker() as worker, pytest.raises(WorkerError, match="nothing is open"):
        worker.ask("run", count=1)


@pytest.mark.skipif(os.name == "nt", reason="no signals there")
def test_a_crash_is_told_with_its_signal():
    with Worker() as worker:
        os.kill(worker._process.pid, signal.SIGKILL)
        with pytest.raises(WorkerError, match="signal 9, as where memory runs out"):
            worker.ask("memory")


def test_a_worker_that_hangs_is_ended(monkeypatch):
    with Worker() as worker:
        monkeypatch.setattr(processes, "LONGEST", 0.01)
        with pytest.raises(WorkerError, match=r"gave no answer to 'open' in 0\.01 s"):
            worker.ask("open", **opening())


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity there")
def test_a_worker_is_bound_to_its_processors():
    cpu = min(os.sched_getaffinity(0))
    with Worker((cpu,)) as worker:
        assert worker.pinned == [cpu]


def test_what_opens_as_something_else_is_an_error(monkeypatch):
    class Other:
        plan = Plan("nssbg-lite", RUNTIME, "CPU", "bfloat16", 1)
        closed = False

        def close(self):
            Other.closed = True

    monkeypatch.setattr(candidate, "open_candidate", lambda *given: Other())
    with pytest.raises(DeviceError, match="precision float32 was asked for, bfloat16 ran"):
        candidate.OpenCandidate(**opening())
    assert Other.closed


class CardDouble:
    """A device that takes four pictures in a tensor, as CUDA would be opened for many."""

    plan = Plan("nssbg-lite", "onnxruntime", "CUDA", "float32", 4, batch=4)

    def __init__(self):
        self.sizes = []

    def run(self, tensor):
        self.sizes.append(len(tensor))
        time.sleep(0.05)  # so that pictures wait, and are joined
        return np.zeros((len(tensor), *tensor.shape[2:]), np.float32)

    def close(self):
        pass


@pytest.mark.parametrize("scope", ["network", "picture"])
def test_a_device_of_its_own_gets_batches(monkeypatch, tmp_path, scope):
    card = CardDouble()
    monkeypatch.setattr(candidate, "open_candidate", lambda *given: card)
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(image_io.encode(draw("product", 120, 160), format="jpeg"))
    opened = candidate.OpenCandidate(
        **opening(
            asked=vars(Asked("onnxruntime", "cuda", "float32", 4, batch=4)),
            scope=scope,
            scenario="batch",
            files=[str(photo)],
            output=str(tmp_path),
        )
    )
    assert opened.told()["ran"]["device"] == "cuda"
    assert opened.told()["ran"]["batch"] == 4
    told = opened.run(count=2)
    assert len(told["samples_ms"]) == 2
    assert told["joules"] is None or told["joules"] > 0
    assert max(card.sizes) > 1
    assert sorted(tmp_path.iterdir()) == [photo]  # results of a run are removed after it


def test_one_candidate_that_fails_costs_only_itself(tmp_path):
    settings = Settings(warmup=0, rounds=2, seconds=0.01, quick=True)

    def job(name, precision="float32"):
        asked = Asked(RUNTIME, "cpu", precision, 1)
        return Job(name, name, asked, "network", "single", "", ())

    lines = []
    alphas = {}
    wrong, good = measure_group(
        [job("no-such-model"), job("nssbg-lite")],
        settings,
        tmp_path,
        alphas=alphas,
        progress=lines.append,
    )
    assert "no-such-model" in wrong.problem
    assert (wrong.samples, wrong.mismatch) == ([], False)
    assert good.problem == ""
    assert [len(turn) for turn in good.samples] == [1, 1]
    assert len(good.yardstick) == 2
    assert [key[0] for key in alphas] == ["nssbg-lite"]
    if sys.platform.startswith("linux"):
        assert good.peak_memory > good.base_memory > 0


def test_rounds_go_on_until_the_interval_is_narrow_or_the_time_is_over():
    settings = Settings(rounds=6, seconds=10, width=0.05)
    job = Job("m", "m", Asked("core", "cpu", "float32", 1), "stages", "single", "", ())
    narrow = Record(job, samples=[[1.0], [1.01], [1.0], [1.02], [1.0], [1.0]])
    wide = Record(job, samples=[[1.0], [2.0], [1.0], [3.0], [1.0], [1.0]])
    assert group._done(narrow, 0.1, settings)
    assert not group._done(wide, 0.1, settings)
    assert group._done(wide, 10.0, settings)
    assert not group._done(Record(job, samples=[[1.0]] * 5), 99.0, settings)
    assert group._done(Record(job, problem="gone"), 0.0, settings)
    assert yardstick() > 0
