"""Every model by name: the built-in catalog, sidecars of one's own, other packages' models.

In: a name or a path. Out: a ModelDescription, its path set where the weights are on this
machine. Names of one's own go before entry points, those before the built-in ones.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from nssbg._errors import ModelError
from nssbg._models.paths import catalog_folder
from nssbg._models.sidecar import (
    ModelDescription,
    description_from_mapping,
    find_sidecar,
    read_sidecar,
    read_toml,
)

__all__ = [
    "ENTRY_POINT_GROUP",
    "builtin_catalog",
    "bundled_models",
    "catalog",
    "describe",
    "find_model",
    "matting_models",
]

log = logging.getLogger("nssbg")

ENTRY_POINT_GROUP = "nssbg.models"


@functools.lru_cache(maxsize=1)
def builtin_catalog() -> dict[str, ModelDescription]:
    """The models of catalog.toml, by name."""
    path = Path(__file__).with_name("catalog.toml")
    return {
        name: description_from_mapping({"name": name, **entry}, source=f"{path.name} [{name}]")
        for name, entry in read_toml(path).items()
    }


@functools.lru_cache(maxsize=1)
def bundled_models() -> dict[str, ModelDescription]:
    """The networks that come in the wheel, their paths set, by name."""
    return _from_folder(Path(__file__).with_name("bundled"))


def _from_entry_points() -> dict[str, ModelDescription]:
    import importlib.metadata

    found: dict[str, ModelDescription] = {}
    for point in importlib.metadata.entry_points(group=ENTRY_POINT_GROUP):
        try:
            value: Any = point.load()
            if callable(value):
                value = value()
            items = [value] if isinstance(value, (ModelDescription, str, Path, dict)) else value
            for item in items:
                described = _described(item, source=f"entry point {point.name} ({point.value})")
                found[described.name] = described
        except Exception as error:  # another package's code must not take nssbg down
            log.warning("models of entry point %s are left out: %s", point.name, error)
    return found


def _described(item: Any, *, source: str) -> ModelDescription:
    if isinstance(item, ModelDescription):
        return item
    if isinstance(item, dict):
        return description_from_mapping(item, source=source)
    return read_sidecar(Path(item))


def _from_folder(folder: Path) -> dict[str, ModelDescription]:
    found: dict[str, ModelDescription] = {}
    if not folder.is_dir():
        return found
    for path in sorted([*folder.glob("*.toml"), *folder.glob("*.json")]):
        try:
            described = read_sidecar(path)
        except ModelError as error:
            log.warning("a model of one's own is left out: %s", error)
            continue
        found[described.name] = described
    return found


def catalog() -> dict[str, ModelDescription]:
    """All models known here, by name; paths are not looked up but for sidecars' weights."""
    return {
        **bundled_models(),
        **builtin_catalog(),
        **_from_entry_points(),
        **_from_folder(catalog_folder()),
    }


def matting_models() -> list[ModelDescription]:
    """Those of `catalog` that give an alpha: what can be chosen to remove a background."""
    return [model for model in catalog().values() if model.task == "matte"]


def _by_alias(models: Iterable[ModelDescription], name: str) -> ModelDescription | None:
    wanted = name.lower().replace("_", "-")
    for model in models:
        if wanted in (item.lower().replace("_", "-") for item in (model.name, *model.aliases)):
            return model
    return None


def describe(name: str | Path) -> ModelDescription:
    """The model of that name, or the one whose weights lie at that path.

    A path needs a sidecar beside it, or a file name that the catalog knows.

    Raises:
        ModelError: Unknown name, no such file, no description of it.
    """
    text = str(name)
    try:
        path = Path(name).expanduser()
    except RuntimeError as error:  # ~user of nobody
        raise ModelError(f"{text}: no such file: {error}") from error
    if path.suffix in (".onnx", ".xml") or len(path.parts) > 1:
        if not path.is_file():
            raise ModelError(f"{path}: no such file; expected .onnx weights or an OpenVINO .xml")
        if path.suffix not in (".onnx", ".xml"):
            raise ModelError(f"{path}: expected .onnx weights or an OpenVINO .xml")
        sidecar = find_sidecar(path)
        if sidecar is not None:
            return read_sidecar(sidecar, weights=path)
        for model in builtin_catalog().values():
            if (
                path.name in (model.file, model.url.rpartition("/")[2])
                and path.name != "model.onnx"
            ):
                return replace(model, path=path)
        raise ModelError(
            f"{path}: nothing says how it is fed; put a sidecar beside it, {path.name}.toml, "
            "with at least `size = 1024` (docs/third-party-models.md)"
        )
    # Entry points cost a look at every installed package: only for names not known without.
    # Each of the others is only read where the one before does not know the name.
    own = _from_folder(catalog_folder())
    if text in own:
        return own[text]
    for models in (bundled_models, builtin_catalog):
        if text in models():
            return models()[text]
    found = _by_alias([*own.values(), *builtin_catalog().values()], text)
    if found is None:
        others = _from_entry_points()
        found = others.get(text) or _by_alias(others.values(), text)
    if found is None:
        from difflib import get_close_matches

        near = get_close_matches(text, [*own, *builtin_catalog()], n=3, cutoff=0.5)
        hint = f"; near it: {', '.join(near)}" if near else ""
        raise ModelError(f"no model is called {text!r}{hint}; `nssbg models list` shows all")
    return found


def find_model(name: str | Path) -> ModelDescription:
    """As describe, its path set where the weights are on this machine.

    Raises:
        ModelError: As describe, or the weights that were found are not the published ones.
    """
    model = describe(name)
    if model.path is not None:
        return model
    from nssbg._models.store import locate

    where = locate(model)
    return model if where is None else model.at(where)
