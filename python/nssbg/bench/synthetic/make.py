"""The architectures by name, and the file of one.

In: a name of ARCHITECTURES. Out: an onnx.ModelProto, or its file, written whole or not at all;
and the description by which nssbg opens it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nssbg import _fs
from nssbg._errors import OptionError
from nssbg._models.sidecar import ModelDescription
from nssbg.bench.synthetic.birefnet import birefnet
from nssbg.bench.synthetic.graph import GraphBuilder
from nssbg.bench.synthetic.nested_u import nested_u
from nssbg.bench.synthetic.weights import RandomWeights, Weights

__all__ = ["ARCHITECTURES", "Architecture", "build", "describe", "make"]


@dataclass(frozen=True)
class Architecture:
    """A published architecture that can be made here.

    Attributes:
        write: Appends its nodes to a graph; (graph, name, side of the input) to its outputs.
        size: Side of the published input.
        like: The models of the catalog that have it.
        logits: Whether the output still wants a sigmoid.
    """

    write: Callable[[GraphBuilder, str, int], list[str]]
    size: int
    like: tuple[str, ...]
    logits: bool = False


ARCHITECTURES: dict[str, Architecture] = {
    "u2netp": Architecture(nested_u, 320, ("u2netp",)),
    "u2net": Architecture(nested_u, 320, ("u2net", "u2net-human-seg")),
    "isnet": Architecture(
        nested_u, 1024, ("isnet-general-use", "isnet-general-use-fp16", "isnet-anime", "rmbg-1.4")
    ),
    "birefnet-lite": Architecture(birefnet, 1024, ("birefnet-general-lite",), True),
    "birefnet": Architecture(
        birefnet,
        1024,
        (
            *("birefnet-general", "birefnet-portrait", "birefnet-dis", "birefnet-hrsod"),
            *("birefnet-cod", "birefnet-massive", "rmbg-2.0"),
        ),
        True,
    ),
}
# What the deepest of them halves its input to, so often.
_MULTIPLE = 32


def _architecture(name: str) -> Architecture:
    if name not in ARCHITECTURES:
        raise OptionError(
            f"synthetic network {name!r} is not known, expected one of {', '.join(ARCHITECTURES)}"
        )
    return ARCHITECTURES[name]


def build(
    name: str, *, size: int | None = None, seed: int = 0, weights: Weights | None = None
) -> Any:
    """The network as an onnx.ModelProto: one input 1 x 3 x size x size, float32.

    Args:
        name: A key of ARCHITECTURES.
        size: Side of the input in pixels, a multiple of 32; None: the published one.
        seed: Of the drawn weights.
        weights: Where the weights come from in place of drawn ones.

    Raises:
        OptionError: No such architecture, or a side that it does not take.
        ModelError: The onnx package is not installed.
    """
    known = _architecture(name)
    side = known.size if size is None else size
    if side < _MULTIPLE or side % _MULTIPLE:
        raise OptionError(f"size is {side}, expected a multiple of {_MULTIPLE}")
    graph = GraphBuilder(weights or RandomWeights(seed))
    return graph.finish(known.write(graph, name, side), name)


def make(name: str, path: str | Path, *, size: int | None = None, seed: int = 0) -> Path:
    """Write the network with random weights; the same bytes for the same arguments.

    Args:
        name: A key of ARCHITECTURES.
        path: The ".onnx" file, replaced where it is there.
        size: Side of the input in pixels, a multiple of 32; None: the published one.
        seed: Of the weights.

    Returns:
        The path.

    Raises:
        OptionError: No such architecture, or a side that it does not take.
        ModelError: The onnx package is not installed.
        OSError: The file cannot be written.
    """
    target = Path(path)
    data = build(name, size=size, seed=seed).SerializeToString()
    with _fs.replacing(target) as part:
        part.write_bytes(data)
    return target


def describe(name: str, path: str | Path, *, size: int | None = None) -> ModelDescription:
    """The description by which nssbg opens such a file.

    Raises:
        OptionError: No such architecture.
    """
    known = _architecture(name)
    side = known.size if size is None else size
    return ModelDescription(
        name=f"synthetic-{name}",
        file=Path(path).name,
        height=side,
        width=side,
        activation="sigmoid" if known.logits else "none",
        range="unit" if known.logits else "minmax",
        license="Apache-2.0",
        commercial=True,
        summary="random weights: its time and memory are real, its alpha is not",
        path=Path(path),
    )
