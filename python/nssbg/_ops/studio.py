"""The studio method: alpha from a model of the backdrop, without weights.

In: a picture on a plain or smoothly graded backdrop, or before a chroma screen. Out: its alpha
at full size, how far that is to be trusted, what the backdrop looks like and, on request, the
picture's own soft shadow as a layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nssbg import _core
from nssbg._errors import OptionError
from nssbg._vocabulary import CHROMAS, Chroma

__all__ = [
    "LOW_CONFIDENCE",
    "Backdrop",
    "StudioResult",
    "studio_alpha",
    "studio_alpha_of_backdrops",
]


#: Below this confidence the alpha is more likely wrong than right.
LOW_CONFIDENCE: float = _core.LOW_STUDIO_CONFIDENCE


@dataclass(frozen=True)
class Backdrop:
    """What the method takes the backdrop to be.

    Attributes:
        kind: "plain", "graded" (a gradient, a vignette or uneven light), "green screen",
            "blue screen" or "none" (the border is not one smooth surface).
        color: Median red, green, blue along the border, 0..255, in the picture's encoding.
        range: Brightest minus darkest of the modelled backdrop along the border, levels.
        noise: Standard deviation of one pixel's noise, levels of an 8-bit picture.
        border_share: Share of the picture's border that the model explains, 0..1.
        side_share: The same for the top, bottom, left and right side.
    """

    kind: Literal["plain", "graded", "green screen", "blue screen", "none"]
    color: tuple[float, float, float]
    range: float
    noise: float
    border_share: float
    side_share: tuple[float, float, float, float]


@dataclass(frozen=True)
class StudioResult:
    """Alpha of the studio method and what is known about it.

    Attributes:
        alpha: H x W uint8, 0 backdrop .. 255 subject, straight.
        confidence: 0..1, the estimated probability that the alpha's IoU with the truth is at
            least 0.9, calibrated on drawn pictures (bench/studio_calibration.py): near 1 for
            a subject that stands clear of one smooth backdrop, below 0.3 where the border is
            no backdrop (a street, a room), 0 where nothing or everything is subject.
        backdrop: What the backdrop looks like.
        shadow: H x W uint8 where asked for: the share of light (0 none .. 255 all) that the
            picture's own soft shadow takes from the backdrop; black at this opacity under the
            cut-out gives the shadow back. None where not asked for or where none was found.
        notes: What the user should know: "no subject found", "the border is not a backdrop".
        measures: The numbers that the confidence comes from, for calibration and reports.
    """

    alpha: NDArray[np.uint8]
    confidence: float
    backdrop: Backdrop
    shadow: NDArray[np.uint8] | None
    notes: tuple[str, ...]
    measures: dict[str, Any]


def studio_alpha(
    rgb: NDArray[np.uint8] | NDArray[np.uint16],
    *,
    threads: int = 0,
    chroma: Chroma = "auto",
    shadow: bool = False,
) -> StudioResult:
    """Cut a subject from a studio backdrop or a chroma screen, without a network.

    The backdrop (colour, gradient, vignette) is fitted robustly to the picture's border, grown
    inwards at reduced size against colour and edge evidence, so that horizons and soft shadows
    are followed, and the soft band along the outline is drawn at full size from the local
    colours on either side. Linear time; the alpha does not depend on threads or ISA level.

    Meant for products on plain or smoothly graded backdrops and for chroma screens. It knows
    nothing about what things look like: on a photograph without a backdrop the confidence is
    low and the alpha is not to be used.

    Args:
        rgb: H x W x 3, uint8 or uint16, any strides, in any RGB encoding.
        threads: Threads to use; 0 means all usable cores.
        chroma: "auto" keys a green or blue screen where the border is one; "green" and "blue"
            insist; "off" treats a screen as any coloured backdrop.
        shadow: Also return the picture's own shadow as a layer.

    Returns:
        Alpha, confidence, backdrop, shadow and notes; see StudioResult.

    Raises:
        OptionError: rgb has another shape or dtype, or an option is outside its range.

    Source: this project's own method, docs/decisions/0200-studio-method.md; the key is the
        colour difference of Vlahos (Smith and Blinn, "Blue Screen Matting", 1996).
    """
    result = _run(rgb, threads, chroma, shadow, 0.0)
    assert result is not None
    return result


def studio_alpha_of_backdrops(
    rgb: NDArray[np.uint8] | NDArray[np.uint16], *, least_border: float, threads: int = 1
) -> StudioResult | None:
    """The same, but None where the border is no backdrop: found out in a fifth of the time.

    Args:
        rgb: As for studio_alpha.
        least_border: Share of the border (0..1) that the model of the backdrop has to explain.
            Chroma screens are taken in any case.
        threads: As for studio_alpha.
    """
    return _run(rgb, threads, "auto", False, least_border)


def _run(
    rgb: NDArray[Any], threads: int, chroma: Chroma, shadow: bool, least_border: float
) -> StudioResult | None:
    if not isinstance(rgb, np.ndarray) or rgb.ndim != 3 or rgb.shape[2] != 3:
        shape = getattr(rgb, "shape", type(rgb).__name__)
        raise OptionError(f"rgb must be an H x W x 3 array, got {shape}")
    if rgb.dtype not in (np.uint8, np.uint16):
        raise OptionError(f"rgb must be uint8 or uint16, got {rgb.dtype}; scale it to uint16 first")
    if rgb.shape[0] == 0 or rgb.shape[1] == 0:
        raise OptionError(f"rgb has no pixels: {rgb.shape}")
    if chroma not in CHROMAS:
        raise OptionError(f"chroma must be one of {', '.join(CHROMAS)}, got {chroma!r}")
    if not 0 <= threads <= 1024:
        raise OptionError(f"threads must be 0 (all usable cores) to 1024, got {threads}")
    alpha, layer, measures = _core.studio_alpha(rgb, chroma, shadow, threads, least_border)
    if alpha is None:
        return None
    notes = measures.pop("notes")
    return StudioResult(
        alpha=alpha,
        confidence=float(measures["confidence"]),
        backdrop=_backdrop_from_measures(measures),
        shadow=layer if measures["shadow_found"] else None,
        notes=notes,
        measures=measures,
    )


def _backdrop_from_measures(measures: dict[str, Any]) -> Backdrop:
    kind: Literal["plain", "graded", "green screen", "blue screen", "none"]
    if measures["screen"] == "green":
        kind = "green screen"
    elif measures["screen"] == "blue":
        kind = "blue screen"
    elif measures["border_share"] < 0.5:
        kind = "none"
    else:
        kind = "plain" if measures["backdrop_range"] < 6 else "graded"
    return Backdrop(
        kind=kind,
        color=measures["backdrop_color"],
        range=float(measures["backdrop_range"]),
        noise=float(measures["noise"]),
        border_share=float(measures["border_share"]),
        side_share=measures["side_share"],
    )
