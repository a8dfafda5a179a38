"""NumPy twin of the prepare stage: the same integers, written for reading rather than for speed."""

from __future__ import annotations

import math

import numpy as np

SUPPORTS = {"box": 0.5, "bilinear": 1.0, "bicubic": 2.0, "lanczos": 3.0}
MOST_BITS = 22
FEWEST_BITS = 16


def weight(filter_name: str, x: float) -> float:
    if filter_name == "box":
        return 1.0 if -0.5 < x <= 0.5 else 0.0
    x = abs(x)
    if filter_name == "bilinear":
        return max(1.0 - x, 0.0)
    if filter_name == "bicubic":
        if x < 1.0:
            return (1.5 * x - 2.5) * x * x + 1.0
        return (((x - 5.0) * x + 8.0) * x - 4.0) * -0.5 if x < 2.0 else 0.0
    if x == 0.0:
        return 1.0
    if x >= 3.0:
        return 0.0
    return math.sin(math.pi * x) / (math.pi * x) * (math.sin(math.pi * x / 3) / (math.pi * x / 3))


def windows(filter_name: str, source: int, outputs: int) -> list[tuple[int, np.ndarray]]:
    """First sample and weights (float64, summing to 1) of every output."""
    scale = source / outputs
    stretch = max(scale, 1.0)
    support = SUPPORTS[filter_name] * stretch
    result = []
    for i in range(outputs):
        center = (i + 0.5) * scale
        begin = max(int(center - support + 0.5), 0)
        end = min(int(center + support + 0.5), source)
        values = np.array(
            [weight(filter_name, (x - center + 0.5) / stretch) for x in range(begin, end)]
        )
        result.append((begin, values / values.sum()))
    return result


def fraction_bits(tables: list[tuple[int, np.ndarray]]) -> int:
    """Bits of the fixed point: as many as 16-bit weights allow, or 22 where these are too few."""
    largest = max(np.abs(values).max() for _, values in tables)
    total = max(np.abs(values).sum() for _, values in tables)
    bits = MOST_BITS
    while largest * 2.0**bits + 0.5 > 32767 or total * 256 * 2.0**bits > 2**31 - 1:
        bits -= 1
    return bits if bits >= FEWEST_BITS else MOST_BITS


def filter_axis(image: np.ndarray, axis: int, filter_name: str, outputs: int) -> np.ndarray:
    """Resize one axis of a uint8 picture to uint8."""
    tables = windows(filter_name, image.shape[axis], outputs)
    bits = fraction_bits(tables)
    samples = np.moveaxis(image, axis, 0).astype(np.int64)
    rows = []
    for begin, values in tables:
        scaled = values * 2.0**bits
        integers = np.trunc(scaled + np.copysign(0.5, scaled)).astype(np.int64)
        total = np.tensordot(integers, samples[begin : begin + len(integers)], axes=1)
        rows.append(np.clip((total + (1 << (bits - 1))) >> bits, 0, 255))
    return np.moveaxis(np.stack(rows), 0, axis).astype(np.uint8)


def resize(image: np.ndarray, size: tuple[int, int], filter_name: str) -> np.ndarray:
    """H x W x C uint8 to `size`: along x, rounded to 8 bits, then along y."""
    return filter_axis(filter_axis(image, 1, filter_name, size[1]), 0, filter_name, size[0])


def eight_bits(image: np.ndarray) -> np.ndarray:
    """Rounded to 8 bits: round(value / 257)."""
    if image.dtype == np.uint8:
        return image
    return ((image.astype(np.uint32) * 2 + 257) // 514).astype(np.uint8)


def prepare(
    image: np.ndarray,
    size: tuple[int, int],
    filter_name: str,
    mean: tuple[float, ...],
    std: tuple[float, ...],
) -> np.ndarray:
    """1 x 3 x H x W float32, normalised."""
    colours = np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image[..., :3]
    values = resize(eight_bits(colours), size, filter_name).astype(np.float32)
    scale = (1.0 / (255.0 * np.array(std))).astype(np.float32)
    bias = (-np.array(mean) / np.array(std)).astype(np.float32)
    return (values * scale + bias).transpose(2, 0, 1)[np.newaxis]
