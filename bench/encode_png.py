"""PNG encoding of photographic cut-outs: nssbg beside Pillow, OpenCV, pyvips, fpng and imagecodecs.

In: the bench's photographs under their true masks, colours under alpha 0 cleared. Out: a table of
times and bytes, each beside Pillow's default of the same run, and the floors. Files are read back
once and compared. Peers that are not installed are named and left out.

    python -m bench.encode_png --megapixels 12 24 --examples headphones bear --threads 2
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
from PIL import Image

from bench.photos import photograph, photograph_mask
from bench.timing import copy_floor, interleaved, print_header, read_floor
from nssbg import _core
from nssbg._io import encode

Bytes = npt.NDArray[np.uint8]


def cut_out(megapixels: float, example: str, grain: bool) -> Bytes:
    """A straight RGBA cut-out with cleared colours where it is transparent."""
    rgb = photograph(megapixels, grain, example=example)
    alpha = photograph_mask(megapixels, example=example)
    return np.dstack([rgb * (alpha > 0)[:, :, None], alpha])


def pillow(pixels: Bytes, **options: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", **options)
    return file.getvalue()


def encoders(pixels: Bytes, threads: int) -> dict[str, Callable[[], bytes]]:
    """Name to a callable that gives a file's bytes; Pillow's default first, as the baseline."""
    height, width = pixels.shape[:2]
    found: dict[str, Callable[[], bytes]] = {
        "Pillow": lambda: pillow(pixels),
        "Pillow level 1": lambda: pillow(pixels, compress_level=1),
    }
    try:
        import cv2

        cv2.setNumThreads(threads)
        swapped = cv2.cvtColor(pixels, cv2.COLOR_RGBA2BGRA)  # outside the time, in its favour
        found["OpenCV"] = lambda: cv2.imencode(".png", swapped)[1].tobytes()
    except ImportError:
        print("OpenCV is not installed: left out")
    try:
        import pyvips

        image = pyvips.Image.new_from_memory(pixels.data, width, height, 4, "uchar")
        found["pyvips"] = lambda: image.write_to_buffer(".png")
    except (ImportError, OSError):
        print("pyvips is not installed: left out")
    try:
        import fpng_py

        found["fpng"] = lambda: fpng_py.fpng_encode_image_to_memory(
            pixels.tobytes(), width, height, 4
        )
    except ImportError:
        print("fpng-py is not installed: left out")
    try:
        import imagecodecs

        found["imagecodecs"] = lambda: imagecodecs.png_encode(pixels)
        found["imagecodecs level 1"] = lambda: imagecodecs.png_encode(pixels, level=1)
    except ImportError:
        print("imagecodecs is not installed: left out")
    for compression in ("fast", "default"):
        for count in dict.fromkeys((1, threads)):
            name = f"nssbg {compression}, {count} thread{'s' if count > 1 else ''}"
            found[name] = lambda c=compression, n=count: encode(  # type: ignore[misc]
                pixels, compression=c, threads=n
            )
    return found


def check(name: str, data: bytes, pixels: Bytes) -> None:
    with Image.open(io.BytesIO(data)) as image:
        if not np.array_equal(np.asarray(image.convert("RGBA")), pixels):
            raise SystemExit(f"{name}: the file does not hold the picture")


def report(sizes: Mapping[str, int], ratios: Mapping[str, float]) -> None:
    width = max(map(len, sizes))
    print(f"{'':<{width}}  {'bytes':>12}  {'of Pillow':>9}  {'x faster':>8}")
    for name, size in sizes.items():
        share = size / sizes["Pillow"]
        print(f"{name:<{width}}  {size:>12,}  {share:>9.3f}  {ratios[name]:>8.1f}")
    print()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--megapixels", type=float, nargs="+", default=[12, 24])
    parser.add_argument("--examples", nargs="+", default=["headphones", "bear"])
    parser.add_argument("--grain", choices=("yes", "no", "both"), default="both")
    parser.add_argument("--threads", type=int, default=_core.usable_cores())
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    grains = {"yes": [True], "no": [False], "both": [True, False]}[options.grain]
    print_header("PNG encoding of cut-outs", threads=options.threads)
    for megapixels in options.megapixels:
        for example in options.examples:
            for grain in grains:
                pixels = cut_out(megapixels, example, grain)
                opaque = (pixels[:, :, 3] > 0).mean()
                found = encoders(pixels, options.threads)
                sizes = {}
                for name, call in found.items():
                    data = call()
                    check(name, data, pixels)
                    sizes[name] = len(data)
                timings = interleaved(
                    found,
                    runs=options.runs,
                    warmup=0,
                    floors={
                        "reading the pixels once": read_floor(pixels.nbytes),
                        "copying the pixels once": copy_floor(pixels.nbytes),
                    },
                    title=f"{example} {megapixels:g} MP {'with' if grain else 'without'} grain, "
                    f"{opaque:.0%} subject",
                )
                report(sizes, timings.ratios)


if __name__ == "__main__":
    main()
