"""An int8 form published beside a network's weights, with how far off its alpha was measured.

In: the table `int8` of a sidecar or a catalog entry. Out: the record, and the form's file where it
lies beside the weights, whole. What `nssbg quantize` makes on a machine is not declared here: it
has to be within the planner's own bound.
"""

from __future__ import annotations

import hashlib
import logging
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

__all__ = ["Int8Form", "int8_table", "published_file"]

log = logging.getLogger("nssbg")

Wrong = Callable[[str], Exception]

_WHOLE = {"bytes": 1 << 50, "images": 1 << 30}
_LARGEST = {"mean_error": 255.0, "worst_mean_error": 255.0, "max_error": 255.0, "iou_loss": 1.0}


@dataclass(frozen=True)
class Int8Form:
    """A published int8 form, as measured against the float32 weights at their own size.

    Attributes:
        file: File name of its weights, beside the float32 ones.
        bytes: Length of the file.
        checksum: "sha256:<hex>".
        images: How many images it was measured on.
        mean_error: Mean distance of the alphas over all of them, in 1/255.
        worst_mean_error: The same of the image that is farthest off, in 1/255.
        max_error: Largest distance at any pixel of any image, in 1/255.
        iou_loss: Mean IoU with the truth that it loses on the set of images that loses most.
    """

    file: str
    bytes: int
    checksum: str
    images: int
    mean_error: float
    worst_mean_error: float
    max_error: float
    iou_loss: float

    def __str__(self) -> str:
        """One line for a plan's reasons."""
        return (
            f"int8: on {self.images:,} images its alpha is {self.mean_error:.2f}/255 from "
            f"float32's (mean; {self.worst_mean_error:.1f} on one image, "
            f"{self.max_error:.0f} at one pixel), "
            f"with at most {max(self.iou_loss, 0):.4f} less IoU on a set of them"
        )


def int8_table(value: Any, wrong: Wrong) -> Int8Form:
    """The table `int8` of a description.

    Args:
        value: As it was read.
        wrong: Makes the error of a sentence: knows the file's name.

    Raises:
        Exception: What `wrong` makes; the table is not one of these.
    """
    if not isinstance(value, Mapping):
        raise wrong(f"int8 is {type(value).__name__!r}, expected a table")
    known = [field.name for field in fields(Int8Form)]
    if unknown := sorted(str(key) for key in set(value) - set(known)):
        raise wrong(f"int8: unknown key {unknown[0]!r}; known: {', '.join(known)}")
    if missing := [key for key in known if key not in value]:
        raise wrong(f"int8.{missing[0]} is missing")
    for key, most in _WHOLE.items():
        found = value[key]
        if not isinstance(found, int) or isinstance(found, bool) or not 1 <= found <= most:
            raise wrong(f"int8.{key} is no whole number from 1 to {most:,}")
    for key, largest in _LARGEST.items():
        found = value[key]
        least = -1.0 if key == "iou_loss" else 0.0
        if (
            not isinstance(found, (int, float))
            or isinstance(found, bool)
            # Before float(): a whole number of TOML or JSON may be too large for one.
            or not least <= found <= largest
            or not math.isfinite(found)
        ):
            raise wrong(f"int8.{key} is no number from {least:g} to {largest:g}")
    file, checksum = value["file"], value["checksum"]
    if not isinstance(file, str) or Path(file).name != file or not file.endswith(".onnx"):
        raise wrong(f"int8.file is {str(file)[:60]!r}, expected the name of an .onnx file")
    if not isinstance(checksum, str) or not re.fullmatch("sha256:[0-9a-f]{64}", checksum):
        raise wrong("int8.checksum is no 'sha256:' with 64 hex digits")
    numbers = {key: float(value[key]) for key in _LARGEST}
    return Int8Form(file, value["bytes"], checksum, value["images"], **numbers)


def published_file(form: Int8Form, weights: Path) -> Path | None:
    """Where the published form lies: beside the weights, whole; or None.

    A file that is another than the declared one is left out with a warning: what was measured says
    nothing about it.
    """
    path = weights.with_name(form.file)
    try:
        if not path.is_file():
            return None
        data = path.read_bytes() if path.stat().st_size == form.bytes else b""
    except OSError as error:
        log.warning("%s: the int8 form cannot be read: %s", path, error.strerror)
        return None
    if f"sha256:{hashlib.sha256(data).hexdigest()}" != form.checksum:
        log.warning(
            "%s: not the int8 form that was published with these weights (its checksum does not "
            "fit): it is left out",
            path,
        )
        return None
    return path
