"""Pass, review or fail for each picture, with reasons, from measured features.

Features are measured on the cut-out thinned to about GRID cells a side: a verdict costs a few
milliseconds at any size of picture. What counts as too much stands in the profile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from nssbg import _core as _typed_core
from nssbg.batch.output import Rendered
from nssbg.batch.profile import Limits, Profile
from nssbg.batch.validate import Validation

if TYPE_CHECKING:
    from nssbg._cutout import Cutout

__all__ = ["Features", "Verdict", "measure_features", "verdict"]

_core: Any = _typed_core

# Cells along the longer side that a picture is thinned to.
GRID = 512
# Parts and holes of less than this share of the subject's cells are not counted.
_LEAST_SHARE = 0.002
# Soft pixels whose colour is compared with what lies inside and outside, at most.
_MOST_SAMPLES = 1500
# How far inside and outside that is looked for, as a share of the longer side.
_AWAY = 0.006
# Colours closer than this (of 255, as a distance in RGB) cannot be told apart along an edge.
_LEAST_CONTRAST = 24.0


@dataclass(frozen=True)
class Features:
    """What was measured of one picture.

    Attributes:
        empty: Nothing is half opaque: there is no subject in the result.
        subject_share: Share of the photograph that is half opaque or more.
        components: Parts of the subject that do not touch.
        holes: Openings that the subject encloses.
        border_contact: Share of the photograph's border that the subject touches: it was cut by
            the photograph's own frame.
        softness: Share of soft pixels (alpha 0.05 to 0.95) among all that can be seen.
        halo: How much of the old background is left in the colours along the edge: 0 none, 1 all.
        confidence: As the cut-out says; None where nothing was fitted to its model.
        low_confidence: The cut-out says that it is to be looked at; None where it cannot say.
        enlargement: Largest scale of the outputs, in pixels for one of the photograph.
        fill: Of the first output on a canvas, share of its width or height; None without one.
    """

    empty: bool
    subject_share: float
    components: int
    holes: int
    border_contact: float
    softness: float
    halo: float
    confidence: float | None
    low_confidence: bool | None
    enlargement: float
    fill: float | None = None


@dataclass(frozen=True)
class Verdict:
    """What to do with a picture.

    Attributes:
        status: "pass", "review" (a person looks) or "fail" (not to be handed over).
        reasons: Why, in words, worst first; empty for "pass".
        notes: Limits of the profile that were not looked at, and why.
    """

    status: Literal["pass", "review", "fail"]
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def measure_features(cutout: Cutout, outputs: Sequence[Rendered] = ()) -> Features:
    """Measure one picture.

    Args:
        cutout: What `Remover.cutout` gives.
        outputs: What `render_outputs` made of it.
    """
    rgba = cutout.rgba
    step = max(1, -(-max(rgba.shape[:2]) // GRID))
    full = np.iinfo(rgba.dtype).max
    # Every step-th pixel, from the middle of its cell.
    alpha = np.ascontiguousarray(rgba[step // 2 :: step, step // 2 :: step, 3])
    if alpha.size == 0:
        alpha = np.ascontiguousarray(rgba[..., 3])
        step = 1
    held = alpha > full // 2
    count = int(np.count_nonzero(held))
    seen = int(np.count_nonzero(alpha > full * 0.05))
    soft = seen - int(np.count_nonzero(alpha > full * 0.95))
    # Thinning can miss a subject of a few pixels, whereas an output may be all that is left of it.
    empty = count == 0 and not (rgba[..., 3] > full // 2).any()
    edges = [rgba[0, :, 3], rgba[-1, :, 3], rgba[:, 0, 3], rgba[:, -1, 3]]
    touching = sum(int(np.count_nonzero(edge > full // 2)) for edge in edges)
    components, holes = _parts(held, max(2, round(_LEAST_SHARE * count)))
    framed = [made for made in outputs if made.spec.width is not None]
    fill = None
    if framed:
        top, left, bottom, right = framed[0].subject
        fill = max((bottom - top) / framed[0].height, (right - left) / framed[0].width)
    return Features(
        empty=empty,
        subject_share=count / alpha.size,
        components=components,
        holes=holes,
        border_contact=touching / sum(edge.size for edge in edges),
        softness=soft / seen if seen else 0.0,
        halo=_halo(cutout, alpha, step),
        confidence=cutout.confidence,
        low_confidence=cutout.low_confidence,
        enlargement=max((made.scale for made in outputs), default=1.0),
        fill=fill,
    )


def verdict(
    features: Features, profile: Profile, validations: Sequence[Validation] = ()
) -> Verdict:
    """What to do with a picture of these features.

    Args:
        features: As `measure_features` gives them.
        profile: Its `fail` and `review` limits count.
        validations: Of its outputs; one that does not pass fails the picture.
    """
    failures = []
    if features.empty:
        failures.append("empty result: nothing of the picture was taken for subject")
    for validation in validations:
        failures += [
            f"{validation.file}: {check.name}: {check.found}; expected {check.expected}"
            for check in validation.failures
            # Said already, of the picture itself.
            if not (features.empty and check.name in ("subject", "fill", "background"))
        ]
    failures += _beyond(features, profile.fail)
    if failures:
        return Verdict("fail", tuple(failures), _not_looked_at(features, profile))
    doubts = _beyond(features, profile.review)
    status: Literal["pass", "review"] = "review" if doubts else "pass"
    return Verdict(status, tuple(doubts), _not_looked_at(features, profile))


def _not_looked_at(features: Features, profile: Profile) -> tuple[str, ...]:
    """A note where the profile limits a confidence that the model has not."""
    limits = (profile.fail, profile.review)
    limited = any(one.low_confidence or one.confidence_below is not None for one in limits)
    if features.confidence is not None or not limited:
        return ()
    return ("no confidence fitted for this model: the profile's limits on it were not looked at",)


def _beyond(features: Features, limits: Limits) -> list[str]:
    """The limits that are passed, in words."""
    reasons = []
    if limits.low_confidence and features.low_confidence and features.confidence is not None:
        reasons.append(f"low confidence ({features.confidence:.2f})")
    below: tuple[tuple[str, float | None, float | None, str], ...] = (
        ("confidence", features.confidence, limits.confidence_below, ".2f"),
        ("share of the picture", features.subject_share, limits.subject_share_below, ".2%"),
    )
    for name, value, least, form in below:
        if least is not None and value is not None and value < least:
            reasons.append(f"{name} {value:{form}}, below {least:{form}}")
    above: tuple[tuple[str, float, float | None, str], ...] = (
        (
            "cut by the photograph's frame:",
            features.border_contact,
            limits.border_contact_above,
            ".1%",
        ),
        ("enlarged", features.enlargement, limits.enlargement_above, ".2f"),
        ("halo", features.halo, limits.halo_above, ".2f"),
        ("softness", features.softness, limits.softness_above, ".2f"),
        ("parts", features.components, limits.components_above, ".0f"),
        ("holes", features.holes, limits.holes_above, ".0f"),
    )
    for name, value, most, form in above:
        if most is not None and value > most:
            reasons.append(f"{name} {value:{form}}, above {most:{form}}")
    return reasons


def _parts(held: NDArray[np.bool_], least: int) -> tuple[int, int]:
    """Parts and enclosed openings of at least so many cells."""
    grid = np.where(held, np.uint8(255), np.uint8(0))
    # Nothing else of the core counts both: what would be changed at either size tells.
    facts = _core.clean_components(grid.copy(), False, 0.5, least, False)
    components = int(facts["components"] - facts["changed"])
    every = _core.clean_components(grid.copy(), True, 0.5, grid.size + 1, False)["changed"]
    small = _core.clean_components(grid, True, 0.5, least, False)["changed"]
    return components, int(every - small)


def _halo(cutout: Cutout, alpha: NDArray[Any], step: int) -> float:
    """How far edge colours lie on the way from the subject's to the old background's, 0 to 1.

    At soft pixels, the cut-out's colour F is compared with its own colour I a little inside and
    the photograph's colour B a little outside: the median of (F - I).(B - I) / |B - I|^2.
    """
    rgba, rgb = cutout.rgba, cutout.frame.rgb
    full = int(np.iinfo(rgba.dtype).max)
    rows, columns = np.nonzero((alpha > full * 0.15) & (alpha < full * 0.75))
    if rows.size < 8:
        return 0.0
    stride = -(-rows.size // _MOST_SAMPLES)
    y = np.minimum(rows[::stride] * step + step // 2, rgba.shape[0] - 1)
    x = np.minimum(columns[::stride] * step + step // 2, rgba.shape[1] - 1)
    away = max(2, round(_AWAY * max(rgba.shape[:2])))
    turns = np.arange(8) * (np.pi / 4)
    around_y = np.clip(y[:, None] + np.rint(away * np.sin(turns)).astype(int), 0, rgba.shape[0] - 1)
    around_x = np.clip(x[:, None] + np.rint(away * np.cos(turns)).astype(int), 0, rgba.shape[1] - 1)
    cover = rgba[around_y, around_x, 3]
    each = np.arange(y.size)
    inner, outer = cover.argmax(axis=1), cover.argmin(axis=1)
    good = (cover[each, inner] > full * 0.98) & (cover[each, outer] < full * 0.02)
    if int(good.sum()) < 8:
        return 0.0
    each, inner, outer, y, x = each[good], inner[good], outer[good], y[good], x[good]
    inside = rgba[around_y[each, inner], around_x[each, inner], :3].astype(np.float32)
    outside = rgb[around_y[each, outer], around_x[each, outer]].astype(np.float32)
    edge = rgba[y, x, :3].astype(np.float32)
    apart = outside - inside
    length = (apart * apart).sum(axis=1)
    told = length > (_LEAST_CONTRAST * full / 255) ** 2
    if int(told.sum()) < 8:
        return 0.0
    share = ((edge - inside) * apart).sum(axis=1)[told] / length[told]
    return float(np.clip(np.median(share), 0.0, 1.0))
