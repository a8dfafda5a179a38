"""Pictures in and out: files, bytes, PIL images and arrays to a Frame, and pixels to files.

What comes in is anything a caller may hold; what goes out is a Frame (`decode`), 8-bit sRGB
for a network (`model_rgb`), or the bytes of a file (`encode`, `write_atomically`).
"""

from __future__ import annotations

from nssbg._color.profiles import model_rgb, release_model_rgb
from nssbg._io.decode import DEFAULT_MAX_PIXELS, decode
from nssbg._io.encode import encode
from nssbg._io.files import check_target, write_atomically, write_encoded
from nssbg._io.formats import (
    ALPHA_FORMATS,
    format_of_path,
    has_picture_suffix,
    suffix_of,
)
from nssbg._io.header import Header
from nssbg._io.peek import peek_header, peek_size
from nssbg._io.source import NamedBytes, read_source

__all__ = [
    "ALPHA_FORMATS",
    "DEFAULT_MAX_PIXELS",
    "Header",
    "NamedBytes",
    "check_target",
    "decode",
    "encode",
    "format_of_path",
    "has_picture_suffix",
    "model_rgb",
    "peek_header",
    "peek_size",
    "read_source",
    "release_model_rgb",
    "suffix_of",
    "write_atomically",
    "write_encoded",
]
