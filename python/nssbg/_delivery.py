"""Hands a cut-out back: as the type that came in, as file bytes, or as a file written whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nssbg import _image_io as image_io
from nssbg._cutout import Cutout
from nssbg._errors import OptionError
from nssbg._stages.outputs import Output

__all__ = ["default_output", "encoded", "give_back", "write"]


def give_back(
    cutout: Cutout,
    source: Any,
    output: str | Path | None,
    *,
    background: Any,
    mask: bool,
    format: str | None,
    threads: int = 0,
) -> Any:
    """Hand a cut-out back as the type that came in, or write it to `output`.

    Files and bytes are encoded on `threads` threads; 0: all usable cores.
    """
    frame = cutout.frame
    if output is not None or frame.kind == "path":
        target = Path(output) if output is not None else default_output(source, format, mask)
        return write(
            cutout, target, background=background, mask=mask, format=format, threads=threads
        )
    if frame.kind in ("bytes", "file"):
        return encoded(cutout, format or "png", background=background, mask=mask, threads=threads)
    pixels = picture_of(cutout, background=background, mask=mask)
    if frame.kind == "pil":
        return as_pil(cutout, pixels)
    if frame.float_input:
        return pixels.astype(np.float32) / np.float32(65535)
    return pixels


def picture_of(cutout: Cutout, *, background: Any, mask: bool) -> NDArray[Any]:
    """The pixels asked for: H x W for a mask, H x W x 3 over a background, else H x W x 4."""
    if mask:
        return np.ascontiguousarray(cutout.alpha)
    return cutout.rgba if background is None else cutout.over(background)


def as_pil(cutout: Cutout, pixels: NDArray[Any]) -> Any:
    """Pixels as a PIL image (8 bits), with the picture's profile."""
    if pixels.ndim == 2 or pixels.shape[2] == 3:
        from PIL import Image

        if pixels.dtype != np.uint8:
            pixels = ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
        image = Image.fromarray(np.ascontiguousarray(pixels))
        if cutout.frame.icc_profile and pixels.ndim == 3:
            image.info["icc_profile"] = cutout.frame.icc_profile
        return image
    return cutout.with_rgba(pixels).to_pil()


def encoded(
    cutout: Cutout,
    format: str,
    *,
    background: Any = None,
    mask: bool = False,
    result: Output | None = None,
    **settings: Any,
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
    background: Any = None,
    mask: bool = False,
    result: Output | None = None,
    format: str | None = None,
    **settings: Any,
) -> Path:
    """Write the result to a file, whole or not at all, never over its own source."""
    if cutout.frame.kind == "path" and _same_file(Path(cutout.frame.name), target):
        raise OptionError(
            f"{target}: the output is the input itself; nssbg never overwrites a source picture. "
            "Give another name."
        )
    chosen = format or image_io.format_of_path(target)
    image_io.write_atomically(
        target,
        encoded(cutout, chosen, background=background, mask=mask, result=result, **settings),
    )
    return target


def default_output(source: Any, format: str | None, mask: bool) -> Path:
    """Beside the picture: photo.jpg gives photo-cutout.png, its mask photo-mask.png."""
    path = Path(source)
    suffix = image_io.suffix_of(format or "png")
    return path.with_name(f"{path.stem}-{'mask' if mask else 'cutout'}{suffix}")


def _same_file(source: Path, target: Path) -> bool:
    try:
        return source.samefile(target)
    except (OSError, ValueError):  # ValueError: a null character, which writing will say
        return False
