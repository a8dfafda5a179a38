"""Other libraries' arrays as NumPy's: torch tensors, and whatever else has `__array__`.

None of those libraries is imported. Memory is shared where the other library shares it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nssbg._errors import ImageDecodeError

__all__ = ["as_array"]


def as_array(source: Any, name: str) -> NDArray[Any]:
    """A NumPy array of what has `__array__`; NumPy's own arrays as they are.

    A torch tensor is taken out of its graph and off its device first, as torch refuses to do so
    by itself.

    Raises:
        ImageDecodeError: The other library gives no array of numbers.
    """
    if isinstance(source, np.ndarray):
        return source
    given = type(source).__name__
    try:
        if callable(getattr(source, "detach", None)) and callable(getattr(source, "cpu", None)):
            source = source.detach().cpu()
        array = np.asarray(source)
    except Exception as error:  # libraries raise whatever they like
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ImageDecodeError(
            f"cannot read {name}: its {given} gives no NumPy array ({reason[:120]}); give an array "
            "of uint8, uint16 or float in 0..1"
        ) from error
    return array
