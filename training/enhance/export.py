"""A checkpoint's averaged weights as the wheel's files: `python -m enhance.export` (training/ on
the path, nssbg installed).

Writes ONNX of plain convolutions with float16 weights that the graph widens, checks it against the
checkpoint on ONNX Runtime and OpenVINO, measures how far it looks by the package's own routine, and
only then puts file and sidecar where the package looks for them.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import memmap_dataset
import numpy as np
import numpy.typing as npt
import onnx
import quiet  # noqa: F401  # before the runtimes
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from enhance.network import (
    COLOURS,
    CONDITIONS,
    RestoreNetwork,
    folded,
    network_of,
    operations,
)
from enhance.train import Recipe, checkpoint, read_recipe

BUNDLED = memmap_dataset.REPOSITORY / "python" / "nssbg" / "_models" / "bundled"
LIMIT_BYTES = 3_000_000  # of both together
LIMIT_STRAYS = 0.5 / 255  # small weights against the checkpoint, at any colour
LIMIT_RUNTIMES = 1e-4  # one runtime against the other
OPSET = 17

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class File:
    """What a network is called and what its sidecar says of it."""

    name: str
    summary: str


FILES = {
    "restore": File("nssbg-restore", "comes with the package: takes out noise and JPEG artefacts"),
    "upscale": File("nssbg-x2", "comes with the package: enlarges by 2, keeps to the photograph"),
}

SIDECAR = """\
# What the network of this folder wants and gives; written by training/enhance/export.py.
name = "{name}"
file = "{name}.onnx"
task = "image"
size = 256
scale = {scale}
multiple = {unit}
overlap = {overlap}
conditions = ["denoise", "deblock"]
precision = "float32"
license = "Apache-2.0"
commercial = true
verified = true
family = "nssbg"
summary = "{summary}"
bytes = {size}
checksum = "sha256:{digest}"
"""


class _Graph:
    """Nodes of a chain and its weights, as float16 with a Cast each."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def constant(self, name: str, values: npt.NDArray[Any]) -> str:
        self.weights.append(numpy_helper.from_array(values, name))
        return name

    def widened(self, name: str, values: Floats) -> str:
        self.constant(f"{name}_stored", values.astype(np.float16))
        self.nodes.append(
            helper.make_node("Cast", [f"{name}_stored"], [name], f"{name}_wide", to=1)
        )
        return name

    def convolution(self, name: str, x: str, kernel: Floats, bias: Floats, **settings: Any) -> str:
        inputs = [x, self.widened(f"{name}_kernel", kernel), self.widened(f"{name}_bias", bias)]
        self.nodes.append(helper.make_node("Conv", inputs, [name], name, **settings))
        return name

    def simple(self, operator: str, name: str, inputs: list[str], **settings: Any) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [name], name, **settings))
        return name

    def chain(self, name: str, x: str, layers: nn.Module) -> str:
        """Convolutions, each with a ReLU behind it."""
        for index, layer in enumerate(m for m in layers.children() if isinstance(m, nn.Conv2d)):
            pads = [layer.kernel_size[0] // 2] * 4
            x = self.convolution(
                f"{name}{index}", x, *_arrays(layer), pads=pads, group=layer.groups
            )
            x = self.simple("Relu", f"{name}{index}_positive", [x])
        return x


def _levels(graph: _Graph, network: RestoreNetwork, x: str) -> str:
    """The U-Net between the first convolution and the last."""
    kept = []
    for level, (before, smaller) in enumerate(zip(network.before, network.smaller, strict=True)):
        kept.append(graph.chain(f"before{level}_", x, before))
        x = graph.convolution(f"smaller{level}", kept[-1], *_arrays(smaller.conv), strides=[2, 2])
        x = graph.simple("Relu", f"smaller{level}_positive", [x])
    x = graph.chain("body", x, network.body)
    for level in reversed(range(len(kept))):
        x = graph.convolution(f"larger{level}", x, *_arrays(network.larger[level].conv))
        x = graph.simple("DepthToSpace", f"larger{level}_cells", [x], blocksize=2, mode="CRD")
        x = graph.simple("Add", f"joined{level}", [x, kept[level]])
        x = graph.simple("Relu", f"joined{level}_positive", [x])
        x = graph.chain(f"behind{level}_", x, network.behind[level])
    return x


def _size_of_pixels(network: RestoreNetwork) -> Floats:
    """How large what is added may be, from the strengths: 1 x 5 x 2 x 2 over pixels."""
    weights = network.residual.numpy()[0, :, 0, 0] / 4
    kernel = np.zeros((1, COLOURS + CONDITIONS, 2, 2), np.float32)
    kernel[0, COLOURS:] = weights[:, None, None]
    return kernel


def _arrays(layer: nn.Conv2d) -> tuple[Floats, Floats]:
    return layer.weight.detach().numpy(), layer.bias.detach().numpy()


def _head_of_pixels(kernel: Floats) -> Floats:
    """The first kernel of the restoring network over pixels instead of cells of 2 x 2.

    width x 14 x 3 x 3 over cells (12 colours, 2 means of strengths) is width x 5 x 6 x 6 with a
    step of 2 over pixels.
    """
    width = kernel.shape[0]
    colours = kernel[:, : 4 * COLOURS].reshape(width, COLOURS, 2, 2, 3, 3)
    colours = colours.transpose(0, 1, 4, 2, 5, 3).reshape(width, COLOURS, 6, 6)
    means = kernel[:, 4 * COLOURS :, :, None, :, None] / 4
    told = np.broadcast_to(means, (width, CONDITIONS, 3, 2, 3, 2)).reshape(width, CONDITIONS, 6, 6)
    return np.ascontiguousarray(np.concatenate([colours, told], axis=1))


def graph_of(network: nn.Module) -> onnx.ModelProto:
    """The network, whose convolutions are plain, as ONNX of any batch and size."""
    graph = _Graph()
    restores = isinstance(network, RestoreNetwork)
    kernel, bias = _arrays(network.head)
    if restores:
        kernel = _head_of_pixels(kernel)
        x = graph.convolution("head", "image", kernel, bias, pads=[2] * 4, strides=[2, 2])
    else:
        x = graph.convolution("head", "image", kernel, bias, pads=[1] * 4)
    x = graph.simple("Relu", "head_positive", [x])
    x = _levels(graph, network, x) if restores else graph.chain("body", x, network.body)
    x = graph.convolution("tail", x, *_arrays(network.tail), pads=[1] * 4)
    if restores:
        size = graph.convolution(
            "size", "image", _size_of_pixels(network), np.zeros(1, np.float32), strides=[2, 2]
        )
        x = graph.simple("Mul", "sized", [x, size])
        x = graph.simple("DepthToSpace", "added", [x], blocksize=2, mode="CRD")
        cut = [
            graph.constant(f"colours_{key}", np.array([value], np.int64))
            for key, value in (("from", 0), ("to", COLOURS), ("axis", 1))
        ]
        colours = graph.simple("Slice", "colours", ["image", *cut])
        graph.simple("Add", "enhanced", [colours, x])
    else:
        cubic = network.cubic.numpy()
        blank = np.zeros((cubic.shape[0], CONDITIONS, *cubic.shape[2:]), np.float32)
        plain = graph.convolution(
            "cubic",
            "image",
            np.concatenate([cubic, blank], axis=1),
            np.zeros(cubic.shape[0], np.float32),
            pads=[2] * 4,
        )
        x = graph.simple("Add", "cells", [plain, x])
        graph.simple("DepthToSpace", "enhanced", [x], blocksize=2, mode="CRD")
    names = ["batch", COLOURS + CONDITIONS, "height", "width"]
    out = ["batch", COLOURS, "out_height", "out_width"]
    proto = helper.make_graph(
        graph.nodes,
        "enhance",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, names)],
        [helper.make_tensor_value_info("enhanced", TensorProto.FLOAT, out)],
        graph.weights,
    )
    model = helper.make_model(proto, opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version, model.producer_name = 8, "nssbg"
    onnx.checker.check_model(model, full_check=True)
    return model


def load(name: str, recipe: Recipe, source: Path) -> nn.Module:
    """The averaged weights of a checkpoint, convolutions folded."""
    wanted = recipe.networks[name]
    network = network_of(name, wanted)
    network.load_state_dict(torch.load(source, weights_only=True)[name]["average"])
    return folded(network).eval()


def check(network: nn.Module, path: Path) -> None:
    """Raises where the file strays from the network, or a runtime from the other."""
    import onnxruntime
    import openvino

    random = np.random.default_rng(0)
    batch = random.random((2, COLOURS + CONDITIONS, 64, 96), np.float32)
    batch[:, COLOURS:] = batch[:, COLOURS:, :1, :1]
    with torch.no_grad():
        wanted = network(torch.from_numpy(batch)).numpy()
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    found = session.run(None, {"image": batch})[0]
    compiled = openvino.Core().compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    other = np.asarray(compiled({"image": batch})[0])
    strays, apart = np.abs(found - wanted).max(), np.abs(found - other).max()
    print(f"{path.name}: small weights stray {255 * strays:.3f} of 255, runtimes {apart:.1e}")
    if not strays <= LIMIT_STRAYS or not apart <= LIMIT_RUNTIMES:
        raise SystemExit(f"{path}: breaks a limit")


def overlap_of(path: Path, scale: int, unit: int) -> int:
    """What a tile has to see, by nssbg's own measurement."""
    from nssbg._enhance.receptive_field import measured_reach
    from nssbg._models.sidecar import description_from_mapping
    from nssbg._runtime import open_backend

    told = {"task": "image", "scale": scale, "multiple": unit, "conditions": ["denoise", "deblock"]}
    model = description_from_mapping(
        {"name": path.stem, "file": path.name, "size": 256, **told}, source=str(path)
    ).at(path)

    def run_at(height: int, width: int) -> Any:
        from dataclasses import replace

        return open_backend(replace(model, height=height, width=width), device="cpu", threads=1).run

    reach = measured_reach(run_at, model)
    if not reach.is_local:
        raise SystemExit(f"{path}: no distance is found beyond which nothing counts")
    return reach.overlap


def main() -> None:
    """Reads the command line, exports, checks, installs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", default="enhance", help="folder of the run")
    parser.add_argument("--output", type=Path, default=BUNDLED)
    parser.add_argument("--only", choices=tuple(FILES), help="one of the two")
    options = parser.parse_args()
    source = checkpoint(options.name)
    recipe, total = read_recipe(), 0
    options.output.mkdir(parents=True, exist_ok=True)
    for key, file in FILES.items():
        if options.only not in (None, key):
            continue
        network = load(key, recipe, source)
        with tempfile.TemporaryDirectory() as place:
            small = Path(place) / f"{file.name}.onnx"
            content = graph_of(network).SerializeToString()
            small.write_bytes(content)
            check(network, small)
            overlap = overlap_of(small, network.scale, network.unit)
        total += len(content)
        digest = hashlib.sha256(content).hexdigest()
        (options.output / f"{file.name}.onnx").write_bytes(content)
        (options.output / f"{file.name}.toml").write_text(
            SIDECAR.format(
                name=file.name,
                summary=file.summary,
                scale=network.scale,
                unit=network.unit,
                overlap=overlap,
                size=len(content),
                digest=digest,
            )
        )
        print(
            f"{file.name}: {len(content)} bytes, {operations(network):.0f} multiplications "
            f"a pixel, sees {overlap} pixels beyond a tile"
        )
    if total > LIMIT_BYTES:
        raise SystemExit(f"{total} bytes are more than {LIMIT_BYTES}")


if __name__ == "__main__":
    main()
