"""Weights kept small become float32 constants, which quantisers look for.

In: a graph whose initialisers go through a Cast, and those kept as bytes through a Mul by their
steps, before they are used (files made half as large that way compute the same). Out: the same
graph with that done.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nssbg._models.graph_passes.graph import Graph

__all__ = ["widen_weights"]


def widen_weights(model: Any) -> int:
    """Do the Casts and products of constants.

    Args:
        model: An onnx.ModelProto; changed in place.

    Returns:
        How many were done.
    """
    from onnx import numpy_helper

    graph = Graph(model)
    folded = [
        node
        for node in model.graph.node
        if node.op_type in ("Cast", "Mul")
        and node.output[0] not in graph.outputs
        and graph.is_constant(node.output[0])
    ]
    for node in folded:
        value = graph.constant(node.output[0])
        assert value is not None
        name = node.output[0]
        model.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        model.graph.node.remove(node)
    if folded:
        graph.rebuild()
        graph.drop_unused()
    return len(folded)
