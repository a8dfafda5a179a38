"""Translates ONNX Runtime's providers, as rembg takes them, to nssbg's device and backend.

An accelerator that is asked for and cannot run falls to the CPU with a RuntimeWarning, as in
rembg; it never does so in silence.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nssbg._installed import installed
from nssbg._runtime.device_table import PROVIDERS
from nssbg._runtime.plain_session import available_providers
from nssbg._types import Plan
from nssbg._vocabulary import Backend

__all__ = ["CPU_ONLY", "Place", "place_of", "providers_of", "warn_of_cpu"]

# What nssbg calls the device that a provider means.
_DEVICES = {name: provider.device for name, provider in PROVIDERS.items()}
_OPENVINO = "OpenVINOExecutionProvider"
_CPU = "CPUExecutionProvider"
# A plan's device -> the provider that runs there.
_SHOWN = {
    provider.shown: name
    for name, provider in reversed(PROVIDERS.items())  # the best of those that mean one device
    if name != _CPU
}


@dataclass(frozen=True)
class Place:
    """Where a session runs: see `nssbg.Remover` for device and backend.

    Attributes:
        provider: The accelerating provider that was asked for; "" where none was.
    """

    device: str = "auto"
    backend: Backend = "auto"
    provider: str = ""


#: Where everything runs that an accelerator did not take.
CPU_ONLY = Place("cpu")


def place_of(providers: Sequence[Any] | None) -> Place:
    """What nssbg calls the first of the providers that can run here.

    Args:
        providers: Names, or pairs of a name and options; None: nssbg's own choice.
    """
    if providers is None:
        return Place()
    wanted = ""
    for item in providers:
        name, options = (item[0], item[1]) if isinstance(item, (tuple, list)) else (item, {})
        if name == _CPU:
            break
        wanted = wanted or str(name)
        if name == _OPENVINO and installed("openvino"):
            device = str(dict(options).get("device_type", "CPU")).partition("_")[0].lower()
            return Place("auto" if ":" in device else device, "openvino", name)
        if name in _DEVICES and installed("onnxruntime") and name in available_providers():
            index = str(dict(options).get("device_id", 0))
            if index not in ("0", ""):
                warnings.warn(
                    f"{name}: device_id={index} is not taken, device 0 is; choose it with "
                    "CUDA_VISIBLE_DEVICES or its like",
                    RuntimeWarning,
                    stacklevel=5,
                )
            return Place(_DEVICES[name], "onnxruntime", name)
    if wanted:
        warn_of_cpu(wanted, "it is not installed here")
    return CPU_ONLY


def warn_of_cpu(provider: str, why: str) -> None:
    """Say that what was asked for is not what runs."""
    warnings.warn(
        f"{provider} was requested but the session is running on CPU: {why}; `nssbg doctor` says "
        "what to install",
        RuntimeWarning,
        stacklevel=6,
    )


def providers_of(plan: Plan) -> list[str]:
    """The providers that a plan means, best first."""
    if plan.backend == "openvino":
        return [_OPENVINO, _CPU]
    found = _SHOWN.get(plan.device)
    return [found, _CPU] if found else [_CPU]
