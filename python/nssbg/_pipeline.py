"""One picture through all stages: decode, estimate, refine, decontaminate.

A `Pipeline` holds what is the same for all pictures (the method and its open model) and is
safe to use from several threads.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nssbg import _core
from nssbg import _image_io as image_io
from nssbg._cutout import Cutout
from nssbg._errors import OptionError
from nssbg._methods.base import Estimate, Method
from nssbg._options import Options
from nssbg._stages.decontaminate import decontaminate
from nssbg._stages.refine import refine
from nssbg._types import Frame, Timings

__all__ = ["Pipeline", "Settings"]

log = logging.getLogger("nssbg")

# More threads than this are a mistake, not a machine (the core refuses them too).
MOST_THREADS = 1024


@dataclass(frozen=True)
class Settings:
    """What stays the same from picture to picture; see `Remover` for the meanings."""

    model: str = "auto"
    device: str = "auto"
    backend: str = "auto"
    threads: int = 0
    max_pixels: int = image_io.DEFAULT_MAX_PIXELS

    def __post_init__(self) -> None:
        if not 0 <= self.threads <= MOST_THREADS:
            raise OptionError(
                f"threads must be 0 (all usable cores) to {MOST_THREADS}, got {self.threads}"
            )
        if self.max_pixels < 1:
            raise OptionError(f"max_pixels must be at least 1, got {self.max_pixels}")

    @property
    def thread_count(self) -> int:
        """Threads as a number: 0 resolved to the usable cores."""
        return self.threads or _core.usable_cores()


class Pipeline:
    """The stages behind one open method.

    Raises:
        ModelError: The model is unknown, not on disk or damaged.
        DeviceError: The device asked for is not what would run.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._method = _open_method(settings)

    def close(self) -> None:
        """Let go of the model."""
        self._method.close()

    def run(self, image: Any, options: Options) -> Cutout:
        """Cut out one picture.

        Raises:
            ImageDecodeError: The picture cannot be read.
        """
        timings = Timings()
        with timings.measure("decode"):
            frame = image_io.decode(
                image,
                max_pixels=self._settings.max_pixels,
                ignore_alpha=options.ignore_alpha,
            )
        estimate = self._method.estimate(frame, timings)
        notes = [*frame.notes, *estimate.notes]
        alpha = self._full_size_alpha(frame, estimate, options, timings)
        with timings.measure("decontaminate"):
            rgba = decontaminate(
                frame.rgb,
                alpha,
                method=options.decontaminate,
                strength=options.strength,
                matte=options.matte,
                threads=self._settings.thread_count,
            )
        for line in estimate.plan.degraded:
            log.warning("%s: %s", frame.name, line)
        return Cutout(
            rgba=rgba,
            frame=frame,
            plan=estimate.plan,
            timings=timings,
            confidence=estimate.confidence,
            notes=tuple(notes),
        )

    def _full_size_alpha(
        self, frame: Frame, estimate: Estimate, options: Options, timings: Timings
    ) -> NDArray[Any]:
        alpha = estimate.alpha
        if not estimate.full_size:
            with timings.measure("refine"):
                alpha = refine(
                    frame.rgb, alpha, level=options.refine, threads=self._settings.thread_count
                )
        if frame.alpha is not None:
            with timings.measure("merge alpha"):
                alpha = _multiplied(alpha, frame.alpha)
        return alpha


def _multiplied(alpha: NDArray[Any], existing: NDArray[Any]) -> NDArray[Any]:
    """The product of a new alpha with the one that the picture came with, rounded."""
    full = np.iinfo(existing.dtype).max
    if alpha.dtype == np.float32:
        return alpha * (existing.astype(np.float32) / np.float32(full))
    wide = np.uint64 if existing.dtype == np.uint16 else np.uint32
    scale = np.iinfo(alpha.dtype).max
    # alpha / scale * existing / full, in existing's own range, so 16 bits stay 16 bits.
    product = (alpha.astype(wide) * existing.astype(wide) + scale // 2) // scale
    return product.astype(existing.dtype)


def _open_method(settings: Settings) -> Method:
    from nssbg._methods import studio

    if settings.model in ("auto", "studio"):
        return studio.StudioMethod(settings.thread_count)
    from nssbg._methods import network

    return network.NetworkMethod(
        settings.model,
        device=settings.device,
        backend=settings.backend,
        threads=settings.thread_count,
    )
