"""Reads matrix-and-curve ICC profiles and applies them in floating point.

Nearly every RGB working space (sRGB, Adobe RGB, Display P3, ProPhoto, Rec. 2020) is stored
this way: three curves to linear light and three columns to D50 XYZ (ICC.1:2022, 8.3 and 10.6,
10.18). Profiles made of tables are not read here.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["MatrixProfile", "read_matrix_profile", "srgb_profile"]

Values = NDArray[np.float64]
Curve = Callable[[Values], Values]

# Entries of the table by which a curve without a closed inverse is inverted.
_INVERSE_ENTRIES = 65536


@dataclass(frozen=True)
class MatrixProfile:
    """An RGB encoding as curves to linear light and a matrix to D50 XYZ.

    Attributes:
        curves: Encoded value (0..1) to linear light (0..1), one per channel.
        to_xyz: 3 x 3, columns are the primaries.
    """

    curves: tuple[Curve, Curve, Curve]
    to_xyz: Values

    def linear_xyz(self, encoded: Values) -> Values:
        """D50 XYZ of encoded values, ... x 3."""
        linear = np.stack([curve(encoded[..., c]) for c, curve in enumerate(self.curves)], axis=-1)
        return linear @ self.to_xyz.T

    def encoded(self, xyz: Values) -> Values:
        """Encoded values of D50 XYZ, ... x 3, clipped to 0..1."""
        linear = np.clip(xyz @ np.linalg.inv(self.to_xyz).T, 0.0, 1.0)
        grid = np.linspace(0.0, 1.0, _INVERSE_ENTRIES)
        columns = []
        for channel, curve in enumerate(self.curves):
            # Samples of the curve, made strictly usable for inversion: never falling.
            samples = np.maximum.accumulate(curve(grid))
            columns.append(np.interp(linear[..., channel], samples, grid))
        return np.stack(columns, axis=-1)


@lru_cache(maxsize=1)
def srgb_profile() -> MatrixProfile:
    """IEC 61966-2-1 with the D50-adapted primaries of the ICC's own sRGB profile."""

    def curve(value: Values) -> Values:
        linear: Values = np.where(
            value <= 0.04045, value / 12.92, ((np.maximum(value, 0.0) + 0.055) / 1.055) ** 2.4
        )
        return linear

    to_xyz = np.array(
        [
            [0.4360747, 0.3850649, 0.1430804],
            [0.2225045, 0.7168786, 0.0606169],
            [0.0139322, 0.0971045, 0.7141733],
        ]
    )
    return MatrixProfile((curve, curve, curve), to_xyz)


def read_matrix_profile(profile: bytes) -> MatrixProfile | None:
    """The profile's curves and matrix; None where it is not of that kind or damaged."""
    try:
        if profile[16:20] != b"RGB " or profile[20:24] != b"XYZ ":
            return None
        (count,) = struct.unpack_from(">I", profile, 128)
        tags = {}
        for index in range(min(count, 100)):
            name, offset, size = struct.unpack_from(">4sII", profile, 132 + 12 * index)
            tags[name] = profile[offset : offset + size]
        if b"A2B0" in tags or b"B2A0" in tags:
            return None
        to_xyz = np.array([_xyz(tags[name]) for name in (b"rXYZ", b"gXYZ", b"bXYZ")]).T
        red, green, blue = (_curve(tags[name]) for name in (b"rTRC", b"gTRC", b"bTRC"))
        if abs(np.linalg.det(to_xyz)) < 1e-6:
            return None
        return MatrixProfile((red, green, blue), to_xyz)
    except (KeyError, struct.error, ValueError):
        return None


def _fixed(data: bytes, offset: int, count: int) -> list[float]:
    """s15Fixed16 numbers."""
    return [value / 65536.0 for value in struct.unpack_from(f">{count}i", data, offset)]


def _xyz(data: bytes) -> list[float]:
    if data[:4] != b"XYZ ":
        raise ValueError("not an XYZ tag")
    return _fixed(data, 8, 3)


def _curve(data: bytes) -> Curve:
    if data[:4] == b"curv":
        return _sampled_curve(data)
    if data[:4] == b"para":
        return _parametric_curve(data)
    raise ValueError("not a curve tag")


def _sampled_curve(data: bytes) -> Curve:
    (count,) = struct.unpack_from(">I", data, 8)
    if count == 0:
        return lambda value: value
    if count == 1:
        gamma = struct.unpack_from(">H", data, 12)[0] / 256.0
        return lambda value: np.maximum(value, 0.0) ** gamma
    samples = np.array(struct.unpack_from(f">{count}H", data, 12)) / 65535.0
    grid = np.linspace(0.0, 1.0, count)
    return lambda value: np.interp(value, grid, samples)


def _parametric_curve(data: bytes) -> Curve:
    (kind,) = struct.unpack_from(">H", data, 8)
    counts = (1, 3, 4, 5, 7)
    if kind >= len(counts):
        raise ValueError("unknown parametric curve")
    numbers = _fixed(data, 12, counts[kind])
    gamma, a, b = numbers[0], 1.0, 0.0
    # Below `start` the curve is slope * value + foot; above, (a value + b)^gamma + lift.
    start, slope, foot, lift = 0.0, 0.0, 0.0, 0.0
    if kind >= 1:
        a, b = numbers[1], numbers[2]
        start = -b / a
    if kind == 2:
        lift = foot = numbers[3]
    if kind >= 3:
        slope, start = numbers[3], numbers[4]
    if kind == 4:
        lift, foot = numbers[5], numbers[6]

    def curve(value: Values) -> Values:
        power = np.maximum(a * value + b, 0.0) ** gamma + lift
        result: Values = np.where(value >= start, power, slope * value + foot)
        return np.clip(result, 0.0, 1.0)

    return curve
