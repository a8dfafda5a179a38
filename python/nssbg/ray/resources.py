"""What a worker of a cluster is given: processors, accelerators, memory, pictures at a time.

By what the planner knows: on processors a picture runs best on one thread, and pictures at a time
gain nothing that as many workers do not give (decision 0804), so a worker gets as few processors as
the memory that it needs besides pictures allows. An accelerator is given to one worker, whose
threads prepare pictures for it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from nssbg._enhance_options import Enhancement
from nssbg._errors import NssbgError
from nssbg._pipeline.enhancing import upscale_of
from nssbg._pipeline.memory_estimate import ENHANCING_BYTES
from nssbg._vocabulary import UPSCALES, Backend

__all__ = ["Resources", "resources_for"]

# Memory of a process with Python, NumPy and Ray's worker in it, before any model.
_BASE = 320 << 20
# What one picture of 24 megapixels takes in flight, and what is waiting to be sent.
_IN_FLIGHT = 512 << 20
# Memory besides pictures that is fair for one processor.
_FAIR = 768 << 20
_STUDIO = 64 << 20
# Of a model whose graph is not here.
_UNKNOWN = (1 << 30, 512 << 20)
_BATCH = 16
_GPU_BATCH = 64
_GPU_CPUS = 4


@dataclass(frozen=True)
class Resources:
    """Of one worker.

    Attributes:
        num_cpus: Processors, each of which works on a picture at a time.
        num_gpus: Accelerators.
        memory: Bytes.
        batch_size: Pictures that are handed over at a time: enough that fetching the first and
            committing the last weigh little, few enough that little is done again when a worker
            is lost.
    """

    num_cpus: int
    num_gpus: float
    memory: int
    batch_size: int


def resources_for(
    model: str = "auto",
    *,
    device: str = "auto",
    backend: Backend = "auto",
    enhance: Iterable[Enhancement] = (),
) -> Resources:
    """What a worker with this model needs.

    Args:
        model: See `nssbg.Remover`.
        device: "auto" and "cpu" are processors: a driver cannot know what its workers have.
        backend: See `nssbg.Remover`.
        enhance: How pictures may be enhanced.
    """
    fixed, activations = _predicted(model, backend)
    upscales = [_upscale(one) for one in enhance]
    in_flight = _IN_FLIGHT * max(upscales, default=1) ** 2
    fixed += ENHANCING_BYTES * bool(upscales)
    if device not in ("auto", "cpu"):
        memory = _BASE + fixed + _GPU_CPUS * in_flight
        return Resources(_GPU_CPUS, 1.0, memory, _GPU_BATCH)
    cpus = 1
    while cpus < 8 and (_BASE + fixed) / cpus > _FAIR:
        cpus *= 2
    memory = _BASE + fixed + cpus * (activations + in_flight)
    return Resources(cpus, 0.0, memory, max(_BATCH, 2 * cpus))


def _upscale(enhancement: Enhancement) -> int:
    try:
        return upscale_of(enhancement)
    except NssbgError:  # its network is where the workers are
        return enhancement.upscale or UPSCALES[-1]


def _predicted(model: str, backend: Backend) -> tuple[int, int]:
    """Bytes that a model takes whatever it works on, and for each picture at a time."""
    if model == "studio":
        return _STUDIO, 0
    from nssbg._models.catalog import describe
    from nssbg._models.store import locate
    from nssbg._planner.candidates import Candidate
    from nssbg._planner.graph_cost import graph_cost
    from nssbg._planner.resource_estimate import predicted_peak
    from nssbg._segment.opening import BUNDLED

    try:
        described = describe(BUNDLED if model == "auto" else model)
        path = described.path or locate(described)
        if path is None:  # it is pulled where the workers are
            return _UNKNOWN
        cost = graph_cost(described.at(path))
    except NssbgError:
        return _UNKNOWN
    runs = "onnxruntime" if backend == "onnxruntime" else "openvino"
    one = predicted_peak(cost, Candidate(runs, "cpu", "float32", 1, 1))
    two = predicted_peak(cost, Candidate(runs, "cpu", "float32", 2, 2))
    each = max(0, two - one)
    return max(0, one - each), math.ceil(each)
