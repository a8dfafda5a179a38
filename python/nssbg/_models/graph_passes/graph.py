"""An ONNX graph with its edges: who makes a tensor, who reads it, what is constant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Graph"]

# Operators by which exporters compute sizes, paddings and grids.
_FOLDED = frozenset(
    {
        *("Add", "Sub", "Mul", "Div", "Mod", "Neg", "Abs", "Floor", "Ceil", "Sqrt", "Min", "Max"),
        *("Cast", "Concat", "Slice", "Gather", "Reshape", "Transpose", "Unsqueeze", "Squeeze"),
        *("Expand", "Tile", "Range", "ConstantOfShape", "Equal", "Less", "Greater", "Not", "And"),
        *("Where", "Identity", "Flatten", "ReduceProd", "Clip", "Pad", "ScatterND"),
    }
)

# Operators that only move numbers about.
LAYOUT = frozenset({"Reshape", "Unsqueeze", "Squeeze", "Identity", "Flatten"})


class Graph:
    """Edges of a model's main graph, kept up to date by rebuild().

    Args:
        model: An onnx.ModelProto.
        shapes: Tensors whose shape is known in all dimensions.
    """

    def __init__(self, model: Any, shapes: Mapping[str, tuple[int, ...]] | None = None) -> None:
        self.model = model
        self.shapes = dict(shapes or {})
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
        self._constant: dict[str, bool] = {}
        self._values: dict[str, NDArray[Any]] = {}

    def attribute(self, node: Any, name: str, default: Any = None) -> Any:
        """An attribute's value, or the default."""
        from onnx import helper

        for item in node.attribute:
            if item.name == name:
                return helper.get_attribute_value(item)
        return default

    def constant(self, name: str) -> NDArray[Any] | None:
        """The value of a tensor that does not depend on the input; None where it may.

        Exporters compute sizes, paddings and grids by chains of small operators, which are
        evaluated here; the size of a tensor is constant where its shape is known.
        """
        if name in self.initializers:
            from onnx import numpy_helper

            return np.asarray(numpy_helper.to_array(self.initializers[name]))
        if not self.is_constant(name):
            return None
        if name not in self._values:
            self._values[name] = self._evaluated(name)
        return self._values[name]

    def is_constant(self, name: str) -> bool:
        """Whether constant() knows the tensor, without computing it."""
        if name in self.initializers:
            return True
        known = self._constant.get(name)
        if known is None:
            node = self.producer.get(name)
            if node is None:
                known = False
            elif node.op_type == "Shape":
                known = node.input[0] in self.shapes or self.is_constant(node.input[0])
            elif node.op_type == "Constant":
                known = True
            else:
                known = (
                    node.op_type in _FOLDED
                    and len(node.output) == 1
                    and all(self.is_constant(item) for item in node.input if item)
                )
            self._constant[name] = known
        return known

    @property
    def constants(self) -> list[str]:
        """Computed tensors that do not depend on the input."""
        return [name for name in self.producer if self.is_constant(name)]

    def _evaluated(self, name: str) -> NDArray[Any]:
        from onnx import helper
        from onnx.reference import ReferenceEvaluator

        node = self.producer[name]
        if node.op_type == "Shape" and node.input[0] in self.shapes:
            span = slice(self.attribute(node, "start", 0), self.attribute(node, "end"))
            return np.asarray(self.shapes[node.input[0]][span], np.int64)
        feed = {item: self.constant(item) for item in node.input if item}
        body = helper.make_graph(
            [node],
            "constant",
            [helper.make_empty_tensor_value_info(item) for item in feed],
            [helper.make_empty_tensor_value_info(name)],
        )
        model = helper.make_model(body, opset_imports=self.model.opset_import)
        return np.asarray(ReferenceEvaluator(model).run(None, feed)[0])

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
