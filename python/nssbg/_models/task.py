"""What a network is for: refuses one at a door that another kind of network belongs to."""

from __future__ import annotations

from nssbg._errors import ModelError
from nssbg._models.catalog import builtin_catalog
from nssbg._models.sidecar import ModelDescription, Task

__all__ = ["check_task", "named_models"]

_DOORS = {
    "matte": "gives an alpha: nssbg.remove, `nssbg remove`",
    "image": "gives an enlarged or restored image: nssbg.enhance, `nssbg enhance`",
    "depth": "gives depth: nssbg.depth, a background's blur",
}


def named_models(task: Task) -> list[str]:
    """Names of the catalog's networks for a task."""
    return [name for name, model in builtin_catalog().items() if model.task == task]


def check_task(model: ModelDescription, task: Task) -> None:
    """Refuse a network of another task.

    Raises:
        ModelError: It is one.
    """
    if model.task == task:
        return
    names = ", ".join(named_models(task)) or "none yet"
    raise ModelError(
        f"{model.path or model.name}: {_DOORS[model.task]}; here one is needed whose description "
        f'says task = "{task}", by name {names}'
    )
