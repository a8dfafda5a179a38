"""Where things lie: nssbg's own folder, and where other programs keep the same weights.

NSSBG_HOME, else the platform's cache folder, holds models/ (weights), compiled/ (what the
runtimes made of them), plans.json (measured plans), receptive-fields.json (how far image networks
look) and catalog/ (sidecars of one's own).
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import stat
import sys
from pathlib import Path

from nssbg._models.sidecar import ModelDescription

__all__ = [
    "catalog_folder",
    "compiled_folder",
    "home",
    "home_problem",
    "known_locations",
    "models_folder",
    "plans_file",
]

log = logging.getLogger("nssbg")


# In place of a folder that cannot be used: nothing is there and nothing can be made there, so
# that whoever reads finds nothing and whoever writes is told so, as with a read-only folder.
_NOWHERE = Path(os.devnull, "nssbg")


def _user() -> Path | None:
    """The user's own folder; None where the system knows none (a bare user number)."""
    try:
        return Path.home()
    except RuntimeError:
        return None


def _expanded(text: str) -> Path | None:
    """A path from the environment; None where its ~user is not known."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return None


def _named_home() -> tuple[Path | None, str]:
    """The folder as the environment names it, and what to call it in messages."""
    chosen = os.environ.get("NSSBG_HOME")
    if chosen:
        return _expanded(chosen), f"NSSBG_HOME={chosen}"
    key = "LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME"
    base = os.environ.get(key) if sys.platform != "darwin" else None
    if base:
        return Path(base) / "nssbg", f"{key}={base}"
    inside = {"win32": "AppData/Local", "darwin": "Library/Caches"}.get(sys.platform, ".cache")
    user = _user()
    return None if user is None else user / inside / "nssbg", "the user's home folder"


@functools.lru_cache(maxsize=8)
def _warn(line: str) -> None:
    """Once each."""
    log.warning("%s; works without a cache", line)


def _checked_home() -> tuple[Path, str]:
    folder, named = _named_home()
    if folder is None:
        problem = "no such user" if "~" in named else "the system knows none for this user"
    else:
        try:
            is_folder = stat.S_ISDIR(folder.stat().st_mode)
            readable = is_folder and os.access(folder, os.R_OK | os.X_OK)
            problem = "" if readable else "not a folder" if not is_folder else "Permission denied"
        except FileNotFoundError:
            problem = ""  # made when something is first written
        except (OSError, ValueError) as error:
            problem = getattr(error, "strerror", None) or str(error)
    if folder is not None and not problem:
        return folder, ""
    line = (
        f"{named} cannot be used ({problem}); set NSSBG_HOME to a folder that can be read and "
        "written"
    )
    return _NOWHERE, line


def home() -> Path:
    """nssbg's folder; it need not exist.

    Where it cannot be used, a path at which nothing is and nothing can be made: what needs no
    folder goes on without a cache, which is logged once.
    """
    folder, problem = _checked_home()
    if problem:
        _warn(problem)
    return folder


def home_problem() -> str:
    """Why nssbg's folder cannot be used, and what to try; "" where it can."""
    return _checked_home()[1]


def models_folder() -> Path:
    """Weights that nssbg pulled."""
    return home() / "models"


def compiled_folder() -> Path:
    """Networks as the runtimes compiled them."""
    return home() / "compiled"


def catalog_folder() -> Path:
    """Sidecar files of models of one's own."""
    return home() / "catalog"


def plans_file() -> Path:
    """Measured plans."""
    return home() / "plans.json"


def _given(key: str) -> Path | None:
    """The folder that a variable names; None where it is not set, or to nobody's folder."""
    value = os.environ.get(key)
    return _expanded(value) if value else None


def _file_names(model: ModelDescription) -> list[str]:
    names = [model.file, f"{model.name}.onnx", *(f"{alias}.onnx" for alias in model.aliases)]
    if model.url.endswith(".onnx"):
        names.append(model.url.rpartition("/")[2])
    return [name for name in dict.fromkeys(names) if name != "model.onnx"]


def _hugging_face_hub() -> Path | None:
    if os.environ.get("HF_HUB_CACHE"):
        return _given("HF_HUB_CACHE")
    if os.environ.get("HF_HOME"):
        base = _given("HF_HOME")
        return base and base / "hub"
    user = _user()
    base = _given("XDG_CACHE_HOME") or (user and user / ".cache")
    return base and base / "huggingface" / "hub"


def known_locations(model: ModelDescription) -> list[Path]:
    """Files where the weights may already lie, nssbg's own place first.

    rembg keeps them in REMBG_HOME/models/<name>/ (REMBG_HOME: else XDG_DATA_HOME/rembg, else
    ~/.rembg), older versions and U-2-Net in U2NET_HOME or ~/.u2net; the Hugging Face cache in
    models--<owner>--<repository>/snapshots/<revision>/<path>.
    """
    places = [models_folder() / model.file]
    user, data = _user(), _given("XDG_DATA_HOME")
    found = [_given("U2NET_HOME"), user and user / ".u2net"]
    folders = [folder for folder in found if folder is not None]
    found = [_given("REMBG_HOME"), data and data / "rembg", user and user / ".rembg"]
    roots = [folder for folder in found if folder is not None]
    for root in roots:
        folders += [
            root / "models" / name
            for name in (model.name, *model.aliases, model.name.replace("-", "_"))
        ]
        folders.append(root)
    names = _file_names(model)
    places += [folder / name for folder in dict.fromkeys(folders) for name in names]
    owner, _, rest = model.url.partition("huggingface.co/")[2].partition("/resolve/")
    if owner and rest:
        inside = rest.partition("/")[2]
        hub = _hugging_face_hub()
        if hub is not None:
            snapshots = hub / f"models--{owner.replace('/', '--')}" / "snapshots"
            with contextlib.suppress(OSError):  # not there, or not ours to read
                places += [folder / inside for folder in sorted(snapshots.iterdir())]
    return list(dict.fromkeys(places))
