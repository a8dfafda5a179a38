"""Which model a request may name: those of the catalog whose weights are here, never a path."""

from __future__ import annotations

import asyncio
import re

from nssbg._errors import LicenseError, ModelError, NssbgError
from nssbg._http.errors import HttpError
from nssbg._models.catalog import catalog, describe, find_model
from nssbg._models.license import check_license, wanted_use
from nssbg._models.sidecar import ModelDescription, Task
from nssbg.compat.rembg.sessions import RemoverSession, sessions

__all__ = ["ModelNames"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
# Methods that are no network of the catalog; their parts allow every use.
_METHODS = ("auto", "studio")
# Before the name, in the engine's own list: a model as rembg's session of that name feeds it.
_REMBG = "rembg:"


class ModelNames:
    """The names that requests may use.

    Args:
        default: What runs where none is named; may be a path, as the operator's alone may be.
        license: The use that the operator asks for, or None.
    """

    def __init__(self, default: str, license: str | None) -> None:
        self.default = default
        self._use = wanted_use(license)
        self._here: set[str] = set()

    def resolve(self, name: str) -> str | ModelDescription:
        """What `Remover` takes for a name that was checked."""
        if name.startswith(_REMBG):
            return _session(name.removeprefix(_REMBG)).description()
        return name

    async def checked(self, name: str | None, license: str | None = None) -> str:
        """The engine's name of a model that a request names.

        Raises:
            HttpError: 422: no such model, or its weights are not here.
            LicenseError: It may not be used as the request, or the operator, asks for.
        """
        if not name and license in (None, "any"):
            return self.default
        return await asyncio.to_thread(self._checked, name or self.default, license)

    async def checked_network(self, name: str, task: Task, license: str | None = None) -> str:
        """The name of a network of another task that a request names.

        Raises:
            HttpError: 422: no such network of that task, or its weights are not here.
            LicenseError: It may not be used as the request, or the operator, asks for.
        """
        return await asyncio.to_thread(self._checked, name, license, task)

    async def checked_rembg(self, name: str | None) -> str:
        """The same of one of rembg's names."""
        if not name or name == self.default:
            return self.default
        return await asyncio.to_thread(self._checked_rembg, name)

    def listed(self) -> list[dict[str, object]]:
        """What requests may name: name, licence, whether it allows commercial use, and its task."""
        found: list[dict[str, object]] = [
            {"name": name, "license": "Apache-2.0", "commercial": True, "task": "matte"}
            for name in _METHODS
        ]
        for name, model in sorted(catalog().items()):
            try:
                self._checked(name, None, model.task)
            except (HttpError, NssbgError):
                continue
            told = {"license": model.license, "commercial": model.commercial, "task": model.task}
            found.append({"name": name, **told})
        return found

    def _checked(self, name: str, license: str | None, task: Task = "matte") -> str:
        if name in _METHODS and task == "matte":
            return name
        if name != self.default and not _is_name(name):
            raise _unknown()
        try:
            described = describe(name)
        except ModelError as error:
            if name == self.default and task == "matte":
                raise
            raise _unknown() from error
        if described.task != task:
            raise HttpError(
                422,
                "model",
                f"that model is of task {described.task}; here one of task {task} is needed, as "
                "GET /v1/models tells",
            )
        for use in {self._use, wanted_use(license)}:
            check_license(described, use)
        if name != self.default and name not in self._here:
            try:
                found = find_model(name)
            except ModelError as error:
                raise _not_here() from error
            if found.path is None:
                raise _not_here()
            self._here.add(name)
        return name

    def _checked_rembg(self, name: str) -> str:
        if name in _METHODS:
            return name
        if name not in sessions:
            return self._checked(name, None)
        kind = _session(name)
        try:
            described = describe(kind.catalog_name)
        except ModelError as error:  # a file of one's own, or a network that nssbg has not
            raise HttpError(
                422, "model", "this server runs models of the catalog; that name is not served"
            ) from error
        try:
            check_license(described, self._use)
            if not kind.has_weights():
                raise _not_here()
        except LicenseError:
            raise
        except ModelError as error:
            raise _not_here() from error
        return _REMBG + name


def _session(name: str) -> type[RemoverSession]:
    kind = sessions.get(name)
    if kind is None or not issubclass(kind, RemoverSession):
        raise _unknown()
    return kind


def _is_name(text: str) -> bool:
    return bool(_NAME.fullmatch(text)) and not text.lower().endswith((".onnx", ".xml"))


def _unknown() -> HttpError:
    return HttpError(
        422, "model", "no model is called so here; GET /v1/models names those that are"
    )


def _not_here() -> HttpError:
    return HttpError(
        422,
        "model",
        "the weights of that model are not on this server; its operator pulls them with `nssbg "
        "models pull`",
    )
