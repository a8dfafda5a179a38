"""What the visible part of a result will look like, at the scale of a screen.

For a person who paints: the part alone is refined and coloured, on a photograph as large as it is
shown, so that an answer takes as long for 100 megapixels as for one. At scale 1 it is within a few
levels of the result; smaller, it is the result of the smaller picture.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["View"]


@dataclass(frozen=True)
class View:
    """A part of a picture at a size.

    Attributes:
        box: left, top, right, bottom in whole pixels of the picture, half open.
        size: Rows and columns that it is shown at, no more than its own.
    """

    box: tuple[int, int, int, int]
    size: tuple[int, int]
