"""What a model costs by its graph, and what this machine does in a second.

In: the graph at its input size, read by OpenVINO without compiling it. Out: operations,
bytes of weights, and the most bytes of activations alive at a time. The machine's rates, one a
class of operators, come from small graphs that are run once and kept.
"""

from __future__ import annotations

import contextlib
import functools
import math
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nssbg._errors import ModelError
from nssbg._installed import installed, not_installed
from nssbg._json_store import read_json, write_json
from nssbg._lifecycle import refuse_after_fork, used_runtime
from nssbg._models.paths import home
from nssbg._models.sidecar import ModelDescription
from nssbg._planner.store import machine_key
from nssbg._runtime.devices import usable_threads
from nssbg._runtime_imports import import_openvino

__all__ = ["GraphCost", "Rates", "graph_cost", "measure_rates"]

Clock = Callable[[], float]


@dataclass(frozen=True)
class GraphCost:
    """What one picture costs, by the graph alone.

    Attributes:
        operations: Floating-point operations in convolutions.
        product_operations: The same in matrix products.
        sampled_operations: Operations of deformable convolutions, which run slower.
        moved_bytes: Bytes that operators read and write which do little else: joining, resizing,
            transposing, pooling, normalising.
        weights_bytes: Bytes of the weights in float32.
        peak_bytes: Most bytes of activations alive at a time, in the graph's order.
        largest_scratch: Most bytes that one operator needs besides (a deformable
            convolution's columns).
        height: Rows of the input it was counted for.
        width: Columns of the input.
    """

    operations: float
    product_operations: float
    sampled_operations: float
    moved_bytes: float
    weights_bytes: int
    peak_bytes: int
    largest_scratch: int
    height: int
    width: int


@dataclass(frozen=True)
class Rates:
    """What this machine does, measured.

    Attributes:
        operations: Of float32 convolutions, a second.
        operations_bfloat16: The same in bfloat16.
        products: Operations of a float32 matrix product, a second.
        products_bfloat16: The same in bfloat16.
        sampled: Operations of a deformable convolution, a second.
        bytes: Moved by resizing and joining, a second.
        threads: Threads it was measured with.
    """

    operations: float
    operations_bfloat16: float
    products: float
    products_bfloat16: float
    sampled: float
    bytes: float
    threads: int


def graph_cost(model: ModelDescription, *, size: tuple[int, int] | None = None) -> GraphCost:
    """Count the graph's operations and bytes.

    Args:
        model: Its path must be set.
        size: Height and width of the input; None: the model's own.

    Raises:
        ModelError: The graph cannot be read, or not for that size.
    """
    assert model.path is not None
    try:
        written = model.path.stat().st_mtime_ns
    except OSError:
        written = 0  # reading it will say what is wrong
    return _graph_cost(model, size or model.size, written)


def _graph_reader() -> Any:
    """The openvino module, which counts graphs whichever runtime then runs them.

    Raises:
        ModelError: It is not installed.
    """
    if not installed("openvino"):
        raise ModelError(not_installed("openvino"))
    return import_openvino()


@functools.lru_cache(maxsize=16)
def _graph_cost(model: ModelDescription, size: tuple[int, int], written: int) -> GraphCost:
    """Counted once a file as it was `written`: a tenth of a second."""
    from nssbg._runtime.openvino import read_graph

    refuse_after_fork("openvino")
    openvino = _graph_reader()
    height, width = size
    graph = read_graph(openvino.Core(), openvino, model)
    try:
        graph.reshape([1, model.channels, height, width])
    except RuntimeError as error:
        raise ModelError(
            f"{model.name}: its graph does not take {height} x {width}: {error}"
        ) from error
    return _count(graph, height, width)


def _elements(shape: Any) -> int:
    return math.prod(shape.to_shape()) if shape.is_static else 0


def _bytes(output: Any) -> int:
    """Of a value as a processor holds it: files of float16 are widened as they are opened."""
    kind = output.get_element_type()
    size = 4 if kind.is_real() and kind.size < 4 else kind.size
    return _elements(output.get_partial_shape()) * size


# Operators that a runtime does in place, as a view, or as part of the one before.
_FREE = frozenset(
    {
        *("Reshape", "Unsqueeze", "Squeeze", "Result", "Parameter", "Constant", "Convert"),
        *("ShapeOf", "Relu", "Sigmoid", "Add", "Multiply", "Clamp", "Gelu", "HSwish"),
        *("Subtract", "Divide", "BatchNormInference", "FakeQuantize", "PRelu", "Swish"),
    }
)


def _count(graph: Any, height: int, width: int) -> GraphCost:
    operations = products = sampled = moved = 0.0
    weights = scratch = 0
    # A chain of in-place operators shares one buffer: the root's.
    root: dict[str, str] = {}
    size: dict[str, int] = {}
    last: dict[str, int] = {}
    ordered = list(graph.get_ordered_ops())
    for index, op in enumerate(ordered):
        kind = op.get_type_name()
        name = op.get_name()
        if kind == "Constant":
            weights += _bytes(op.output(0))
            continue
        produced = sum(_bytes(op.output(i)) for i in range(op.get_output_size()))
        sources = [
            op.input_value(i).get_node().get_name()
            for i in range(op.get_input_size())
            if op.input_value(i).get_node().get_type_name() != "Constant"
        ]
        read = sum(size.get(root.get(item, item), 0) for item in sources)
        if kind in _FREE and sources and kind != "Parameter":
            # The first source of the same size is written over.
            same = [i for i in sources if size.get(root.get(i, i), -1) == produced]
            root[name] = root.get(same[0], same[0]) if same else name
        else:
            root[name] = name
        if root[name] == name:
            size[name] = produced
        for item in [*sources, name]:
            last[root.get(item, item)] = index
        done = _operations(op, kind)
        if kind not in _FREE and not done:
            moved += produced + read
        if kind.startswith("Deformable"):
            sampled += done
            filters = op.input(2).get_partial_shape()
            taps = filters[2].get_length() * filters[3].get_length()
            rows = op.output(0).get_partial_shape()
            # Sampled positions with their four weights and four addresses.
            scratch = max(scratch, 32 * taps * rows[2].get_length() * rows[3].get_length())
        elif kind == "MatMul":
            products += done
        else:
            operations += done
    alive = peak = 0
    ends: dict[int, list[str]] = {}
    for name, index in last.items():
        ends.setdefault(index, []).append(name)
    for index, op in enumerate(ordered):
        name = op.get_name()
        if root.get(name) == name:
            alive += size.get(name, 0)
            peak = max(peak, alive)
        for done_name in ends.get(index, []):
            alive -= size.get(done_name, 0)
    return GraphCost(operations, products, sampled, moved, weights, peak, scratch, height, width)


def _operations(op: Any, kind: str) -> float:
    """Twice the multiplications of convolutions and products."""
    if kind in ("Convolution", "GroupConvolution", "DeformableConvolution"):
        filters = op.input(2 if kind.startswith("Deformable") else 1).get_partial_shape()
        dims = [item.get_length() for item in filters]
        per_output = float(np.prod(dims[2:] if kind == "GroupConvolution" else dims[1:]))
        return 2.0 * per_output * _elements(op.output(0).get_partial_shape())
    if kind == "MatMul":
        shape = op.input(0).get_partial_shape()
        transposed = bool(op.get_attributes().get("transpose_a", False))
        inner = shape[len(shape) - (2 if transposed else 1)].get_length()
        return 2.0 * float(inner) * _elements(op.output(0).get_partial_shape())
    return 0.0


def _rates_file() -> Path:
    return home() / "rates.json"


# Runnable processes a thread from which rates are those of a loaded machine, and what part of that
# has to be left for measuring anew to be worth a second or two.
_BUSY = 1.0
_QUIETER = 0.6


def _load(threads: int) -> float:
    """Processes that want to run, a thread; 0 where the system does not tell."""
    try:
        return os.getloadavg()[0] / max(1, threads)
    except (AttributeError, OSError):  # Windows; a system without /proc
        return 0.0


def _kept_rates(entry: Any) -> Rates | None:
    """The rates of an entry; None where it is not one (they are divided by), or is outdated.

    It is outdated where the machine had more to do when it was measured than it has now.
    """
    try:
        load = float(entry.get("load", 0.0))
        rates = Rates(**{key: value for key, value in entry.items() if key != "load"})
    except (TypeError, ValueError, AttributeError):
        return None
    values = asdict(rates).values()
    if not all(isinstance(value, (int, float)) and 0 < value < math.inf for value in values):
        return None
    busy = load > _BUSY and _load(rates.threads) < load * _QUIETER
    return None if busy else rates


def _time_graph(openvino: Any, build: Any, hint: str, threads: int, clock: Clock) -> float:
    """Least of several runs of a small compiled graph, in seconds of that clock."""
    compiled = openvino.Core().compile_model(
        build(),
        "CPU",
        {
            "INFERENCE_PRECISION_HINT": hint,
            "INFERENCE_NUM_THREADS": threads,
            "ENABLE_CPU_PINNING": False,
            "NUM_STREAMS": 1,
        },
    )
    request = compiled.create_infer_request()
    for index in range(len(compiled.inputs)):
        tensor = request.get_input_tensor(index)
        tensor.data[:] = 0.1
    times = []
    for _ in range(5):
        start = clock()
        request.infer()
        times.append(clock() - start)
    return min(times[1:])


def measure_rates(
    threads: int = 0, *, again: bool = False, clock: Clock = time.perf_counter
) -> Rates:
    """This machine's rates; measured once (one to two seconds) and kept.

    What was measured under load is measured anew once the machine is quieter.

    Args:
        threads: 0: all usable cores.
        again: Measure even where a measurement is kept.
        clock: Tells seconds; one other than the wall's (time.process_time, which load falls on
            less) measures always, and nothing of it is kept.
    """
    count = usable_threads(threads)
    key = f"{machine_key()} {count}"
    path = _rates_file()
    kept = read_json(path)
    on_the_wall = clock is time.perf_counter
    if on_the_wall and not again and key in kept:
        found = _kept_rates(kept[key])
        if found is not None:
            return found
    load = _load(count)
    refuse_after_fork("openvino")
    used_runtime("openvino")
    openvino = _graph_reader()
    ops = import_openvino("opset11")
    random = np.random.default_rng(0)
    channels, edge = 64, 96

    def weights(*shape: int) -> Any:
        return ops.constant(random.normal(size=shape).astype(np.float32))

    def convolution() -> Any:
        # Few channels on many pixels to many on few: as many operations each. Chains, since a
        # runtime brings its input into another layout first, which is no part of a rate.
        inputs, outputs = [], []
        for width, side in ((32, 160), (64, 80), (128, 40)):
            inputs.append(ops.parameter([1, width, side, side], np.float32))
            node: Any = inputs[-1]
            for _ in range(12):
                w = weights(width, width, 3, 3)
                node = ops.convolution(node, w, [1, 1], [1, 1], [1, 1], [1, 1])
            outputs.append(node)
        return openvino.Model(outputs, inputs, "rate")

    def product() -> Any:
        x = ops.parameter([4096, 384], np.float32)
        return openvino.Model([ops.matmul(x, weights(384, 768), False, False)], [x], "rate")

    def sampling() -> Any:
        x = ops.parameter([1, channels, edge, edge], np.float32)
        offset = ops.parameter([1, 18, edge, edge], np.float32)
        mask = ops.parameter([1, 9, edge, edge], np.float32)
        unit = [1, 1]
        node = ops.deformable_convolution(
            x,
            offset,
            weights(256, channels, 3, 3),
            *(unit, unit, unit, unit),
            mask,
            bilinear_interpolation_pad=True,
        )
        return openvino.Model([node], [x, offset, mask], "rate")

    def moving() -> Any:
        # Between convolutions, whose layout the data keeps as it does in a network.
        x = ops.parameter([1, channels, 128, 128], np.float32)
        axes, twice = ops.constant([2, 3]), ops.constant(np.array([2, 2], np.float32))
        node: Any = x
        for _ in range(3):
            node = ops.convolution(
                node, weights(channels, node.shape[1], 1, 1), [1, 1], [0, 0], [0, 0], [1, 1]
            )
            node = ops.interpolate(node, twice, "linear_onnx", "scales", axes=axes)
            node = ops.concat([node, node], 1)
            node = ops.max_pool(node, [2, 2], [1, 1], [0, 0], [0, 0], [2, 2]).output(0)
        return openvino.Model([node], [x], "rate")

    def measured(build: Any, hint: str) -> tuple[GraphCost, float]:
        return _count(build(), 0, 0), _time_graph(openvino, build, hint, count, clock)

    single, half = measured(convolution, "f32"), measured(convolution, "bf16")
    products, products_half = measured(product, "f32"), measured(product, "bf16")
    sampled, moved = measured(sampling, "f32"), measured(moving, "f32")
    operations = single[0].operations / single[1]
    beside = moved[0].operations / operations
    rates = Rates(
        operations=operations,
        operations_bfloat16=half[0].operations / half[1],
        products=products[0].product_operations / products[1],
        products_bfloat16=products_half[0].product_operations / products_half[1],
        sampled=sampled[0].sampled_operations / sampled[1],
        bytes=moved[0].moved_bytes / max(moved[1] - beside, moved[1] / 4),
        threads=count,
    )
    if not on_the_wall:
        return rates
    kept[key] = {**asdict(rates), "load": load}
    with contextlib.suppress(OSError):  # measured again next time
        write_json(path, kept)
    return rates
