"""Where things lie: nssbg's own folder, and where other programs keep the same weights.

NSSBG_HOME, else the platform's cache folder, holds models/ (weights), compiled/ (what the
runtimes made of them), plans.json (measured plans) and catalog/ (sidecars of one's own).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from nssbg._models.description import ModelDescription

__all__ = [
    "catalog_folder",
    "compiled_folder",
    "home",
    "known_locations",
    "models_folder",
    "plans_file",
]


def home() -> Path:
    """nssbg's folder; it need not exist."""
    chosen = os.environ.get("NSSBG_HOME")
    if chosen:
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA")
        return Path(base or Path.home() / "AppData" / "Local") / "nssbg"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "nssbg"
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "nssbg"


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


def _file_names(model: ModelDescription) -> list[str]:
    names = [model.file, f"{model.name}.onnx", *(f"{alias}.onnx" for alias in model.aliases)]
    if model.url.endswith(".onnx"):
        names.append(model.url.rpartition("/")[2])
    return [name for name in dict.fromkeys(names) if name != "model.onnx"]


def _hugging_face_hub() -> Path:
    if os.environ.get("HF_HUB_CACHE"):
        return Path(os.environ["HF_HUB_CACHE"]).expanduser()
    if os.environ.get("HF_HOME"):
        return Path(os.environ["HF_HOME"]).expanduser() / "hub"
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "huggingface" / "hub"


def known_locations(model: ModelDescription) -> list[Path]:
    """Files where the weights may already lie, nssbg's own place first.

    rembg keeps them in REMBG_HOME/models/<name>/ (REMBG_HOME: else XDG_DATA_HOME/rembg, else
    ~/.rembg), older versions and U-2-Net in U2NET_HOME or ~/.u2net; the Hugging Face cache in
    models--<owner>--<repository>/snapshots/<revision>/<path>.
    """
    places = [models_folder() / model.file]
    user = Path.home()
    folders = [Path(os.environ[key]).expanduser() for key in ("U2NET_HOME",) if os.environ.get(key)]
    folders.append(user / ".u2net")
    roots = []
    if os.environ.get("REMBG_HOME"):
        roots.append(Path(os.environ["REMBG_HOME"]).expanduser())
    if os.environ.get("XDG_DATA_HOME"):
        roots.append(Path(os.environ["XDG_DATA_HOME"]).expanduser() / "rembg")
    roots.append(user / ".rembg")
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
        snapshots = _hugging_face_hub() / f"models--{owner.replace('/', '--')}" / "snapshots"
        if snapshots.is_dir():
            places += [folder / inside for folder in sorted(snapshots.iterdir())]
    return list(dict.fromkeys(places))
