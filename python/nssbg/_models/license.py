"""The licence gate: refuses weights that may not be used as the caller says, before any download.

In: a model's description and the use it is wanted for. The use comes from an argument, or from
NSSBG_LICENSE in the environment, or is "any".
"""

from __future__ import annotations

import os

from nssbg._errors import LicenseError, OptionError
from nssbg._models.sidecar import ModelDescription
from nssbg._vocabulary import LICENSE_USES

__all__ = ["check_license", "license_line", "wanted_use"]


def wanted_use(license: str | None) -> str:
    """ "any" or "commercial": the argument, else NSSBG_LICENSE, else "any".

    Raises:
        OptionError: Neither of the two.
    """
    source = "license" if license else "NSSBG_LICENSE"
    use = license or os.environ.get("NSSBG_LICENSE") or "any"
    if use not in LICENSE_USES:
        raise OptionError(f"{source} is {use!r}, expected 'any' or 'commercial'")
    return use


def check_license(model: ModelDescription, wanted: str | None = None) -> None:
    """Refuse weights that may not be used as wanted.

    Args:
        model: The model.
        wanted: "any" or "commercial"; None: NSSBG_LICENSE from the environment, else "any".

    Raises:
        LicenseError: Commercial use was asked for and the weights do not clearly allow it.
        OptionError: An unknown kind of use.
    """
    if wanted_use(wanted) == "commercial" and model.commercial is not True:
        state = "not allowed" if model.commercial is False else "not settled"
        note = f" ({model.license_note})" if model.license_note else ""
        raise LicenseError(
            f"{model.name}: commercial use of its weights is {state}: {model.license}{note}; "
            "`nssbg models list --license commercial` shows models that allow it"
        )


def license_line(model: ModelDescription) -> str:
    """One line for a result's account where the weights' terms bind the user; else ""."""
    if model.commercial is True:
        return ""
    state = "does not allow commercial use" if model.commercial is False else "is not settled"
    return f"licence of the weights, {model.license}, {state}"
