"""Reads what stands around the weights of an ONNX file: inputs, outputs, opset.

Walks the protobuf's fields and skips the weights, so that a gigabyte file takes
milliseconds and the onnx package is not needed.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nssbg._errors import ModelError

__all__ = ["OnnxHeader", "TensorInfo", "input_dimensions", "may_hold_deform_conv", "read_header"]

_ELEMENT_TYPES = {1: "float32", 2: "uint8", 3: "int8", 6: "int32", 7: "int64", 9: "bool"}
_ELEMENT_TYPES.update({10: "float16", 11: "float64", 16: "bfloat16"})


@dataclass(frozen=True)
class TensorInfo:
    """An input or output: its name, element type and dimensions (numbers, names or None)."""

    name: str
    dtype: str
    shape: tuple[int | str | None, ...]


@dataclass(frozen=True)
class OnnxHeader:
    """What an ONNX file says about itself.

    Attributes:
        producer: Name and version of what wrote it.
        opset: Version of the default operator set.
        inputs: Inputs that are not weights.
        outputs: Outputs, in order.
        operators: How often each operator occurs.
    """

    producer: str
    opset: int
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    operators: dict[str, int]


# Nine fields a node are walked (nssbg-lite: 404 nodes): enough for 220,000 nodes, in seconds.
_MOST_FIELDS = 2_000_000


class _Data(mmap.mmap):
    """A mapped file, and how many more of its fields will be walked."""

    fields_left = _MOST_FIELDS


def _varint(data: _Data, at: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while at < end and shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise ValueError("a number runs past its end")


def _fields(data: _Data, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Field number with its value's start and end; for numbers: the number and -1."""
    while at < end:
        key, at = _varint(data, at, end)
        data.fields_left -= 1
        if data.fields_left < 0:
            raise ValueError(f"more than {_MOST_FIELDS:,} fields in it")
        if key < 8:
            raise ValueError("a field without a number")
        kind = key & 7
        if kind == 0:
            value, at = _varint(data, at, end)
            yield key >> 3, value, -1
            continue
        if kind == 2:
            length, at = _varint(data, at, end)
        elif kind in (1, 5):
            length = 8 if kind == 1 else 4
        else:
            raise ValueError(f"field of unknown kind {kind}")
        if length > end - at:
            raise ValueError("a field runs past its end")
        yield key >> 3, at, at + length
        at += length


def _text(data: _Data, at: int, end: int) -> str:
    return data[at:end].decode("utf-8", errors="replace")


def _dimension(data: _Data, at: int, end: int) -> int | str | None:
    for number, start, stop in _fields(data, at, end):
        if number == 1 and stop == -1:
            return start
        if number == 2:
            return _text(data, start, stop)
    return None


def _tensor_info(data: _Data, at: int, end: int) -> TensorInfo:
    name, dtype, shape = "", "?", []
    for number, start, stop in _fields(data, at, end):
        if number == 1:
            name = _text(data, start, stop)
        if number != 2:
            continue
        for inner, inner_start, inner_stop in _fields(data, start, stop):
            if inner != 1:
                continue
            for part, part_start, part_stop in _fields(data, inner_start, inner_stop):
                if part == 1 and part_stop == -1:
                    dtype = _ELEMENT_TYPES.get(part_start, f"type {part_start}")
                if part == 2:
                    shape = [
                        _dimension(data, *dimension)
                        for key, *dimension in _fields(data, part_start, part_stop)
                        if key == 1
                    ]
    return TensorInfo(name, dtype, tuple(shape))


def _graph(
    data: _Data, at: int, end: int
) -> tuple[list[TensorInfo], list[TensorInfo], dict[str, int]]:
    inputs, outputs, weights = [], [], set()
    operators: dict[str, int] = {}
    for number, start, stop in _fields(data, at, end):
        if number == 1:
            for field, field_start, field_stop in _fields(data, start, stop):
                if field == 4:
                    kind = _text(data, field_start, field_stop)
                    operators[kind] = operators.get(kind, 0) + 1
        elif number == 5:
            for field, field_start, field_stop in _fields(data, start, stop):
                if field == 8:
                    weights.add(_text(data, field_start, field_stop))
        elif number == 11:
            inputs.append(_tensor_info(data, start, stop))
        elif number == 12:
            outputs.append(_tensor_info(data, start, stop))
    return [item for item in inputs if item.name not in weights], outputs, operators


def read_header(path: Path) -> OnnxHeader:
    """The header of an ONNX file.

    Raises:
        ModelError: The file is not there, empty, or not ONNX.
    """
    try:
        with (
            path.open("rb") as stream,
            _Data(stream.fileno(), 0, access=mmap.ACCESS_READ) as data,
        ):
            producer, opset, graph = ["", ""], 0, None
            for number, start, stop in _fields(data, 0, len(data)):
                if number in (2, 3) and stop != -1:
                    producer[number - 2] = _text(data, start, stop)
                elif number == 7:
                    graph = _graph(data, start, stop)
                elif number == 8:
                    domain, version = "", 0
                    for field, field_start, field_stop in _fields(data, start, stop):
                        if field == 1:
                            domain = _text(data, field_start, field_stop)
                        elif field == 2:
                            version = field_start
                    if domain in ("", "ai.onnx"):
                        opset = version
            if graph is None or not graph[1]:
                raise ValueError("no graph in it")
            return OnnxHeader(
                " ".join(producer).strip(), opset, tuple(graph[0]), tuple(graph[1]), graph[2]
            )
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:  # an empty file cannot be mapped: also a ValueError
        raise ModelError(f"{path}: not an ONNX file, or a damaged one: {error}") from error


def input_dimensions(path: Path) -> tuple[int | str | None, ...]:
    """The dimensions of the first input: numbers, names, or None."""
    inputs = read_header(path).inputs
    return inputs[0].shape if inputs else ()


def may_hold_deform_conv(operators: dict[str, int]) -> bool:
    """Whether a graph may hold a decomposed deformable convolution, by its operators' counts."""
    gathers = operators.get("GatherND", 0) + operators.get("GatherElements", 0)
    return gathers >= 4 and operators.get("Floor", 0) >= 1
