"""Colour decontamination beside its peers: colour error on exact cases, time, memory.

    python -m bench.decontaminate [error] [speed] [memory] [light] [weight] [strands]
        [--megapixels 24] [--threads 1 2] [--soft "3 %" all]

error   alpha-weighted colour error in the soft band, and the composites' error
light   encoded or linear: which equation gives the better composite
weight  the gradient's weight, with exact and with damaged alphas
strands thin strands on saturated green, as in rembg's own test of fringes
speed   24 MP with a 3 % band and all soft, interleaved with pymatting and blur-fusion
memory  beyond input and result, on the same scenes
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bench import color_peers as peers
from bench.ground_truth import (
    Case,
    backdrop_names,
    case_names,
    make_case,
)
from bench.ground_truth.pictures import linear_from_srgb, srgb_from_linear
from bench.timing import copy_floor, interleaved, print_header
from nssbg import _core
from nssbg._ops.foreground import decontaminate

Float = npt.NDArray[np.floating]
Estimator = Callable[[npt.NDArray[np.uint8], npt.NDArray[np.uint8]], Float]

# How much of the large scenes is soft.
SCENES = ("3 %", "all")

BACKGROUNDS = {
    "white": (255, 255, 255),
    "black": (0, 0, 0),
    "red": (255, 0, 0),
    "green": (0, 160, 60),
    "blue": (30, 60, 220),
    "grey": (128, 128, 128),
}


def from_peer(peer: Callable[[Float, Float], Float]) -> Estimator:
    """A peer on 8-bit input, 0..255 out."""

    def estimate(image: npt.NDArray[np.uint8], alpha: npt.NDArray[np.uint8]) -> Float:
        scaled = image.astype(np.float32) / 255, alpha.astype(np.float32) / 255
        return peer(*scaled) * 255

    return estimate


def from_core(**options: float) -> Estimator:
    """nssbg's core with its own parameters, 0..255 out."""

    def estimate(image: npt.NDArray[np.uint8], alpha: npt.NDArray[np.uint8]) -> Float:
        return _core.decontaminate(image, alpha, **options)[..., :3].astype(np.float32)

    return estimate


ESTIMATORS: dict[str, Estimator] = {
    "rembg naive": from_peer(peers.naive),
    "straight": from_peer(peers.straight),
    "blur-fusion x 2 (published)": from_peer(peers.blur_fusion_twice),
    "nssbg blur-fusion": from_core(method="blur-fusion"),
    "pymatting multi-level": from_peer(peers.pymatting),
    "nssbg, weight 1 as published": from_core(gradient_weight=1.0),
    "nssbg multilevel": from_core(),
}


PAIRS = [(name, backdrop) for name in case_names() for backdrop in backdrop_names()]


def cases(linear_light: bool = False, seeds: int = 1) -> Iterator[Case]:
    """Every subject on every backdrop."""
    for seed in range(seeds):
        for name in case_names():
            for backdrop in backdrop_names():
                yield make_case(name, backdrop, 480, 640, seed, linear_light=linear_light)


def alpha_bytes(case: Case) -> npt.NDArray[np.uint8]:
    """The true alpha at 8 bits."""
    return np.rint(case.alpha * 255).astype(np.uint8)


def color_error(estimate: Float, case: Case, alpha: npt.NDArray[np.uint8]) -> float:
    """Mean absolute colour error weighted by alpha in the soft band, 0..255."""
    soft = (alpha > 0) & (alpha < 255)
    weight = alpha[soft].astype(float)
    difference = np.abs(estimate[soft] - case.foreground[soft] * 255).mean(axis=-1)
    return float((difference * weight).sum() / max(weight.sum(), 1e-9))


def composite_error(estimate: Float, case: Case, alpha: npt.NDArray[np.uint8]) -> float:
    """Mean absolute error in the soft band, over all BACKGROUNDS, encoded mixing, 0..255."""
    soft = (alpha > 0) & (alpha < 255)
    share, true_share = alpha[soft][:, None] / 255, case.alpha[soft][:, None]
    errors = []
    for color in BACKGROUNDS.values():
        behind = np.array(color, float)
        got = estimate[soft] * share + behind * (1 - share)
        true = case.foreground[soft] * 255 * true_share + behind * (1 - true_share)
        errors.append(np.abs(got - true).mean())
    return float(np.mean(errors))


def report_error() -> None:
    """Error per subject (mean over the backdrops), all estimators."""
    print("## Colour error in the soft band, weighted by alpha, 0..255 (mean over 10 backdrops)\n")
    names = list(case_names())
    sums = {name: np.zeros((len(names), 2)) for name in ESTIMATORS}
    worst = 0.0
    count = 0
    for case in cases():
        row = next(i for i, name in enumerate(names) if case.name.startswith(name + "-on-"))
        alpha = alpha_bytes(case)
        got = {}
        for name, estimate in ESTIMATORS.items():
            result = estimate(case.image, alpha)
            got[name] = color_error(result, case, alpha)
            sums[name][row] += got[name], composite_error(result, case, alpha)
        ratio = got["nssbg multilevel"] / got["pymatting multi-level"]
        worst = max(worst, ratio)
        count += 1
    per_row = count / len(names)
    print(f"{'':30}" + "".join(f"{name:>9}" for name in names) + f"{'mean':>9}{'composite':>11}")
    for name, values in sums.items():
        means = values / per_row
        cells = "".join(f"{value:9.2f}" for value in means[:, 0])
        print(f"{name:30}{cells}{means[:, 0].mean():9.2f}{means[:, 1].mean():11.2f}")
    ours, theirs = sums["nssbg multilevel"], sums["pymatting multi-level"]
    print(
        f"\nnssbg / pymatting: colour {ours[:, 0].sum() / theirs[:, 0].sum():.3f}, composite "
        f"{ours[:, 1].sum() / theirs[:, 1].sum():.3f}; worst single picture of {count}: "
        f"{worst:.3f}\n"
    )


def report_light() -> None:
    """Estimate in the encoding or in linear light, on pictures mixed either way.

    A photograph is mixed in linear light. Its alpha may be the share of the pixel's area that is
    covered, or what an estimator gives that explains encoded values by encoded colours.
    """
    print("## Encoded or linear light: composite error over six colours, 0..255\n")
    print(f"{'photograph mixed in':22}{'alpha':18}{'estimated in':16}{'shown encoded':>15}"
          f"{'shown linear':>15}")  # fmt: skip
    for mixed, fitted in ((False, False), (True, False), (True, True)):
        totals = {space: np.zeros(2) for space in ("encoding", "linear light")}
        count = 0
        # Every fifth picture: each subject twice, on white and on noise.
        for case in islice(cases(linear_light=mixed), 0, None, 5):
            alpha = fitted_alpha(case) if fitted else alpha_bytes(case)
            encoded = _core.decontaminate(case.image, alpha)[..., :3] / 255
            linear = linear_from_srgb(case.image / 255)
            fixed = np.rint(linear * 65535).astype(np.uint16)
            estimate = _core.decontaminate(fixed, alpha)[..., :3] / 65535
            for space, colors in (("encoding", encoded), ("linear light", estimate)):
                shown = colors if space == "encoding" else srgb_from_linear(colors)
                totals[space] += shown_errors(shown, case, alpha, mixed)
            count += 1
        for space, total in totals.items():
            light = "linear light" if mixed else "encoding"
            kind = "fits the encoding" if fitted or not mixed else "coverage"
            print(f"{light:22}{kind:18}{space:16}"
                  f"{total[0] / count:15.2f}{total[1] / count:15.2f}")  # fmt: skip
    print()


def fitted_alpha(case: Case) -> npt.NDArray[np.uint8]:
    """The alpha that best explains the encoded picture by the encoded true colours."""
    difference = (case.foreground - case.background).astype(float)
    above = ((case.image / 255 - case.background) * difference).sum(axis=-1)
    square = (difference**2).sum(axis=-1)
    fitted = np.where(square > 1e-3, above / np.maximum(square, 1e-3), case.alpha)
    soft = (case.alpha > 0) & (case.alpha < 1)
    return np.rint(np.where(soft, np.clip(fitted, 0, 1), case.alpha) * 255).astype(np.uint8)


def shown_errors(
    colors: Float, case: Case, alpha: npt.NDArray[np.uint8], real: bool
) -> tuple[float, float]:
    """Composite error when viewers mix encoded values, and when they mix linear light.

    The truth is, if real, what a camera would see before the new background; else the same
    mixing as the viewer's with the true colours.
    """
    soft = (alpha > 0) & (alpha < 255)
    share, true_share = alpha[soft][:, None] / 255, case.alpha[soft][:, None]
    true_fore = case.foreground[soft].astype(float)
    errors = np.zeros(2)
    for color in BACKGROUNDS.values():
        behind = np.array(color) / 255
        light = linear_from_srgb(behind)
        seen = srgb_from_linear(linear_from_srgb(true_fore) * true_share + light * (1 - true_share))
        plain = true_fore * true_share + behind * (1 - true_share)
        encoded = colors[soft] * share + behind * (1 - share)
        errors[0] += np.abs(encoded - (seen if real else plain)).mean()
        got = linear_from_srgb(colors[soft]) * share + light * (1 - share)
        errors[1] += np.abs(srgb_from_linear(got) - seen).mean()
    mean = errors * 255 / len(BACKGROUNDS)
    return float(mean[0]), float(mean[1])


def report_weight() -> None:
    """The gradient's weight on exact alphas and on alphas as estimators give them."""
    from bench.ground_truth.pictures import blurred

    print("## Gradient weight: colour error in the soft band, weighted by alpha, 0..255\n")
    damages: dict[str, Callable[[Case, np.random.Generator], tuple[Float, Float]]] = {
        "exact": lambda case, rng: (case.image, case.alpha),
        "image noise 5/255": lambda case, rng: (
            case.image + rng.normal(0, 5, case.image.shape),
            case.alpha,
        ),
        "alpha noise 4 %": lambda case, rng: (
            case.image,
            np.where(
                (case.alpha > 0) & (case.alpha < 1),
                np.clip(case.alpha + rng.normal(0, 0.04, case.alpha.shape), 0.004, 0.996),
                case.alpha,
            ),
        ),
        "alpha blurred 0.5": lambda case, rng: (case.image, blurred(case.alpha, 0.5)),
        "alpha blurred 1.0": lambda case, rng: (case.image, blurred(case.alpha, 1.0)),
        "alpha steeper": lambda case, rng: (case.image, np.clip(case.alpha * 1.3 - 0.15, 0, 1)),
    }
    weights = (1.0, 0.5, 0.2, 0.1, 0.03)
    print(f"{'':22}{'pymatting':>10}" + "".join(f"{weight:>10}" for weight in weights))
    # Every eleventh picture: another subject and another backdrop each time.
    pictures = [make_case(*case, 480, 640) for case in PAIRS[::11]]
    for damage, change in damages.items():
        rng = np.random.default_rng(0)
        sums = np.zeros(1 + len(weights))
        count = 0
        for case in pictures:
            image, alpha = change(case, rng)
            image8 = np.clip(np.rint(image), 0, 255).astype(np.uint8)
            alpha8 = np.clip(np.rint(alpha * 255), 0, 255).astype(np.uint8)
            estimates = [ESTIMATORS["pymatting multi-level"](image8, alpha8)]
            estimates += [from_core(gradient_weight=w)(image8, alpha8) for w in weights]
            sums += [color_error(estimate, case, alpha8) for estimate in estimates]
            count += 1
        print(f"{damage:22}" + "".join(f"{value / count:10.2f}" for value in sums))
    print()


def large_scene(
    megapixels: float, soft: str
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """A photograph's texture and an alpha with a frayed band of 3 %, or soft everywhere."""
    from bench.photos import photograph

    image = photograph(megapixels)
    height, width = image.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    y -= height / 2
    x -= width / 2
    distance = np.hypot(x, y)
    if soft == "all":
        return image, np.clip(distance / distance.max() * 200 + 25, 1, 254).astype(np.uint8)
    angle = np.arctan2(y, x)
    # Strands: the rim wanders by some pixels, finely; its slope makes the band.
    rim = height * 0.33 + 14 * np.sin(angle * 160) + 9 * np.sin(angle * 411)
    alpha = np.clip((rim - distance) / (0.0125 * height * megapixels / 24) + 0.5, 0, 1)
    reach = 3.0 / (100 * ((alpha > 0) & (alpha < 1)).mean())
    alpha = np.clip((rim - distance) / (0.0125 * height * megapixels / 24 * reach) + 0.5, 0, 1)
    return image, np.rint(alpha * 255).astype(np.uint8)


def report_memory(megapixels: float) -> None:
    """Memory beyond input and result, each in a process of its own."""
    print("## Memory beyond input and result, one thread, at the highest\n")
    for soft in SCENES:
        for name in ("multilevel", "blur-fusion", "pymatting"):
            command = [sys.executable, "-m", "bench.decontaminate", "--megapixels", f"{megapixels}"]
            command += ["--measure", name, "--soft", soft]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            print(f"{megapixels:g} MP, {soft:4} soft  {name:12} {done.stdout.strip():>6} MB")
    print()


def measure_memory(name: str, megapixels: float, soft: str) -> None:
    """In a fresh process: print the megabytes that a call adds beyond its result."""
    image, alpha = large_scene(megapixels, soft)
    scaled = None
    if name == "pymatting":
        scaled = image.astype(np.float32) / 255, alpha.astype(np.float32) / 255
        peers.pymatting_compile_seconds()
        result_bytes = 12 * alpha.size
    else:
        decontaminate(image[:64, :64], alpha[:64, :64], method=name)
        result_bytes = 4 * alpha.size
    # The scene's making used more than is held now: the kernel's high-water mark starts anew.
    Path("/proc/self/clear_refs").write_text("5")
    before = status_bytes("VmRSS")
    result = peers.pymatting(*scaled) if scaled else decontaminate(image, alpha, method=name)
    print(round((status_bytes("VmHWM") - before - result_bytes) / 1e6))
    del result


def status_bytes(field: str) -> int:
    """A line of /proc/self/status, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise LookupError(field)


def report_speed(soft: str, megapixels: float, threads: list[int], runs: int) -> None:
    """Time of one scene, interleaved with the peers."""
    print(f"pymatting compiles for {peers.pymatting_compile_seconds():.1f} s on its first call\n")
    image, alpha = large_scene(megapixels, soft)
    share = 100 * ((alpha > 0) & (alpha < 255)).mean()
    scaled = image.astype(np.float32) / 255, alpha.astype(np.float32) / 255
    for count in threads:
        peers.pymatting_threads(count)
        peers.opencv_threads(count)
        ours = partial(decontaminate, image, alpha, threads=count)
        interleaved(
            {
                "pymatting multi-level": lambda: peers.pymatting(*scaled),
                "blur-fusion x 2 (OpenCV)": lambda: peers.blur_fusion_twice(*scaled),
                "nssbg multilevel": ours,
                "nssbg blur-fusion": partial(ours, method="blur-fusion"),
                "nssbg off (merge only)": partial(ours, method="off"),
            },
            runs=runs,
            warmup=1,
            title=f"{megapixels:g} MP, {share:.1f} % soft, {count} threads",
            floors={"read 4, write 4 bytes a pixel": copy_floor(4 * alpha.size)},
        )


def report_strands() -> None:
    """Mean distance to the true colour in the soft band of thin strands, by method."""
    from tests.reference.test_decontaminate import strands

    image, alpha, fore = strands(400, 480, seed=1)
    soft = (alpha > 0) & (alpha < 255)

    def show(name: str, rgb: Float) -> None:
        distance = np.linalg.norm(rgb[soft] - fore[soft], axis=-1).mean()
        print(f"{name:<24}{distance:8.1f}")

    show("rembg naive", np.rint(image * (alpha[..., None] / 255)))
    for method in ("off", "blur-fusion", "multilevel"):
        show(f"nssbg {method}", decontaminate(image, alpha, method=method)[..., :3])


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", default=["error", "speed"])
    parser.add_argument("--megapixels", type=float, default=24.0)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--soft", choices=SCENES, nargs="+", default=list(SCENES))
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure_memory(options.measure, options.megapixels, options.soft[0])
        return
    print_header("colour decontamination", threads=str(options.threads))
    reports = {
        "error": report_error,
        "light": report_light,
        "strands": report_strands,
        "weight": report_weight,
    }
    for part in options.parts:
        if part == "speed":
            for soft in options.soft:
                report_speed(soft, options.megapixels, options.threads, options.runs)
        elif part == "memory":
            report_memory(options.megapixels)
        else:
            reports[part]()


if __name__ == "__main__":
    main()
