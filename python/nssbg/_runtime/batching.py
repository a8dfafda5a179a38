"""Gathers the pictures of several callers into one tensor, for devices that are faster so.

In: a backend compiled for a batch, and threads that each bring one picture. Out: each thread's
own mask. The oldest waiting thread runs the batch for those behind it, as soon as the device is
free and the batch is full, or after a wait of one run's length. What is missing is padded, so
that every picture goes through the same compiled network whoever its neighbours are.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nssbg._runtime.base import Backend

__all__ = ["DynamicBatching"]

# Longest wait for a batch to fill, in seconds: what a picture at the end of a run loses.
_LONGEST_WAIT = 0.05


@dataclass(eq=False)
class _Caller:
    tensor: NDArray[np.float32]
    result: NDArray[np.float32] | None = None
    error: BaseException | None = None

    @property
    def done(self) -> bool:
        return self.result is not None or self.error is not None


class DynamicBatching:
    """A backend that runs what several threads bring as one tensor.

    Args:
        backend: Compiled for `batch` pictures.
        batch: Pictures in one tensor, at least 2.

    Attributes:
        plan: The backend's.
    """

    def __init__(self, backend: Backend, batch: int) -> None:
        self._backend = backend
        self.plan = backend.plan
        self._batch = batch
        self._changed = threading.Condition()
        self._waiting: list[_Caller] = []
        self._busy = False
        self._patience = 0.0

    def close(self) -> None:
        """Give the network's memory back."""
        self._backend.close()

    def run(self, tensor: NDArray[np.float32]) -> NDArray[np.float32]:
        """The mask output, N x h x w, float32; with others' pictures in one run."""
        if tensor.shape[0] >= self._batch:
            return self._backend.run(tensor)
        caller = _Caller(tensor)
        with self._changed:
            self._waiting.append(caller)
            self._changed.notify_all()
            while not caller.done and (self._busy or self._waiting[0] is not caller):
                self._changed.wait()
            if not caller.done:
                self._busy = True
                taken = self._fill()
        if not caller.done:
            self._run(taken)
        if caller.error is not None:
            raise caller.error
        assert caller.result is not None
        return caller.result

    def _fill(self) -> list[_Caller]:
        """The callers of the next run, the oldest first. Needs the lock."""
        until = time.monotonic() + self._patience
        while sum(item.tensor.shape[0] for item in self._waiting) < self._batch:
            left = until - time.monotonic()
            if left <= 0:
                break
            self._changed.wait(left)
        taken: list[_Caller] = []
        count = 0
        shape = self._waiting[0].tensor.shape[1:]
        for item in self._waiting:
            count += item.tensor.shape[0]
            if count > self._batch or item.tensor.shape[1:] != shape:
                break
            taken.append(item)
        del self._waiting[: len(taken)]
        return taken

    def _run(self, taken: list[_Caller]) -> None:
        begun = time.monotonic()
        try:
            masks = self._backend.run(np.concatenate([item.tensor for item in taken]))
            place = 0
            for item in taken:
                item.result = masks[place : place + item.tensor.shape[0]].copy()
                place += item.tensor.shape[0]
        except BaseException as error:
            for item in taken:
                item.error = error
        with self._changed:
            self._busy = False
            self._patience = min(_LONGEST_WAIT, time.monotonic() - begun)
            self._changed.notify_all()
