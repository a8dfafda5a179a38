"""The least time that a figure could be, by the machine's measured peaks: its floor.

In: what a graph or a stage has to compute and to move, and MachinePeaks. Out: milliseconds and
which of the two binds. Only what no implementation can leave out counts: each operation once,
weights, pictures and results moved once. Data that a cache still holds can beat a floor of bytes;
a share above 100 % says so.
"""

from __future__ import annotations

from dataclasses import dataclass

from nssbg._planner.graph_cost import GraphCost
from nssbg._planner.machine_peaks import MachinePeaks

__all__ = ["Floor", "network_floor", "share_of_floor", "stage_floors"]

# Of one weight.
_WEIGHT_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2, "int8": 1}


@dataclass(frozen=True)
class Floor:
    """A bound from below.

    Attributes:
        milliseconds: Nothing that does this work here is faster.
        bound: "compute" or "memory": which of the two it is.
        operations: Operations counted (a multiply-add is two).
        bytes: Bytes counted.
    """

    milliseconds: float
    bound: str
    operations: float
    bytes: float


def _floor(operations: float, moved: float, per_second: float, bandwidth: float) -> Floor:
    compute = operations / per_second if operations else 0.0
    memory = moved / bandwidth
    bound = "compute" if compute > memory else "memory"
    return Floor(1e3 * max(compute, memory), bound, operations, moved)


def network_floor(
    cost: GraphCost,
    peaks: MachinePeaks,
    *,
    precision: str,
    threads: int,
    stored: str = "float32",
) -> Floor | None:
    """The floor of one forward pass on the processor; None where that precision has no peak.

    Args:
        cost: Of the graph at its input size.
        peaks: As measured here.
        precision: What the arithmetic ran in.
        threads: Threads it had, in all.
        stored: What the weights are stored in, which the cost counts them in.
    """
    reached = peaks.operations.get(precision)
    if reached is None:
        return None
    operations = cost.operations + cost.product_operations + cost.sampled_operations
    moved = (
        cost.weights_bytes * _WEIGHT_BYTES[precision] / _WEIGHT_BYTES[stored]
        # The input, three planes, and the map that comes out, in float32.
        + 4.0 * 4 * cost.height * cost.width
    )
    share = min(1.0, threads / peaks.threads)
    return _floor(operations, moved, reached * share, peaks.read_bytes)


def stage_floors(
    peaks: MachinePeaks,
    *,
    height: int,
    width: int,
    file_bytes: int,
    result_bytes: int,
    network: tuple[int, int] | None = None,
) -> dict[str, Floor]:
    """Floors of a picture's stages, by the bytes that each has to read and write.

    Args:
        peaks: As measured here.
        height: Rows of the picture (8 bits).
        width: Columns.
        file_bytes: Of the picture's file.
        result_bytes: Of the result's file.
        network: The network's input size; None: none runs.
    """
    pixels = float(height) * width
    moved = {
        "decode": file_bytes + 3 * pixels,
        "studio": 3 * pixels + pixels,
        "refine": 3 * pixels + pixels,
        "foreground": 3 * pixels + pixels + 4 * pixels,
        "compose": 4 * pixels + 3 * pixels,
        "encode": 4 * pixels + result_bytes,
    }
    if network is not None:
        moved["prepare"] = 3 * pixels + 3 * 4.0 * network[0] * network[1]
    return {name: _floor(0.0, count, 1.0, peaks.read_bytes) for name, count in moved.items()}


def share_of_floor(floor: Floor | None, milliseconds: float) -> float | None:
    """The floor as a percentage of what was measured; None without one."""
    return None if floor is None or milliseconds <= 0 else 100.0 * floor.milliseconds / milliseconds
