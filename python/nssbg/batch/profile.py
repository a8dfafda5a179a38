"""Profiles as data: what is made of each picture, what a marketplace demands, when to look.

A profile is a TOML file; those of this package lie in profiles/, a user's own is named by its
path. Three parts: [[outputs]] says what is written, [require] what any tool's file is checked
against, [review] and [fail] at which measured features a person is asked.
"""

from __future__ import annotations

from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

from nssbg._enhance_options import Enhancement
from nssbg._errors import OptionError
from nssbg._vocabulary import (
    COMPRESSIONS,
    DEFAULT_COMPRESSION,
    ENHANCE_ORDERS,
    QUALITIES,
    UPSCALES,
)
from nssbg.batch.names import check_template
from nssbg.batch.profile_data import Limits, OutputSpec, Profile, Requirements, Rights
from nssbg.batch.toml_table import Table, read_toml

__all__ = [
    "Limits",
    "OutputSpec",
    "Profile",
    "Requirements",
    "Rights",
    "list_profiles",
    "load_profile",
    "profile_path",
    "shipped_profiles",
]

_FOLDER = Path(__file__).with_name("profiles")
FORMATS = ("jpeg", "png", "webp", "tiff", "avif", "jxl", "gif", "bmp")
WRITTEN = FORMATS[:6]
WITH_ALPHA = ("png", "webp", "tiff", "avif", "jxl")
LOSSY = ("jpeg", "webp", "avif", "jxl")
COLOR_SPACES = ("srgb", "gray", "cmyk", "other-rgb")
METADATA = ("keep", "strip", "copyright")
_ALIGN = (
    "center", "top", "bottom", "left", "right",
    "top-left", "top-right", "bottom-left", "bottom-right",
)  # fmt: skip
_SUBSAMPLINGS = ("4:4:4", "4:2:2", "4:2:0")
_MOST_SIDE = 65_535
_MOST_BYTES = 1 << 32


def shipped_profiles() -> dict[str, Path]:
    """The names of the package's own profiles, and their files."""
    return {path.stem: path for path in sorted(_FOLDER.glob("*.toml"))}


def list_profiles() -> list[Profile]:
    """The package's own profiles."""
    return [_read(path) for path in shipped_profiles().values()]


def profile_path(name_or_path: str | Path) -> Path:
    """Where a profile's TOML lies.

    Raises:
        OptionError: There is no such profile.
    """
    text = str(name_or_path)
    shipped = shipped_profiles()
    if text in shipped:
        return shipped[text]
    if isinstance(name_or_path, Path) or text.endswith(".toml") or "/" in text or "\\" in text:
        return Path(name_or_path)
    near = get_close_matches(text, shipped, n=1, cutoff=0.5)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    raise OptionError(
        f"no profile is called {text!r}{hint}; expected one of {', '.join(shipped)}, "
        "or the path of a TOML file"
    )


def load_profile(name_or_path: str | Path) -> Profile:
    """A profile by its name, or from a user's TOML file.

    Args:
        name_or_path: One of `shipped_profiles`, or a path (with a folder or the suffix .toml).

    Raises:
        OptionError: There is no such profile, or its file is not what it must be.
    """
    return _read(profile_path(name_or_path))


def _read(path: Path) -> Profile:
    table = read_toml(path)
    name = table.text("name", path.stem)
    profile = Profile(
        name=name,
        summary=table.text("summary", ""),
        source=table.text("source", ""),
        as_of=table.text("as_of", ""),
        metadata=table.choice("metadata", "strip", METADATA),
        provenance=table.flag("provenance", True),
        rights=_rights(table.table("rights")),
        outputs=tuple(_output(part) for part in table.tables("outputs")),
        require=_requirements(table.table("require")),
        review=_limits(table.table("review")),
        fail=_limits(table.table("fail")),
        enhance=_enhancement(table),
    )
    if not profile.outputs:
        raise table.wrong("outputs", "expected at least one output, under [[outputs]]")
    names = [output.name for output in profile.outputs]
    if len(set(names)) != len(names) and len({(o.name, o.format) for o in profile.outputs}) != len(
        names
    ):
        raise table.wrong("outputs", "two outputs have the same name; each needs one of its own")
    table.done()
    if set(name) & set("/\\\0") or not name:
        raise table.wrong("name", f"{name!r} cannot stand in a file name")
    for number, output in enumerate(profile.outputs, 1):
        if output.checked:
            _check_possible(table, number, output, profile.require)
    return profile


def _check_possible(table: Table, number: int, output: OutputSpec, require: Requirements) -> None:
    """Refuse an output that could never meet the profile's own requirements."""

    def wrong(key: str, said: str) -> OptionError:
        return table.wrong(
            f"outputs[{number}].{key}", f"{said}; change one, or say checked = false"
        )

    if require.formats and output.format not in require.formats:
        raise wrong("format", f"{output.format} is none of require.formats")
    transparent = output.kind == "cutout" and output.background is None
    if transparent and require.transparency == "forbidden":
        raise wrong("background", "a transparent output where require.transparency forbids it")
    if not transparent and require.transparency == "required":
        raise wrong("background", "an opaque output where require.transparency requires it")
    if require.background is not None:
        from nssbg._compose.background import color_from

        if color_from(output.background or "black") != color_from(require.background):
            raise wrong("background", f"{output.background} is not require.background")
        if require.exact_background and not output.exact_background:
            raise wrong("exact_background", "is false where require.exact_background is true")
    if output.width is None or output.height is None:
        return
    if require.least_fill is not None and output.fill < require.least_fill:
        raise wrong("fill", f"{output.fill:g} is less than require.least_fill")
    if require.most_fill is not None and output.fill > require.most_fill:
        raise wrong("fill", f"{output.fill:g} is more than require.most_fill")
    short, long = (side + 2 * output.padding for side in sorted((output.width, output.height)))
    if output.longest_side is None and (
        short < (require.least_short_side or 1) or long < (require.least_long_side or 1)
    ):
        raise wrong("canvas", "is smaller than require.least_short_side or least_long_side")
    if long > (require.most_long_side or long) or short * long > (require.most_pixels or 1 << 62):
        raise wrong("canvas", "is larger than require.most_long_side or most_pixels")


def _enhancement(profile: Table) -> Enhancement | None:
    """What [enhance] says; None where there is no such table."""
    is_there = "enhance" in profile
    table = profile.table("enhance")
    if not is_there:
        return None
    deblock = table.take("deblock", (int, float, str), "auto", 'expected 0 to 1, or "auto"')
    made = {
        "upscale": table.whole("upscale", None, UPSCALES[0], UPSCALES[-1]),
        "denoise": table.number("denoise", None, 0.0, 1.0),
        "deblock": deblock,
        "model": table.text("model"),
        "order": table.choice("order", "before", ENHANCE_ORDERS),
    }
    table.done()
    try:
        return Enhancement(**made)
    except OptionError as error:
        raise profile.wrong("enhance", str(error)) from error


def _rights(table: Table) -> Rights:
    rights = Rights(**{key: table.text(key, "") for key in ("artist", "copyright", "credit")})
    table.done()
    return rights


def _output(table: Table) -> OutputSpec:
    format = table.choice("format", "png", WRITTEN)
    lossy = format in LOSSY
    canvas = table.take("canvas", list, None, "expected [width, height] in pixels")
    if canvas is not None and not (
        len(canvas) == 2 and all(type(side) is int and 1 <= side <= _MOST_SIDE for side in canvas)
    ):
        raise table.wrong("canvas", f"expected [width, height] of 1 to {_MOST_SIDE}, not {canvas}")
    made = OutputSpec(
        name=table.text("name", "{stem}.{ext}"),
        kind=table.choice("kind", "cutout", ("cutout", "mask")),
        format=format,
        quality=table.whole("quality", None, QUALITIES[0], QUALITIES[-1]),
        least_quality=table.whole("least_quality", None, QUALITIES[0], QUALITIES[-1]),
        max_bytes=table.whole("max_bytes", None, 1, _MOST_BYTES),
        compression=table.choice("compression", DEFAULT_COMPRESSION, COMPRESSIONS),
        subsampling=table.choice("subsampling", None, _SUBSAMPLINGS),
        progressive=table.flag("progressive", False),
        background=_color(table, "background"),
        exact_background=table.flag("exact_background", False),
        width=canvas[0] if canvas else None,
        height=canvas[1] if canvas else None,
        fill=table.number("fill", 0.85, 0.01, 1.0),
        align=table.choice("align", "center", _ALIGN),
        enlarge=table.flag("enlarge", True),
        trim=table.flag("trim", False),
        padding=table.whole("padding", 0, 0, _MOST_SIDE),
        longest_side=table.whole("longest_side", None, 1, _MOST_SIDE),
        shadow=table.choice("shadow", "none", ("none", "drop", "contact")),
        color_space=table.choice("color_space", "srgb", ("srgb", "keep")),
        dpi=table.whole("dpi", None, 1, 100_000),
        checked=table.flag("checked", True),
    )
    table.done()
    if made.least_quality is None:
        made = replace(made, least_quality=min(70, 100 if made.quality is None else made.quality))
    if made.quality is not None and made.least_quality > made.quality:
        raise table.wrong("least_quality", f"is above quality, {made.quality}")
    try:
        check_template(made.name)
    except OptionError as error:
        raise table.wrong("name", str(error)) from error
    transparent = made.background is None and made.kind == "cutout"
    if made.quality is not None and not lossy:
        raise table.wrong("quality", f"{format} is lossless and takes none; leave it out")
    if made.max_bytes is not None and not lossy:
        raise table.wrong("max_bytes", f"{format} has no quality to step down; use jpeg or webp")
    if made.subsampling is not None and format not in ("jpeg", "avif"):
        raise table.wrong("subsampling", f"is for jpeg and avif, not for {format}")
    if made.progressive and format != "jpeg":
        raise table.wrong("progressive", f"is for jpeg, not for {format}")
    if transparent and format not in WITH_ALPHA:
        raise table.wrong("background", f"{format} has no transparency: expected a colour")
    if made.exact_background and transparent:
        raise table.wrong("exact_background", "a transparent output has no background colour")
    if made.exact_background:
        _check_exactness(table, made)
    return made


def _check_exactness(table: Table, made: OutputSpec) -> None:
    """Refuse an exact background that the format cannot hold, before a night is spent on it."""
    if made.format == "avif" or (made.format in ("webp", "jxl") and made.quality is not None):
        raise table.wrong(
            "exact_background", f"lossy {made.format} holds no colour exactly; use jpeg or png"
        )
    if made.max_bytes is not None and made.format in ("webp", "jxl"):
        raise table.wrong(
            "exact_background",
            f"{made.format} turns lossy to keep within max_bytes, and then holds no colour exactly",
        )
    if made.kind == "mask":
        return
    from nssbg._compose.background import color_from
    from nssbg.batch.flatness import ever_exact

    color = color_from(made.background)
    if made.color_space == "keep" and color != (255, 255, 255):
        raise table.wrong(
            "exact_background",
            f"{made.background} has other numbers in each picture's own colour space; use white, "
            'or color_space = "srgb"',
        )
    if made.format == "jpeg" and not ever_exact(color, made.subsampling):
        raise table.wrong(
            "exact_background",
            f"jpeg cannot hold {made.background} exactly (white it can); use png",
        )


def _color(table: Table, key: str) -> str | None:
    text: str | None = table.text(key)
    if text is None or text == "transparent":
        return None
    from nssbg._compose.background import color_from

    try:
        color_from(text)
    except OptionError as error:
        raise table.wrong(
            key, f"{text!r} is no colour; expected a name, '#rrggbb' or 'transparent'"
        ) from error
    return text


def _requirements(table: Table) -> Requirements:
    made = Requirements(
        formats=table.choices("formats", (), FORMATS),
        least_short_side=table.whole("least_short_side", None, 1, _MOST_SIDE),
        least_long_side=table.whole("least_long_side", None, 1, _MOST_SIDE),
        most_long_side=table.whole("most_long_side", None, 1, _MOST_SIDE),
        most_pixels=table.whole("most_pixels", None, 1, _MOST_SIDE**2),
        max_bytes=table.whole("max_bytes", None, 1, _MOST_BYTES),
        background=_color(table, "background"),
        exact_background=table.flag("exact_background", False),
        least_fill=table.number("least_fill", None, 0.0, 1.0),
        most_fill=table.number("most_fill", None, 0.0, 1.0),
        whole_subject=table.flag("whole_subject", False),
        color_spaces=table.choices("color_spaces", (), COLOR_SPACES),
        transparency=table.choice("transparency", "allowed", ("allowed", "forbidden", "required")),
        no_location=table.flag("no_location", False),
    )
    table.done()
    if made.exact_background and made.background is None:
        raise table.wrong("exact_background", "needs a background colour to be exact about")
    return made


def _limits(table: Table) -> Limits:
    made = Limits(
        low_confidence=table.flag("low_confidence", False),
        confidence_below=table.number("confidence_below", None, 0.0, 1.0),
        subject_share_below=table.number("subject_share_below", None, 0.0, 1.0),
        components_above=table.whole("components_above", None, 1, 1_000_000),
        holes_above=table.whole("holes_above", None, 0, 1_000_000),
        border_contact_above=table.number("border_contact_above", None, 0.0, 1.0),
        softness_above=table.number("softness_above", None, 0.0, 1.0),
        halo_above=table.number("halo_above", None, 0.0, 1.0),
        enlargement_above=table.number("enlargement_above", None, 0.0, 1000.0),
    )
    table.done()
    return made
