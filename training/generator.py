"""Makes training samples: an RGB picture and its exact alpha, from the banks and a seed.

A sample is either a photograph with its own mask, cropped and regraded, or a composite of one to
three cut-outs (photographed, drawn, procedural, rendered) with shadows over a backdrop. Work is
done at the output size in a few OpenCV passes, since two cores both generate and train.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

import banks
import cv2
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float64]

# Shares of the samples and of the foregrounds; what has no bank is left out and the rest rescaled.
OWN_SHARES = {"people": 0.18, "cats": 0.27}
FOREGROUND_SHARES = {
    "fluent": 0.28,
    "noto": 0.05,
    "people": 0.10,
    "cats": 0.10,
    "procedural": 0.25,
    "rendered": 0.25,
}
PRODUCT_SHARE = 0.22  # of the composites: whole rendered frames with their own shadow
BACKDROP_SHARES = {"fill": 0.30, "shop": 0.22, "plain": 0.16, "studio": 0.20, "texture": 0.12}


def unit_shares(shares: dict[str, float]) -> tuple[list[str], Floats]:
    """Names and probabilities that sum to one."""
    values = np.asarray(list(shares.values()), np.float64)
    return list(shares), values / values.sum()


@dataclass
class Sources:
    """The training banks by kind of foreground, without the watched pictures or with them alone.

    With a prefix ("held-"), the banks of that name, whole.
    """

    folder: Path
    foregrounds: dict[str, list[tuple[banks.Bank, int]]] = field(default_factory=dict)
    backdrops: dict[str, list[tuple[banks.Bank, int]]] = field(default_factory=dict)
    prefix: str = ""
    watched: bool = False

    def __post_init__(self) -> None:
        for name in ("people", "cats", "cutouts", "procedural", "rendered"):
            bank = self._open(self.prefix + name)
            if bank is None:
                continue
            for index, identifier in enumerate(bank.ids):
                if not self.prefix and banks.is_watched(name, identifier) != self.watched:
                    continue
                kind = bank.tags[index] if name == "cutouts" else name
                self.foregrounds.setdefault(kind, []).append((bank, index))
        for name, kind in (("fills", "fill"), ("backgrounds", "shop")):
            bank = self._open(self.prefix + name)
            if bank is not None:
                self.backdrops[kind] = [(bank, index) for index in range(len(bank))]

    def _open(self, name: str) -> banks.Bank | None:
        return banks.Bank(self.folder, name) if (self.folder / f"{name}.json").exists() else None


def shrunk(pixels: banks.Pixels, ratio: float) -> banks.Pixels:
    """Halves the picture as long as the coming warp would shrink it by more than about two."""
    while ratio > 1.6 and min(pixels.shape[:2]) > 8:
        size = (max(1, pixels.shape[1] // 2), max(1, pixels.shape[0] // 2))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        ratio /= 2
    return pixels


def shrunk_frame(pixels: banks.Pixels, ratio: float) -> banks.Pixels:
    """The same for a five-channel frame."""
    colour = shrunk(np.ascontiguousarray(pixels[..., :4]), ratio)
    return np.dstack([colour, shrunk(np.ascontiguousarray(pixels[..., 4]), ratio)])


class Generator:
    """A seeded stream of samples of one size."""

    def __init__(
        self,
        sources: Sources,
        size: int,
        seed: int,
        easy: float = 0.0,
        labels: float = 0.0,
        joined: float = 0.0,
        far: float = 0.0,
        bent: float = 0.0,
    ) -> None:
        self.sources = sources
        self.size = size
        self.rng = np.random.default_rng(seed)
        self.easy = easy  # share of photographs shown whole, nearly as they will be at inference
        self.labels = labels  # share of objects that get a label like the backdrop, or a hole
        self.joined = joined  # share of photographs with a second subject, or another backdrop
        self.far = far  # share of photographs shown smaller, with their mirror images around
        self.bent = bent  # share of photographs drawn out of shape: other poses of the same subject
        self.own = unit_shares({k: v for k, v in OWN_SHARES.items() if k in sources.foregrounds})
        self.own_share = sum(v for k, v in OWN_SHARES.items() if k in sources.foregrounds)
        self.kinds = unit_shares(
            {k: v for k, v in FOREGROUND_SHARES.items() if k in sources.foregrounds}
        )
        self.scenes = unit_shares(
            {
                k: v
                for k, v in BACKDROP_SHARES.items()
                if k not in ("fill", "shop") or k in sources.backdrops
            }
        )

    # Small draws -----------------------------------------------------------------------------

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return bool(self.rng.random() < probability)

    def between(self, low: float, high: float) -> float:
        """A uniform draw."""
        return float(low + (high - low) * self.rng.random())

    def pick(self, shares: tuple[list[str], Floats]) -> str:
        """A name by its share."""
        return shares[0][int(self.rng.choice(len(shares[0]), p=shares[1]))]

    def picture(self, entries: list[tuple[banks.Bank, int]]) -> banks.Pixels:
        """A random picture of a list."""
        bank, index = entries[int(self.rng.integers(len(entries)))]
        return bank[index]

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

    # Photographs with their own mask -----------------------------------------------------------

    def own_photograph(self, kind: str) -> tuple[banks.Pixels, banks.Pixels]:
        """A photograph cropped, turned, flipped and regraded together with its mask.

        There are few, and a network soon knows them by heart: a subject from another one joins in
        at times (copy-paste, Ghiasi et al. 2021), and some are regraded beyond what is natural.
        """
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
        if self.chance(self.joined):
            layer = self.placed(kind if self.chance(0.7) else self.pick(self.kinds), several=True)
            cover = layer[..., 3]
            rgb = (rgb * (1 - cover[..., None]) + layer[..., :3] + 0.5).astype(np.uint8)
            mask = (mask + cover * (255 - mask.astype(np.float32)) + 0.5).astype(np.uint8)
        if self.chance(self.joined):
            rgb = self.graded(rgb, 1.3)
        return self.finished(rgb), mask

    def warped(self, rgba: banks.Pixels, matrix: Matrix) -> banks.Pixels:
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

    # Backdrops -------------------------------------------------------------------------------

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
        if kind in ("fill", "shop"):
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

    # Composites ------------------------------------------------------------------------------

    def textured(self, rgba: banks.Pixels) -> banks.Pixels:
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

    def composite(self, only: str | None = None) -> tuple[banks.Pixels, banks.Pixels]:
        """One to three foregrounds over a backdrop, with what light does between them."""
        scene = self.pick(self.scenes)
        canvas = self.backdrop(scene)
        clean = scene in ("plain", "studio")
        several = self.chance(0.22)
        count = int(self.rng.integers(2, 4)) if several else 1
        alpha = np.zeros((self.size, self.size), np.float32)
        for _ in range(count):
            layer = self.placed(only or self.pick(self.kinds), several)
            cover = layer[..., 3]
            draw = self.rng.random()
            if draw < 0.12:
                # Nearly the backdrop's own colours: white on white, camouflage.
                weight = cover.sum() + 1e-3
                own = layer[..., :3].sum(axis=(0, 1)) / weight
                around = canvas.mean(axis=(0, 1))
                pull = self.between(0.5, 0.95)
                layer[..., :3] += ((around - own) * pull) * cover[..., None]
                np.clip(layer[..., :3], 0, 255 * cover[..., None], out=layer[..., :3])
            self.label(layer, canvas)
            if self.chance(0.65 if clean else 0.3):
                canvas = self.shadowed(canvas, cover)
            if clean and self.chance(0.15):
                canvas = self.reflected(canvas, layer)
            canvas = canvas * (1 - cover[..., None]) + layer[..., :3]
            alpha = alpha + cover * (1 - alpha)
        if self.chance(0.3):
            canvas = canvas * (1 + self.between(-0.3, 0.3) * (self.ramp()[..., None] - 0.5))
        rgb = np.clip(canvas + 0.5, 0, 255).astype(np.uint8)
        if self.chance(0.5):
            rgb = self.graded(rgb, 0.4)
        mask = (np.clip(alpha, 0, 1) * 255 + 0.5).astype(np.uint8)
        return self.finished(rgb), mask

    def product(self) -> tuple[banks.Pixels, banks.Pixels]:
        """A rendered frame with its own shadow on a clean backdrop."""
        size = self.size
        five = self.picture(self.sources.foregrounds["rendered"])
        source = five.shape[0]
        five = shrunk_frame(five, source / size)
        scale = size / five.shape[0] * self.between(0.85, 1.5)
        shape = math.exp(self.between(-0.2, 0.2))
        linear = np.diag([scale * shape * (-1 if self.chance(0.5) else 1), scale / shape])
        linear = linear @ np.array([[1, float(self.rng.normal()) * 0.03], [0, 1]])
        x, y, width, height = cv2.boundingRect(np.ascontiguousarray(five[..., 3]))
        goal = size * (0.5 + np.array([self.between(-0.2, 0.2), self.between(-0.15, 0.2)]))
        matrix = np.column_stack([linear, goal - linear @ [x + width / 2, y + height / 2]])
        rgb = self.graded(np.ascontiguousarray(five[..., :3]), 0.8)
        alpha = five[..., 3:4].astype(np.float32) / 255
        layer = cv2.warpAffine(np.dstack([rgb * alpha, alpha]), matrix, (size, size))
        shadow = cv2.warpAffine(
            np.ascontiguousarray(five[..., 4]), matrix, (size, size), borderValue=255
        )
        strength = self.between(0.3, 1.2)
        canvas = self.backdrop(str(self.rng.choice(["plain", "plain", "studio", "texture"])))
        if self.chance(0.25):
            canvas[:] = self.between(235, 255)
        self.label(layer, canvas)
        canvas = canvas * (1 - strength * (1 - shadow[..., None].astype(np.float32) / 255))
        canvas = np.clip(canvas, 0, 255) * (1 - layer[..., 3:]) + layer[..., :3]
        result = np.clip(canvas + 0.5, 0, 255).astype(np.uint8)
        mask = (np.clip(layer[..., 3], 0, 1) * 255 + 0.5).astype(np.uint8)
        return self.finished(result), mask

    def sample(self) -> tuple[banks.Pixels, banks.Pixels]:
        """RGB size x size x 3 and alpha size x size, both uint8."""
        if self.own_share and self.chance(self.own_share):
            kind = self.pick(self.own)
            away = self.chance(self.joined)
            return self.composite(kind) if away else self.own_photograph(kind)
        if "rendered" in self.sources.foregrounds and self.chance(PRODUCT_SHARE):
            return self.product()
        return self.composite()
