"""Post-processing of a map: small holes filled, faint components removed.

In: the alpha of a network whose subjects are opaque (`ModelDescription.opaque_subject`), h x w.
Out: the same without small dips inside the subject and faint components beside it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nssbg._ops.alpha_cleanup import fill_small_holes, remove_faint_components, remove_stray_alpha

__all__ = ["LARGEST_DIP", "cleaned"]

# A dip is filled where alpha is at most SURE_SUBJECT but nowhere below STILL_SUBJECT, over at most
# LARGEST_DIP of the subject: docs/decisions/0403 has what that mends and what it costs. From OPAQUE
# on, little more than a step of 8 bits below 1, nothing shows through.
OPAQUE = 0.995
SURE_SUBJECT = 0.9
STILL_SUBJECT = 0.5
LARGEST_DIP = 0.01


def cleaned(alpha: NDArray[Any]) -> NDArray[Any]:
    """The map (h x w, uint8 or float32 0..1) after post-processing.

    An eye, a button, print on a box: small enclosed dips, seen as subject all round and within
    still more likely subject than not. Left as they are, they would be windows in the cut-out.
    A stranger's arm, a bin in the background: faint blobs apart from a larger subject, and the
    stray alpha around them.
    """
    alpha = remove_stray_alpha(remove_faint_components(alpha))
    full = 255.0 if alpha.dtype == np.uint8 else 1.0
    area = int(LARGEST_DIP * float(alpha.sum(dtype=np.float64)) / full) + 1
    # First the dips, then the rims that are left of them.
    for level, deepest in ((SURE_SUBJECT, STILL_SUBJECT), (OPAQUE, SURE_SUBJECT)):
        alpha = fill_small_holes(alpha, area, level=level, deepest=deepest)
    return alpha
