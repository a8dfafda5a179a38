"""Small networks for the tests, made with the onnx package: no weights are downloaded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def mask_network(
    path: Path,
    *,
    size: tuple[int, int] | None = None,
    outputs: tuple[str, ...] = ("probability",),
    output_type: int = TensorProto.FLOAT,
    input_type: int = TensorProto.FLOAT,
    input_name: str = "input",
    batch: str | int = "batch",
    seed: int = 0,
    smooth: bool = False,
) -> Path:
    """A two-layer convolutional network; outputs name what each gives, in order.

    "logits" is the last layer's own output, "probability" its sigmoid, "other" something
    that is no mask. size None: dynamic height and width.
    """
    random = np.random.default_rng(seed)
    kind = np.float16 if input_type == TensorProto.FLOAT16 else np.float32
    first = (random.normal(size=(8, 3, 3, 3)) * 0.3).astype(kind)
    second = (random.normal(size=(1, 8, 3, 3)) * 0.3).astype(kind)
    if smooth:  # blurs instead of random taps: rounding in the input is not amplified
        blur = np.outer([1, 2, 1], [1, 2, 1]) / 16
        first = (first[..., 1:2, 1:2] * 2 * blur).astype(kind)
        second = (second[..., 1:2, 1:2] * 2 * blur).astype(kind)
    height, width = size or ("height", "width")
    nodes = [
        helper.make_node("Conv", [input_name, "w1"], ["a"], pads=[1] * 4),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "w2"], ["raw"], pads=[1] * 4),
        helper.make_node("Sigmoid", ["raw"], ["squashed"]),
        helper.make_node("Neg", ["raw"], ["negated"]),
    ]
    sources = {"logits": "raw", "probability": "squashed", "other": "negated"}
    infos = []
    for index, name in enumerate(outputs):
        kind = (
            {"op_type": "Identity"}
            if output_type == input_type
            else {"op_type": "Cast", "to": output_type}
        )
        nodes.append(helper.make_node(inputs=[sources[name]], outputs=[f"{name}_{index}"], **kind))
        infos.append(
            helper.make_tensor_value_info(f"{name}_{index}", output_type, [batch, 1, height, width])
        )
    graph = helper.make_graph(
        nodes,
        "mask",
        [helper.make_tensor_value_info(input_name, input_type, [batch, 3, height, width])],
        infos,
        [numpy_helper.from_array(first, "w1"), numpy_helper.from_array(second, "w2")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


def run_reference(path: Path, tensor: np.ndarray) -> list[np.ndarray]:
    """All outputs by the onnx package's own reference evaluator: plain NumPy."""
    from onnx.reference import ReferenceEvaluator

    evaluator = ReferenceEvaluator(str(path))
    with np.errstate(over="ignore"):
        return evaluator.run(None, {evaluator.input_names[0]: tensor})
