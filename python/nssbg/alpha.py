"""Post-processing of a finished alpha: edge position and softness, holes, stray components.

All take an H x W alpha, uint8 0..255 or float32 0..1, and give a new one of the same shape and
dtype; nothing of it runs unless called. Colours are to be estimated anew for the alpha that
comes out:

    alpha = nssbg.alpha.choke(remover.alpha(image), 0.5)
    rgba = nssbg.decontaminate(image, alpha)
"""

from __future__ import annotations

from nssbg._ops.alpha_cleanup import (
    choke,
    feather,
    fill_small_holes,
    keep_largest,
    remove_small_components,
    threshold_curve,
)

__all__ = [
    "choke",
    "feather",
    "fill_small_holes",
    "keep_largest",
    "remove_small_components",
    "threshold_curve",
]
