"""What this machine's processor and memory reach at their best, measured on the spot.

Out: bytes a second and operations a second in float32, bfloat16 and int8. They are the floors that
`nssbg bench` holds its figures against: products of large square matrices, convolutions of many
channels, and reading memory that no cache holds; the best of several runs, as a peak is what was
reached. Graphs of OpenVINO's, as its kernels are the fastest that networks here run on; without
it float32 alone is measured, by NumPy's matrix product.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from nssbg._errors import ModelError
from nssbg._installed import installed, not_installed
from nssbg._lifecycle import refuse_after_fork, used_runtime
from nssbg._runtime_imports import import_openvino

__all__ = ["MachinePeaks", "measure_peaks"]

_RUNS = 7
# Products of 1024 x 1024 matrices, and convolutions of 128 channels on 56 x 56, in chains: the
# shapes that reach most; a chain, since what comes before and after is no part of a peak.
_SIDE = 1024
_CHANNELS, _EDGE = 128, 56


@dataclass(frozen=True)
class MachinePeaks:
    """The most that was reached, by all threads together.

    Attributes:
        read_bytes: Bytes read from memory, a second.
        copy_bytes: Bytes read and written by copying, a second (both count).
        operations: Precision -> operations a second (a multiply-add counts two).
        threads: Threads it was measured with.
        problems: Precision -> why there is no figure.
    """

    read_bytes: float
    copy_bytes: float
    operations: dict[str, float]
    threads: int
    problems: dict[str, str]

    def best_of(self, other: MachinePeaks) -> MachinePeaks:
        """The higher figure of two measurements with the same threads, each by itself."""
        names = dict.fromkeys((*self.operations, *other.operations))
        return MachinePeaks(
            max(self.read_bytes, other.read_bytes),
            max(self.copy_bytes, other.copy_bytes),
            {n: max(self.operations.get(n, 0), other.operations.get(n, 0)) for n in names},
            self.threads,
            {n: why for n, why in self.problems.items() if n in other.problems},
        )


def _best(call: Callable[[], Any], runs: int) -> float:
    """Least seconds of several calls, after one that is not counted."""
    call()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return max(min(times), 1e-9)


def _bandwidth(threads: int, megabytes: int, runs: int) -> tuple[float, float]:
    """Bytes a second: read, and copied (read and written); the better of one and all threads."""
    read = copy = 0.0
    for count in sorted({1, threads}):
        words = (megabytes << 20) // 8 // count
        sources = [np.ones(words, np.uint64) for _ in range(count)]
        targets = [np.zeros_like(source) for source in sources]
        size = 8 * words * count
        with ThreadPoolExecutor(count) as pool:

            def reading(pool: ThreadPoolExecutor = pool, sources: list[Any] = sources) -> list[Any]:
                return list(pool.map(np.bitwise_or.reduce, sources))

            def copying(
                pool: ThreadPoolExecutor = pool,
                sources: list[Any] = sources,
                targets: list[Any] = targets,
            ) -> list[Any]:
                return list(pool.map(np.copyto, targets, sources))

            read = max(read, size / _best(reading, runs))
            copy = max(copy, 2 * size / _best(copying, runs))
    return read, copy


def _numpy_products(threads: int, runs: int) -> float:
    """float32 operations a second by NumPy's matrix product, one product a thread."""
    side = 512
    left = np.full((side, side), 0.5, np.float32)
    places = [np.empty_like(left) for _ in range(threads)]
    with ThreadPoolExecutor(threads) as pool:
        seconds = _best(
            lambda: list(pool.map(lambda out: np.matmul(left, left, out=out), places)), runs
        )
    return 2.0 * side**3 * threads / seconds


def _quantized(ops: Any, node: Any, low: float, high: float, levels: int) -> Any:
    bounds = [ops.constant(np.array(value, np.float32)) for value in (low, high)]
    return ops.fake_quantize(node, *bounds, *bounds, levels)


def _graphs(openvino: Any, ops: Any, *, int8: bool) -> list[tuple[Any, float]]:
    """A chain of products and one of convolutions, each with its operations."""
    random = np.random.default_rng(0)

    def layer(node: Any, shape: tuple[int, ...], apply: Callable[[Any, Any], Any]) -> Any:
        weights: Any = ops.constant(random.normal(0, 0.03, shape).astype(np.float32))
        if int8:
            node = _quantized(ops, node, 0.0, 2.55, 256)
            weights = _quantized(ops, weights, -0.127, 0.127, 255)
        return ops.relu(apply(node, weights))

    rows = ops.parameter([_SIDE, _SIDE], np.float32)
    node: Any = rows
    for _ in range(2):
        node = layer(node, (_SIDE, _SIDE), lambda x, w: ops.matmul(x, w, False, False))
    products = openvino.Model([node], [rows], "products")
    image = ops.parameter([1, _CHANNELS, _EDGE, _EDGE], np.float32)
    node = image
    one = [1, 1]
    for _ in range(4):
        node = layer(
            node,
            (_CHANNELS, _CHANNELS, 3, 3),
            lambda x, w: ops.convolution(x, w, one, one, one, one),
        )
    convolutions = openvino.Model([node], [image], "convolutions")
    return [
        (products, 2 * 2.0 * _SIDE**3),
        (convolutions, 4 * 2.0 * 9 * (_CHANNELS * _EDGE) ** 2),
    ]


def _openvino_operations(hint: str, *, int8: bool, threads: int, runs: int) -> float:
    """The most operations a second of either chain."""
    openvino = import_openvino()
    ops = import_openvino("opset11")
    core = openvino.Core()
    best = 0.0
    for graph, operations in _graphs(openvino, ops, int8=int8):
        config = {
            "INFERENCE_PRECISION_HINT": hint,
            "INFERENCE_NUM_THREADS": threads,
            "ENABLE_CPU_PINNING": False,
            "NUM_STREAMS": 1,
        }
        request = core.compile_model(graph, "CPU", config).create_infer_request()
        request.get_input_tensor(0).data[:] = 0.1
        best = max(best, operations / _best(request.infer, runs))
    return best


def measure_peaks(
    threads: int, *, bfloat16: bool = True, megabytes: int = 128, runs: int = _RUNS
) -> MachinePeaks:
    """Measure now; one to two seconds, nothing is kept.

    Args:
        threads: Threads for each.
        bfloat16: Whether the processor has instructions for it; without them there is no figure.
        megabytes: Memory that is read; several times the last cache.
        runs: Timed runs of each; the best counts.
    """
    read, copy = _bandwidth(threads, megabytes, runs)
    operations = {"float32": _numpy_products(threads, runs)}
    problems: dict[str, str] = {}
    if not bfloat16:
        problems["bfloat16"] = "this processor has no bfloat16 instructions"
    try:
        if not installed("openvino"):
            raise ModelError(not_installed("openvino"))
        refuse_after_fork("openvino")
        used_runtime("openvino")
        found = _openvino_operations("f32", int8=False, threads=threads, runs=runs)
        operations["float32"] = max(found, operations["float32"])
        if bfloat16:
            operations["bfloat16"] = _openvino_operations(
                "bf16", int8=False, threads=threads, runs=runs
            )
        operations["int8"] = _openvino_operations("f32", int8=True, threads=threads, runs=runs)
    except Exception as error:  # a broken installation may raise anything
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        for precision in ("bfloat16", "int8"):
            if precision not in operations:
                problems.setdefault(precision, reason)
    return MachinePeaks(read, copy, operations, threads, problems)
