"""A rectangle of an image's pixels: a part that the model is run on again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

__all__ = ["Area"]


@dataclass(frozen=True)
class Area:
    """A rectangle of pixels, rows [y0, y1), columns [x0, x1)."""

    y0: int
    y1: int
    x0: int
    x1: int

    @property
    def height(self) -> int:
        """Rows."""
        return self.y1 - self.y0

    @property
    def width(self) -> int:
        """Columns."""
        return self.x1 - self.x0

    def overlaps(self, other: Area) -> bool:
        """Whether they share a pixel."""
        rows = self.y0 < other.y1 and other.y0 < self.y1
        return rows and self.x0 < other.x1 and other.x0 < self.x1

    def of(self, image: NDArray[Any]) -> NDArray[Any]:
        """This part of an H x W (x C) array, as a view."""
        return image[self.y0 : self.y1, self.x0 : self.x1]
