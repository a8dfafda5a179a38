"""What the page may ask of enhancement when a result is taken: networks that are here, and how.

The result is enlarged, denoised or freed of JPEG's blocks as it is written; what is corrected and
shown stays the photograph as it came.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from nssbg._enhance_options import Enhancement
from nssbg._errors import LicenseError, ModelError, OptionError
from nssbg._models.license import check_license
from nssbg._models.sidecar import ModelDescription
from nssbg._vocabulary import UPSCALES

__all__ = ["enhancement_from", "enhancers"]


def enhancers(license: str | None) -> list[dict[str, Any]]:
    """The networks that can enhance here, as the page gets them; none: it cannot.

    Args:
        license: The use that their weights have to allow.
    """
    from nssbg._models.catalog import bundled_models, catalog

    bundled = bundled_models()
    found = [model for model in catalog().values() if model.task == "image" and _is_here(model)]
    records = []
    for model in sorted(found, key=lambda model: model.name not in bundled):
        try:
            check_license(model, license)
        except LicenseError:
            continue
        records.append(
            {
                "name": model.name,
                "title": model.summary or model.name,
                "licence": model.license,
                "commercial": model.commercial,
                "upscales": [factor for factor in UPSCALES if model.scale % factor == 0],
                # One of the picture's size is mixed with it.
                "denoise": "denoise" in model.conditions or model.scale == 1,
                "deblock": "deblock" in model.conditions,
            }
        )
    return records


def _is_here(model: ModelDescription) -> bool:
    from nssbg._models.store import locate

    try:
        return model.path is not None or locate(model) is not None
    except ModelError:  # damaged, which `about` tells of matting networks
        return False


def enhancement_from(query: Mapping[str, str], license: str | None) -> Enhancement | None:
    """What a query asks for: enhance (a network's name), upscale, denoise, deblock.

    Args:
        query: The parameters of an address.
        license: See `enhancers`.

    Raises:
        OptionError: They are not what they must be, or the network is not here.
    """
    name = query.get("enhance") or ""
    given = [key for key in ("upscale", "denoise", "deblock") if query.get(key)]
    if not name:
        if given:
            raise OptionError(f"{given[0]} goes with enhance, the name of a network")
        return None
    known = {record["name"] for record in enhancers(license)}
    if name not in known:
        names = ", ".join(sorted(known)) or "none"
        raise OptionError(
            f"no network that can enhance here is called {name!r:.60} (here: {names})"
        )
    upscale, deblock = query.get("upscale") or None, query.get("deblock") or "auto"
    if upscale is not None and not (upscale.isascii() and upscale.isdigit() and len(upscale) < 4):
        raise OptionError(f"upscale is a whole number, not {upscale!r:.60}")
    return Enhancement(
        upscale=None if upscale is None else int(upscale),
        denoise=_number(query, "denoise"),
        deblock="auto" if deblock == "auto" else _number(query, "deblock") or 0.0,
        model=name,
        order="after",
    )


def _number(query: Mapping[str, str], name: str) -> float | None:
    text = query.get(name) or None
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise OptionError(f"{name} is a number from 0 to 1, not {text!r:.60}")
    return value
