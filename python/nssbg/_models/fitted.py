"""Numbers fitted to one network's answers, as its description carries them.

What a map of one network says about its overlap with the truth says nothing about another's, so
the weights belong to the model and not to the code that applies them. In: the tables `confidence`
and `selector` of a sidecar or a catalog entry. Out: records, or None where nothing was fitted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

__all__ = ["ConfidenceWeights", "SelectorWeights", "confidence_weights", "selector_weights"]

# The constant, then one weight a feature: those of `nssbg._segment.confidence` without and with
# the mirrored run, and of `nssbg._segment.selector`.
_LENGTHS = {
    "single": 4,
    "flip_tta": 5,
    "studio_is_better": 6,
    "studio_overlap": 6,
    "network_overlap": 6,
}
# A logistic regression on features of 0..5 needs none larger; beyond, exp() means nothing.
_LARGEST_WEIGHT = 1000.0

Wrong = Callable[[str], Exception]


@dataclass(frozen=True)
class ConfidenceWeights:
    """Weights of the logistic model that expects a map's overlap (IoU) with the truth.

    Attributes:
        single: For the network's map of the image alone.
        flip_tta: For the mean of that and of the mirrored image's; None: not fitted.
    """

    single: tuple[float, ...]
    flip_tta: tuple[float, ...] | None = None


@dataclass(frozen=True)
class SelectorWeights:
    """Weights that `model="auto"` weighs the studio method against this network by.

    Attributes:
        studio_is_better: Of the probability that the studio method's alpha is the better one.
        studio_overlap: Of the overlap to be expected of the studio method's alpha.
        network_overlap: Of the overlap to be expected of the network's.
    """

    studio_is_better: tuple[float, ...]
    studio_overlap: tuple[float, ...]
    network_overlap: tuple[float, ...]


def confidence_weights(value: Any, wrong: Wrong) -> ConfidenceWeights:
    """The table `confidence` of a description.

    Args:
        value: As it was read.
        wrong: Makes the error of a sentence: knows the file's name.

    Raises:
        Exception: What `wrong` makes; the table is not one of these weights.
    """
    return ConfidenceWeights(**_table("confidence", ConfidenceWeights, value, wrong, {"single"}))


def selector_weights(value: Any, wrong: Wrong) -> SelectorWeights:
    """The table `selector` of a description; see `confidence_weights`."""
    names = {field.name for field in fields(SelectorWeights)}
    return SelectorWeights(**_table("selector", SelectorWeights, value, wrong, names))


def _table(
    name: str, kind: type, value: Any, wrong: Wrong, needed: set[str]
) -> dict[str, tuple[float, ...]]:
    if not isinstance(value, Mapping):
        raise wrong(f"{name} is {str(type(value).__name__)!r}, expected a table of weights")
    known = [field.name for field in fields(kind)]
    unknown = sorted(str(key) for key in set(value) - set(known))
    if unknown:
        raise wrong(f"{name}: unknown key {unknown[0]!r}; known: {', '.join(known)}")
    missing = sorted(needed - set(value))
    if missing:
        raise wrong(f"{name}.{missing[0]} is missing")
    return {key: _weights(f"{name}.{key}", value[key], _LENGTHS[key], wrong) for key in value}


def _weights(name: str, value: Any, length: int, wrong: Wrong) -> tuple[float, ...]:
    if (
        not isinstance(value, (list, tuple))
        or len(value) != length
        or not all(isinstance(item, (int, float)) and not isinstance(item, bool) for item in value)
        # Before float(): a whole number of TOML or JSON may be too large for one.
        or not all(abs(item) <= _LARGEST_WEIGHT for item in value)
        or not all(math.isfinite(item) for item in value)
    ):
        raise wrong(
            f"{name} is no list of {length} numbers from {-_LARGEST_WEIGHT:.0f} to "
            f"{_LARGEST_WEIGHT:.0f} (the constant first); training/calibrate.py and choose.py "
            "write it"
        )
    return tuple(float(item) for item in value)
