"""Architectures for the x2 network side by side: `python -m enhance.compare --steps 200` (training/
on the path). The table of docs/decisions/1043-own-enhancement-networks.md.

Each learns the same samples from the same seed and is measured on validation pictures that were
halved; its time is processor time on OpenVINO, one thread, for a megapixel in.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from functools import partial

import memmap_dataset
import numpy as np
import quiet  # noqa: F401  # before the runtime
import torch
from PIL import Image
from torch import nn

from enhance import export, measures, samples, train
from enhance.degradations import Pixels
from enhance.evaluate import even, resized
from enhance.network import IdentityConv, UpscaleNetwork, folded, operations
from enhance.pictures import bank_folder

TILE = 256


def identity(width: int, depth: int) -> UpscaleNetwork:
    """As it is shipped, at a width and depth."""
    return UpscaleNetwork(width, depth)


def plain(width: int, depth: int) -> UpscaleNetwork:
    """Without the identities that are folded at export."""
    network = UpscaleNetwork(width, depth)
    for layer in network.body:
        if isinstance(layer, IdentityConv):
            layer.identity.zero_()
            layer.kernel.data *= 2 * math.sqrt(2)
    return network


def depthwise(width: int, depth: int) -> UpscaleNetwork:
    """Depthwise 3 x 3 and 1 x 1 in turns."""
    network = UpscaleNetwork(width, 0)
    layers: list[nn.Module] = []
    for _ in range(depth):
        layers += [nn.Conv2d(width, width, 3, padding=1, groups=width), nn.ReLU()]
        layers += [nn.Conv2d(width, width, 1), nn.ReLU()]
    network.body = nn.Sequential(*layers)
    return network


CANDIDATES: dict[str, Callable[[], UpscaleNetwork]] = {
    "32 wide, 6 deep, identities folded": partial(identity, 32, 6),
    "32 wide, 6 deep, plain": partial(plain, 32, 6),
    "48 wide, 3 deep": partial(identity, 48, 3),
    "16 wide, 20 deep": partial(identity, 16, 20),
    "64 wide, 12 deep, depthwise": partial(depthwise, 64, 12),
}


def seconds_of(network: UpscaleNetwork) -> float:
    """Processor seconds for a megapixel in, on one thread of OpenVINO in float32."""
    import openvino

    core = openvino.Core()
    compiled = core.compile_model(
        core.read_model(export.graph_of(network).SerializeToString()),
        "CPU",
        {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1},
    )
    request, tile = compiled.create_infer_request(), np.zeros((1, 5, TILE, TILE), np.float32)
    request.infer({"image": tile})
    times = []
    for _ in range(5):
        start = time.process_time()
        request.infer({"image": tile})
        times.append(time.process_time() - start)
    return min(times) * 1e6 / TILE**2


def gain_of(network: nn.Module, pictures: list[Pixels]) -> float:
    """dB of PSNR-Y over Pillow's bicubic, mean."""
    gains = []
    for truth in pictures:
        half = truth.shape[1] // 2, truth.shape[0] // 2
        small = resized(truth, half, Image.Resampling.BICUBIC)
        told = torch.zeros(1, 5, *small.shape[:2])
        told[0, :3] = torch.from_numpy(small.transpose(2, 0, 1).astype(np.float32) / 255)
        with torch.no_grad():
            answer = network(told)[0].permute(1, 2, 0).numpy()
        found = np.clip(np.rint(answer * 255), 0, 255).astype(np.uint8)
        bicubic = resized(small, (truth.shape[1], truth.shape[0]), Image.Resampling.BICUBIC)
        gains.append(measures.psnr_y(found, truth, 8) - measures.psnr_y(bicubic, truth, 8))
    return float(np.mean(gains))


def main() -> None:
    """Reads the command line and prints a row for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=200)
    options = parser.parse_args()
    torch.set_num_threads(1)
    recipe = train.read_recipe()
    patches = samples.Patches(memmap_dataset.Bank(bank_folder(), "training"))
    kept = memmap_dataset.Bank(bank_folder(), "validation")
    pictures = [even(np.asarray(kept[i])) for i in range(0, len(kept), max(1, len(kept) // 16))]
    print("| | multiplications a pixel | s a megapixel | dB over bicubic |\n|---|---|---|---|")
    for title, build in CANDIDATES.items():
        learner = train.Learner("upscale", recipe, build)
        for step in range(options.steps):
            learner.learn(patches, step / options.steps)
        network = folded(learner.average.eval())
        print(
            f"| {title} | {operations(network):,.0f} | {seconds_of(network):.2f} | "
            f"{gain_of(network, pictures):+.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
