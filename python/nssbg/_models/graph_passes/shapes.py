"""Shapes of a graph's tensors, also where the graph computes its sizes by chains of operators.

In: a model, and sizes for its input where that is dynamic. Out: the tensors whose shape is known
in all dimensions. ONNX's shape inference stops at a size that is computed; computing it and
inferring again, in turns, reaches the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nssbg._models.graph_passes.graph import Graph

__all__ = ["known_shapes", "outline"]

# Larger constants are weights, of which only the shape counts here.
_SMALL = 1024
# Inference in turns with computing sizes; each turn reaches the next computed size.
_MOST_TURNS = 64


def outline(model: Any, input_shape: Sequence[int] | None = None) -> Any:
    """A copy of a model without its weights' values, its input's shape fixed where one is given."""
    import onnx
    from onnx import helper

    graph = model.graph
    small, inputs = [], [onnx.ValueInfoProto.FromString(i.SerializeToString()) for i in graph.input]
    named = {item.name for item in inputs}
    for item in graph.initializer:
        count = 1
        for length in item.dims:
            count *= length
        if count <= _SMALL:
            small.append(item)
        elif item.name not in named:
            inputs.append(helper.make_tensor_value_info(item.name, item.data_type, item.dims))
    if input_shape is not None:
        dims = inputs[0].type.tensor_type.shape.dim
        for dim, length in zip(dims, input_shape, strict=True):
            dim.Clear()
            dim.dim_value = length
    outputs = [
        helper.make_tensor_value_info(item.name, item.type.tensor_type.elem_type, None)
        for item in graph.output
    ]
    body = helper.make_graph(list(graph.node), "outline", inputs, outputs, small)
    made = helper.make_model(body, opset_imports=model.opset_import)
    made.ir_version = model.ir_version
    return made


def known_shapes(
    model: Any, input_shape: Sequence[int] | None = None
) -> dict[str, tuple[int, ...]]:
    """The shapes of all tensors that have one, for an input of that shape.

    Args:
        model: An onnx.ModelProto; not changed.
        input_shape: Shape of its first input; None: what the model says.
    """
    light = outline(model, input_shape)
    found = _inferred(light)
    for _ in range(_MOST_TURNS):
        if not _compute_sizes(light, found):
            break
        known = len(found)
        found = _inferred(light)
        if len(found) <= known:
            break
    return found


def _inferred(model: Any) -> dict[str, tuple[int, ...]]:
    import onnx

    found: dict[str, tuple[int, ...]] = {}
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
    for info in [*inferred.graph.value_info, *inferred.graph.input, *inferred.graph.output]:
        dims = info.type.tensor_type.shape.dim
        if info.type.tensor_type.HasField("shape") and all(d.HasField("dim_value") for d in dims):
            found[info.name] = tuple(int(d.dim_value) for d in dims)
    for item in model.graph.initializer:
        found[item.name] = tuple(int(length) for length in item.dims)
    return found


def _compute_sizes(model: Any, shapes: dict[str, tuple[int, ...]]) -> int:
    """Put small computed constants that other operators read in the place of their nodes."""
    from onnx import numpy_helper

    graph = Graph(model, shapes)
    ready = []
    for node in model.graph.node:
        if node.op_type == "Constant" or len(node.output) != 1:
            continue
        name = node.output[0]
        if not graph.is_constant(name) or name in graph.outputs:
            continue
        if all(graph.is_constant(item) for r in graph.readers.get(name, []) for item in r.output):
            continue  # only further constants read it
        value = graph.constant(name)
        if value is not None and value.size <= _SMALL:
            ready.append((node, numpy_helper.from_array(value, name)))
    for node, tensor in ready:
        model.graph.node.remove(node)
        model.graph.initializer.append(tensor)
    return len(ready)
