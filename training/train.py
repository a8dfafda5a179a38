"""Trains nssbg-lite from the banks: `python training/train.py`, again with `--resume` to go on.

The recipe is read from its file at each start, so a run may be stopped, its remaining phases
changed, and resumed.
"""

from __future__ import annotations

import argparse
import copy
import os
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import architecture
import cv2
import evaluate
import losses
import memmap_dataset
import muon
import torch
from data_parallel import Ranks, start
from recipe import read_recipe
from samples import Samples, normalised
from torch import distributed
from torch.utils.data import DataLoader
from watch import Watch


def split_parameters(
    network: torch.nn.Module,
) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Kernels for Muon; everything thin (norms, biases, first layer, heads) for AdamW."""
    kernels, thin = [], []
    for name, parameter in network.named_parameters():
        wide = parameter.ndim == 4 and parameter.shape[0] > 4 and parameter.shape[1] > 3
        (kernels if wide and "head" not in name else thin).append(parameter)
    return kernels, thin


def train(rank: int, options: argparse.Namespace) -> None:
    """The loop of one rank."""
    os.nice(options.nice)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    if options.ranks > 1:
        distributed.init_process_group(
            "gloo",
            init_method=f"tcp://127.0.0.1:{options.port}",
            rank=rank,
            world_size=options.ranks,
            timeout=timedelta(hours=2),  # a pause of the machine's owner must not end the run
        )
    recipe = read_recipe(options.recipe)
    work = memmap_dataset.work_folder()
    runs = work / "runs" / options.name
    runs.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(recipe.seed)
    network = architecture.LiteNetwork().to(memory_format=torch.channels_last).train()
    average = copy.deepcopy(network).eval()
    ranks = Ranks(rank, options.ranks, list(network.parameters()))
    kernels, thin = split_parameters(network)
    optimizers: list[torch.optim.Optimizer] = [
        muon.Muon(
            [p for p in kernels if ranks.owned(p)],
            lr=recipe.peak,
            weight_decay=recipe.weight_decay,
        ),
        torch.optim.AdamW([p for p in thin if ranks.owned(p)], lr=recipe.peak, weight_decay=0.0),
    ]
    step = 0
    # Each rank keeps the momentum of its own share; rank 0 also keeps the weights.
    checkpoint = runs / "checkpoint.pt"
    momentum = runs / f"momentum-{rank}-of-{options.ranks}.pt"
    if options.resume and checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        network.load_state_dict(saved["network"])
        average.load_state_dict(saved["average"])
        step = saved["step"]
        if momentum.exists():
            for optimizer, state in zip(
                optimizers, torch.load(momentum, weights_only=True), strict=True
            ):
                optimizer.load_state_dict(state)

    def save() -> None:
        wanted = [(momentum, [o.state_dict() for o in optimizers])]
        if rank == 0:
            weights = {
                "network": network.state_dict(),
                "average": average.state_dict(),
                "step": step,
            }
            wanted.append((checkpoint, weights))  # type: ignore[arg-type]
        for path, content in wanted:
            part = path.with_suffix(".part")
            torch.save(content, part)
            part.replace(path)

    def say(text: str) -> None:
        if rank == 0:
            print(text, flush=True)
            with (runs / "log.txt").open("a") as log:
                print(text, file=log)

    validation = Watch() if rank == 0 else None
    say(f"{time.strftime('%H:%M:%S')} start at step {step} of {recipe.steps}")
    total_loss, total_error, since = 0.0, 0.0, time.time()
    while step < recipe.steps:
        index, phase, left = recipe.phase_at(step)
        # Another seed a phase, a rank and a resume: no stretch of the stream is seen twice.
        seed = (recipe.seed * 1_000_000 + step + index) * options.ranks + rank
        network.drop_paths(phase.drop)
        share = replace(phase, batch=phase.batch // options.ranks)
        loader = DataLoader(
            Samples(work / "banks", share, seed),
            batch_size=None,
            num_workers=options.workers,
            prefetch_factor=4 if options.workers else None,
            # Not forked: locks that a thread held then would stay locked in the child.
            multiprocessing_context="spawn" if options.workers else None,
        )
        for rgb, mask, outline in loader:
            rate = recipe.rate_at(step)
            for optimizer in optimizers:
                for group in optimizer.param_groups:
                    group["lr"] = rate
            with torch.autocast("cpu", torch.bfloat16):
                full, sides = network.forward_training(normalised(rgb))
            loss, error = losses.total_loss(full, sides, mask, outline)
            network.zero_grad(set_to_none=True)
            loss.backward()
            ranks.average_gradients()
            for optimizer in optimizers:
                optimizer.step()
            ranks.share_values()
            keep = min(recipe.average, (1 + step) / (20 + step))
            with torch.no_grad():
                torch._foreach_lerp_(
                    list(average.parameters()), list(network.parameters()), 1 - keep
                )
                for slow, fast in zip(average.buffers(), network.buffers(), strict=True):
                    if slow.dtype.is_floating_point:
                        slow.lerp_(fast, 1 - keep)
            step += 1
            left -= 1
            total_loss += float(loss.detach())
            total_error += error
            if step % options.report == 0:
                speed = options.report * phase.batch / (time.time() - since)
                say(
                    f"{time.strftime('%H:%M:%S')} step {step} size {phase.size} rate {rate:.2e} "
                    f"loss {total_loss / options.report:.4f} MAE "
                    f"{total_error / options.report:.4f} {speed:.0f} samples/s"
                )
                total_loss, total_error, since = 0.0, 0.0, time.time()
            if step % options.watch == 0 or step == recipe.steps:
                save()
                if validation:
                    say(f"  validation at {evaluate.SIDE}: {validation(average, evaluate.SIDE)}")
                since = time.time()
            if left == 0:
                save()  # the next phase starts new processes, which may fail
                break
    save()
    say(f"{time.strftime('%H:%M:%S')} done")
    if options.ranks > 1:
        distributed.destroy_process_group()


def main(arguments: list[str] | None = None) -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", default="lite", help="folder of the run")
    parser.add_argument("--recipe", type=Path, default=Path(__file__).with_name("recipe.toml"))
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    parser.add_argument("--ranks", type=int, default=2, help="processes, one a core")
    parser.add_argument("--workers", type=int, default=1, help="generating processes a rank")
    parser.add_argument("--nice", type=int, default=0, help="how far to give way to other work")
    parser.add_argument("--port", type=int, default=29517)
    parser.add_argument("--report", type=int, default=50)
    parser.add_argument("--watch", type=int, default=1000)
    options = parser.parse_args(arguments)
    start(train, options)


if __name__ == "__main__":
    main()
