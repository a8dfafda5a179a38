"""Puts one DeformConv in the place of its decomposition into gathers and products.

In: an ONNX model as public exporters of torchvision's deform_conv2d write it. Out: an equal
model of opset 19. The decomposition is found by its structure, from each Floor of sample
positions forward to the convolution that it feeds; names play no part. Each kind of
replacement is run against the original before it is taken.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nssbg._models.graph_passes.graph import Graph
from nssbg._models.graph_passes.shapes import known_shapes
from nssbg._runtime_imports import import_onnxruntime

__all__ = ["Fused", "fuse_deform_conv"]

log = logging.getLogger("nssbg")

_GATHERS = frozenset({"GatherND", "GatherElements"})
# What may stand between the positions' floor and the final convolution.
_INSIDE = frozenset(
    {
        *("Add", "Sub", "Mul", "Sum", "Neg", "Floor", "Cast", "Clip", "Min", "Max", "Slice"),
        *("Gather", "Reshape", "Transpose", "Split", "Concat", "Unsqueeze", "Squeeze", "Expand"),
        *("Tile", "Identity", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "And", "Not"),
        *("Where", "Equal", "ConstantOfShape", "Flatten", "Shape", *_GATHERS),
    }
)
# A replacement is run against the original where the original's columns fit into this.
_CHECK_BYTES = 256 << 20
_TOLERANCE = 1e-3
_ASIDE = "nssbg.aside"


@dataclass(frozen=True)
class Fused:
    """One decomposition that was found.

    Attributes:
        kernel: Rows and columns of the kernel.
        size: Rows and columns of the output.
        nodes: Nodes that compute it.
        error: Largest distance from the original, relative to its largest value; None: its
            kind was checked on a smaller one.
    """

    kernel: tuple[int, int]
    size: tuple[int, int]
    nodes: int
    error: float | None


@dataclass
class _Match:
    x: str
    offset: str
    mask: str
    weight: str
    bias: str
    output: str
    terminal: Any
    attributes: dict[str, Any]
    geometry: tuple[int, int, int, int]  # channels, taps, output rows and columns
    signature: tuple[Any, ...]
    region: list[Any]


class _NoMatchError(Exception):
    """Why a Floor is not part of a decomposed deformable convolution."""


def _terminal(graph: Graph, floor: Any) -> tuple[Any, list[Any]]:
    """The one convolution that everything computed from the floor goes to, and the way there."""
    seen: dict[int, Any] = {}
    ends: dict[int, Any] = {}
    todo = list(floor.output)
    while todo:
        name = todo.pop()
        if name in graph.outputs:
            raise _NoMatchError("the positions reach an output of the model")
        for node in graph.readers.get(name, []):
            if node.op_type in ("Conv", "MatMul"):
                ends[id(node)] = node
            elif node.op_type not in _INSIDE:
                raise _NoMatchError(f"the positions go to {node.op_type}")
            elif id(node) not in seen:
                seen[id(node)] = node
                todo += list(node.output)
    if len(ends) != 1:
        raise _NoMatchError(f"the positions reach {len(ends)} convolutions")
    return next(iter(ends.values())), list(seen.values())


def _grid(value: NDArray[Any], taps: int) -> NDArray[Any]:
    """The undisplaced positions as taps x 2 x rows x columns."""
    squeezed = value.reshape([n for n in value.shape if n != 1] or [1])
    for shape in (value.shape, squeezed.shape):
        if len(shape) >= 4 and shape[-3] == 2 and shape[-4] == taps:
            return value.reshape(shape[-4:])
    lead = int(np.prod(value.shape[:-3])) if value.ndim >= 3 else 0
    if value.ndim >= 3 and value.shape[-3] == 2 and lead == taps:
        return value.reshape(taps, *value.shape[-3:])
    raise _NoMatchError(f"positions of shape {value.shape} do not fit {taps} taps")


def _geometry(
    grid: NDArray[Any], kernel: tuple[int, int], edge: tuple[int, int]
) -> dict[str, list[int]]:
    """Strides, dilations and pads that give exactly this grid of positions."""
    rows, columns = grid.shape[2:]
    stride = [
        int(grid[0, 0, 1, 0] - grid[0, 0, 0, 0]) if rows > 1 else 1,
        int(grid[0, 1, 0, 1] - grid[0, 1, 0, 0]) if columns > 1 else 1,
    ]
    dilation = [
        int(grid[kernel[1], 0, 0, 0] - grid[0, 0, 0, 0]) if kernel[0] > 1 else 1,
        int(grid[1, 1, 0, 0] - grid[0, 1, 0, 0]) if kernel[1] > 1 else 1,
    ]
    origin = grid[0, :, 0, 0]
    pad = [int(edge[0] - origin[0]), int(edge[1] - origin[1])]
    tap = np.arange(kernel[0] * kernel[1])
    y = (tap // kernel[1] * dilation[0])[:, None, None] + (
        np.arange(rows) * stride[0] + origin[0]
    ).reshape(1, -1, 1)
    x = (tap % kernel[1] * dilation[1])[:, None, None] + (
        np.arange(columns) * stride[1] + origin[1]
    ).reshape(1, 1, -1)
    expected = np.stack(
        [
            np.broadcast_to(y, (len(tap), rows, columns)),
            np.broadcast_to(x, (len(tap), rows, columns)),
        ],
        1,
    )
    if not np.array_equal(expected, grid) or min(*stride, *dilation) < 1 or min(pad) < 0:
        raise _NoMatchError("the positions are no regular grid")
    if any(p > 0 and e < 1 for p, e in zip(pad, edge, strict=True)):
        raise _NoMatchError("the border is not zero")
    return {"strides": stride, "dilations": dilation, "pads": [*pad, *pad]}


def _match(graph: Graph, floor: Any) -> _Match:
    """What the decomposition around a Floor computes.

    Raises:
        _NoMatchError: It is none, or one of a form that is not known.
    """
    terminal, inside = _terminal(graph, floor)
    gathers = [node for node in inside if node.op_type in _GATHERS]
    if len(gathers) != 4:
        raise _NoMatchError(f"{len(gathers)} gathers, expected the four corners")
    sources = {graph.before_layout(node.input[0], ("Transpose", "Expand")) for node in gathers}
    if len(sources) != 1:
        raise _NoMatchError("the corners are gathered from different tensors")
    pad_node = graph.producer.get(sources.pop())
    if pad_node is None or pad_node.op_type != "Pad":
        raise _NoMatchError("what is gathered from is not padded")
    pads = graph.constant(pad_node.input[1])
    fill = graph.constant(pad_node.input[2]) if len(pad_node.input) > 2 and pad_node.input[2] else 0
    mode = graph.attribute(pad_node, "mode", b"constant")
    if pads is None or pads.size != 8 or mode not in (b"constant", "constant"):
        raise _NoMatchError("padding that is not a constant border")
    if np.any(np.asarray(fill) != 0) or pads[[0, 1, 4, 5]].any():
        raise _NoMatchError("padding that is not zero, or not of rows and columns")
    if pads[2] != pads[6] or pads[3] != pads[7]:
        raise _NoMatchError("padding that differs between the sides")
    edge = (int(pads[2]), int(pads[3]))

    add = graph.producer.get(floor.input[0])
    if add is None or add.op_type != "Add":
        raise _NoMatchError("positions that are not a grid plus an offset")
    fixed = [name for name in add.input if graph.is_constant(name)]
    moved = [name for name in add.input if not graph.is_constant(name)]
    if len(fixed) != 1 or len(moved) != 1:
        raise _NoMatchError("positions that are not a constant grid plus an offset")
    positions = graph.constant(fixed[0])
    assert positions is not None

    ids = {id(node) for node in inside} | {id(floor)}
    gathered = {name for node in gathers for name in node.input[:1]}
    outer = {
        name
        for node in inside
        for name in node.input
        if name
        and not graph.is_constant(name)
        and name not in gathered
        and name != floor.input[0]
        and (name not in graph.producer or id(graph.producer[name]) not in ids)
    }
    # What else comes in is the modulator: one tensor, multiplied by.
    if len(outer) > 1:
        raise _NoMatchError(f"{len(outer)} further inputs, expected the modulator")
    mask = ""
    for name in outer:
        if any(node.op_type != "Mul" for node in graph.readers[name] if id(node) in ids):
            raise _NoMatchError("a further input that is not a modulator")
        mask = graph.before_layout(name)

    if terminal.op_type == "Conv":
        weight_name = terminal.input[1]
        weight = graph.constant(weight_name)
        if weight is None or weight.ndim != 4:
            raise _NoMatchError("a convolution without constant weights")
        kernel = (int(weight.shape[2]), int(weight.shape[3]))
        strides = tuple(graph.attribute(terminal, "strides", [1, 1]))
        if strides != kernel or any(graph.attribute(terminal, "pads", [0])):
            raise _NoMatchError("the final convolution's stride is not its kernel")
        bias = terminal.input[2] if len(terminal.input) > 2 else ""
        group = int(graph.attribute(terminal, "group", 1))
        output, last = terminal.output[0], terminal
    else:
        weight, kernel, output, last = _matmul(graph, terminal, positions)
        weight_name, bias, group = "", "", 1
    taps = kernel[0] * kernel[1]
    grid = _grid(positions, taps)
    attributes: dict[str, Any] = dict(_geometry(grid, kernel, edge))
    shape = _reshape_target(graph, moved[0])
    offset_group = 1
    if shape is not None and shape.size >= 5 and shape[-4] == taps:
        offset_group = int(shape[1]) if shape.size == 6 else 1
    attributes.update(kernel_shape=list(kernel), group=group, offset_group=offset_group)
    if not weight_name:
        weight_name = f"{output}_kernel"
        from onnx import numpy_helper

        if weight_name not in graph.initializers:
            made = [item for item in graph.model.graph.initializer if item.name == weight_name]
            if not made:  # another look at the same graph may have made it
                made = [numpy_helper.from_array(np.ascontiguousarray(weight), weight_name)]
                graph.model.graph.initializer.extend(made)
            graph.initializers[weight_name] = made[0]
    kinds = sorted(node.op_type for node in inside)
    return _Match(
        x=pad_node.input[0],
        offset=graph.before_layout(moved[0]),
        mask=mask,
        weight=weight_name,
        bias=bias,
        output=output,
        terminal=last,
        attributes=attributes,
        geometry=(int(weight.shape[1]) * group, taps, int(grid.shape[2]), int(grid.shape[3])),
        signature=(tuple(kinds), kernel, group, offset_group, bool(mask), bool(bias)),
        region=[*inside, floor, terminal],
    )


def _reshape_target(graph: Graph, name: str) -> NDArray[Any] | None:
    node = graph.producer.get(name)
    if node is None or node.op_type != "Reshape":
        return None
    return graph.constant(node.input[1])


def _matmul(
    graph: Graph, node: Any, positions: NDArray[Any]
) -> tuple[NDArray[Any], tuple[int, int], str, Any]:
    """A final product with the kernel as a matrix, out x (in x taps), and its reshaping."""
    matrix = graph.constant(node.input[0])
    if matrix is None or matrix.ndim < 2:
        raise _NoMatchError("a final product whose left side is not the kernel")
    rows, inner = (int(n) for n in matrix.shape[-2:])
    counts = [n for n in positions.shape[:-2] if n != 1]
    taps = int(np.prod(counts)) // 2 if counts else 1
    edge = round(taps**0.5)
    if edge * edge != taps or inner % taps:
        raise _NoMatchError("a kernel that is not square")
    readers = graph.readers.get(node.output[0], [])
    if len(readers) != 1 or readers[0].op_type != "Reshape":
        raise _NoMatchError("a final product that is not reshaped to a picture")
    weight = matrix.reshape(rows, inner // taps, edge, edge)
    return weight, (edge, edge), readers[0].output[0], readers[0]


def _node(match: _Match, name: str) -> Any:
    from onnx import helper

    inputs = [match.x, match.weight, match.offset, match.bias, match.mask]
    while inputs and not inputs[-1]:
        inputs.pop()
    return helper.make_node("DeformConv", inputs, [match.output], name=name, **match.attributes)


def _columns_bytes(match: _Match) -> int:
    channels, taps, rows, columns = match.geometry
    return 4 * channels * taps * rows * columns


def _run(model: Any, feed: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), sess_options=options, providers=["CPUExecutionProvider"]
    )
    return np.asarray(session.run(None, feed)[0])


def _error(graph: Graph, match: _Match, shapes: dict[str, tuple[int, ...]], opset: int) -> float:
    """Largest distance between the original nodes and DeformConv on made inputs, relative."""
    from onnx import TensorProto, helper, numpy_helper

    names = [name for name in (match.x, match.offset, match.mask) if name]
    shapes = {**_implied_shapes(match), **shapes}
    random = np.random.default_rng(0)
    feed: dict[str, NDArray[Any]] = {}
    for name in names:
        shape = shapes.get(name)
        if shape is None or len(shape) != 4:
            raise _NoMatchError(f"no four-dimensional shape is known for {name}")
        feed[name] = random.normal(size=shape).astype(np.float32)
    # Offsets of a fraction, of several pixels, and far outside the picture.
    reach = random.choice([0.5, 3.0, 40.0], size=feed[match.offset].shape, p=[0.6, 0.3, 0.1])
    feed[match.offset] *= reach.astype(np.float32)
    inputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, feed[n].shape) for n in names]
    result = [helper.make_tensor_value_info(match.output, TensorProto.FLOAT, None)]

    def build(nodes: list[Any], version: int) -> Any:
        used = {name for node in nodes for name in node.input if name}
        weights = [item for key, item in graph.initializers.items() if key in used]
        made = {name for node in nodes for name in node.output}
        for name in used - made - set(names) - set(graph.initializers):
            # A size that the graph takes from elsewhere, as it is for these inputs.
            weights.append(numpy_helper.from_array(np.asarray(graph.constant(name)), name))
        body = helper.make_graph(nodes, "check", inputs, result, weights)
        model = helper.make_model(body, opset_imports=[helper.make_opsetid("", version)])
        model.ir_version = 9
        return model

    try:
        ends = [*names, *graph.constants]
        original = _run(build(graph.ancestors([match.output], ends), opset), feed)
        replaced = _run(build([_node(match, "check")], 19), feed)
    except Exception as error:
        raise _NoMatchError(f"the check does not run: {error}") from error
    if original.shape != replaced.shape:
        raise _NoMatchError(f"gives {replaced.shape} in the place of {original.shape}")
    scale = max(1e-6, float(np.abs(original).max()))
    return float(np.abs(original - replaced).max()) / scale


def _implied_shapes(match: _Match) -> dict[str, tuple[int, ...]]:
    """The inputs' shapes as the geometry tells them, for exports that compute their sizes."""
    channels, taps, rows, columns = match.geometry
    groups = match.attributes["offset_group"]
    shapes: dict[str, tuple[int, ...]] = {match.offset: (1, 2 * taps * groups, rows, columns)}
    if match.mask:
        shapes[match.mask] = (1, taps * groups, rows, columns)
    if match.attributes["strides"] == [1, 1]:
        sides = [
            n + d * (k - 1) - 2 * p
            for n, d, k, p in zip(
                (rows, columns),
                match.attributes["dilations"],
                match.attributes["kernel_shape"],
                match.attributes["pads"][:2],
                strict=True,
            )
        ]
        shapes[match.x] = (1, channels, sides[0], sides[1])
    return shapes


# Heights and widths at which a graph of varying size is looked at: it is the same operation at
# all sizes where it is at two that share no proportion. Multiples of what such networks take.
_TRIED = ((192, 256), (320, 160))


def _sizes(model: Any) -> list[list[int] | None]:
    """Input shapes to look at the graph with; [None] where its input has one size."""
    dims = model.graph.input[0].type.tensor_type.shape.dim
    fixed = [int(dim.dim_value) if dim.HasField("dim_value") else 0 for dim in dims]
    if len(fixed) != 4 or all(fixed[1:]):
        return [None]
    return [[fixed[0] or 1, fixed[1] or 3, fixed[2] or h, fixed[3] or w] for h, w in _TRIED]


def _wiring(match: _Match) -> tuple[Any, ...]:
    """What has to be equal at every size of the input."""
    attributes = tuple((key, str(value)) for key, value in sorted(match.attributes.items()))
    names = (match.x, match.offset, match.mask, match.weight, match.bias, match.output)
    return (*names, *attributes, id(match.terminal))


def _opset(model: Any) -> int:
    return next((int(i.version) for i in model.opset_import if i.domain in ("", "ai.onnx")), 1)


def fuse_deform_conv(model: Any) -> tuple[Any, list[Fused], list[str]]:
    """Fuse every decomposed deformable convolution of a model.

    Args:
        model: An onnx.ModelProto; changed in place.

    Returns:
        The model (another one where its opset was raised), what was fused, and one line for
        each Floor that was left as it is.
    """
    import onnx

    graphs = [Graph(model, known_shapes(model, shape)) for shape in _sizes(model)]
    graph = graphs[0]
    opset = _opset(model)
    matches: list[tuple[_Match, ...]] = []
    left: list[str] = []
    for node in [item for item in model.graph.node if item.op_type == "Floor"]:
        try:
            found = tuple(_match(one, node) for one in graphs)
            if len({_wiring(match) for match in found}) != 1:
                raise _NoMatchError("its geometry depends on the size of the input")
            matches.append(found)
        except _NoMatchError as reason:
            left.append(str(reason))
    checked: dict[tuple[Any, ...], float] = {}
    fused: list[Fused] = []
    for instances in sorted(matches, key=lambda found: _columns_bytes(found[0])):
        match = instances[0]
        error: float | None = None
        known = match.signature in checked
        if not known or _columns_bytes(match) <= _CHECK_BYTES // 8:
            try:
                if _columns_bytes(match) > _CHECK_BYTES:
                    raise _NoMatchError("too large to be checked here")
                error = max(
                    _error(one, instance, one.shapes, opset)
                    for one, instance in zip(graphs, instances, strict=True)
                )
                if not error <= _TOLERANCE:
                    raise _NoMatchError(f"differs from the original by {error:.2g}")
            except _NoMatchError as reason:
                left.append(str(reason))
                continue
            checked[match.signature] = max(error, checked.get(match.signature, 0.0))
        nodes = model.graph.node
        place = next(
            i
            for i, item in enumerate(nodes)
            if item is match.terminal or (item.output and item.output[0] == match.output)
        )
        del nodes[place]
        nodes.insert(place, _node(match, f"DeformConv_{len(fused)}"))
        fused.append(
            Fused(
                (match.attributes["kernel_shape"][0], match.attributes["kernel_shape"][1]),
                match.geometry[2:],
                len(match.region),
                error,
            )
        )
    if not fused:
        return model, [], left
    graph.rebuild()
    graph.drop_unused()
    if opset < 19:
        model = _raised(model)
    onnx.checker.check_model(model)
    return model, fused, left


def _raised(model: Any) -> Any:
    """The model at opset 19; DeformConv, which no older opset has, is set aside meanwhile."""
    import onnx
    from onnx import helper

    # The converter passes over operators of other domains.
    for node in model.graph.node:
        if node.op_type == "DeformConv":
            node.domain = _ASIDE
    model.opset_import.append(helper.make_opsetid(_ASIDE, 1))
    del model.graph.value_info[:]
    raised = onnx.version_converter.convert_version(model, 19)
    for node in raised.graph.node:
        if node.domain == _ASIDE:
            node.domain = ""
    kept = [item for item in raised.opset_import if item.domain != _ASIDE]
    del raised.opset_import[:]
    raised.opset_import.extend(kept)
    del raised.graph.value_info[:]
    raised.ir_version = max(9, model.ir_version)
    return raised
