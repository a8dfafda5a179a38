"""The network nssbg-lite: a dense-convolution encoder, attention at its end, a skip decoder.

In: N x 3 x H x W, normalised RGB, H and W multiples of 32. Out: logits N x 1 x H x W, and in
training also coarser logits for deep supervision. Compute sits at strides 8 to 32, where context
is cheap; strides 2 and 4 only carry detail to the decoder.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

WIDTHS = (16, 32, 64, 128, 192)  # channels at strides 2, 4, 8, 16, 32


def convolution(inputs: int, outputs: int, size: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolution, batch norm, ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class Block(nn.Module):
    """Adds a branch to its input; in training a share `drop` of the samples goes without it.

    Stochastic depth (Huang et al., ECCV 2016): a network whose blocks cannot count on each other
    learns few pictures by heart less readily. Nothing of it is left in the exported file.
    """

    drop = 0.0

    def joined(self, features: Tensor, branch: Tensor) -> Tensor:
        """ReLU of the sum; what is kept is raised so that the mean stays."""
        if self.training and self.drop > 0:
            shape = (features.shape[0], 1, 1, 1)
            kept = (torch.rand(shape, device=features.device) >= self.drop).to(branch.dtype)
            branch = branch * (kept / (1 - self.drop))
        return functional.relu(features + branch)


class Residual(Block):
    """Two 3 x 3 convolutions with a shortcut; the inner width may be narrower."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.enter = convolution(width, inner)
        self.leave = nn.Conv2d(inner, width, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width)
        nn.init.constant_(self.norm.weight, 0.2)  # near identity at first: steadier early steps

    def forward(self, features: Tensor) -> Tensor:
        return self.joined(features, self.norm(self.leave(self.enter(features))))


class Attention(Block):
    """Every position looks at every other: whole-object context at stride 32 (10 x 10 tokens).

    Queries and keys are divided by their length instead of layer-normalised, and a depthwise
    convolution stands in for position codes, so that any input size works.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.place = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.mix = nn.Conv2d(width, 3 * width, 1, bias=False)
        self.mix_norm = nn.BatchNorm2d(3 * width)
        self.leave = nn.Conv2d(width, width, 1, bias=False)
        self.norm = nn.BatchNorm2d(width)
        nn.init.constant_(self.norm.weight, 0.2)

    def forward(self, features: Tensor) -> Tensor:
        batch, width, height, breadth = features.shape
        depth = width // self.heads
        mixed = self.mix_norm(self.mix(features + self.place(features)))
        tokens = mixed.reshape(batch, 3, self.heads, depth, height * breadth)
        query, key, value = tokens[:, 0], tokens[:, 1], tokens[:, 2]
        scores = torch.matmul(query.transpose(2, 3), key) * (1.0 / math.sqrt(depth))
        weights = torch.softmax(scores.float(), dim=-1).to(value.dtype)
        seen = torch.matmul(value, weights.transpose(2, 3))
        seen = seen.reshape(batch, width, height, breadth)
        return self.joined(features, self.norm(self.leave(seen)))


class Fuse(nn.Module):
    """One decoder step: the deeper map, narrowed and doubled in size, joins the skip."""

    def __init__(self, deep: int, width: int, outputs: int | None = None) -> None:
        super().__init__()
        self.narrow = nn.Sequential(nn.Conv2d(deep, width, 1, bias=False), nn.BatchNorm2d(width))
        self.blend = convolution(width, width if outputs is None else outputs)

    def forward(self, deep: Tensor, skip: Tensor) -> Tensor:
        raised = functional.interpolate(
            self.narrow(deep), scale_factor=2.0, mode="bilinear", align_corners=False
        )
        return self.blend(functional.relu(raised + skip))


class LiteNetwork(nn.Module):
    """The whole network; `forward` gives logits at the input's size."""

    def __init__(self) -> None:
        super().__init__()
        two, four, eight, sixteen, thirty_two = WIDTHS
        self.stage_two = convolution(3, two, 3, 2)
        self.stage_four = nn.Sequential(convolution(two, four, 3, 2), Residual(four, four))
        self.stage_eight = nn.Sequential(
            convolution(four, eight, 3, 2), Residual(eight, eight), Residual(eight, eight)
        )
        self.stage_sixteen = nn.Sequential(
            convolution(eight, sixteen, 3, 2), *(Residual(sixteen, sixteen) for _ in range(3))
        )
        self.stage_thirty_two = nn.Sequential(
            convolution(sixteen, thirty_two, 3, 2),
            Residual(thirty_two, 96),
            Attention(thirty_two, 6),
            Residual(thirty_two, 96),
            Residual(thirty_two, 96),
        )
        # Deeper where it is cheap: a tenth more time for half as many weights again.
        self.context = nn.Sequential(
            *(
                layer
                for _ in range(3)
                for layer in (Attention(thirty_two, 6), Residual(thirty_two, 96))
            )
        )
        self.fuse_sixteen = Fuse(thirty_two, sixteen)
        self.fuse_eight = Fuse(sixteen, eight)
        self.fuse_four = Fuse(eight, four)
        self.fuse_two = Fuse(four, two)
        # Four sub-pixels a position: full resolution at the price of half.
        self.head = nn.Conv2d(two, 4, 3, padding=1)
        self.side_heads = nn.ModuleList(
            nn.Conv2d(width, 1, 3, padding=1) for width in (thirty_two, sixteen, eight, four)
        )

    def drop_paths(self, most: float) -> None:
        """Sets how often training leaves a block out: more often the deeper, `most` at the end."""
        blocks = [m for m in self.modules() if isinstance(m, Block)]
        for index, block in enumerate(blocks):
            block.drop = most * (index + 1) / len(blocks)

    def decode(self, image: Tensor) -> list[Tensor]:
        """Decoder maps, coarse to fine: strides 32, 16, 8, 4, 2."""
        two = self.stage_two(image)
        four = self.stage_four(two)
        eight = self.stage_eight(four)
        sixteen = self.stage_sixteen(eight)
        maps = [self.context(self.stage_thirty_two(sixteen))]
        maps.append(self.fuse_sixteen(maps[-1], sixteen))
        maps.append(self.fuse_eight(maps[-1], eight))
        maps.append(self.fuse_four(maps[-1], four))
        maps.append(self.fuse_two(maps[-1], two))
        return maps

    def forward(self, image: Tensor) -> Tensor:
        return functional.pixel_shuffle(self.head(self.decode(image)[-1]), 2)

    def forward_training(self, image: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Full-size logits, and side logits at strides 32, 16, 8 and 4."""
        maps = self.decode(image)
        full = functional.pixel_shuffle(self.head(maps[-1]), 2)
        return full, [head(m) for head, m in zip(self.side_heads, maps[:-1], strict=True)]
