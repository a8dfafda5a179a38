"""An image-to-image network, held open: its weights, its receptive field, its runs in tiles."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from nssbg._enhance.receptive_field import Reach, kept_reach, measured_reach
from nssbg._enhance.tiling import NotFiniteError, Progress, chosen_tiling, run_tiled
from nssbg._errors import ModelError, OptionError
from nssbg._models.catalog import describe
from nssbg._models.license import check_license
from nssbg._models.onnx_header import input_dimensions
from nssbg._models.sidecar import ModelDescription
from nssbg._models.task import check_task
from nssbg._planner import open_model
from nssbg._planner.opening import resolve_model
from nssbg._runtime import Backend
from nssbg._types import ImageArray, Plan

__all__ = ["ImageNetwork"]

log = logging.getLogger("nssbg")

# Tile shapes held open: a picture's own and the last one's.
_OPEN = 2
# Tiles that see each other's neighbourhood differently are mixed over this share of what they see.
_FADE_SHARE = 2


class ImageNetwork:
    """One image-to-image network; safe to use from several threads.

    Args:
        model: A name of the catalog, a path with a sidecar, or a description; task "image".
        device: See `nssbg.Remover`.
        backend: See `nssbg.Remover`.
        threads: Threads for the runtime and the kernels, at least 1.
        license: See `nssbg.Remover`.

    Raises:
        ModelError: The model is unknown, of another task, cannot be pulled, or is damaged.
        LicenseError: Its weights do not allow the use asked for.
        DeviceError: The device asked for is not what would run.
    """

    def __init__(
        self,
        model: str | Path | ModelDescription,
        *,
        device: str = "auto",
        backend: str = "auto",
        threads: int = 1,
        license: str | None = None,
    ) -> None:
        described = model if isinstance(model, ModelDescription) else describe(model)
        check_task(described, "image")
        check_license(described, license)
        self.model: ModelDescription = resolve_model(described, license=license)
        self._license = license
        self._where = (device, backend)
        self._threads = threads
        self._lock = threading.Lock()
        self._backends: dict[tuple[int, int, int], Backend] = {}
        self._fixed, self._batch = _shape(self.model)
        self.plan: Plan | None = None
        self._reach: Reach | None = None

    @property
    def reach(self) -> Reach:
        """How far the network looks: from its description, or measured once."""
        with self._lock:
            if self._reach is None:
                self._reach = kept_reach(
                    self.model,
                    lambda: measured_reach(
                        lambda *size: self._opened(size, 1).run,
                        self.model,
                        fixed=self._fixed,
                    ),
                )
                if not self._reach.is_local:
                    log.warning(
                        "%s: looks at all of a tile: its tiles differ by up to %.1f of 255, and "
                        "are mixed over their seams",
                        self.model.name,
                        255 * self._reach.difference,
                    )
            return self._reach

    def run(
        self,
        image: ImageArray,
        *,
        reduce: int = 1,
        told: Mapping[str, float] | None = None,
        batch: int = 1,
        progress: Progress | None = None,
    ) -> ImageArray:
        """The network's image: H scale / reduce x W scale / reduce x 3.

        Args:
            image: H x W x 3, uint8 or uint16.
            reduce: See `run_tiled`.
            told: Values of 0..1 of what the description's conditions name; others count as 0.
            batch: Tiles in one tensor; a graph with a batch of its own keeps to that.
            progress: See `run_tiled`.

        Raises:
            ModelError: The network fails, or gives values that are no finite numbers.
        """
        model, reach = self.model, self.reach
        fade = 0 if reach.is_local else reach.overlap // _FADE_SHARE
        try:
            tiling = chosen_tiling(
                (image.shape[0], image.shape[1]),
                model.size,
                reach.overlap,
                multiple=model.multiple,
                fade=fade,
                fixed=self._fixed,
            )
        except OptionError as error:
            raise ModelError(
                f"{model.path or model.name}: {error}; a larger size in its sidecar leaves more"
            ) from error
        batch = self._batch or batch
        with self._lock:
            opened = self._opened((tiling.height, tiling.width), batch)
        self.plan = opened.plan
        try:
            return run_tiled(
                image,
                opened.run,
                tiling,
                scale=model.scale,
                reduce=reduce,
                mean=model.mean,
                std=model.std,
                conditions=[(told or {}).get(name, 0.0) for name in model.conditions],
                batch=batch,
                threads=self._threads,
                progress=progress,
            )
        except NotFiniteError as error:
            name = str(model.path or model.name)
            plan = opened.plan
            raise ModelError(
                f"{name}: {error} ({plan.backend}, {plan.device}, {plan.precision}); its file may "
                "be damaged, or its values too large for that precision: try another backend="
            ) from error

    def _opened(self, size: tuple[int, int], batch: int) -> Backend:
        """The network for tiles of that size; the least recently used ones are closed."""
        key = (*size, batch)
        backend = self._backends.pop(key, None)
        if backend is None:
            device, name = self._where
            sized = replace(self.model, height=size[0], width=size[1])
            _, backend = open_model(
                sized,
                backend=name,
                device=device,
                threads=self._threads,
                license=self._license,
                batch=batch,
            )
        self._backends[key] = backend
        while len(self._backends) > _OPEN:
            # Let go of, not closed: another thread may be in it.
            self._backends.pop(next(iter(self._backends)))
        return backend

    def close(self) -> None:
        """Give the network's memory back."""
        with self._lock:
            for backend in self._backends.values():
                backend.close()
            self._backends.clear()


def _shape(model: ModelDescription) -> tuple[bool, int]:
    """Whether the graph takes one size of tile alone, and its batch where that is fixed; else 0.

    Raises:
        ModelError: Its input is not what the description says.
    """
    if model.path is None or model.path.suffix != ".onnx":
        return False, 0
    shape = input_dimensions(model.path)
    if len(shape) != 4:
        raise ModelError(f"{model.path}: its input has {len(shape)} axes, expected N x C x h x w")
    batch, channels, height, width = shape
    if isinstance(channels, int) and channels != model.channels:
        raise ModelError(
            f"{model.path}: its input has {channels} channels, its description tells of "
            f"{model.channels}: three colours and conditions = {list(model.conditions)}"
        )
    fixed = isinstance(height, int) or isinstance(width, int)
    if fixed and (height, width) != model.size:
        raise ModelError(
            f"{model.path}: takes tiles of {height} x {width} alone, its description says "
            f"{model.height} x {model.width}; size = [{height}, {width}] in its sidecar"
        )
    return fixed, batch if isinstance(batch, int) else 0
