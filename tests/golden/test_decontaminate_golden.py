"""Checksums of decontaminated and composed pictures: the same bytes on every ISA level.

A change of these numbers is a change of every user's pixels: say so in CHANGELOG.md.
"""

import hashlib

import numpy as np
import pytest

from nssbg._compose.background import Gradient, over, over_layer, premultiply
from nssbg._ops.foreground import decontaminate, estimate_colors, suppress_spill


def scene(dtype):
    """Integer arithmetic only, so that the input is the same everywhere."""
    y, x = np.mgrid[0:157, 0:211].astype(np.int64)
    image = np.stack([x * 7 + y * 3, x * x // 9 + y, (x ^ y) * 5], -1) % 256
    wave = (x * 3 + y * 2) % 512
    alpha = np.clip(np.minimum(wave, 511 - wave) * 2 - 60, 0, 255)
    scale = np.iinfo(dtype).max // 255
    return (image * scale).astype(dtype), (alpha * scale).astype(dtype)


def digest(*arrays):
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()[:16]


def results(dtype):
    image, alpha = scene(dtype)
    cutout = decontaminate(image, alpha)
    gradient = Gradient(("#ff0000", "white", "#0000ff"), angle=30.0)
    return {
        "clear": digest(cutout),
        "extend": digest(decontaminate(image, alpha, matte="extend")),
        "strength": digest(decontaminate(image, alpha, strength=0.4)),
        "blur-fusion": digest(decontaminate(image, alpha, method="blur-fusion")),
        "colors": digest(*estimate_colors(image, alpha)),
        "spill": digest(suppress_spill(cutout, screen="green", strength=0.5)),
        "color": digest(over(cutout, (200, 10, 30))),
        "gradient": digest(over(cutout, gradient)),
        "radial": digest(over(cutout, Gradient(("white", "black"), radial=True))),
        "layer": digest(over_layer(cutout, cutout[::-1].copy())),
        "premultiplied": digest(premultiply(cutout)),
    }


GOLDEN = {
    "uint8": {
        "clear": "8c99525d34c0d66d",
        "extend": "aa41d90e319be688",
        "strength": "4e5d27fffb24916e",
        "blur-fusion": "5d959ee57491ab7f",
        "colors": "b9c15846d7d9849c",
        "spill": "dd2357cf02796cd3",
        "color": "29e2841aeb8e2f5b",
        "gradient": "371970aeb6181b45",
        "radial": "5252d61332468318",
        "layer": "5c0b90dd9024cc17",
        "premultiplied": "cb9ac96d4a432fc9",
    },
    "uint16": {
        "clear": "abbc0c29c9d428f1",
        "extend": "b9f3015a00a9d70d",
        "strength": "1c0fe41440642786",
        "blur-fusion": "d477d7bf22549ae3",
        "colors": "4dbae58735cdb2ef",
        "spill": "9a88dee417563d6b",
        "color": "fbaac7d027d6f5dd",
        "gradient": "59eaa81dae7ba081",
        "radial": "316c679d339fbb48",
        "layer": "b61d38d4db7c31ac",
        "premultiplied": "59e7ef91c284c50f",
    },
}


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_bytes_are_the_recorded_ones(dtype, isa_level):
    assert results(dtype) == GOLDEN[np.dtype(dtype).name]
