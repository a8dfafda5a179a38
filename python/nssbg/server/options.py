"""The own API's options: what a request says about the cut-out and the file that is made of it.

Every option of `nssbg.remove` is here but those of the server's operator (device, backend, threads,
max_pixels, max_memory), and those of files (output, overwrite); beside them are the options of
`nssbg.Output` that the command line has too. A background is a colour, a gradient, an uploaded
picture, never a path, or the picture's own out of focus.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from numpy.typing import NDArray

from nssbg import _io as image_io
from nssbg._compose.background import Gradient, color_from
from nssbg._compose.canvas import Canvas
from nssbg._compose.defocus import BLUR, Blur, blur_from
from nssbg._compose.output import Output, needs_colors
from nssbg._compose.shadow import Shadow
from nssbg._corrections import Corrections
from nssbg._cutout import Cutout, Report
from nssbg._delivery import encoded
from nssbg._enhance_options import Enhancement
from nssbg._errors import OptionError
from nssbg._options import CutoutOptions, checked_quality
from nssbg._types import Frame
from nssbg._vocabulary import (
    COMPRESSIONS,
    EFFORTS,
    ENHANCE_ORDERS,
    FOREGROUND_METHODS,
    FORMATS,
    LICENSE_USES,
    MATTES,
    REFINE_LEVELS,
    SHADOWS,
    FileFormat,
)
from nssbg.batch.sidecar import painted_mask
from nssbg.server.values import Values, from_base64

__all__ = ["FILES", "NAMES", "OPERATORS", "Made", "Wanted", "wanted"]

#: Files of a form besides the picture.
FILES = ("background_image", "corrections_mask")
#: Options of `nssbg.remove` that are the operator's.
OPERATORS = (
    "device", "backend", "threads", "precision", "max_pixels", "max_memory", "output", "overwrite",
)  # fmt: skip
#: Every option, in the order of the documentation.
NAMES = (
    "model", "license", "effort", "refine", "decontaminate", "strength", "matte", "ignore_alpha",
    "corrections", "enhance", "upscale", "denoise", "deblock", "enhance_model", "mask",
    "background", "blur_radius", "blur_blades", "blur_rotation", "blur_depth_model", "trim",
    "canvas", "fill", "align", "padding", "longest_side", "shadow", "format", "compression",
    "quality", "subsampling", "progressive",
)  # fmt: skip


_MOST_COLORS = 64
# Characters of a canvas's size: enough for every size that there can be.
_LONGEST_CANVAS = 15


@dataclass(frozen=True)
class Made:
    """A result: a file and its account.

    Attributes:
        data: The file's bytes.
        format: Of the file.
        report: What ran.
    """

    data: bytes = field(repr=False)
    format: FileFormat
    report: Report


@dataclass(frozen=True)
class Wanted:
    """What a request asks for.

    Attributes:
        model: As named; None: the server's default.
        license: "any", "commercial" or None.
        options: How it is cut out.
        format: Of the file; None: by the Accept header.
        mask: The alpha alone.
        has_background: Whether the result is opaque.
        enhance: How the photograph is enhanced; None: it is not.
        depth_model: Whose depth the background's blur follows; None: no network's.
        deliver: Makes the file in a format; runs in a worker.
    """

    model: str | None
    license: str | None
    options: CutoutOptions
    format: FileFormat | None
    mask: bool
    has_background: bool
    enhance: Enhancement | None
    depth_model: str | None
    deliver: Callable[[Cutout, FileFormat], Made]


def wanted(
    given: Mapping[str, Any],
    files: Mapping[str, bytes | bytearray],
    max_pixels: int,
    depth_of: Callable[[str, Frame], NDArray[Any]],
) -> Wanted:
    """What options and files say.

    Args:
        given: Name -> text or value of JSON.
        files: Of `FILES`.
        max_pixels: Of a background picture.
        depth_of: Gives the depth of a picture by the network of a name; called in a worker.

    Raises:
        OptionError: One is unknown, or not what it must be.
    """
    for name in OPERATORS:
        if name in given:
            raise OptionError(f"{name} is the server's own; leave it out")
    values = Values(given)
    model = values.text("model")
    license = values.word("license", LICENSE_USES)
    mask = values.flag("mask")
    cut: dict[str, Any] = {
        "effort": values.word("effort", EFFORTS),
        "refine": values.word("refine", REFINE_LEVELS),
        "decontaminate": values.word("decontaminate", FOREGROUND_METHODS),
        "strength": values.number("strength"),
        "matte": values.word("matte", MATTES),
        "ignore_alpha": values.flag("ignore_alpha"),
        "corrections": _corrections(values.table("corrections"), files.get("corrections_mask")),
    }
    enhance = cut["enhance"] = _enhancement(values)
    picture = files.get("background_image")
    background = _background(values.raw("background"), picture is not None)
    blur, depth_model = _blur(values, background)
    if blur is not None:
        background = blur
    look = _look(values, mask, max_pixels)
    settings = _settings(values)
    format = cast("FileFormat | None", values.word("format", FORMATS))
    values.done(NAMES)
    if mask and (background is not None or picture is not None):
        raise OptionError("mask gives the alpha alone: leave out the background")
    if mask and "shadow" in look:
        raise OptionError("mask gives the alpha alone: leave out the shadow")
    if blur is not None:
        Output(background=blur, **look)  # what does not go together is told at once

    def deliver(cutout: Cutout, format: FileFormat) -> Made:
        check_size(cutout.frame.width, cutout.frame.height, look.get("padding", 0), max_pixels)
        behind = background
        if picture is not None:
            behind = image_io.decode(picture, max_pixels=max_pixels, name="background_image")
        elif blur is not None and depth_model is not None:
            behind = replace(blur, depth=depth_of(depth_model, cutout.frame))
        data = encoded(
            cutout, format, result=Output(background=behind, **look), threads=1, **settings
        )
        return Made(data, format, cutout.report)

    return Wanted(
        model=model,
        license=license,
        options=CutoutOptions(
            **{name: value for name, value in cut.items() if value is not None},
            alpha_only=not needs_colors(Output(**look)),
        ),
        format=format,
        mask=mask,
        has_background=background is not None or picture is not None,
        enhance=enhance,
        depth_model=depth_model,
        deliver=deliver,
    )


def _corrections(
    table: dict[str, Any] | None, mask: bytes | bytearray | None
) -> Callable[[Any], Corrections] | Corrections | None:
    if table is None and mask is None:
        return None
    table = dict(table or {})
    text = table.pop("mask", None)
    if text is not None and mask is None:
        if not isinstance(text, str):
            raise OptionError("corrections: mask must be base64 of a picture's file")
        mask = from_base64(text, "corrections: mask")
    unknown = table.keys() - {"box", "keep", "drop", "size"}
    if unknown:
        raise OptionError(
            f"corrections: expected box, keep, drop, size and mask, got {min(unknown)!r}"
        )
    for name in ("keep", "drop"):
        if table.get(name) is None:
            table.pop(name, None)
    if mask is None:
        return Corrections(**table)
    painted = mask
    if table.keys() - {"size"}:
        Corrections(**table)  # what is wrong with it is told before the picture is queued

    def when_decoded(source: Any) -> Corrections:
        """In a worker: the mask is a picture to be decoded."""
        return Corrections(**table, mask=painted_mask(painted))

    return when_decoded


def _background(value: Any, has_picture: bool) -> Any:
    """A colour, a gradient or "blur"; None where there is none."""
    if value is None:
        return None
    if has_picture:
        raise OptionError("give background or background_image, not both")
    if value == BLUR:
        return value
    if isinstance(value, str) and value.lstrip().startswith("{"):
        value = Values({"background": value}).table("background")
    if isinstance(value, dict):
        unknown = value.keys() - {"colors", "angle", "radial"}
        colors = value.get("colors")
        if unknown or not isinstance(colors, list) or not 2 <= len(colors) <= _MOST_COLORS:
            raise OptionError(
                'a gradient as background is {"colors": ["#fff", "#ccc"], "angle": 90, '
                f'"radial": false}} of at most {_MOST_COLORS} colours'
            )
        gradient = Values(value)
        angle = gradient.number("angle")
        stops = tuple(color_from(_color(one)) for one in colors)
        return Gradient(stops, 90.0 if angle is None else angle, gradient.flag("radial"))
    return color_from(_color(value))


def _enhancement(values: Values) -> Enhancement | None:
    """How the photograph is enhanced; None where nothing is said of it."""
    deblock: Any = None
    if "deblock" in values:
        text = values.text("deblock")
        deblock = text if text == "auto" else Values({"deblock": text}).number("deblock")
    given: dict[str, Any] = {
        "order": values.word("enhance", ENHANCE_ORDERS),
        "upscale": values.whole("upscale"),
        "denoise": values.number("denoise"),
        "deblock": deblock,
        "model": values.text("enhance_model"),
    }
    given = {name: value for name, value in given.items() if value is not None}
    return Enhancement(**given) if given else None


def _blur(values: Values, background: Any) -> tuple[Blur | None, str | None]:
    """The blur of the picture's own background, and the network whose depth it follows."""
    names = ("blur_radius", "blur_blades", "blur_rotation", "blur_depth_model")
    given = [name for name in names if name in values]
    blur = blur_from(background)
    if blur is None:
        if given:
            raise OptionError(f"{given[0]} is for background=blur")
        return None, None
    blades, rotation = values.whole("blur_blades"), values.number("blur_rotation")
    blur = Blur(
        radius=values.number("blur_radius"),
        blades=blur.blades if blades is None else blades,
        rotation=blur.rotation if rotation is None else rotation,
    )
    return blur, values.text("blur_depth_model")


def _color(value: Any) -> Any:
    """What can only be a colour; `color_from` says whether it is one."""
    if not isinstance(value, (str, list)):
        raise OptionError(f"a colour is a name, '#rrggbb' or [r, g, b], got {value!r}")
    return value


def check_size(width: int, height: int, margin: int, max_pixels: int) -> None:
    """Refuse results that would be larger than pictures may be.

    Raises:
        OptionError: They would.
    """
    if (margin > 0) and (width + 2 * margin) * (height + 2 * margin) > max_pixels:
        raise OptionError(
            f"with that margin the result of {width} x {height} pixels would have more than the "
            f"{max_pixels} that are allowed"
        )


def _look(values: Values, mask: bool, max_pixels: int) -> dict[str, Any]:
    """The arguments of `Output`, but for the background."""
    look: dict[str, Any] = {"kind": "mask"} if mask else {}
    if values.flag("trim"):
        look["trim"] = True
    canvas = values.text("canvas")
    fill, align = values.number("fill"), values.text("align")
    if canvas is not None:
        width, _, height = canvas.lower().partition("x")
        if not (width.isdecimal() and height.isdecimal() and len(canvas) <= _LONGEST_CANVAS):
            raise OptionError("canvas is WIDTHxHEIGHT in pixels, as 1000x1000")
        if int(width) * int(height) > max_pixels:
            raise OptionError(f"a canvas may have {max_pixels} pixels, got {canvas}")
        more: dict[str, Any] = {"fill": fill, "align": align}
        more = {name: value for name, value in more.items() if value is not None}
        look["canvas"] = Canvas(int(width), int(height), **more)
    elif fill is not None or align is not None:
        raise OptionError("fill and align say where on a canvas: give canvas=WIDTHxHEIGHT too")
    padding = values.whole("padding")
    if padding:
        if padding < 0:
            raise OptionError(f"padding must be 0 pixels or more, got {padding}")
        if "canvas" in look:
            canvas = look["canvas"]
            check_size(canvas.width, canvas.height, padding, max_pixels)
        look["padding"] = padding
    longest = values.whole("longest_side")
    if longest is not None:
        look["longest_side"] = longest
    shadow = values.word("shadow", SHADOWS)
    if shadow is not None:
        look["shadow"] = Shadow(cast("Any", shadow))
    return look


def _settings(values: Values) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "compression": values.word("compression", COMPRESSIONS),
        "quality": values.whole("quality"),
        "subsampling": values.text("subsampling"),
        "progressive": values.flag("progressive") or None,
    }
    if settings["quality"] is not None:
        checked_quality(settings["quality"])
    return {name: value for name, value in settings.items() if value is not None}
