"""Encodes pixels to the bytes of a file: PNG, WebP, TIFF, JPEG, AVIF or JPEG XL.

Alpha is straight and kept exactly, unless a lossy format was asked for; formats without
alpha refuse it. The settings are chosen by bench/encode_formats.py
(docs/decisions/0701-other-formats.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nssbg._color.depth import eight_bits
from nssbg._errors import ImageEncodeError, NssbgError, OptionError
from nssbg._io.encodable import SUBSAMPLINGS, Encodable
from nssbg._io.formats import ALPHA_FORMATS, SIXTEEN_BIT_FORMATS
from nssbg._options import checked_quality
from nssbg._vocabulary import COMPRESSIONS, DEFAULT_COMPRESSION, FORMATS, Compression

__all__ = ["encode"]

# The longest side that each format can hold.
_LARGEST_SIDE = {"webp": 16383, "jpeg": 65535, "avif": 65536}


def encode(
    pixels: NDArray[Any],
    *,
    format: str = "png",
    compression: Compression = DEFAULT_COMPRESSION,
    quality: int | None = None,
    icc_profile: bytes | None = None,
    exif: bytes | None = None,
    dpi: tuple[float, float] | None = None,
    text: Mapping[str, str] | None = None,
    premultiplied: bool = False,
    threads: int = 0,
    subsampling: str | None = None,
    progressive: bool = False,
    xmp: bytes | None = None,
) -> bytes:
    """Encode a picture or a mask to the bytes of a file.

    Args:
        pixels: H x W or H x W x 1 (grey, a mask), H x W x 3 (RGB) or H x W x 4 (straight RGBA);
            uint8 or uint16. PNG and TIFF keep 16 bits, the others get them rounded to 8.
        format: "png", "webp", "tiff", "jpeg", "avif" or "jxl" (an extra).
        compression: "fast", "default" or "best": time against bytes; the pixels are the same.
        quality: 0 to 100 for lossy WebP, AVIF and JPEG XL, whose default is lossless WebP and
            JPEG XL, and AVIF at 90; for JPEG 92 by default. PNG and TIFF take none.
        icc_profile: The profile that the pixels are encoded in; None means sRGB.
        exif: An EXIF block.
        dpi: Pixels per inch (x, y).
        text: Keywords and texts, such as {"Software": "nssbg"}, for PNG; other formats leave
            them out.
        premultiplied: The colours are multiplied by alpha. Only TIFF can say so.
        threads: Threads to use at most; 0 for all cores of this process. The bytes of PNG, TIFF,
            JPEG and WebP files do not depend on it.
        subsampling: "4:4:4", "4:2:2" or "4:2:0" for JPEG and AVIF: how coarse colours are against
            brightness. None: JPEG 4:4:4 from quality 90 on, else 4:2:0; AVIF 4:4:4.
        progressive: JPEG that shows coarsely first; smaller, slower to write.
        xmp: An XMP packet, UTF-8.

    Returns:
        The file's bytes.

    Raises:
        OptionError: An argument is outside what is allowed.
        ImageEncodeError: The format cannot hold the picture, or its plugin is not installed.
    """
    output = _checked(
        pixels,
        format,
        Encodable(
            pixels=pixels,
            compression=compression,
            quality=quality,
            icc_profile=icc_profile,
            exif=_bare(exif),
            dpi=dpi,
            text=dict(text or {}),
            premultiplied=premultiplied,
            threads=threads,
            subsampling=subsampling,
            progressive=progressive,
            xmp=xmp,
        ),
    )
    writer = _writer(format)
    try:
        return writer(output)
    except NssbgError:
        raise
    except MemoryError as error:
        raise ImageEncodeError(
            f"cannot write {format.upper()}: not enough memory for {_size(output.pixels)} pixels"
        ) from error
    except Exception as error:  # the writers of five libraries raise whatever they like
        raise ImageEncodeError(
            f"cannot write {_size(output.pixels)} pixels as {format.upper()}: {error}"
        ) from error


def _writer(format: str) -> Callable[[Encodable], bytes]:
    if format == "png":
        from nssbg._io.png_writer import write_png

        return write_png
    if format == "jpeg":
        from nssbg._io.jpeg_writer import write_jpeg

        return write_jpeg
    from nssbg._io import pillow_writers

    return pillow_writers.WRITERS[format]


def _checked(pixels: NDArray[Any], format: str, given: Encodable) -> Encodable:
    if format not in FORMATS:
        raise OptionError(f"format is {format!r}; expected one of {', '.join(FORMATS)}")
    if given.compression not in COMPRESSIONS:
        raise OptionError(
            f"compression is {given.compression!r}; expected one of {', '.join(COMPRESSIONS)}"
        )
    if given.quality is not None:
        if format in ("png", "tiff"):
            raise OptionError(f"{format.upper()} is lossless and takes no quality; leave it out")
        checked_quality(given.quality)
    _check_coding(format, given)
    if given.threads < 0:
        raise OptionError(f"threads is {given.threads}; expected 0 (all cores) or more")
    if pixels.ndim == 2:
        pixels = pixels[:, :, np.newaxis]
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3, 4) or 0 in pixels.shape:
        raise OptionError(
            f"pixels have shape {pixels.shape}; expected H x W, H x W x 1, 3 or 4, not empty"
        )
    if pixels.dtype not in (np.uint8, np.uint16):
        raise OptionError(f"pixels are {pixels.dtype}; expected uint8 or uint16")
    largest = _LARGEST_SIDE.get(format)
    if largest is not None and max(pixels.shape[:2]) > largest:
        raise ImageEncodeError(
            f"cannot write {_size(pixels)} pixels as {format.upper()}: its sides end at {largest}; "
            "use png or tiff"
        )
    if pixels.shape[2] == 4 and format not in ALPHA_FORMATS:
        raise ImageEncodeError(
            f"cannot write alpha as {format.upper()}, which has none; put the cut-out over a "
            f"background first, or use {', '.join(ALPHA_FORMATS)}"
        )
    if given.premultiplied and (format != "tiff" or pixels.shape[2] != 4):
        raise OptionError("premultiplied is for TIFF with alpha; other formats hold straight alpha")
    if pixels.dtype == np.uint16 and format not in SIXTEEN_BIT_FORMATS:
        pixels = eight_bits(pixels)
    if given.dpi is not None and not all(0 < part < 1e6 for part in given.dpi):
        raise OptionError(f"dpi is {given.dpi}; expected two numbers above 0")
    profile = given.icc_profile
    if profile is not None and pixels.shape[2] == 1 and profile[16:20] != b"GRAY":
        profile = None  # a mask has no colours, and no grey file may carry an RGB profile
    from nssbg import _core

    return Encodable(
        pixels=pixels,
        compression=given.compression,
        quality=given.quality,
        icc_profile=profile,
        exif=given.exif,
        dpi=given.dpi,
        text=given.text,
        premultiplied=given.premultiplied,
        threads=given.threads or _core.usable_cores(),
        subsampling=given.subsampling,
        progressive=given.progressive,
        xmp=given.xmp,
    )


def _check_coding(format: str, given: Encodable) -> None:
    """Refuse options of lossy coding that the format has not."""
    if given.subsampling is not None:
        if format not in ("jpeg", "avif"):
            raise OptionError(
                f"subsampling is for JPEG and AVIF; leave it out for {format.upper()}"
            )
        if given.subsampling not in SUBSAMPLINGS:
            raise OptionError(
                f"subsampling is {given.subsampling!r}; expected one of {', '.join(SUBSAMPLINGS)}"
            )
    if given.progressive and format != "jpeg":
        raise OptionError(f"progressive is for JPEG; leave it out for {format.upper()}")


def _bare(exif: bytes | None) -> bytes | None:
    if not exif:
        return None
    return exif[6:] if exif.startswith(b"Exif\0\0") else exif


def _size(pixels: NDArray[Any]) -> str:
    return f"{pixels.shape[1]} x {pixels.shape[0]}"
