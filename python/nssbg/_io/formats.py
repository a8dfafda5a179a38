"""The file formats nssbg knows: how each begins, what it is called, what it can hold."""

from __future__ import annotations

from pathlib import Path

from nssbg._errors import ImageDecodeError, OptionError
from nssbg._vocabulary import FileFormat

__all__ = [
    "ALPHA_FORMATS",
    "SIXTEEN_BIT_FORMATS",
    "expected_format",
    "format_of_bytes",
    "format_of_path",
    "has_picture_suffix",
    "suffix_of",
]

ALPHA_FORMATS = ("png", "webp", "tiff", "avif", "jxl")
SIXTEEN_BIT_FORMATS = ("png", "tiff")

_SUFFIXES: dict[str, FileFormat] = {
    ".png": "png",
    ".webp": "webp",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".jpe": "jpeg",
    ".jfif": "jpeg",
    ".avif": "avif",
    ".jxl": "jxl",
}
_READ_ONLY_SUFFIXES = {".bmp", ".gif", ".heic", ".heif", ".hif"}
_FIRST_SUFFIX = {"jpeg": ".jpg", "tiff": ".tif"}

_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_AVIF_BRANDS = (b"avif", b"avis")


def format_of_path(path: str | Path) -> FileFormat:
    """The writable format that a path's suffix names.

    Raises:
        OptionError: The suffix names no format that nssbg writes.
    """
    suffix = Path(path).suffix.lower()
    if suffix in _SUFFIXES:
        return _SUFFIXES[suffix]
    known = " ".join(sorted(_SUFFIXES))
    raise OptionError(
        f"the suffix {suffix!r} of {str(path)!r} names no format that nssbg writes; "
        f"use one of {known}, or say the format"
    )


def has_picture_suffix(path: str | Path) -> bool:
    """Whether a path's suffix is that of a format that nssbg reads."""
    suffix = Path(path).suffix.lower()
    return suffix in _SUFFIXES or suffix in _READ_ONLY_SUFFIXES


def suffix_of(format: str) -> str:
    """The usual suffix of a writable format, dot included: ".png", ".jpg", ..."""
    return _FIRST_SUFFIX.get(format, f".{format}")


def format_of_bytes(head: bytes) -> str | None:
    """Tell a readable format from a file's first bytes (32 are enough), or None.

    The names are Pillow's plugin names: only these readers are ever reached.
    """
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    # Little- and big-endian TIFF, and BigTIFF.
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "TIFF"
    if head[:6] in (b"GIF87a", b"GIF89a"):
        return "GIF"
    if head.startswith((b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")):
        return "JXL"
    if head[4:8] == b"ftyp":
        return _iso_media_format(head)
    if head[:2] == b"BM" and len(head) >= 14:
        return "BMP"
    return None


def _iso_media_format(head: bytes) -> str | None:
    """AVIF or HEIF from the brands of an ftyp box: the major one, else the compatible ones."""
    length = max(16, min(int.from_bytes(head[:4], "big"), len(head)))
    brands = [head[8:12], *(head[at : at + 4] for at in range(16, length - 3, 4))]
    if any(brand in _AVIF_BRANDS for brand in brands):
        return "AVIF"
    if any(brand in _HEIF_BRANDS for brand in brands):
        return "HEIF"
    return None


def expected_format(head: bytes, name: str) -> str:
    """The readable format of a file from its first bytes (512 tell most about what is none).

    Raises:
        ImageDecodeError: They are of no picture; the message says what they seem to be.
    """
    format = format_of_bytes(head)
    if format is None:
        raise ImageDecodeError(
            f"cannot read {name}: {_guess(head)}; expected JPEG, PNG, WebP, TIFF, "
            "BMP, GIF, AVIF, HEIC or JPEG XL"
        )
    return format


def _guess(head: bytes) -> str:
    """What a file that is no picture seems to be, to spare its owner the search."""
    start = head.lstrip()[:64].lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return "it is a web page, perhaps a failed download"
    if start.startswith((b"<svg", b"<?xml")):
        return "it is XML or SVG, which has no pixels; render it first"
    if start.startswith(b"%pdf"):
        return "it is a PDF; export its picture first"
    if start.startswith(b"version https://git-lfs"):
        return "it is a Git LFS pointer; fetch the file itself with git lfs pull"
    if head.startswith(b"PK\x03\x04"):
        return "it is a ZIP archive; unpack it first"
    if not head.strip(b"\0"):
        return "it begins with zeros only, as files of interrupted copies do"
    if all(byte in b"\t\n\r\f" or 32 <= byte < 127 for byte in head):
        return "it is text"
    return "its first bytes are of no picture format known here"
