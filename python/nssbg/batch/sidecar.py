"""Reads a picture's corrections from the file beside it, NAME.EXT.nssbg.toml.

TOML, as profiles are, so that a person can write why into it:

    # the shadow under the handle
    drop = [[990, 980]]
    keep = [[640, 300]]               # x, y in pixels of the upright picture
    box = [120, 40, 1500, 1180]       # left, top, right, bottom
    mask = "mug-paint.png"            # white keep, black drop, grey or transparent unknown
    size = [1600, 1200]               # only where the numbers are of a picture of another size

Beside the picture, because there it is found, copied and renamed with it; or under the same
relative name in a folder of corrections, for pictures that lie where nobody may write.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nssbg import _io as image_io
from nssbg._corrections import Corrections
from nssbg._errors import NssbgError, OptionError
from nssbg.batch.toml_table import read_toml

__all__ = ["SUFFIX", "corrections_for", "painted_mask", "read_corrections", "sidecar_path"]

SUFFIX = ".nssbg.toml"
_UNKNOWN = 128


def sidecar_path(
    source: Path, *, folder: Path | None = None, relative: str | None = None
) -> Path | None:
    """Where the corrections of a picture lie; None where there are none.

    Args:
        source: The picture.
        folder: A folder of corrections; looked at before the picture's own.
        relative: The picture's name under that folder; None: its file name.
    """
    places = [source.with_name(source.name + SUFFIX)]
    if folder is not None:
        places.insert(0, folder / ((relative or source.name) + SUFFIX))
    # lexists, not exists: a link that leads nowhere is a mistake to tell, not "no corrections".
    return next((path for path in places if path.is_symlink() or path.exists()), None)


def corrections_for(
    source: Path, *, folder: Path | None = None, relative: str | None = None
) -> Corrections | None:
    """The corrections of a picture, or None where there are none; see `sidecar_path`.

    Raises:
        OptionError: They are there and cannot be read; the message names the file.
    """
    path = sidecar_path(source, folder=folder, relative=relative)
    return None if path is None else read_corrections(path)


def read_corrections(path: str | os.PathLike[str]) -> Corrections:
    """The corrections in a file.

    Raises:
        OptionError: It cannot be read, or something in it is not what it must be.
    """
    path = Path(path)
    table = read_toml(path)
    values = {
        name: table.take(name, list, None, f"expected {what}")
        for name, what in (
            ("box", "[left, top, right, bottom]"),
            ("keep", "a list of points [x, y]"),
            ("drop", "a list of points [x, y]"),
            ("size", "[width, height]"),
        )
    }
    mask = table.text("mask")
    table.done()
    try:
        return Corrections(
            box=_tuple(values["box"]),
            keep=values["keep"] or (),
            drop=values["drop"] or (),
            size=_tuple(values["size"]),
            mask=None if mask is None else painted_mask(path.parent / mask),
        )
    except OptionError as error:
        raise OptionError(f"{path}: {error}") from error


def _tuple(values: list[float] | None) -> Any:
    return None if values is None else tuple(values)


def painted_mask(source: Path | bytes | bytearray) -> NDArray[np.uint8]:
    """A painted mask: grey of the mean of its channels; what is not painted on is unknown.

    Args:
        source: A file, or the bytes of one.

    Raises:
        OptionError: It cannot be read.
    """
    try:
        frame = image_io.decode(source)
    except NssbgError as error:
        raise OptionError(f"mask: {error}") from error
    grey = frame.rgb.mean(axis=-1, dtype=np.float32)
    grey *= 255 / np.iinfo(frame.rgb.dtype).max
    if frame.alpha is not None:
        cover = frame.alpha.astype(np.float32) / np.iinfo(frame.alpha.dtype).max
        grey = grey * cover + _UNKNOWN * (1 - cover)
    painted: NDArray[np.uint8] = np.rint(grey).astype(np.uint8)
    return painted
