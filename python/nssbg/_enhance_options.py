"""What is wanted of an enhanced picture, alone or as a step of a cut-out: records, checked once."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal

from nssbg._errors import OptionError
from nssbg._vocabulary import ENHANCE_ORDERS, UPSCALES, EnhanceOrder

__all__ = ["EnhanceOptions", "Enhancement", "check_enhancement"]


@dataclass(frozen=True)
class EnhanceOptions:
    """What is wanted of an enhanced picture.

    Attributes:
        upscale: Times the sides, 1 to 4; None: what the network gives.
        denoise: 0 to 1: how strongly; None: as the network does by itself, and not at all where it
            can be told.
        deblock: 0 to 1: how strongly JPEG's artefacts are taken out; "auto": as the picture's own
            compression asks for, where the network can be told.
    """

    upscale: int | None = None
    denoise: float | None = None
    deblock: float | Literal["auto"] = "auto"

    def __post_init__(self) -> None:
        upscale = self.upscale
        if upscale is not None and (isinstance(upscale, bool) or upscale not in UPSCALES):
            raise OptionError(
                f"upscale must be one of {', '.join(map(str, UPSCALES))}, got {upscale!r}"
            )
        for name in ("denoise", "deblock"):
            value = getattr(self, name)
            if value in (None, "auto") and not (name == "denoise" and value == "auto"):
                continue
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if not number or not 0.0 <= value <= 1.0:
                raise OptionError(f"{name} must be 0.0 to 1.0, got {value!r}")


@dataclass(frozen=True)
class Enhancement(EnhanceOptions):
    """Enhancement as a step of a cut-out.

    Attributes:
        upscale: Times the sides, 1 to 4; None: what the network gives.
        denoise: 0 to 1: how strongly; None: as the network does by itself, and not at all where it
            can be told.
        deblock: 0 to 1, or "auto": as the picture's own compression asks for.
        model: Name of a network that gives an image (`nssbg models list`), or the path of its
            weights, beside which lies a sidecar; None: one that comes with nssbg.
        order: "before": the photograph is enhanced, and the result is cut out, which finds an edge
            that noise or JPEG's blocks hide. "after": the photograph is cut out as it is, and its
            alpha enlarged with the enhanced photograph as guide. docs/decisions/1042-order.md has
            the figures.

    Raises:
        OptionError: A value outside these.
    """

    model: str | None = None
    order: EnhanceOrder = "before"

    def __post_init__(self) -> None:
        super().__post_init__()
        model = self.model
        if model is not None and (not isinstance(model, str) or not model or "\0" in model):
            raise OptionError(f"the enhancement's model is a name or a path, got {model!r:.60}")
        if self.order not in ENHANCE_ORDERS:
            raise OptionError(
                f"the enhancement's order must be one of {', '.join(ENHANCE_ORDERS)}, got "
                f"{self.order!r:.60}"
            )

    def record(self) -> dict[str, Any]:
        """The fields by name, for JSON."""
        return {item.name: getattr(self, item.name) for item in fields(self)}


def check_enhancement(value: object, allowed: bool = False) -> None:
    """Raise OptionError unless it is such a record, or None."""
    if not allowed and not isinstance(value, (Enhancement, type(None))):
        raise OptionError(f"enhance must be a nssbg.Enhancement, got {value!r:.60}")
