"""What flows between the rooms: what a picture may come as, a decoded one, a plan, a timing table.

Arrays are NumPy arrays, axes y, x, c; pictures are H x W x 3, alphas H x W. A value is
never changed after it was handed on, so rooms may share arrays without copies.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from os import PathLike
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, Union

import numpy as np
from numpy.typing import NDArray

from nssbg._vocabulary import SourceKind

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = [
    "ArrayLike",
    "BytesLike",
    "Frame",
    "ImageArray",
    "ImageSource",
    "PathLikeText",
    "Plan",
    "SupportsArray",
    "SupportsRead",
    "Timings",
]

ImageArray = NDArray[np.uint8] | NDArray[np.uint16]


class SupportsRead(Protocol):
    """A binary file object: what has `read`."""

    def read(self, size: int = ..., /) -> bytes:
        """The next bytes; b"" at the end."""


class SupportsArray(Protocol):
    """What NumPy can make an array of, such as a torch tensor."""

    def __array__(self, *args: Any, **kwargs: Any) -> Any: ...


PathLikeText: TypeAlias = Union[str, PathLike[str]]  # noqa: UP007 (Python 3.10 has no | here)
BytesLike: TypeAlias = Union[bytes, bytearray, memoryview]  # noqa: UP007
ArrayLike: TypeAlias = Union[NDArray[Any], SupportsArray]  # noqa: UP007
#: What a picture may come as: a path, the bytes of a file, an open binary file, a PIL image, or an
#: array (NumPy's, or anything with `__array__` such as a torch tensor), H x W x 1/3/4.
ImageSource: TypeAlias = Union[PathLikeText, BytesLike, SupportsRead, "Image", ArrayLike]


@dataclass(frozen=True)
class Frame:
    """A decoded picture, upright, with everything needed to write it back faithfully.

    Attributes:
        rgb: H x W x 3, uint8 or uint16, straight, in the picture's own colour encoding
            (that of icc_profile, else sRGB). Grey pictures have three equal channels.
        alpha: H x W of the same dtype as rgb where the picture had one, else None.
        icc_profile: The profile that rgb is encoded in; None means sRGB.
        exif: EXIF block with its orientation reset to 1, or None.
        xmp: XMP packet as it stood in the file, or None.
        dpi: Pixels per inch (x, y), or None.
        name: What to call the picture in messages: a path, "<bytes>", "<array>".
        source_format: "JPEG", "PNG", ... as read; "" for arrays.
        kind: What the caller handed in, which is what a result is given back as.
        is_gray: The source had one colour channel.
        float_input: The source was a float array (held as uint16 here).
        notes: What was changed while reading, for the report: "first of 12 frames", ...
    """

    rgb: ImageArray
    alpha: ImageArray | None = None
    icc_profile: bytes | None = None
    exif: bytes | None = None
    dpi: tuple[float, float] | None = None
    name: str = "<array>"
    source_format: str = ""
    kind: SourceKind = "array"
    is_gray: bool = False
    float_input: bool = False
    notes: tuple[str, ...] = ()
    xmp: bytes | None = None

    @property
    def height(self) -> int:
        """Rows, in pixels."""
        return int(self.rgb.shape[0])

    @property
    def width(self) -> int:
        """Columns, in pixels."""
        return int(self.rgb.shape[1])


@dataclass(frozen=True)
class Plan:
    """What runs, and why: the model, the runtime and device that really run it, the stages.

    Attributes:
        model: Name of the model or method, e.g. "studio".
        backend: "openvino", "onnxruntime", "core" (weights-free) or "fake".
        device: The device that really runs, e.g. "CPU".
        precision: "float32", "bfloat16", "float16" or "int8".
        threads: Threads given to the runtime and the kernels.
        streams: Pictures that the runtime takes at the same time.
        batch: Pictures in one tensor.
        reasons: One line for each choice that was made.
        fallbacks: One line for each thing that was asked for and is not what runs.
        license: SPDX name of the licence of the weights.
    """

    model: str
    backend: str
    device: str
    precision: str = "float32"
    threads: int = 1
    reasons: tuple[str, ...] = ()
    fallbacks: tuple[str, ...] = ()
    license: str = "Apache-2.0"
    streams: int = 1
    batch: int = 1


@dataclass
class Timings:
    """Wall time per stage of one picture, in milliseconds, in the order the stages ran.

    Stages: "decode", "studio" (the studio method), "prepare" (a network's input), "segment" (a
    network), "second pass", "post-process", "refine", "merge alpha" (the picture's own, where it
    has one), "foreground"; where it is enhanced "enhance" and "enlarge alpha", after "decode" or
    before "foreground"; in a run over many pictures "write". What did not run is not there; nor
    is the opening of a model.
    """

    stages: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Add the time that the with-block takes to a stage."""
        start = time.perf_counter()
        try:
            yield
        finally:
            elapsed = (time.perf_counter() - start) * 1000.0
            self.stages[stage] = self.stages.get(stage, 0.0) + elapsed

    @property
    def total(self) -> float:
        """Sum over the stages, in milliseconds."""
        return sum(self.stages.values())
