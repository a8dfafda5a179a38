"""Speed of the refinement beside OpenCV, Pillow and pymatting, in one interleaved run.

    python -m bench.refine [--megapixels 24] [--matting 12] [--pymatting 1 12] [--quick]

The picture is a 24 MP photograph of a cup whose map of 1024 x 1024 gives a band of 3 % of the
pixels. OpenCV's guided filters get the upsampled map and a radius of two of its cells, as
their users call them. pymatting's closed form takes tens of seconds and 6 GB at 12 MP: processor
time is printed beside the wall's, because so long a run meets other work. `--only scaling` gives
time and scratch by size: the subject from 12 to 100 MP, and at 100 MP in a tenth of the frame.
"""

from __future__ import annotations

import argparse
import functools

import numpy as np
from PIL import Image

from bench.photos import photograph, photograph_mask, size_from_megapixels
from bench.timing import Stopwatch, copy_floor, interleaved, print_header, read_floor, spent
from nssbg import _core
from nssbg._ops.refine import refine, refine_with_report

EXAMPLE = "porcelain"
LEVELS = ["none", "guided", "matting", "scaling", "pymatting"]


def scene(megapixels: float, side: int = 1024) -> tuple[np.ndarray, np.ndarray]:
    """The photograph and the side x side map that a model would answer."""
    mask = Image.fromarray(photograph_mask(megapixels, example=EXAMPLE))
    coarse = np.asarray(mask.resize((side, side), Image.Resampling.BOX))
    return photograph(megapixels, example=EXAMPLE), coarse


def upsampling(megapixels: float, runs: int) -> None:
    import cv2

    cv2.setNumThreads(1)
    height, width = size_from_megapixels(megapixels)
    _, coarse = scene(0.3)
    blank = np.broadcast_to(np.zeros((), np.uint8), (height, width, 3))
    as_float = coarse.astype(np.float32) / np.float32(255)
    target = np.empty((height, width), np.uint8)
    rng = np.random.default_rng(0)
    everywhere = rng.integers(0, 256, coarse.shape).astype(np.uint8)

    def none(map_: np.ndarray, threads: int = 1) -> np.ndarray:
        return refine(blank, map_, level="none", threads=threads)

    def cubic(map_: np.ndarray) -> np.ndarray:
        return cv2.resize(map_, (width, height), dst=target, interpolation=cv2.INTER_CUBIC)

    interleaved(
        {
            "OpenCV cubic, 1 thread": lambda: cubic(coarse),
            "none, 1 thread": lambda: none(coarse),
            "none, 2 threads": lambda: none(coarse, 2),
            "none float32, 1 thread": lambda: none(as_float),
            "Pillow Lanczos": lambda: Image.fromarray(coarse).resize(
                (width, height), Image.Resampling.LANCZOS
            ),
            "OpenCV cubic, map all noise": lambda: cubic(everywhere),
            "none, map all noise": lambda: none(everywhere),
        },
        runs=runs,
        title=f"none: 1024 x 1024 map to {width} x {height}, uint8",
        floors={"write the alpha": copy_floor(height * width) / 2},
    )


def guided(megapixels: float, runs: int, peer_runs: int) -> None:
    import cv2

    cv2.setNumThreads(1)
    image, coarse = scene(megapixels)
    height, width = image.shape[:2]
    _, report = refine_with_report(image, coarse, threads=1)
    print(
        f"band {report.band_share:.1%} of the pixels, "
        f"{report.tiles_computed} of {report.tiles} tiles computed"
    )
    large = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    radius = round(2 * width / coarse.shape[1])
    epsilon = 6.5

    def filtered(guide: np.ndarray, scale: float = 1.0) -> np.ndarray:
        return cv2.ximgproc.guidedFilter(guide, large, radius, epsilon, scale=scale)

    ours = {
        "guided, 1 thread": lambda: refine(image, coarse, threads=1),
        "guided, 2 threads": lambda: refine(image, coarse, threads=2),
    }
    pixels = height * width
    floors = {
        "read the band's photograph, write the alpha": read_floor(3 * pixels * report.band_share)
        + copy_floor(pixels) / 2
    }
    interleaved(ours, runs=runs, title=f"guided, {width} x {height}", floors=floors)
    interleaved(
        {
            "OpenCV guided, colour": lambda: filtered(image),
            "OpenCV guided, grey": lambda: filtered(grey),
            "OpenCV guided, colour, 1/4 scale": lambda: filtered(image, 0.25),
            **ours,
        },
        runs=peer_runs,
        warmup=1,
        title=f"guided beside OpenCV, radius {radius}, one thread unless said",
    )


def matting(megapixels: float, runs: int) -> None:
    image, coarse = scene(megapixels)
    _, report = refine_with_report(image, coarse, level="matting", threads=1)
    print(
        f"band {report.band_share:.1%}, solved {report.matting_share:.1%} of the pixels, "
        f"at most {report.iterations} iterations to a residual of {report.residual:.1e}"
    )
    # 250 operations and 64 values read a pixel and iteration; blocks overlap by a quarter a side.
    interleaved(
        {
            f"{level}, {threads} thread(s)": functools.partial(
                refine, image, coarse, level=level, threads=threads
            )
            for level in ("matting", "auto")
            for threads in (1, 2)
        },
        runs=runs,
        warmup=1,
        title=f"matting, {image.shape[1]} x {image.shape[0]}",
    )


def closed_form(megapixels: float) -> None:
    from pymatting import estimate_alpha_cf

    image, coarse = scene(megapixels, side=max(64, round(1024 * (megapixels / 12) ** 0.5)))
    upsampled = refine(image, coarse, level="none")
    # The trimap: what the map is sure of, less the reach of the band.
    trimap = np.where(upsampled < 5, 0, np.where(upsampled > 250, 255, 128)).astype(np.uint8)
    grown = np.asarray(
        Image.fromarray((trimap == 128).astype(np.uint8) * 255).resize(
            (image.shape[1] // 8, image.shape[0] // 8), Image.Resampling.BOX
        )
    )
    unknown = np.asarray(
        Image.fromarray((grown > 0).astype(np.uint8)).resize(
            (image.shape[1], image.shape[0]), Image.Resampling.NEAREST
        )
    )
    trimap[unknown > 0] = 128
    floats, known = image / 255.0, trimap / 255.0
    calls = {
        "pymatting closed form": lambda: estimate_alpha_cf(floats, known),
        "matting, 1 thread": lambda: refine(
            image, coarse, level="matting", trimap=trimap, threads=1
        ),
    }
    # Compiles pymatting's loops, on pictures large enough to have both kinds of sure pixels.
    estimate_alpha_cf(floats[:64, :64], np.tile(np.repeat([0.0, 0.5, 1.0], [20, 24, 20]), (64, 1)))
    print(f"matting on one trimap, {megapixels:g} MP, unknown {np.mean(trimap == 128):.1%}")
    processor = {}
    for name, call in calls.items():
        took = spent(call)
        processor[name] = took.processor
        print(f"  {name:24}wall {took.wall:8.2f} s, processor {took.processor:8.2f} s")
    print(f"  ratio of processor time {np.divide(*processor.values()):.1f}\n")


def scaling(runs: int) -> None:
    """Time and scratch of the computing levels by size; scratch is what the core's pool held."""
    print(
        f"{'':28}{'MP':>6}{'band MP':>9}{'guided ms':>11}{'ms a band MP':>14}{'scratch MB':>12}"
        f"{'matting ms':>12}{'scratch MB':>12}"
    )
    small = Image.fromarray(photograph_mask(0.3, example=EXAMPLE))
    for megapixels, share in ((12, 1.0), (24, 1.0), (50, 1.0), (100, 1.0), (100, 0.33)):
        image = photograph(megapixels, example=EXAMPLE)
        height, width = image.shape[:2]
        inner = max(1, round(1024 * share))
        coarse = np.zeros((1024, 1024), np.uint8)
        coarse[:inner, :inner] = np.asarray(small.resize((inner, inner), Image.Resampling.BOX))
        cells = []
        for level in ("guided", "matting"):
            scratch = _scratch_bytes(image, coarse, level)
            _, report = refine_with_report(image, coarse, level=level, threads=1)
            times = []
            for _ in range(runs):
                watch = Stopwatch()
                refine(image, coarse, level=level, threads=1)
                times.append(1e3 * watch.read().wall)
            band = report.band_share * height * width / 1e6
            middle = float(np.median(times))
            cells.append((band, middle, scratch / 1e6))
        (band, ms, scratch_mb), (_, solve_ms, solve_mb) = cells
        name = "subject fills the frame" if share == 1 else "a tenth of the frame"
        print(
            f"{name:28}{megapixels:6}{band:9.2f}{ms:11.1f}{ms / band:14.1f}{scratch_mb:12.1f}"
            f"{solve_ms:12.0f}{solve_mb:12.1f}",
            flush=True,
        )


def _scratch_bytes(image: np.ndarray, coarse: np.ndarray, level: str) -> int:
    """Bytes of the core's pool that one call took, less its result."""
    _core.pool_trim()
    before = _core.pool_statistics()
    _core.pool_set_idle_limit(1 << 40)  # what is given back stays countable
    try:
        alpha = refine(image, coarse, level=level, threads=1, min_component_area=0)
        after = _core.pool_statistics()
    finally:
        _core.pool_set_idle_limit(before["idle_limit"])
    taken = after["idle_bytes"] + after["held_bytes"] - before["held_bytes"] - alpha.nbytes
    del alpha
    _core.pool_trim()
    return int(taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megapixels", type=float, default=24)
    parser.add_argument("--matting", type=float, default=12)
    parser.add_argument("--pymatting", type=float, nargs="*", default=[1, 12])
    parser.add_argument("--only", choices=LEVELS)
    parser.add_argument("--quick", action="store_true", help="few runs")
    options = parser.parse_args()
    runs = 5 if options.quick else 15
    print_header("refinement", threads="as stated", example=EXAMPLE)
    wanted = [options.only] if options.only else LEVELS
    if "none" in wanted:
        upsampling(options.megapixels, runs)
    if "guided" in wanted:
        guided(options.megapixels, runs, 1 if options.quick else 3)
    if "matting" in wanted:
        matting(options.matting, 3 if options.quick else 7)
    if "scaling" in wanted:
        scaling(3 if options.quick else 5)
    if "pymatting" in wanted:
        for megapixels in options.pymatting:
            closed_form(megapixels)


if __name__ == "__main__":
    main()
