"""Which models `nssbg bench` measures: those named, those that are here, and synthetic ones.

In: settings. Out: each model as results name it and as workers open it, with what its graph costs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nssbg import _fs
from nssbg._errors import ModelError, NssbgError, OptionError
from nssbg._models.catalog import describe, matting_models
from nssbg._models.license import check_license
from nssbg._models.prepared import prepared
from nssbg._models.sidecar import ModelDescription
from nssbg._models.store import locate
from nssbg._planner.graph_cost import GraphCost, graph_cost
from nssbg._planner.opening import int8_form
from nssbg.bench.cells import STUDIO, Absent
from nssbg.bench.settings import Settings

__all__ = ["Model", "models_to_measure"]

_log = logging.getLogger("nssbg")


@dataclass(frozen=True)
class Model:
    """A model to measure.

    Attributes:
        name: As results show it.
        opens: As workers open it: a name or a path.
        described: As the catalog or its sidecar has it, its path set.
        ready: As it is run, prepared for the runtimes.
        cost: Of its graph; None where that cannot be counted.
    """

    name: str
    opens: str
    described: ModelDescription
    ready: ModelDescription
    cost: GraphCost | None

    @property
    def has_int8(self) -> bool:
        """Whether an int8 form of these weights is here."""
        return int8_form(self.ready) is not None


def _synthetic(name: str, folder: Path) -> ModelDescription:
    """An architecture with random weights, as a file with the sidecar by which workers open it."""
    from nssbg.bench import synthetic

    path = synthetic.make(name, folder / f"synthetic-{name}.onnx")
    described = synthetic.describe(name, path)
    lines = [
        f'name = "{described.name}"',
        f"size = {described.height}",
        f'activation = "{described.activation}"',
        f'range = "{described.range}"',
        f'license = "{described.license}"',
        "commercial = true",
    ]
    _fs.write(path.with_name(f"{path.name}.toml"), "\n".join(lines).encode(), sync=False)
    return described


def models_to_measure(
    settings: Settings, folder: Path, progress: Callable[[str], None]
) -> tuple[list[Model], list[Absent]]:
    """The models to measure, and those that are here and may not be used."""
    named = [name for name in settings.models if name != STUDIO]
    found: list[Model] = []
    absent: list[Absent] = []
    for described in [describe(name) for name in named] if settings.models else _here(settings):
        where = described.path or locate(described)
        if where is None:
            raise ModelError(
                f"{described.name}: its weights are not on this machine; "
                f"try: nssbg models pull {described.name}"
            )
        try:
            check_license(described, None)
        except NssbgError as error:
            if named:
                raise
            absent.append(Absent(described.name, "", "", "", str(error), "--license any"))
            continue
        opens = str(where) if described.path else described.name
        found.append(_model(described.name, opens, described.at(where)))
    for name in settings.synthetic:
        progress(f"drawing random weights for {name}")
        described = _synthetic(name, folder)
        found.append(_model(described.name, str(described.path), described))
    if len({model.name for model in found}) < len(found):
        raise OptionError("two of the models have the same name; name each once")
    return found, absent


def _here(settings: Settings) -> list[ModelDescription]:
    return [] if settings.synthetic else [m for m in matting_models() if m.path or locate(m)]


def _model(name: str, opens: str, described: ModelDescription) -> Model:
    ready = prepared(described)
    cost = None
    try:
        cost = graph_cost(ready)
    except (NssbgError, RuntimeError, ImportError) as error:
        _log.info("%s: no floor, its graph cannot be counted: %s", name, error)
    return Model(name, opens, described, ready, cost)
