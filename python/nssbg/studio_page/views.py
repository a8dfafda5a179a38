"""Pictures as a page shows and takes them: parts at a scale, whole files, a ZIP of many.

Which part and which format is decided here; scaling, framing and encoding are the package's own.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from nssbg import _io as image_io
from nssbg._color.depth import eight_bits
from nssbg._compose.output import Output, render
from nssbg._compose.shadow import SEEN_TAIL, Shadow, shadow_room
from nssbg._cutout import Cutout
from nssbg._enhance_options import Enhancement
from nssbg._errors import NssbgError, OptionError
from nssbg._io.formats import ALPHA_FORMATS, suffix_of
from nssbg._ops.resample import photograph_part, scaled
from nssbg._options import checked_quality, one_of
from nssbg._pipeline.analysis import Analysis
from nssbg._pipeline.preview import View
from nssbg._types import ImageArray
from nssbg.studio_page.edit import Edit
from nssbg.studio_page.picture import MissingError
from nssbg.studio_page.session import Session

__all__ = [
    "LAYERS",
    "File",
    "download",
    "framed_pixels",
    "png",
    "preview",
    "shown_background",
    "view",
    "zip_stream",
]

LAYERS = ("cutout", "alpha", "original")
# Pixels of one answer: more than any screen shows.
_MOST_PIXELS = 24_000_000


@dataclass(frozen=True)
class File:
    """A file for the page.

    Attributes:
        data: Its bytes.
        content_type: Its type.
        name: What a browser is to call it; "" where it is shown, not saved.
        headers: More of the answer.
    """

    data: bytes
    content_type: str = "image/png"
    name: str = ""
    headers: dict[str, str] = field(default_factory=dict)


def view_of(values: Any, height: int, width: int) -> View:
    """The visible part that a page names, cut to the picture.

    Args:
        values: Mapping with x, y, width, height (pixels of the picture) and scale (pixels of the
            answer for one of the picture; above 1 it is answered at 1); or with fit: the whole
            picture, its longer side at most that.
        height: Rows of the picture.
        width: Columns of it.

    Raises:
        OptionError: They are no numbers, nothing of the picture is visible, or too much is asked.
    """
    numbers = {}
    defaults = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1, "fit": 0}
    for name, default in defaults.items():
        value = values.get(name)
        try:
            numbers[name] = float(default if value is None or value == "" else value)
        except (TypeError, ValueError):
            raise OptionError(f"view: {name} is a number, not {value!r:.60}") from None
        if not math.isfinite(numbers[name]):
            raise OptionError(f"view: {name} is a number, not {value!r:.60}")
    scale = min(1.0, numbers["scale"])
    if values.get("fit") not in (None, ""):
        numbers.update(x=0, y=0, width=width, height=height)
        scale = min(1.0, max(1.0, numbers["fit"]) / max(height, width))
    left, top = max(0, math.floor(numbers["x"])), max(0, math.floor(numbers["y"]))
    right = min(width, math.ceil(numbers["x"] + numbers["width"]))
    bottom = min(height, math.ceil(numbers["y"] + numbers["height"]))
    if left >= right or top >= bottom or scale <= 0:
        raise OptionError("view: nothing of the picture lies in it")
    size = (max(1, round((bottom - top) * scale)), max(1, round((right - left) * scale)))
    if size[0] * size[1] > _MOST_PIXELS:
        raise OptionError(f"view: at most {_MOST_PIXELS} pixels are answered at once")
    return View((left, top, right, bottom), size)


def _answer(
    pixels: NDArray[Any], icc_profile: bytes | None, where: View, height: float, width: float
) -> File:
    """Pixels of a layer of height x width, with what they are told by."""
    left, _, right, _ = where.box
    return replace(
        png(pixels, icc_profile),
        headers={
            "x-layer-width": str(round(width)),
            "x-layer-height": str(round(height)),
            "x-scale": f"{where.size[1] / (right - left):.6g}",
        },
    )


def view(session: Session, name: str, layer: str, values: Any, revision: int | None) -> File:
    """A part of the photograph, or of a result.

    Raises:
        NotReadyError: There is no such result.
        OptionError: The part or the layer is none.
    """
    one_of("layer", layer, (*LAYERS, "framed"))
    if layer == "original":
        frame = session.frame(name)
        where = view_of(values, frame.height, frame.width)
        made = _photograph(frame.rgb, where)
        return _answer(made, frame.icc_profile, where, frame.height, frame.width)
    cutout, edit, _ = session.cutout(name, revision)
    pixels, icc = cutout.rgba, cutout.frame.icc_profile
    if layer == "framed":
        pixels = framed_pixels(session, name, cutout, edit)
    elif layer == "alpha":
        pixels, icc = cutout.alpha[..., None], None
    height, width = pixels.shape[:2]
    where = view_of(values, height, width)
    left, top, right, bottom = where.box
    part = _brought_to(_as_bytes(pixels[top:bottom, left:right]), where.size)
    return _answer(part, icc, where, height, width)


def preview(session: Session, name: str, edit: Edit, layer: str, values: Any) -> File:
    """What a part will look like with an edit, at the view's scale.

    Raises:
        NotReadyError: Nothing was run for the picture yet.
        OptionError: The part, the layer or the edit is none.
    """
    one_of("layer", layer, (*LAYERS, "framed"))
    analysis = session.analysis(name, edit)
    frame = analysis.frame
    if layer == "framed":
        return _framed_preview(session, name, analysis, edit, values)
    where = view_of(values, frame.height, frame.width)
    if layer == "original":
        pixels: NDArray[Any] = _photograph(frame.rgb, where)
    else:
        pixels = session.results.previewed(analysis, edit, where)
    icc = frame.icc_profile
    if layer == "alpha":
        pixels, icc = pixels[..., 3], None
    return _answer(pixels, icc, where, frame.height, frame.width)


def _framed_preview(
    session: Session, name: str, analysis: Analysis, edit: Edit, values: Any
) -> File:
    """The result as it will be framed, made of the cut-out at the size of a screen."""
    frame = analysis.frame
    whole = (frame.height, frame.width)
    said = edit.framing.output(*whole, session.folder.background)
    size = _framed_size(session, name, said, whole)
    asked = view_of(values, *size)
    scale = asked.size[1] / (asked.box[2] - asked.box[0])
    fine = scale
    if said.canvas is not None or said.longest_side is not None:
        # A small subject is enlarged: it is made twice as fine as the canvas is shown.
        fine = min(1.0, 2.0 * scale * max(size) / max(whole))
    shown = (max(1, round(whole[0] * fine)), max(1, round(whole[1] * fine)))
    where = View((0, 0, frame.width, frame.height), shown)
    key = (name, "preview", edit.without_framing(), shown)
    rgba: NDArray[Any] | None = session.memory.get(key)
    if rgba is None:
        rgba = session.results.previewed(analysis, edit, where)
        session.memory.put(key, rgba, int(rgba.nbytes))
    output = edit.framing.output(*whole, session.folder.background, scale=scale)
    framed = render(
        cast("ImageArray", rgba),
        output,
        image=photograph_part(frame.rgb, *shown, (0.0, 0.0, float(whole[1]), float(whole[0]))),
        icc_profile=frame.icc_profile,
    )
    # Trimmed results are as large as their subject: only now it is known.
    height, width = (round(side / scale) for side in framed.shape[:2])
    part = view_of({**_plain(values), "scale": scale}, height, width)
    left, top, right, bottom = (round(side * scale) for side in part.box)
    cropped = framed[top : max(top + 1, bottom), left : max(left + 1, right)]
    return _answer(cropped, frame.icc_profile, part, height, width)


def _plain(values: Any) -> dict[str, Any]:
    """Without fit, which meant the whole layer."""
    if values.get("fit") not in (None, ""):
        return {}
    return {name: values.get(name) for name in ("x", "y", "width", "height")}


def _framed_size(
    session: Session, name: str, output: Output, whole: tuple[int, int]
) -> tuple[int, int]:
    """Rows and columns of the framed result, as far as can be told before it is made."""
    if output.canvas is not None:
        return output.canvas.height, output.canvas.width
    result = session.record(name)["result"]
    if output.trim and result is not None:
        left, top, right, bottom = result["bbox"]
        if right > left:
            height, width = bottom - top, right - left
            if isinstance(output.shadow, Shadow):
                box = (top, left, bottom, right)
                above, beside, below, before = shadow_room(
                    box, whole, output.shadow, tail=SEEN_TAIL
                )
                height, width = height + above + below, width + beside + before
            return height, width
    return whole


def shown_background(session: Session, name: str) -> File:
    """A background picture, for the page.

    Raises:
        MissingError: It is not there.
        ImageDecodeError: It cannot be read.
    """
    if not session.folder.has_background(name):
        raise MissingError("there is no such background picture in this session")
    frame = image_io.decode(
        session.folder.background(name), max_pixels=session.limits.max_pixels, name="background"
    )
    where = view_of({"fit": 2048}, frame.height, frame.width)
    return png(_photograph(frame.rgb, where), frame.icc_profile)


def framed_pixels(session: Session, name: str, cutout: Cutout, edit: Edit) -> NDArray[Any]:
    """The result on its canvas, with shadow and background; the cut-out where nothing is framed."""
    key = (name, "framed", edit)
    found: NDArray[Any] | None = session.memory.get(key)
    if found is None:
        found = _framed(session, cutout, edit)
        if not edit.framing.plain:
            session.memory.put(key, found, int(found.nbytes))
    return found


def _framed(session: Session, cutout: Cutout, edit: Edit) -> NDArray[Any]:
    if edit.framing.plain:
        return cutout.rgba
    frame = cutout.frame
    output = edit.framing.output(frame.height, frame.width, session.folder.background)
    return cutout.render(output)


def download(
    session: Session,
    name: str,
    format: str,
    *,
    quality: int | None = None,
    mask: bool = False,
    enhancement: Enhancement | None = None,
) -> File:
    """A result as a file.

    Args:
        session: The picture's.
        name: The picture's id.
        format: Of the file.
        quality: Of lossy formats; None: the format's own.
        mask: The alpha alone.
        enhancement: By which it is enhanced first; None: it is not.

    Raises:
        NotReadyError: There is none yet.
        OptionError: Format or quality is none.
        ImageEncodeError: The format cannot hold it.
    """
    from nssbg._vocabulary import FORMATS

    one_of("format", format, FORMATS)
    if quality is not None:
        checked_quality(quality)
    if enhancement is None:
        cutout, edit, _ = session.cutout(name)
    else:
        cutout, edit = session.enhanced(name, enhancement)
    title = session.record(name)["name"]
    stem = title.rpartition(".")[0] or title
    frame = cutout.frame
    if mask:
        pixels, icc = np.ascontiguousarray(cutout.alpha), None
    else:
        icc = frame.icc_profile
        if enhancement is None:
            pixels = framed_pixels(session, name, cutout, edit)
        else:
            pixels = _framed(session, cutout, edit)
        if format not in ALPHA_FORMATS and pixels.shape[2] == 4:
            from nssbg._compose.background import over

            pixels = over(pixels, "white", icc_profile=icc)
    data = image_io.encode(
        pixels,
        format=format,
        quality=None if format in ("png", "tiff") else quality,
        icc_profile=icc,
        exif=None if mask else frame.exif,
        dpi=frame.dpi,
    )
    kind = "mask" if mask else "cutout"
    return File(data, f"image/{format}", f"{stem}-{kind}{suffix_of(format)}")


class _Pipe:
    """What zipfile writes into: hands out the bytes as they come, and cannot seek."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._length = 0

    def write(self, data: bytes) -> int:
        self._pieces.append(bytes(data))
        self._length += len(data)
        return len(data)

    def tell(self) -> int:
        return self._length

    def flush(self) -> None:
        """Nothing waits here."""

    def taken(self) -> bytes:
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


def zip_stream(
    session: Session,
    names: list[str],
    format: str,
    *,
    quality: int | None = None,
    enhancement: Enhancement | None = None,
) -> Iterator[bytes]:
    """Results as a ZIP, one in memory at a time; what failed stands in errors.txt.

    Raises:
        OptionError: The format is none.
    """
    from nssbg._vocabulary import FORMATS

    one_of("format", format, FORMATS)
    return _zipped(session, names, format, quality, enhancement)


def _zipped(
    session: Session,
    names: list[str],
    format: str,
    quality: int | None,
    enhancement: Enhancement | None,
) -> Iterator[bytes]:
    pipe = _Pipe()
    used: set[str] = set()
    errors = []
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_STORED) as archive:  # type: ignore[call-overload]
        for name in names:
            try:
                record = session.record(name)
                file = download(session, name, format, quality=quality, enhancement=enhancement)
            except NssbgError as error:
                errors.append(f"{error}\n")
                continue
            folder = record["path"].rpartition("/")[0]
            archive.writestr(_unused(f"{folder}/{file.name}".lstrip("/"), used), file.data)
            yield pipe.taken()
        if errors:
            archive.writestr("errors.txt", "".join(errors).encode())
    yield pipe.taken()


def _unused(name: str, used: set[str]) -> str:
    stem, dot, suffix = name.rpartition(".")
    number, found = 1, name
    while found.casefold() in used:
        number += 1
        found = f"{stem}-{number}{dot}{suffix}"
    used.add(found.casefold())
    return found


def png(pixels: NDArray[Any], icc_profile: bytes | None = None) -> File:
    """Pixels as a PNG that is made and sent fast."""
    return File(
        image_io.encode(
            np.ascontiguousarray(pixels), format="png", compression="fast", icc_profile=icc_profile
        )
    )


def _photograph(pixels: NDArray[Any], where: View) -> NDArray[Any]:
    """A part of H x W x 3 (or 1) pixels at a size, in 8 bits."""
    left, top, right, bottom = where.box
    part = (float(left), float(top), float(right), float(bottom))
    made = photograph_part(pixels, *where.size, part)
    return made if pixels.shape[2] == 3 else np.ascontiguousarray(made[..., 0])


def _brought_to(pixels: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    if pixels.shape[:2] == size:
        return pixels if pixels.shape[2] > 1 else pixels[..., 0]
    if pixels.shape[2] == 4:
        return scaled(np.ascontiguousarray(pixels), *size)
    return _photograph(pixels, View((0, 0, pixels.shape[1], pixels.shape[0]), size))


def _as_bytes(pixels: NDArray[Any]) -> NDArray[Any]:
    return eight_bits(pixels) if pixels.dtype == np.uint16 else np.ascontiguousarray(pixels)
