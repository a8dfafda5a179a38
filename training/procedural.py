"""Draws objects that have no photograph: thousands of shaded shapes with exact soft alpha.

Lathe work, boxes and furniture, cables, letters, inflated blobs, rings, nets, plants and tufts of
hair, each in some milliseconds, drawn at twice the size and averaged down. `main` writes them as
the banks `procedural` (for training) and `held-procedural` (other seeds, for measuring).
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator

import cv2
import memmap_dataset
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
SIDE = 448  # drawn at this size, kept at half
HERSHEY = (0, 1, 2, 3, 4, 6, 7)  # OpenCV's stroke fonts


class Draftsman:
    """A seeded source of objects, each an RGBA picture with straight alpha."""

    def __init__(self, seed: int, surfaces: memmap_dataset.Bank | None) -> None:
        self.rng = np.random.default_rng(seed)
        self.surfaces = surfaces
        cv2.setRNGSeed(seed)

    def between(self, low: float, high: float) -> float:
        return float(low + (high - low) * self.rng.random())

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def colour(self) -> Floats:
        """An object's colour: white, black, grey, wood-like, or vivid."""
        draw = self.rng.random()
        if draw < 0.25:
            base = np.full(3, self.between(200, 250))
        elif draw < 0.4:
            base = np.full(3, self.between(15, 70))
        elif draw < 0.5:
            base = np.full(3, self.between(70, 200))
        elif draw < 0.65:
            base = np.array([150, 105, 65]) * self.between(0.5, 1.5)
        else:
            base = self.rng.random(3) * 220 + 20
        return np.clip(base + self.rng.normal(size=3) * 6, 0, 255).astype(np.float32)

    def noise(self, cells: float, height: int = SIDE, width: int = SIDE) -> Floats:
        """Soft noise in 0..1."""
        shape = (max(2, int(cells * height / SIDE) + 2), max(2, int(cells * width / SIDE) + 2))
        coarse = self.rng.random(shape, np.float32)
        return np.clip(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), 0, 1)

    def surface(self, height: int = SIDE, width: int = SIDE) -> Floats:
        """What covers an object: a colour, stripes, wood, print, speckle or part of a picture."""
        first, second = self.colour(), self.colour()
        draw = self.rng.random()
        if draw < 0.40:
            canvas = np.empty((height, width, 3), np.float32)
            canvas[:] = first
            return canvas + 18 * (self.noise(self.between(2, 30), height, width)[..., None] - 0.5)
        if draw < 0.55:
            axis = np.arange(width if self.chance(0.5) else height, dtype=np.float32)
            wave = np.sin(axis * (2 * math.pi * self.between(2, 25) / axis.size))
            mix = np.clip(wave * self.between(1, 8) + 0.5, 0, 1)
            mix = mix[None, :] if axis.size == width else mix[:, None]
            mix = np.broadcast_to(mix, (height, width))
        elif draw < 0.68:
            grain = self.noise(self.between(2, 5), height, width) * self.between(4, 14)
            mix = 0.35 * (np.sin(grain * 2 * math.pi) * 0.5 + 0.5)
        elif draw < 0.85 and self.surfaces is not None and len(self.surfaces):
            pixels = self.surfaces[int(self.rng.integers(len(self.surfaces)))]
            share = self.between(0.3, 1.0)
            crop = pixels[
                : max(2, int(pixels.shape[0] * share)), : max(2, int(pixels.shape[1] * share))
            ]
            return cv2.resize(crop, (width, height)).astype(np.float32)
        elif draw < 0.93:
            return self.print_(height, width)
        else:
            cells = self.between(30, 120)
            mix = (self.noise(cells, height, width) > self.between(0.4, 0.7)).astype(np.float32)
        return first + (second - first) * mix[..., None].astype(np.float32)

    def print_(self, height: int, width: int) -> Floats:
        """A printed label: bands, a disc, lines of text."""
        canvas = np.empty((height, width, 3), np.uint8)
        canvas[:] = self.colour()
        for _ in range(int(self.rng.integers(1, 4))):
            top = int(self.between(0, height))
            end = top + int(self.between(0.05, 0.35) * height)
            cv2.rectangle(canvas, (0, top), (width, end), self.colour().tolist(), -1)
        if self.chance(0.5):
            centre = (int(self.between(0.2, 0.8) * width), int(self.between(0.2, 0.8) * height))
            radius = int(self.between(0.08, 0.3) * min(height, width))
            cv2.circle(canvas, centre, radius, self.colour().tolist(), -1, cv2.LINE_AA)
        for _ in range(int(self.rng.integers(0, 5))):
            size = self.between(0.5, 3.0) * width / SIDE
            where = (int(self.between(0, 0.5) * width), int(self.between(0.1, 1) * height))
            cv2.putText(
                canvas,
                self.word(),
                where,
                int(self.rng.choice(HERSHEY)),
                size,
                self.colour().tolist(),
                max(1, int(size * 2.5)),
                cv2.LINE_AA,
            )
        return canvas.astype(np.float32)

    def word(self) -> str:
        """Some letters."""
        letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghkmnopqrstuvwxyz0123456789&%+"
        return "".join(letters[int(i)] for i in self.rng.integers(0, len(letters), 6))[
            : int(self.rng.integers(1, 7))
        ]

    def lit(self, colour: Floats, normal_x: Floats, normal_y: Floats) -> Floats:
        """Lambert and Blinn shading from one light plus the room."""
        angle, lift = self.between(0, 2 * math.pi), self.between(0.2, 0.9)
        light = np.array([math.cos(angle), -abs(math.sin(angle)), lift])
        light /= np.linalg.norm(light)
        normal_z = np.sqrt(np.clip(1 - normal_x**2 - normal_y**2, 0, 1))
        facing = normal_x * light[0] + normal_y * light[1] + normal_z * light[2]
        ambient = self.between(0.3, 0.75)
        shade = ambient + (1.15 - ambient) * np.clip(facing, 0, 1)
        result = colour * shade[..., None]
        if self.chance(0.6):
            half = light + np.array([0, 0, 1])
            half /= np.linalg.norm(half)
            shine = np.clip(normal_x * half[0] + normal_y * half[1] + normal_z * half[2], 0, 1)
            gloss = shine ** self.between(8, 120)
            result = result + 255 * self.between(0.2, 0.9) * gloss[..., None]
        return np.clip(result, 0, 255).astype(np.float32)

    # Objects ---------------------------------------------------------------------------------

    def inflated(self, mask: memmap_dataset.Pixels, depth: float | None = None) -> Floats:
        """A flat shape blown up like a cushion and lit; RGBA float 0..255."""
        distance = cv2.distanceTransform((mask > 127).astype(np.uint8), cv2.DIST_L2, 3)
        limit = max(2.0, float(distance.max()) * (depth or self.between(0.15, 1.0)))
        height = np.sqrt(np.clip(1 - (1 - np.clip(distance / limit, 0, 1)) ** 2, 0, 1)) * limit
        if self.chance(0.3):
            height = height + self.noise(self.between(6, 40)) * limit * self.between(0.05, 0.3)
        height = cv2.GaussianBlur(height.astype(np.float32), (0, 0), 1.5)
        slope_x = -cv2.Sobel(height, cv2.CV_32F, 1, 0, scale=0.125)
        slope_y = -cv2.Sobel(height, cv2.CV_32F, 0, 1, scale=0.125)
        length = np.sqrt(slope_x**2 + slope_y**2 + 1)
        rgb = self.lit(self.surface(), slope_x / length, slope_y / length)
        return np.dstack([rgb, mask.astype(np.float32)])

    def lathe(self) -> Floats:
        """A turned body seen from slightly above: bottle, cup, vase, lamp, tin."""
        knots = int(self.rng.integers(3, 8))
        heights = np.sort(np.concatenate([[0, 1], self.rng.random(knots - 2)]))
        radii = self.rng.random(knots) * 0.75 + 0.2
        if self.chance(0.4):
            radii[: knots // 2] *= self.between(0.2, 0.6)  # a neck
        rows = np.linspace(0, 1, SIDE)
        profile = np.interp(rows, heights, radii)
        smooth = int(self.between(3, 80)) | 1
        padded = np.pad(profile, smooth // 2, mode="edge")
        profile = np.convolve(padded, np.ones(smooth) / smooth, "valid")
        aspect = self.between(0.25, 0.95)
        tilt = self.between(0.03, 0.28)  # how much of the round ends is seen
        body = int(SIDE * self.between(0.6, 0.82))
        top = int((SIDE - body) / 2)
        radius = (profile * aspect * SIDE / 2).astype(np.float32)
        index = np.linspace(0, SIDE - 1, body).astype(int)
        radius = radius[index]
        axis = np.arange(SIDE, dtype=np.float32) - SIDE / 2
        # Every ring is an ellipse; its lower half hides what is under it: draw top to bottom.
        across = axis[None, :] / np.maximum(radius[:, None], 1)
        inside = np.abs(across) <= 1
        mask = np.zeros((SIDE, SIDE), np.float32)
        normal_x = np.zeros((SIDE, SIDE), np.float32)
        mask[top : top + body] = inside
        normal_x[top : top + body] = np.clip(across, -1, 1)
        slope = np.gradient(radius)
        normal_y = np.zeros((SIDE, SIDE), np.float32)
        normal_y[top : top + body] = np.clip(-slope, -0.8, 0.8)[:, None]
        normal_x *= np.sqrt(1 - normal_y**2)
        label = self.surface()
        around = (np.arcsin(np.clip(normal_x, -1, 1)) / math.pi + 0.5) * (SIDE - 1)
        rows_map = np.repeat(np.arange(SIDE, dtype=np.float32)[:, None], SIDE, 1)
        surface = cv2.remap(label, around.astype(np.float32), rows_map, cv2.INTER_LINEAR)
        labelled = slice(0, 0)
        if self.chance(0.5):
            band = self.surface()
            first, last = sorted(self.rng.random(2) * body + top)
            labelled = slice(int(first), int(last))
            surface[labelled] = band[labelled]
        rgb = self.lit(surface, normal_x, normal_y)
        alpha = mask * 255
        canvas = np.dstack([rgb, alpha]).astype(np.float32)
        glassy = self.chance(0.15)
        if glassy:
            # Glass is part of the subject, by half at least, as in catalogues; paper is opaque.
            clear = self.between(0.55, 0.9)
            canvas[..., 3] *= clear + (1 - clear) * np.abs(normal_x) ** 3
            canvas[labelled, :, 3] = alpha[labelled]
        floor_y, lid_y = top + body - 1, top
        bottom = np.zeros((SIDE, SIDE), np.uint8)
        cv2.ellipse(
            bottom,
            (SIDE // 2, floor_y),
            (int(radius[-1]), max(1, int(radius[-1] * tilt))),
            0,
            0,
            180,
            255,
            -1,
            cv2.LINE_AA,
        )
        part = (bottom > 0) & (canvas[..., 3] < bottom)
        canvas[part, :3] = canvas[floor_y, SIDE // 2, :3] * 0.85
        canvas[part, 3] = bottom[part] * (0.7 if glassy else 1.0)
        lid_axes = (int(radius[0]), max(1, int(radius[0] * tilt)))
        shade = self.colour() if self.chance(0.5) else canvas[lid_y, SIDE // 2, :3]
        lid = np.zeros((SIDE, SIDE), np.uint8)
        cv2.ellipse(lid, (SIDE // 2, lid_y), lid_axes, 0, 0, 360, 255, -1, cv2.LINE_AA)
        keep = lid[..., None] / 255.0
        tone = shade * self.between(0.3, 1.1)
        canvas[..., :3] = canvas[..., :3] * (1 - keep) + np.clip(tone, 0, 255) * keep
        canvas[..., 3] = np.maximum(canvas[..., 3], lid * (0.7 if glassy else 1.0))
        if self.chance(0.3):
            # A handle: a ring beside the body, behind it.
            ring = np.zeros((SIDE, SIDE), np.uint8)
            reach = int(body * self.between(0.12, 0.25))
            middle = (int(SIDE / 2 + radius[body // 2]), top + body // 2)
            cv2.ellipse(
                ring,
                middle,
                (int(reach * self.between(0.5, 1)), reach),
                0,
                0,
                360,
                255,
                int(self.between(6, 22)),
                cv2.LINE_AA,
            )
            handle = self.inflated(ring, 1.0)
            canvas = over(canvas, handle)
        return canvas

    def cuboids(self, parts: list[tuple[Floats, Floats]]) -> Floats:
        """Boxes (low and high corners, y up) in perspective, painted far to near."""
        turn, lift = self.between(-0.9, 0.9), self.between(0.05, 0.6)
        spin = np.array(
            [[math.cos(turn), 0, math.sin(turn)], [0, 1, 0], [-math.sin(turn), 0, math.cos(turn)]]
        )
        nod = np.array(
            [[1, 0, 0], [0, math.cos(lift), -math.sin(lift)], [0, math.sin(lift), math.cos(lift)]]
        )
        view = nod @ spin
        distance = self.between(3, 8)
        faces = []
        sides = [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)]
        every = np.concatenate([np.stack(p) for p in parts])
        centre = (every.min(0) + every.max(0)) / 2
        extent = float(np.linalg.norm(every.max(0) - every.min(0)))
        for number, (low, high) in enumerate(parts):
            ends = np.stack([low, high])
            for axis, end in sides:
                first, second = [a for a in range(3) if a != axis]
                corners = np.empty((4, 3))
                for k, (u, v) in enumerate(((0, 0), (1, 0), (1, 1), (0, 1))):
                    corners[k, axis] = ends[end, axis]
                    corners[k, first] = ends[u, first]
                    corners[k, second] = ends[v, second]
                normal = np.zeros(3)
                normal[axis] = 1.0 if end else -1.0
                seen = (corners - centre) / extent @ view.T
                facing = view @ normal
                eye = np.array([0, 0, distance]) - seen.mean(0)
                if float(facing @ eye) <= 0:
                    continue
                faces.append((float(seen[:, 2].mean()), number, axis, seen, facing))
        faces.sort(key=lambda f: f[0])
        light = np.array([self.between(-0.8, 0.8), self.between(0.3, 1), self.between(0.2, 1)])
        light /= np.linalg.norm(light)
        ambient = self.between(0.3, 0.6)
        same = self.surface()
        own = self.chance(0.4)
        canvas = np.zeros((SIDE, SIDE, 4), np.float32)
        square = np.array([[0, SIDE], [SIDE, SIDE], [SIDE, 0], [0, 0]], np.float32)
        for _, _, _, seen, facing in faces:
            scale = SIDE * 0.95 * distance / (distance - seen[:, 2])
            where = np.column_stack([SIDE / 2 + seen[:, 0] * scale, SIDE / 2 - seen[:, 1] * scale])
            surface = self.surface() if own else same
            matrix = cv2.getPerspectiveTransform(square, where.astype(np.float32))
            shade = ambient + (1.1 - ambient) * max(0.0, float(facing @ light))
            face = cv2.warpPerspective(
                np.clip(surface * shade, 0, 255),
                matrix,
                (SIDE, SIDE),
                borderMode=cv2.BORDER_REPLICATE,
            )
            cover = np.zeros((SIDE, SIDE), np.uint8)
            points = (where * 16).astype(np.int32)
            cv2.fillConvexPoly(cover, points, 255, cv2.LINE_AA, 4)
            canvas = over(np.dstack([face, cover.astype(np.float32)]), canvas)
        return canvas

    def box(self) -> Floats:
        """A carton, a book, a case, or two on each other."""
        size = np.array([self.between(0.3, 1), self.between(0.15, 1.3), self.between(0.2, 1)])
        parts = [(np.zeros(3), size)]
        if self.chance(0.3):
            low = np.array([self.between(-0.1, 0.3), size[1], self.between(-0.1, 0.2)])
            extra = size * np.array([self.between(0.4, 1), self.between(0.2, 0.8), 0.8])
            parts.append((low, low + extra))
        return self.cuboids(parts)  # type: ignore[arg-type]

    def furniture(self) -> Floats:
        """Table, chair, stool, shelf or ladder from legs and boards."""
        wide, deep, tall = self.between(0.5, 1.5), self.between(0.4, 1), self.between(0.4, 1.4)
        leg, board = self.between(0.02, 0.08), self.between(0.02, 0.1)
        parts = []
        for x in (0, wide - leg):
            for z in (0, deep - leg):
                parts.append((np.array([x, 0, z]), np.array([x + leg, tall, z + leg])))
        kind = self.rng.random()
        levels = [tall] if kind < 0.6 else list(np.linspace(0.1, tall, int(self.between(2, 6))))
        for level in levels:
            parts.append((np.array([0, level, 0]), np.array([wide, level + board, deep])))
        if kind < 0.35:
            back = self.between(0.5, 1.1)
            for x in np.linspace(0, wide - leg, int(self.between(2, 7))):
                parts.append((np.array([x, tall, 0]), np.array([x + leg, tall + back, leg])))
            top = tall + back
            parts.append((np.array([0, top - 0.15, 0]), np.array([wide, top, leg])))
        return self.cuboids(parts)  # type: ignore[arg-type]

    def curve(self, knots: int, reach: float = 0.42) -> npt.NDArray[np.int32]:
        """A smooth random path in sixteenths of a pixel."""
        points = SIDE * (0.5 + reach * (self.rng.random((knots, 2)) * 2 - 1))
        steps = np.linspace(0, knots - 1, 40 * knots)
        path = np.column_stack([np.interp(steps, np.arange(knots), points[:, k]) for k in range(2)])
        window = 61
        padded = np.pad(path, ((window // 2, window // 2), (0, 0)), mode="edge")
        kernel = np.hanning(window + 2)[1:-1]
        kernel /= kernel.sum()
        smooth = np.column_stack([np.convolve(padded[:, k], kernel, "valid") for k in range(2)])
        return (smooth * 16).astype(np.int32)

    def cable(self) -> Floats:
        """One or more cords, hoses or straps, with a plug at times."""
        canvas = np.zeros((SIDE, SIDE, 4), np.float32)
        width = math.exp(self.between(math.log(4), math.log(40)))
        for _ in range(int(self.rng.integers(1, 4))):
            mask = np.zeros((SIDE, SIDE), np.uint8)
            path = self.curve(int(self.rng.integers(3, 8)))
            cv2.polylines(mask, [path], self.chance(0.2), 255, int(width), cv2.LINE_AA, 4)
            if self.chance(0.4):
                end = tuple(int(v) // 16 for v in path[-1])
                half = int(width * self.between(0.8, 2))
                cv2.rectangle(
                    mask,
                    (end[0] - half, end[1] - half // 2),
                    (end[0] + half, end[1] + half // 2),
                    255,
                    -1,
                )
            canvas = over(self.inflated(mask, 1.0), canvas)
        return canvas

    def letters(self) -> Floats:
        """A word or logo, extruded."""
        mask = np.zeros((SIDE, SIDE), np.uint8)
        word = self.word()
        font = int(self.rng.choice(HERSHEY))
        (width, height), _ = cv2.getTextSize(word, font, 1.0, 2)
        scale = SIDE * self.between(0.6, 0.85) / max(width, height)
        thick = max(2, int(scale * self.between(1.5, 7)))
        origin = (int(SIDE / 2 - width * scale / 2), int(SIDE / 2 + height * scale / 2))
        cv2.putText(mask, word, origin, font, scale, 255, thick, cv2.LINE_AA)
        face = self.inflated(mask, self.between(0.1, 1))
        canvas = np.zeros((SIDE, SIDE, 4), np.float32)
        step = np.array([self.between(-1, 1), self.between(-1, 1)])
        dark = np.dstack([face[..., :3] * self.between(0.3, 0.7), face[..., 3]])
        for k in range(int(self.between(0, 30)), 0, -1):
            shift = np.float32([[1, 0, step[0] * k], [0, 1, step[1] * k]])
            canvas = over(cv2.warpAffine(dark, shift, (SIDE, SIDE)), canvas) if k % 2 else canvas
        return over(face, canvas)

    def blob_mask(self) -> memmap_dataset.Pixels:
        """A closed wobbly outline."""
        count = 72
        angle = np.arange(count) * 2 * math.pi / count
        radius = np.ones(count)
        for wave in range(1, int(self.rng.integers(2, 9))):
            radius += self.between(0, 0.5) / wave * np.sin(wave * angle + self.between(0, 6.28))
        radius = np.clip(radius, 0.15, None)
        radius *= SIDE * 0.42 / radius.max()
        flat = self.between(0.5, 1.0)
        points = np.column_stack([radius * np.cos(angle), radius * np.sin(angle) * flat])
        mask = np.zeros((SIDE, SIDE), np.uint8)
        cv2.fillPoly(mask, [((points + SIDE / 2) * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
        return mask

    def blob(self) -> Floats:
        """A fruit, stone, cushion or toy, at times with holes."""
        mask = self.blob_mask()
        if self.chance(0.25):
            for _ in range(int(self.rng.integers(1, 5))):
                centre = tuple(int(v) for v in self.rng.integers(SIDE // 4, 3 * SIDE // 4, 2))
                cv2.circle(mask, centre, int(self.between(8, 60)), 0, -1, cv2.LINE_AA)
        return self.inflated(mask)

    def hairy(self) -> Floats:
        """A body with strands all around or on one side: fur, wigs, brushes, grass."""
        body = self.blob_mask()
        shrink = np.float32([[0.7, 0, SIDE * 0.15], [0, 0.7, SIDE * 0.15]])
        body = cv2.warpAffine(body, shrink, (SIDE, SIDE))
        canvas = self.inflated(body)
        contours, _ = cv2.findContours(
            (body > 127).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
        )
        if not contours:
            return canvas
        outline = max(contours, key=len)[:, 0].astype(np.float32)
        strands = np.zeros((SIDE, SIDE), np.uint8)
        tint = np.clip(canvas[body > 127][:, :3].mean(0) * self.between(0.6, 1.3), 0, 255)
        rgb = np.empty((SIDE, SIDE, 3), np.uint8)
        rgb[:] = tint
        length, wild = self.between(15, 85), self.between(0.05, 0.6)
        lean = self.rng.normal(size=2) * self.between(0, 1)
        for _ in range(int(self.between(80, 500))):
            start = outline[int(self.rng.integers(len(outline)))]
            away = start - SIDE / 2
            away = away / (np.linalg.norm(away) + 1e-3) + self.rng.normal(size=2) * wild + lean
            start = start - away * 4
            reach = length * self.between(0.4, 1.0)
            middle = start + away * reach * 0.5
            end = middle + (away + self.rng.normal(size=2) * wild) * reach * 0.5
            line = (np.stack([start, middle, end]) * 16).astype(np.int32)
            shade = self.between(0.6, 1.2)
            width = 1 if self.chance(0.6) else 2
            cv2.polylines(strands, [line], False, 255, width, cv2.LINE_AA, 4)
            cv2.polylines(
                rgb,
                [line],
                False,
                np.clip(tint * shade, 0, 255).tolist(),
                width + 2,
                cv2.LINE_AA,
                4,
            )
        cover = strands.astype(np.float32) * self.between(0.6, 1.0)
        return over(np.dstack([rgb.astype(np.float32), cover]), canvas)

    def rings(self) -> Floats:
        """Rings, frames, chains, wheels, spectacles: shapes around a hole."""
        mask = np.zeros((SIDE, SIDE), np.uint8)
        centre = SIDE // 2
        draw = self.rng.random()
        thick = int(math.exp(self.between(math.log(5), math.log(60))))
        if draw < 0.4:
            axes = (int(SIDE * self.between(0.15, 0.4)), int(SIDE * self.between(0.15, 0.4)))
            cv2.ellipse(mask, (centre, centre), axes, 0, 0, 360, 255, thick, cv2.LINE_AA)
            for k in range(int(self.rng.integers(0, 9))):
                angle = k * 0.7
                end = (
                    int(centre + axes[0] * math.cos(angle)),
                    int(centre + axes[1] * math.sin(angle)),
                )
                cv2.line(mask, (centre, centre), end, 255, max(2, thick // 4), cv2.LINE_AA)
        elif draw < 0.6:
            margin = int(SIDE * self.between(0.1, 0.3))
            cv2.rectangle(mask, (margin, 60), (SIDE - margin, SIDE - 60), 255, thick)
        else:
            path = self.curve(4)[::40] // 16
            size = int(self.between(18, 50))
            for x, y in path:
                cv2.ellipse(
                    mask,
                    (int(x), int(y)),
                    (size, int(size * 0.7)),
                    self.between(0, 180),
                    0,
                    360,
                    255,
                    max(3, size // 4),
                    cv2.LINE_AA,
                )
        return self.inflated(mask, 1.0)

    def net(self) -> Floats:
        """A grid, basket, fence, rack or comb of thin bars in a frame."""
        mask = np.zeros((SIDE, SIDE), np.uint8)
        margin = int(SIDE * self.between(0.08, 0.2))
        bars, thick = int(self.rng.integers(4, 16)), int(self.between(3, 10))
        low, high = margin, SIDE - margin
        slant = int(self.between(-60, 60))
        for k in np.linspace(low, high, bars).astype(int):
            cv2.line(mask, (int(k), low), (int(k) + slant, high), 255, thick, cv2.LINE_AA)
            if self.chance(0.7):
                cv2.line(mask, (low, int(k)), (high, int(k)), 255, thick, cv2.LINE_AA)
        if self.chance(0.7):
            cv2.rectangle(mask, (low, low), (high, high), 255, thick * 2)
        return self.inflated(mask, 1.0)

    def plant(self) -> Floats:
        """Stems with leaves or flowers, mostly in a pot."""
        canvas = np.zeros((SIDE, SIDE, 4), np.float32)
        root = np.array([SIDE / 2, SIDE * 0.78])
        green = np.array([60, 110, 45]) * self.between(0.6, 1.7)
        leaves = np.zeros((SIDE, SIDE), np.uint8)
        paint = np.zeros((SIDE, SIDE, 3), np.uint8)
        for _ in range(int(self.rng.integers(3, 16))):
            angle = -math.pi / 2 + self.between(-1.1, 1.1)
            reach = SIDE * self.between(0.25, 0.62)
            end = root + reach * np.array([math.cos(angle), math.sin(angle)])
            bend = (root + end) / 2 + self.rng.normal(size=2) * 25
            line = (np.stack([root, bend, end]) * 16).astype(np.int32)
            cv2.polylines(leaves, [line], False, 255, int(self.between(2, 6)), cv2.LINE_AA, 4)
            cv2.polylines(paint, [line], False, green.tolist(), 8, cv2.LINE_AA, 4)
            for _ in range(int(self.rng.integers(1, 9))):
                share = self.between(0.3, 1)
                spot = root + (end - root) * share + self.rng.normal(size=2) * 14
                axes = (int(self.between(14, 60)), int(self.between(4, 22)))
                tone = np.clip(
                    green * self.between(0.6, 1.4) + self.rng.normal(size=3) * 10, 0, 255
                )
                if self.chance(0.1):
                    tone = self.colour()
                where = (int(spot[0]), int(spot[1]))
                turn = self.between(0, 180)
                cv2.ellipse(leaves, where, axes, turn, 0, 360, 255, -1, cv2.LINE_AA)
                cv2.ellipse(paint, where, axes, turn, 0, 360, tone.tolist(), -1, cv2.LINE_AA)
        if self.chance(0.8):
            pot = self.lathe()
            shrink = np.float32([[0.5, 0, SIDE * 0.25], [0, 0.36, SIDE * 0.62]])
            canvas = cv2.warpAffine(pot, shrink, (SIDE, SIDE), flags=cv2.INTER_AREA)
        top = np.dstack([paint.astype(np.float32), leaves.astype(np.float32)])
        return over(top, canvas)

    def object(self) -> tuple[str, memmap_dataset.Pixels]:
        """The kind and the finished RGBA of one object, cut to its bounds."""
        kinds = (
            self.lathe,
            self.box,
            self.furniture,
            self.cable,
            self.letters,
            self.blob,
            self.hairy,
            self.rings,
            self.net,
            self.plant,
        )
        shares = np.array([0.2, 0.15, 0.13, 0.08, 0.07, 0.12, 0.08, 0.06, 0.04, 0.07])
        draw = kinds[int(self.rng.choice(len(kinds), p=shares / shares.sum()))]
        large = draw()
        alpha = large[..., 3:] / 255
        half = cv2.resize(
            np.dstack([large[..., :3] * alpha, large[..., 3]]),
            (SIDE // 2, SIDE // 2),
            interpolation=cv2.INTER_AREA,
        )
        cover = np.maximum(half[..., 3:] / 255, 1e-3)
        straight = np.clip(np.dstack([half[..., :3] / cover, half[..., 3]]) + 0.5, 0, 255)
        result = straight.astype(np.uint8)
        x, y, width, height = cv2.boundingRect(result[..., 3])
        return draw.__name__, result[y : y + max(1, height), x : x + max(1, width)]


def over(top: Floats, bottom: Floats) -> Floats:
    """Straight-alpha `over`; both RGBA float 0..255."""
    a, b = top[..., 3:] / 255, bottom[..., 3:] / 255
    alpha = a + b * (1 - a)
    colour = (top[..., :3] * a + bottom[..., :3] * b * (1 - a)) / np.maximum(alpha, 1e-4)
    return np.dstack([colour, alpha * 255]).astype(np.float32)


def items(
    count: int, seed: int, surfaces: memmap_dataset.Bank | None
) -> Iterator[tuple[str, str, memmap_dataset.Pixels]]:
    """`count` objects with ids from the seed."""
    draftsman = Draftsman(seed, surfaces)
    made = 0
    while made < count:
        kind, pixels = draftsman.object()
        if min(pixels.shape[:2]) >= 12 and (pixels[..., 3] > 60).mean() > 0.02:
            made += 1
            yield f"{kind}-{seed}-{made:05d}", kind, pixels


def main() -> None:
    """Writes both banks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=4200)
    parser.add_argument("--held", type=int, default=150)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    folder = memmap_dataset.work_folder() / "banks"
    surfaces = memmap_dataset.Bank(folder, "backgrounds")
    held = memmap_dataset.Bank(folder, "held-backgrounds")
    print(memmap_dataset.write_bank(folder, "held-procedural", items(options.held, 900_001, held)))
    print(memmap_dataset.write_bank(folder, "procedural", items(options.count, 7, surfaces)))


if __name__ == "__main__":
    main()
