"""How a result is framed, as the page sends it, and the `Output` that makes it."""

from __future__ import annotations

import math
import numbers
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_args

from nssbg._compose.background import color_from
from nssbg._compose.canvas import Align, Canvas
from nssbg._compose.defocus import BLUR, Blur
from nssbg._compose.output import Output
from nssbg._compose.shadow import Shadow
from nssbg._errors import OptionError
from nssbg._options import one_of
from nssbg._vocabulary import SHADOWS, ShadowKind

__all__ = ["ALIGNS", "Framing", "framing_from"]

_CANVAS = re.compile(r"([1-9][0-9]{0,4})x([1-9][0-9]{0,4})")
_MOST_CANVAS_PIXELS = 100_000_000
_FIELDS = {"trim", "profile", "canvas", "fill", "align", "shadow", "background", "blur"}
#: Where a subject may stand on its canvas.
ALIGNS: tuple[Align, ...] = get_args(Align)
_SHADOW_FIELDS = {"kind", "opacity", "softness", "offset", "color"}
# Radius of the largest circle of confusion of a blurred background, as a share of the diagonal:
# where nothing is said, as `nssbg.Blur` has it, and the bounds of what may be.
_BLUR_SHARE, _LEAST_BLUR, _MOST_BLUR = 0.008, 0.001, 0.05
# What `nssbg.Blur` takes, in pixels.
_MOST_RADIUS = 400.0
# Of a preview that is far smaller than its picture: nothing is to be seen of it.
_LEAST_RADIUS = 0.01


@dataclass(frozen=True)
class Framing:
    """Trim, canvas, shadow and background of a result.

    Attributes:
        trim: Cut the empty border off.
        profile: Name of a shipped profile whose first output says what is not said here.
        canvas: "WxH" or None.
        fill: Share of the canvas that the subject takes; None: the profile's, else 0.85.
        align: Where the subject stands on it; None: the profile's place, else the middle.
        shadow: What `Shadow` takes, or None.
        background: None (transparent, or the profile's), "#rrggbb" or a colour's name, "blur".
        picture: Id of a background picture, or None.
        blur: With background "blur", the radius of its largest circle of confusion as a share of
            the photograph's diagonal; None: 0.008.
    """

    trim: bool = False
    profile: str | None = None
    canvas: str | None = None
    fill: float | None = None
    align: Align | None = None
    shadow: Shadow | None = None
    background: str | None = None
    picture: str | None = None
    blur: float | None = None

    @property
    def plain(self) -> bool:
        """Whether the result is the cut-out as it is."""
        return self == Framing(fill=self.fill, align=self.align, blur=self.blur)

    def record(self) -> dict[str, Any]:
        """As the page sends and gets it."""
        shadow: Any = False
        if self.shadow is not None:
            shadow = {
                "kind": self.shadow.kind,
                "opacity": self.shadow.opacity,
                "softness": self.shadow.softness,
                "offset": list(self.shadow.offset),
                "color": self.shadow.color,
            }
        return {
            "trim": self.trim,
            "profile": self.profile,
            "canvas": self.canvas,
            "fill": self.fill,
            "align": self.align,
            "shadow": shadow,
            "background": {"picture": self.picture} if self.picture else self.background,
            "blur": self.blur,
        }

    def output(
        self,
        height: int,
        width: int,
        background_path: Callable[[str], Path],
        *,
        scale: float = 1.0,
    ) -> Output:
        """What `Cutout.render` takes.

        Args:
            height: Rows of the photograph.
            width: Columns of it.
            background_path: Gives a background picture's file.
            scale: Of a preview: pixels of it for one of the result.

        Raises:
            OptionError: These do not go together.
        """
        from nssbg.batch.profile import load_profile

        trim, fill, canvas, shadow = self.trim, self.fill, None, self.shadow
        background: Any = self.background
        settings: dict[str, Any] = {}
        if self.profile is not None:
            spec = load_profile(self.profile).outputs[0]
            longest = spec.longest_side
            settings = {
                "padding": round(spec.padding * scale),
                "longest_side": None if longest is None else max(1, round(longest * scale)),
            }
            trim = trim or spec.trim
            fill = spec.fill if fill is None else fill
            background = spec.background if background is None else background
            if shadow is None and spec.shadow != "none":
                shadow = Shadow(cast("ShadowKind", spec.shadow))
            if spec.width is not None and spec.height is not None:
                canvas = Canvas(
                    max(1, round(spec.width * scale)),
                    max(1, round(spec.height * scale)),
                    fill=fill,
                    align=self.align or cast("Align", spec.align),
                    enlarge=spec.enlarge,
                )
        if self.canvas is not None:
            columns, rows = (int(part) for part in self.canvas.split("x"))
            canvas = Canvas(
                max(1, round(columns * scale)),
                max(1, round(rows * scale)),
                fill=0.85 if fill is None else fill,
                align=self.align or "center",
            )
        if self.picture is not None:
            background = background_path(self.picture)
        if background == BLUR:
            share = _BLUR_SHARE if self.blur is None else self.blur
            # At the picture's size first, so that a preview shows what will be.
            radius = min(share * math.hypot(height, width), _MOST_RADIUS) * scale
            background = Blur(radius=max(radius, _LEAST_RADIUS))
        return Output(
            background=background,
            trim=trim,
            canvas=canvas,
            shadow=shadow,
            **settings,
        )


def framing_from(record: Any, *, has_background: Callable[[str], bool] | None = None) -> Framing:
    """A framing from what the page sent; what is left out has its default.

    Raises:
        OptionError: It is not what it must be.
    """
    if not isinstance(record, dict):
        raise OptionError(f"framing is an object, not {record!r:.60}")
    unknown = sorted(set(record) - _FIELDS)
    if unknown:
        raise OptionError(f"framing has no {unknown[0]!r:.60}; it has {', '.join(sorted(_FIELDS))}")
    trim, profile, canvas = record.get("trim", False), record.get("profile"), record.get("canvas")
    if not isinstance(trim, bool):
        raise OptionError(f"framing: trim is true or false, not {trim!r:.60}")
    if profile is not None:
        from nssbg.batch.profile import shipped_profiles

        if not isinstance(profile, str) or profile not in shipped_profiles():
            raise OptionError(
                f"framing: no profile is called {profile!r:.60}; expected one of "
                f"{', '.join(shipped_profiles())}"
            )
    if canvas is not None:
        found = _CANVAS.fullmatch(canvas) if isinstance(canvas, str) else None
        if found is None or int(found[1]) * int(found[2]) > _MOST_CANVAS_PIXELS:
            raise OptionError(
                f"framing: canvas is 'WIDTHxHEIGHT' of at most {_MOST_CANVAS_PIXELS} pixels, not "
                f"{canvas!r:.60}"
            )
    align = record.get("align")
    if align is not None:
        one_of("framing: align", align, ALIGNS)
    background, picture = _background(record.get("background"), has_background)
    made = Framing(
        trim=trim,
        profile=profile,
        canvas=canvas,
        fill=_fill(record.get("fill")),
        align=align,
        shadow=_shadow(record.get("shadow")),
        background=background,
        picture=picture,
        blur=_blur(record.get("blur")),
    )
    made.output(1000, 1000, Path)  # what does not go together is said now
    return made


def _fill(value: Any) -> float | None:
    if value is None:
        return None
    if not _is_number(value) or not 0.05 <= value <= 1:
        raise OptionError(f"framing: fill is a number from 0.05 to 1, not {value!r:.60}")
    return float(value)


def _blur(value: Any) -> float | None:
    if value is None:
        return None
    if not _is_number(value) or not _LEAST_BLUR <= value <= _MOST_BLUR:
        raise OptionError(
            f"framing: blur is a share of the picture's diagonal, {_LEAST_BLUR} to {_MOST_BLUR}, "
            f"not {value!r:.60}"
        )
    return float(value)


def _shadow(value: Any) -> Shadow | None:
    if value is None or value is False:
        return None
    if value is True:
        return Shadow()
    if not isinstance(value, dict) or set(value) - _SHADOW_FIELDS:
        raise OptionError(
            f"framing: shadow is true, false or an object of {', '.join(sorted(_SHADOW_FIELDS))}"
        )
    settings = dict(value)
    if "kind" in settings and settings["kind"] not in SHADOWS:
        raise OptionError(f"framing: shadow: kind is one of {', '.join(SHADOWS)}")
    for name in ("opacity", "softness"):
        if name in settings and not _is_number(settings[name]):
            raise OptionError(f"framing: shadow: {name} is a number, not {settings[name]!r:.60}")
    if "offset" in settings:
        offset = settings["offset"]
        if not isinstance(offset, list) or len(offset) != 2 or not all(map(_is_number, offset)):
            raise OptionError("framing: shadow: offset is [right, down] as numbers")
        settings["offset"] = (float(offset[0]), float(offset[1]))
    if "color" in settings:
        color = settings["color"]
        if isinstance(color, list):
            settings["color"] = tuple(color)
        elif not isinstance(color, str):
            raise OptionError("framing: shadow: color is a name or '#rrggbb'")
    return Shadow(**settings)


def _background(
    value: Any, has_background: Callable[[str], bool] | None
) -> tuple[str | None, str | None]:
    if value is None or value == "blur":
        return value, None
    if isinstance(value, dict):
        name = value.get("picture")
        if set(value) != {"picture"} or not isinstance(name, str):
            raise OptionError('framing: background is null, a colour, "blur" or {"picture": id}')
        if has_background is not None and not has_background(name):
            raise OptionError("framing: that background picture is not there; send it again")
        return None, name
    if not isinstance(value, str):
        raise OptionError('framing: background is null, a colour, "blur" or {"picture": id}')
    if any(sign in value for sign in "/\\."):  # a path, as `over` would take one
        raise OptionError(f"framing: {value!r:.60} is no colour; expected '#rrggbb' or a name")
    color_from(value)
    return value, None


def _is_number(value: object) -> bool:
    return (
        isinstance(value, numbers.Real)
        and not isinstance(value, bool)
        and math.isfinite(float(value))
    )
