"""What stays the same from picture to picture: the model, where it runs, how much it may take."""

from __future__ import annotations

import os
from dataclasses import dataclass

from nssbg import _core
from nssbg import _io as image_io
from nssbg._errors import OptionError
from nssbg._models.license import wanted_use
from nssbg._models.sidecar import ModelDescription
from nssbg._options import text, whole_number
from nssbg._vocabulary import PRECISION_CHOICES

__all__ = ["Settings"]

# More threads than this are a mistake, not a machine (the core refuses them too).
MOST_THREADS = 1024


@dataclass(frozen=True)
class Settings:
    """See `nssbg.Remover` for the meanings."""

    model: str | ModelDescription = "auto"
    device: str = "auto"
    backend: str = "auto"
    precision: str = "auto"
    threads: int = 0
    license: str | None = None
    max_pixels: int = image_io.DEFAULT_MAX_PIXELS
    max_memory: int | None = None

    def __post_init__(self) -> None:
        # Types first: settings come from configuration files as well as from code.
        for name in ("device", "backend", "precision"):
            text(name, getattr(self, name))
        if self.precision not in PRECISION_CHOICES:
            raise OptionError(
                f"precision is {self.precision!r}, expected one of {', '.join(PRECISION_CHOICES)}"
            )
        model = self.model
        if not isinstance(model, ModelDescription):
            text("model", os.fspath(model) if isinstance(model, os.PathLike) else model)
        whole_number("threads", self.threads)
        whole_number("max_pixels", self.max_pixels)
        if self.max_memory is not None and whole_number("max_memory", self.max_memory) < 1:
            raise OptionError(f"max_memory must be at least 1 byte, got {self.max_memory}")
        if not 0 <= self.threads <= MOST_THREADS:
            raise OptionError(
                f"threads must be 0 (all usable cores) to {MOST_THREADS}, got {self.threads}"
            )
        # The environment is read once: a Remover does not change its mind between pictures.
        object.__setattr__(self, "license", wanted_use(self.license))
        if self.max_pixels < 1:
            raise OptionError(f"max_pixels must be at least 1, got {self.max_pixels}")

    @property
    def thread_count(self) -> int:
        """Threads as a number: 0 resolved to the usable cores."""
        return self.threads or _core.usable_cores()
