"""The bank of clean pictures: `python -m enhance.pictures` (training/ on the path).

Sources are the openly licensed pictures of the other training. Those that come as JPEG are brought
to a size at which their own artefacts are gone: halved to 1/1.5 where they were compressed
lightly, to less where strongly. High-dynamic-range photographs are exposed by chance.
"""

from __future__ import annotations

import argparse
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import catalogue
import cv2
import memmap_dataset
import numpy as np
import tomllib
from memmap_dataset import Pixels
from PIL import Image

from enhance.degradations import from_linear

SOURCES = Path(__file__).with_name("sources.toml")
LEAST_SIDE = 128


@dataclass(frozen=True)
class Source:
    """One folder of pictures; see sources.toml."""

    name: str
    root: str
    files: str
    licence: str
    shrink: float
    most: int
    kind: str = "photographs"
    apart: int = 1
    weight: float = 1.0

    @property
    def folder(self) -> Path:
        """Where it lies: below the pictures folder, or the clones."""
        place, _, rest = self.root.partition(":")
        return {"pictures": memmap_dataset.pictures_folder(), "clones": catalogue.clones_folder()}[
            place
        ] / rest


def read_sources(path: Path = SOURCES) -> list[Source]:
    """The sources in the order of the file."""
    return [Source(**entry) for entry in tomllib.loads(path.read_text())["sources"]]


def files_of(source: Source) -> list[Path]:
    """Its files in an order without pattern, at most as many as wanted."""
    found = sorted(source.folder.glob(source.files))
    if not found:
        raise SystemExit(
            f"{source.folder} holds no {source.files}: set NSSBG_PICTURES and NSSBG_CLONES to "
            f"where the pictures of {SOURCES.name} lie"
        )
    found = found[:: source.apart]
    found.sort(key=lambda path: memmap_dataset.scatter(source.name, identifier(source, path)))
    return found[: source.most]


def identifier(source: Source, path: Path) -> str:
    return str(path.relative_to(source.folder).with_suffix(""))


def split_name(source: Source, name: str) -> str:
    """What the split goes by: frames of one video are one picture."""
    return str(Path(name).parent) if source.kind == "frames" else name


def part_of(source: Source, name: str) -> str:
    """ "held-out", "validation" or "training", by the name alone."""
    whole = split_name(source, name)
    subset = f"enhance-{source.name}"
    if memmap_dataset.is_held_out(subset, whole):
        return "held-out"
    return "validation" if memmap_dataset.is_validation(subset, whole) else "training"


def shrunk(picture: Pixels, by: float) -> Pixels:
    """Smaller by a factor, antialiased and sharp."""
    size = round(picture.shape[1] / by), round(picture.shape[0] / by)
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS))


def exposed(path: Path, random: np.random.Generator) -> Pixels:
    """A high-dynamic-range panorama as a camera would show its middle latitudes."""
    light = cv2.imread(os.fspath(path), cv2.IMREAD_UNCHANGED)
    if light is None:
        raise SystemExit(f"{path}: cannot be read")
    rows = light.shape[0]
    light = light[rows // 5 : rows * 4 // 5, :, ::-1].astype(np.float32)
    level = np.percentile(light, random.uniform(60, 92))
    scaled = light / max(float(level), 1e-6) * random.uniform(0.35, 0.75)
    # A soft shoulder, as cameras have it, instead of a hard clip.
    shouldered = np.where(scaled < 0.6, scaled, 1 - 0.4 * np.exp(-(scaled - 0.6) / 0.4))
    return np.clip(np.rint(from_linear(shouldered.astype(np.float32)) * 255), 0, 255).astype(
        np.uint8
    )


def on_backdrop(path: Path, random: np.random.Generator) -> Pixels:
    """A drawn cut-out over a shade, enlarged by nothing: sharp edges of graphics."""
    rgba = np.asarray(Image.open(path).convert("RGBA"), np.float32)
    low, high = random.uniform(0, 255, 3), random.uniform(0, 255, 3)
    share = np.linspace(0, 1, rgba.shape[0], dtype=np.float32)[:, None, None]
    backdrop = low * (1 - share) + high * share
    alpha = rgba[..., 3:] / 255
    return np.rint(rgba[..., :3] * alpha + backdrop * (1 - alpha)).astype(np.uint8)


def read(source: Source, path: Path) -> Iterator[tuple[str, Pixels]]:
    """The clean pictures that a file gives, each with its name."""
    name = identifier(source, path)
    seed = int.from_bytes(hashlib.sha256(f"{source.name}/{name}".encode()).digest()[:8], "big")
    random = np.random.default_rng(seed)
    if source.kind == "hdr":
        for exposure in range(3):
            yield f"{name}#{exposure}", shrunk(exposed(path, random), source.shrink)
    elif source.kind == "cutouts":
        yield name, shrunk(on_backdrop(path, random), source.shrink)
    else:
        yield name, shrunk(np.asarray(Image.open(path).convert("RGB")), source.shrink)


def bank_folder() -> Path:
    return memmap_dataset.work_folder() / "enhance" / "banks"


def main() -> None:
    """Writes the banks training, validation and held-out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.parse_args()
    sources = read_sources()
    for part in ("training", "validation", "held-out"):
        items: list[tuple[str, str, Pixels]] = []
        weights: list[float] = []
        for source in sources:
            before = len(items)
            for path in files_of(source):
                if part_of(source, identifier(source, path)) != part:
                    continue
                for name, picture in read(source, path):
                    if min(picture.shape[:2]) >= LEAST_SIDE:
                        items.append((f"{source.name}/{name}", source.name, picture))
            own = items[before:]
            area = sum(p.shape[0] * p.shape[1] for _, _, p in own)
            weights += [source.weight * p.shape[0] * p.shape[1] / area for _, _, p in own]
            print(f"{part} {source.name}: {len(own)} pictures, {area / 1e6:.0f} MP", flush=True)
        memmap_dataset.write_bank(bank_folder(), part, items, [(w, True) for w in weights])


if __name__ == "__main__":
    main()
