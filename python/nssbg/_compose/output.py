"""Makes several results from one cut-out: the PNG, the white JPEG, the mask, the thumbnail.

An `Output` says what one result looks like; `render` makes its pixels. Steps run in a fixed
order: trim, canvas, padding, size, shadow, background, premultiplication.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

import numpy as np

from nssbg import _core
from nssbg._compose.background import Fit, blurred_background, over, over_layer, premultiply
from nssbg._compose.canvas import (
    Canvas,
    drawn,
    padded,
    placed,
    placement,
    scaled,
    subject_box,
    trimmed,
)
from nssbg._compose.defocus import blur_from, blurred_by_depth
from nssbg._compose.shadow import Shadow, shadow_layer, shadow_room
from nssbg._errors import OptionError
from nssbg._types import ImageArray

__all__ = ["Output", "OutputKind", "render"]

OutputKind = Literal["cutout", "mask", "shadow"]


@dataclass(frozen=True)
class Output:
    """What one result looks like.

    Attributes:
        kind: "cutout" (RGBA, or RGB where a background is given), "mask" (alpha alone) or
            "shadow" (the shadow's layer alone, RGBA).
        background: None for transparent; else as `nssbg._compose.background.over` takes it, or
            the photograph's own out of focus: "blur" or `nssbg.Blur`, in the photograph's frame.
        blur_original: Lay the cut-out over its own background, blurred by this standard
            deviation in pixels. Not together with background, trim, canvas or padding.
        fit: How a background picture of another size is placed.
        trim: Cut the empty border off; a shadow keeps its room, but where the photograph's edge
            cuts the subject.
        canvas: Place the subject on a canvas of a given size (trims by itself).
        padding: Transparent margin: pixels, or (top, right, bottom, left).
        longest_side: Scale down until the longer side has this many pixels (thumbnails).
        shadow: A synthetic shadow, or a given layer (H x W x 4, the cut-out's size and dtype,
            e.g. the photograph's own shadow). A given layer follows trim, canvas and padding.
        premultiplied: Colours multiplied by alpha (transparent results only).
    """

    kind: OutputKind = "cutout"
    background: Any = None
    blur_original: float | None = None
    fit: Fit = "cover"
    trim: bool = False
    canvas: Canvas | None = None
    padding: int | tuple[int, int, int, int] = 0
    longest_side: int | None = None
    shadow: Shadow | ImageArray | None = None
    premultiplied: bool = False

    def __post_init__(self) -> None:
        if self.kind not in get_args(OutputKind):
            raise OptionError(f"kind is 'cutout', 'mask' or 'shadow', got {self.kind!r}")
        if self.kind == "shadow" and self.shadow is None:
            raise OptionError("kind='shadow' needs a shadow")
        moved = self.trim or self.canvas is not None or self.padding not in (0, (0, 0, 0, 0))
        if self.blur_original is not None and (moved or self.background is not None):
            raise OptionError(
                "blur_original keeps the photograph's frame: it does not go together with "
                "background, trim, canvas or padding"
            )
        if blur_from(self.background) is not None and moved:
            raise OptionError(
                "a blurred background keeps the photograph's frame: it does not go together with "
                "trim, canvas or padding"
            )
        if self.longest_side is not None and self.longest_side < 1:
            raise OptionError(f"longest_side must be at least 1, got {self.longest_side}")
        if self.premultiplied and (self.background is not None or self.blur_original is not None):
            raise OptionError("premultiplied is for transparent results; drop the background")


def needs_colors(output: Output) -> bool:
    """Whether the cut-out's colours show in the result: not in a mask or a shadow's layer."""
    return output.kind == "cutout" or output.blur_original is not None


def is_whole_alpha(output: Output) -> bool:
    """Whether the result is the cut-out's alpha as it is: a mask, neither framed nor scaled."""
    framed = output.trim or output.canvas is not None or output.padding not in (0, (0, 0, 0, 0))
    return (
        output.kind == "mask"
        and not needs_colors(output)
        and not framed
        and output.longest_side is None
        and output.shadow is None
    )


def render(
    rgba: ImageArray,
    output: Output,
    *,
    image: ImageArray | None = None,
    icc_profile: bytes | None = None,
    threads: int = 1,
) -> ImageArray:
    """The pixels of one result.

    Args:
        rgba: H x W x 4, uint8 or uint16, straight.
        output: What to make.
        image: The photograph, H x W x 3 of the same dtype; needed for blurred backgrounds.
        icc_profile: The cut-out's profile; None means sRGB. Results stay in it.
        threads: Threads to use; 0 means all usable cores.

    Returns:
        H' x W' x 4, H' x W' x 3 (with a background) or H' x W' (a mask), the dtype of rgba.

    Raises:
        OptionError: Options that do not fit the pictures.
    """
    blur = blur_from(output.background) if output.kind == "cutout" else None
    if output.blur_original is not None or blur is not None:
        if image is None:
            raise OptionError("a blurred background needs the photograph as image=")
        if blur is not None:
            behind = blurred_by_depth(image, rgba, blur, threads=threads)
        else:
            assert output.blur_original is not None
            behind = blurred_background(image, rgba[..., 3], radius=output.blur_original)
        pixels, layer = _sized(rgba, output), _given_layer(rgba, output)
        if layer is not None:
            layer = _sized(layer, output)
        pixels = _with_shadow(pixels, layer, output, icc_profile, threads)
        # In the photograph's own encoding already: nothing to convert.
        return over(pixels, behind, icc_profile=None, threads=threads)
    layer = _given_layer(rgba, output)
    if output.trim and output.canvas is None and isinstance(output.shadow, Shadow):
        rgba, layer = _with_room(rgba, output.shadow, icc_profile, threads)
    if layer is not None:
        # One frame for both, so that the layer stays where it is under the subject.
        pixels, layer = _framed_together(rgba, layer, output, threads)
    else:
        pixels = _sized(_framed(rgba, output, threads), output)
    if output.kind == "mask":
        return cast("ImageArray", np.ascontiguousarray(pixels[..., 3]))
    if output.kind == "shadow":
        if layer is None:
            layer = shadow_layer(
                pixels[..., 3], cast("Shadow", output.shadow), icc_profile=icc_profile
            )
        return layer
    pixels = _with_shadow(pixels, layer, output, icc_profile, threads)
    if output.background is not None:
        return over(
            pixels, output.background, icc_profile=icc_profile, fit=output.fit, threads=threads
        )
    return premultiply(pixels, threads=threads) if output.premultiplied else pixels


def _given_layer(rgba: ImageArray, output: Output) -> ImageArray | None:
    if not isinstance(output.shadow, np.ndarray):
        return None
    if output.shadow.shape != rgba.shape or output.shadow.dtype != rgba.dtype:
        raise OptionError(
            f"a shadow layer must be {rgba.shape} of {rgba.dtype} like the cut-out, "
            f"got {output.shadow.shape} of {output.shadow.dtype}"
        )
    return output.shadow


def _with_room(
    rgba: ImageArray, shadow: Shadow, icc_profile: bytes | None, threads: int
) -> tuple[ImageArray, ImageArray]:
    """The subject's box with room for its shadow, and the shadow's layer."""
    box = top, left, bottom, right = subject_box(rgba, threads=threads)
    if bottom == 0:
        return rgba, np.zeros_like(rgba)
    room = shadow_room(box, rgba.shape[:2], shadow)
    roomy = padded(rgba[top:bottom, left:right], room)
    return roomy, shadow_layer(roomy[..., 3], shadow, icc_profile=icc_profile)


def _framed(rgba: ImageArray, output: Output, threads: int) -> ImageArray:
    if output.canvas is not None:
        rgba = placed(rgba, output.canvas, threads=threads)
    elif output.trim:
        rgba = trimmed(rgba, threads=threads)
    return padded(rgba, output.padding) if output.padding else rgba


def _framed_together(
    rgba: ImageArray, layer: ImageArray, output: Output, threads: int
) -> tuple[ImageArray, ImageArray]:
    """Subject and shadow framed as one; trimmed, the box is that of both."""
    if output.canvas is not None:
        # The subject is framed; its shadow only stays on the canvas.
        where = placement(
            rgba, output.canvas, also=subject_box(layer, threads=threads), threads=threads
        )
        rgba, layer = drawn(rgba, where, output.canvas), drawn(layer, where, output.canvas)
    elif output.trim:
        boxes = [subject_box(part, threads=threads) for part in (rgba, layer)]
        found = [box for box in boxes if box[2] > 0]
        if found:
            top, left = min(box[0] for box in found), min(box[1] for box in found)
            bottom, right = max(box[2] for box in found), max(box[3] for box in found)
            rgba, layer = rgba[top:bottom, left:right], layer[top:bottom, left:right]
    if output.padding:
        rgba, layer = padded(rgba, output.padding), padded(layer, output.padding)
    return _sized(rgba, output), _sized(layer, output)


def _sized(rgba: ImageArray, output: Output) -> ImageArray:
    if output.longest_side is None:
        return rgba
    height, width = rgba.shape[:2]
    return scaled(rgba, *_core.size_within(height, width, output.longest_side))


def _with_shadow(
    pixels: ImageArray,
    layer: ImageArray | None,
    output: Output,
    icc_profile: bytes | None,
    threads: int,
) -> ImageArray:
    if output.shadow is None:
        return pixels
    if layer is None:
        layer = shadow_layer(pixels[..., 3], cast("Shadow", output.shadow), icc_profile=icc_profile)
    return over_layer(pixels, layer, threads=threads)
