"""Error measures for alpha mattes and foreground colours, as the field defines them.

In: an estimated alpha, the true one, optionally a boolean band to count in. Out: one number each.
SAD, MSE, gradient and connectivity follow Rhemann et al., "A Perceptually Motivated Online
Benchmark for Image Matting" (CVPR 2009), with the constants of alphamatting.com. Sums are plain
sums over pixels: divide by 1000 to compare with tables that do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float32]
Double = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

GRADIENT_SIGMA = 1.4  # Rhemann et al., section 4
CONNECTIVITY_STEP = 0.1  # alphamatting.com quantises alpha to tenths here
CONNECTIVITY_THETA = 0.15  # smaller disconnections are not seen


@dataclass(frozen=True)
class Errors:
    """The four errors of one matte, over the pixels that were counted."""

    sad: float
    mse: float
    gradient: float
    connectivity: float
    pixels: int


def matting_errors(
    estimate: npt.ArrayLike, truth: npt.ArrayLike, band: Mask | None = None
) -> Errors:
    """All four errors. uint8 alphas are read as 0..255, floats as 0..1; H x W."""
    estimated, true, counted = _checked(estimate, truth, band)
    difference = estimated - true
    pixels = int(counted.sum())
    return Errors(
        sad=float(np.abs(difference)[counted].sum()),
        mse=float((difference**2)[counted].mean()) if pixels else 0.0,
        gradient=_gradient_error(estimated, true, counted),
        connectivity=_connectivity_error(estimated, true, counted),
        pixels=pixels,
    )


def sum_of_absolute_differences(
    estimate: npt.ArrayLike, truth: npt.ArrayLike, band: Mask | None = None
) -> float:
    """SAD: the sum of |estimate - truth|."""
    estimated, true, counted = _checked(estimate, truth, band)
    return float(np.abs(estimated - true)[counted].sum())


def mean_squared_error(
    estimate: npt.ArrayLike, truth: npt.ArrayLike, band: Mask | None = None
) -> float:
    """MSE: the mean of (estimate - truth)^2."""
    estimated, true, counted = _checked(estimate, truth, band)
    return float(((estimated - true) ** 2)[counted].mean()) if counted.any() else 0.0


def gradient_error(
    estimate: npt.ArrayLike, truth: npt.ArrayLike, band: Mask | None = None
) -> float:
    """The sum of squared differences of gradient magnitudes at sigma 1.4."""
    return _gradient_error(*_checked(estimate, truth, band))


def connectivity_error(
    estimate: npt.ArrayLike, truth: npt.ArrayLike, band: Mask | None = None
) -> float:
    """The sum of differences in how firmly a pixel hangs on the common opaque region."""
    return _connectivity_error(*_checked(estimate, truth, band))


def unknown_band(alpha: npt.ArrayLike, reach: int = 10) -> Mask:
    """Pixels within `reach` (in x and in y) of one that is neither 0 nor 1 in 8 bits, or of a step.

    The usual stand-in for the unknown part of a trimap when the true alpha is known.
    """
    value = _unit(alpha)
    soft = (value > 0.5 / 255) & (value < 1 - 0.5 / 255)
    hard = value >= 0.5
    # A matte without soft pixels still has an outline.
    soft[:, 1:] |= hard[:, 1:] != hard[:, :-1]
    soft[1:] |= hard[1:] != hard[:-1]
    for axis in (0, 1):
        padding = [(0, 0), (0, 0)]
        padding[axis] = (reach + 1, reach)
        total = np.cumsum(np.pad(soft, padding).astype(np.int64), axis)
        size = soft.shape[axis]
        first = np.take(total, np.arange(size), axis)
        last = np.take(total, np.arange(size) + 2 * reach + 1, axis)
        soft = last > first
    return soft


def trimap_from_alpha(alpha: npt.ArrayLike, reach: int = 10) -> npt.NDArray[np.uint8]:
    """0 background, 128 unknown, 255 foreground: the trimap a careful person would draw."""
    value = _unit(alpha)
    trimap = np.where(value >= 0.5, 255, 0).astype(np.uint8)
    trimap[unknown_band(alpha, reach)] = 128
    return trimap


def foreground_error(
    estimate: npt.ArrayLike, truth: npt.ArrayLike, alpha: npt.ArrayLike, band: Mask | None = None
) -> float:
    """Mean absolute colour error (0..1) weighted by alpha, where 0 < alpha < 1.

    The weight is what a colour counts for in any composite.
    """
    opacity = _unit(alpha)
    counted = (opacity > 0) & (opacity < 1) if band is None else band
    difference = np.abs(_unit(estimate) - _unit(truth)).mean(2)
    weight = opacity * counted
    total = float(weight.sum())
    return float((difference * weight).sum() / total) if total > 0 else 0.0


def composite_error(
    estimated_alpha: npt.ArrayLike,
    estimated_foreground: npt.ArrayLike,
    true_alpha: npt.ArrayLike,
    true_foreground: npt.ArrayLike,
    backdrop: tuple[float, float, float],
    band: Mask | None = None,
) -> float:
    """Mean absolute difference (0..1) of two cut-outs laid over one plain colour."""
    colour = np.asarray(backdrop, np.float64)
    pictures = []
    for alpha, foreground in (
        (estimated_alpha, estimated_foreground),
        (true_alpha, true_foreground),
    ):
        share = _unit(alpha)[..., None]
        pictures.append(share * _unit(foreground) + (1 - share) * colour)
    difference = np.abs(pictures[0] - pictures[1]).mean(2)
    if band is None:
        return float(difference.mean())
    return float(difference[band].mean()) if band.any() else 0.0


def _unit(values: npt.ArrayLike) -> Double:
    array = np.asarray(values)
    if array.dtype == np.bool_:
        return array.astype(np.float64)
    if np.issubdtype(array.dtype, np.integer):
        return array.astype(np.float64) / np.iinfo(array.dtype).max
    return array.astype(np.float64)


def _checked(
    estimate: npt.ArrayLike, truth: npt.ArrayLike, band: Mask | None
) -> tuple[Double, Double, Mask]:
    estimated, true = _unit(estimate), _unit(truth)
    if estimated.ndim != 2 or estimated.shape != true.shape:
        raise ValueError(f"two H x W alphas of one size, not {estimated.shape} and {true.shape}")
    counted = np.ones(true.shape, bool) if band is None else np.asarray(band)
    if counted.shape != true.shape or counted.dtype != np.bool_:
        raise ValueError(
            f"a boolean band of size {true.shape}, not {counted.dtype} {counted.shape}"
        )
    return estimated, true, counted


def _gradient_error(estimated: Double, true: Double, counted: Mask) -> float:
    difference = _gradient_magnitude(estimated) - _gradient_magnitude(true)
    return float((difference**2)[counted].sum())


def _gradient_magnitude(alpha: Double) -> Double:
    """First-order Gaussian derivatives, normalised to unit energy as the benchmark's code does."""
    sigma, least = GRADIENT_SIGMA, 1e-2
    half = math.ceil(sigma * math.sqrt(-2 * math.log(math.sqrt(2 * math.pi) * sigma * least)))
    offset = np.arange(-half, half + 1, dtype=np.float64)
    bell = np.exp(-(offset**2) / (2 * sigma**2)) / (sigma * math.sqrt(2 * math.pi))
    slope = -offset * bell / sigma**2
    energy = math.sqrt(float((bell**2).sum() * (slope**2).sum()))
    along_x = _filtered(_filtered(alpha, slope, 1), bell, 0) / energy
    along_y = _filtered(_filtered(alpha, slope, 0), bell, 1) / energy
    return np.hypot(along_x, along_y)


def _filtered(picture: Double, kernel: Double, axis: int) -> Double:
    half = len(kernel) // 2
    padding = [(0, 0), (0, 0)]
    padding[axis] = (half, half)
    padded = np.pad(picture, padding, mode="edge")
    size = picture.shape[axis]
    total = np.zeros_like(picture)
    for tap, weight in enumerate(kernel):
        window = padded[tap : tap + size] if axis == 0 else padded[:, tap : tap + size]
        total += weight * window
    return total


def _connectivity_error(estimated: Double, true: Double, counted: Mask) -> float:
    # The level at which a pixel is still joined to the largest region opaque in both mattes.
    joined = np.full(true.shape, -1.0)
    steps = round(1 / CONNECTIVITY_STEP)
    # Tenths that are exactly on a step must not fall below it through binary fractions.
    for step in range(1, steps + 1):
        level = step * CONNECTIVITY_STEP - 1e-9
        common = largest_component((estimated >= level) & (true >= level))
        joined[(joined < 0) & ~common] = (step - 1) * CONNECTIVITY_STEP
    joined[joined < 0] = 1.0
    degrees = []
    for alpha in (estimated, true):
        apart = alpha - joined
        degrees.append(1 - apart * (apart >= CONNECTIVITY_THETA))
    return float(np.abs(degrees[0] - degrees[1])[counted].sum())


def largest_component(mask: Mask) -> Mask:
    """The largest 4-connected region of a mask; the first one in reading order on a tie."""
    labels = _labels(mask)
    if labels is None:
        return np.zeros_like(mask)
    runs_row, runs_start, runs_stop, roots = labels
    sizes = np.bincount(roots, weights=runs_stop - runs_start)
    keep = roots == int(np.argmax(sizes))
    # Draw the kept runs as differences along each row and sum them up.
    steps = np.zeros((mask.shape[0], mask.shape[1] + 1), np.int32)
    np.add.at(steps, (runs_row[keep], runs_start[keep]), 1)
    np.add.at(steps, (runs_row[keep], runs_stop[keep]), -1)
    return np.cumsum(steps, 1)[:, :-1] > 0


Runs = npt.NDArray[np.int64]


def _labels(mask: Mask) -> tuple[Runs, Runs, Runs, Runs] | None:
    """Horizontal runs as (row, start, stop, root), joined with overlapping runs of the next row."""
    width = mask.shape[1]
    edges = np.diff(np.pad(mask, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    row, start = np.nonzero(edges == 1)
    _, stop = np.nonzero(edges == -1)
    count = len(row)
    if count == 0:
        return None
    # Runs in reading order have sorted keys, so the runs of the next row that overlap one are a
    # slice: those that stop after its start and start before its stop.
    span = width + 2
    first = np.searchsorted(row * span + stop, (row + 1) * span + start, side="right")
    last = np.searchsorted(row * span + start, (row + 1) * span + stop, side="left")
    touching = np.maximum(last - first, 0)
    upper = np.repeat(np.arange(count), touching)
    lower = np.arange(len(upper)) - np.repeat(np.cumsum(touching) - touching, touching)
    lower = lower + np.repeat(first, touching)
    parent = np.arange(count)
    while True:  # hook the larger root on the smaller one, then flatten; a few rounds suffice
        a, b = parent[upper], parent[lower]
        apart = a != b
        if not apart.any():
            return row, start, stop, parent
        np.minimum.at(parent, np.maximum(a, b)[apart], np.minimum(a, b)[apart])
        while True:
            flat = parent[parent]
            if np.array_equal(flat, parent):
                break
            parent = flat
