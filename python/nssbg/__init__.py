"""nssbg takes the background out of pictures, on your own machine.

A picture comes in; a straight-alpha cut-out with true edge colours comes out; nothing
leaves the machine. Names are loaded on first use, so that `import nssbg` costs nothing.
"""

from __future__ import annotations

import importlib

from nssbg._runtime_imports import forbid_telemetry

TYPE_CHECKING = False  # typing takes 7 ms to load, all else here half a millisecond
if TYPE_CHECKING:
    from typing import Any

__version__ = "0.1.0"

# Public name -> the private module it lives in. tests/contract pins this table.
_HOMES = {
    "Canvas": "_stages.canvas",
    "Cutout": "_cutout",
    "DeviceError": "_errors",
    "ForkError": "_errors",
    "Gradient": "_stages.compose",
    "ImageDecodeError": "_errors",
    "ImageEncodeError": "_errors",
    "LicenseError": "_errors",
    "ModelError": "_errors",
    "NssbgError": "_errors",
    "OptionError": "_errors",
    "Output": "_stages.outputs",
    "Plan": "_types",
    "Remover": "_remover",
    "Shadow": "_stages.shadow",
    "decontaminate": "_stages.decontaminate",
    "prepare": "_stages.prepare",
    "refine": "_stages.refine",
    "remove": "_remover",
    "suppress_spill": "_stages.decontaminate",
}

__all__ = ["__version__", *_HOMES]

# First of all, before any runtime can be loaded: onnxruntime starts to send while it is imported.
forbid_telemetry()


def __getattr__(name: str) -> Any:
    """Load a public name from its home on first use (PEP 562)."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'nssbg' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"nssbg.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
