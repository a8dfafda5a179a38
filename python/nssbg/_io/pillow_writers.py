"""Writes WebP, TIFF, AVIF and JPEG XL through Pillow and its plugins; 16-bit colour TIFF
through tifffile. Settings were chosen by bench/encode_formats.py.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from nssbg._errors import ImageEncodeError
from nssbg._io.encodable import Encodable
from nssbg._io.pillow_reader import no_pillow_warnings

__all__ = ["WRITERS"]

_PREDICTOR = 317
_HORIZONTAL = 2
_XMP = 700


def _image(output: Encodable) -> Image.Image:
    pixels = np.ascontiguousarray(output.pixels)
    return Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)


def _saved(image: Image.Image, format: str, **options: Any) -> bytes:
    """Pillow's save, without what it would read from the environment of the image."""
    file = io.BytesIO()
    kept = {key: value for key, value in options.items() if value is not None}
    with no_pillow_warnings():
        image.save(file, format, **kept)
    return file.getvalue()


def _write_webp(output: Encodable) -> bytes:
    image = _image(output)
    if image.mode == "L":
        image = image.convert("RGB")
    common: dict[str, Any] = {
        "exif": output.exif,
        "icc_profile": output.icc_profile,
        "xmp": output.xmp,
    }
    if output.quality is None:
        # For lossless WebP "quality" is effort within a method.
        method, effort = {"fast": (0, 0), "default": (1, 0), "best": (6, 100)}[output.compression]
        return _saved(image, "WEBP", lossless=True, method=method, quality=effort, **common)
    method = {"fast": 2, "default": 3, "best": 6}[output.compression]
    return _saved(image, "WEBP", quality=output.quality, alpha_quality=100, method=method, **common)


def _write_tiff(output: Encodable) -> bytes:
    pixels = output.pixels
    if output.premultiplied or (pixels.dtype == np.uint16 and pixels.shape[2] > 1):
        return _write_deep_tiff(output)
    # Pillow takes tags from one place only, so the predictor goes with the EXIF block.
    tags = Image.Exif()
    if output.exif:
        tags.load(output.exif)
    tags[_PREDICTOR] = _HORIZONTAL
    if output.xmp:
        tags[_XMP] = output.xmp
    return _saved(
        _image(output),
        "TIFF",
        compression="tiff_adobe_deflate",
        exif=tags,
        icc_profile=output.icc_profile,
        dpi=output.dpi,
    )


def _write_deep_tiff(output: Encodable) -> bytes:
    import tifffile

    file = io.BytesIO()
    pixels = np.ascontiguousarray(output.pixels)
    channels = pixels.shape[2]
    level = {"fast": 1, "default": 6, "best": 9}[output.compression]
    options: dict[str, Any] = {}
    if channels == 4:
        options["extrasamples"] = ["assocalpha" if output.premultiplied else "unassalpha"]
    if output.dpi:
        options["resolution"] = output.dpi
        options["resolutionunit"] = "INCH"
    if output.xmp:
        options["extratags"] = [(_XMP, 1, len(output.xmp), output.xmp, True)]
    tifffile.imwrite(
        file,
        pixels[:, :, 0] if channels == 1 else pixels,
        photometric="minisblack" if channels == 1 else "rgb",
        compression="zlib",
        compressionargs={"level": level},
        predictor=True,
        rowsperstrip=64,
        iccprofile=output.icc_profile,
        metadata=None,
        software="nssbg",
        maxworkers=output.threads,
        **options,
    )
    return file.getvalue()


def _write_avif(output: Encodable) -> bytes:
    image = _image(output)
    if image.mode == "L":
        image = image.convert("RGB")
    speed = {"fast": 9, "default": 8, "best": 6}[output.compression]
    return _saved(
        image,
        "AVIF",
        quality=90 if output.quality is None else output.quality,
        subsampling=output.subsampling or "4:4:4",
        xmp=output.xmp,
        speed=speed,
        max_threads=output.threads,
        exif=output.exif,
        icc_profile=output.icc_profile,
    )


def _write_jxl(output: Encodable) -> bytes:
    try:
        import pillow_jxl  # noqa: F401  (registers the writer)
    except ImportError as error:
        raise ImageEncodeError(
            "cannot write JPEG XL: it needs a plugin that is not installed; "
            "install it with: pip install 'nssbg[jxl]'"
        ) from error
    # Lossy coding at effort 1 takes a third more bytes for three quarters of the time.
    quick = 1 if output.quality is None else 3
    effort = {"fast": quick, "default": quick, "best": 7}[output.compression]
    return _saved(
        _image(output),
        "JXL",
        lossless=output.quality is None,
        quality=output.quality,
        effort=effort,
        num_threads=output.threads,
        exif=output.exif,
        xmp=output.xmp,
        icc_profile=output.icc_profile,
    )


WRITERS: dict[str, Callable[[Encodable], bytes]] = {
    "webp": _write_webp,
    "tiff": _write_tiff,
    "avif": _write_avif,
    "jxl": _write_jxl,
}
