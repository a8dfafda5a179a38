"""What every part of the generator draws by: a seed, small draws, soft fields, colours.

Work is done at the output size in a few OpenCV passes, since two cores both generate and train.
"""

from __future__ import annotations

import math

import banks
import cv2
import numpy as np
import numpy.typing as npt
from sources import Pool, Shares, Sources

Floats = npt.NDArray[np.float32]


class Draws:
    """One seeded stream of draws for pictures of one size."""

    def __init__(self, sources: Sources, size: int, seed: int) -> None:
        self.sources = sources
        self.size = size
        self.rng = np.random.default_rng(seed)

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return bool(self.rng.random() < probability)

    def between(self, low: float, high: float) -> float:
        """A uniform draw."""
        return float(low + (high - low) * self.rng.random())

    def pick(self, shares: Shares) -> str:
        """A name by its share."""
        return shares[0][int(self.rng.choice(len(shares[0]), p=shares[1]))]

    def picture(self, entries: Pool) -> banks.Pixels:
        """A random picture of a pool, by its weights where it has any."""
        return entries.draw(self.rng)

    # Soft fields -----------------------------------------------------------------------------

    def ramp(self) -> Floats:
        """A smooth 0..1 field: linear in a random direction, or radial."""
        axis = np.linspace(-1, 1, self.size, dtype=np.float32)
        if self.chance(0.5):
            angle = self.between(0, 2 * math.pi)
            field_ = axis[None, :] * math.cos(angle) + axis[:, None] * math.sin(angle)
        else:
            x, y = self.between(-0.7, 0.7), self.between(-0.9, 0.5)
            field_ = np.sqrt((axis[None, :] - x) ** 2 + (axis[:, None] - y) ** 2)
        low, high = float(field_.min()), float(field_.max())
        return ((field_ - low) / (high - low)).astype(np.float32)

    def noise_field(self, cells: int) -> Floats:
        """Soft noise in 0..1 with about `cells` features a side."""
        coarse = self.rng.random((cells + 3, cells + 3), np.float32)
        return np.clip(
            cv2.resize(coarse, (self.size, self.size), interpolation=cv2.INTER_CUBIC), 0, 1
        )

    # Colour ----------------------------------------------------------------------------------

    def grade_matrix(self, strength: float) -> Floats:
        """A 3 x 4 colour transform: saturation, hue, white balance, contrast, brightness."""
        rng = self.rng
        saturation = 0.0 if self.chance(0.04) else 1.0 + strength * self.between(-0.6, 0.6)
        angle = strength * rng.normal() * (0.15 if self.chance(0.8) else 1.0)
        luma = np.array([[0.299, 0.587, 0.114]] * 3)
        cos, sin = math.cos(angle), math.sin(angle)
        # Rotation about the grey axis (Rodrigues).
        third = np.full((3, 3), 1 / 3)
        cross = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / math.sqrt(3)
        rotation = cos * np.eye(3) + (1 - cos) * third + sin * cross
        colour = rotation @ (luma + saturation * (np.eye(3) - luma))
        gains = 1.0 + strength * np.clip(rng.normal(size=3) * 0.07, -0.25, 0.25)
        contrast = 1.0 + strength * self.between(-0.35, 0.35)
        brightness = strength * self.between(-40, 40)
        linear = contrast * gains[:, None] * colour
        offset = 128 * (1 - contrast) + brightness
        return np.column_stack([linear, np.full(3, offset)]).astype(np.float32)

    def graded(self, rgb: banks.Pixels, strength: float = 1.0) -> banks.Pixels:
        """A regraded copy; sometimes with another gamma."""
        result = cv2.transform(rgb, self.grade_matrix(strength))
        if self.chance(0.4):
            gamma = math.exp(strength * self.between(-0.5, 0.5))
            table = (np.linspace(0, 1, 256) ** gamma * 255 + 0.5).astype(np.uint8)
            result = cv2.LUT(result, table)
        return result

    def finished(self, rgb: banks.Pixels) -> banks.Pixels:
        """What cameras and files do to any picture: blur, sharpening, noise, JPEG."""
        if self.chance(0.15):
            rgb = cv2.GaussianBlur(rgb, (0, 0), self.between(0.3, 1.3))
        elif self.chance(0.1):
            soft = cv2.GaussianBlur(rgb, (0, 0), 1.0)
            amount = self.between(0.3, 1.0)
            rgb = cv2.addWeighted(rgb, 1 + amount, soft, -amount, 0)
        elif self.chance(0.05):
            small = max(24, int(self.size * self.between(0.35, 0.8)))
            low = cv2.resize(rgb, (small, small), interpolation=cv2.INTER_AREA)
            rgb = cv2.resize(low, (self.size, self.size), interpolation=cv2.INTER_LINEAR)
        if self.chance(0.3):
            noise = np.empty(rgb.shape, np.int8)
            cv2.setRNGSeed(int(self.rng.integers(1 << 30)))
            cv2.randn(noise, 0, self.between(1.0, 9.0))
            rgb = cv2.add(rgb, noise, dtype=cv2.CV_8U)
        if self.chance(0.25):
            quality = int(self.between(35, 92))
            _, packed = cv2.imencode(".jpg", rgb, [cv2.IMWRITE_JPEG_QUALITY, quality])
            rgb = cv2.imdecode(packed, cv2.IMREAD_COLOR)
        return rgb
