"""Photographs with their own masks, each time cropped, turned, bent and regraded otherwise."""

from __future__ import annotations

import math

import cv2
import memmap_dataset
import numpy as np
import numpy.typing as npt
from sampling import Draws
from sources import shrunk

Matrix = npt.NDArray[np.float64]


class Photographs(Draws):
    """Draws views of the photographs."""

    easy: float
    far: float
    bent: float  # shares: see Generator

    def photograph(self, kind: str) -> tuple[memmap_dataset.Pixels, memmap_dataset.Pixels]:
        """A photograph cropped, turned, flipped, bent and regraded together with its mask."""
        rgba = self.picture(self.sources.foregrounds[kind])
        height, width = rgba.shape[:2]
        size = self.size
        whole = self.chance(self.easy)
        left, top, right, bottom = 0.0, 0.0, float(width), float(height)
        if whole:
            jitter = 0.04
            left += width * self.between(0, jitter)
            right -= width * self.between(0, jitter)
            top += height * self.between(0, jitter)
            bottom -= height * self.between(0, jitter)
        else:
            # A box that holds at least part of the subject, of a fairly free shape.
            far = self.chance(self.far)
            share = math.exp(self.between(math.log(0.35), 0.0)) if self.chance(0.6) else 1.0
            if far:
                share = math.exp(self.between(0.0, math.log(3.5)))
            shape = math.exp(self.between(-0.35, 0.35))
            box_width = width * math.sqrt(share) * shape
            box_height = height * math.sqrt(share) / shape
            if not far:
                box_width, box_height = min(width, box_width), min(height, box_height)
            x, y, w, h = cv2.boundingRect(rgba[..., 3])
            if w == 0:
                x, y, w, h = 0, 0, width, height
            centre_x = x + w * self.between(0.2, 0.8)
            centre_y = y + h * self.between(0.1, 0.9)
            left = centre_x - box_width * self.between(0.3, 0.7)
            top = centre_y - box_height * self.between(0.3, 0.7)
            if not far:
                left = min(max(0.0, left), width - box_width)
                top = min(max(0.0, top), height - box_height)
            right, bottom = left + box_width, top + box_height
        ratio = math.sqrt((right - left) * (bottom - top)) / size
        halved = shrunk(rgba, ratio)
        scale_x, scale_y = halved.shape[1] / width, halved.shape[0] / height
        left, right = left * scale_x, right * scale_x
        top, bottom = top * scale_y, bottom * scale_y
        corners = np.array([[left, top], [right, top], [left, bottom]], np.float32)
        if self.chance(0.3 if whole else 0.5):
            angle = float(self.rng.normal()) * (0.05 if whole else 0.14)
            centre = np.array([(left + right) / 2, (top + bottom) / 2], np.float32)
            turn = np.array(
                [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
            )
            corners = ((corners - centre) @ turn.T + centre).astype(np.float32)
        target = np.array([[0, 0], [size, 0], [0, size]], np.float32)
        if self.chance(0.5):
            target[:, 0] = size - target[:, 0]
        matrix = cv2.getAffineTransform(corners, target)
        # getAffineTransform speaks of corner positions, warpAffine of pixel centres.
        matrix[:, 2] += matrix[:, :2] @ np.array([0.5, 0.5]) - 0.5
        warped = self.warped(halved, matrix)
        rgb = np.ascontiguousarray(warped[..., :3])
        mask = np.ascontiguousarray(warped[..., 3])
        if self.chance(0.85):
            rgb = self.graded(rgb, 0.6 if whole else 1.0)
        return rgb, mask

    def warped(self, rgba: memmap_dataset.Pixels, matrix: Matrix) -> memmap_dataset.Pixels:
        """The photograph on its canvas, at times bent; what lies outside it is its mirror image."""
        size = self.size
        mirrored = cv2.BORDER_REFLECT_101
        if not self.chance(self.bent):
            return cv2.warpAffine(
                rgba, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=mirrored
            )
        # Soft random shifts (Simard et al. 2003): at most about a third of a grid cell, so that
        # nothing folds over.
        cells = int(self.rng.integers(3, 7))
        coarse = self.rng.normal(size=(cells, cells, 2)).astype(np.float32)
        coarse *= self.between(0.05, 0.2) * size / cells
        shifts = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)
        axis = np.arange(size, dtype=np.float32)
        x, y = shifts[..., 0] + axis[None], shifts[..., 1] + axis[:, None]
        back = cv2.invertAffineTransform(matrix).astype(np.float32)
        return cv2.remap(
            rgba,
            back[0, 0] * x + back[0, 1] * y + back[0, 2],
            back[1, 0] * x + back[1, 1] * y + back[1, 2],
            cv2.INTER_LINEAR,
            borderMode=mirrored,
        )
