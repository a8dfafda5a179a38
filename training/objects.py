"""Foregrounds of composites: placed on a canvas, with shadow, reflection, label or hole."""

from __future__ import annotations

import math

import cv2
import memmap_dataset
import numpy as np
from sampling import Draws, Floats
from sources import shrunk


class Objects(Draws):
    """Draws foregrounds, and what they do to the canvas that they stand on."""

    labels: float  # share: see Generator

    def textured(self, rgba: memmap_dataset.Pixels) -> memmap_dataset.Pixels:
        """The cut-out's shape and shading with the surface of some photograph."""
        kind = "shop" if self.chance(0.5) and "shop" in self.sources.backdrops else "fill"
        if kind not in self.sources.backdrops:
            return rgba
        pixels = self.picture(self.sources.backdrops[kind])
        height, width = rgba.shape[:2]
        share = self.between(0.3, 1.0)
        crop_h, crop_w = int(pixels.shape[0] * share), int(pixels.shape[1] * share)
        top = int(self.rng.integers(pixels.shape[0] - crop_h + 1))
        left = int(self.rng.integers(pixels.shape[1] - crop_w + 1))
        surface = cv2.resize(pixels[top : top + crop_h, left : left + crop_w], (width, height))
        grey = cv2.cvtColor(rgba[..., :3], cv2.COLOR_RGB2GRAY).astype(np.float32)
        shade = (0.35 + self.between(0.6, 1.1) * grey / 255.0)[..., None]
        keep = self.between(0.0, 0.3)
        mixed = surface * shade * (1 - keep) + rgba[..., :3] * keep
        return np.dstack([np.clip(mixed, 0, 255).astype(np.uint8), rgba[..., 3]])

    def placed(self, kind: str, several: bool) -> Floats:
        """One foreground on an empty canvas: premultiplied RGBA float, alpha 0..1."""
        size = self.size
        rgba = np.ascontiguousarray(self.picture(self.sources.foregrounds[kind])[..., :4])
        x, y, width, height = cv2.boundingRect(rgba[..., 3])
        if width == 0:
            return np.zeros((size, size, 4), np.float32)
        rgba = rgba[y : y + height, x : x + width]
        reach = self.between(0.25, 0.6) if several else self.between(0.35, 1.0)
        if self.chance(0.08):
            reach *= 1.5  # larger than the frame: cut off by it
        scale = reach * size / max(width, height)
        rgba = shrunk(rgba, 1 / max(scale, 1e-3))
        factor_x, factor_y = width / rgba.shape[1], height / rgba.shape[0]
        if kind in ("fluent", "noto", "procedural") and self.chance(0.3):
            rgba = self.textured(rgba)
        rgb = self.graded(np.ascontiguousarray(rgba[..., :3]), 1.0)
        if kind in ("fluent", "noto") and self.chance(0.15):
            rgb = cv2.transform(rgb, self.grade_matrix(2.5))
        canvas = rgb.astype(np.float32)
        if self.chance(0.25):
            # Light from one side.
            ramp = np.linspace(-1, 1, rgb.shape[1], dtype=np.float32)[None, :, None]
            canvas *= 1 + self.between(-0.5, 0.5) * ramp
        alpha = rgba[..., 3:].astype(np.float32) / 255.0
        premultiplied = np.dstack([canvas * alpha, alpha])
        shape = math.exp(self.between(-0.3, 0.3))
        scale_x, scale_y = scale * factor_x * shape, scale * factor_y / shape
        if self.chance(0.5):
            scale_x = -scale_x
        wild = kind in ("fluent", "noto", "procedural") and self.chance(0.2)
        angle = self.between(-math.pi, math.pi) if wild else float(self.rng.normal()) * 0.15
        shear = float(self.rng.normal()) * 0.08
        cos, sin = math.cos(angle), math.sin(angle)
        linear = np.array([[cos, -sin], [sin, cos]]) @ np.array(
            [[scale_x, shear * scale_y], [0, scale_y]]
        )
        spread = 0.42 if several else 0.22
        middle = np.array([rgba.shape[1] / 2, rgba.shape[0] / 2])
        goal = size * (0.5 + np.array([self.between(-spread, spread), self.between(-0.2, 0.25)]))
        matrix = np.column_stack([linear, goal - linear @ middle])
        if self.chance(0.25):
            homography = np.vstack([matrix, [0, 0, 1]])
            bend = np.eye(3)
            bend[2, :2] = self.rng.normal(size=2) * 0.12 / size
            bend = np.array([[1, 0, size / 2], [0, 1, size / 2], [0, 0, 1]]) @ bend
            bend = bend @ np.array([[1, 0, -size / 2], [0, 1, -size / 2], [0, 0, 1]])
            return cv2.warpPerspective(premultiplied, bend @ homography, (size, size))
        return cv2.warpAffine(premultiplied, matrix, (size, size), flags=cv2.INTER_LINEAR)

    def shadowed(self, canvas: Floats, alpha: Floats) -> Floats:
        """Darkens the backdrop by a cast, contact or drop shadow; at times adds a reflection."""
        size = self.size
        rows = np.flatnonzero(alpha.max(axis=1) > 0.3)
        if rows.size == 0:
            return canvas
        foot = float(rows[-1])
        if self.chance(0.6):
            # Cast on the floor: the silhouette lies down behind or beside the object.
            lie = self.between(0.05, 0.6)
            lean = self.between(-1.2, 1.2)
            matrix = np.array([[1, lean, -lean * foot], [0, lie, foot * (1 - lie)]])
        else:
            matrix = np.array(
                [[1, 0, self.between(-0.06, 0.06) * size], [0, 1, self.between(-0.01, 0.08) * size]]
            )
        shade = cv2.warpAffine(alpha, matrix, (size, size))
        sigma = size * math.exp(self.between(math.log(0.006), math.log(0.07)))
        shade = cv2.GaussianBlur(shade, (0, 0), sigma)
        result = canvas * (1 - self.between(0.15, 0.7) * shade[..., None])
        return result.astype(np.float32)

    def reflected(self, canvas: Floats, layer: Floats) -> Floats:
        """A fading mirror image under the object, as on a polished table."""
        rows = np.flatnonzero(layer[..., 3].max(axis=1) > 0.3)
        if rows.size == 0:
            return canvas
        foot = float(rows[-1])
        mirror = cv2.warpAffine(
            layer, np.array([[1.0, 0, 0], [0, -1.0, 2 * foot]]), (self.size, self.size)
        )
        axis = np.arange(self.size, dtype=np.float32)
        fade = np.clip(1 - (axis - foot) / (self.size * self.between(0.1, 0.5)), 0, 1)
        fade *= self.between(0.1, 0.5)
        if self.chance(0.6):
            mirror = cv2.GaussianBlur(mirror, (0, 0), self.size * self.between(0.003, 0.02))
        weight = fade[:, None, None]
        return canvas * (1 - mirror[..., 3:] * weight) + mirror[..., :3] * weight

    def label(self, layer: Floats, canvas: Floats) -> None:
        """At times cuts a hole into an object, or paints a patch of nearly the colour behind it.

        Paper is the object's, a hole is not: the tone is all that tells one from the other.
        """
        if not self.labels or not self.chance(self.labels):
            return  # without labels nothing is drawn: the measured sets stay what they are
        rows, columns = np.nonzero(layer[::4, ::4, 3] > 0.95)
        if rows.size < 30:
            return
        place = int(self.rng.integers(rows.size))
        y, x = 4 * int(rows[place]), 4 * int(columns[place])
        reach = 4 * math.sqrt(rows.size)
        axes = (int(reach * self.between(0.1, 0.35)), int(reach * self.between(0.06, 0.3)))
        patch = np.zeros(layer.shape[:2], np.uint8)
        if self.chance(0.3):
            cv2.ellipse(patch, (x, y), axes, 0, 0, 360, 255, -1, cv2.LINE_AA)
        else:
            box = ((float(x), float(y)), (2.0 * axes[0], 2.0 * axes[1]), self.between(-12, 12))
            cv2.fillConvexPoly(patch, cv2.boxPoints(box).astype(np.int32), 255, cv2.LINE_AA)
        shape = patch[..., None] / np.float32(255)
        if self.chance(0.5):
            layer *= 1 - shape
            return
        apart = self.between(0.06, 0.2)
        lighter = canvas[y, x].mean() < 200 and self.chance(0.5)
        tone = canvas[y, x] * (1 + apart if lighter else 1 - apart) + self.rng.normal(size=3) * 4
        shade = 1 + self.between(-0.12, 0.12) * (self.ramp()[..., None] - 0.5)
        cover = layer[..., 3:]
        paint = np.clip(tone * shade, 0, 255) * cover
        layer[..., :3] += (paint - layer[..., :3]) * shape * (cover > 0.95)
