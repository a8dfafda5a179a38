"""Fine-tunes a finished network with its arithmetic rounded to int8, and exports that form.

`python training/quantise.py --model nssbg-lite.onnx --output FILE.onnx`: the float network is the
teacher of its own rounded form, on the generator's samples. With `--steps 0` the ranges are
calibrated and nothing is learnt: post-training quantisation.
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import cv2
import evaluate
import export
import fake_quantisation
import losses
import memmap_dataset
import numpy as np
import quiet  # noqa: F401  # before the runtimes
import torch
import warm_start
from data_parallel import Ranks, start
from recipe import Recipe, read_recipe
from samples import Samples, normalised
from torch import Tensor, distributed, nn
from torch.nn import functional

CALIBRATION = 12  # batches that the first ranges are taken from
WATCHED = 6  # batches that are looked at before and after
# Logarithms of steps move this many times as far as kernels: three parts in a hundred thousand of
# a range a training step at a peak of 1e-6. At ten times that peak networks came out farther from
# the float one than they went in (docs/decisions/0409-int8-by-training.md).
STEPS_RATE = 30.0
LIMIT_APART = 1.0 / 255  # mean distance of the file's alpha from the rounded network's, a runtime


def distillation(found: Tensor, wanted: Tensor) -> Tensor:
    """How far the rounded network's logits are from the float network's; 0 where they agree.

    The cross entropy of both alphas less the entropy of the wanted one, and what is reported:
    the mean distance of the alphas.
    """
    alpha = torch.sigmoid(wanted)
    crossed = functional.binary_cross_entropy_with_logits(found, alpha)
    own = functional.binary_cross_entropy_with_logits(wanted, alpha)
    return crossed - own + 2.0 * (torch.sigmoid(found) - alpha).abs().mean()


def truth_loss(found: Tensor, mask: Tensor) -> Tensor:
    """The plain loss on the full map; `mask` is uint8 N x H x W."""
    truth = mask[:, None].float() / 255
    plain = functional.binary_cross_entropy_with_logits(found, truth)
    return plain + losses.region_loss(torch.sigmoid(found), truth)


def optimizer_of(network: nn.Module, recipe: Recipe, ranks: Ranks) -> torch.optim.Optimizer:
    """AdamW over kernels and biases, and over the logarithms of the steps at their own rate."""
    groups: dict[float, list[Tensor]] = {1.0: [], STEPS_RATE: []}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad and ranks.owned(parameter):
            groups[STEPS_RATE if "log_step" in name else 1.0].append(parameter)
    return torch.optim.AdamW(
        [{"params": group, "scale": scale} for scale, group in groups.items() if group],
        lr=recipe.peak,
        weight_decay=0.0,
    )


def learn(
    rounded: nn.Module,
    float_network: nn.Module,
    recipe: Recipe,
    rank: int,
    options: argparse.Namespace,
) -> None:
    """The loop of one rank: all ranks end with the same weights."""
    parameters = [p for name, p in rounded.named_parameters() if not name.startswith("side_heads")]
    ranks = Ranks(rank, options.ranks, parameters)
    for parameter in set(rounded.parameters()) - set(parameters):
        parameter.requires_grad_(False)
    optimizer = optimizer_of(rounded, recipe, ranks)
    (phase,) = recipe.phases
    share = replace(phase, batch=max(1, phase.batch // options.ranks))
    stream = Samples(
        memmap_dataset.work_folder() / "banks", share, recipe.seed * options.ranks + rank
    )
    apart, since = 0.0, time.time()
    for step, (rgb, mask, _) in zip(range(recipe.steps), stream, strict=False):
        for group in optimizer.param_groups:
            group["lr"] = recipe.rate_at(step) * group["scale"]
        batch = normalised(rgb)
        with torch.no_grad():
            wanted = float_network(batch)
        found = rounded(batch)
        loss = distillation(found, wanted)
        if options.truth:
            loss = loss + options.truth * truth_loss(found, mask)
        rounded.zero_grad(set_to_none=True)
        loss.backward()
        ranks.average_gradients()
        optimizer.step()
        ranks.share_values()
        with torch.no_grad():
            apart += float((torch.sigmoid(found) - torch.sigmoid(wanted)).abs().mean())
        if (step + 1) % options.report == 0 and rank == 0:
            speed = options.report * phase.batch / (time.time() - since)
            print(
                f"{time.strftime('%H:%M:%S')} step {step + 1} of {recipe.steps}: alpha "
                f"{255 * apart / options.report:.3f}/255 from float, {speed:.1f} samples/s",
                flush=True,
            )
            apart, since = 0.0, time.time()


@torch.no_grad()
def distance(rounded: nn.Module, float_network: nn.Module, batches: list[Tensor]) -> float:
    """Mean distance of the alphas, 0..1."""
    apart = [
        (torch.sigmoid(rounded(batch)) - torch.sigmoid(float_network(batch))).abs().mean()
        for batch in batches
    ]
    return float(torch.stack(apart).mean())


def first_batches(recipe: Recipe, count: int, seed: int = 1) -> list[Tensor]:
    """Samples that the ranges begin with, or others that are watched while they are learnt."""
    share = replace(recipe.phases[0], batch=8)
    stream = Samples(memmap_dataset.work_folder() / "banks", share, recipe.seed + seed)
    return [normalised(rgb) for _, (rgb, _, _) in zip(range(count), stream, strict=False)]


def layer_precisions(model: Path, side: int) -> dict[str, int]:
    """How many of a file's convolutions OpenVINO runs in which arithmetic."""
    import openvino

    core = openvino.Core()
    graph = core.read_model(str(model))
    graph.reshape([1, 3, side, side])
    compiled = core.compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    counts: dict[str, int] = {}
    for node in compiled.get_runtime_model().get_ordered_ops():
        told = node.get_rt_info()
        if told["layerType"].value == "Convolution":
            kind = str(told["runtimePrecision"].value)
            counts[kind] = counts.get(kind, 0) + 1
    return counts


def check(rounded: nn.Module, made: Path, batch: Tensor) -> None:
    """Raises where a runtime's answer is far from the network that was trained.

    Runtimes fuse what PyTorch rounds one after the other, so that values on the border between two
    levels fall to either side: single pixels differ, a mean does not.
    """
    with torch.no_grad():
        wanted = torch.sigmoid(rounded(batch)).numpy()
    images = batch.contiguous().numpy()
    for name, run in (("ONNX Runtime", export.run_onnxruntime), ("OpenVINO", export.run_openvino)):
        apart = float(np.abs(run(made, images) - wanted).mean())
        print(f"{name}: {255 * apart:.3f}/255 (mean) from the rounded network")
        if apart > LIMIT_APART:
            raise SystemExit(f"{made}: {name} computes another network")


def make(rank: int, options: argparse.Namespace) -> None:
    """Calibrates, learns, and writes: the whole of one rank."""
    os.nice(options.nice)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    if options.ranks > 1:
        distributed.init_process_group(
            "gloo",
            init_method=f"tcp://127.0.0.1:{options.port}",
            rank=rank,
            world_size=options.ranks,
            timeout=timedelta(minutes=30),
        )
    recipe = read_recipe(options.recipe)
    if options.steps is not None:
        (phase,) = recipe.phases
        recipe = replace(recipe, phases=(replace(phase, steps=options.steps),))
    torch.manual_seed(recipe.seed)
    layout = {"memory_format": torch.channels_last}
    float_network = fake_quantisation.folded(options.model, options.keep).to(**layout)
    rounded = fake_quantisation.rounded(
        fake_quantisation.folded(options.model, options.keep), options.in_float
    ).to(**layout)
    batches = first_batches(recipe, CALIBRATION)
    fake_quantisation.calibrate(rounded, batches)
    if recipe.steps:
        # Batches differ by more than learning changes: the same ones before and after.
        watched = first_batches(recipe, WATCHED, seed=2) if rank == 0 else []
        before = distance(rounded, float_network, watched) if watched else 0.0
        learn(rounded, float_network, recipe, rank, options)
        if watched:
            after = distance(rounded, float_network, watched)
            print(
                f"alpha from float, on {8 * len(watched)} samples that are not learnt from: "
                f"{255 * before:.3f}/255 calibrated, {255 * after:.3f}/255 learnt"
            )
    if options.ranks > 1:
        distributed.destroy_process_group()
    if rank == 0:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        fake_quantisation.export_int8(rounded, options.output)
        print(f"{options.output}: {options.output.stat().st_size} bytes")
        print(f"convolutions: {layer_precisions(options.output, evaluate.SIDE)}")
        check(rounded, options.output, batches[0])


def main(arguments: list[str] | None = None) -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--model", type=Path, default=warm_start.SHIPPED, help="an exported file, or a checkpoint"
    )
    parser.add_argument("--keep", type=float, default=0.0, help="of a checkpoint; see export.py")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--recipe", type=Path, default=Path(__file__).with_name("recipe-int8.toml"))
    parser.add_argument("--steps", type=int, help="other than the recipe's; 0: ranges only")
    parser.add_argument(
        "--in-float",
        nargs="*",
        choices=list(fake_quantisation.FLOAT_PARTS),
        default=list(fake_quantisation.IN_FLOAT),
        help="what is not rounded",
    )
    parser.add_argument(
        "--truth",
        type=float,
        default=0.0,
        help="weight of the loss against the true masks: 0.05 pulls the network away from the "
        "float one (training/experiments.md)",
    )
    parser.add_argument("--ranks", type=int, default=2, help="processes, one a core")
    parser.add_argument("--nice", type=int, default=0)
    parser.add_argument("--port", type=int, default=29531)
    parser.add_argument("--report", type=int, default=25)
    options = parser.parse_args(arguments)
    start(make, options)


if __name__ == "__main__":
    main()
