"""BiRefNet node by node, with the encoder of its lite or its general form.

Zheng et al., "Bilateral Reference for High-Resolution Dichotomous Image Segmentation" (2024) and
the published configuration: the picture at two scales through a Swin encoder, context from all
stages, a decoder of deformable pyramids fed with patches of the picture. Deformable convolution is
written in the pieces that the public exporters make of it (gathers and products).
"""

from __future__ import annotations

import numpy as np

from nssbg.bench.synthetic.graph import GraphBuilder
from nssbg.bench.synthetic.swin import SwinShape, swin

__all__ = ["ENCODERS", "birefnet"]

ENCODERS = {
    "birefnet-lite": SwinShape(96, (2, 2, 6, 2), (3, 6, 12, 24), 7),
    "birefnet": SwinShape(192, (2, 2, 18, 2), (6, 12, 24, 48), 12),
}
_INNER = 64  # channels inside a block of the decoder
_PYRAMID = 256  # channels of a branch of its pyramid


def _deform_conv(g: GraphBuilder, x: str, name: str, channels: int, kernel: int, norm: str) -> str:
    """DCN v2 of Zhu et al. (2019): sampled, weighted, then a convolution over the taps."""
    batch, channels_in, height, width = g.shapes[x]
    pad, taps = kernel // 2, kernel * kernel
    offset = g.conv(x, f"{name}.offset", 2 * taps, kernel, padding=pad)
    modulator = g.conv(x, f"{name}.modulator", taps, kernel, padding=pad)
    mask = g.same("Mul", g.same("Sigmoid", modulator), g.scalar(2.0))
    weight = g.tensor(f"{name}.weight.weight", (channels, channels_in, kernel, kernel), "kernel")
    weight, bias = g.folded(weight, np.zeros(channels, np.float32), norm)
    edge = max(pad, 1)
    rows, columns = height + 2 * edge, width + 2 * edge
    padded = g.node(
        "Pad",
        [x, g.integers(0, 0, edge, edge, 0, 0, edge, edge)],
        (batch, channels_in, rows, columns),
        mode="constant",
    )
    ky, kx = np.meshgrid(np.arange(kernel), np.arange(kernel), indexing="ij")
    y = np.broadcast_to(
        ky.reshape(-1, 1, 1) + np.arange(height).reshape(1, -1, 1), (taps, height, width)
    )
    c = np.broadcast_to(
        kx.reshape(-1, 1, 1) + np.arange(width).reshape(1, 1, -1), (taps, height, width)
    )
    grid = (np.stack((y, c), 1)[None, None] + (edge - pad)).astype(np.float32)
    places = (batch, 1, taps, 2, height, width)
    one = (batch, 1, taps, 1, height, width)
    position = g.node("Add", [g.constant(grid), g.reshape(offset, *places)], places)
    floor = g.same("Floor", position)
    whole = g.node("Cast", [floor], places, to=7)
    ends = {"t": g.part(whole, 3, 0, 1), "l": g.part(whole, 3, 1, 2)}
    step = g.constant(np.array(1, np.int64))
    ends["b"], ends["r"] = g.same("Add", ends["t"], step), g.same("Add", ends["l"], step)
    first = g.constant(np.array(0, np.int64))
    last = {
        key: g.constant(np.array(side - 1, np.int64))
        for key, side in (("t", rows), ("b", rows), ("l", columns), ("r", columns))
    }
    ends = {key: g.same("Clip", value, first, last[key]) for key, value in ends.items()}
    fraction = g.same("Sub", position, floor)
    near = {"b": g.part(fraction, 3, 0, 1), "r": g.part(fraction, 3, 1, 2)}
    unit = g.scalar(1.0)
    near["t"] = g.node("Sub", [unit, near["b"]], one)
    near["l"] = g.node("Sub", [unit, near["r"]], one)
    source = g.transpose(g.reshape(padded, batch, 1, channels_in, rows, columns), 0, 1, 3, 4, 2)
    count = taps * height * width
    wide = (batch, 1, channels_in, taps, height, width)
    terms = []
    for row, column in ("tl", "br", "bl", "tr"):
        index = g.concat(
            (
                g.reshape(ends[row], batch, 1, count, 1),
                g.reshape(ends[column], batch, 1, count, 1),
            ),
            3,
        )
        value = g.node("GatherND", [source, index], (batch, 1, count, channels_in), batch_dims=2)
        value = g.reshape(g.transpose(value, 0, 1, 3, 2), *wide)
        product = g.same("Mul", near[column], near[row])
        product = g.reshape(product, batch, 1, 1, taps, height, width)
        terms.append(g.node("Mul", [product, value], wide))
    total = g.node("Sum", terms, wide)
    total = g.same("Mul", total, g.reshape(mask, batch, 1, 1, taps, height, width))
    total = g.transpose(total, 0, 1, 2, 4, 5, 3)
    if kernel > 1:
        total = g.reshape(total, batch, channels_in, height, width, taps)
        pieces = g.split(total, 4, kernel)
        total = g.concat(
            [g.reshape(piece, batch, channels_in, height, width * kernel) for piece in pieces], 3
        )
    total = g.reshape(total, batch, channels_in, height * kernel, width * kernel)
    return g.node(
        "Conv",
        [
            total,
            g.constant(weight, f"{name}.weight.weight"),
            g.constant(bias, f"{name}.weight.bias"),
        ],
        (batch, channels, height, width),
        kernel_shape=[kernel] * 2,
        strides=[kernel] * 2,
    )


def _layer(g: GraphBuilder, x: str, name: str, channels: int, kernel: int, padding: int = 0) -> str:
    """Convolution, normalisation, ReLU."""
    found = g.conv(x, f"{name}.0", channels, kernel, padding=padding, norm=f"{name}.1")
    return g.same("Relu", found)


def _pyramid(g: GraphBuilder, x: str, name: str) -> str:
    """Deformable branches of several kernels and the mean, joined."""
    height, width = g.shapes[x][2:]
    parts = []
    for label, kernel in (("first", 1), ("branches.0", 1), ("branches.1", 3), ("branches.2", 7)):
        inside = f"{name}.{label}"
        parts.append(
            g.same("Relu", _deform_conv(g, x, f"{inside}.0", _PYRAMID, kernel, f"{inside}.1"))
        )
    mean = g.node("GlobalAveragePool", [x], (*g.shapes[x][:2], 1, 1))
    pooled = g.conv(mean, f"{name}.pool.0", _PYRAMID, 1, bias=False, norm=f"{name}.pool.1")
    pooled = g.resize(g.same("Relu", pooled), (height, width), align_corners=True)
    joined = g.concat([*parts, pooled])
    found = g.conv(joined, f"{name}.join.0", _INNER, 1, bias=False, norm=f"{name}.join.1")
    return g.same("Relu", found)


def _decoder_block(g: GraphBuilder, x: str, name: str, channels: int) -> str:
    x = _layer(g, x, f"{name}.enter", _INNER, 3, padding=1)
    x = _pyramid(g, x, f"{name}.pyramid")
    return g.conv(x, f"{name}.leave.0", channels, 3, padding=1, norm=f"{name}.leave.1")


def _with_patches(g: GraphBuilder, x: str, picture: str, index: int, channels: int) -> str:
    """The picture itself, cut into as many patches as fit, beside the features."""
    batch, colors, height, width = g.shapes[picture]
    rows, columns = g.shapes[x][2:]
    down, across = height // rows, width // columns
    cut = g.reshape(picture, batch, colors, down, rows, across, columns)
    cut = g.transpose(cut, 0, 1, 2, 4, 3, 5)
    cut = g.reshape(cut, batch, colors * down * across, rows, columns)
    cut = g.conv(cut, f"patches.{index}.0", 64, 3, padding=1)
    return g.concat((x, g.conv(cut, f"patches.{index}.1", channels, 3, padding=1)))


def _resized(g: GraphBuilder, x: str, like: str) -> str:
    height, width = g.shapes[like][2:]
    return g.resize(x, (height, width), align_corners=True)


def birefnet(g: GraphBuilder, name: str, size: int) -> list[str]:
    """The network; one output, logits."""
    shape = ENCODERS[name]
    widths = [16 * shape.width, 8 * shape.width, 4 * shape.width, 2 * shape.width]
    beside = [widths[0] // 8, widths[0] // 8, widths[1] // 8, widths[2] // 8, widths[3] // 8]
    picture = g.input("input_image", (1, 3, size, size))
    full = swin(g, picture, "encoder", shape)
    small = g.resize(picture, (size // 2, size // 2), align_corners=True)
    # The same encoder again: its weights stand in the file once.
    half = swin(g, small, "encoder", shape)
    found = [g.concat((a, _resized(g, b, a))) for a, b in zip(full, half, strict=True)]
    context = [*(_resized(g, item, found[3]) for item in found[:3]), found[3]]
    current = _decoder_block(g, g.concat(context), "squeeze", widths[0])
    out = [*widths[1:], widths[3] // 2]
    for level in range(4):
        current = _with_patches(g, current, picture, level, beside[level])
        current = _decoder_block(g, current, f"blocks.{level}", out[level])
        if level < 3:
            gate = _layer(g, current, f"gates.{level}.0", 16, 3, padding=1)
            gate = g.same("Sigmoid", g.conv(gate, f"gates.{level}.1", 1, 1))
            current = g.same("Mul", current, gate)
            skip = found[2 - level]
            current = _resized(g, current, skip)
            skip = g.conv(skip, f"laterals.{level}", widths[level + 1], 1)
            current = g.same("Add", current, skip)
    current = g.resize(current, (size, size), align_corners=True)
    current = _with_patches(g, current, picture, 4, beside[4])
    return [g.conv(current, "mask", 1, 1)]
