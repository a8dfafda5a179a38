"""What a person says about one picture: a box, points to keep and to drop, a painted mask.

A record, checked where it is made; `_segment.corrections` applies it, `batch.sidecar` reads it
from files. Coordinates are pixels of the upright picture, x to the right and y down.
"""

from __future__ import annotations

import hashlib
import json
import math
import numbers
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nssbg._errors import OptionError

if TYPE_CHECKING:  # the command's help comes without NumPy
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Corrections"]

_MOST_POINTS = 1000

Point = tuple[float, float]


@dataclass(frozen=True, eq=False)
class Corrections:
    """Hard constraints on the alpha of one picture.

    Attributes:
        box: left, top, right, bottom: the subject lies within. The method looks only there, and
            everything outside is background.
        keep: Points (x, y) of the subject. A point in a hole of the result fills the hole; one
            in the background takes in what is like it in colour, up to the next edge.
        drop: Points (x, y) of the background. A point on one of several parts drops that part;
            one on the only part, or on a part with a keep point, drops what is like it in colour,
            up to the next edge or to what is nearer to a keep point.
        mask: h x w uint8, painted: 224 to 255 keep, 0 to 31 drop, grey between says nothing. It
            covers the whole picture, at its size or at another of the same proportions.
        size: width, height that the coordinates are meant for; they are scaled to the picture's.
            None: the picture's own. (1, 1): they are shares of its width and height.

    Raises:
        OptionError: None of these are given, or one is not what it must be.
    """

    box: tuple[float, float, float, float] | None = None
    keep: tuple[Point, ...] = ()
    drop: tuple[Point, ...] = ()
    mask: NDArray[np.uint8] | None = field(default=None, repr=False)
    size: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        for name in ("keep", "drop"):
            object.__setattr__(self, name, _points(name, getattr(self, name)))
        if self.box is not None:
            object.__setattr__(self, "box", _numbers("box", self.box, 4))
            left, top, right, bottom = self.box
            if not (left < right and top < bottom):
                raise OptionError(
                    f"corrections: box is left, top, right, bottom with left < right and "
                    f"top < bottom, not {list(self.box)}"
                )
            for x, y in self.keep:
                if not (left <= x <= right and top <= y <= bottom):
                    raise OptionError(
                        f"corrections: the keep point ({x:g}, {y:g}) lies outside the box, where "
                        "everything is background; widen the box or leave out the point"
                    )
        if self.size is not None:
            object.__setattr__(self, "size", _numbers("size", self.size, 2))
            if min(self.size) <= 0:
                raise OptionError(f"corrections: size is width, height, not {list(self.size)}")
        if self.mask is not None:
            import numpy as np

            mask = self.mask
            if not isinstance(mask, np.ndarray) or mask.ndim != 2 or mask.dtype != np.uint8:
                raise OptionError("corrections: mask must be an h x w uint8 array")
            if 0 in mask.shape:
                raise OptionError("corrections: mask needs at least one pixel")
        if self.box is None and not self.keep and not self.drop and self.mask is None:
            raise OptionError("corrections: expected at least one of box, keep, drop and mask")

    @property
    def fingerprint(self) -> str:
        """Hex digest of all that can change a result."""
        record = {"box": self.box, "keep": self.keep, "drop": self.drop, "size": self.size}
        digest = hashlib.sha256(json.dumps(record, sort_keys=True).encode())
        if self.mask is not None:
            import numpy as np

            digest.update(repr(self.mask.shape).encode())
            digest.update(np.ascontiguousarray(self.mask).data)
        return digest.hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Corrections) and self.fingerprint == other.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def scaled_to(self, width: int, height: int, *, name: str) -> Corrections:
        """The same in the pixels of a picture.

        Raises:
            OptionError: A point or the whole box lies outside it, or the proportions are others.
        """
        result = self
        if self.size is not None:
            if self.size != (1.0, 1.0):
                _same_proportions("size", self.size, width, height, name)
            sx, sy = width / self.size[0], height / self.size[1]
            box = self.box
            result = Corrections(
                box=None if box is None else (box[0] * sx, box[1] * sy, box[2] * sx, box[3] * sy),
                keep=tuple((x * sx, y * sy) for x, y in self.keep),
                drop=tuple((x * sx, y * sy) for x, y in self.drop),
                mask=self.mask,
            )
        for kind, points in (("keep", result.keep), ("drop", result.drop)):
            for x, y in points:
                if not (0 <= x < width and 0 <= y < height):
                    raise OptionError(
                        f"{name}: corrections: the {kind} point ({x:g}, {y:g}) lies outside the "
                        f"picture of {width} x {height} pixels"
                    )
        if result.box is not None:
            left, top, right, bottom = result.box
            if right <= 0 or bottom <= 0 or left >= width or top >= height:
                raise OptionError(
                    f"{name}: corrections: the box {[round(v) for v in result.box]} lies outside "
                    f"the picture of {width} x {height} pixels"
                )
        if result.mask is not None:
            rows, columns = result.mask.shape
            _same_proportions("mask", (columns, rows), width, height, name)
        return result


def _same_proportions(
    what: str, size: tuple[float, float], width: int, height: int, name: str
) -> None:
    # One pixel of rounding in either direction.
    if abs(size[0] * height - size[1] * width) > max(size[0] + width, size[1] + height):
        raise OptionError(
            f"{name}: corrections: {what} is {size[0]:g} x {size[1]:g}, of other proportions than "
            f"the picture of {width} x {height} pixels (upright, as its EXIF says)"
        )


def _points(name: str, values: Any) -> tuple[Point, ...]:
    if not isinstance(values, (list, tuple)):
        raise OptionError(f"corrections: {name} must be a list of points [x, y], not {values!r}")
    if len(values) > _MOST_POINTS:
        raise OptionError(
            f"corrections: {name} has {len(values)} points; at most {_MOST_POINTS} are taken: "
            "paint a mask"
        )
    return tuple(_numbers(name, value, 2) for value in values)


def _numbers(name: str, values: Sequence[Any], count: int) -> Any:
    if (
        not isinstance(values, (list, tuple))
        or len(values) != count
        or not all(
            isinstance(value, numbers.Real) and not isinstance(value, bool) and _is_finite(value)
            for value in values
        )
    ):
        what = {"box": "left, top, right, bottom", "size": "width, height"}.get(name, "points x, y")
        raise OptionError(f"corrections: {name} must be {what} as numbers, not {values!r}")
    return tuple(float(value) for value in values)


def _is_finite(value: Any) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond every float
        return False
