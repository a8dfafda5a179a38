"""The peers of colour decontamination, as their authors publish them, imported only when used.

In: H x W x 3 and H x W of float32 in 0..1. Out: the foreground, H x W x 3 of float32.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from bench.timing import spent

Float32 = npt.NDArray[np.float32]


def naive(image: Float32, alpha: Float32) -> Float32:
    """rembg's default cut-out: colours multiplied by alpha, then read as straight."""
    return image * alpha[..., None]


def straight(image: Float32, alpha: Float32) -> Float32:
    """The photograph's own colours with alpha, not decontaminated."""
    return image


def pymatting(image: Float32, alpha: Float32) -> Float32:
    """Multi-level estimation of the pymatting package with its defaults."""
    from pymatting import estimate_foreground_ml

    result: Float32 = estimate_foreground_ml(image, alpha)
    return result


def pymatting_compile_seconds() -> float:
    """Seconds that the first import and call take: numba compiles then."""
    return spent(
        lambda: pymatting(np.zeros((8, 8, 3), np.float32), np.ones((8, 8), np.float32))
    ).wall


def pymatting_threads(threads: int) -> None:
    """Let numba use this many threads."""
    import numba

    numba.set_num_threads(threads)


def blur_fusion_twice(image: Float32, alpha: Float32) -> Float32:
    """Blur-fusion with r = 90, then r = 6, by OpenCV's box filter, as published."""
    fore, back = _blur_fusion(image, image, image, alpha, 90)
    return _blur_fusion(image, fore, back, alpha, 6)[0]


def opencv_threads(threads: int) -> None:
    """Let OpenCV use this many threads."""
    import cv2

    cv2.setNumThreads(threads)


def _blur_fusion(
    image: Float32, fore: Float32, back: Float32, alpha: Float32, size: int
) -> tuple[Float32, Float32]:
    cv2: Any = __import__("cv2")
    share = alpha[..., None]
    mean = cv2.blur(alpha, (size, size))[..., None]
    blurred = cv2.blur(fore * share, (size, size)) / (mean + 1e-5)
    behind = cv2.blur(back * (1 - share), (size, size)) / ((1 - mean) + 1e-5)
    fused = blurred + share * (image - share * blurred - (1 - share) * behind)
    return np.clip(fused, 0, 1), behind
