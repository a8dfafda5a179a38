"""Measures of enhanced pictures: PSNR, GMSD, MS-SSIM, ringing. uint8 RGB in, floats out."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]


def luma(picture: Pixels) -> npt.NDArray[np.float64]:
    """Y of BT.601 in 16..235, as super-resolution's tables take it."""
    red, green, blue = (picture[..., c].astype(np.float64) for c in range(3))
    return 16 + (65.481 * red + 128.553 * green + 24.966 * blue) / 255


def _shaved(plane: npt.NDArray[np.float64], border: int) -> npt.NDArray[np.float64]:
    return plane[border : plane.shape[0] - border, border : plane.shape[1] - border]


def psnr_y(found: Pixels, truth: Pixels, border: int = 0) -> float:
    """Of Y, dB, the border shaved."""
    error = _shaved(luma(found) - luma(truth), border)
    return float(10 * np.log10(255**2 / max(float(np.mean(error**2)), 1e-10)))


def psnr_rgb(found: Pixels, truth: Pixels) -> float:
    """Of all three colours, dB."""
    error = found.astype(np.float64) - truth
    return float(10 * np.log10(255**2 / max(float(np.mean(error**2)), 1e-10)))


def gmsd(found: Pixels, truth: Pixels, border: int = 0) -> float:
    """Gradient magnitude similarity deviation (Xue et al., 2014) of Y: 0 is the same."""
    planes = [_shaved(luma(p), border) for p in (found, truth)]
    kernel = np.array([[1, 0, -1]] * 3, np.float64) / 3
    sizes = []
    for plane in planes:
        small = cv2.blur(plane, (2, 2))[::2, ::2]
        across, along = (cv2.filter2D(small, -1, k) for k in (kernel, kernel.T))
        sizes.append(np.hypot(across, along))
    same = (2 * sizes[0] * sizes[1] + 170) / (sizes[0] ** 2 + sizes[1] ** 2 + 170)
    return float(same.std())


_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


def ms_ssim(found: Pixels, truth: Pixels, border: int = 0) -> float:
    """Multi-scale structural similarity (Wang et al., 2003) of Y: 1 is the same.

    As many of the five scales as the picture has room for, their weights summing to one.
    """
    one, two = (_shaved(luma(p), border) for p in (found, truth))
    scales = max(1, min(5, int(np.log2(min(one.shape) / 11)) + 1))
    weights = np.asarray(_WEIGHTS[:scales]) / sum(_WEIGHTS[:scales])
    result = 1.0
    for scale, weight in enumerate(weights):
        blur = [cv2.GaussianBlur(p, (11, 11), 1.5)[5:-5, 5:-5] for p in (one, two)]
        squares = [
            cv2.GaussianBlur(p, (11, 11), 1.5)[5:-5, 5:-5] for p in (one**2, two**2, one * two)
        ]
        variances = squares[0] - blur[0] ** 2, squares[1] - blur[1] ** 2
        shared = squares[2] - blur[0] * blur[1]
        structure = (2 * shared + 58.5225) / (variances[0] + variances[1] + 58.5225)
        if scale == scales - 1:
            light = (2 * blur[0] * blur[1] + 6.5025) / (blur[0] ** 2 + blur[1] ** 2 + 6.5025)
            structure = structure * light
        result *= max(float(structure.mean()), 0.0) ** float(weight)
        one, two = (cv2.blur(p, (2, 2))[::2, ::2] for p in (one, two))
    return result


def overshoot(found: Pixels, truth: Pixels, alpha: Pixels, border: int = 8) -> float:
    """Ringing at the edges of an alpha, of 255.

    How far on average, over the pixels within 6 of a soft edge, colours leave the range that the
    truth has within 3 pixels.
    """
    window = np.ones((7, 7), np.uint8)
    low, high = (f(truth, window).astype(np.float64) for f in (cv2.erode, cv2.dilate))
    beyond = np.maximum(found - high, 0) + np.maximum(low - found, 0)
    soft = ((alpha > 0) & (alpha < 255)).astype(np.uint8)
    edge = cv2.dilate(soft, np.ones((13, 13), np.uint8)) > 0
    edge[:border] = edge[-border:] = False
    edge[:, :border] = edge[:, -border:] = False
    return float(beyond[edge].mean()) if edge.any() else 0.0
