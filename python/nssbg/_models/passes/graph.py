"""An ONNX graph with its edges: who makes a tensor, who reads it, what is constant."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Graph"]

# Operators that only move numbers about.
LAYOUT = frozenset({"Reshape", "Unsqueeze", "Squeeze", "Identity", "Flatten"})


class Graph:
    """Edges of a model's main graph, kept up to date by rebuild()."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.rebuild()

    def rebuild(self) -> None:
        """Read the edges again after nodes were changed."""
        graph = self.model.graph
        self.producer = {name: node for node in graph.node for name in node.output if name}
        self.readers: dict[str, list[Any]] = {}
        for node in graph.node:
            for name in node.input:
                self.readers.setdefault(name, []).append(node)
        self.initializers = {item.name: item for item in graph.initializer}
        self.outputs = {item.name for item in graph.output}

    def attribute(self, node: Any, name: str, default: Any = None) -> Any:
        """An attribute's value, or the default."""
        from onnx import helper

        for item in node.attribute:
            if item.name == name:
                return helper.get_attribute_value(item)
        return default

    def constant(self, name: str) -> NDArray[Any] | None:
        """The value of a tensor that does not depend on the input, where it is simple to tell."""
        from onnx import numpy_helper

        if name in self.initializers:
            return np.asarray(numpy_helper.to_array(self.initializers[name]))
        node = self.producer.get(name)
        if node is None:
            return None
        if node.op_type == "Constant":
            for item in node.attribute:
                if item.name == "value":
                    return np.asarray(numpy_helper.to_array(item.t))
                if item.name in ("value_int", "value_float"):
                    return np.asarray(self.attribute(node, item.name))
                if item.name in ("value_ints", "value_floats"):
                    return np.asarray(self.attribute(node, item.name))
            return None
        if node.op_type in ("Identity", "Cast"):
            value = self.constant(node.input[0])
            if value is None or node.op_type == "Identity":
                return value
            from onnx import helper

            return value.astype(helper.tensor_dtype_to_np_dtype(self.attribute(node, "to")))
        if node.op_type == "Reshape":
            value, shape = self.constant(node.input[0]), self.constant(node.input[1])
            return None if value is None or shape is None else value.reshape(shape.tolist())
        return None

    def is_constant(self, name: str) -> bool:
        """Whether constant() knows the tensor, without making a copy of it."""
        if name in self.initializers:
            return True
        node = self.producer.get(name)
        if node is None:
            return False
        if node.op_type == "Constant":
            return True
        if node.op_type in ("Identity", "Cast", "Reshape"):
            return all(self.is_constant(item) for item in node.input if item)
        return False

    def before_layout(self, name: str, also: Iterable[str] = ()) -> str:
        """The tensor that reshaping (and the operators in `also`) made this one of."""
        types = LAYOUT | set(also)
        node = self.producer.get(name)
        while node is not None and node.op_type in types:
            name = node.input[0]
            node = self.producer.get(name)
        return name

    def ancestors(self, names: Iterable[str], stop: Iterable[str]) -> list[Any]:
        """Nodes that the tensors are computed by, down to the tensors in stop, in graph order."""
        ends = set(stop)
        wanted: set[int] = set()
        todo = [name for name in names if name not in ends]
        while todo:
            node = self.producer.get(todo.pop())
            if node is None or id(node) in wanted:
                continue
            wanted.add(id(node))
            todo += [name for name in node.input if name and name not in ends]
        return [node for node in self.model.graph.node if id(node) in wanted]

    def drop_unused(self) -> int:
        """Remove nodes and weights that no output depends on; how many nodes went."""
        graph = self.model.graph
        used = set(self.outputs)
        kept = []
        for node in reversed(graph.node):
            if any(name in used for name in node.output):
                kept.append(node)
                used.update(name for name in node.input if name)
                for item in node.attribute:  # bodies of If and Loop read outer tensors
                    if item.HasField("g"):
                        used.update(name for inner in item.g.node for name in inner.input)
        gone = len(graph.node) - len(kept)
        kept.reverse()
        copies = [type(node).FromString(node.SerializeToString()) for node in kept]
        del graph.node[:]
        graph.node.extend(copies)
        for index in range(len(graph.initializer) - 1, -1, -1):
            if graph.initializer[index].name not in used:
                del graph.initializer[index]
        known = {name for node in graph.node for name in node.output} | used
        for index in range(len(graph.value_info) - 1, -1, -1):
            if graph.value_info[index].name not in known:
                del graph.value_info[index]
        self.rebuild()
        return gone
