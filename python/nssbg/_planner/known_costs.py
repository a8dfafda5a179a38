"""What published architectures cost, kept as data: predictions need no weights on this machine.

In: a model's description with its architecture and input size. Out: the GraphCost that
`graph_cost` counts on a graph of that architecture. known_costs.toml holds them; they come from the
graphs of nssbg.bench.synthetic (`python -m bench.known_costs`), and a test counts them again.
"""

from __future__ import annotations

import functools
from dataclasses import fields
from pathlib import Path

from nssbg._installed import installed
from nssbg._models.sidecar import ModelDescription, read_toml
from nssbg._planner.graph_cost import GraphCost

__all__ = ["known_cost", "known_costs"]

# What rewrites deformable convolution in one piece: nssbg._models.prepared.
_REWRITERS = ("onnx", "onnxruntime")


@functools.lru_cache(maxsize=1)
def known_costs() -> dict[tuple[str, int, bool], GraphCost]:
    """By architecture, side of the square input, and whether deformable convolutions are fused."""
    names = {field.name for field in fields(GraphCost)} - {"height", "width"}
    found = {}
    for row in read_toml(Path(__file__).with_suffix(".toml"))["cost"]:
        side = int(row["size"])
        cost = GraphCost(**{key: row[key] for key in names}, height=side, width=side)
        found[row["architecture"], side, bool(row["fused"])] = cost
    return found


def known_cost(model: ModelDescription) -> GraphCost | None:
    """What the model costs as this installation would run it, or None where that is not known."""
    if not model.architecture or model.height != model.width:
        return None
    fuses = all(installed(name) for name in _REWRITERS)
    costs = known_costs()
    key = (model.architecture, model.height)
    # A graph without deformable convolutions is the same either way, and stands as fused alone.
    found = costs.get((*key, True)) if fuses else costs.get((*key, False))
    return found or costs.get((*key, True))
