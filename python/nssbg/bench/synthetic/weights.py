"""Where a synthetic graph's numbers come from: drawn ones, or those of a trained network.

In: a tensor's name, shape and role. Out: float32 values. Drawn ones depend on the seed and the
name alone, not on the order in which a graph asks, so a file is the same wherever it is made.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["FromMapping", "RandomWeights", "Role", "Weights"]

# What a tensor is for, which decides how it is drawn.
Role = Literal["kernel", "linear", "bias", "scale", "shift", "mean", "variance", "table"]


class Weights(Protocol):
    """Gives each tensor of a graph by its name."""

    def __call__(self, name: str, shape: tuple[int, ...], role: Role) -> NDArray[np.float32]:
        """The tensor of that name, of exactly that shape."""
        ...


class RandomWeights:
    """Draws weights that keep activations in a trained network's range.

    Kernels before a ReLU have the variance 2 / fan-in of He et al., "Delving Deep into
    Rectifiers" (2015); the residual sums of these networks would double the variance a stage, which
    the scales below 1 of the normalisations make up for.
    """

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed

    def __call__(self, name: str, shape: tuple[int, ...], role: Role) -> NDArray[np.float32]:
        """See Weights."""
        draw = np.random.default_rng([self._seed, zlib.crc32(name.encode())])
        if role in ("kernel", "linear"):
            fan_in = int(np.prod(shape[1:]))
            gain = 2.0 if role == "kernel" else 1.0
            values = draw.standard_normal(shape, np.float32) * np.float32((gain / fan_in) ** 0.5)
        elif role == "scale":
            values = draw.uniform(0.5, 0.9, shape)
        elif role == "variance":
            values = draw.uniform(0.7, 1.4, shape)
        elif role == "bias":
            values = np.zeros(shape)
        elif role == "table":
            values = draw.normal(0, 0.02, shape)
        else:
            values = draw.normal(0, 0.1, shape)
        return values.astype(np.float32)


class FromMapping:
    """Gives the tensors of a mapping, as a trained network's state has them by name."""

    def __init__(self, values: Mapping[str, NDArray[np.float32]]) -> None:
        self._values = values
        self.asked: set[str] = set()

    def __call__(self, name: str, shape: tuple[int, ...], role: Role) -> NDArray[np.float32]:
        """See Weights.

        Raises:
            KeyError: There is none of that name.
            ValueError: It has another shape.
        """
        value = np.asarray(self._values[name], np.float32)
        if value.shape != shape:
            raise ValueError(f"{name}: has shape {value.shape}, the graph takes {shape}")
        self.asked.add(name)
        return value
