"""Whether a model fits into this machine's memory, how long it takes, and what would fit.

The shape of the rule is the graph's; its few constants were fitted to peak memory measured on
U-2-Net-p, U-2-Net, IS-Net and BiRefNet-lite (bench/prediction.py tells prediction over
measurement). Models that are not here are predicted by what their architecture is known to cost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from nssbg._errors import ModelError
from nssbg._memory import available_memory
from nssbg._models.catalog import builtin_catalog
from nssbg._models.onnx_header import input_dimensions
from nssbg._models.sidecar import ModelDescription
from nssbg._planner.candidates import Candidate, stream_layouts
from nssbg._planner.graph_cost import GraphCost, Rates, graph_cost, measure_rates
from nssbg._planner.known_costs import known_cost

__all__ = [
    "Fit",
    "fit",
    "max_streams_in_memory",
    "memory_shortfall",
    "model_cost",
    "predicted_peak",
    "predicted_seconds",
]


@dataclass(frozen=True)
class _Constants:
    """Of one runtime: bytes before any model, and factors on the graph's own numbers."""

    base: int
    weights: float  # the file's weights and the runtime's packed copy
    activations: float


_MEMORY = {
    "openvino float32": _Constants(140 << 20, 2.0, 1.15),
    "openvino bfloat16": _Constants(140 << 20, 1.5, 0.75),
    "openvino float16": _Constants(140 << 20, 1.5, 0.75),
    "openvino int8": _Constants(140 << 20, 1.25, 0.75),
    # Its arena grows by powers of two: from 1.6 to 2.9 on the synthetic networks.
    "onnxruntime float32": _Constants(90 << 20, 2.0, 2.2),
    # It casts between the operators that it has in float16 and those that it has not.
    "onnxruntime float16": _Constants(90 << 20, 2.0, 3.2),
    "onnxruntime int8": _Constants(90 << 20, 1.5, 2.2),
}


# Networks make nothing of a subject on fewer pixels than this.
_LEAST_SIDE = 256
# The rates are OpenVINO's. Measured over the same networks, ONNX Runtime takes this much longer.
_SLOWER = {"openvino": 1.0, "onnxruntime": 1.1}


@dataclass(frozen=True)
class Fit:
    """The prediction for one way to run a model.

    Attributes:
        peak_bytes: Most memory of the process.
        seconds: Time a picture.
        available_bytes: What is free now.
        fits: Whether peak_bytes is within it.
        advice: What would fit, where it does not.
    """

    peak_bytes: int
    seconds: float
    available_bytes: int
    fits: bool
    advice: tuple[str, ...] = ()


def predicted_peak(cost: GraphCost, candidate: Candidate) -> int:
    """Most bytes of a process that runs the model so, on the processor."""
    known = _MEMORY.get(f"{candidate.backend} {candidate.precision}")
    constants = known or _MEMORY["openvino float32"]
    activations = cost.peak_bytes * constants.activations * candidate.streams * candidate.batch
    return int(
        constants.base
        + cost.weights_bytes * constants.weights
        + activations
        + cost.largest_scratch * candidate.streams
    )


def predicted_seconds(cost: GraphCost, candidate: Candidate, rates: Rates) -> float:
    """Time a picture on the processor, from the machine's measured rates."""
    speed, products, moved = rates.operations, rates.products, cost.moved_bytes
    if candidate.precision != "float32":
        speed, products, moved = rates.operations_bfloat16, rates.products_bfloat16, moved / 2
    share = min(1.0, candidate.threads / rates.threads)
    seconds = (
        cost.operations / (speed * share)
        + cost.product_operations / (products * share)
        + cost.sampled_operations / (rates.sampled * share)
        + moved / rates.bytes
    )
    return seconds * _SLOWER[candidate.backend]


def max_streams_in_memory(model: ModelDescription, threads: int) -> int:
    """Most pictures at the same time for which half of the free memory is enough.

    Args:
        model: Its path must be set.
        threads: What the streams share.

    Raises:
        ModelError: The graph cannot be read.
    """
    cost, free = graph_cost(model), available_memory()
    for streams in stream_layouts(threads):
        wanted = Candidate("openvino", "cpu", "float32", threads, streams)
        # The other half is for the pictures themselves.
        if predicted_peak(cost, wanted) <= free / 2:
            return streams
    return 1


def memory_shortfall(model: ModelDescription) -> Callable[[Candidate], str]:
    """A function that says why a way to run the model does not fit into memory now, or ""."""
    cost = graph_cost(model)

    def problem(candidate: Candidate) -> str:
        if candidate.device != "cpu":
            return ""
        peak, free = predicted_peak(cost, candidate), available_memory()
        if peak <= free:
            return ""
        return f"needs about {_readable(peak)}, {_readable(free)} is free"

    return problem


def _readable(count: float) -> str:
    return f"{count / 1e9:.1f} GB"


def fit(
    model: ModelDescription,
    candidate: Candidate,
    *,
    available: int | None = None,
    rates: Rates | None = None,
    others: Iterable[ModelDescription] | None = None,
) -> Fit:
    """Predict before anything is loaded, and say what would fit where this does not.

    Args:
        model: With its path set the graph is read, not run; without, its architecture has to be
            a known one.
        candidate: How it would be run.
        available: Bytes that are free; None: look.
        rates: The machine's rates; None: measured, or as kept.
        others: Models to think of as smaller ones; None: the built-in catalog's.

    Raises:
        ModelError: The graph cannot be read, or nothing is known of what it costs.
    """
    cost = model_cost(model)
    free = available_memory() if available is None else available
    peak = predicted_peak(cost, candidate)
    seconds = predicted_seconds(cost, candidate, rates or measure_rates(candidate.threads))
    advice: list[str] = []
    if peak > free:
        advice.append(f"needs about {_readable(peak)}, {_readable(free)} is free")
        if candidate.backend == "onnxruntime":
            leaner = Candidate("openvino", candidate.device, "float32", candidate.threads)
            if predicted_peak(cost, leaner) <= free:
                advice.append(f"backend openvino: {_readable(predicted_peak(cost, leaner))}")
        if candidate.backend == "openvino" and candidate.precision == "float32":
            half = Candidate("openvino", candidate.device, "bfloat16", candidate.threads)
            if predicted_peak(cost, half) <= free:
                advice.append(f"precision bfloat16: {_readable(predicted_peak(cost, half))}")
        advice += _smaller(model, cost, candidate, free, others)
    return Fit(peak, seconds, free, peak <= free, tuple(advice))


def model_cost(model: ModelDescription) -> GraphCost:
    """What the model costs: by its graph where that is here, else by its architecture.

    Raises:
        ModelError: The graph cannot be read, or nothing is known of what it costs.
    """
    if model.path is not None:
        return graph_cost(model)
    cost = known_cost(model)
    if cost is None:
        raise ModelError(
            "its weights are not here, and what its architecture costs at "
            f"{model.height} x {model.width} is not known; try: nssbg models pull {model.name}"
        )
    return cost


def _smaller(
    model: ModelDescription,
    cost: GraphCost,
    candidate: Candidate,
    free: int,
    others: Iterable[ModelDescription] | None,
) -> list[str]:
    """Fewer pictures at once, a smaller input where activations are too large, smaller models."""
    lines = []
    single = replace(candidate, streams=1, batch=1)
    if single != candidate and predicted_peak(cost, single) <= free:
        lines.append(f"one picture at a time: {_readable(predicted_peak(cost, single))}")
    size = _size_that_fits(model, cost, single, free)
    if size is not None and predicted_peak(cost, single) > free:
        height, width, peak = size
        if _takes_any_size(model):
            # What a tile of that size needs is what a picture of that size needs.
            lines.append(
                f"input of {height} x {width}: size = [{height}, {width}] in its sidecar, or the "
                f"picture in tiles of that size: {_readable(peak)}"
            )
        else:
            lines.append(f"an export of it for {height} x {width}: about {_readable(peak)}")
    pool = builtin_catalog().values() if others is None else others
    smaller = [
        item.name
        for item in pool
        if item.name != model.name
        and item.task == model.task
        and 0 < item.bytes < cost.weights_bytes / 2
        and item.height <= model.height
        and _may_fit(item, candidate, free)
    ]
    if smaller:
        lines.append(f"a smaller model: {', '.join(smaller[:4])}")
    lines.append("the weights-free method, model='studio', for plain backdrops")
    return lines


def _may_fit(model: ModelDescription, candidate: Candidate, free: int) -> bool:
    """Whether nothing that is known of the model says that it does not fit."""
    cost = known_cost(model)
    return cost is None or predicted_peak(cost, replace(candidate, streams=1, batch=1)) <= free


def _size_that_fits(
    model: ModelDescription, cost: GraphCost, candidate: Candidate, free: int
) -> tuple[int, int, int] | None:
    """The largest smaller input that is predicted to fit, and the peak with it."""
    fixed = predicted_peak(replace(cost, peak_bytes=0, largest_scratch=0), candidate)
    varying = predicted_peak(cost, candidate) - fixed
    for share in (0.75, 0.5, 0.375, 0.25):
        height, width = (int(side * share) // 32 * 32 for side in model.size)
        if min(height, width) < _LEAST_SIDE:
            return None
        if _takes_any_size(model):
            try:
                peak = predicted_peak(graph_cost(model, size=(height, width)), candidate)
            except ModelError:
                continue
        else:
            # Activations follow the area; the graph itself cannot be asked.
            peak = int(fixed + varying * share * share)
        if peak <= free:
            return height, width, peak
    return None


def _takes_any_size(model: ModelDescription) -> bool:
    if model.path is None or model.path.suffix != ".onnx":
        return False
    return not any(isinstance(side, int) for side in input_dimensions(model.path)[2:])
