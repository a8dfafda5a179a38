"""Which network enhances or gives depth, and one of each settings held open between calls."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from nssbg._enhance.depth import DepthNetwork
from nssbg._enhance.image import EnhanceOptions, check_fit
from nssbg._enhance.network import ImageNetwork
from nssbg._errors import ModelError, OptionError
from nssbg._models.catalog import bundled_models, describe
from nssbg._models.license import wanted_use
from nssbg._models.sidecar import ModelDescription, Task
from nssbg._models.task import check_task, named_models
from nssbg._planner.opening import resolve_model

__all__ = ["chosen_model", "depth_network", "image_network"]

Network = TypeVar("Network", ImageNetwork, DepthNetwork)

# Networks held open at once between calls.
_MOST = 2
_opened: dict[tuple[object, ...], ImageNetwork | DepthNetwork] = {}
_lock = threading.Lock()


def _renew_lock() -> None:
    global _lock
    _lock = threading.Lock()


# A thread that does not exist in a forked child may have held it.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


def chosen_model(
    model: str | Path | ModelDescription | None, task: Task, options: EnhanceOptions | None = None
) -> ModelDescription:
    """The network that is named, or one that comes with nssbg and can do what is wanted.

    Where neither a network nor a size is named, a picture to be denoised or deblocked keeps its
    size, and any other is enlarged by 2.

    Raises:
        ModelError: None was named and none comes with nssbg, or it is of another task.
        OptionError: The one that is named cannot do what is wanted.
    """
    if model is not None:
        described = model if isinstance(model, ModelDescription) else describe(model)
        check_task(described, task)
        if options is not None:
            check_fit(described, options)
        return described
    own = [bundled for bundled in bundled_models().values() if bundled.task == task]
    if options is not None:
        own = _fitting(own, options)
    if own:
        return own[0]
    what = {"image": "enhance pictures", "depth": "estimate depth"}[task]
    names = ", ".join(named_models(task))
    raise ModelError(
        f"no network that comes with nssbg can {what} so: name one by model= (known: {names}), or "
        f'give a path to .onnx weights with a sidecar that says task = "{task}"'
    )


def _fitting(models: list[ModelDescription], options: EnhanceOptions) -> list[ModelDescription]:
    """Those that can do what is wanted; first those whose pixels need no averaging."""
    if options.upscale is None:
        keeps_size = options.denoise is not None or options.deblock != "auto"
        options = replace(options, upscale=1 if keeps_size else 2)
    found: list[tuple[int, ModelDescription]] = []
    for model in models:
        try:
            found.append((check_fit(model, options), model))
        except OptionError:
            continue
    return [model for _, model in sorted(found, key=lambda item: item[0])]


def image_network(
    model: ModelDescription, *, device: str, backend: str, threads: int, license: str | None
) -> ImageNetwork:
    """An open network of task "image", shared by all calls with these settings in this process.

    Raises:
        ModelError, LicenseError, DeviceError: See `ImageNetwork`.
    """
    return _shared(ImageNetwork, model, license, device=device, backend=backend, threads=threads)


def depth_network(
    model: ModelDescription,
    *,
    device: str,
    backend: str,
    threads: int,
    license: str | None,
    precision: str = "auto",
) -> DepthNetwork:
    """The same of task "depth".

    Raises:
        ModelError, LicenseError, DeviceError: See `DepthNetwork`.
    """
    return _shared(
        DepthNetwork,
        model,
        license,
        device=device,
        backend=backend,
        precision=precision,
        threads=threads,
    )


def _shared(
    kind: type[Network], model: ModelDescription, license: str | None, **settings: Any
) -> Network:
    """The network that is held with these settings, which are `kind`'s own keywords, or opened."""
    use = wanted_use(license)
    model = resolve_model(model, license=use)
    key = (os.getpid(), kind, model, use, *sorted(settings.items()))
    with _lock:
        network = _opened.pop(key, None)
        if network is None:
            network = kind(model, license=use, **settings)
        _opened[key] = network  # newest last
        while len(_opened) > _MOST:
            # Let go of, not closed: another thread may be using it.
            _opened.pop(next(iter(_opened)))
    assert isinstance(network, kind)
    return network
