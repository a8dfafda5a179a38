"""U-2-Net, U-2-Net-p and IS-Net with random weights, as ONNX files like the public ones.

The architectures are those of Qin et al., "U2-Net: Going Deeper with Nested U-Structure"
(2020) and "Highly Accurate Dichotomous Image Segmentation" (2022), written from the papers'
tables: channel counts and depths are the published ones, so operations, memory and time are
the real networks'. Needs torch (dependency group `bench`).

    python -m bench.architectures.u2net u2netp OUT.onnx
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Per stage: height of the inner U (0: the dilated one without pooling), channels in, middle,
# out. Six stages down, five up.
_WIDE_DOWN = [(6, 64, 32, 128), (5, 128, 64, 256), (4, 256, 128, 512)]
_WIDE_DOWN += [(0, 512, 256, 512), (0, 512, 256, 512)]
_WIDE_UP = [(0, 1024, 256, 512), (4, 1024, 128, 256), (5, 512, 64, 128)]
_WIDE_UP += [(6, 256, 32, 64), (7, 128, 16, 64)]
STAGES = {
    "u2net": ([(7, 3, 32, 64), *_WIDE_DOWN], _WIDE_UP),
    "isnet": ([(7, 64, 32, 64), *_WIDE_DOWN], _WIDE_UP),
    "u2netp": (
        [(7, 3, 16, 64), *((height, 64, 16, 64) for height in (6, 5, 4, 0, 0))],
        [(height, 128, 16, 64) for height in (0, 4, 5, 6, 7)],
    ),
}
SIZES = {"u2net": 320, "u2netp": 320, "isnet": 1024}


def upsampled(x: Tensor, like: Tensor) -> Tensor:
    if x.shape[2:] == like.shape[2:]:  # the innermost level of a U, as in the published files
        return x
    return F.interpolate(x, size=like.shape[2:], mode="bilinear", align_corners=False)


class ConvNormRelu(nn.Sequential):
    def __init__(self, channels_in: int, channels_out: int, dilation: int = 1) -> None:
        super().__init__(
            nn.Conv2d(channels_in, channels_out, 3, padding=dilation, dilation=dilation),
            nn.BatchNorm2d(channels_out),
            nn.ReLU(inplace=True),
        )


class ResidualU(nn.Module):
    """A U of `height` levels inside one stage, or the dilated form that keeps its size."""

    def __init__(self, height: int, channels_in: int, middle: int, channels_out: int) -> None:
        super().__init__()
        self.dilated = height == 0
        levels = 4 if self.dilated else height
        self.enter = ConvNormRelu(channels_in, channels_out)
        down = [ConvNormRelu(channels_out, middle)]
        for level in range(1, levels - 1):
            down.append(ConvNormRelu(middle, middle, 2**level if self.dilated else 1))
        self.down = nn.ModuleList(down)
        self.bottom = ConvNormRelu(middle, middle, 8 if self.dilated else 2)
        up = []
        for level in range(levels - 2, -1, -1):
            out = channels_out if level == 0 else middle
            up.append(ConvNormRelu(2 * middle, out, 2**level if self.dilated else 1))
        self.up = nn.ModuleList(up)

    def forward(self, x: Tensor) -> Tensor:
        entered = self.enter(x)
        features, current = [], entered
        for index, layer in enumerate(self.down):
            if index and not self.dilated:
                current = F.max_pool2d(current, 2, 2, ceil_mode=True)
            current = layer(current)
            features.append(current)
        current = self.bottom(current)
        for layer in self.up:
            skip = features.pop()
            if not self.dilated:
                current = upsampled(current, skip)
            current = layer(torch.cat((current, skip), 1))
        return current + entered


class NestedU(nn.Module):
    """The outer U with a side output a level; the first output is the mask."""

    def __init__(self, name: str) -> None:
        super().__init__()
        down, up = STAGES[name]
        self.stem = nn.Conv2d(3, 64, 3, stride=2, padding=1) if name == "isnet" else None
        self.fuse = name != "isnet"
        self.down = nn.ModuleList(ResidualU(*row) for row in down)
        self.up = nn.ModuleList(ResidualU(*row) for row in up)
        sides = [row[3] for row in reversed(up)] + [down[-1][3]]
        self.sides = nn.ModuleList(nn.Conv2d(channels, 1, 3, padding=1) for channels in sides)
        self.merge = nn.Conv2d(6, 1, 1) if self.fuse else None

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        current = self.stem(x) if self.stem is not None else x
        features = []
        for index, stage in enumerate(self.down):
            if index:
                current = F.max_pool2d(current, 2, 2, ceil_mode=True)
            current = stage(current)
            features.append(current)
        decoded = [features.pop()]
        for stage in self.up:
            skip = features.pop()
            decoded.insert(0, stage(torch.cat((upsampled(decoded[0], skip), skip), 1)))
        masks = [side(item) for side, item in zip(self.sides, decoded, strict=True)]
        if self.merge is not None:
            masks = [masks[0], *(upsampled(item, masks[0]) for item in masks[1:])]
            masks.insert(0, self.merge(torch.cat(masks, 1)))
        else:
            masks = [upsampled(item, x) for item in masks]
        return tuple(torch.sigmoid(item) for item in masks)


def randomize(network: nn.Module, seed: int = 0) -> nn.Module:
    """Weights and statistics that keep activations in a real network's range."""
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            fan = module.weight[0].numel()
            module.weight.data.normal_(0, (2.0 / fan) ** 0.5, generator=generator)
            if module.bias is not None:
                module.bias.data.zero_()
        elif isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1, generator=generator)
            module.running_var.uniform_(0.7, 1.4, generator=generator)
            module.weight.data.uniform_(0.6, 1.1, generator=generator)
            module.bias.data.normal_(0, 0.1, generator=generator)
    return network.eval()


def export(name: str, path: Path, *, size: int | None = None, dynamic: bool = False) -> None:
    """Write the network as ONNX, its input called "input.1" as in the public files."""
    network = randomize(NestedU(name))
    edge = size or SIZES[name]
    torch.onnx.export(
        network,
        (torch.zeros(1, 3, edge, edge),),
        str(path),
        input_names=["input.1"],
        opset_version=17,
        dynamic_axes={"input.1": {0: "batch", 2: "height", 3: "width"}} if dynamic else None,
        dynamo=False,
    )


if __name__ == "__main__":
    export(sys.argv[1], Path(sys.argv[2]))
