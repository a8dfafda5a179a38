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
    "Batch": "batch.engine",
    "Canvas": "_compose.canvas",
    "Corrections": "_corrections",
    "Cutout": "_cutout",
    "DeviceError": "_errors",
    "ForkError": "_errors",
    "Gradient": "_compose.background",
    "ImageDecodeError": "_errors",
    "ImageEncodeError": "_errors",
    "LicenseError": "_errors",
    "ModelError": "_errors",
    "NssbgError": "_errors",
    "OptionError": "_errors",
    "Output": "_compose.output",
    "Plan": "_types",
    "Remover": "_remover",
    "Shadow": "_compose.shadow",
    "cut_rows": "batch.core",
    "decontaminate": "_ops.foreground",
    "prepare": "_ops.prepare",
    "refine": "_ops.refine",
    "remove": "_remover",
    "suppress_spill": "_ops.foreground",
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
