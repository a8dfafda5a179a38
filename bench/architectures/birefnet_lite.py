"""BiRefNet-lite with random weights, as ONNX files like the public ones.

The architecture of Zheng et al., "Bilateral Reference for High-Resolution Dichotomous Image
Segmentation" (2024), with its Swin-T encoder (Liu et al., 2021), written from the papers and
the published configuration: the picture at two scales through the encoder, context from all
stages, a decoder of deformable spatial pyramids fed with patches of the picture and gated by
gradient attention. Operations, memory and time are the real network's. Needs torch.

    python -m bench.architectures.birefnet_lite OUT.onnx --form gathernd --size 1024
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.architectures.deform_conv import FORMS, DeformableConv2d
from bench.architectures.u2net import randomize

WINDOW = 7


class WindowAttention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.project = nn.Linear(width, width)
        self.bias = nn.Parameter(torch.randn((2 * WINDOW - 1) ** 2, heads) * 0.02)
        y, x = torch.meshgrid(torch.arange(WINDOW), torch.arange(WINDOW), indexing="ij")
        points = torch.stack((y.flatten(), x.flatten()))
        apart = points[:, :, None] - points[:, None, :] + WINDOW - 1
        self.register_buffer("index", apart[0] * (2 * WINDOW - 1) + apart[1])

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        windows, tokens, width = x.shape
        qkv = self.qkv(x).reshape(windows, tokens, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        scores = (q * (width // self.heads) ** -0.5) @ k.transpose(-2, -1)
        bias = self.bias[self.index.reshape(-1)].reshape(tokens, tokens, self.heads)
        scores = scores + bias.permute(2, 0, 1)[None]
        if mask is not None:
            count = mask.shape[0]
            scores = scores.reshape(windows // count, count, self.heads, tokens, tokens)
            scores = (scores + mask[None, :, None]).reshape(windows, self.heads, tokens, tokens)
        mixed = scores.softmax(-1) @ v
        return self.project(mixed.transpose(1, 2).reshape(windows, tokens, width))


def to_windows(x: Tensor) -> Tensor:
    batch, height, columns, width = x.shape
    x = x.reshape(batch, height // WINDOW, WINDOW, columns // WINDOW, WINDOW, width)
    return x.permute(0, 1, 3, 2, 4, 5).reshape(-1, WINDOW * WINDOW, width)


def from_windows(x: Tensor, batch: int, height: int, columns: int) -> Tensor:
    x = x.reshape(batch, height // WINDOW, columns // WINDOW, WINDOW, WINDOW, -1)
    return x.permute(0, 1, 3, 2, 4, 5).reshape(batch, height, columns, -1)


def shift_mask(height: int, columns: int) -> Tensor:
    regions = torch.zeros(1, height, columns, 1)
    parts = (slice(0, -WINDOW), slice(-WINDOW, -(WINDOW // 2)), slice(-(WINDOW // 2), None))
    for row, rows in enumerate(parts):
        for column, span in enumerate(parts):
            regions[:, rows, span] = 3 * row + column
    windows = to_windows(regions).squeeze(-1)
    return (windows[:, None] != windows[:, :, None]).float() * -100.0


class SwinBlock(nn.Module):
    def __init__(self, width: int, heads: int, shift: int) -> None:
        super().__init__()
        self.shift = shift
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = WindowAttention(width, heads)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        batch, height, columns, _ = x.shape
        down, right = -height % WINDOW, -columns % WINDOW
        y = F.pad(self.norm1(x), (0, 0, 0, right, 0, down))
        if self.shift:
            y = torch.roll(y, (-self.shift, -self.shift), (1, 2))
        rows, span = height + down, columns + right
        y = self.attention(to_windows(y), mask if self.shift else None)
        y = from_windows(y, batch, rows, span)
        if self.shift:
            y = torch.roll(y, (self.shift, self.shift), (1, 2))
        x = x + y[:, :height, :columns]
        return x + self.mlp(self.norm2(x))


class Merge(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(4 * width)
        self.reduce = nn.Linear(4 * width, 2 * width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = F.pad(x, (0, 0, 0, x.shape[2] % 2, 0, x.shape[1] % 2))
        parts = [x[:, 0::2, 0::2], x[:, 1::2, 0::2], x[:, 0::2, 1::2], x[:, 1::2, 1::2]]
        return self.reduce(self.norm(torch.cat(parts, -1)))


class SwinTiny(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, 96, 4, 4)
        self.norm = nn.LayerNorm(96)
        self.stages, self.merges, self.norms = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for stage, (depth, heads) in enumerate(zip((2, 2, 6, 2), (3, 6, 12, 24), strict=True)):
            width = 96 << stage
            blocks = [SwinBlock(width, heads, (i % 2) * (WINDOW // 2)) for i in range(depth)]
            self.stages.append(nn.ModuleList(blocks))
            self.norms.append(nn.LayerNorm(width))
            if stage < 3:
                self.merges.append(Merge(width))

    def forward(self, x: Tensor) -> list[Tensor]:
        current = self.norm(self.embed(x).permute(0, 2, 3, 1))
        found = []
        for stage, blocks in enumerate(self.stages):
            height, columns = current.shape[1:3]
            mask = shift_mask(height + -height % WINDOW, columns + -columns % WINDOW)
            for block in blocks:
                current = block(current, mask)
            found.append(self.norms[stage](current).permute(0, 3, 1, 2).contiguous())
            if stage < 3:
                current = self.merges[stage](current)
        return found


def resized(x: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(x, size=size, mode="bilinear", align_corners=True)


class NormRelu(nn.Sequential):
    def __init__(self, layer: nn.Module, width: int) -> None:
        super().__init__(layer, nn.BatchNorm2d(width), nn.ReLU(inplace=True))


class DeformablePyramid(nn.Module):
    def __init__(self, width: int, form: str) -> None:
        super().__init__()
        inner = 256
        self.first = NormRelu(DeformableConv2d(width, inner, 1, form), inner)
        self.branches = nn.ModuleList(
            NormRelu(DeformableConv2d(width, inner, kernel, form), inner) for kernel in (1, 3, 7)
        )
        self.pool = NormRelu(nn.Conv2d(width, inner, 1, bias=False), inner)
        self.join = NormRelu(nn.Conv2d(5 * inner, width, 1, bias=False), width)

    def forward(self, x: Tensor) -> Tensor:
        size = (x.shape[2], x.shape[3])
        pooled = resized(self.pool(F.adaptive_avg_pool2d(x, 1)), size)
        parts = [self.first(x), *(branch(x) for branch in self.branches), pooled]
        return self.join(torch.cat(parts, 1))


class DecoderBlock(nn.Module):
    def __init__(self, channels_in: int, channels_out: int, form: str) -> None:
        super().__init__()
        self.enter = NormRelu(nn.Conv2d(channels_in, 64, 3, padding=1), 64)
        self.pyramid = DeformablePyramid(64, form)
        self.leave = nn.Sequential(
            nn.Conv2d(64, channels_out, 3, padding=1), nn.BatchNorm2d(channels_out)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.leave(self.pyramid(self.enter(x)))


class BiRefNetLite(nn.Module):
    def __init__(self, form: str) -> None:
        super().__init__()
        widths = [1536, 768, 384, 192]  # two scales of Swin-T side by side
        self.encoder = SwinTiny()
        self.squeeze = DecoderBlock(1536 + 192 + 384 + 768, 1536, form)
        patch_in = [3 * 4**level for level in (5, 4, 3, 2, 0)]
        patch_out = [192, 192, 96, 48, 24]
        self.patches = nn.ModuleList(
            nn.Sequential(nn.Conv2d(a, 64, 3, padding=1), nn.Conv2d(64, b, 3, padding=1))
            for a, b in zip(patch_in, patch_out, strict=True)
        )
        out = [*widths[1:], 96]
        self.blocks = nn.ModuleList(
            DecoderBlock(widths[i] + patch_out[i], out[i], form) for i in range(4)
        )
        self.laterals = nn.ModuleList(nn.Conv2d(width, width, 1) for width in widths[1:])
        self.gates = nn.ModuleList(
            nn.Sequential(NormRelu(nn.Conv2d(width, 16, 3, padding=1), 16), nn.Conv2d(16, 1, 1))
            for width in widths[1:]
        )
        self.mask = nn.Conv2d(96 + 24, 1, 1)

    def with_patches(self, x: Tensor, picture: Tensor, index: int) -> Tensor:
        batch, channels, height, width = picture.shape
        rows, columns = x.shape[2:]
        gh, gw = height // rows, width // columns
        cut = picture.reshape(batch, channels, gh, rows, gw, columns)
        cut = cut.permute(0, 1, 2, 4, 3, 5).reshape(batch, channels * gh * gw, rows, columns)
        return torch.cat((x, self.patches[index](cut)), 1)

    def forward(self, picture: Tensor) -> Tensor:
        height, width = picture.shape[2:]
        full = self.encoder(picture)
        half = self.encoder(resized(picture, (height // 2, width // 2)))
        found = [
            torch.cat((a, resized(b, (a.shape[2], a.shape[3]))), 1)
            for a, b in zip(full, half, strict=True)
        ]
        size = (found[3].shape[2], found[3].shape[3])
        current = self.squeeze(
            torch.cat([*(resized(item, size) for item in found[:3]), found[3]], 1)
        )
        for level in range(4):
            current = self.blocks[level](self.with_patches(current, picture, level))
            if level < 3:
                current = current * torch.sigmoid(self.gates[level](current))
                skip = found[2 - level]
                current = resized(current, (skip.shape[2], skip.shape[3]))
                current = current + self.laterals[level](skip)
        current = resized(current, (height, width))
        return self.mask(self.with_patches(current, picture, 4))


def export(path: Path, *, form: str = "gathernd", size: int = 1024, dynamo: bool = False) -> None:
    """Write the network as ONNX: logits, input "input_image", fixed size."""
    torch.manual_seed(0)  # the position biases
    network = randomize(BiRefNetLite(form))
    torch.onnx.export(
        network,
        (torch.zeros(1, 3, size, size),),
        str(path),
        input_names=["input_image"],
        output_names=["output_image"],
        opset_version=19 if form == "native" else 17,
        dynamo=dynamo,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("--form", choices=FORMS, default="gathernd")
    parser.add_argument("--size", type=int, default=1024)
    given = parser.parse_args()
    export(given.path, form=given.form, size=given.size)
