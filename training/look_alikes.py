"""Finds pictures that are nearly the same: re-saved, shrunk, recoloured a little, mirrored.

The hash of a picture is its 16 x 16 grey thumbnail without mean and length; two are compared by
correlation. Unlike a hash of bits it does not break on flat backdrops, where signs are noise.
"""

from __future__ import annotations

import banks
import cv2
import numpy as np
import numpy.typing as npt

THUMBNAIL = 16
SAME_SCENE = 0.93  # unrelated photographs stay under 0.87 (cats, people)
SAME_PICTURE = 0.985  # among pictures of one product-like kind 0.93 is common and means nothing

Signature = npt.NDArray[np.float32]


def signature(rgb: banks.Pixels) -> Signature:
    """A unit vector of THUMBNAIL squared numbers."""
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    small = cv2.resize(grey, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA).ravel()
    small -= small.mean()
    return small / (np.linalg.norm(small) + np.float32(1e-6))


class Known:
    """Pictures to be told apart from, mirrored ones included."""

    def __init__(self) -> None:
        self._signatures: list[Signature] = []
        self._stacked: npt.NDArray[np.float32] | None = None

    def add(self, rgb: banks.Pixels) -> None:
        """Keeps one more picture in mind."""
        self._signatures += [signature(rgb), signature(np.ascontiguousarray(rgb[:, ::-1]))]
        self._stacked = None

    def likeness(self, rgb: banks.Pixels) -> float:
        """The correlation with the most similar one; -1 where there is none."""
        if not self._signatures:
            return -1.0
        if self._stacked is None:
            self._stacked = np.stack(self._signatures)
        return float((self._stacked @ signature(rgb)).max())

    def holds_like(self, rgb: banks.Pixels, level: float) -> bool:
        """Whether one of them is the same at this level."""
        return self.likeness(rgb) > level
