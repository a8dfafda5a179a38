"""The Swin transformer as an encoder of pictures, node by node.

Liu et al., "Swin Transformer: Hierarchical Vision Transformer using Shifted Windows" (2021), as
torch exports it: windows by reshaping, shifts by slices. Weights go by the names that
bench/architectures/birefnet_lite.py gives them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nssbg.bench.synthetic.graph import GraphBuilder

__all__ = ["SwinShape", "swin"]


@dataclass(frozen=True)
class SwinShape:
    """A member of the family.

    Attributes:
        width: Channels of the first stage; they double a stage.
        depths: Blocks of each stage.
        heads: Attention heads of each stage.
        window: Side of the attention's windows.
    """

    width: int
    depths: tuple[int, int, int, int]
    heads: tuple[int, int, int, int]
    window: int


def _regions(height: int, width: int, window: int) -> NDArray[np.float32]:
    """What keeps a shifted window's parts apart: windows x tokens x tokens, 0 or -100."""
    regions = np.zeros((height, width))
    parts = (slice(0, -window), slice(-window, -(window // 2)), slice(-(window // 2), None))
    for row, rows in enumerate(parts):
        for column, span in enumerate(parts):
            regions[rows, span] = 3 * row + column
    windows = regions.reshape(height // window, window, width // window, window)
    cut = windows.transpose(0, 2, 1, 3).reshape(-1, window * window)
    return np.where(cut[:, None] != cut[:, :, None], -100.0, 0.0).astype(np.float32)


def _position_bias(g: GraphBuilder, name: str, heads: int, window: int) -> str:
    """The table of relative positions, spread over all pairs of a window's tokens."""
    table = g.tensor(f"{name}.bias", ((2 * window - 1) ** 2, heads), "table")
    y, x = np.meshgrid(np.arange(window), np.arange(window), indexing="ij")
    points = np.stack((y.ravel(), x.ravel()))
    apart = points[:, :, None] - points[:, None, :] + window - 1
    index = apart[0] * (2 * window - 1) + apart[1]
    return g.constant(table[index].transpose(2, 0, 1)[None], f"{name}.bias")


def _attention(
    g: GraphBuilder, x: str, name: str, heads: int, window: int, mask: NDArray[np.float32] | None
) -> str:
    windows, tokens, width = g.shapes[x]
    deep = width // heads
    qkv = g.reshape(g.linear(x, f"{name}.qkv", 3 * width), windows, tokens, 3, heads, deep)
    qkv = g.transpose(qkv, 2, 0, 3, 1, 4)
    shape = (windows, heads, tokens, deep)
    index = [g.constant(np.array(i, np.int64)) for i in range(3)]
    q, k, v = (g.node("Gather", [qkv, i], shape, axis=0) for i in index)
    q = g.same("Mul", q, g.scalar(deep**-0.5))
    square = (windows, heads, tokens, tokens)
    scores = g.node("MatMul", [q, g.transpose(k, 0, 1, 3, 2)], square)
    scores = g.same("Add", scores, _position_bias(g, name, heads, window))
    if mask is not None:
        count = mask.shape[0]
        apart = g.constant(mask[None, :, None])
        scores = g.reshape(scores, windows // count, count, heads, tokens, tokens)
        scores = g.reshape(g.same("Add", scores, apart), *square)
    weights = g.node("Softmax", [scores], square, axis=-1)
    mixed = g.node("MatMul", [weights, v], shape)
    mixed = g.reshape(g.transpose(mixed, 0, 2, 1, 3), windows, tokens, width)
    return g.linear(mixed, f"{name}.project", width)


def _rolled(g: GraphBuilder, x: str, by: int) -> str:
    """Rows and columns shifted round; torch exports it as slices that are joined."""
    for axis in (1, 2):
        length = g.shapes[x][axis]
        cut = -by % length
        x = g.concat((g.part(x, axis, cut, length), g.part(x, axis, 0, cut)), axis)
    return x


def _padded(g: GraphBuilder, x: str, rows: int, columns: int) -> str:
    batch, height, width, channels = g.shapes[x]
    if not rows and not columns:
        return x
    shape = (batch, height + rows, width + columns, channels)
    return g.node("Pad", [x, g.integers(0, 0, 0, 0, 0, rows, columns, 0)], shape, mode="constant")


def _block(g: GraphBuilder, x: str, name: str, heads: int, window: int, shift: int) -> str:
    batch, height, width, channels = g.shapes[x]
    y = _padded(g, g.layer_norm(x, f"{name}.norm1"), -height % window, -width % window)
    rows, columns = g.shapes[y][1:3]
    if shift:
        y = _rolled(g, y, -shift)
    grid = (rows // window, columns // window)
    y = g.reshape(y, batch, grid[0], window, grid[1], window, channels)
    y = g.reshape(g.transpose(y, 0, 1, 3, 2, 4, 5), -1, window * window, channels)
    mask = _regions(rows, columns, window) if shift else None
    y = _attention(g, y, f"{name}.attention", heads, window, mask)
    y = g.reshape(y, batch, grid[0], grid[1], window, window, channels)
    y = g.reshape(g.transpose(y, 0, 1, 3, 2, 4, 5), batch, rows, columns, channels)
    if shift:
        y = _rolled(g, y, shift)
    if (rows, columns) != (height, width):
        y = g.part(g.part(y, 1, 0, height), 2, 0, width)
    x = g.same("Add", x, y)
    y = g.linear(g.layer_norm(x, f"{name}.norm2"), f"{name}.mlp.0", 4 * channels)
    y = g.linear(g.gelu(y), f"{name}.mlp.2", channels)
    return g.same("Add", x, y)


def _merge(g: GraphBuilder, x: str, name: str) -> str:
    """Four neighbours side by side, then half as many channels."""
    _, height, width, channels = g.shapes[x]
    x = _padded(g, x, height % 2, width % 2)
    _, height, width, _ = g.shapes[x]
    parts = [
        g.part(g.part(x, 1, row, height, 2), 2, column, width, 2)
        for row, column in ((0, 0), (1, 0), (0, 1), (1, 1))
    ]
    joined = g.layer_norm(g.concat(parts, 3), f"{name}.norm")
    return g.linear(joined, f"{name}.reduce", 2 * channels, bias=False)


def swin(g: GraphBuilder, picture: str, name: str, shape: SwinShape) -> list[str]:
    """The four stages' features, N x C x h x w, the finest (a fourth of the side) first."""
    x = g.conv(picture, f"{name}.embed", shape.width, 4, stride=4)
    x = g.layer_norm(g.transpose(x, 0, 2, 3, 1), f"{name}.norm")
    found = []
    for stage, (depth, heads) in enumerate(zip(shape.depths, shape.heads, strict=True)):
        for index in range(depth):
            shift = (index % 2) * (shape.window // 2)
            x = _block(g, x, f"{name}.stages.{stage}.{index}", heads, shape.window, shift)
        found.append(g.transpose(g.layer_norm(x, f"{name}.norms.{stage}"), 0, 3, 1, 2))
        if stage < 3:
            x = _merge(g, x, f"{name}.merges.{stage}")
    return found
