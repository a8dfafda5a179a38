"""Post-processing of a map: small holes filled, faint components removed.

In: the alpha of a network whose subjects are opaque (`ModelDescription.opaque_subject`), h x w.
Out: the same without small dips inside the subject and faint components beside it. The rules are
the core's (cpp/include/nssbg/post_process.hpp), which the browser calls too.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nssbg import _core as _typed_core

__all__ = ["LARGEST_DIP", "cleaned"]

# The stubs have an overload per dtype, and a union of dtypes picks none of them.
_core: Any = _typed_core

#: Share of the subject that a dip may have to be filled.
LARGEST_DIP: float = _core.LARGEST_DIP


def cleaned(alpha: NDArray[Any]) -> NDArray[Any]:
    """The map (h x w, uint8 or float32 0..1) after post-processing.

    An eye, a button, print on a box: small enclosed dips, seen as subject all round and within
    still more likely subject than not. Left as they are, they would be windows in the cut-out.
    A stranger's arm, a bin in the background: faint blobs apart from a larger subject, and the
    stray alpha around them.
    """
    result = np.array(alpha, order="C", copy=True)
    _core.post_process(result)
    return result
