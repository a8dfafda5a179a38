"""Errors of the refinement's levels against exact alphas, beside OpenCV and pymatting.

    python -m bench.refine_quality [--cache FOLDER] [--height 1200] [--cases hair fur ...]

Cases and the degraded maps at 320 and 1024 come from bench/ground_truth.py, metrics from
bench/matting_metrics.py (alphamatting.com's definitions), counted in the band within 10 pixels of
the true soft edge. Guided and upsampled alphas start from the map alone. The closed form needs a
trimap; it and our matting tier get the same one, on a crop of half the size, because it needs
minutes on more.
"""

from __future__ import annotations

import argparse
import functools
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bench import ground_truth
from bench.matting_metrics import matting_errors, trimap_from_alpha, unknown_band
from bench.timing import print_header
from nssbg._ops.refine import refine

SIDES = (320, 1024)
Case = dict[str, np.ndarray]
Method = Callable[[Case, int], np.ndarray]


def load(name: str, index: int, height: int, cache: Path | None) -> Case:
    """One case with its maps; every second one stands before clutter, the others take turns."""
    backdrops = ground_truth.backdrop_names()
    backdrop = backdrops[index % len(backdrops)] if index % 2 else "clutter"
    path = cache / f"{name}-{backdrop}-{height}-{index}.npz" if cache else None
    if path is not None and path.exists():
        with np.load(path) as stored:
            return dict(stored)
    made = ground_truth.make_case(name, backdrop, height, height * 4 // 3, seed=index)
    case = {"image": made.image, "alpha": made.alpha}
    for side in SIDES:
        case[f"map{side}"] = ground_truth.coarse_from_alpha(made.alpha, side, index)
    case["band"] = unknown_band(made.alpha, 10)
    if path is not None:
        cache.mkdir(parents=True, exist_ok=True)
        np.savez(path, **case)
    return case


def opencv_guided(case: Case, side: int) -> np.ndarray:
    import cv2

    height, width = case["alpha"].shape
    large = cv2.resize(case[f"map{side}"], (width, height), interpolation=cv2.INTER_CUBIC)
    radius = max(2, round(2 * width / side))
    return cv2.ximgproc.guidedFilter(case["image"], large, radius, 6.5)


def ours(level: str, case: Case, side: int) -> np.ndarray:
    return refine(case["image"], case[f"map{side}"], level=level)


def table(cases: dict[str, Case], methods: dict[str, Method], side: int) -> None:
    """Errors per method, averaged over the cases, and each case's MSE over plain upsampling's."""
    print(f"maps at {side} x {side}: mean over {len(cases)} cases, in the band")
    print(
        f"{'':24}{'SAD':>10}{'MSE':>9}{'gradient':>11}{'connect.':>11}{'ratio':>8}  of MSE by case"
    )
    base: dict[str, float] = {}
    for name, method in methods.items():
        rows = {}
        for key, case in cases.items():
            rows[key] = matting_errors(method(case, side), case["alpha"], case["band"])
        mses = {key: errors.mse for key, errors in rows.items()}
        base = base or mses
        mean = [
            float(np.mean([getattr(errors, field) for errors in rows.values()]))
            for field in ("sad", "mse", "gradient", "connectivity")
        ]
        ratio = mean[1] / float(np.mean(list(base.values())))
        each = " ".join(f"{key[:6]} {mses[key] / base[key]:.2f}" for key in cases)
        errors_text = f"{mean[0]:10.1f}{mean[1]:9.5f}{mean[2]:11.1f}{mean[3]:11.1f}"
        print(f"{name:24}{errors_text}{ratio:8.3f}  {each}", flush=True)
    print()


def crop_of(case: Case) -> Case:
    """The middle half of a case, the map cut to match, and a trimap from the truth."""
    height, width = case["alpha"].shape
    part = np.s_[height // 4 : height - height // 4, width // 4 : width - width // 4]
    crop = {key: np.ascontiguousarray(case[key][part]) for key in ("image", "alpha", "band")}
    side = case["map320"].shape[0]
    crop["map320"] = np.ascontiguousarray(
        case["map320"][side // 4 : side - side // 4, side // 4 : side - side // 4]
    )
    crop["trimap"] = trimap_from_alpha(crop["alpha"], 10)
    return crop


def same_trimap(cases: dict[str, Case]) -> None:
    import pymatting

    print("one trimap for all, in its unknown part (MSE)")
    methods: dict[str, Callable[[Case], np.ndarray]] = {
        "pymatting closed form": lambda c: pymatting.estimate_alpha_cf(
            c["image"] / 255.0, c["trimap"] / 255.0
        ),
        **{
            level: functools.partial(
                lambda level, c: refine(
                    c["image"], c["map320"], level=level, trimap=c["trimap"], min_component_area=0
                ),
                level,
            )
            for level in ("guided", "matting", "auto")
        },
    }
    base: list[float] = []
    for name, method in methods.items():
        mses = []
        for case in cases.values():
            unknown = case["trimap"] == 128
            mses.append(matting_errors(method(case), case["alpha"], unknown).mse)
        base = base or mses
        each = " ".join(f"{key[:6]} {mse:.5f}" for key, mse in zip(cases, mses, strict=True))
        ratio = float(np.mean(mses) / np.mean(base))
        geometric = math.exp(float(np.mean(np.log(np.array(mses) / np.array(base)))))
        print(
            f"{name:24}{np.mean(mses):9.5f}  of closed form {ratio:.3f} "
            f"(geometric mean of ratios {geometric:.3f})  {each}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, help="where drawn cases are kept between runs")
    parser.add_argument("--height", type=int, default=1200)
    parser.add_argument("--cases", nargs="*", default=list(ground_truth.case_names()))
    parser.add_argument("--no-pymatting", action="store_true")
    options = parser.parse_args()
    print_header("refinement, errors", threads="all", height=options.height)
    names = ground_truth.case_names()
    cases = {
        name: load(name, names.index(name), options.height, options.cache) for name in options.cases
    }
    methods: dict[str, Method] = {
        "cubic upsampling (none)": functools.partial(ours, "none"),
        "OpenCV guided, colour": opencv_guided,
        "guided": functools.partial(ours, "guided"),
        "matting": functools.partial(ours, "matting"),
        "auto": functools.partial(ours, "auto"),
    }
    for side in SIDES:
        table(cases, methods, side)
    if not options.no_pymatting:
        crops = {name: crop_of(case) for name, case in cases.items()}
        # The closed form refuses a trimap without both kinds of sure pixels.
        same_trimap(
            {n: c for n, c in crops.items() if {0, 255} <= set(np.unique(c["trimap"]).tolist())}
        )


if __name__ == "__main__":
    main()
