"""One cut-out to the encoded files that a profile asks for, in memory.

Framed, converted to sRGB, put over the background, encoded within the profile's size, with the
metadata that the profile allows. Nothing is written to disk here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nssbg import _io as image_io
from nssbg._color.convert import converted_image
from nssbg._color.depth import eight_bits
from nssbg._compose.background import color_from, over
from nssbg._compose.canvas import (
    Box,
    Canvas,
    drawn,
    placement,
    shared_canvas,
    subject_box,
)
from nssbg._compose.output import Output, render
from nssbg._compose.shadow import Shadow
from nssbg._errors import ImageEncodeError, OptionError
from nssbg.batch.blocks import BLOCK, NOISE, STRAY, block_alpha, block_distance, sorted_blocks
from nssbg.batch.flatness import flat_is_exact
from nssbg.batch.metadata import FileMetadata, fitting, metadata_for
from nssbg.batch.names import expanded
from nssbg.batch.profile import OutputSpec, Profile

if TYPE_CHECKING:
    from nssbg._cutout import Cutout

__all__ = ["FAINT_MEAN", "Rendered", "output_names", "render_outputs"]

# Alpha up to which a pixel is background where that has to be exact: Lanczos leaves ripples of a
# percent around hard edges, which nobody sees and a checker of 255, 255, 255 does.
FAINT_MEAN = 0.02
_DEFAULT_QUALITY = {"jpeg": 92, "avif": 90}
# Lossless coding that is too large goes on from here.
_FIRST_LOSSY = 95
_SUFFIXES = {"jpeg": "jpg", "tiff": "tif"}
_SIXTEEN = ("png", "tiff")


@dataclass(frozen=True)
class Rendered:
    """One encoded output.

    Attributes:
        name: Relative name, folders with "/".
        data: The file's bytes.
        notes: What was done that was not plainly asked for: a lower quality, ...
        spec: The output of the profile that it was made for.
        width: In pixels.
        height: The same.
        quality: That it was coded with; None: lossless.
        scale: Pixels of the output for one of the photograph; above 1 it was enlarged.
        subject: (top, left, bottom, right) of alpha >= half in the output, half open; all zero
            where there is none.
        pixels: What the encoder was handed: H x W, H x W x 3 or H x W x 4.
        rgba: H x W x 4, the cut-out as it was framed, before any background.
    """

    name: str
    data: bytes = field(repr=False)
    notes: tuple[str, ...]
    spec: OutputSpec
    width: int
    height: int
    quality: int | None
    scale: float
    subject: Box
    pixels: NDArray[Any] = field(repr=False)
    rgba: NDArray[Any] = field(repr=False)

    @property
    def alpha(self) -> NDArray[Any]:
        """H x W alpha of the output; a view."""
        return self.rgba[..., 3]


def output_names(
    profile: Profile, *, stem: str, fields: Mapping[str, Any] | None = None
) -> tuple[str, ...]:
    """The names that `render_outputs` gives to a picture's outputs.

    Raises:
        OptionError: A name cannot be made, or two are the same.
    """
    values = {"dir": "", **(fields or {}), "stem": stem, "profile": profile.name}
    names = tuple(_name(spec, values) for spec in profile.outputs)
    for name in names:
        if names.count(name) > 1:
            raise OptionError(f"two outputs of profile {profile.name!r} would be named {name}")
    return names


def _name(spec: OutputSpec, values: Mapping[str, Any]) -> str:
    return expanded(spec.name, {**values, "ext": _SUFFIXES.get(spec.format, spec.format)})


def render_outputs(
    cutout: Cutout,
    profile: Profile,
    *,
    stem: str,
    fields: Mapping[str, Any] | None = None,
    set_boxes: Sequence[Box] | None = None,
    threads: int = 1,
) -> list[Rendered]:
    """The profile's outputs of one cut-out.

    Args:
        cutout: What `Remover.cutout` gives.
        profile: What to make of it.
        stem: The picture's name without folder and suffix.
        fields: More values for name templates: dir, sku, index.
        set_boxes: The subjects' boxes (alpha >= half, in each photograph's own pixels) of all
            pictures of one product: they share scale and baseline on every canvas.
        threads: Threads to use; 0 means all usable cores.

    Raises:
        OptionError: A name cannot be made.
        ImageEncodeError: A file cannot be held to its size, or not be written in its format.
    """
    names = output_names(profile, stem=stem, fields=fields)
    metadata = metadata_for(cutout, profile)
    return [
        _rendered(cutout, spec, metadata, name, set_boxes, threads)
        for spec, name in zip(profile.outputs, names, strict=True)
    ]


def _rendered(
    cutout: Cutout,
    spec: OutputSpec,
    metadata: FileMetadata,
    name: str,
    set_boxes: Sequence[Box] | None,
    threads: int,
) -> Rendered:
    framed, scale = _framed(cutout, spec, set_boxes, threads)
    if framed.dtype == np.uint16 and spec.format not in _SIXTEEN:
        framed = eight_bits(framed)
    notes: list[str] = []
    icc = cutout.frame.icc_profile if spec.kind == "cutout" else None
    if icc is not None and spec.color_space == "srgb":
        framed, icc, said = _in_srgb(framed, icc)
        notes += said
    metadata = fitting(
        metadata, spec.format, converted=icc is None and cutout.frame.icc_profile is not None
    )
    notes += metadata.notes
    if spec.shadow != "none":
        shadow = Shadow("contact" if spec.shadow == "contact" else "drop")
        framed = render(framed, Output(shadow=shadow), icc_profile=icc, threads=threads)
    if spec.exact_background:
        if np.may_share_memory(framed, cutout.rgba):
            framed = framed.copy()
        _drop_faint(framed)
        if spec.kind == "cutout":
            _drop_wisps(framed, spec, icc, threads)
    framed = np.ascontiguousarray(framed)
    pixels: NDArray[Any]
    if spec.kind == "mask":
        pixels = np.ascontiguousarray(framed[..., 3])
    elif spec.background is None:
        pixels = framed
    else:
        pixels = over(framed, spec.background, icc_profile=icc, threads=threads)
    data, quality, said = _encoded(pixels, spec, name, metadata, icc, threads)
    return Rendered(
        name=name,
        data=data,
        notes=(*notes, *said),
        spec=spec,
        width=int(pixels.shape[1]),
        height=int(pixels.shape[0]),
        quality=quality,
        scale=scale,
        subject=subject_box(framed, threshold=0.5, threads=threads),
        pixels=pixels,
        rgba=framed,
    )


def _framed(
    cutout: Cutout, spec: OutputSpec, set_boxes: Sequence[Box] | None, threads: int
) -> tuple[NDArray[Any], float]:
    """The cut-out at its place and size, H' x W' x 4, and how much it was scaled."""
    size = {"padding": spec.padding, "longest_side": spec.longest_side}
    if spec.width is None or spec.height is None:
        framed = render(cutout.rgba, Output(trim=spec.trim, **size), threads=threads)  # type: ignore[arg-type]
        scale = 1.0
        if spec.longest_side is not None and max(framed.shape[:2]) == spec.longest_side:
            unscaled = subject_box(cutout.rgba, threads=threads) if spec.trim else None
            own = (
                max(cutout.rgba.shape[:2])
                if unscaled is None or unscaled[2] == 0
                else max(unscaled[2] - unscaled[0], unscaled[3] - unscaled[1])
            )
            scale = min(1.0, spec.longest_side / (own + 2 * spec.padding))
        return framed, scale
    canvas = Canvas(
        spec.width,
        spec.height,
        fill=spec.fill,
        align=spec.align,  # type: ignore[arg-type]
        enlarge=spec.enlarge,
    )
    if set_boxes:
        canvas = shared_canvas(set_boxes, canvas)
    where = placement(cutout.rgba, canvas, threads=threads)
    framed = drawn(cutout.rgba, where, canvas)
    return render(framed, Output(**size), threads=threads), where.scale  # type: ignore[arg-type]


def _in_srgb(
    framed: NDArray[Any], icc: bytes
) -> tuple[NDArray[Any], bytes | None, tuple[str, ...]]:
    """The cut-out in sRGB; where its profile cannot be used, as it is, and said so."""
    try:
        colors = converted_image(np.ascontiguousarray(framed[..., :3]), icc, None)
    except OptionError as error:
        return framed, None, (f"colours are taken as sRGB: {error}",)
    result = np.empty_like(framed)
    result[..., :3] = colors
    result[..., 3] = framed[..., 3]
    # A profile may send the zeros under alpha 0 elsewhere.
    result[result[..., 3] == 0] = 0
    return result, None, ()


def _drop_faint(framed: NDArray[Any]) -> None:
    """Set alpha of at most FAINT to 0, in place."""
    limit = int(FAINT_MEAN * np.iinfo(framed.dtype).max)
    alpha = framed[..., 3]
    np.multiply(alpha, alpha > limit, out=alpha)


def _drop_wisps(framed: NDArray[Any], spec: OutputSpec, icc: bytes | None, threads: int) -> None:
    """Clear what is too faint and too far from the subject for any eye, in place.

    Remnants of a few levels (a shadow, stray alpha) away from the subject are what makes a
    background inexact. Half opaque pixels stay, and so does what is near them.
    """
    color = color_from(spec.background or "white")
    pixels = over(framed, spec.background, icc_profile=icc, threads=threads)
    cover = block_alpha(framed)
    held = cover > np.iinfo(framed.dtype).max // 2
    # A little stricter than who reads the file back, as coding moves levels.
    blocks = sorted_blocks(
        block_distance(pixels, color),
        held=held,
        keep_held=True,
        noise=NOISE + NOISE // 2,
        stray=2 * STRAY,
    )
    cleared = blocks.background & (cover > 0)
    for row, column in np.argwhere(cleared):
        framed[row * BLOCK : (row + 1) * BLOCK, column * BLOCK : (column + 1) * BLOCK] = 0


def _encoded(
    pixels: NDArray[Any],
    spec: OutputSpec,
    name: str,
    metadata: FileMetadata,
    icc: bytes | None,
    threads: int,
) -> tuple[bytes, int | None, tuple[str, ...]]:
    """The file's bytes, the quality that they were coded with, and what there is to say."""

    def at(quality: int | None) -> bytes:
        return image_io.encode(
            pixels,
            format=spec.format,
            compression=spec.compression,  # type: ignore[arg-type]
            quality=quality,
            icc_profile=icc,
            exif=metadata.exif,
            xmp=metadata.xmp,
            dpi=(spec.dpi, spec.dpi) if spec.dpi else metadata.dpi,
            subsampling=spec.subsampling,
            progressive=spec.progressive,
            threads=threads,
        )

    asked = spec.quality if spec.quality is not None else _DEFAULT_QUALITY.get(spec.format)
    first, notes = asked, []
    if asked is not None and not _allowed(spec, asked):
        others = (*range(asked + 1, 101), *range(asked - 1, 0, -1))
        first = next((quality for quality in others if _allowed(spec, quality)), None)
        if first is None:
            raise ImageEncodeError(
                f"cannot write {name}: no quality of JPEG holds the background "
                f"{spec.background} exactly; use png, or leave out exact_background"
            )
        notes.append(
            f"{name}: quality {first} in place of {asked}, which would tint the background"
        )
    data = at(first)
    if spec.max_bytes is None or len(data) <= spec.max_bytes:
        return data, first, tuple(notes)
    top = _FIRST_LOSSY if first is None else first - 1
    ladder = [q for q in range(spec.least_quality, top + 1) if _allowed(spec, q)]
    best: tuple[bytes, int] | None = None
    low, high = 0, len(ladder) - 1
    while low <= high:  # the highest quality that fits
        middle = (low + high) // 2
        tried = at(ladder[middle])
        if len(tried) <= spec.max_bytes:
            best, low = (tried, ladder[middle]), middle + 1
        else:
            high = middle - 1
    if best is None:
        raise ImageEncodeError(
            f"cannot write {name} in {spec.max_bytes} bytes: at quality {spec.least_quality}, the "
            f"least allowed, it takes more; allow a lower least_quality, a smaller canvas or more "
            "bytes"
        )
    was = "lossless" if first is None else f"quality {first}"
    notes.append(
        f"{name}: quality {best[1]} in place of {was} ({len(data)} bytes), to keep within "
        f"{spec.max_bytes} bytes"
    )
    return best[0], best[1], tuple(notes)


def _allowed(spec: OutputSpec, quality: int) -> bool:
    """Whether a quality keeps an exact background exact."""
    if not spec.exact_background or spec.format != "jpeg":
        return True
    color = color_from(spec.background or "white") if spec.kind == "cutout" else (0, 0, 0)
    return flat_is_exact(quality, spec.subsampling, color)
