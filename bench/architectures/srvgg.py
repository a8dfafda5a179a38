"""SRVGGNetCompact (Real-ESRGAN general x4v3's plan) with random weights, any width and depth.

python -m bench.architectures.srvgg x2.onnx [--scale 2] [--width 32] [--depth 8]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

__all__ = ["main", "write_srvgg"]


def write_srvgg(
    path: Path, *, scale: int = 2, width: int = 32, depth: int = 8, seed: int = 0
) -> Path:
    """A network of `depth` 3 x 3 convolutions, and its sidecar beside it.

    Args:
        path: Where to: an .onnx file.
        scale: Pixels out for one in.
        width: Channels between the convolutions (x4v3: 64).
        depth: Convolutions in all (x4v3: 34).
        seed: Of the weights.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(seed)
    nodes, weights, at, channels = [], [], "input", 3
    for index in range(depth):
        last = index == depth - 1
        after = 3 * scale * scale if last else width
        taps = random.normal(size=(after, channels, 3, 3)) * (0.3 if last else 1.4)
        taps /= np.sqrt(9 * channels)
        weights.append(numpy_helper.from_array(taps.astype(np.float32), f"w{index}"))
        nodes.append(helper.make_node("Conv", [at, f"w{index}"], [f"c{index}"], pads=[1] * 4))
        at = f"c{index}"
        if not last:
            slope = np.full((width, 1, 1), 0.2, np.float32)
            weights.append(numpy_helper.from_array(slope, f"s{index}"))
            nodes.append(helper.make_node("PRelu", [at, f"s{index}"], [f"r{index}"]))
            at, channels = f"r{index}", width
    nodes.append(helper.make_node("DepthToSpace", [at], ["large"], blocksize=scale, mode="CRD"))
    weights.append(numpy_helper.from_array(np.float32([1, 1, scale, scale]), "sizes"))
    nodes.append(
        helper.make_node(
            "Resize",
            ["input", "", "sizes"],
            ["base"],
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )
    )
    nodes.append(helper.make_node("Add", ["large", "base"], ["output"]))
    shape, out = ["batch", 3, "height", "width"], ["batch", 3, "out_height", "out_width"]
    graph = helper.make_graph(
        nodes,
        "srvgg",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, out)],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    onnx.save(model, path)
    path.with_name(f"{path.name}.toml").write_text(
        f'task = "image"\nscale = {scale}\nsize = 256\nlicense = "Apache-2.0"\ncommercial = true\n'
    )
    return path


def operations(scale: int, width: int, depth: int) -> int:
    """Multiply-adds for each pixel that goes in, two operations each."""
    inner = (depth - 2) * width * width
    return 2 * 9 * (3 * width + inner + width * 3 * scale * scale)


def main() -> None:
    """Write one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=Path)
    parser.add_argument("--scale", type=int, default=2)
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--depth", type=int, default=8)
    options = parser.parse_args()
    write_srvgg(options.path, scale=options.scale, width=options.width, depth=options.depth)


if __name__ == "__main__":
    main()
