"""Small image-to-image and depth networks for the tests, made with the onnx package.

Each follows the plan of a published family: its input, its output, how it enlarges; the weights are
random, small enough that the image stays near what came in.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class _Graph:
    """Collects nodes and weights; names are counted."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def add(self, kind: str, *inputs: str, **attributes: object) -> str:
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def constant(self, value: np.ndarray) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(value, name))
        return name

    def conv(
        self, at: str, before: int, after: int, *, side: int = 3, gain: float = 1.4, stride: int = 1
    ) -> str:
        taps = self.random.normal(size=(after, before, side, side))
        taps *= gain / np.sqrt(before * side * side)
        weights = self.constant(taps.astype(np.float32))
        pads = [side // 2] * 4
        return self.add("Conv", at, weights, pads=pads, strides=[stride] * 2)

    def enlarged(self, at: str, scale: int) -> str:
        sizes = self.constant(np.float32([1, 1, scale, scale]))
        return self.add(
            "Resize",
            at,
            "",
            sizes,
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )

    def colors(self, at: str) -> str:
        ends = [self.constant(np.int64([value])) for value in (0, 3, 1)]
        return self.add("Slice", at, *ends)

    def save(self, path: Path, at: str, shape: list[object], out: list[object]) -> Path:
        self.nodes.append(helper.make_node("Identity", [at], ["output"]))
        graph = helper.make_graph(
            self.nodes,
            "image",
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info("output", TensorProto.FLOAT, out)],
            self.weights,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
        model.ir_version = 9
        onnx.checker.check_model(model)
        onnx.save(model, path)
        return path


def image_network(
    path: Path,
    *,
    scale: int = 1,
    depth: int = 4,
    width: int = 8,
    conditions: int = 0,
    tile: tuple[int, int] | None = None,
    batch: int | str = "batch",
    everywhere: bool = False,
    window: int = 0,
    unshuffle: int = 1,
    gain: float = 0.3,
    seed: int = 0,
) -> Path:
    """SRVGG's plan: 3 x 3 convolutions, pixel shuffle, the enlarged image added.

    Args:
        path: Where to.
        scale: Pixels out for one in.
        depth: Convolutions: the receptive field is that many pixels.
        width: Channels between them.
        conditions: Planes behind the colours.
        tile: Height and width of a fixed graph; None: any.
        batch: Its first dimension.
        everywhere: A mean over the whole tile is mixed in, as NAFNet's channel attention does.
        window: Means over windows of that side are mixed in, as window attention does; 0: none.
        unshuffle: The sides are halved (2) into channels first, as Real-ESRGAN's x2 does.
        gain: Of the last convolution: how far the image is changed.
        seed: Of the weights.
    """
    graph = _Graph(seed)
    at, channels = "input", 3 + conditions
    if unshuffle > 1:
        at = graph.add("SpaceToDepth", at, blocksize=unshuffle)
        channels *= unshuffle * unshuffle
    at = graph.conv(at, channels, width)
    for _ in range(depth - 2):
        at = graph.conv(graph.add("LeakyRelu", at, alpha=0.2), width, width)
    if everywhere:
        at = graph.add("Add", at, graph.add("GlobalAveragePool", at))
    if window:
        means = graph.add("AveragePool", at, kernel_shape=[window] * 2, strides=[window] * 2)
        at = graph.add("Add", at, graph.enlarged(means, window))
    block = scale * unshuffle
    at = graph.conv(graph.add("LeakyRelu", at, alpha=0.2), width, 3 * block * block, gain=gain)
    base = graph.colors("input") if conditions else "input"
    if block > 1:
        at = graph.add("DepthToSpace", at, blocksize=block, mode="CRD")
    if scale > 1:
        base = graph.enlarged(base, scale)
    at = graph.add("Add", at, base)
    sides: list[object] = list(tile) if tile else ["height", "width"]
    out: list[object] = [scale * side for side in tile] if tile else ["out_height", "out_width"]
    return graph.save(path, at, [batch, 3 + conditions, *sides], [batch, 3, *out])


def depth_network(path: Path, *, tile: tuple[int, int] | None = None, axes: int = 3) -> Path:
    """A depth network's interface: N x 3 x h x w in, N x h x w (or N x 1 x h x w) out, any range.

    What it gives is 3 minus the image's blue, smoothed: a gradient in gives a gradient out.
    """
    graph = _Graph(0)
    taps = np.zeros((1, 3, 3, 3), np.float32)
    taps[0, 2] = 1 / 9
    at = graph.add("Conv", "input", graph.constant(taps), pads=[1] * 4)
    at = graph.add("Sub", graph.constant(np.float32(3.0)), at)
    if axes == 3:
        at = graph.add("Squeeze", at, graph.constant(np.int64([1])))
    sides: list[object] = list(tile) if tile else ["height", "width"]
    out = ["batch", *([1] if axes == 4 else []), *sides]
    return graph.save(path, at, ["batch", 3, *sides], out)


def sidecar_network(
    folder: Path,
    name: str = "x2",
    *,
    scale: int = 2,
    conditions: tuple[str, ...] = (),
    commercial: bool | None = True,
    **keys: object,
) -> Path:
    """An image network with the sidecar that makes it one: NAME.onnx and NAME.onnx.toml."""
    path = image_network(folder / f"{name}.onnx", scale=scale, conditions=len(conditions), **keys)
    lines = [
        f'name = "{name}"',
        f'file = "{name}.onnx"',
        'task = "image"',
        "size = 64",
        f"scale = {scale}",
        'license = "MIT"',
    ]
    lines += [f"conditions = {json.dumps(list(conditions))}"]
    lines += [] if commercial is None else [f"commercial = {str(commercial).lower()}"]
    path.with_name(f"{name}.onnx.toml").write_text("\n".join(lines) + "\n")
    return path


def sidecar_depth_network(
    folder: Path, name: str = "deep", *, commercial: bool | None = None
) -> Path:
    """A depth network with the sidecar that makes it one: NAME.onnx and NAME.onnx.toml."""
    path = depth_network(folder / f"{name}.onnx")
    lines = [
        f'name = "{name}"',
        f'file = "{name}.onnx"',
        'task = "depth"',
        "size = 64",
        'license = "MIT"',
    ]
    lines += [] if commercial is None else [f"commercial = {str(commercial).lower()}"]
    path.with_name(f"{name}.onnx.toml").write_text("\n".join(lines) + "\n")
    return path
