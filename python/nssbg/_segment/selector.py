"""Whether the studio method's alpha or the network's is the better one, from both answers.

In: both maps of one picture and what each method thinks of its own. Out: which to take, and the
overlap with the truth (IoU) to be expected of it. The rule is the core's
(cpp/include/nssbg/selector.hpp), which the browser follows too; its weights are fitted to one
network and stand in its description.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from nssbg import _core as _typed_core
from nssbg._models.fitted import SelectorWeights

__all__ = [
    "AGREEING",
    "LEAST_BORDER",
    "SURE",
    "TRUSTED",
    "Selection",
    "select",
    "selector_features",
]

# The stubs have an overload per dtype, and a union of dtypes picks none of them.
_core: Any = _typed_core

#: Share of the border that is one backdrop, below which the studio method is not asked any further.
LEAST_BORDER: float = _core.LEAST_BORDER
#: Confidence of the studio method from which on its answer is taken without the network's.
SURE: float = _core.SURE_STUDIO
#: Agreement of the maps, and confidence of the studio method, from which on its edges are taken.
AGREEING: float = _core.AGREEING
TRUSTED: float = _core.TRUSTED_STUDIO


@dataclass(frozen=True)
class Selection:
    """What is taken.

    Attributes:
        studio: Whether the studio method's alpha is, rather than the network's.
        overlap: The IoU with the truth to be expected of it, 0..1.
        low_confidence: Whether that is so low that a person should look.
        agreement: Soft IoU of the two maps, 0..1.
    """

    studio: bool
    overlap: float
    low_confidence: bool
    agreement: float


def selector_features(
    studio: NDArray[Any], studio_confidence: float, network: NDArray[Any], network_overlap: float
) -> tuple[float, ...]:
    """What the choice is made from.

    Args:
        studio: The studio method's alpha, H x W of any size, uint8 or float32 0..1: sampled on the
            network's grid by its nearest pixels, which is enough to compare whole regions.
        studio_confidence: Its probability that the IoU is at least 0.9.
        network: The network's map, h x w, uint8 or float32 0..1.
        network_overlap: The IoU that is expected of it.

    Returns:
        The log-odds of both confidences, the soft IoU of the two maps, and the shares of each
        map's subject that the other one has too.
    """
    features: tuple[float, ...] = _core.selector_features(
        studio, studio_confidence, network, network_overlap
    )
    return features


def select(features: tuple[float, ...], weights: SelectorWeights) -> Selection:
    """Which alpha to take, from `selector_features` and the network's weights."""
    found = _core.select(
        features, weights.studio_is_better, weights.studio_overlap, weights.network_overlap
    )
    return Selection(
        studio=found["studio"],
        overlap=found["overlap"],
        low_confidence=found["low"],
        agreement=found["agreement"],
    )
