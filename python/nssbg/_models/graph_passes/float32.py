"""A float16 graph as a float32 one, which quantisers take and processors run without casts.

In: a graph of float16 weights and arithmetic, or of both. Out: the same graph in float32: weights
widened, casts between the two gone. What float16 rounded on the way is not rounded any more.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["to_float32"]


def to_float32(model: Any) -> int:
    """Widen the graph.

    Args:
        model: An onnx.ModelProto; changed in place. Subgraphs are left as they are.

    Returns:
        How many weights were widened; 0: there is no float16 in it, and nothing was changed.
    """
    from onnx import TensorProto, numpy_helper

    half, single = TensorProto.FLOAT16, TensorProto.FLOAT
    graph = model.graph
    count = 0

    def widened(tensor: Any) -> None:
        nonlocal count
        value = numpy_helper.to_array(tensor).astype(np.float32)
        tensor.CopyFrom(numpy_helper.from_array(value, tensor.name))
        count += 1

    for tensor in graph.initializer:
        if tensor.data_type == half:
            widened(tensor)
    for node in graph.node:
        for attribute in node.attribute:
            if node.op_type == "Constant" and attribute.t.data_type == half:
                widened(attribute.t)
    if not count:
        return 0
    for info in (*graph.input, *graph.output):
        if info.type.tensor_type.elem_type == half:
            info.type.tensor_type.elem_type = single
    del graph.value_info[:]  # types that no longer hold; the runtimes infer their own

    # Converters append their casts at the end, before which the graph uses them: not in one pass.
    floats = {item.name for item in graph.initializer if item.data_type == single}
    floats |= {i.name for i in graph.input if i.type.tensor_type.elem_type == single}
    casts = []
    for node in graph.node:
        if node.op_type == "Cast" and node.attribute[0].i in (half, single):
            casts.append(node)
            floats.update(node.output)
    while True:
        before = len(floats)
        for node in graph.node:
            if _gives_float(node, floats, single):
                floats.update(node.output)
        if len(floats) == before:
            break

    outputs = {item.name for item in graph.output}
    source: dict[str, str] = {}
    for node in casts:
        node.attribute[0].i = single
        if node.input[0] in floats:
            if node.output[0] in outputs:
                node.op_type = "Identity"
                del node.attribute[:]
            else:
                source[node.output[0]] = node.input[0]
    for node in graph.node:
        for index, name in enumerate(node.input):
            while name in source:
                name = source[name]
            node.input[index] = name
    kept = [node for node in graph.node if node.output[0] not in source]
    del graph.node[:]
    graph.node.extend(kept)
    return count


def _gives_float(node: Any, floats: set[str], single: int) -> bool:
    """Whether an operator's results are float32, as far as that follows from its first input."""
    if node.op_type == "Constant":
        return any(item.t.data_type == single for item in node.attribute)
    if node.op_type in ("Shape", "Size", "ArgMax", "ArgMin", "NonZero", "Equal", "Less", "Greater"):
        return False
    return bool(node.input) and node.input[0] in floats
