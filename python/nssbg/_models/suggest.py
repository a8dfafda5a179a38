"""A first sidecar for a file that has none, from what the graph says about itself."""

from __future__ import annotations

import json
from pathlib import Path

from nssbg._models.onnx_header import OnnxHeader

__all__ = ["suggested_sidecar"]


def suggested_sidecar(path: Path, header: OnnxHeader) -> str:
    """The text of a sidecar to start from; what the graph cannot tell is marked.

    Args:
        path: The weights.
        header: Their header.
    """
    shape = header.inputs[0].shape if header.inputs else ()
    height, width = (shape[2], shape[3]) if len(shape) == 4 else (None, None)
    if isinstance(height, int) and isinstance(width, int):
        size = f"size = {height}" if height == width else f"size = [{height}, {width}]"
    else:
        size = "size = 1024  # check: the graph takes any size"
    if _gives_an_image(header):
        return _for_images(path, header, size)
    several = len(header.outputs) > 1
    index = f"output_index = 0  # check: one of {len(header.outputs)}\n" if several else ""
    return (
        f"name = {_quoted(path.stem)}\n"
        f"{size}\n"
        "mean = [0.485, 0.456, 0.406]  # check: ImageNet's, after scaling to 0..1\n"
        "std = [0.229, 0.224, 0.225]  # check\n"
        f"{index}"
        'activation = "sigmoid"  # check: "none" where the output is 0..1 already\n'
        'range = "unit"  # check: "minmax" where masks are stretched\n'
        'license = "unknown"\n'
    )


def _gives_an_image(header: OnnxHeader) -> bool:
    """Whether the first output has three channels, as an image has and a mask has not."""
    shape = header.outputs[0].shape if header.outputs else ()
    return len(shape) == 4 and shape[1] == 3


def _for_images(path: Path, header: OnnxHeader, size: str) -> str:
    """The start for a network that gives an image."""
    came, gives = header.inputs[0].shape, header.outputs[0].shape
    fixed = isinstance(came[2], int) and isinstance(gives[2], int) and gives[2] >= came[2] > 0
    scale = gives[2] // came[2] if fixed else 1  # type: ignore[operator]
    told = came[1] - 3 if isinstance(came[1], int) else 0
    tile = size if fixed else "size = 256"
    planes = f"conditions = []  # check: what its {told} further planes tell\n" if told else ""
    return (
        f"name = {_quoted(path.stem)}\n"
        'task = "image"\n'
        f"{tile}  # {'the only tile that it takes' if fixed else 'the largest tile'}\n"
        f"scale = {scale}{'' if fixed else '  # check: rows out for one in'}\n"
        "multiple = 1  # check: the side of its windows, or what its sides are multiples of\n"
        f"{planes}"
        'license = "unknown"\n'
    )


def _quoted(name: str) -> str:
    """A name as a TOML string; a byte that is no text, which TOML cannot hold, becomes "?"."""
    text = name.encode("utf-8", "replace").decode()
    # JSON's escapes are TOML's too, but for DEL, which JSON leaves as it is.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
