"""A Gaussian blur of backgrounds, of any radius at nearly the same cost.

A wide Gaussian leaves nothing that a coarse grid could not hold: the picture is averaged down
until the blur is a few cells wide, blurred there, and brought back by smooth interpolation.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from nssbg._types import ImageArray

__all__ = ["blur_masked"]

Float = NDArray[np.float32]

# Standard deviation, in cells of the coarse grid, down to which pictures are averaged: a point
# is then off by at most half a cell, an eighth of the blur.
_CELL_SIGMA = 4.0


def blur_masked(image: ImageArray, alpha: ImageArray, sigma: float) -> ImageArray:
    """A Gaussian blur in which every pixel counts by 1 - alpha.

    Args:
        image: H x W x 3, uint8 or uint16.
        alpha: H x W, the same dtype.
        sigma: Standard deviation in pixels, above 0.
    """
    height, width = alpha.shape
    full = float(np.iinfo(image.dtype).max)
    factor = max(1, int(sigma / _CELL_SIGMA))
    cells = _weighted_cells(image, alpha, factor)
    blurred = _gaussian(cells, sigma / factor, "edge")
    # Where the subject covers all within reach, wider and wider blurs carry the background in.
    total: Float = blurred
    weight, spread = np.float32(1e-3), sigma / factor
    while float(total[..., 3].min()) < 1e-6 and spread < max(cells.shape):
        spread *= 2
        total = total + weight * _wide(cells, spread)
        weight *= np.float32(1e-2)
    color = total[..., :3] / np.maximum(total[..., 3:], np.float32(1e-20))
    result = _enlarged(cast("Float", color), height, width, factor)
    values = np.floor(np.clip(result, 0.0, 1.0) * np.float32(full) + np.float32(0.5))
    return cast("ImageArray", values.astype(image.dtype))


def _weighted_cells(image: ImageArray, alpha: ImageArray, factor: int) -> Float:
    """Cell means of (1 - alpha) colour and of 1 - alpha, block rows at a time."""
    height = alpha.shape[0]
    full = np.float32(np.iinfo(image.dtype).max)
    rows = []
    band = factor * max(1, 256 // factor)
    for top in range(0, height, band):
        share = np.float32(1) - alpha[top : top + band].astype(np.float32) / full
        part = np.empty((*share.shape, 4), np.float32)
        part[..., :3] = image[top : top + band].astype(np.float32) / full * share[..., None]
        part[..., 3] = share
        rows.append(_averaged(part, factor))
    return np.concatenate(rows)


def _averaged(planes: Float, factor: int) -> Float:
    """Means over factor x factor cells; cells at the border average what they hold."""
    if factor == 1:
        return planes
    height, width, channels = planes.shape
    full_h, full_w = -(-height // factor) * factor, -(-width // factor) * factor
    if (full_h, full_w) != (height, width):
        planes = np.pad(planes, ((0, full_h - height), (0, full_w - width), (0, 0)), mode="edge")
    cells = planes.reshape(full_h // factor, factor, full_w // factor, factor, channels)
    return cast("Float", cells.mean(axis=(1, 3), dtype=np.float32))


def _gaussian(planes: Float, sigma: float, outside: Any) -> Float:
    reach = max(1, int(np.ceil(3.5 * sigma)))
    taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    weights: Float = (taps / taps.sum()).astype(np.float32)
    for axis in (0, 1):
        padding = [(0, 0)] * 3
        padding[axis] = (reach, reach)
        padded = np.pad(planes, padding, mode=outside)
        length = planes.shape[axis]
        planes = np.zeros_like(planes)
        for tap, weight in enumerate(weights):
            window = [slice(None)] * 3
            window[axis] = slice(tap, tap + length)
            planes += np.float32(weight) * padded[tuple(window)]
    return planes


def _wide(cells: Float, sigma: float) -> Float:
    """A blur that is wide even for the coarse grid, on a still coarser one."""
    factor = max(1, int(sigma / _CELL_SIGMA))
    blurred = _gaussian(_averaged(cells, factor), sigma / factor, "edge")
    return _enlarged(blurred, cells.shape[0], cells.shape[1], factor)


def _enlarged(cells: Float, height: int, width: int, factor: int) -> Float:
    """Bicubic interpolation from cell centres to pixels, cropped to height x width."""
    if factor == 1:
        return cells[:height, :width]
    from PIL import Image

    result = np.empty((height, width, cells.shape[2]), np.float32)
    box = (0, 0, width / factor, height / factor)
    for channel in range(cells.shape[2]):
        plane = Image.fromarray(np.ascontiguousarray(cells[..., channel]))
        result[..., channel] = np.asarray(
            plane.resize((width, height), Image.Resampling.BICUBIC, box=box)
        )
    return result
