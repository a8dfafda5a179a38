"""Which pixels are asked for, NSSBG_COMPAT: nssbg's own, or exactly rembg's."""

from __future__ import annotations

import os

from nssbg._errors import OptionError

__all__ = ["is_exact"]


def is_exact() -> bool:
    """Whether NSSBG_COMPAT asks for rembg's own pixels; read at every call.

    Raises:
        OptionError: It is set to something else.
    """
    value = os.environ.get("NSSBG_COMPAT", "").strip().lower()
    if value not in ("", "improved", "exact"):
        raise OptionError(f"NSSBG_COMPAT is {value!r}, expected 'exact' or 'improved'")
    return value == "exact"
