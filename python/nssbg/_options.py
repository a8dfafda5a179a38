"""What a caller may ask of one cut-out: one frozen record, checked once, passed down the stages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from nssbg._errors import OptionError

__all__ = ["Decontaminate", "Effort", "Options", "Refine"]

Effort = Literal["fast", "balanced", "best"]
Refine = Literal["none", "guided", "matting", "auto"]
Decontaminate = Literal["multilevel", "blur-fusion", "off"]


@dataclass(frozen=True)
class Options:
    """How one picture is cut out.

    Attributes:
        effort: How often a network may look: "fast" once; "balanced" once more at the crop around
            a small subject; "best" also along the outline.
        refine: Level of the full-size refinement of the alpha.
        decontaminate: Method that estimates the true foreground colour in the soft band.
        strength: Share of the estimated colour, 0 (photograph's own) to 1.
        matte: What stands under alpha 0: "clear" (zeros) or "extend" (nearest foreground).
        ignore_alpha: Leave out the alpha that the picture came with; otherwise the new alpha
            is multiplied with it.
    """

    effort: Effort = "balanced"
    refine: Refine = "guided"
    decontaminate: Decontaminate = "multilevel"
    strength: float = 1.0
    matte: Literal["clear", "extend"] = "clear"
    ignore_alpha: bool = False

    def __post_init__(self) -> None:
        _one_of("effort", self.effort, get_args(Effort))
        _one_of("refine", self.refine, get_args(Refine))
        _one_of("decontaminate", self.decontaminate, get_args(Decontaminate))
        _one_of("matte", self.matte, ("clear", "extend"))
        if not 0.0 <= self.strength <= 1.0:
            raise OptionError(f"strength must be between 0 and 1, got {self.strength!r}")


def _one_of(name: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        choices = ", ".join(repr(choice) for choice in allowed)
        raise OptionError(f"{name} must be one of {choices}; got {value!r}")
