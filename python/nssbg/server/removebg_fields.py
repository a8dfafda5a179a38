"""What a request of remove.bg's API says: its fields, as its documentation has them.

`type` and `semitransparency`, which say what a picture shows there, are taken and change nothing
but headers; a value that cannot be meant is an error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from nssbg._compose.background import color_from
from nssbg._compose.shadow import Shadow
from nssbg._corrections import Corrections
from nssbg._errors import OptionError
from nssbg.server.values import Values, from_base64

__all__ = ["NAMES", "SOURCES", "Fields", "fields_from"]

#: Fields that name the picture; one of them is given.
SOURCES = ("image_file", "image_file_b64", "image_url")
NAMES = (
    *SOURCES, "size", "type", "type_level", "format", "roi", "crop", "crop_margin", "scale",
    "position", "channels", "add_shadow", "shadow_type", "shadow_opacity", "semitransparency",
    "bg_color", "bg_image_file", "bg_image_url",
)  # fmt: skip

_MEGAPIXEL = 1_000_000
# Pixels that a result may have; None: as many as the picture has.
_SIZES: dict[str, int | None] = {
    "preview": _MEGAPIXEL // 4,
    "small": _MEGAPIXEL // 4,
    "regular": _MEGAPIXEL // 4,
    "medium": 3 * _MEGAPIXEL // 2,
    "hd": 4 * _MEGAPIXEL,
    "full": None,
    "4k": None,
    "50MP": 50 * _MEGAPIXEL,
    "auto": None,
}
_TYPES = (
    "auto", "person", "product", "car", "car_interior", "car_part", "transportation", "animal",
    "graphic", "graphics", "other",
)  # fmt: skip
_SHADOWS = ("none", "drop", "3D", "car", "auto")
_LENGTH = re.compile(r"(\d{1,6}(?:\.\d{1,6})?)\s*(px|%)?")
# The most that a margin may be, as remove.bg has it.
_MOST_MARGIN_PIXELS = 500
_MOST_MARGIN_SHARE = 0.5

Length = tuple[float, bool]  # pixels, or with True a share of 0 to 1


@dataclass(frozen=True)
class Fields:
    """What is to be made.

    Attributes:
        image: The picture's bytes; None: it is at image_url.
        image_url: Where it is.
        most_pixels: That the result may have; None: those of the picture.
        kind: What is said to be shown; "" where X-Type is not wanted.
        format: "auto", "png", "jpg", "webp" or "zip".
        corrections: From roi.
        margins: Top, right, bottom, left of a cropped result; None: not cropped.
        scale: Share of the canvas that the subject takes; None: as it is.
        position: (across, down) of the free space; "original" or None (by the scale).
        alpha_only: The mask alone.
        shadow: To be laid under the subject.
        color: (r, g, b, alpha) behind it.
        background: Bytes of a picture behind it.
        background_url: Where that is.
        ignored: Headers that name fields that are not known; remove.bg ignores them too.
    """

    image: bytes | bytearray | None
    image_url: str | None
    most_pixels: int | None
    kind: str
    format: str
    corrections: Corrections | None
    margins: tuple[Length, Length, Length, Length] | None
    scale: float | None
    position: tuple[float, float] | str | None
    alpha_only: bool
    shadow: Shadow | None
    color: tuple[int, int, int, int] | None
    background: bytes | bytearray | None
    background_url: str | None
    ignored: dict[str, str]


def fields_from(given: Mapping[str, Any], files: Mapping[str, bytes | bytearray]) -> Fields:
    """The fields of a request.

    Args:
        given: Name -> text, or value of JSON.
        files: Uploaded ones by name.

    Raises:
        OptionError: One is missing, or not what it must be.
    """
    others = files.keys() - {"image_file", "bg_image_file"}
    values = Values({**dict.fromkeys(others, "a file"), **given})
    image = files.get("image_file")
    encoded, url = values.text("image_file_b64"), values.text("image_url")
    sources = [one for one in (image, encoded, url) if one is not None]
    if len(sources) != 1:
        raise OptionError(f"give one of {', '.join(SOURCES)}; got {len(sources)} of them")
    if encoded is not None:
        image = from_base64(encoded, "image_file_b64")
    kind = values.word("type", _TYPES, "auto") or "auto"
    level = values.word("type_level", ("none", "1", "2", "latest"), "1")
    shown = "other" if kind == "auto" else kind
    background, background_url = files.get("bg_image_file"), values.text("bg_image_url")
    color = _color(values.text("bg_color"))
    if sum(one is not None for one in (background, background_url, color)) > 1:
        raise OptionError("give one of bg_color, bg_image_file, bg_image_url")
    values.flag("semitransparency", True)
    margin = values.text("crop_margin")
    size = values.word("size", _SIZES, "preview") or "preview"
    return Fields(
        image=image,
        image_url=url,
        most_pixels=_SIZES[size],
        kind="" if level == "none" else shown,
        format=values.word("format", ("auto", "png", "jpg", "webp", "zip"), "auto") or "auto",
        corrections=_region(values.text("roi")),
        margins=_margins(margin) if values.flag("crop") else None,
        scale=_scale(values.text("scale")),
        position=_position(values.text("position")),
        alpha_only=values.word("channels", ("rgba", "alpha"), "rgba") == "alpha",
        shadow=_shadow(values),
        color=color,
        background=background,
        background_url=background_url,
        ignored=values.ignored(),
    )


def _lengths(name: str, text: str, counts: tuple[int, ...], *, unit: str = "") -> list[Length]:
    """Lengths in pixels or percent, such as "30px 10%"."""
    found: list[Length] = []
    parts = text.split()
    for part in parts:
        match = _LENGTH.fullmatch(part)
        if match is None or (unit and match[2] != unit):
            break
        share = match[2] == "%"
        found.append((float(match[1]) / (100 if share else 1), share))
    if len(found) != len(parts) or len(found) not in counts:
        example = "10%" if unit == "%" else "10% or 30px"
        raise OptionError(
            f"{name} is {' or '.join(map(str, counts))} times {example}, got {text!r}"
        )
    return found


def _region(text: str | None) -> Corrections | None:
    if text is None:
        return None
    lengths = _lengths("roi", text, (4,))
    if len({share for _, share in lengths}) != 1:
        raise OptionError("roi takes its four numbers in one unit, all px or all %")
    box = tuple(value for value, _ in lengths)
    if not lengths[0][1]:
        return Corrections(box=box)  # type: ignore[arg-type]
    if box == (0.0, 0.0, 1.0, 1.0):
        return None
    return Corrections(box=box, size=(1.0, 1.0))  # type: ignore[arg-type]


def _margins(text: str | None) -> tuple[Length, Length, Length, Length]:
    lengths = _lengths("crop_margin", text, (1, 2, 4)) if text else [(0.0, False)]
    for value, share in lengths:
        if value > (_MOST_MARGIN_SHARE if share else _MOST_MARGIN_PIXELS):
            raise OptionError(
                f"crop_margin is at most {_MOST_MARGIN_SHARE:.0%} or {_MOST_MARGIN_PIXELS}px"
            )
    if len(lengths) == 4:
        top, right, bottom, left = lengths
    else:  # one for all, or one for top and bottom and one for the sides
        top = bottom = lengths[0]
        right = left = lengths[-1]
    return top, right, bottom, left


def _scale(text: str | None) -> float | None:
    if text in (None, "original"):
        return None
    ((share, _),) = _lengths("scale", text or "", (1,), unit="%")
    if not 0.1 <= share <= 1.0:
        raise OptionError(f'scale is "original" or 10% to 100%, got {text!r}')
    return share


def _position(text: str | None) -> tuple[float, float] | str | None:
    if text is None or text == "original":
        return text
    if text == "center":
        return 0.5, 0.5
    shares = [share for share, _ in _lengths("position", text, (1, 2), unit="%")]
    if max(shares) > 1.0:
        raise OptionError(f"position is 0% to 100%, got {text!r}")
    return shares[0], shares[-1]


def _shadow(values: Values) -> Shadow | None:
    added = values.flag("add_shadow")
    kind = values.word("shadow_type", _SHADOWS)
    opacity = values.number("shadow_opacity")
    if opacity is not None and not 0 <= opacity <= 100:
        raise OptionError(f"shadow_opacity is 0 to 100, got {opacity:g}")
    if kind == "none" or (kind is None and not added):
        return None
    # A car's shadow, and a "3D" one, is the one on the ground.
    shadow = Shadow("drop" if kind == "drop" else "contact")
    return shadow if opacity is None else replace(shadow, opacity=opacity / 100)


def _color(text: str | None) -> tuple[int, int, int, int] | None:
    """Hexadecimal digits, with or without #, of 3, 4, 6 or 8; or a name."""
    if text is None:
        return None
    digits = text.removeprefix("#")
    if re.fullmatch(r"[0-9A-Fa-f]{3,8}", digits) and len(digits) in (3, 4, 6, 8):
        if len(digits) < 6:
            digits = "".join(digit * 2 for digit in digits)
        parts = [int(digits[start : start + 2], 16) for start in range(0, len(digits), 2)]
        return parts[0], parts[1], parts[2], parts[3] if len(parts) == 4 else 255
    if text.lower() == "transparent":
        return None
    return (*color_from(text), 255)
