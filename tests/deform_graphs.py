"""Deformable convolution as ONNX files carry it, decomposed and native, small, without torch.

The decompositions write out the sampling rule (Zhu et al., "Deformable ConvNets v2", 2019)
with ONNX operators in the two wirings that public exporters use.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


@dataclass
class Builder:
    """Collects nodes and constants; op() gives the output's name."""

    nodes: list[Any] = field(default_factory=list)
    constants: list[Any] = field(default_factory=list)
    count: int = 0
    as_nodes: bool = True

    def name(self) -> str:
        self.count += 1
        return f"t{self.count}"

    def const(self, value: Any, kind: Any = np.int64) -> str:
        name = self.name()
        tensor = numpy_helper.from_array(np.asarray(value, kind), name)
        if self.as_nodes:
            self.nodes.append(helper.make_node("Constant", [], [name], value=tensor))
        else:
            self.constants.append(tensor)
        return name

    def op(self, kind: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        names = [self.name() for _ in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, **attributes))
        return names[0] if outputs == 1 else names

    def shaped(self, value: str, *shape: int) -> str:
        return self.op("Reshape", value, self.const(list(shape)))


def decomposed(
    b: Builder,
    x: str,
    offset: str,
    mask: str | None,
    weight: str,
    bias: str | None,
    *,
    sizes: tuple[int, int, int, int],
    out: tuple[int, int],
    kernel: tuple[int, int],
    pad: tuple[int, int],
    stride: tuple[int, int] = (1, 1),
    dilation: tuple[int, int] = (1, 1),
    groups: int = 1,
    offset_groups: int = 1,
    form: str = "gathernd",
) -> str:
    batch, channels, rows, columns = sizes
    height, width = out
    taps = kernel[0] * kernel[1]
    edge = (max(pad[0], 1), max(pad[1], 1))
    rows, columns = rows + 2 * edge[0], columns + 2 * edge[1]
    per = channels // offset_groups
    g = offset_groups

    padded = b.op("Pad", x, b.const([0, 0, *edge, 0, 0, *edge]), mode="constant")
    ky, kx = np.meshgrid(np.arange(kernel[0]), np.arange(kernel[1]), indexing="ij")
    gy = ky.reshape(-1, 1, 1) * dilation[0] + np.arange(height).reshape(1, -1, 1) * stride[0]
    gx = kx.reshape(-1, 1, 1) * dilation[1] + np.arange(width).reshape(1, 1, -1) * stride[1]
    shape = (taps, height, width)
    grid = np.stack(
        [
            np.broadcast_to(gy + edge[0] - pad[0], shape),
            np.broadcast_to(gx + edge[1] - pad[1], shape),
        ],
        1,
    )
    p = b.op(
        "Add",
        b.const(grid[None, None], np.float32),
        b.shaped(offset, batch, g, taps, 2, height, width),
    )
    floor = b.op("Floor", p)
    whole = b.op("Cast", floor, to=TensorProto.INT64)

    def part(value: str, axis: int) -> str:
        return b.op("Slice", value, b.const([axis]), b.const([axis + 1]), b.const([3]))

    one = b.const(1)
    ends = {"t": part(whole, 0), "l": part(whole, 1)}
    ends["b"], ends["r"] = b.op("Add", ends["t"], one), b.op("Add", ends["l"], one)
    limits = {"t": rows - 1, "b": rows - 1, "l": columns - 1, "r": columns - 1}
    ends = {key: b.op("Clip", v, b.const(0), b.const(limits[key])) for key, v in ends.items()}
    fraction = b.op("Sub", p, floor)
    unit = b.const(1, np.float32)
    near = {"b": part(fraction, 0), "r": part(fraction, 1)}
    near["t"], near["l"] = b.op("Sub", unit, near["b"]), b.op("Sub", unit, near["r"])
    points = taps * height * width
    if form == "gathernd":
        source = b.op(
            "Transpose", b.shaped(padded, batch, g, per, rows, columns), perm=[0, 1, 3, 4, 2]
        )
    else:
        source = b.shaped(padded, batch, g, per, rows * columns)
    terms = []
    for y, c in ("tl", "br", "bl", "tr"):
        if form == "gathernd":
            index = b.op(
                "Concat",
                b.shaped(ends[y], batch, g, points, 1),
                b.shaped(ends[c], batch, g, points, 1),
                axis=3,
            )
            value = b.op("GatherND", source, index, batch_dims=2)
            value = b.op("Transpose", value, perm=[0, 1, 3, 2])
        else:
            index = b.op("Add", b.op("Mul", ends[y], b.const(columns)), ends[c])
            index = b.shaped(index, batch, g, 1, points)
            index = b.op("Expand", index, b.const([batch, g, per, points]))
            value = b.op("GatherElements", source, index, axis=3)
        value = b.shaped(value, batch, g, per, taps, height, width)
        product = b.shaped(b.op("Mul", near[c], near[y]), batch, g, 1, taps, height, width)
        terms.append(b.op("Mul", product, value))
    if form == "gathernd":
        total = b.op("Sum", *terms)
    else:
        total = b.op("Add", b.op("Add", b.op("Add", *terms[:2]), terms[2]), terms[3])
    if mask is not None:
        total = b.op("Mul", total, b.shaped(mask, batch, g, 1, taps, height, width))
    total = b.op("Transpose", total, perm=[0, 1, 2, 4, 5, 3])
    if kernel[0] > 1:
        total = b.shaped(total, batch, channels, height, width, taps)
        pieces = b.op("Split", total, b.const([kernel[1]] * kernel[0]), axis=4, outputs=kernel[0])
        pieces = [b.shaped(piece, batch, channels, height, width * kernel[1]) for piece in pieces]
        total = b.op("Concat", *pieces, axis=3)
    total = b.shaped(total, batch, channels, height * kernel[0], width * kernel[1])
    inputs = [total, weight, *([bias] if bias else [])]
    return str(b.op("Conv", *inputs, kernel_shape=list(kernel), strides=list(kernel), group=groups))


def deform_network(
    path: Path,
    *,
    form: str = "gathernd",
    kernel: tuple[int, int] = (3, 3),
    pad: tuple[int, int] = (1, 1),
    stride: tuple[int, int] = (1, 1),
    dilation: tuple[int, int] = (1, 1),
    groups: int = 1,
    offset_groups: int = 1,
    with_mask: bool = True,
    with_bias: bool = False,
    constants_as_nodes: bool = True,
    size: tuple[int, int] = (20, 24),
    layers: int = 1,
    seed: int = 0,
) -> Path:
    """A picture -> features -> deformable convolutions -> one-channel mask logits."""
    random = np.random.default_rng(seed)
    b = Builder(as_nodes=constants_as_nodes)
    channels = 8
    height, width = size

    def weight(*shape: int, scale: float) -> str:
        name = b.name()
        values = (random.normal(size=shape) * scale).astype(np.float32)
        b.constants.append(numpy_helper.from_array(values, name))
        return name

    current = b.op(
        "Relu", b.op("Conv", "picture", weight(channels, 3, 3, 3, scale=0.3), pads=[1] * 4)
    )
    taps = kernel[0] * kernel[1]
    for _ in range(layers):
        out = tuple(
            (size_ + 2 * p - d * (k - 1) - 1) // s + 1
            for size_, p, d, k, s in zip(
                (height, width), pad, dilation, kernel, stride, strict=True
            )
        )
        like = {"strides": list(stride), "dilations": list(dilation), "pads": [*pad, *pad]}
        offset = b.op(
            "Conv",
            current,
            weight(2 * taps * offset_groups, channels, *kernel, scale=0.4),
            **like,
        )
        mask = None
        if with_mask:
            logits = b.op(
                "Conv", current, weight(taps * offset_groups, channels, *kernel, scale=0.1), **like
            )
            mask = b.op("Mul", b.op("Sigmoid", logits), b.const(2, np.float32))
        current = decomposed(
            b,
            current,
            offset,
            mask,
            weight(channels, channels // groups, *kernel, scale=0.2),
            weight(channels, scale=0.5) if with_bias else None,
            sizes=(1, channels, height, width),
            out=(out[0], out[1]),
            kernel=kernel,
            pad=pad,
            stride=stride,
            dilation=dilation,
            groups=groups,
            offset_groups=offset_groups,
            form=form,
        )
        current = b.op("Relu", current)
        height, width = out[0], out[1]
    b.nodes.append(
        helper.make_node("Conv", [current, weight(1, channels, 1, 1, scale=0.5)], ["logits"])
    )
    graph = helper.make_graph(
        b.nodes,
        "deformable",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, 3, *size])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 1, height, width])],
        b.constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)
    return path


def runtime_fuses() -> bool:
    """Whether this ONNX Runtime can run what is fused: the last one for Python 3.10 cannot."""
    import onnxruntime

    shapes = {"x": (1, 1, 4, 4), "w": (1, 1, 1, 1), "offset": (1, 2, 4, 4)}
    inputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shapes.items()]
    output = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    node = helper.make_node("DeformConv", list(shapes), ["y"], kernel_shape=[1, 1])
    graph = helper.make_graph([node], "probe", inputs, output)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)])
    model.ir_version = 9
    try:
        onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    except Exception:
        return False
    return True
