"""rembg's ViTMatte door: names and trimap are here, the network is not; errors say what to use."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

from nssbg._errors import OptionError
from nssbg._ops import rembg_steps

__all__ = ["DEFAULT_VARIANT", "VARIANTS", "trimap_from_mask", "vitmatte_alpha"]

DEFAULT_VARIANT = "small-distinctions-646"

#: The published files, for code that lists them.
VARIANTS: dict[str, dict[str, str]] = {
    name: {"fname": f"vitmatte-{name}.onnx", "sha256": checksum}
    for name, checksum in (
        (
            "small-distinctions-646",
            "d232841ac9d9657df3e62f6c92ed425ee25df18d337245cd8b903fc1ba183631",
        ),
        (
            "small-composition-1k",
            "659b9bb2870f80cffbe20dae4c7f18417fbdf68c0195861d24e9082c28373a24",
        ),
        (
            "base-distinctions-646",
            "d30190833269c1bec3e37319fe67af151028d3be32f6f60f6663a51b209cc8c1",
        ),
        (
            "base-composition-1k",
            "87bb10979f816061497ba6867b338c65a05cebd7d1507f6dde92a86382dec1f2",
        ),
    )
}


def _resolve_variant(variant: str | None) -> str:
    if variant is None:
        return DEFAULT_VARIANT
    if variant not in VARIANTS:
        raise OptionError(
            f"unknown vitmatte_model {variant!r}. Available: {', '.join(sorted(VARIANTS))}"
        )
    return variant


def trimap_from_mask(
    mask: Any,
    foreground_threshold: int = 240,
    background_threshold: int = 10,
    erode_size: int = 10,
) -> Any:
    """A trimap of a mask: 0 background, 128 unknown, 255 foreground.

    Args:
        mask: A PIL image of any mode.
        foreground_threshold: Above it is foreground, before it is eroded.
        background_threshold: Below it is background, before it is eroded.
        erode_size: Side of the square that both are eroded by, in pixels.

    Returns:
        A PIL image of mode L and of the mask's size.
    """
    from PIL import Image

    levels = rembg_steps.trimap(
        np.asarray(mask.convert("L")),
        foreground_threshold=foreground_threshold,
        background_threshold=background_threshold,
        erode_size=erode_size,
    )
    return Image.fromarray(levels)


def vitmatte_alpha(
    img: Any,
    mask: Any,
    variant: str | None = None,
    foreground_threshold: int = 240,
    background_threshold: int = 10,
    erode_size: int = 10,
) -> NoReturn:
    """Always an error: nssbg does not serve ViTMatte.

    Raises:
        OptionError (a ValueError): It names the alternative; or the variant is unknown.
    """
    _resolve_variant(variant)
    raise OptionError(
        "nssbg does not serve ViTMatte: use alpha_matting=True, which solves alpha in the same "
        "band of the trimap, or nssbg.Remover().remove(image, refine='matting')"
    )
