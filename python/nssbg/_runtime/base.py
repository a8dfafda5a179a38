"""The contract of a backend: run a tensor, close. And what it is opened with.

A backend holds one network, compiled for one device. It may be used from several threads.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from nssbg._errors import ModelError, NssbgError, OptionError
from nssbg._models.fingerprint import weights_fingerprint
from nssbg._models.sidecar import LARGEST_SIDE, ModelDescription
from nssbg._types import Plan

__all__ = [
    "Backend",
    "OpenOptions",
    "answer_from_output",
    "check_output_sides",
    "checked_tensor",
    "chunks_of",
    "masks_from_output",
    "run_in_chunks",
    "weights_fingerprint",
]

log = logging.getLogger("nssbg")


@runtime_checkable
class Backend(Protocol):
    """One network on one device, ready to run.

    Attributes:
        plan: What really runs: the runtime's own word, not what was asked for; the planner adds
            why.
    """

    plan: Plan

    def run(self, tensor: NDArray[np.float32]) -> NDArray[np.float32]:
        """The network's output for a tensor.

        Args:
            tensor: N x C x height x width, float32, C-contiguous; C as the description says.

        Returns:
            float32, the raw output (see coarse_alpha): N x h x w, or N x 3 x h x w of a network
            whose task is "image". The caller owns it.
        """

    def close(self) -> None:
        """Give the network's memory back. A closed backend raises on run."""


@dataclass(frozen=True)
class OpenOptions:
    """What a backend is opened with.

    Attributes:
        device: "auto", "cpu", "gpu", "npu", "cuda", ... in lower case.
        precision: "auto", "float32", "bfloat16", "float16" or "int8".
        threads: Threads that the runtime may use; 0: all that this process may use.
        streams: Pictures that run at the same time (OpenVINO's streams).
        batch: Pictures in one tensor that the graph is compiled for.
        cache: Folder for compiled models; None: compile each time.
    """

    device: str = "auto"
    precision: str = "auto"
    threads: int = 0
    streams: int = 1
    batch: int = 1
    cache: Path | None = None


def check_output_sides(shape: Sequence[Any], model: ModelDescription) -> None:
    """Refuse a mask larger than any picture needs, before memory is taken for it.

    Args:
        shape: An output's dimensions; those that are no numbers are not settled yet.
        model: For the message.

    Raises:
        ModelError: A dimension is above LARGEST_SIDE.
    """
    if any(isinstance(side, int) and side > LARGEST_SIDE for side in shape):
        shown = " x ".join(str(side) for side in shape)
        raise ModelError(
            f"{model.path or model.name}: output {model.output_index} is {shown}; expected a mask "
            f"of {LARGEST_SIDE:,} rows and columns at the most"
        )


def masks_from_output(
    output: NDArray[np.generic], batch: int, model: ModelDescription
) -> NDArray[np.float32]:
    """N x h x w float32 of its own memory from N x 1 x h x w, N x h x w or N x h x w x 1.

    Raises:
        ModelError: The output holds no mask for each picture.
    """
    shape = output.shape
    check_output_sides(shape, model)
    if output.ndim == 4 and shape[1] == 1:
        output = output[:, 0]
    elif output.ndim == 4 and shape[3] == 1:
        output = output[..., 0]
    elif output.ndim == 2 and batch == 1:
        output = output[None]
    if output.ndim != 3 or output.shape[0] != batch:
        raise ModelError(
            f"{model.path or model.name}: output {model.output_index} has shape {tuple(shape)}, "
            f"expected {batch} x 1 x h x w; output_index in its description may name another output"
        )
    return np.array(output, dtype=np.float32, order="C")


def answer_from_output(
    output: NDArray[np.generic], tensor: tuple[int, ...], model: ModelDescription
) -> NDArray[np.float32]:
    """What a network of the model's task gave for a tensor of that shape, in memory of its own.

    Raises:
        ModelError: The output is not what the task says.
    """
    if model.task != "image":
        return masks_from_output(output, tensor[0], model)
    expected = (tensor[0], 3, *(side * model.scale for side in tensor[2:]))
    if output.shape != expected:
        raise ModelError(
            f"{model.path or model.name}: output {model.output_index} has shape "
            f"{tuple(output.shape)}, expected {expected} (N x 3 x h x w, {model.scale} times the "
            "tile's sides); scale or output_index in its description may be wrong"
        )
    return np.array(output, dtype=np.float32, order="C")


def chunks_of(
    tensor: NDArray[np.generic], batch: int | None
) -> Iterator[tuple[NDArray[np.generic], int]]:
    """Pieces of exactly `batch` pictures and how many of each count; the last one is padded.

    None stands for a graph that takes any number.
    """
    count = tensor.shape[0]
    if batch is None or batch == count:
        yield tensor, count
        return
    for start in range(0, count, batch):
        piece = tensor[start : start + batch]
        valid = piece.shape[0]
        if valid < batch:
            piece = np.concatenate([piece, np.repeat(piece[-1:], batch - valid, axis=0)])
        yield piece, valid


def checked_tensor(
    tensor: NDArray[np.float32], model: ModelDescription, dtype: type[np.generic]
) -> NDArray[np.generic]:
    """The tensor, contiguous and of the network's input type.

    Raises:
        OptionError: It has not the shape that the description tells.
    """
    sides = f"{model.height} x {model.width}" if model.static else "h x w"
    expected = f"N x {model.channels} x {sides}"
    if tensor.ndim != 4 or tensor.shape[1] != model.channels or 0 in tensor.shape:
        raise OptionError(f"tensor has shape {tensor.shape}; {model.name} takes {expected}")
    if model.static and tensor.shape[2:] != model.size:
        raise OptionError(f"tensor has shape {tensor.shape}; {model.name} takes {expected}")
    return np.ascontiguousarray(tensor, dtype=dtype)


def run_in_chunks(
    run: Callable[[NDArray[Any]], NDArray[np.float32]],
    data: NDArray[Any],
    batch: int | None,
    model: ModelDescription,
    runtime: str,
) -> NDArray[np.float32]:
    """The masks of a checked tensor, run in pieces of the batch that the graph is compiled for.

    Raises:
        ModelError: The runtime failed on the tensor.
    """
    try:
        parts = [run(piece)[:valid] for piece, valid in chunks_of(data, batch)]
    except (NssbgError, MemoryError):
        raise
    except Exception as error:
        raise ModelError(
            f"{model.name}: {runtime} failed on a tensor of shape {data.shape}: {error}"
        ) from error
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
