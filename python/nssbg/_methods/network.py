"""A network as a method: prepare, run on the chosen backend, read its map as an alpha."""

from __future__ import annotations

import numpy as np

from nssbg import _image_io as image_io
from nssbg._backends import open_backend
from nssbg._methods.base import Estimate
from nssbg._methods.confidence import confidence_of
from nssbg._models.catalog import resolve
from nssbg._models.readout import coarse_alpha
from nssbg._stages.prepare import prepare
from nssbg._types import Frame, Timings

__all__ = ["NetworkMethod"]


class NetworkMethod:
    """One model on one backend.

    Args:
        model: A name of the catalog, or a path to a model file with a sidecar.
        device: See `nssbg.Remover`.
        backend: See `nssbg.Remover`.
        threads: Threads for the runtime and the prepare kernel, at least 1.

    Raises:
        ModelError: The model is unknown, not on disk or damaged.
        DeviceError: The device asked for is not what would run.
    """

    def __init__(self, model: str, *, device: str, backend: str, threads: int) -> None:
        self._model = resolve(model)
        self._threads = threads
        self._backend = open_backend(self._model, backend=backend, device=device, threads=threads)

    def estimate(self, frame: Frame, timings: Timings) -> Estimate:
        """The alpha at the network's own size, with a confidence from the map itself."""
        model = self._model
        with timings.measure("prepare"):
            tensor = prepare(
                image_io.model_rgb(frame),
                model.input_size(frame.height, frame.width),
                mean=model.mean,
                std=model.std,
                filter=model.filter,
                threads=self._threads,
            )
        with timings.measure("infer"):
            alpha = coarse_alpha(self._backend.run(tensor), model)[0]
        confidence = confidence_of(alpha)
        # 16-bit pictures keep the map's full precision; for the others 8 bits are as fine as
        # the result, and a quarter of the bytes to refine.
        eight_bit = frame.rgb.dtype == np.uint8
        return Estimate(
            alpha=(alpha * np.float32(255.0) + np.float32(0.5)).astype(np.uint8)
            if eight_bit
            else alpha,
            full_size=False,
            confidence=confidence,
            plan=self._backend.plan,
        )

    def close(self) -> None:
        """Give the network's memory back."""
        self._backend.close()
