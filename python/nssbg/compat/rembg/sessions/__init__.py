"""rembg's sessions by name: `sessions`, `sessions_class`, `sessions_names`, and every class.

The modules that rembg keeps them in (`rembg.sessions.u2net` and so on) can be imported from too.
"""

from __future__ import annotations

import sys
import types

from nssbg.compat.rembg.sessions.base import BaseSession
from nssbg.compat.rembg.sessions.named import SERVED, AutoSession, RemoverSession

__all__ = [
    "AutoSession",
    "BaseSession",
    "RemoverSession",
    "sessions",
    "sessions_class",
    "sessions_names",
    "sessions_names_downloadable",
    "sessions_names_no_credentials",
]

#: Name -> class, in rembg's order.
sessions: dict[str, type[BaseSession]] = {kind.name(): kind for kind in SERVED.values()}
sessions_names: list[str] = list(sessions)
sessions_class: list[type[BaseSession]] = list(sessions.values())
sessions_names_no_credentials: list[str] = list(sessions)
#: Those whose weights `rembg d` pulls where it is given no name.
sessions_names_downloadable: list[str] = [
    name
    for name in sessions
    if not name.endswith("_custom") and name not in ("sam", "u2net_cloth_seg")
]


def _publish() -> None:
    """Put each class where rembg has it: in the package, and in a module of its own."""
    package = sys.modules[__name__]
    for module_name, kind in SERVED.items():
        module = types.ModuleType(f"{__name__}.{module_name}", kind.__doc__)
        setattr(module, kind.__name__, kind)
        setattr(module, "BaseSession", BaseSession)  # noqa: B010
        sys.modules[module.__name__] = module
        setattr(package, module_name, module)
        # Of the two that rembg calls DisSession it exports the first by that name.
        if kind.__name__ == "DisSession" and module_name != "dis_anime":
            package.DisSessionGeneralUse = kind  # type: ignore[attr-defined]
        else:
            setattr(package, kind.__name__, kind)


_publish()
