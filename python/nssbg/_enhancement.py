"""`enhance` and `depth`: one picture through a network of the caller's choice."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from nssbg import _core
from nssbg import _io as image_io
from nssbg._color.depth import eight_bits
from nssbg._cutout import EncodeOptionsDict
from nssbg._enhance.depth import enlarged_map
from nssbg._enhance.image import EnhanceOptions, enhanced_frame
from nssbg._enhance.jpeg_quality import deblock_strength
from nssbg._enhance.opening import chosen_model, depth_network, image_network
from nssbg._enhance.tiling import Progress
from nssbg._errors import ImageDecodeError, OptionError
from nssbg._io.admission import LARGEST_SIDE
from nssbg._models.sidecar import ModelDescription
from nssbg._types import ArrayLike, BytesLike, Frame, ImageSource, PathLikeText, SupportsRead
from nssbg._vocabulary import FORMATS, FileFormat

if TYPE_CHECKING:
    from PIL.Image import Image
    from typing_extensions import Unpack

__all__ = ["EnhanceOptionsDict", "depth", "enhance", "enhanced_picture"]

# What a picture takes while it is enhanced, beside itself and its result: tiles, the runtime.
_SCRATCH = 256 << 20


class EnhanceOptionsDict(EncodeOptionsDict, total=False):
    """The keywords of `enhance`.

    Attributes:
        upscale: Times the sides: 1, 2, 3 or 4; None: what the network gives.
        denoise: 0 to 1, how strongly; None: as a network does that cannot be told, else not at all.
        deblock: 0 to 1, how strongly JPEG's artefacts are taken out, or "auto".
        model: A name of `nssbg models list`, a path to weights with a sidecar, or a description.
        device: See `Remover`; so for backend, threads and license.
        backend: See `Remover`.
        license: See `Remover`.
        format: Of files and bytes; None: from `output`, else the picture's own.
        overwrite: Whether a file that is there is replaced.
        max_pixels: Pictures with more pixels are refused before they are decoded.
        max_memory: Pictures that are predicted to take more bytes, result included, are refused.
        progress: Called with tiles done and tiles in all; what it raises ends the run, and nothing
            is written.
    """

    upscale: int | None
    denoise: float | None
    deblock: float | Literal["auto"]
    model: PathLikeText | ModelDescription | None
    device: str
    backend: str
    license: str | None
    format: FileFormat | None
    overwrite: bool
    max_pixels: int
    max_memory: int | None
    progress: Progress | None


@overload
def enhance(
    image: PathLikeText,
    output: PathLikeText | None = None,
    **options: Unpack[EnhanceOptionsDict],
) -> Path: ...
@overload
def enhance(
    image: ImageSource, output: PathLikeText, **options: Unpack[EnhanceOptionsDict]
) -> Path: ...
@overload
def enhance(
    image: BytesLike | SupportsRead, output: None = None, **options: Unpack[EnhanceOptionsDict]
) -> bytes: ...
@overload
def enhance(image: Image, output: None = None, **options: Unpack[EnhanceOptionsDict]) -> Image: ...
@overload
def enhance(
    image: ArrayLike, output: None = None, **options: Unpack[EnhanceOptionsDict]
) -> NDArray[Any]: ...


def enhance(
    image: ImageSource,
    output: PathLikeText | None = None,
    *,
    upscale: int | None = None,
    denoise: float | None = None,
    deblock: float | Literal["auto"] = "auto",
    model: PathLikeText | ModelDescription | None = None,
    device: str = "auto",
    backend: str = "auto",
    threads: int = 0,
    license: str | None = None,
    format: FileFormat | None = None,
    overwrite: bool = True,
    max_pixels: int = image_io.DEFAULT_MAX_PIXELS,
    max_memory: int | None = None,
    progress: Progress | None = None,
    **settings: Any,
) -> Path | bytes | Image | NDArray[Any]:
    """Enlarge, denoise and deblock one picture by a network; the result has the type given.

    The picture goes through the network in tiles, each seeing as far beyond its part as the network
    looks, so that the result is that of the whole picture (docs/decisions/1040-tiles.md). Profile,
    EXIF, resolution and 16 bits are kept. An alpha is enlarged by `refine`, guided by the enlarged
    colours where the picture still has those of its background. Enhance a photograph before its
    background is removed where noise or blocks hide the edge; afterwards (`Cutout.enhance`) the
    alpha stays the one that was found.

    Args:
        image: A path, file bytes, an open binary file, a PIL image or an array.
        output: Where to; its suffix gives the format. A path alone is written beside itself:
            photo.jpg gives photo-enhanced.jpg.
        upscale: Times the sides, 1 to 4, which has to divide what the network gives: means over
            its pixels bring a x4 network's image to x2. None: what it gives; of nssbg's own
            networks 1 where `denoise` or `deblock` is set, else 2.
        denoise: 0 (nothing) to 1; a network that cannot be told is mixed with the picture. Of
            nssbg's own networks 1 stands for noise of 50 of 255 (root mean square). None: as a
            network does that cannot be told, else not at all.
        deblock: 0 to 1 for networks that can be told; "auto": by the file's own compression.
        model: A name of `nssbg models list`, a path to weights with a sidecar, or a description of
            task "image"; None: the one of nssbg's own that does what is asked for, nssbg-x2 or
            nssbg-restore.
        device: See `Remover`.
        backend: See `Remover`.
        threads: Threads for the kernels and the runtime; 0: all usable cores.
        license: See `Remover`.
        format: Of files and bytes; None: by `output`, else the picture's own where nssbg writes it.
        overwrite: Whether a file that is there is replaced; a source never is.
        max_pixels: Pictures with more pixels are refused before they are decoded.
        max_memory: Bytes that a picture may be predicted to take, its result included; None: three
            quarters of what is free.
        progress: Called with tiles done and tiles in all; what it raises ends the run, and nothing
            is written.
        settings: compression, quality, subsampling and progressive: see `EncodeOptionsDict`.

    Returns:
        The path written, file bytes, a PIL image (8 bits) or an array, as the picture came:
        H' x W' x 3, with its alpha x 4.

    Raises:
        ImageDecodeError: The picture cannot be read.
        ImageEncodeError: The result cannot be written.
        ModelError: No network was named and none that comes with nssbg does what is asked for
            (enlarging by 3 or 4), or it cannot be had.
        LicenseError: Its weights do not allow the use asked for.
        DeviceError: The device asked for is not what would run.
        OptionError: A value outside these, or the network cannot do what is asked for.
    """
    unknown = sorted(settings.keys() - EncodeOptionsDict.__optional_keys__)
    if unknown:
        raise TypeError(f"enhance() got an unexpected keyword argument {unknown[0]!r}")
    if format is not None and format not in FORMATS:
        raise OptionError(f"format is {format!r}; expected one of {', '.join(FORMATS)}")
    if threads < 0:
        raise OptionError(f"threads must be 0 (all usable cores) or more, got {threads}")
    target = _target(image, output, format)
    if target is not None:  # before the network runs: nothing is worked out in vain
        image_io.check_target(target, overwrite=overwrite, inputs=[image])
    frame = enhanced_picture(
        image,
        EnhanceOptions(upscale, denoise, deblock),
        model=model,
        device=device,
        backend=backend,
        threads=threads,
        license=license,
        max_pixels=max_pixels,
        max_memory=max_memory,
        progress=progress,
    )
    settings["threads"] = threads

    def encoded(chosen: FileFormat) -> bytes:
        return image_io.encode(
            _pixels(frame),
            format=chosen,
            icc_profile=frame.icc_profile,
            exif=frame.exif,
            dpi=frame.dpi,
            xmp=frame.xmp,
            **settings,
        )

    if target is not None:
        return image_io.write_encoded(
            target, encoded, format=format, overwrite=overwrite, inputs=[image]
        )
    if frame.kind in ("bytes", "file"):
        return encoded(format or _own_format(frame))
    pixels = _pixels(frame)
    if frame.kind == "pil":
        return _as_pil(frame, pixels)
    if frame.float_input:
        return pixels.astype(np.float32) / np.float32(65535)
    return pixels


def enhanced_picture(
    image: ImageSource,
    options: EnhanceOptions,
    *,
    model: PathLikeText | ModelDescription | None = None,
    device: str = "auto",
    backend: str = "auto",
    threads: int = 0,
    license: str | None = None,
    max_pixels: int = image_io.DEFAULT_MAX_PIXELS,
    max_memory: int | None = None,
    progress: Progress | None = None,
) -> Frame:
    """A picture read and enhanced; see `enhance`."""
    threads = threads or _core.usable_cores()
    chosen = Path(model) if isinstance(model, os.PathLike) else model
    described = chosen_model(chosen, "image", options)
    factor = options.upscale or described.scale

    def predict(header: image_io.Header) -> int:
        pixels = header.height * header.width * header.sample_bytes
        # The picture, its result, and that once more while it is encoded.
        return max(header.decode_bytes, 4 * pixels * (1 + 2 * factor * factor)) + _SCRATCH

    source: Any = image
    if not isinstance(image, (str, os.PathLike)) and hasattr(image, "read"):
        # Its header is looked at twice, which a stream allows once.
        named = getattr(image, "name", "")
        name = named if isinstance(named, str) and named else "<file>"
        source = image_io.NamedBytes(
            image_io.read_source(image, "file", name, max_memory=max_memory)
        )
        source.name = name
    frame = image_io.decode(source, max_pixels=max_pixels, max_memory=max_memory, predict=predict)
    if max(frame.height, frame.width) * factor > LARGEST_SIDE:
        raise ImageDecodeError(
            f"{frame.name}: {frame.width} x {frame.height} pixels times {factor} are more than "
            f"{LARGEST_SIDE:,} a side; try a smaller upscale"
        )
    network = image_network(
        described, device=device, backend=backend, threads=threads, license=license
    )
    return enhanced_frame(
        network,
        frame,
        options,
        deblock=deblock_strength(source, frame),
        threads=threads,
        progress=progress,
    )


def depth(
    image: ImageSource,
    *,
    model: PathLikeText | ModelDescription | None = None,
    device: str = "auto",
    backend: str = "auto",
    threads: int = 0,
    license: str | None = None,
    max_pixels: int = image_io.DEFAULT_MAX_PIXELS,
    max_memory: int | None = None,
) -> NDArray[np.float32]:
    """Relative depth of a photograph by a network, for blurs that follow it (`Blur`).

    Args:
        image: A path, file bytes, an open binary file, a PIL image or an array.
        model: A name of `nssbg models list`, a path to weights with a sidecar, or a description of
            task "depth"; None: a network that comes with nssbg.
        device: See `Remover`; so for backend, threads and license.
        backend: See `Remover`.
        threads: 0: all usable cores.
        license: See `Remover`.
        max_pixels: Pictures with more pixels are refused before they are decoded.
        max_memory: Bytes that a picture may be predicted to take; None: three quarters of what is
            free.

    Returns:
        H x W float32, inverse depth stretched to 0 (the farthest of this picture) to 1 (nearest).

    Raises:
        ImageDecodeError: The picture cannot be read.
        ModelError: No network was named and none comes with nssbg, or it cannot be had.
        LicenseError: Its weights do not allow the use asked for.
        DeviceError: The device asked for is not what would run.
    """
    threads = threads or _core.usable_cores()
    chosen = Path(model) if isinstance(model, os.PathLike) else model
    described = chosen_model(chosen, "depth")
    frame = image_io.decode(image, max_pixels=max_pixels, max_memory=max_memory)
    network = depth_network(
        described, device=device, backend=backend, threads=threads, license=license
    )
    return enlarged_map(network.coarse(frame), frame.height, frame.width)


def _target(image: Any, output: PathLikeText | None, format: FileFormat | None) -> Path | None:
    """Where the result is to be written; None: it is handed back."""
    if output is not None:
        return Path(output)
    if not isinstance(image, (str, os.PathLike)):
        return None
    path = Path(image)
    suffix = path.suffix
    if format is not None:
        suffix = image_io.suffix_of(format)
    elif not _writable(path):
        suffix = ".png"
    return path.with_name(f"{path.stem}-enhanced{suffix}")


def _writable(path: Path) -> bool:
    try:
        image_io.format_of_path(path)
    except OptionError:
        return False
    return True


def _own_format(frame: Frame) -> FileFormat:
    name = frame.source_format.lower()
    return next((format for format in FORMATS if format == name), "png")


def _pixels(frame: Frame) -> NDArray[Any]:
    """H x W x 3, or x 4 where there is an alpha."""
    if frame.alpha is None:
        return frame.rgb
    return np.concatenate([frame.rgb, frame.alpha[..., None]], axis=2)


def _as_pil(frame: Frame, pixels: NDArray[Any]) -> Image:
    from PIL.Image import fromarray

    result = fromarray(eight_bits(pixels) if pixels.dtype != np.uint8 else pixels)
    if frame.icc_profile:
        result.info["icc_profile"] = frame.icc_profile
    return result
