"""Backdrops of composites: photographs without a subject, plain and graded, tables, textures."""

from __future__ import annotations

import math

import cv2
import numpy as np
from draws import Draws, Floats


class Backdrops(Draws):
    """Draws a canvas, float RGB 0..255."""

    def colour(self) -> Floats:
        """A backdrop colour: mostly white, greys and pastels, at times anything."""
        draw = self.rng.random()
        if draw < 0.3:
            base = np.full(3, self.between(225, 255))
        elif draw < 0.5:
            base = np.full(3, self.between(5, 240))
        elif draw < 0.7:
            base = 255 - self.rng.random(3) * self.between(20, 90)
        else:
            base = self.rng.random(3) * 255
        return np.clip(base + self.rng.normal(size=3) * 3, 0, 255).astype(np.float32)

    def scene_photo(self, kind: str) -> Floats:
        """A crop of a photograph without a wanted subject; shop photographs mostly blurred."""
        pixels = self.picture(self.sources.backdrops[kind])
        height, width = pixels.shape[:2]
        share = math.sqrt(math.exp(self.between(math.log(0.25), 0)))
        crop_h, crop_w = int(height * share), int(width * share)
        top = int(self.rng.integers(height - crop_h + 1))
        left = int(self.rng.integers(width - crop_w + 1))
        crop = pixels[top : top + crop_h, left : left + crop_w]
        shrinking = min(crop_h, crop_w) > self.size
        rgb = cv2.resize(
            crop,
            (self.size, self.size),
            interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR,
        )
        if self.chance(0.5):
            rgb = rgb[:, ::-1]
        if kind == "shop" and self.chance(0.15):
            rgb = rgb[::-1]
        rgb = self.graded(np.ascontiguousarray(rgb))
        if self.chance(0.7 if kind == "shop" else 0.35):
            sigma = self.size / 160 * math.exp(self.between(math.log(0.7), math.log(9)))
            rgb = cv2.GaussianBlur(rgb, (0, 0), sigma)
        return rgb.astype(np.float32)

    def backdrop(self, kind: str) -> Floats:
        """A backdrop, float RGB 0..255."""
        size = self.size
        if kind in ("fill", "shop", "scene"):
            return self.scene_photo(kind)
        first = self.colour()
        if kind == "plain":
            canvas = np.empty((size, size, 3), np.float32)
            canvas[:] = first
            if self.chance(0.5):
                canvas *= 1 - self.between(0.02, 0.3) * self.ramp()[..., None]
            return canvas
        if kind == "studio":
            second = (
                self.colour() if self.chance(0.3) else first * np.float32(self.between(0.6, 1.1))
            )
            mix = self.ramp()
            if self.chance(0.6):
                # A table or floor: two tones that meet at a soft or hard horizon.
                rows = np.linspace(0, 1, size, dtype=np.float32)[:, None]
                slope = np.linspace(-1, 1, size, dtype=np.float32)[None] * self.between(-0.06, 0.06)
                softness = math.exp(self.between(math.log(0.004), math.log(0.2)))
                horizon = (rows + slope - self.between(0.35, 0.85)) / softness
                mix = 1 / (1 + np.exp(-np.clip(horizon, -30, 30)))
            canvas = first + (second - first) * mix[..., None]
            if self.chance(0.6):
                canvas *= 1 - self.between(0.05, 0.4) * self.ramp()[..., None]
            return np.clip(canvas, 0, 255).astype(np.float32)
        return self.texture(first)

    def texture(self, first: Floats) -> Floats:
        """Stripes, planks, tiles, cloth or speckle between two colours."""
        size = self.size
        second = first * np.float32(self.between(0.5, 1.3)) if self.chance(0.7) else self.colour()
        axis = np.arange(size, dtype=np.float32)
        angle = self.between(0, math.pi)
        along = axis[None] * math.cos(angle) + axis[:, None] * math.sin(angle)
        across = axis[:, None] * math.cos(angle) - axis[None] * math.sin(angle)
        period = size / math.exp(self.between(math.log(2), math.log(40)))
        warp = self.noise_field(4) * period * self.between(0, 2)
        draw = self.rng.random()
        if draw < 0.3:
            mix = 0.5 + 0.5 * np.sin((along + warp) * (2 * math.pi / period))
        elif draw < 0.55:
            mix = ((np.floor(along / period) + np.floor(across / period)) % 2).astype(np.float32)
        elif draw < 0.75:
            lines = np.minimum(along % period, across % (period * self.between(1, 3)))
            mix = (lines < max(1.0, period * 0.06)).astype(np.float32)
        else:
            mix = self.noise_field(int(self.between(3, 12))) * 0.5 + 0.5 * self.noise_field(
                int(self.between(12, size / 3))
            )
        if self.chance(0.5):
            mix = 1 / (1 + np.exp(-(mix - 0.5) * self.between(2, 15)))
        canvas = first + (second - first) * mix[..., None].astype(np.float32)
        canvas = canvas + 25 * (self.noise_field(int(self.between(2, size / 4)))[..., None] - 0.5)
        return np.clip(canvas, 0, 255).astype(np.float32)
