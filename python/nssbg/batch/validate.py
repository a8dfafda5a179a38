"""Checks encoded files against what a profile's marketplace demands.

`validate` reads any tool's file back in full: decodes it, and measures its pixels
(`nssbg.batch.blocks` says which are background). `validate_rendered` is for a running batch,
where decoding each output again would take longer than all other checks: it reads the file's own
header, and takes the pixels from what the encoder was handed. What stands between the two, the
coding itself, is held by a plain block coded at the same quality and read back once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from nssbg._compose.background import color_from
from nssbg._compose.canvas import Box
from nssbg._errors import ImageDecodeError
from nssbg._io.formats import format_of_path
from nssbg._vocabulary import FORMATS
from nssbg.batch.blocks import BLOCK, NOISE, block_alpha, block_distance, sorted_blocks
from nssbg.batch.flatness import flat_is_exact
from nssbg.batch.output import Rendered
from nssbg.batch.profile import Profile, Requirements
from nssbg.batch.readback import Header, Measured, measure_pixels, read_header

__all__ = ["Check", "Validation", "validate", "validate_rendered"]


@dataclass(frozen=True)
class Check:
    """One demand, and what the file has.

    Attributes:
        name: "format", "size", "bytes", "color space", "transparency", "subject", "fill", "whole",
            "background", "personal data" or "readable".
        passed: Whether it is met.
        found: What the file has, in words.
        expected: What is demanded, in words.
    """

    name: str
    passed: bool
    found: str
    expected: str


@dataclass(frozen=True)
class Validation:
    """A file held against a profile.

    Attributes:
        file: Its name.
        profile: The profile's name.
        depth: "full" (decoded and measured) or "header" (see the module).
        checks: In the order of the profile; nothing is checked that is not demanded, but that the
            file can be read and shows something.
        fill: Measured fill, or None where the file cannot be read.
    """

    file: str
    profile: str
    depth: Literal["full", "header"]
    checks: tuple[Check, ...]
    fill: float | None = None

    @property
    def passed(self) -> bool:
        """Whether all demands are met."""
        return all(check.passed for check in self.checks)

    @property
    def failures(self) -> tuple[Check, ...]:
        """The demands that are not met."""
        return tuple(check for check in self.checks if not check.passed)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {**asdict(self), "checks": [asdict(c) for c in self.checks], "passed": self.passed}


def validate(
    source: str | Path | bytes, profile: Profile, *, name: str | None = None
) -> Validation:
    """Read a file back in full and hold it against a profile's requirements.

    Args:
        source: A path, or a file's bytes.
        profile: Its `require` is what counts.
        name: What to call it; by default its path.

    Returns:
        The checks. A file that is missing or damaged fails "readable".
    """
    label = name or ("<bytes>" if isinstance(source, bytes) else str(source))
    require = profile.require
    try:
        data = source if isinstance(source, bytes) else _read(Path(source))
        header = read_header(data, label)
        measured = measure_pixels(data, header, label, _color(require))
    except ImageDecodeError as error:
        unread = Check("readable", False, str(error), "a picture that can be decoded")
        return Validation(label, profile.name, "full", (unread,))
    checks = (*_of_header(label, header, require), *_of_pixels(measured, require))
    return Validation(label, profile.name, "full", checks, fill=round(measured.fill, 4))


def validate_rendered(
    rendered: Rendered, profile: Profile, *, set_boxes: Sequence[Box] = ()
) -> Validation:
    """Hold an output of this process against its profile, without decoding it again.

    Args:
        rendered: As `render_outputs` gave it.
        profile: The profile it was made for.
        set_boxes: As `render_outputs` had them: the fill is then that of the largest subject of
            the set, as the others are smaller because they share its scale.
    """
    require = profile.require
    try:
        header = read_header(rendered.data, rendered.name)
    except ImageDecodeError as error:
        unread = Check("readable", False, str(error), "a picture that can be decoded")
        return Validation(rendered.name, profile.name, "header", (unread,))
    measured = _measured_before_coding(rendered)
    if set_boxes and rendered.subject[2]:
        measured = replace(measured, fill=max(measured.fill, _largest_fill(rendered, set_boxes)))
    checks = (
        Check(
            "as rendered",
            (header.format, header.width, header.height)
            == (rendered.spec.format, rendered.width, rendered.height),
            f"{header.format}, {header.width} x {header.height}",
            f"{rendered.spec.format}, {rendered.width} x {rendered.height}",
        ),
        *_of_header(rendered.name, header, require),
        *_of_pixels(measured, require),
    )
    return Validation(rendered.name, profile.name, "header", checks, fill=round(measured.fill, 4))


def _largest_fill(rendered: Rendered, set_boxes: Sequence[Box]) -> float:
    """The fill of the largest subject of a set, at the scale that all of them have."""
    tall = max(box[2] - box[0] for box in set_boxes) * rendered.scale / rendered.height
    wide = max(box[3] - box[1] for box in set_boxes) * rendered.scale / rendered.width
    # Where an edge falls between two pixels, the largest one's own picture tells to the pixel.
    return max(
        math.ceil(tall * rendered.height) / rendered.height,
        math.ceil(wide * rendered.width) / rendered.width,
    )


def _measured_before_coding(rendered: Rendered) -> Measured:
    """What the encoder was handed, and whether its coding keeps a plain background."""
    alpha = rendered.alpha
    height, width = alpha.shape
    half = np.iinfo(alpha.dtype).max // 2
    top, left, bottom, right = rendered.subject
    edges = np.concatenate([alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1]])
    transparent = (
        rendered.spec.kind == "cutout"
        and rendered.spec.background is None
        # The border nearly always tells already.
        and bool((edges < 2 * half + 1).any() or (alpha < 2 * half + 1).any())
    )
    worst = off = strays = 0
    if rendered.spec.kind == "cutout" and rendered.spec.background is not None:
        worst, off, strays = _background_before_coding(rendered)
    return Measured(
        transparent=transparent,
        plain=True,
        box=rendered.subject,
        fill=max((bottom - top) / height, (right - left) / width),
        cut=float((edges > half).mean()),
        worst=worst,
        off=off,
        strays=strays,
    )


def _background_before_coding(rendered: Rendered) -> tuple[int, int, int]:
    """Largest difference in background blocks, how many pixels they have, and stray marks."""
    color = color_from(rendered.spec.background or "white")
    held = block_alpha(rendered.rgba) > np.iinfo(rendered.alpha.dtype).max // 2
    distance = block_distance(rendered.pixels, color)
    blocks = sorted_blocks(distance, held=held)
    off = distance[blocks.background]
    worst = int(off.max()) if off.size else 0
    if worst == 0 and rendered.spec.exact_background and rendered.spec.format == "jpeg":
        quality = 92 if rendered.quality is None else rendered.quality
        if not flat_is_exact(quality, rendered.spec.subsampling, color):
            return 1, int(blocks.background.sum()) * BLOCK * BLOCK, blocks.strays
    return worst, int(np.count_nonzero(off)) * BLOCK * BLOCK, blocks.strays


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ImageDecodeError(f"cannot read {path}: {error.strerror or error}") from error


def _color(require: Requirements) -> tuple[int, int, int] | None:
    if require.background is None:
        return None
    return color_from(require.background)


def _of_header(label: str, header: Header, require: Requirements) -> list[Check]:
    checks = []
    if require.formats:
        passed = header.format in require.formats
        checks.append(Check("format", passed, header.format, " or ".join(require.formats)))
        named = _format_by_suffix(label)
        if named is not None and named != header.format:
            checks.append(
                Check("format", False, f"{header.format}, named as {named}", "a fitting suffix")
            )
    short, long = sorted((header.width, header.height))
    size = f"{header.width} x {header.height}"
    for passed, expected in (
        (
            require.least_short_side is None or short >= require.least_short_side,
            f"at least {require.least_short_side} on the shorter side",
        ),
        (
            require.least_long_side is None or long >= require.least_long_side,
            f"at least {require.least_long_side} on the longer side",
        ),
        (
            require.most_long_side is None or long <= require.most_long_side,
            f"at most {require.most_long_side} on the longer side",
        ),
        (
            require.most_pixels is None or short * long <= require.most_pixels,
            f"at most {require.most_pixels} pixels",
        ),
    ):
        if "None" not in expected:
            checks.append(Check("size", passed, size, expected))
    if require.max_bytes is not None:
        passed = header.bytes <= require.max_bytes
        checks.append(Check("bytes", passed, str(header.bytes), f"at most {require.max_bytes}"))
    if require.color_spaces:
        passed = header.color_space in require.color_spaces
        expected = " or ".join(require.color_spaces)
        checks.append(Check("color space", passed, header.color_space, expected))
    if require.no_location:
        found = ", ".join(header.personal) or "none"
        checks.append(Check("personal data", not header.personal, found, "none"))
    return checks


def _format_by_suffix(label: str) -> str | None:
    suffix = Path(label).suffix.lower()
    if suffix in (".gif", ".bmp"):
        return suffix[1:]
    try:
        named = format_of_path(label)
    except ValueError:
        return None
    return named if named in FORMATS else None


def _of_pixels(measured: Measured, require: Requirements) -> list[Check]:
    checks = []
    if require.transparency != "allowed":
        passed = measured.transparent == (require.transparency == "required")
        found = "transparent pixels" if measured.transparent else "all opaque"
        checks.append(Check("transparency", passed, found, require.transparency))
    nothing = measured.box[2] == 0
    if not measured.plain:
        shown = "no plain background to tell a subject from"
    else:
        shown = "nothing but background" if nothing else "a subject"
    checks.append(Check("subject", measured.plain and not nothing, shown, "a subject"))
    fill = f"{measured.fill:.1%}"
    if require.least_fill is not None:
        passed = measured.fill >= require.least_fill and measured.plain
        checks.append(Check("fill", passed, fill, f"at least {require.least_fill:.0%}"))
    if require.most_fill is not None:
        passed = measured.fill <= require.most_fill
        checks.append(Check("fill", passed, fill, f"at most {require.most_fill:.0%}"))
    if require.whole_subject:
        passed = measured.cut == 0
        found = "whole" if passed else f"touches {measured.cut:.1%} of the frame's border"
        checks.append(Check("whole", passed, found, "not cut off by the frame"))
    if require.background is not None:
        checks.append(_background(measured, require))
    return checks


def _background(measured: Measured, require: Requirements) -> Check:
    expected = f"{require.background}{', exactly' if require.exact_background else ''}"
    if measured.transparent:
        return Check("background", False, "transparent", expected)
    allowed = 0 if require.exact_background else NOISE
    if measured.plain and measured.worst <= allowed:
        return Check("background", True, f"off by {measured.worst} at most", expected)
    if not measured.plain:
        return Check("background", False, "the border has other colours", expected)
    row, column = measured.where
    found = f"{measured.off} pixels off by up to {measured.worst}"
    found += f", as in row {row}, column {column}" if measured.where != (0, 0) else ""
    found += f", {measured.strays} stray marks" if measured.strays else ""
    return Check("background", False, found, expected)
