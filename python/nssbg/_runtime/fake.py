"""A backend for tests: no runtime, no weights, an alpha that follows from the tensor.

Its mask is the tensor's channel mean, so that a test can say what must come out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nssbg._errors import NssbgError
from nssbg._models.sidecar import ModelDescription
from nssbg._runtime.base import OpenOptions
from nssbg._types import Plan

__all__ = ["FakeBackend"]


class FakeBackend:
    """Answers with the mean over the channels of what it was given.

    Attributes:
        shapes: The shapes of all tensors that were run, in order.
    """

    def __init__(self, model: ModelDescription, options: OpenOptions) -> None:
        self.shapes: list[tuple[int, ...]] = []
        self._closed = False
        self.plan = Plan(
            model=model.name,
            backend="fake",
            device="CPU",
            precision="float32",
            threads=max(1, options.threads),
            reasons=("the fake backend was asked for",),
            license=model.license,
        )

    def run(self, tensor: NDArray[np.float32]) -> NDArray[np.float32]:
        """The mean over the channels: N x h x w."""
        if self._closed:
            raise NssbgError("the backend is closed; open another one")
        self.shapes.append(tensor.shape)
        return np.asarray(tensor.mean(axis=1), dtype=np.float32)

    def close(self) -> None:
        """Refuse further runs."""
        self._closed = True
