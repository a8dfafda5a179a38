"""The prepare stage: a picture becomes a network's input, resized, normalised and planar.

One pass over the picture on the C++ core; `Placement` remembers where the picture went, so that
what the network answers can be mapped back.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from nssbg import _core
from nssbg._errors import OptionError
from nssbg._vocabulary import FILTERS, Filter

__all__ = ["DType", "Fit", "Placement", "prepare"]

Fit = Literal["stretch", "letterbox"]
DType = Literal["float32", "float16", "uint8"]
Box = tuple[int, int, int, int]

LONGEST_SIDE = 1 << 20  # as in cpp/src/prepare.cpp
# What nearly all backbones are trained with.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Placement:
    """Where a picture lies in a network's input. Boxes are (left, top, right, bottom) in pixels.

    Attributes:
        source: Height and width of the whole picture.
        crop: The part of the picture that was used, in its own pixels.
        size: Height and width of the network's input.
        content: Where that part lies in the input; the rest is bars.
    """

    source: tuple[int, int]
    crop: Box
    size: tuple[int, int]
    content: Box

    def content_in(self, height: int, width: int) -> Box:
        """The content box in a map of another size over the same input, rounded outwards.

        Networks often answer at a part of their input's size: a 1024 x 1024 input with bars of
        128 rows has them in rows 0 to 32 of a 256 x 256 answer.
        """
        scale_y = height / self.size[0]
        scale_x = width / self.size[1]
        left, top, right, bottom = self.content
        return (
            math.floor(left * scale_x),
            math.floor(top * scale_y),
            min(math.ceil(right * scale_x), width),
            min(math.ceil(bottom * scale_y), height),
        )

    def take_content(self, answer: NDArray[Any]) -> NDArray[Any]:
        """The content of a map (... x height x width) without the bars, as a view."""
        left, top, right, bottom = self.content_in(answer.shape[-2], answer.shape[-1])
        return answer[..., top:bottom, left:right]


@overload
def prepare(
    image: NDArray[np.uint8] | NDArray[np.uint16],
    size: tuple[int, int] = ...,
    *,
    mean: Sequence[float] | None = ...,
    std: Sequence[float] | None = ...,
    filter: Filter = ...,
    fit: Literal["stretch"] = ...,
    crop: Box | None = ...,
    fill: tuple[int, int, int] = ...,
    dtype: DType = ...,
    threads: int = ...,
    out: NDArray[Any] | None = ...,
) -> NDArray[Any]: ...


@overload
def prepare(
    image: NDArray[np.uint8] | NDArray[np.uint16],
    size: tuple[int, int] = ...,
    *,
    mean: Sequence[float] | None = ...,
    std: Sequence[float] | None = ...,
    filter: Filter = ...,
    fit: Literal["letterbox"],
    crop: Box | None = ...,
    fill: tuple[int, int, int] = ...,
    dtype: DType = ...,
    threads: int = ...,
    out: NDArray[Any] | None = ...,
) -> tuple[NDArray[Any], Placement]: ...


def prepare(
    image: NDArray[np.uint8] | NDArray[np.uint16],
    size: tuple[int, int] = (1024, 1024),
    *,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    filter: Filter = "lanczos",
    fit: Fit = "stretch",
    crop: Box | None = None,
    fill: tuple[int, int, int] = (0, 0, 0),
    dtype: DType = "float32",
    threads: int = 0,
    out: NDArray[Any] | None = None,
) -> NDArray[Any] | tuple[NDArray[Any], Placement]:
    """Resize, normalise and lay out a picture as a network's input, in one pass.

    The antialiasing filters resize along x, round to 8 bits, then along y, as Pillow does, with
    Pillow's windows and weights; each value before normalisation is within one 255th of Pillow's.
    "torch-bilinear" takes four neighbours without antialiasing, as torch's
    `interpolate(mode="bilinear", align_corners=False)` on a float tensor, and keeps fractions.
    The result does not depend on `threads` nor on the processor.

    Args:
        image: H x W (grey), H x W x 1, H x W x 3 (RGB) or H x W x 4 (alpha is not read), uint8 or
            uint16 (antialiasing filters round it to 8 bits). Any strides; never copied as a whole.
        size: Height and width of the result, in pixels.
        mean: Three means in 0..1, subtracted; ImageNet's by default.
        std: Three standard deviations in 0..1, divided by; ImageNet's by default.
        filter: "box", "bilinear", "bicubic", "lanczos" or "torch-bilinear".
        fit: "stretch" to the size, or "letterbox": keep the proportions, centred between bars.
        crop: The part to use, (left, top, right, bottom) in pixels of `image`; nothing outside it
            is seen. The whole picture by default.
        fill: Colour of the bars, 0..255, normalised like the picture.
        dtype: "float32" or "float16" with (value / 255 - mean) / std; or "uint8" with the values
            0..255 themselves, in which case mean and std may not be given.
        threads: Threads to run on; 0 takes all usable cores.
        out: A C-contiguous array of shape 1 x 3 x H x W or 3 x H x W and of `dtype` to fill;
            otherwise the result comes from nssbg's pool of reused memory.

    Returns:
        1 x 3 x H x W, or `out`. With fit="letterbox" a pair: that, and its `Placement`.

    Raises:
        OptionError: An argument of the wrong shape, type or range; the message says which.
    """
    array = _checked_image(image)
    whole = (int(array.shape[0]), int(array.shape[1]))
    box = _checked_crop(crop, whole)
    left, top, right, bottom = box
    height, width = _checked_size(size)
    if filter not in FILTERS:
        raise OptionError(f"unknown filter {filter!r}; it may be one of {', '.join(FILTERS)}")
    if not isinstance(threads, int) or not 0 <= threads <= 1024:
        raise OptionError(f"threads must be 0 (all usable cores) to 1024, got {threads!r}")
    if dtype == "uint8" and (mean is not None or std is not None):
        raise OptionError("dtype='uint8' gives values that are not normalised: leave out mean, std")
    if len(fill) != 3 or not all(isinstance(v, int) and 0 <= v <= 255 for v in fill):
        raise OptionError(f"fill must be three integers in 0..255, got {fill!r}")
    content = (0, 0, width, height)
    if fit == "letterbox":
        content = _letterboxed(bottom - top, right - left, height, width)
    elif fit != "stretch":
        raise OptionError(f"unknown fit {fit!r}; it may be 'stretch' or 'letterbox'")

    result, planes = _target(out, dtype, height, width)
    if out is not None and np.may_share_memory(array, result):
        raise OptionError("out may not share memory with the image")
    form = {"float32": "f32", "float16": "f16", "uint8": "u8"}[dtype]
    kernel = getattr(_core, f"prepare_{form}_from_{'u8' if array.dtype == np.uint8 else 'u16'}")
    kernel(
        array[top:bottom, left:right],
        planes,
        filter,
        content,
        tuple(fill),
        _checked_triple("mean", IMAGENET_MEAN if mean is None else mean),
        _checked_triple("std", IMAGENET_STD if std is None else std, positive=True),
        threads,
    )
    if fit == "letterbox":
        return result, Placement(whole, box, (height, width), content)
    return result


def _checked_image(image: NDArray[Any]) -> NDArray[Any]:
    if not isinstance(image, np.ndarray):
        raise OptionError(f"image must be a NumPy array, got {type(image).__name__}")
    if image.dtype not in (np.uint8, np.uint16) or not image.dtype.isnative:
        raise OptionError(f"image must be uint8 or uint16, got {image.dtype}")
    if image.ndim == 2:
        image = image[:, :, np.newaxis]
    if image.ndim != 3 or image.shape[2] not in (1, 3, 4):
        raise OptionError(f"image must be H x W or H x W x 1, 3 or 4, got shape {image.shape}")
    if 0 in image.shape or max(image.shape) > LONGEST_SIDE:
        raise OptionError(f"image sides must be 1 to {LONGEST_SIDE} pixels, got {image.shape}")
    if any(stride % image.itemsize for stride in image.strides):
        # Views into packed records: strides that are no multiple of the sample.
        image = np.ascontiguousarray(image)
    return image


def _checked_crop(crop: Box | None, whole: tuple[int, int]) -> Box:
    if crop is None:
        return (0, 0, whole[1], whole[0])
    try:
        left, top, right, bottom = (int(side) for side in crop)
    except (TypeError, ValueError):
        raise OptionError(f"crop must be (left, top, right, bottom), got {crop!r}") from None
    if not (0 <= left < right <= whole[1] and 0 <= top < bottom <= whole[0]):
        raise OptionError(
            f"crop {crop!r} must lie inside the picture of {whole[1]} x {whole[0]} pixels "
            "and hold at least one: (left, top, right, bottom)"
        )
    return (left, top, right, bottom)


def _checked_size(size: tuple[int, int]) -> tuple[int, int]:
    try:
        height, width = (int(side) for side in size)
    except (TypeError, ValueError):
        raise OptionError(f"size must be (height, width), got {size!r}") from None
    if not (1 <= height <= LONGEST_SIDE and 1 <= width <= LONGEST_SIDE):
        raise OptionError(f"size must be 1 to {LONGEST_SIDE} pixels a side, got {size!r}")
    return height, width


def _checked_triple(
    name: str, values: Sequence[float], *, positive: bool = False
) -> tuple[float, float, float]:
    try:
        first, second, third = (float(value) for value in values)
    except (TypeError, ValueError):
        raise OptionError(f"{name} must be three numbers, got {values!r}") from None
    triple = (first, second, third)
    # Below this a normalised value could leave float32's range.
    if not all(math.isfinite(v) and abs(v) < 1e6 and (not positive or v > 1e-6) for v in triple):
        wanted = "greater than 1e-6" if positive else "finite"
        raise OptionError(f"{name} must be {wanted} and below 1e6, got {values!r}")
    return triple


def _letterboxed(height: int, width: int, into_height: int, into_width: int) -> Box:
    """The largest centred box of the picture's proportions, at least one pixel a side."""
    scale = min(into_height / height, into_width / width)
    content_height = min(max(round(height * scale), 1), into_height)
    content_width = min(max(round(width * scale), 1), into_width)
    top = (into_height - content_height) // 2
    left = (into_width - content_width) // 2
    return (left, top, left + content_width, top + content_height)


def _target(
    out: NDArray[Any] | None, dtype: DType, height: int, width: int
) -> tuple[NDArray[Any], NDArray[Any]]:
    """The result array, and the 3 x H x W view of it that the core fills."""
    if dtype not in ("float32", "float16", "uint8"):
        raise OptionError(f"dtype must be 'float32', 'float16' or 'uint8', got {dtype!r}")
    if out is None:
        if dtype == "float32":
            out = _core.empty_planar_f32(height, width)
        elif dtype == "float16":
            out = _core.empty_planar_u16(height, width).view(np.float16)
        else:
            out = _core.empty_planar_u8(height, width)
    elif (
        not isinstance(out, np.ndarray)
        or out.dtype != np.dtype(dtype)
        or out.shape not in ((1, 3, height, width), (3, height, width))
        or not out.flags.c_contiguous
        or not out.flags.writeable
    ):
        found = f"{out.dtype} {out.shape}" if isinstance(out, np.ndarray) else type(out).__name__
        raise OptionError(
            f"out must be a writable C-contiguous {dtype} array of shape (1, 3, {height}, {width}) "
            f"or (3, {height}, {width}), got {found}"
        )
    planes = out.reshape(3, height, width)
    return out, planes.view(np.uint16) if dtype == "float16" else planes
