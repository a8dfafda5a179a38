"""Pictures of several threads in one tensor: each gets its own mask, whoever ran it."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from model_graphs import mask_network

from nssbg._models.sidecar import ModelDescription
from nssbg._runtime import open_backend
from nssbg._runtime.batching import DynamicBatching
from nssbg._types import Plan


class Recorder:
    """A backend that answers with each picture's first value and remembers what it was given."""

    def __init__(self, seconds=0.01, fails=False):
        self.plan = Plan(model="m", backend="fake", device="CPU", batch=4)
        self.sizes: list[int] = []
        self.max_concurrency = 0
        self.most_at_once = 0
        self.seconds, self.fails = seconds, fails
        self.closed = False
        self.lock = threading.Lock()

    def run(self, tensor):
        with self.lock:
            self.max_concurrency += 1
            self.most_at_once = max(self.most_at_once, self.max_concurrency)
            self.sizes.append(tensor.shape[0])
        time.sleep(self.seconds)
        with self.lock:
            self.max_concurrency -= 1
        if self.fails:
            raise RuntimeError("the device went away")
        return tensor[:, 0] * 2

    def close(self):
        self.closed = True


def image(value, size=4):
    return np.full((1, 3, size, size), value, np.float32)


def test_each_thread_gets_its_own_mask_and_runs_are_shared():
    inner = Recorder()
    gathered = DynamicBatching(inner, 4)
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(gathered.run, [image(i) for i in range(64)]))
    for value, mask in enumerate(results):
        assert mask.shape == (1, 4, 4)
        assert (mask == 2 * value).all()
    assert sum(inner.sizes) == 64
    assert max(inner.sizes) == 4
    assert len(inner.sizes) <= 24
    assert inner.most_at_once == 1


def test_a_lone_picture_does_not_wait_for_others():
    gathered = DynamicBatching(Recorder(seconds=0.0), 4)
    begun = time.monotonic()
    for value in range(5):
        gathered.run(image(value))
    assert time.monotonic() - begun < 1.0


def test_a_full_tensor_goes_straight_through():
    inner = Recorder()
    assert DynamicBatching(inner, 4).run(np.zeros((5, 3, 4, 4), np.float32)).shape == (5, 4, 4)
    assert inner.sizes == [5]


def test_pictures_of_different_sizes_are_not_mixed():
    inner = Recorder()
    gathered = DynamicBatching(inner, 4)
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(gathered.run, [image(i, 4 + i % 2) for i in range(32)]))
    assert [mask.shape for mask in results] == [(1, 4 + i % 2, 4 + i % 2) for i in range(32)]


def test_an_error_reaches_every_thread_and_the_next_run_works():
    inner = Recorder(fails=True)
    gathered = DynamicBatching(inner, 4)
    with ThreadPoolExecutor(4) as pool:
        for future in [pool.submit(gathered.run, image(i)) for i in range(4)]:
            with pytest.raises(RuntimeError, match="went away"):
                future.result()
    inner.fails = False
    assert (gathered.run(image(3)) == 6).all()
    gathered.close()
    assert inner.closed


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
def test_a_mask_does_not_depend_on_the_neighbours(tmp_path, backend):
    path = mask_network(tmp_path / "m.onnx")
    model = ModelDescription(name="m", file=path.name, height=48, width=64).at(path)
    opened = open_backend(model, backend=backend, batch=3)
    assert opened.plan.batch == 3
    gathered = DynamicBatching(opened, 3)
    random = np.random.default_rng(0)
    inputs = [random.normal(size=(1, 3, 48, 64)).astype(np.float32) for _ in range(12)]
    alone = [opened.run(item) for item in inputs]
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(gathered.run, inputs))
    for a, b in zip(alone, together, strict=True):
        np.testing.assert_array_equal(a, b)
