"""Compares int8 forms of a network with the float file, on the pictures kept aside for choices.

`python training/evaluate_int8.py --model nssbg-lite.onnx --forms a.onnx b.xml`: a table of the
alphas' distances in 1/255, of the IoU on each set, and of the times on OpenVINO, in turns. With
`--nncf 24` a form by NNCF's post-training quantisation is made first, on as many training samples.
With `--publish` the first form, where it meets the rule, is put beside the file, and its figures
and checksum into the sidecar (which takes the package).

The rule is for the mean over all validation pictures, of the alphas' distance and of the IoU that
is lost; every set is reported beside it, and of the sidecar's figures the IoU is that of the set
that loses most (docs/decisions/0409-int8-by-training.md).

One forward pass a picture, at the network's own size: what effort "fast" gives, and the stricter
of the two, since the mirrored pass averages rounding away.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import evaluate
import measures
import memmap_dataset
import numpy as np
import numpy.typing as npt
import quiet  # noqa: F401  # before the runtimes
import sets
import warm_start

Floats = npt.NDArray[np.float32]
Run = Callable[[Floats], Floats]

# The rule by which a form is shipped, over all validation pictures: mean distance in 1/255, mean
# loss of IoU; and times faster in processor time.
RULE_MEAN, RULE_LOSS, RULE_FASTER = 1.5, 0.003, 2.0
# The bound for forms that a machine makes by itself (nssbg._planner.candidates), in 1/255.
BOUND_MEAN, BOUND_MOST = 1.0, 8.0


@dataclass
class Distances:
    """What was found for one form, a row for each picture of each set.

    Attributes:
        means: Mean |alpha - float alpha| of each picture, in 1/255.
        most: Largest, in 1/255.
        beyond: Share of pixels beyond 8/255.
        overlaps: IoU with the truth: of the float file, and of the form.
    """

    means: dict[str, list[float]] = field(default_factory=dict)
    most: dict[str, list[float]] = field(default_factory=dict)
    beyond: dict[str, list[float]] = field(default_factory=dict)
    overlaps: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    def add(self, name: str, exact: Floats, found: Floats, overlaps: tuple[float, float]) -> None:
        """One picture's: both maps at the network's size, 0..1."""
        apart = 255 * np.abs(found - exact)
        self.means.setdefault(name, []).append(float(apart.mean()))
        self.most.setdefault(name, []).append(float(apart.max()))
        self.beyond.setdefault(name, []).append(float((apart > BOUND_MOST).mean()))
        self.overlaps.setdefault(name, []).append(overlaps)

    def loss(self, name: str) -> float:
        """Mean IoU that the form loses on a set; below 0 where it gains."""
        exact, found = zip(*self.overlaps[name], strict=True)
        return float(np.mean(exact) - np.mean(found))

    def summary(self) -> dict[str, float]:
        """Over all pictures of all sets, and of the set that is farthest off or loses most."""
        means = [value for row in self.means.values() for value in row]
        most = [value for row in self.most.values() for value in row]
        beyond = [value for row in self.beyond.values() for value in row]
        exact, found = zip(*(pair for row in self.overlaps.values() for pair in row), strict=True)
        outside = [a > BOUND_MEAN or b > BOUND_MOST for a, b in zip(means, most, strict=True)]
        return {
            "pictures": len(means),
            "mean": float(np.mean(means)),
            "worst_set_mean": max(float(np.mean(row)) for row in self.means.values()),
            "worst_mean": max(means),
            "most": max(most),
            "beyond_8": float(np.mean(beyond)),
            "outside_bound": float(np.mean(outside)),
            "iou_loss": float(np.mean(exact) - np.mean(found)),
            "worst_set_iou_loss": max(self.loss(name) for name in self.overlaps),
        }


def within_rule(summary: dict[str, float], faster: float) -> bool:
    """Whether a form may be shipped: its mean distance and IoU over all pictures, and its time."""
    return (
        summary["mean"] <= RULE_MEAN and summary["iou_loss"] <= RULE_LOSS and faster >= RULE_FASTER
    )


def opened(model: Path, side: int, threads: int, precision: str = "f32") -> Run:
    """The network on OpenVINO, from a 1 x 3 x side x side input to its map."""
    import openvino

    core = openvino.Core()
    graph = core.read_model(str(model))
    graph.reshape([1, 3, side, side])
    compiled = core.compile_model(
        graph,
        "CPU",
        {
            "INFERENCE_PRECISION_HINT": precision,
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            "ENABLE_CPU_PINNING": False,
        },
    )
    request = compiled.create_infer_request()

    def run(batch: Floats) -> Floats:
        request.infer({0: batch})
        return np.array(request.get_output_tensor(0).data)

    return run


def by_nncf(model: Path, target: Path, feed: list[Floats]) -> None:
    """Post-training quantisation: per-channel kernels, bias correction, NNCF's own placement."""
    import nncf
    import openvino

    made = nncf.quantize(
        openvino.Core().read_model(str(model)),
        nncf.Dataset(feed),
        subset_size=len(feed),
        preset=nncf.QuantizationPreset.MIXED,
        fast_bias_correction=True,
    )
    openvino.save_model(made, str(target))


def timed(runs: dict[str, Run], side: int, rounds: int) -> dict[str, tuple[float, float]]:
    """Times faster than the first: in wall time and in processor time.

    In turns, and the median of the rounds' own ratios: what else runs on the machine then slows
    all alike.
    """
    batch = np.random.default_rng(0).normal(size=(1, 3, side, side)).astype(np.float32)
    took: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
    for index in range(rounds + 1):
        for name, run in runs.items():
            wall, processor = time.perf_counter(), time.process_time()
            run(batch)
            spent = time.perf_counter() - wall, time.process_time() - processor
            if index:  # the first round warms up
                took[name].append(spent)
    first = np.array(next(iter(took.values())))
    return {
        name: tuple(np.median(first / np.array(own), axis=0).tolist())  # type: ignore[misc]
        for name, own in took.items()
    }


def compare(
    exact: Run,
    forms: dict[str, Run],
    chosen: dict[str, sets.Set],
    *,
    side: int,
    limit: int,
) -> dict[str, Distances]:
    """Every form against the float file on every picture.

    Args:
        limit: Pictures of each set, spread evenly over it; 0: all.
    """
    found = {name: Distances() for name in forms}
    for name, pictures in chosen.items():
        listed = list(pictures())
        step = max(1, len(listed) // limit) if limit else 1
        for _, rgb, truth in listed[::step][: limit or None]:
            batch = evaluate.tensor(rgb, side)
            wanted = exact(batch)[0, 0].astype(np.float32)
            overlap = measures.overlap(evaluate.enlarged(wanted, rgb), truth)
            for form, run in forms.items():
                alpha = run(batch)[0, 0].astype(np.float32)
                own = measures.overlap(evaluate.enlarged(alpha, rgb), truth)
                found[form].add(name, wanted, alpha, (overlap, own))
    return found


def report(found: dict[str, Distances], faster: dict[str, tuple[float, float]]) -> dict[str, Any]:
    """Prints the tables; the figures as data."""
    print(
        "\n| form | pictures | mean | worst set | worst picture | most | % beyond 8 | "
        "% out of 1 and 8 | IoU lost | worst set | x wall | x processor | rule |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|---|---|")
    data: dict[str, Any] = {}
    for form, distances in found.items():
        told = distances.summary()
        wall, processor = faster[form]
        kept = within_rule(told, processor)
        print(
            f"| {form} | {told['pictures']} | {told['mean']:.2f} | {told['worst_set_mean']:.2f} | "
            f"{told['worst_mean']:.2f} | {told['most']:.0f} | {100 * told['beyond_8']:.2f} | "
            f"{100 * told['outside_bound']:.0f} | {told['iou_loss']:+.4f} | "
            f"{told['worst_set_iou_loss']:+.4f} | {wall:.2f} | {processor:.2f} | "
            f"{'met' if kept else 'missed'} |"
        )
        data[form] = {**told, "faster_wall": wall, "faster_processor": processor, "rule": kept}
    for form, distances in found.items():
        print(f"\n{form}:\n\n| set | pictures | mean | worst | % beyond 8 | IoU float | IoU int8 |")
        print("|---|---|---|---|---|---|---|")
        for name, means in distances.means.items():
            exact, own = np.mean(distances.overlaps[name], axis=0)
            print(
                f"| {name} | {len(means)} | {np.mean(means):.2f} | {max(means):.2f} | "
                f"{100 * np.mean(distances.beyond[name]):.2f} | {exact:.4f} | {own:.4f} |"
            )
    return data


def publish(model: Path, form: Path, told: dict[str, Any]) -> Path:
    """Puts a form beside the float file, and what was measured into the sidecar; its new path.

    Raises:
        SystemExit: It misses the rule, or there is no sidecar.
    """
    if not told["rule"]:
        raise SystemExit(f"{form} misses the rule: it is not published")
    import sidecar

    content = form.read_bytes()
    target = model.with_name(f"{model.stem}.int8.onnx")
    rows = {
        "file": target.name,
        "bytes": len(content),
        "checksum": f"sha256:{hashlib.sha256(content).hexdigest()}",
        "images": told["pictures"],
        "mean_error": told["mean"],
        "worst_mean_error": told["worst_mean"],
        "max_error": told["most"],
        "iou_loss": told["worst_set_iou_loss"],
    }
    comment = "Measured by training/evaluate_int8.py against the float file, in 1/255 of alpha."
    made = target.with_name(f"new-{target.name}")
    made.write_bytes(content)
    try:
        sidecar.put_table(model, "int8", comment, rows)
        made.replace(target)
    finally:
        made.unlink(missing_ok=True)
    return target


def main(arguments: list[str] | None = None) -> None:
    """Reads the command line, measures, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=warm_start.SHIPPED, help="the float file")
    parser.add_argument("--forms", type=Path, nargs="*", default=[], help=".onnx or .xml files")
    parser.add_argument("--nncf", type=int, default=0, help="samples that NNCF calibrates on")
    parser.add_argument("--bfloat16", action="store_true", help="also float parts in bfloat16")
    parser.add_argument("--side", type=int, default=evaluate.SIDE)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--limit", type=int, default=0, help="pictures of each set; 0 is all")
    parser.add_argument("--made", type=int, default=sets.VALIDATION, help="of each generated set")
    parser.add_argument("--sets", nargs="*", help="some of the sets only")
    parser.add_argument("--rounds", type=int, default=30, help="of timing")
    parser.add_argument("--output", type=Path, help="the figures as JSON")
    parser.add_argument("--publish", action="store_true", help="put the first form beside the file")
    options = parser.parse_args(arguments)
    if options.publish:
        if options.limit or options.sets or options.made < sets.VALIDATION:
            parser.error("--publish takes all validation pictures: no --limit, --sets or --made")
        if not options.forms:
            parser.error("--publish needs the form: --forms FILE.onnx")
    cv2.setNumThreads(1)
    forms: list[Path] = list(options.forms)
    if options.nncf:
        import quantise
        from recipe import read_recipe

        recipe = read_recipe(Path(__file__).with_name("recipe-int8.toml"))
        batches = quantise.first_batches(recipe, (options.nncf + 7) // 8)
        feed = [image[None].contiguous().numpy() for batch in batches for image in batch]
        target = memmap_dataset.work_folder() / "int8" / "nncf.xml"
        target.parent.mkdir(parents=True, exist_ok=True)
        by_nncf(options.model, target, feed[: options.nncf])
        forms.append(target)
    exact = opened(options.model, options.side, options.threads)
    runs = {form.stem: opened(form, options.side, options.threads) for form in forms}
    half = {}
    if options.bfloat16:
        half["float file, bfloat16"] = opened(options.model, options.side, options.threads, "bf16")
        for form in forms:
            half[f"{form.stem}, rest bfloat16"] = opened(
                form, options.side, options.threads, "bf16"
            )
    runs |= half
    available = sets.validation(options.made)
    chosen = {name: available[name] for name in options.sets or available}
    found = compare(exact, runs, chosen, side=options.side, limit=options.limit)
    faster = timed({"float": exact, **runs}, options.side, options.rounds)
    data = report(found, faster)
    if options.output:
        options.output.write_text(json.dumps(data, indent=1))
    if options.publish:
        print(publish(options.model, forms[0], data[forms[0].stem]))


if __name__ == "__main__":
    main()
