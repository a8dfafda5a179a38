"""What stays the same from picture to picture: the model, where it runs, how much it may take."""

from __future__ import annotations

from dataclasses import dataclass

from nssbg import _core
from nssbg import _image_io as image_io
from nssbg._errors import OptionError
from nssbg._models.license import wanted_use

__all__ = ["Settings"]

# More threads than this are a mistake, not a machine (the core refuses them too).
MOST_THREADS = 1024


@dataclass(frozen=True)
class Settings:
    """See `nssbg.Remover` for the meanings."""

    model: str = "auto"
    device: str = "auto"
    backend: str = "auto"
    threads: int = 0
    license: str | None = None
    max_pixels: int = image_io.DEFAULT_MAX_PIXELS

    def __post_init__(self) -> None:
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
