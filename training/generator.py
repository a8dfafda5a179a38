"""Makes training samples: an RGB picture and its exact alpha, from the banks and a seed.

A sample is either a photograph with its own mask, cropped and regraded, or a composite of one to
three cut-outs (photographed, drawn, procedural, rendered) with shadows over a backdrop. Work is
done at the output size in a few OpenCV passes, since two cores both generate and train.
"""

from __future__ import annotations

import math

import cv2
import memmap_dataset
import numpy as np
from backdrops import Backdrops
from objects import Objects
from photographs import Photographs
from sources import Sources, shrunk_frame, unit_shares

# Shares of the samples and of the foregrounds; what has no bank is left out and the rest rescaled.
OWN_SHARES = {"people": 0.18, "cats": 0.27}
FOREGROUND_SHARES = {
    "fluent": 0.28,
    "noto": 0.05,
    "people": 0.10,
    "cats": 0.10,
    "procedural": 0.25,
    "rendered": 0.25,
    "clear": 0.25,
    "models": 0.25,
}
FRAMED = ("rendered", "models")  # kinds that bring a shadow of their own
ELSEWHERE = {"open": "clear"}  # whose cut-outs stand for a kind over another backdrop
PRODUCT_SHARE = 0.22  # of the composites: whole rendered frames with their own shadow
BACKDROP_SHARES = {
    "fill": 0.30,
    "shop": 0.22,
    "plain": 0.16,
    "studio": 0.20,
    "texture": 0.12,
    "scene": 0.10,
}
PHOTOGRAPHED = ("fill", "shop", "scene")  # backdrops that need a bank


class Generator(Photographs, Backdrops, Objects):
    """A seeded stream of samples of one size.

    Args:
        sources: The pictures it draws from.
        size: Of the samples, in pixels a side.
        seed: One seed, one stream.
        easy: Share of photographs shown whole, nearly as they will be at inference.
        labels: Share of objects that get a label like the backdrop, or a hole.
        joined: Share of photographs with a second subject, or another backdrop.
        far: Share of photographs shown smaller, with their mirror images around.
        bent: Share of photographs drawn out of shape: other poses of the same subject.
        own: Share of all samples that show a photograph of a kind in its own scene; "open" among
            them needs sources that were opened with the open photographs.
    """

    def __init__(
        self,
        sources: Sources,
        size: int,
        seed: int,
        *,
        easy: float = 0.0,
        labels: float = 0.0,
        joined: float = 0.0,
        far: float = 0.0,
        bent: float = 0.0,
        own: dict[str, float] | None = None,
    ) -> None:
        super().__init__(sources, size, seed)
        self.easy, self.far, self.bent = easy, far, bent
        self.labels, self.joined = labels, joined
        shares = OWN_SHARES if own is None else own
        shares = {k: v for k, v in shares.items() if k in sources.foregrounds}
        self.own, self.own_share = unit_shares(shares), sum(shares.values())
        self.kinds = unit_shares(
            {k: v for k, v in FOREGROUND_SHARES.items() if k in sources.foregrounds}
        )
        self.scenes = unit_shares(
            {
                k: v
                for k, v in BACKDROP_SHARES.items()
                if k not in PHOTOGRAPHED or k in sources.backdrops
            }
        )

    def own_photograph(self, kind: str) -> tuple[memmap_dataset.Pixels, memmap_dataset.Pixels]:
        """A photograph in its own scene.

        There are few, and a network soon knows them by heart: a subject from another one joins in
        at times (copy-paste, Ghiasi et al. 2021), and some are regraded beyond what is natural.
        """
        rgb, mask = self.photograph(kind)
        if self.chance(self.joined):
            layer = self.placed(self.companion(kind), several=True)
            cover = layer[..., 3]
            rgb = (rgb * (1 - cover[..., None]) + layer[..., :3] + 0.5).astype(np.uint8)
            mask = (mask + cover * (255 - mask.astype(np.float32)) + 0.5).astype(np.uint8)
        if self.chance(self.joined):
            rgb = self.graded(rgb, 1.3)
        return self.finished(rgb), mask

    def companion(self, kind: str) -> str:
        """What is pasted into a photograph: mostly another of its kind."""
        other = ELSEWHERE.get(kind, kind)
        if other in self.sources.foregrounds and self.chance(0.7):
            return other
        return self.pick(self.kinds)

    def composite(
        self, only: str | None = None
    ) -> tuple[memmap_dataset.Pixels, memmap_dataset.Pixels]:
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

    def product(self) -> tuple[memmap_dataset.Pixels, memmap_dataset.Pixels]:
        """A rendered frame with its own shadow on a clean backdrop."""
        size = self.size
        here = [kind for kind in FRAMED if kind in self.sources.foregrounds]
        # One kind, one draw fewer: the measured sets stay what they are.
        kind = here[0] if len(here) == 1 else str(self.rng.choice(here))
        five = self.picture(self.sources.foregrounds[kind])
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

    def sample(self) -> tuple[memmap_dataset.Pixels, memmap_dataset.Pixels]:
        """RGB size x size x 3 and alpha size x size, both uint8."""
        if self.own_share and self.chance(self.own_share):
            kind = self.pick(self.own)
            away = self.chance(self.joined)
            if away:
                return self.composite(ELSEWHERE.get(kind, kind))
            return self.own_photograph(kind)
        if "rendered" in self.sources.foregrounds and self.chance(PRODUCT_SHARE):
            return self.product()
        return self.composite()
