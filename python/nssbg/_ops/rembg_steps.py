"""rembg's published arithmetic around a network, step by step, for results that equal its own.

A PIL image and a network's raw output in; a tensor, a mask or a cut-out out, each within a
rounding of what rembg 2.0.86 computes with SciPy and scikit-image. nssbg's own path uses none of
this: the stretch by an image's own maximum and colours multiplied by alpha are faults.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nssbg._ops.foreground import decontaminate
from nssbg._ops.refine import refine

__all__ = [
    "binary_mask",
    "input_tensor",
    "mask_from_output",
    "matted",
    "naive_cutout",
    "trimap",
]

Triple = tuple[float, float, float]

# scipy.ndimage.gaussian_filter: four sigmas to each side, of sigma 2.
_SIGMA = 2.0
_RADIUS = 8
_BINARY_LEVEL = 127


def input_tensor(
    image: Any, mean: Triple, std: Triple, size: tuple[int, int]
) -> NDArray[np.float32]:
    """An image as rembg feeds its networks: scaled by its own largest value, not by 255.

    Args:
        image: A PIL image of any mode.
        mean: Subtracted per channel after scaling to 0..1.
        std: Divided by per channel after that.
        size: Width and height of the tensor, in Pillow's order.

    Returns:
        1 x 3 x height x width, float32.
    """
    from PIL import Image

    pixels = np.array(image.convert("RGB").resize(size, Image.Resampling.LANCZOS))
    scaled = (pixels / max(pixels.max(), 1e-6) - np.array(mean)) / np.array(std)
    tensor: NDArray[np.float32] = scaled.transpose(2, 0, 1)[None].astype(np.float32)
    return tensor


def mask_from_output(output: NDArray[Any], size: tuple[int, int], *, sigmoid: bool = False) -> Any:
    """A network's raw output as rembg's mask: stretched, truncated to bytes, scaled to the image.

    Args:
        output: 1 x C x h x w, any float dtype; the first channel counts.
        size: Width and height of the mask, in Pillow's order.
        sigmoid: Whether the output is logits.

    Returns:
        A PIL image of mode L. A constant output, which has nothing to stretch (rembg divides by
        zero there), is clipped to 0..1; values that are not numbers count as 0.
    """
    from PIL import Image

    values = np.asarray(output)[:, 0]
    if values.dtype == np.float16:
        values = values.astype(np.float32)
    values = np.nan_to_num(values, nan=0.0)
    if sigmoid:
        with np.errstate(over="ignore"):  # exp(-x) of a large negative x is inf: 1 / inf is 0
            values = 1 / (1 + np.exp(-values))
    low, high = values.min(), values.max()
    values = (values - low) / (high - low) if high > low else values.clip(0, 1)
    mask = Image.fromarray((np.atleast_2d(np.squeeze(values)) * 255).astype(np.uint8))
    return mask.resize(size, Image.Resampling.LANCZOS)


def naive_cutout(image: Any, mask: Any) -> Any:
    """Pillow's composite over clear black: colours come out multiplied by the mask.

    Args:
        image: A PIL image of any mode.
        mask: A PIL image of mode L and of the same size.

    Returns:
        A PIL image of mode RGBA; read as straight alpha it has a dark rim (see docs/colour.md).
    """
    from PIL import Image

    if image.mode not in ("RGB", "RGBA"):
        image = image.convert("RGBA" if image.mode in ("LA", "PA", "P", "La", "RGBa") else "RGB")
    return Image.composite(image, Image.new("RGBA", image.size, 0), mask)


def binary_mask(mask: NDArray[Any]) -> NDArray[np.uint8]:
    """rembg's post-processing: opening with a disk of radius 1, Gaussian of sigma 2, threshold.

    Args:
        mask: H x W, 0..255.

    Returns:
        H x W uint8 of 0 and 255.
    """
    opened = _over_cross(_over_cross(np.asarray(mask), np.minimum), np.maximum)
    blurred = _gaussian(_gaussian(opened.astype(np.float64)).T).T
    return np.where(blurred < _BINARY_LEVEL, 0, 255).astype(np.uint8)


def _over_cross(values: NDArray[Any], least: Any) -> NDArray[Any]:
    """The least (or largest) of each pixel and its four neighbours."""
    padded = np.pad(values, 1, mode="edge")
    rows = least(least(padded[:-2, 1:-1], padded[2:, 1:-1]), padded[1:-1, 1:-1])
    return np.asarray(least(least(padded[1:-1, :-2], padded[1:-1, 2:]), rows))


def _gaussian(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Blurred along the rows' axis; borders mirrored with the edge pixel repeated."""
    x = np.arange(-_RADIUS, _RADIUS + 1)
    weights = np.exp(-0.5 * (x / _SIGMA) ** 2)
    weights /= weights.sum()
    padded = np.pad(values, ((_RADIUS, _RADIUS), (0, 0)), mode="symmetric")
    height = values.shape[0]
    blurred = np.zeros_like(values)
    for offset, weight in enumerate(weights):
        blurred += weight * padded[offset : offset + height]
    return blurred


def trimap(
    mask: NDArray[Any],
    *,
    foreground_threshold: int = 240,
    background_threshold: int = 10,
    erode_size: int = 10,
) -> NDArray[np.uint8]:
    """rembg's trimap: what is sure is eroded by a square, so that the edge lies in the unknown.

    Args:
        mask: H x W, 0..255.
        foreground_threshold: Above it, a pixel is foreground.
        background_threshold: Below it, a pixel is background.
        erode_size: Side of the square, in pixels; 0: a cross of 3 x 3.

    Returns:
        H x W uint8: 0 background, 128 unknown, 255 foreground.
    """
    mask = np.asarray(mask)
    foreground = _eroded(mask > foreground_threshold, erode_size, outside=False)
    background = _eroded(mask < background_threshold, erode_size, outside=True)
    levels = np.full(mask.shape, 128, np.uint8)
    levels[foreground] = 255
    levels[background] = 0
    return levels


def _eroded(kept: NDArray[np.bool_], size: int, *, outside: bool) -> NDArray[np.bool_]:
    """Eroded by a square whose centre is pixel size // 2, or by a cross for size 0."""
    if size <= 0:
        padded = np.pad(kept, 1, constant_values=outside)
        around = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
        return np.asarray(kept & around)
    before = size // 2
    for _ in range(2):
        widths = ((before, size - 1 - before), (0, 0))
        padded = np.pad(kept, widths, constant_values=outside)
        height = kept.shape[0]
        kept = np.logical_and.reduce([padded[at : at + height] for at in range(size)]).T
    return kept


def matted(
    rgb: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    *,
    foreground_threshold: int,
    background_threshold: int,
    erode_size: int,
) -> NDArray[Any]:
    """Alpha solved in the unknown band of rembg's trimap, then colours: on nssbg's own solvers.

    Args:
        rgb: H x W x 3.
        mask: H x W.
        foreground_threshold: See `trimap`; so for the others.
        background_threshold: See `trimap`.
        erode_size: See `trimap`.

    Returns:
        H x W x 4, straight.

    Raises:
        OptionError: Shapes that do not fit together.
    """
    levels = trimap(
        mask,
        foreground_threshold=foreground_threshold,
        background_threshold=background_threshold,
        erode_size=erode_size,
    )
    alpha = refine(rgb, np.ascontiguousarray(mask), level="matting", trimap=levels)
    return decontaminate(rgb, alpha, threads=0)
