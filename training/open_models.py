"""Renders open 3D models: furniture, lamps, plants, vehicles, tools, with exact alpha and shadow.

The models are those of Debian's package sweethome3d-furniture 1.8 (820 OBJ files in five
libraries, CC0 and CC BY 3.0: each library has its LICENSE.TXT). Install the package, or unpack it
and say with NSSBG_OPEN_MODELS where its *.sh3f files lie. Frames are of the form that render.py
makes, into the banks `models` and `held-models`; a run that stops goes on from the parts on disk.
"""

from __future__ import annotations

import argparse
import io
import os
import posixpath
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import memmap_dataset
import mitsuba as mi
import numpy as np
import numpy.typing as npt
from PIL import Image
from render import Studio

FOLDER = "/usr/share/sweethome3d/furniture"
# What is no thing that a photograph is taken of, or is a picture on a card.
LEFT_OUT = ("Doors and windows", "Staircases", "Lights sources")
MOST_TRIANGLES = 400_000


@dataclass(frozen=True)
class Model:
    """One model of a library.

    Attributes:
        identifier: Library and file, for the split.
        category: As the library files it.
        library: The .sh3f file.
        path: Of the OBJ file within.
    """

    identifier: str
    category: str
    library: Path
    path: str


@dataclass
class Part:
    """The triangles of one material: corners as indices into the file's lists (-1: none)."""

    material: str
    corners: list[tuple[int, int, int]] = field(default_factory=list)


def models(folder: Path) -> list[Model]:
    """All models of all libraries, in a fixed order.

    Raises:
        FileNotFoundError: There is no library.
    """
    found = []
    for library in sorted(folder.glob("*.sh3f")):
        with zipfile.ZipFile(library) as archive:
            text = archive.read("PluginFurnitureCatalog.properties").decode("latin-1")
        entries: dict[str, dict[str, str]] = {}
        for line in text.splitlines():
            key, equals, value = line.partition("=")
            name, hash_, number = key.strip().partition("#")
            if equals and hash_:
                entries.setdefault(number, {})[name] = value.strip()
        for entry in entries.values():
            path = entry.get("model", "").lstrip("/")
            category = entry.get("category", "")
            if path.endswith(".obj") and category not in LEFT_OUT:
                found.append(Model(f"{library.stem}/{path}", category, library, path))
    if not found:
        raise FileNotFoundError(
            f"{folder}: no *.sh3f files; install Debian's sweethome3d-furniture, or set "
            "NSSBG_OPEN_MODELS to the folder where its files were unpacked"
        )
    return sorted(found, key=lambda model: memmap_dataset.scatter("models", model.identifier))


def _lists(text: str) -> tuple[dict[str, npt.NDArray[np.float64]], list[Part], list[str]]:
    """Vertices (v, vt, vn), the parts by material, and the material files of an OBJ file."""
    values: dict[str, list[list[float]]] = {"v": [], "vt": [], "vn": []}
    parts: dict[str, Part] = {}
    files: list[str] = []
    current = parts.setdefault("", Part(""))
    for line in text.splitlines():
        words = line.split()
        if not words:
            continue
        if words[0] in values:
            width = 2 if words[0] == "vt" else 3
            values[words[0]].append([float(word) for word in words[1 : 1 + width]])
        elif words[0] == "usemtl":
            name = " ".join(words[1:])
            current = parts.setdefault(name, Part(name))
        elif words[0] == "mtllib":
            files.append(line.split(None, 1)[1].strip())
        elif words[0] == "f":
            corners = []
            for word in words[1:]:
                places = [*word.split("/"), "", ""][:3]
                corner = []
                for place, kind in zip(places, ("v", "vt", "vn"), strict=True):
                    number = int(place) if place else 0
                    corner.append(number - 1 if number >= 0 else len(values[kind]) + number)
                corners.append((corner[0], corner[1], corner[2]))
            for k in range(1, len(corners) - 1):  # faces as fans
                current.corners += [corners[0], corners[k], corners[k + 1]]
    arrays = {
        name: np.array(rows, np.float64).reshape(-1, 2 if name == "vt" else 3)
        for name, rows in values.items()
    }
    return arrays, [part for part in parts.values() if part.corners], files


def _materials(text: str) -> dict[str, dict[str, list[str]]]:
    """Material -> its statements, from an MTL file."""
    found: dict[str, dict[str, list[str]]] = {}
    current: dict[str, list[str]] = {}
    for line in text.splitlines():
        words = line.split()
        if words and words[0] == "newmtl":
            current = found.setdefault(" ".join(words[1:]), {})
        elif words:
            current[words[0]] = words[1:]
    return found


class Furnisher(Studio):
    """Studio that is given models in place of inventing them."""

    def model(self, model: Model) -> tuple[list[Any], tuple[float, float]]:
        """The parts of a model, standing on y = 0 and about one unit large; its middle and reach.

        Raises:
            ValueError: The model is empty, or too large to be worth it.
        """
        with zipfile.ZipFile(model.library) as archive:
            names = {name.lower(): name for name in archive.namelist()}
            base = posixpath.dirname(model.path)

            def read(name: str) -> bytes | None:
                path = posixpath.normpath(posixpath.join(base, name.replace("\\", "/")))
                found = names.get(path.lower())
                return None if found is None else archive.read(found)

            obj = archive.read(model.path).decode("latin-1")
            arrays, parts, files = _lists(obj)
            materials: dict[str, dict[str, list[str]]] = {}
            for name in files:
                materials |= _materials((read(name) or b"").decode("latin-1"))
            if not parts or sum(len(part.corners) for part in parts) > 3 * MOST_TRIANGLES:
                raise ValueError("empty, or of too many triangles")
            used = arrays["v"][[corner[0] for part in parts for corner in part.corners]]
            low, high = used.min(axis=0), used.max(axis=0)
            extent = float((high - low).max())
            if not np.isfinite(extent) or extent <= 0:
                raise ValueError("no extent")
            size = self.between(0.95, 1.25) / extent
            middle = np.array([(low[0] + high[0]) / 2, low[1], (low[2] + high[2]) / 2])
            arrays["v"] = (arrays["v"] - middle) * size
            sizes = (high - low) * size
            around = (float(sizes[1]) / 2, float(np.linalg.norm(sizes)) / 2)
            recoloured = self.chance(0.25)
            made = []
            for part in parts:
                surface = self.surface(materials.get(part.material, {}), read, recoloured)
                made.append(self.mesh(arrays, part, surface))
            return made, around

    def surface(self, material: dict[str, list[str]], read: Any, recoloured: bool) -> Any:
        """A BSDF of an MTL material."""
        if recoloured and self.chance(0.6) and "map_Kd" not in material:
            return self.two_sided(self.material(True))
        solid = float((material.get("d") or ["1"])[-1])
        if solid < 0.35 and "map_Kd" not in material:
            return {"type": "thindielectric"}
        tone = (material.get("Kd") or ["0.6"] * 3)[:3]
        color = [max(0.01, min(0.95, float(value) ** 2.2)) for value in tone]
        texture: Any = {"type": "rgb", "value": color}
        opacity = None
        named = material.get("map_Kd")
        data = read(" ".join(named)) if named else None
        if data is not None:
            with Image.open(io.BytesIO(data)) as opened:
                opened.thumbnail((512, 512))
                pixels = np.asarray(opened.convert("RGBA"), np.float32) / 255
            if pixels[..., 3].min() < 0.5:
                opacity = np.ascontiguousarray(pixels[..., 3:])
            linear = np.ascontiguousarray(np.clip(pixels[..., :3], 0.01, 0.95) ** 2.2)
            texture = {"type": "bitmap", "bitmap": mi.Bitmap(linear), "raw": True}
        shine = float((material.get("Ns") or ["0"])[0])
        lustre = sum(float(v) for v in (material.get("Ks") or ["0"] * 3)[:3]) / 3
        if lustre > 0.25 and shine > 20:
            inner: Any = {
                "type": "roughplastic",
                "diffuse_reflectance": texture,
                "alpha": float(np.clip((2 / (shine + 2)) ** 0.5, 0.03, 0.4)),
            }
        else:
            inner = {"type": "diffuse", "reflectance": texture}
        bsdf: Any = {"type": "twosided", "bsdf": inner}
        if opacity is not None:
            where = {"type": "bitmap", "bitmap": mi.Bitmap(opacity), "raw": True}
            bsdf = {"type": "mask", "opacity": where, "bsdf": bsdf}
        return bsdf

    def mesh(self, arrays: dict[str, npt.NDArray[np.float64]], part: Part, bsdf: Any) -> mi.Mesh:
        """A Mitsuba mesh of one part."""
        corners = np.array(part.corners, np.int64)
        unique, index = np.unique(corners, axis=0, return_inverse=True)
        has_normals = bool((unique[:, 2] >= 0).all()) and len(arrays["vn"]) > 0
        has_texture = bool((unique[:, 1] >= 0).all()) and len(arrays["vt"]) > 0
        properties = mi.Properties()
        properties["mesh_bsdf"] = mi.load_dict(bsdf)
        mesh = mi.Mesh(
            "part",
            len(unique),
            len(corners) // 3,
            has_vertex_normals=has_normals,
            has_vertex_texcoords=has_texture,
            props=properties,
        )
        values = mi.traverse(mesh)
        values["vertex_positions"] = arrays["v"][unique[:, 0]].reshape(-1).astype(np.float32)
        values["faces"] = index.reshape(-1).astype(np.uint32)
        if has_normals:
            values["vertex_normals"] = arrays["vn"][unique[:, 2]].reshape(-1).astype(np.float32)
        if has_texture:
            texture = arrays["vt"][unique[:, 1]] * [1, -1]  # Mitsuba counts rows from the top
            values["vertex_texcoords"] = texture.reshape(-1).astype(np.float32)
        values.update()
        return mesh


def items(
    chosen: list[Model], views: int, surfaces: memmap_dataset.Bank
) -> Iterator[tuple[str, str, memmap_dataset.Pixels]]:
    """Every model from some sides; finished frames are kept as small files beside the banks."""
    parts = memmap_dataset.work_folder() / "models"
    parts.mkdir(parents=True, exist_ok=True)
    for view in range(views):
        for model in chosen:
            seed = memmap_dataset.scatter(f"models-{view}", model.identifier) % (1 << 31)
            path = parts / f"{seed}.npz"
            if not path.exists():
                studio = Furnisher(seed, surfaces)
                try:
                    pixels = studio.shot(*studio.model(model))
                except (ValueError, KeyError, OSError, RuntimeError) as error:
                    print(f"{model.identifier}: left out: {error}", flush=True)
                    pixels = np.zeros((8, 8, 5), np.uint8)
                np.savez_compressed(path, kind=model.category, pixels=pixels)
            saved = np.load(path)
            if (saved["pixels"][..., 3] > 128).mean() > 0.015:
                yield f"{model.identifier}#{view}", str(saved["kind"]), saved["pixels"]


def main() -> None:
    """Writes both banks; the training bank grows in portions so that a run can use it early."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--views", type=int, default=2)
    parser.add_argument("--portion", type=int, default=100)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    folder = memmap_dataset.work_folder() / "banks"
    surfaces = memmap_dataset.Bank(folder, "backgrounds")
    every = models(Path(os.environ.get("NSSBG_OPEN_MODELS", FOLDER)))
    held = [model for model in every if memmap_dataset.is_held_out("models", model.identifier)]
    taught = [model for model in every if model not in held]
    print(f"{len(taught)} models to train on, {len(held)} held out", flush=True)
    for view in range(1, options.views + 1):
        for count in range(options.portion, len(taught) + options.portion, options.portion):
            some = taught[:count] if view == 1 else taught
            written = memmap_dataset.write_bank(folder, "models", items(some, view, surfaces))
            print(f"view {view}: {written} frames", flush=True)
            if view > 1:
                break
    held_surfaces = memmap_dataset.Bank(folder, "held-backgrounds")
    memmap_dataset.write_bank(folder, "held-models", items(held, 1, held_surfaces))


if __name__ == "__main__":
    main()
