"""The table of the card: `python -m enhance.evaluate [--models FOLDER] [--most N]` (training/ on
the path).

Held-out pictures by source, and folders of others (`--pictures NAME=FOLDER`, PNG or JPEG files),
for published sets.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import memmap_dataset
import numpy as np
import numpy.typing as npt
import quiet  # noqa: F401  # before the runtime
from PIL import Image

from enhance import measures
from enhance.degradations import STRONGEST_NOISE, deblock_of, jpeg
from enhance.export import BUNDLED, FILES
from enhance.pictures import bank_folder, read_sources

Pixels = npt.NDArray[np.uint8]
#: A way to enhance: its title, and what it does to a picture.
Way = tuple[str, Callable[[Pixels], Pixels]]
# Margin around a picture that a network runs over, which no tile of the package sees less of, and
# what its sides are multiples of.
_MARGIN, _MULTIPLE = 32, 4
SIGMA, QUALITY = 25.0, 30


class Network:
    """A file on ONNX Runtime, run over whole pictures."""

    def __init__(self, path: Path, scale: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        self._scale = scale

    def __call__(self, picture: Pixels, denoise: float = 0.0, deblock: float = 0.0) -> Pixels:
        height, width = picture.shape[:2]
        sides = [(_MARGIN, _MARGIN + -side % _MULTIPLE) for side in (height, width)]
        wide = np.pad(picture, (*sides, (0, 0)), mode="reflect")
        planes = np.empty((1, 5, *wide.shape[:2]), np.float32)
        planes[0, :3] = wide.transpose(2, 0, 1) / np.float32(255)
        planes[0, 3], planes[0, 4] = denoise, deblock
        answer = self._session.run(None, {"image": planes})[0][0]
        begin = _MARGIN * self._scale
        inner = answer[:, begin : begin + height * self._scale, begin : begin + width * self._scale]
        return np.clip(np.rint(inner.transpose(1, 2, 0) * 255), 0, 255).astype(np.uint8)


def resized(picture: Pixels, size: tuple[int, int], kind: Image.Resampling) -> Pixels:
    """By Pillow; size is width and height."""
    return np.asarray(Image.fromarray(picture).resize(size, kind))


def doubled(kind: Image.Resampling, picture: Pixels) -> Pixels:
    return resized(picture, (2 * picture.shape[1], 2 * picture.shape[0]), kind)


def even(picture: Pixels) -> Pixels:
    return picture[: picture.shape[0] // 2 * 2, : picture.shape[1] // 2 * 2]


def noisy(picture: Pixels, seed: int) -> Pixels:
    """White noise of sigma 25; the same in all channels of a gray picture."""
    random = np.random.default_rng([19, seed])
    gray = bool((picture == picture[..., :1]).all())
    shape = (*picture.shape[:2], 1 if gray else 3)
    noise = random.standard_normal(shape) * SIGMA
    return np.clip(np.rint(picture + noise), 0, 255).astype(np.uint8)


def non_local_means(picture: Pixels) -> Pixels:
    """OpenCV's denoiser told about the noise as its manual says."""
    return np.asarray(cv2.fastNlMeansDenoisingColored(picture, None, 20, 20, 7, 21))


@dataclass
class Row:
    """Means of one way over pictures."""

    psnr_y: list[float]
    psnr_rgb: list[float]
    gmsd: list[float]
    ms_ssim: list[float]


def compare(pictures: list[tuple[Pixels, Pixels]], ways: list[Way], border: int) -> dict[str, Row]:
    """Every way over pairs of what is given and the truth."""
    rows = {title: Row([], [], [], []) for title, _ in ways}
    for given, truth in pictures:
        for title, way in ways:
            found, row = way(given), rows[title]
            row.psnr_y.append(measures.psnr_y(found, truth, border))
            row.psnr_rgb.append(measures.psnr_rgb(found, truth))
            row.gmsd.append(measures.gmsd(found, truth, border))
            row.ms_ssim.append(measures.ms_ssim(found, truth, border))
    return rows


def show(title: str, found: list[tuple[str, int, dict[str, Row]]]) -> None:
    """One table in Markdown: a row for each set, a cell for each way."""
    ways = list(found[0][2])
    print(f"\n{title}: {', '.join(ways)}\n")
    print(
        "| set | pictures | PSNR-Y | PSNR of colours | GMSD | MS-SSIM |\n|---|---|---|---|---|---|"
    )
    for name, count, rows in found:
        cells = [
            " / ".join(f"{np.mean(getattr(rows[way], key)):.{digits}f}" for way in ways)
            for key, digits in (("psnr_y", 2), ("psnr_rgb", 2), ("gmsd", 3), ("ms_ssim", 4))
        ]
        print(f"| {name} | {count} | {' | '.join(cells)} |", flush=True)


def held_out(most: int) -> Iterator[tuple[str, list[Pixels]]]:
    """Up to so many held-out pictures of each source, by source."""
    bank = memmap_dataset.Bank(bank_folder(), "held-out")
    for source in read_sources():
        found = [np.asarray(bank[i]) for i, tag in enumerate(bank.tags) if tag == source.name]
        if found:
            yield source.name, found[:: max(1, len(found) // most)][:most]


def folder(place: Path, most: int) -> list[Pixels]:
    """The pictures of a folder."""
    paths = sorted(p for p in place.iterdir() if p.suffix.lower() in (".png", ".jpg", ".bmp"))
    chosen = paths[:: max(1, len(paths) // most)][:most]
    return [np.asarray(Image.open(path).convert("RGB")) for path in chosen]


def identity(picture: Pixels) -> Pixels:
    """As it came."""
    return picture


def upscaled(pictures: list[Pixels], network: Network) -> dict[str, Row]:
    """Clean pictures, halved by Pillow's bicubic filter and brought back."""
    pairs = []
    for picture in map(even, pictures):
        half = picture.shape[1] // 2, picture.shape[0] // 2
        pairs.append((resized(picture, half, Image.Resampling.BICUBIC), picture))
    ways: list[Way] = [
        ("Pillow bicubic", partial(doubled, Image.Resampling.BICUBIC)),
        ("Pillow Lanczos", partial(doubled, Image.Resampling.LANCZOS)),
        (FILES["upscale"].name, network),
    ]
    return compare(pairs, ways, 8)


def denoised(
    pictures: list[Pixels], network: Network, *, beside_peers: bool = False
) -> dict[str, Row]:
    """White noise of sigma 25, told; beside a peer that takes seconds a picture, or not."""
    pairs = [(noisy(p, i), p) for i, p in enumerate(pictures)]
    ways: list[Way] = [
        ("as it came", identity),
        *([("OpenCV non-local means", non_local_means)] if beside_peers else []),
        (FILES["restore"].name, partial(network, denoise=SIGMA / STRONGEST_NOISE)),
    ]
    return compare(pairs, ways, 0)


def deblocked(pictures: list[Pixels], network: Network) -> dict[str, Row]:
    """JPEG of quality 30 with 4:2:0, told."""
    pairs = [(jpeg(p, QUALITY, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420), p) for p in pictures]
    ways: list[Way] = [
        ("as it came", identity),
        (FILES["restore"].name, partial(network, deblock=deblock_of(QUALITY))),
    ]
    return compare(pairs, ways, 0)


def untouched(pictures: list[Pixels], network: Network) -> dict[str, Row]:
    """Clean pictures, told nothing."""
    return compare([(p, p) for p in pictures], [(FILES["restore"].name, network)], 0)


TASKS: dict[str, tuple[str, str, Callable[[list[Pixels], Network], dict[str, Row]]]] = {
    "upscale": ("x2, clean", "upscale", upscaled),
    "denoise": (f"white noise, sigma {SIGMA:g}", "restore", denoised),
    "deblock": (f"JPEG {QUALITY}, 4:2:0", "restore", deblocked),
    "clean": ("clean, told nothing", "restore", untouched),
}


def ringing(networks: dict[str, Network], most: int) -> None:
    """Overshoot beside the edges of drawn cut-outs over flat shades, x2."""
    source = next(s for s in read_sources() if s.kind == "cutouts")
    bank = memmap_dataset.Bank(bank_folder(), "held-out")
    names = [i.partition("/")[2] for i in bank.ids if i.startswith(f"{source.name}/")][:most]
    ways: list[Way] = [
        ("Pillow bicubic", partial(doubled, Image.Resampling.BICUBIC)),
        ("Pillow Lanczos", partial(doubled, Image.Resampling.LANCZOS)),
        (FILES["upscale"].name, networks["upscale"]),
    ]
    values: dict[str, list[float]] = {title: [] for title, _ in ways}
    for index, name in enumerate(names):
        path = next(source.folder.glob(f"{name}.*"))
        rgba = np.asarray(Image.open(path).convert("RGBA"), np.float32)
        shade = np.random.default_rng(index).uniform(0, 255, 3)
        share = rgba[..., 3:] / 255
        truth = even(np.rint(rgba[..., :3] * share + shade * (1 - share)).astype(np.uint8))
        small = resized(truth, (truth.shape[1] // 2, truth.shape[0] // 2), Image.Resampling.BICUBIC)
        alpha = even(rgba[..., 3].astype(np.uint8))
        for title, way in ways:
            values[title].append(measures.overshoot(way(small), truth, alpha))
    print(f"\novershoot at alpha edges, of 255, {len(names)} cut-outs\n")
    for title, found in values.items():
        print(f"{title}: {np.mean(found):.3f}")


def main() -> None:
    """Reads the command line and prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=Path, default=BUNDLED)
    parser.add_argument("--most", type=int, default=12, help="pictures of each source")
    parser.add_argument("--pictures", action="append", default=[], help="NAME=FOLDER")
    parser.add_argument("--tasks", default="upscale,denoise,deblock,clean,ringing")
    parser.add_argument("--peers", action="store_true", help="OpenCV's denoiser beside ours")
    parser.add_argument("--own", action=argparse.BooleanOptionalAction, default=True)
    options = parser.parse_args()
    tasks = options.tasks.split(",")
    networks = {
        key: Network(options.models / f"{file.name}.onnx", 2 if key == "upscale" else 1)
        for key, file in FILES.items()
        if (options.models / f"{file.name}.onnx").is_file()
    }
    sets = list(held_out(options.most)) if options.own else []
    for entry in options.pictures:
        name, _, place = entry.partition("=")
        sets.append((name, folder(Path(place), options.most)))
    for task in tasks:
        title, key, way = TASKS.get(task, ("", "", None))
        if task == "denoise" and options.peers:
            way = partial(denoised, beside_peers=True)
        if way is not None and key in networks:
            show(title, [(name, len(found), way(found, networks[key])) for name, found in sets])
    if "ringing" in tasks and "upscale" in networks:
        ringing(networks, options.most)


if __name__ == "__main__":
    main()
