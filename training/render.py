"""Renders products with Mitsuba: procedural geometry, random materials, lights and cameras.

Each item is one full frame with straight RGB, exact soft alpha and, as a fifth channel, how much
light the floor under it keeps (its shadow), so that one render serves on many backdrops. Writes
the banks `rendered` and `held-rendered`; a run that stops goes on from the parts on disk.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from typing import Any

import cv2
import memmap_dataset
import mitsuba as mi
import numpy as np
import numpy.typing as npt
import procedural

mi.set_variant("scalar_rgb")
mi.set_log_level(mi.LogLevel.Error)
from mitsuba import ScalarTransform4f as Placement  # noqa: E402 - exists once a variant is set

Floats = npt.NDArray[np.float64]
SIDE = 256
SAMPLES = 36
SHADOW_SIDE = 128
SHADOW_SAMPLES = 24
Scene = dict[str, Any]


class Studio:
    """A seeded source of scenes."""

    def __init__(self, seed: int, surfaces: memmap_dataset.Bank | None) -> None:
        self.seed = seed
        self.rng = np.random.default_rng(seed)
        self.painter = procedural.Draftsman(seed, surfaces)

    def between(self, low: float, high: float) -> float:
        return float(low + (high - low) * self.rng.random())

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    # Materials ---------------------------------------------------------------------------------

    def bitmap(self) -> Scene:
        """A printed or photographed surface as a texture."""
        pixels = np.clip(self.painter.surface(192, 192) / 255, 0, 1) ** 2.2
        return {
            "type": "bitmap",
            "bitmap": mi.Bitmap(np.ascontiguousarray(pixels.astype(np.float32))),
            "raw": True,
        }

    def tint(self) -> Scene:
        """A plain colour, linear."""
        colour = (self.painter.colour() / 255.0) ** 2.2 * 0.9 + 0.01
        return {"type": "rgb", "value": [float(c) for c in colour]}

    def material(self, textured: bool) -> Scene:
        """Plastic, cloth, metal, glass or lacquer."""
        colour = self.bitmap() if textured and self.chance(0.5) else self.tint()
        draw = self.rng.random()
        if draw < 0.35:
            return {
                "type": "roughplastic",
                "diffuse_reflectance": colour,
                "alpha": self.between(0.05, 0.4),
            }
        if draw < 0.5:
            return {"type": "plastic", "diffuse_reflectance": colour}
        if draw < 0.75:
            inner = {"type": "diffuse", "reflectance": colour}
            return {"type": "twosided", "bsdf": inner}
        if draw < 0.9:
            metal = str(self.rng.choice(["Al", "Au", "Cu", "Cr", "Ag"]))
            return {
                "type": "twosided",
                "bsdf": {
                    "type": "roughconductor",
                    "material": metal,
                    "alpha": self.between(0.03, 0.4),
                },
            }
        return {"type": "dielectric"}

    # Geometry ----------------------------------------------------------------------------------

    def grid_mesh(self, points: Floats, material: Scene) -> mi.Mesh:
        """A mesh from a (rows, columns, 3) grid of points, smooth normals, unit texture space."""
        rows, columns = points.shape[:2]
        index = np.arange(rows * columns).reshape(rows, columns)
        a, b = index[:-1, :-1].ravel(), index[:-1, 1:].ravel()
        c, d = index[1:, :-1].ravel(), index[1:, 1:].ravel()
        faces = np.concatenate([np.stack([a, b, c], 1), np.stack([b, d, c], 1)])
        properties = mi.Properties()
        properties["mesh_bsdf"] = mi.load_dict(material)
        mesh = mi.Mesh(
            "grid", rows * columns, len(faces), has_vertex_texcoords=True, props=properties
        )
        values = mi.traverse(mesh)
        values["vertex_positions"] = points.reshape(-1).astype(np.float32)
        values["faces"] = faces.reshape(-1).astype(np.uint32)
        u, v = np.meshgrid(np.linspace(0, 1, columns), np.linspace(0, 1, rows))
        values["vertex_texcoords"] = np.stack([u, v], -1).reshape(-1).astype(np.float32)
        values.update()
        return mesh

    def lathe(self) -> list[Any]:
        """Bottle, vase, cup, lamp: a profile turned about the upright axis."""
        knots = int(self.rng.integers(3, 7))
        heights = np.sort(np.concatenate([[0, 1], self.rng.random(knots - 2)]))
        radii = self.rng.random(knots) * 0.4 + 0.08
        rows = np.linspace(0, 1, 60)
        smooth = np.convolve(
            np.pad(np.interp(rows, heights, radii), 5, mode="edge"),
            np.hanning(13)[1:-1] / np.hanning(13).sum(),
            "valid",
        )
        tall = self.between(0.6, 1.6)
        profile = [(0.0, 0.0)] + [
            (float(r), float(h) * tall) for r, h in zip(smooth, rows, strict=True)
        ]
        profile += [
            (float(smooth[-1]) * 0.9, tall),
            (float(smooth[-1]) * 0.85, tall * 0.8),
            (0.0, tall * 0.8),
        ]
        turn = np.linspace(0, 2 * math.pi, 49)
        points = np.array(
            [[[r * math.cos(t), h, r * math.sin(t)] for t in turn] for r, h in profile]
        )
        parts: list[Any] = [self.grid_mesh(points, self.two_sided(self.material(True)))]
        if self.chance(0.3):
            size = float(smooth[30]) * 0.6
            middle = np.array([float(smooth[30]), tall * 0.55, 0])
            parts.append(
                self.tube(
                    np.array(
                        [
                            middle + size * np.array([math.cos(t), math.sin(t), 0])
                            for t in np.linspace(-1.6, 1.6, 24)
                        ]
                    ),
                    self.between(0.02, 0.06),
                )
            )
        if self.chance(0.25):
            top = Placement().translate([0, tall + 0.08, 0]).scale(float(smooth[-1]) * 0.9)
            parts.append({"type": "sphere", "to_world": top, "bsdf": self.material(False)})
        return parts

    def two_sided(self, material: Scene) -> Scene:
        """Open meshes show their backs."""
        if material["type"] in ("roughplastic", "plastic"):
            return {"type": "twosided", "bsdf": material}
        return material

    def tube(self, path: Floats, radius: float) -> mi.Mesh:
        """A round bar along a path."""
        ahead = np.gradient(path, axis=0)
        ahead /= np.linalg.norm(ahead, axis=1, keepdims=True) + 1e-9
        side = np.cross(ahead, np.array([0.31, 0.17, 0.93]))
        side /= np.linalg.norm(side, axis=1, keepdims=True) + 1e-9
        up = np.cross(ahead, side)
        turn = np.linspace(0, 2 * math.pi, 13)
        points = path[:, None] + radius * (
            np.cos(turn)[None, :, None] * side[:, None] + np.sin(turn)[None, :, None] * up[:, None]
        )
        return self.grid_mesh(points, self.two_sided(self.material(False)))

    def cable(self) -> list[Any]:
        """Cords and wires lying or hanging about."""
        parts = []
        for _ in range(int(self.rng.integers(1, 4))):
            knots = self.rng.random((int(self.rng.integers(4, 8)), 3)) * [1.6, 0.9, 1.0]
            knots += [-0.8, 0.05, -0.5]
            steps = np.linspace(0, len(knots) - 1, 160)
            path = np.column_stack(
                [np.interp(steps, np.arange(len(knots)), knots[:, k]) for k in range(3)]
            )
            window = np.hanning(43)[1:-1]
            path = np.column_stack(
                [
                    np.convolve(np.pad(path[:, k], 20, mode="edge"), window / window.sum(), "valid")
                    for k in range(3)
                ]
            )
            parts.append(self.tube(path, math.exp(self.between(math.log(0.01), math.log(0.08)))))
        return parts

    def cube(self, low: Floats, high: Floats, material: Scene) -> Scene:
        """An upright box."""
        middle, half = (low + high) / 2, (high - low) / 2
        where = Placement().translate(middle.tolist()).scale(half.tolist())
        return {"type": "cube", "to_world": where, "bsdf": material}

    def boxes(self) -> list[Any]:
        """Cartons with print."""
        parts = []
        left = -0.5
        for _ in range(int(self.rng.integers(1, 4))):
            size = np.array(
                [self.between(0.15, 0.8), self.between(0.15, 1.2), self.between(0.1, 0.7)]
            )
            low = np.array([left, 0, self.between(-0.5, 0)])
            parts.append(self.cube(low, low + size, self.material(True)))
            left += float(size[0]) + self.between(0.0, 0.1)
        return parts

    def furniture(self) -> list[Any]:
        """Legs and boards."""
        wide, deep, tall = self.between(0.5, 1.3), self.between(0.4, 0.9), self.between(0.4, 1.1)
        leg, board = self.between(0.015, 0.06), self.between(0.02, 0.08)
        wood = self.material(True)
        while wood["type"] == "dielectric":
            wood = self.material(True)
        parts = []
        x0, z0 = -wide / 2, -deep / 2
        for x in (x0, -x0 - leg):
            for z in (z0, -z0 - leg):
                parts.append(
                    self.cube(np.array([x, 0, z]), np.array([x + leg, tall, z + leg]), wood)
                )
        levels = [tall] if self.chance(0.6) else np.linspace(0.1, tall, 4)
        for level in levels:
            parts.append(
                self.cube(np.array([x0, level, z0]), np.array([-x0, level + board, -z0]), wood)
            )
        if self.chance(0.5):
            back = tall + self.between(0.4, 0.9)
            for x in np.linspace(x0, -x0 - leg, int(self.rng.integers(2, 6))):
                parts.append(
                    self.cube(np.array([x, tall, z0]), np.array([x + leg, back, z0 + leg]), wood)
                )
            parts.append(
                self.cube(np.array([x0, back - 0.1, z0]), np.array([-x0, back, z0 + leg]), wood)
            )
        return parts

    def rock(self) -> list[Any]:
        """A lumpy ball: fruit, stone, cushion, toy; or several."""
        parts = []
        for k in range(int(self.rng.integers(1, 4))):
            theta = np.linspace(0, math.pi, 40)
            phi = np.linspace(0, 2 * math.pi, 61)
            radius = np.ones((40, 61))
            for _ in range(8):
                wave = self.rng.integers(1, 5, 2)
                radius += (
                    self.between(0, 0.09)
                    * np.sin(wave[0] * theta[:, None] + self.between(0, 6))
                    * np.cos(wave[1] * phi[None] + self.between(0, 6))
                    * np.sin(theta)[:, None]
                )
            size = self.between(0.2, 0.5)
            flat = self.between(0.6, 1.2)
            points = (
                size
                * radius[..., None]
                * np.stack(
                    [
                        np.sin(theta)[:, None] * np.cos(phi)[None],
                        flat * np.broadcast_to(np.cos(theta)[:, None], radius.shape),
                        np.sin(theta)[:, None] * np.sin(phi)[None],
                    ],
                    -1,
                )
            )
            points[..., 1] -= points[..., 1].min()
            points[..., 0] += (k - 0.5) * 0.5 if k else 0
            points[..., 2] += self.between(-0.3, 0.3)
            parts.append(self.grid_mesh(points, self.two_sided(self.material(True))))
        return parts

    def brush(self) -> list[Any]:
        """Grass, bristles or hair: many thin strands from a base."""
        parts: list[Any] = []
        material = self.two_sided(
            {"type": "roughplastic", "diffuse_reflectance": self.tint(), "alpha": 0.3}
        )
        strip = []
        reach, wild = self.between(0.5, 1.0), self.between(0.1, 0.5)
        width = self.between(0.006, 0.02)
        properties = mi.Properties()
        properties["mesh_bsdf"] = mi.load_dict(material)
        count = int(self.rng.integers(60, 250))
        faces = []
        for _ in range(count):
            root = np.array([self.rng.normal() * 0.15, 0.05, self.rng.normal() * 0.15])
            lean = np.array([self.rng.normal() * wild, 1.0, self.rng.normal() * wild])
            bend = self.rng.normal(size=3) * wild * [1, 0.2, 1]
            length = reach * self.between(0.6, 1.0)
            start = len(strip)
            for s in np.linspace(0, 1, 7):
                point = root + lean * length * s + bend * length * s * s
                half = width * (1 - 0.85 * s)
                aside = np.array([half, 0, 0])
                strip += [point - aside, point + aside]
            for k in range(6):
                i = start + 2 * k
                faces += [[i, i + 1, i + 2], [i + 1, i + 3, i + 2]]
        mesh = mi.Mesh("strands", len(strip), len(faces), props=properties)
        values = mi.traverse(mesh)
        values["vertex_positions"] = np.array(strip).reshape(-1).astype(np.float32)
        values["faces"] = np.array(faces).reshape(-1).astype(np.uint32)
        values.update()
        parts.append(mesh)
        # Spheres take no uneven scale.
        shape, size = ("cube", [0.32, 0.12, 0.32]) if self.chance(0.5) else ("sphere", [0.2] * 3)
        pot = Placement().translate([0, 0.1, 0]).scale(size)
        parts.append({"type": shape, "to_world": pot, "bsdf": self.material(True)})
        return parts

    # The picture -------------------------------------------------------------------------------

    def lights(self) -> Scene:
        """A dim even room and one to three soft boxes."""
        scene: Scene = {
            "room": {
                "type": "constant",
                "radiance": {"type": "rgb", "value": self.between(0.25, 0.9)},
            }
        }
        for k in range(int(self.rng.integers(1, 4))):
            angle, lift = self.between(0, 2 * math.pi), self.between(0.4, 1.4)
            reach = self.between(2.5, 4)
            where = [
                reach * math.cos(angle) * math.cos(lift),
                reach * math.sin(lift),
                reach * math.sin(angle) * math.cos(lift),
            ]
            size = self.between(0.2, 1.3)
            power = self.between(1, 6) / (size * size)
            warm = self.between(0.8, 1.2)
            scene[f"light{k}"] = {
                "type": "rectangle",
                "to_world": Placement().look_at(where, [0, 0.4, 0], [0.1, 1, 0]).scale(size),
                "emitter": {
                    "type": "area",
                    "radiance": {"type": "rgb", "value": [power * warm, power, power / warm]},
                },
            }
        return scene

    def camera(
        self, side: int, samples: int, where: list[float], aim: list[float], angle: float
    ) -> Scene:
        """The sensor, square."""
        return {
            "type": "perspective",
            "fov": angle,
            "to_world": Placement().look_at(where, aim, [0, 1, 0]),
            "film": {
                "type": "hdrfilm",
                "width": side,
                "height": side,
                "pixel_format": "rgba",
                "component_format": "float32",
                "rfilter": {"type": "gaussian"},
            },
            "sampler": {"type": "independent", "sample_count": samples},
        }

    def frame(self) -> tuple[str, memmap_dataset.Pixels]:
        """The kind of object and its five channels."""
        kinds = (self.lathe, self.boxes, self.furniture, self.rock, self.cable, self.brush)
        draw = kinds[int(self.rng.choice(6, p=[0.34, 0.18, 0.16, 0.14, 0.1, 0.08]))]
        return draw.__name__, self.shot(draw())

    def shot(
        self, parts: list[Any], around: tuple[float, float] | None = None
    ) -> memmap_dataset.Pixels:
        """Five channels of parts that stand on y = 0 and are about one unit large.

        `around` is the height of their middle and their reach from it, for a camera that is aimed
        at just them.
        """
        lights = self.lights()
        turn, lift = self.between(0, 2 * math.pi), self.between(0.08, 0.8)
        angle = self.between(20, 45)
        aim = [self.between(-0.1, 0.1), self.between(0.35, 0.6), 0.0]
        reach = self.between(0.7, 1.15) / math.tan(math.radians(angle / 2))
        if around is not None:
            aim = [0.0, around[0], 0.0]
            reach = around[1] * self.between(0.95, 1.3) / math.sin(math.radians(angle / 2))
        where = [
            reach * math.cos(turn) * math.cos(lift),
            aim[1] + reach * math.sin(lift),
            reach * math.sin(turn) * math.cos(lift),
        ]
        integrator = {"type": "path", "max_depth": 6, "hide_emitters": True}
        things = {f"part{k}": part for k, part in enumerate(parts)}
        base: Scene = {"type": "scene", "integrator": integrator, **lights}
        scene = mi.load_dict(
            {**base, **things, "camera": self.camera(SIDE, SAMPLES, where, aim, angle)}
        )
        shot = np.array(mi.render(scene, seed=int(self.rng.integers(1 << 30))))
        alpha = np.clip(shot[..., 3:], 0, 1)
        straight = shot[..., :3] / np.maximum(alpha, 1e-3)
        lit = straight[alpha[..., 0] > 0.5]
        gain = 0.75 / max(0.05, float(np.percentile(lit, 92))) if lit.size else 1.0
        gain *= self.between(0.7, 1.3)
        coloured = np.clip(straight * gain, 0, 1) ** (1 / 2.2)
        # The same floor with and without the object: their ratio is the shadow.
        floor = {
            "floor": {
                "type": "rectangle",
                "bsdf": {"type": "diffuse", "reflectance": {"type": "rgb", "value": 0.7}},
                "to_world": Placement().rotate([1, 0, 0], -90).scale(300),
            }
        }
        view = self.camera(SHADOW_SIDE, SHADOW_SAMPLES, where, aim, angle)
        seed = int(self.rng.integers(1 << 30))
        direct = {**base, "integrator": {"type": "direct", "hide_emitters": True}}
        bare = np.array(mi.render(mi.load_dict({**direct, **floor, "camera": view}), seed=seed))
        stood = np.array(
            mi.render(mi.load_dict({**direct, **floor, **things, "camera": view}), seed=seed)
        )
        # Only floor counts: neither the object's own pixels nor what lies past the floor's end.
        cover = cv2.resize(alpha, (SHADOW_SIDE, SHADOW_SIDE), interpolation=cv2.INTER_AREA)
        floor_seen = ((cover < 0.02) & (bare[..., 3] > 0.9)).astype(np.float32)
        sums = [
            cv2.GaussianBlur((x[..., :3].mean(-1) * floor_seen).astype(np.float32), (0, 0), 1.6)
            for x in (stood, bare)
        ]
        kept = np.where(sums[1] > 1e-3, sums[0] / np.maximum(sums[1], 1e-3), 1.0)
        kept = np.clip(kept, 0, 1) ** (1 / 2.2)
        kept = cv2.resize(kept.astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
        five = np.dstack([coloured, alpha, np.clip(kept, 0, 1)])
        return (five * 255 + 0.5).astype(np.uint8)


def items(
    folder: str, seeds: range, surfaces: memmap_dataset.Bank
) -> Iterator[tuple[str, str, memmap_dataset.Pixels]]:
    """Renders each seed once; finished ones are kept as small files beside the banks."""
    parts = memmap_dataset.work_folder() / folder
    parts.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        path = parts / f"{seed}.npz"
        if not path.exists():
            kind, pixels = Studio(seed, surfaces).frame()
            np.savez_compressed(path, kind=kind, pixels=pixels)
        saved = np.load(path)
        if (saved["pixels"][..., 3] > 128).mean() > 0.015:
            yield f"{saved['kind']}-{seed}", str(saved["kind"]), saved["pixels"]


def main() -> None:
    """Writes both banks; the training bank grows in portions so that a run can use it early."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=800)
    parser.add_argument("--held", type=int, default=60)
    parser.add_argument("--portion", type=int, default=80)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    folder = memmap_dataset.work_folder() / "banks"
    surfaces = memmap_dataset.Bank(folder, "backgrounds")
    held = memmap_dataset.Bank(folder, "held-backgrounds")
    memmap_dataset.write_bank(
        folder, "held-rendered", items("renders", range(900_000, 900_000 + options.held), held)
    )
    for count in range(options.portion, options.count + 1, options.portion):
        memmap_dataset.write_bank(folder, "rendered", items("renders", range(count), surfaces))
        print(count, flush=True)


if __name__ == "__main__":
    main()
