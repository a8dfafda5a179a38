"""What a profile consists of: frozen records, checked where they are read (`batch/profile.py`)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Any

from nssbg._enhance_options import Enhancement

__all__ = ["Limits", "OutputSpec", "Profile", "Requirements", "Rights"]


@dataclass(frozen=True)
class OutputSpec:
    """One file that is written for each picture.

    Attributes:
        name: Template of its name, as `nssbg.batch.names` expands it.
        kind: "cutout" or "mask" (the alpha alone).
        format: "jpeg", "png", "webp", "tiff", "avif" or "jxl".
        quality: 0 to 100 for lossy coding; None: the format's default (WebP, JPEG XL: lossless).
        least_quality: Quality is never stepped below this to meet max_bytes.
        max_bytes: Largest file; quality is stepped down to meet it. None: any.
        compression: "fast", "default" or "best".
        subsampling: Chroma subsampling of JPEG and AVIF, or None for the format's default.
        progressive: JPEG that shows coarsely first.
        background: A colour, or None for transparent.
        exact_background: Background pixels of the encoded file are that colour, to the last digit
            (`nssbg.batch.validate` says which pixels those are).
        width: Of the canvas, in pixels; None: no canvas.
        height: The same.
        fill: Share of the canvas that the subject takes at least, where alpha is half or more.
        align: Where the subject stands on the canvas: "center", "bottom", ...
        enlarge: Whether a subject smaller than that is scaled up.
        trim: Cut the empty border off (without a canvas).
        padding: Transparent margin in pixels.
        longest_side: Scale down until the longer side has this many pixels; None: do not.
        shadow: "none", "drop" or "contact".
        color_space: "srgb" or "keep" (the picture's own).
        dpi: Pixels per inch written into the file; None: the picture's own.
        checked: Whether it is held to the profile's requirements.
    """

    name: str = "{stem}.{ext}"
    kind: str = "cutout"
    format: str = "png"
    quality: int | None = None
    least_quality: int = 70
    max_bytes: int | None = None
    compression: str = "default"
    subsampling: str | None = None
    progressive: bool = False
    background: str | None = None
    exact_background: bool = False
    width: int | None = None
    height: int | None = None
    fill: float = 0.85
    align: str = "center"
    enlarge: bool = True
    trim: bool = False
    padding: int = 0
    longest_side: int | None = None
    shadow: str = "none"
    color_space: str = "srgb"
    dpi: int | None = None
    checked: bool = True


@dataclass(frozen=True)
class Requirements:
    """What a marketplace demands of a file, whoever made it. None and (): anything goes.

    Attributes:
        formats: Formats that are taken.
        least_short_side: Pixels of the shorter side.
        least_long_side: Pixels of the longer side.
        most_long_side: The same, at most.
        most_pixels: Width times height, at most.
        max_bytes: Of the file.
        background: The colour that the background has; None: any.
        exact_background: To the last digit; else within compression noise.
        least_fill: Share of width or height, whichever is larger, that the subject takes.
        most_fill: The same, at most.
        whole_subject: The frame does not cut the subject.
        color_spaces: Those that are taken: "srgb", "gray", "cmyk", "other-rgb".
        transparency: "allowed", "forbidden" or "required".
        no_location: The file carries no GPS position and no serial number.
    """

    formats: tuple[str, ...] = ()
    least_short_side: int | None = None
    least_long_side: int | None = None
    most_long_side: int | None = None
    most_pixels: int | None = None
    max_bytes: int | None = None
    background: str | None = None
    exact_background: bool = False
    least_fill: float | None = None
    most_fill: float | None = None
    whole_subject: bool = False
    color_spaces: tuple[str, ...] = ()
    transparency: str = "allowed"
    no_location: bool = False


@dataclass(frozen=True)
class Limits:
    """Measured features beyond which a picture is reviewed, or fails. None: never.

    `nssbg.batch.verdict.Features` says what each is.
    """

    low_confidence: bool = False
    confidence_below: float | None = None
    subject_share_below: float | None = None
    components_above: int | None = None
    holes_above: int | None = None
    border_contact_above: float | None = None
    softness_above: float | None = None
    halo_above: float | None = None
    enlargement_above: float | None = None


@dataclass(frozen=True)
class Rights:
    """Who is named in the file under metadata = "copyright", where the picture names nobody."""

    artist: str = ""
    copyright: str = ""
    credit: str = ""


@dataclass(frozen=True)
class Profile:
    """What is made of each picture of a batch, and how it is checked.

    Attributes:
        name: As it is asked for.
        summary: One line for people.
        source: Where the requirements are published.
        as_of: When they were looked up, "2026-11".
        outputs: At least one.
        require: What the checked outputs must meet.
        review: Beyond these a person is asked.
        fail: Beyond these the picture failed.
        metadata: "keep" (as it was), "strip" (nothing) or "copyright" (artist, copyright, credit).
        provenance: Tool, version, model, its licence and the profile are written as XMP.
        rights: See `Rights`.
        enhance: How the photograph is enhanced before it is cut out, or the cut-out afterwards;
            None: it is not.
    """

    name: str
    outputs: tuple[OutputSpec, ...]
    summary: str = ""
    source: str = ""
    as_of: str = ""
    require: Requirements = field(default_factory=Requirements)
    review: Limits = field(default_factory=Limits)
    fail: Limits = field(default_factory=Limits)
    metadata: str = "strip"
    provenance: bool = True
    rights: Rights = field(default_factory=Rights)
    enhance: Enhancement | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain dictionaries, lists, texts and numbers, for JSON."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return plain

    @property
    def fingerprint(self) -> str:
        """Hex digest of all that can change an output or a verdict; not of words for people."""
        record = self.as_dict()
        for words in ("summary", "source", "as_of"):
            record.pop(words)
        if record["enhance"] is None:  # what is done without it is what was done before it
            record.pop("enhance")
        return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()
