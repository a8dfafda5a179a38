"""One picture with its truth: a subject on a backdrop."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bench.ground_truth import strands, things
from bench.ground_truth.backdrops import BACKDROPS, plain
from bench.ground_truth.pictures import filled, linear_from_srgb, noise, srgb_from_linear
from bench.ground_truth.sketch import Bytes, Float, Float32, Layer


@dataclass(frozen=True)
class Case:
    """One picture with its truth; colours are sRGB-encoded, 0..1, and defined at every pixel."""

    name: str
    image: Bytes  # H x W x 3
    alpha: Float32  # H x W, 0..1
    foreground: Float32  # H x W x 3
    background: Float32  # H x W x 3


_SUBJECTS: dict[str, Callable[[int, int, int], Layer]] = {
    "hair": strands.hair,
    "curls": strands.curls,
    "fur": strands.fur,
    "leaves": things.leaves,
    "net": things.net,
    "lace": things.lace,
    "glass": things.glass,
    "text": things.text,
    "cables": things.cables,
    "holes": things.holes,
    "defocus": things.defocus,
}
SAME_COLOUR = "same-colour"  # made from the subject's own mean, so it needs the subject first


def case_names() -> tuple[str, ...]:
    """Names of the subjects, hardest hair first."""
    return tuple(_SUBJECTS)


def backdrop_names() -> tuple[str, ...]:
    """Names of the backdrops."""
    return (*BACKDROPS, SAME_COLOUR)


def make_case(
    name: str,
    backdrop: str = "clutter",
    height: int = 480,
    width: int = 640,
    seed: int = 0,
    *,
    linear_light: bool = False,
) -> Case:
    """Draw one picture; the same arguments give the same bytes.

    The subject depends on (name, size, seed) only, so one subject can be put on many backdrops.
    With `linear_light` the mixing happens in linear light and the result is encoded again: alpha
    and the two colours are still the truth, but the encoded equation does not hold in the band.
    """
    if name not in _SUBJECTS:
        raise ValueError(f"no subject {name!r}; choose one of {', '.join(_SUBJECTS)}")
    if backdrop not in backdrop_names():
        raise ValueError(f"no backdrop {backdrop!r}; choose one of {', '.join(backdrop_names())}")
    if height < 32 or width < 32:
        raise ValueError(f"{width} x {height} is too small to draw on; 32 x 32 is the least")
    subject = _SUBJECTS[name](height, width, seed)
    alpha = np.clip(subject.alpha, 0, 1).astype(np.float32)
    foreground = filled(subject.colour, alpha)
    rng = np.random.default_rng([seed, zlib.crc32(backdrop.encode())])
    if backdrop == SAME_COLOUR:
        weight = alpha[..., None]
        mean = (foreground * weight).sum((0, 1)) / max(float(weight.sum()), 1.0)
        light = 0.85 + 0.30 * noise(rng, height, width, max(height, width) / 2, 3)
        background = np.clip(plain(height, width, mean) * light[..., None], 0, 1)
    else:
        background = BACKDROPS[backdrop](height, width, rng)
    background = background.astype(np.float32)
    image = composite(alpha, foreground, background, linear_light=linear_light)
    return Case(f"{name}-on-{backdrop}", image, alpha, foreground, background)


def composite(
    alpha: Float, foreground: Float, background: Float, *, linear_light: bool = False
) -> Bytes:
    """Mix and round to 8 bits, in the sRGB encoding or in linear light."""
    share = alpha[..., None]
    if linear_light:
        mixed = srgb_from_linear(
            linear_from_srgb(foreground) * share + linear_from_srgb(background) * (1 - share)
        )
    else:
        mixed = foreground * share + background * (1 - share)
    return np.rint(np.clip(mixed, 0, 1) * 255).astype(np.uint8)
