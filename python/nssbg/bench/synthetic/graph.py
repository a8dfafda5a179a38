"""Writes an ONNX graph node by node, as torch's exporter would: shapes known, norms folded.

In: calls named after layers. Out: an onnx.ModelProto. Each call returns a value's name; its shape
is in `shapes`. Batch normalisation is folded into the convolution before it, as exporters do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nssbg._errors import ModelError
from nssbg._installed import installed, not_installed
from nssbg.bench.synthetic.weights import Weights

__all__ = ["GraphBuilder"]

OPSET = 17
# Of torch.nn.BatchNorm2d and LayerNorm.
EPSILON = 1e-5


class GraphBuilder:
    """A graph in the making; float32, batch 1, NCHW unless a layer says otherwise."""

    def __init__(self, weights: Weights) -> None:
        """Start an empty graph.

        Raises:
            ModelError: The onnx package is not installed.
        """
        if not installed("onnx"):
            raise ModelError(f"synthetic networks: {not_installed('onnx')}")
        import onnx

        self._onnx = onnx
        self._weights = weights
        self._nodes: list[Any] = []
        self._constants: dict[str, Any] = {}
        self._shared: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}
        self._inputs: list[Any] = []

    def node(
        self, op: str, inputs: Sequence[str], shape: tuple[int, ...], /, **attributes: Any
    ) -> str:
        """Append an operator with one output of that shape; the output's name."""
        name = f"{op}_{len(self._nodes)}"
        made = self._onnx.helper.make_node(op, list(inputs), [name], name=name, **attributes)
        self._nodes.append(made)
        self.shapes[name] = shape
        return name

    def input(self, name: str, shape: tuple[int, ...]) -> str:
        """The graph's float32 input."""
        kind = self._onnx.TensorProto.FLOAT
        self._inputs.append(self._onnx.helper.make_tensor_value_info(name, kind, shape))
        self.shapes[name] = shape
        return name

    def constant(self, value: NDArray[Any], name: str = "") -> str:
        """A tensor of the file; one name, or the same contents without a name, stand once."""
        if name and name in self._constants:
            return name
        key = (str(value.dtype), value.shape, b"" if name else value.tobytes())
        if not name and key in self._shared:
            return self._shared[key]
        label = name or f"constant_{len(self._constants)}"
        self._constants[label] = self._onnx.numpy_helper.from_array(
            np.array(value, order="C"), label
        )
        self.shapes[label] = value.shape
        if not name:
            self._shared[key] = label
        return label

    def integers(self, *values: int) -> str:
        """A one-dimensional int64 constant."""
        return self.constant(np.array(values, np.int64))

    def scalar(self, value: float) -> str:
        """A float32 scalar."""
        return self.constant(np.array(value, np.float32))

    def tensor(self, name: str, shape: tuple[int, ...], role: Any) -> NDArray[np.float32]:
        """A weight by its name, not yet in the file."""
        return self._weights(name, shape, role)

    def conv(
        self,
        x: str,
        name: str,
        channels: int,
        kernel: int,
        *,
        stride: int = 1,
        padding: int = 0,
        dilation: int = 1,
        bias: bool = True,
        norm: str = "",
    ) -> str:
        """A square convolution; with norm, a batch normalisation of that name folded into it."""
        batch, channels_in, height, width = self.shapes[x]
        weight = self.tensor(f"{name}.weight", (channels, channels_in, kernel, kernel), "kernel")
        offset = np.zeros(channels, np.float32)
        if bias:
            offset = self.tensor(f"{name}.bias", (channels,), "bias")
        if norm:
            weight, offset = self.folded(weight, offset, norm)
        inputs = [x, self.constant(weight, f"{name}.weight")]
        if bias or norm:
            inputs.append(self.constant(offset, f"{name}.bias"))
        reach = dilation * (kernel - 1) + 1
        rows, columns = ((side + 2 * padding - reach) // stride + 1 for side in (height, width))
        return self.node(
            "Conv",
            inputs,
            (batch, channels, rows, columns),
            kernel_shape=[kernel] * 2,
            strides=[stride] * 2,
            pads=[padding] * 4,
            dilations=[dilation] * 2,
            group=1,
        )

    def folded(
        self, weight: NDArray[np.float32], offset: NDArray[np.float32], norm: str
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Kernel and bias that do a convolution and the batch normalisation after it at once."""
        count = (weight.shape[0],)
        scale = self.tensor(f"{norm}.weight", count, "scale").astype(np.float64)
        shift = self.tensor(f"{norm}.bias", count, "shift").astype(np.float64)
        mean = self.tensor(f"{norm}.running_mean", count, "mean").astype(np.float64)
        variance = self.tensor(f"{norm}.running_var", count, "variance").astype(np.float64)
        factor = scale / np.sqrt(variance + EPSILON)
        return (
            (weight * factor[:, None, None, None]).astype(np.float32),
            ((offset - mean) * factor + shift).astype(np.float32),
        )

    def linear(self, x: str, name: str, width: int, *, bias: bool = True) -> str:
        """A matrix product over the last axis."""
        shape = self.shapes[x]
        weight = self.tensor(f"{name}.weight", (width, shape[-1]), "linear")
        out = (*shape[:-1], width)
        y = self.node("MatMul", [x, self.constant(weight.T, f"{name}.weight")], out)
        if not bias:
            return y
        value = self.tensor(f"{name}.bias", (width,), "bias")
        return self.node("Add", [self.constant(value, f"{name}.bias"), y], out)

    def layer_norm(self, x: str, name: str) -> str:
        """Over the last axis."""
        width = (self.shapes[x][-1],)
        scale = self.constant(self.tensor(f"{name}.weight", width, "scale"), f"{name}.weight")
        shift = self.constant(self.tensor(f"{name}.bias", width, "shift"), f"{name}.bias")
        return self.node(
            "LayerNormalization", [x, scale, shift], self.shapes[x], axis=-1, epsilon=EPSILON
        )

    def same(self, op: str, *inputs: str) -> str:
        """An element-wise operator whose result has the first input's shape."""
        return self.node(op, inputs, self.shapes[inputs[0]])

    def gelu(self, x: str) -> str:
        """The exact form, as torch exports it to this opset."""
        inside = self.same("Erf", self.same("Div", x, self.scalar(2**0.5)))
        product = self.same("Mul", x, self.same("Add", inside, self.scalar(1.0)))
        return self.same("Mul", product, self.scalar(0.5))

    def max_pool(self, x: str) -> str:
        """Over 2 x 2, odd sides rounded up."""
        batch, channels, height, width = self.shapes[x]
        return self.node(
            "MaxPool",
            [x],
            (batch, channels, -(-height // 2), -(-width // 2)),
            kernel_shape=[2, 2],
            strides=[2, 2],
            ceil_mode=1,
        )

    def resize(self, x: str, size: tuple[int, int], *, align_corners: bool = False) -> str:
        """Bilinear, without antialiasing, to height and width."""
        shape = (*self.shapes[x][:2], *size)
        how = "align_corners" if align_corners else "pytorch_half_pixel"
        return self.node(
            "Resize",
            [x, "", "", self.integers(*shape)],
            shape,
            coordinate_transformation_mode=how,
            cubic_coeff_a=-0.75,
            mode="linear",
            nearest_mode="floor",
        )

    def concat(self, parts: Sequence[str], axis: int = 1) -> str:
        """Join values along an axis."""
        shape = list(self.shapes[parts[0]])
        shape[axis] = sum(self.shapes[part][axis] for part in parts)
        return self.node("Concat", parts, tuple(shape), axis=axis)

    def reshape(self, x: str, *shape: int) -> str:
        """The same values in another shape; one length may be -1, what the others leave."""
        if -1 in shape:
            rest = -math.prod(shape)
            left = math.prod(self.shapes[x]) // rest
            shape = tuple(left if length == -1 else length for length in shape)
        return self.node("Reshape", [x, self.integers(*shape)], shape)

    def transpose(self, x: str, *order: int) -> str:
        """Axes in another order."""
        shape = tuple(self.shapes[x][axis] for axis in order)
        return self.node("Transpose", [x], shape, perm=list(order))

    def part(self, x: str, axis: int, start: int, stop: int, step: int = 1) -> str:
        """A slice along one axis."""
        shape = list(self.shapes[x])
        shape[axis] = -(-(stop - start) // step)
        limits = [self.integers(value) for value in (start, stop, axis, step)]
        return self.node("Slice", [x, *limits], tuple(shape))

    def split(self, x: str, axis: int, count: int) -> list[str]:
        """Equal parts along an axis."""
        shape = list(self.shapes[x])
        shape[axis] //= count
        first = f"Split_{len(self._nodes)}"
        names = [f"{first}_{i}" for i in range(count)]
        sizes = self.integers(*[shape[axis]] * count)
        made = self._onnx.helper.make_node("Split", [x, sizes], names, name=first, axis=axis)
        self._nodes.append(made)
        self.shapes.update(dict.fromkeys(names, tuple(shape)))
        return names

    def finish(self, outputs: Sequence[str], name: str) -> Any:
        """The checked onnx.ModelProto with those values as outputs, in order."""
        helper, kind = self._onnx.helper, self._onnx.TensorProto.FLOAT
        infos = [helper.make_tensor_value_info(key, kind, self.shapes[key]) for key in outputs]
        graph = helper.make_graph(
            self._nodes, name, self._inputs, infos, list(self._constants.values())
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="nssbg"
        )
        model.ir_version = 8  # of opset 17: what every runtime that nssbg takes can read
        self._onnx.checker.check_model(model)
        return model
