"""How far a network looks: measured by changing everything farther away than that.

Around a core in the middle of a synthetic picture all beyond a distance is exchanged for other
contents; the least distance at which the core stays as it was is what a tile has to see. For
convolutions it is the theoretical receptive field or less; a network that averages over
the whole picture has none.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nssbg._json_store import read_json, write_json
from nssbg._models.fingerprint import weights_fingerprint
from nssbg._models.paths import home
from nssbg._models.sidecar import ModelDescription

__all__ = ["TOLERANCE", "Reach", "kept_reach", "measured_reach"]

log = logging.getLogger("nssbg")

#: An eighth of an 8-bit step: tiles that agree within it round to neighbours at the most.
TOLERANCE = 1 / 2040

# Sides of the pictures that are tried, one after the other until the distance fits in.
_SIDES = (96, 192, 384)
_CORE = 16


@dataclass(frozen=True)
class Reach:
    """What was measured.

    Attributes:
        overlap: Pixels that a tile needs to see beyond its part.
        difference: The largest change of the core that was seen from beyond it, of 0..1: at most
            `TOLERANCE`, unless the network sees everything.
    """

    overlap: int
    difference: float

    @property
    def is_local(self) -> bool:
        """Whether what lies farther away does not count."""
        return self.difference <= TOLERANCE


def measured_reach(
    run_at: Callable[[int, int], Callable[[NDArray[np.float32]], NDArray[np.float32]]],
    model: ModelDescription,
    *,
    fixed: bool = False,
) -> Reach:
    """Measure how far a network looks.

    Args:
        run_at: Opens the network for tiles of a height and width; gives what runs one tensor.
        model: How it is fed.
        fixed: It takes tiles of model.size alone.
    """
    unit = model.multiple
    squares = (math.ceil(side / unit) * unit for side in _SIDES)
    smaller = [] if fixed else [(side, side) for side in squares if side < min(model.size)]
    for size in [*smaller, model.size]:
        probe = _Probe(run_at(*size), model, size)
        found = probe.least()
        if found is not None:
            return found
    # It sees the whole tile: an eighth of it is context, and neighbours are mixed.
    overlap = max(1, min(model.size) // 8 // unit) * unit
    return Reach(overlap, probe.difference(overlap))


class _Probe:
    def __init__(
        self,
        run: Callable[[NDArray[np.float32]], NDArray[np.float32]],
        model: ModelDescription,
        size: tuple[int, int],
    ) -> None:
        self._run, self._model, self._size = run, model, size
        self._unit = unit = model.multiple
        # A whole window, at a window's place: what a pixel sees depends on where in it it lies.
        self._core = math.ceil(min(_CORE, min(size) // 4 or 1) / unit) * unit
        self._begins = [(side - self._core) // 2 // unit * unit for side in size]
        self._base = _picture(size, seed=0)
        self._others = [_picture(size, seed=1), 1 - self._base, np.zeros_like(self._base)]
        self._expected = self._seen(self._base)
        #: The farthest distance that can be tried, in pixels.
        self.most = min(
            min(begin, side - begin - self._core) // unit * unit
            for begin, side in zip(self._begins, size, strict=True)
        )

    def _seen(self, picture: NDArray[np.float32]) -> NDArray[np.float32]:
        model = self._model
        mean = np.asarray(model.mean, np.float32)[:, None, None]
        std = np.asarray(model.std, np.float32)[:, None, None]
        told = np.ones((len(model.conditions), *self._size), np.float32)
        tensor = np.concatenate([(picture - mean) / std, told])[None]
        answer = self._run(np.ascontiguousarray(tensor, np.float32))[0]
        rows, columns = (
            slice(begin * model.scale, (begin + self._core) * model.scale) for begin in self._begins
        )
        core: NDArray[np.float32] = answer[:, rows, columns].copy()
        return core

    def difference(self, distance: int) -> float:
        """The largest change of the core where everything beyond a distance is another."""
        rows, columns = (
            slice(begin - distance, begin + self._core + distance) for begin in self._begins
        )
        worst = 0.0
        for other in self._others:
            picture = other.copy()
            picture[:, rows, columns] = self._base[:, rows, columns]
            apart = np.abs(self._seen(picture) - self._expected)
            worst = max(worst, float(np.nan_to_num(apart, nan=1.0).max()))
        return worst

    def least(self) -> Reach | None:
        """The least distance at which nothing farther counts; None: not within the picture."""
        low, high = 0, self.most // self._unit
        # The whole picture itself proves nothing: something has to be changed.
        if high < 1 or (at_most := self.difference((high - 1) * self._unit)) > TOLERANCE:
            return None
        high, found = high - 1, at_most
        while low < high:
            middle = (low + high) // 2
            apart = self.difference(middle * self._unit)
            if apart > TOLERANCE:
                low = middle + 1
            else:
                high, found = middle, apart
        return Reach(high * self._unit, found)


def _picture(size: tuple[int, int], *, seed: int) -> NDArray[np.float32]:
    """3 x height x width, 0..1: shades, edges of every direction, grain."""
    random = np.random.default_rng(seed)
    y, x = (np.mgrid[0 : size[0], 0 : size[1]] / min(size)).astype(np.float32)
    picture = np.empty((3, *size), np.float32)
    for plane in picture:
        tilt, wave = random.uniform(-1, 1, 2), random.uniform(5, 40, 2)
        plane[:] = 0.5 + 0.2 * (tilt[0] * (x - 0.5) + tilt[1] * (y - 0.5))
        plane += 0.25 * np.sign(np.sin(wave[0] * x + wave[1] * y))
        plane += random.normal(0, 0.1, plane.shape).astype(np.float32)
    return np.clip(picture, 0, 1)


def kept_reach(model: ModelDescription, measure: Callable[[], Reach]) -> Reach:
    """What the description says or was measured before; measured and kept where neither is.

    Args:
        model: Its path must be set.
        measure: Measures it, which takes some 20 runs.
    """
    if model.overlap is not None:
        return Reach(model.overlap, 0.0)
    assert model.path is not None
    place = home() / "receptive-fields.json"
    key = f"{weights_fingerprint(model.path)} {model.size} {model.multiple} {model.scale}"
    entries = read_json(place)
    try:
        overlap, difference = entries[key]
        if 0 <= int(overlap) < min(model.size) and float(difference) >= 0:
            return Reach(int(overlap), float(difference))
    except (KeyError, TypeError, ValueError):
        pass
    log.info("%s: how far it looks is measured, once for these weights", model.name)
    found = measure()
    log.info(
        "%s: tiles have to see %d pixels beyond their part: overlap = %d in its sidecar keeps that",
        model.name,
        found.overlap,
        found.overlap,
    )
    try:
        write_json(place, {**entries, key: [found.overlap, found.difference]})
    except OSError as error:
        log.info("%s: cannot be written: %s", place, error.strerror)
    return found
