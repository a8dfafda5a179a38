"""What the page has to know before the first picture: models, profiles, formats, limits."""

from __future__ import annotations

import platform
import threading
import time
from typing import Any

from nssbg import __version__
from nssbg._memory import read_system_file
from nssbg._models.sidecar import ModelDescription
from nssbg._vocabulary import EFFORTS, FOREGROUND_METHODS, REFINE_LEVELS
from nssbg.studio_page.edit import Edit
from nssbg.studio_page.enhancing import enhancers
from nssbg.studio_page.framing import ALIGNS
from nssbg.studio_page.page_files import samples_folder
from nssbg.studio_page.session import Session

__all__ = ["About", "available_formats"]

# Seconds that a look through the models' folders counts.
_FRESH = 10.0
_STUDIO = {
    "name": "studio",
    "title": "studio: plain backdrops, no network",
    "licence": "Apache-2.0",
    "commercial": True,
    "here": True,
    "unfitted": False,
    "reason": None,
}
_AUTO = {
    **_STUDIO,
    "name": "auto",
    "title": "auto: the studio method or the bundled network, whichever fits",
}


def available_formats() -> list[str]:
    """Formats that results can be written in here."""
    from PIL import features

    from nssbg._installed import installed

    found = ["png"]
    found += [name for name in ("webp", "avif") if features.check(name)]
    found += ["jpeg", "tiff"]
    if installed("pillow_jxl"):
        found.append("jxl")
    return found


class About:
    """The answer of /api/about; the look at the models is kept for a moment.

    Args:
        session: Whose limits and folder are told.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._lock = threading.Lock()
        self._models: list[dict[str, Any]] = []
        self._enhancers: list[dict[str, Any]] = []
        self._looked = -_FRESH
        self._formats = available_formats()
        self._profiles = _profiles()
        self._device_name = _processor()

    def record(self) -> dict[str, Any]:
        """As the page gets it."""
        from nssbg import _core

        return {
            "version": __version__,
            "isa": _core.isa(),
            "plan": self._session.plan,
            "models": self._here(),
            # What can enlarge, denoise or deblock a result as it is taken; none: nothing can.
            "enhance": self._enhancers,
            "default_model": self._session.model,
            "profiles": self._profiles,
            "efforts": list(EFFORTS),
            "refines": list(REFINE_LEVELS),
            "foreground_methods": list(FOREGROUND_METHODS),
            "aligns": list(ALIGNS),
            "defaults": Edit(model=self._session.model).record(),
            "device_name": self._device_name,
            "formats": self._formats,
            "session_folder": str(self._session.folder.path),
            "session_kept": self._session.folder.kept,
            "limits": {
                "max_pixels": self._session.limits.max_pixels,
                "max_bytes": self._session.limits.max_bytes,
            },
            "samples": [
                {"name": path.name, "url": f"/api/samples/{path.name}"}
                for path in sorted(samples_folder().glob("*.jpg"))
            ],
            "network_runs": self._session.results.network_runs,
        }

    def _here(self) -> list[dict[str, Any]]:
        with self._lock:
            if time.monotonic() - self._looked >= _FRESH:
                self._models = _models()
                self._enhancers = enhancers(self._session.batch_settings["license"])
                self._looked = time.monotonic()
            return self._models


def _models() -> list[dict[str, Any]]:
    from nssbg._models.catalog import matting_models

    found = [_AUTO, _STUDIO, *(_model(model) for model in matting_models())]
    # What can run at once comes first; within both, the catalog's order.
    return sorted(found, key=lambda record: not record["here"])


def _model(model: ModelDescription) -> dict[str, Any]:
    from nssbg._errors import ModelError
    from nssbg._models.store import locate

    here, reason = model.path is not None, None
    if not here:
        try:
            here = locate(model) is not None
        except ModelError as error:
            reason = str(error)
    if not here and reason is None:
        reason = f"its weights are not on this machine: nssbg models pull {model.name}"
    return {
        "name": model.name,
        "title": model.summary or model.name,
        "licence": model.license,
        "commercial": model.commercial,
        "here": here,
        # Nothing was fitted to it: how far its maps are to be trusted is not known.
        "unfitted": model.confidence is None,
        "reason": reason,
    }


def _processor() -> str | None:
    """What the processor is called, where the system tells."""
    for line in read_system_file("/proc/cpuinfo").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip() or None
    return platform.processor() or platform.machine() or None


def _profiles() -> list[dict[str, Any]]:
    from nssbg.batch.profile import list_profiles

    return [
        {"name": profile.name, "title": profile.name, "summary": profile.summary}
        for profile in list_profiles()
    ]
