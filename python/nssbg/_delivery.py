"""Hands a cut-out back: as the type that came in, as file bytes, or as a file written whole."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nssbg import _fs
from nssbg import _io as image_io
from nssbg._color.depth import eight_bits
from nssbg._compose.background import Background
from nssbg._compose.output import Output
from nssbg._cutout import Cutout, EncodeOptionsDict, inputs_of
from nssbg._errors import ImageDecodeError, OptionError
from nssbg._options import CutoutOptionsDict, RemoverOptionsDict
from nssbg._types import PathLikeText
from nssbg._vocabulary import FileFormat

if TYPE_CHECKING:
    from PIL.Image import Image
    from typing_extensions import Unpack

__all__ = [
    "DeliveryOptionsDict",
    "RemoveOptionsDict",
    "SourceFiles",
    "default_output",
    "encoded",
    "give_back",
    "target_of",
    "write",
]


class DeliveryOptionsDict(CutoutOptionsDict, total=False):
    """The keywords of `Remover.remove`: how a picture is cut out, and what is handed back.

    Attributes:
        background: Colour or picture to lay the cut-out over; None: transparent.
        mask: Hand back the alpha alone, as a grey picture.
        format: Format of files and bytes; default from `output`, else "png".
        overwrite: Whether a file that is there is replaced.
    """

    background: Background | None
    mask: bool
    format: FileFormat | None
    overwrite: bool


class RemoveOptionsDict(DeliveryOptionsDict, RemoverOptionsDict, total=False):
    """The keywords of `nssbg.remove`: those of `Remover` and of `Remover.remove`."""


def give_back(
    cutout: Cutout,
    target: Path | None,
    *,
    background: Background | None,
    mask: bool,
    format: FileFormat | None,
    overwrite: bool = True,
    threads: int = 0,
) -> Path | bytes | Image | NDArray[Any]:
    """Hand a cut-out back as the type that came in, or write it to `target`.

    Files and bytes are encoded on `threads` threads; 0: all usable cores.
    """
    frame = cutout.frame
    if target is not None:
        return write(
            cutout,
            target,
            background=background,
            mask=mask,
            format=format,
            overwrite=overwrite,
            threads=threads,
        )
    if frame.kind in ("bytes", "file"):
        return encoded(cutout, format or "png", background=background, mask=mask, threads=threads)
    pixels = pixels_of(cutout, background=background, mask=mask)
    if frame.kind == "pil":
        return as_pil(cutout, pixels)
    if frame.float_input:
        return pixels.astype(np.float32) / np.float32(65535)
    return pixels


def pixels_of(cutout: Cutout, *, background: Background | None, mask: bool) -> NDArray[Any]:
    """The pixels asked for: H x W for a mask, H x W x 3 over a background, else H x W x 4."""
    if mask:
        return np.ascontiguousarray(cutout.alpha)
    return cutout.rgba if background is None else cutout.over(background)


def as_pil(cutout: Cutout, pixels: NDArray[Any]) -> Image:
    """Pixels as a PIL image (8 bits), with the picture's profile."""
    if pixels.ndim == 2 or pixels.shape[2] == 3:
        from PIL.Image import fromarray

        if pixels.dtype != np.uint8:
            pixels = eight_bits(pixels)
        image = fromarray(np.ascontiguousarray(pixels))
        if cutout.frame.icc_profile and pixels.ndim == 3:
            image.info["icc_profile"] = cutout.frame.icc_profile
        return image
    return cutout.with_rgba(pixels).to_pil()


def encoded(
    cutout: Cutout,
    format: FileFormat,
    *,
    background: Background | None = None,
    mask: bool = False,
    result: Output | None = None,
    **settings: Unpack[EncodeOptionsDict],
) -> bytes:
    """The result as file bytes; with `result`, background and mask are left at their defaults."""
    if not mask and (result is None or result.kind != "mask"):
        return cutout.encode(format, background=background, output=result, **settings)
    alpha = np.ascontiguousarray(cutout.alpha) if result is None else cutout.render(result)
    # A mask holds shares of coverage, not colours: it carries no colour profile.
    return image_io.encode(alpha, format=format, dpi=cutout.frame.dpi, **settings)


def write(
    cutout: Cutout,
    target: Path,
    *,
    background: Background | None = None,
    mask: bool = False,
    result: Output | None = None,
    format: FileFormat | None = None,
    overwrite: bool = True,
    **settings: Unpack[EncodeOptionsDict],
) -> Path:
    """Write the result to a file, whole or not at all, never over what it was made from.

    Raises:
        OptionError: The target is an input, or the options do not fit the picture.
        ImageEncodeError: The file cannot be written, or is there and not to be overwritten.
    """

    def encode(chosen: FileFormat) -> bytes:
        return encoded(cutout, chosen, background=background, mask=mask, result=result, **settings)

    inputs = inputs_of(cutout, background, result)
    return image_io.write_encoded(target, encode, format=format, overwrite=overwrite, inputs=inputs)


def target_of(
    source: Any, output: PathLikeText | None, *, format: FileFormat | None, mask: bool
) -> Path | None:
    """Where the result of a source is to be written; None: it is handed back."""
    if output is not None:
        return Path(output)
    if isinstance(source, (str, os.PathLike)):
        if "\0" in os.fsdecode(source):  # else the name of the result would be blamed
            raise ImageDecodeError(f"{os.fsdecode(source)!r}: a path holds no null characters")
        return default_output(source, format, mask)
    return None


class SourceFiles:
    """The files among the sources of a run, so that no result is written over one of them.

    Args:
        sources: What the run was given; only a sequence can be looked through beforehand.
    """

    def __init__(self, sources: Iterable[Any]) -> None:
        self._sources: Sequence[Any] = sources if isinstance(sources, Sequence) else ()
        self._known: frozenset[tuple[int, int] | None] | None = None

    def check(self, target: Path) -> None:
        """Raise where the target is one of the sources.

        Raises:
            OptionError: It is, under whatever name.
        """
        found = _fs.identity(target)
        if found is None:
            return
        if self._known is None:  # a look at every source, paid for only where a file is there
            paths = (one for one in self._sources if isinstance(one, (str, os.PathLike)))
            self._known = frozenset(map(_fs.identity, paths))
        if found in self._known:
            raise OptionError(
                f"{target}: the output is a source picture of the same run; nssbg never "
                "overwrites one. Give another name."
            )


def default_output(source: Any, format: FileFormat | None, mask: bool) -> Path:
    """Beside the picture: photo.jpg gives photo-cutout.png, its mask photo-mask.png."""
    path = Path(source)
    suffix = image_io.suffix_of(format or "png")
    return path.with_name(f"{path.stem}-{'mask' if mask else 'cutout'}{suffix}")
