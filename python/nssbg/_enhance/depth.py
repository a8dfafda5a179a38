"""Depth of a photograph by a network: relative, inverse, larger where nearer.

In: a decoded Frame. Out: H x W float32 of 0..1. Published networks give depth up to a scale and a
shift that differ from picture to picture, so that only ratios of differences mean something.
"""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from nssbg import _io as image_io
from nssbg._errors import ModelError
from nssbg._models.postprocess import coarse_alpha
from nssbg._models.sidecar import ModelDescription
from nssbg._models.task import check_task
from nssbg._ops.prepare import prepare
from nssbg._planner import open_model
from nssbg._types import Frame, Plan

__all__ = ["DepthNetwork", "enlarged_map"]


class DepthNetwork:
    """One depth network, held open; safe to use from several threads.

    Args:
        model: Of task "depth", its weights on this machine or to be pulled.
        device: See `nssbg.Remover`.
        backend: See `nssbg.Remover`.
        precision: See `nssbg.Remover`.
        threads: Threads for the runtime and the kernels, at least 1.
        license: See `nssbg.Remover`.

    Raises:
        ModelError: The model is of another task, cannot be pulled, or is damaged.
        LicenseError: Its weights do not allow the use asked for.
        DeviceError: The device or precision asked for is not what would run.
    """

    def __init__(
        self,
        model: ModelDescription,
        *,
        device: str = "auto",
        backend: str = "auto",
        precision: str = "auto",
        threads: int = 1,
        license: str | None = None,
    ) -> None:
        check_task(model, "depth")
        self._threads = threads
        self.model, self._backend = open_model(
            model,
            backend=backend,
            device=device,
            precision=precision,
            threads=threads,
            license=license,
        )

    @property
    def plan(self) -> Plan:
        """What really runs."""
        return self._backend.plan

    def coarse(self, frame: Frame) -> NDArray[np.float32]:
        """The map at the network's own size: h x w, 0 (farthest) to 1 (nearest).

        Raises:
            ModelError: It gives no finite number.
        """
        model = self.model
        rgb = image_io.model_rgb(frame)
        tensor = prepare(
            rgb,
            model.input_size(*rgb.shape[:2]),
            mean=model.mean,
            std=model.std,
            filter=model.filter,
            threads=self._threads,
        )
        raw = self._backend.run(tensor)
        if not np.isfinite(raw).all():
            plan = self.plan
            raise ModelError(
                f"{model.path or model.name}: gives values that are no finite numbers "
                f"({plan.backend}, {plan.device}, {plan.precision}); try another backend="
            )
        found: NDArray[np.float32] = coarse_alpha(raw, model)[0]
        return found

    def close(self) -> None:
        """Give the network's memory back."""
        self._backend.close()


def enlarged_map(coarse: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """A map at the picture's size, by bilinear interpolation between its cells' centres."""
    from PIL import Image

    if coarse.shape == (height, width):
        return coarse
    image = Image.fromarray(np.ascontiguousarray(coarse))
    large = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))
    return cast("NDArray[np.float32]", np.clip(large, 0.0, 1.0))
