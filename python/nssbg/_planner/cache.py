"""Measured plans on disk: one JSON file, an entry for each machine, model and choice.

The key changes with the processor, the cores this process may use, the devices' nodes, the
libraries' versions and the weights; an entry that no longer fits is never found again. It is
computed without loading a runtime, since the second process's start depends on it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nssbg._hardware import accelerator_nodes, cpu_fingerprint, usable_threads
from nssbg._models.description import ModelDescription
from nssbg._planner.candidates import Candidate, Choice, Measurement

__all__ = ["load", "machine_key", "plan_key", "store"]

_KEPT = 200  # entries; the oldest go first


def _versions() -> list[str]:
    """The installed runtimes by the names of their metadata folders, without reading any.

    importlib.metadata takes longer to import than everything else a plan needs.
    """
    found = []
    for module in ("openvino", "onnxruntime"):
        spec = importlib.util.find_spec(module)
        if spec is None or spec.origin is None:
            continue
        place = Path(spec.origin)
        names = [entry.name for entry in place.parent.parent.glob(f"{module}*.dist-info")]
        found += sorted(names) or [f"{place} {place.stat().st_mtime_ns}"]
    return found


def machine_key() -> str:
    """Sixteen hex digits for this machine and its runtimes, without loading them."""
    parts = [
        cpu_fingerprint(),
        str(usable_threads()),
        *_versions(),
        *(accelerator_nodes() or ()),
        str(Path("/proc/driver/nvidia/version").exists()),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def plan_key(model: ModelDescription, fingerprint: str, choice: Choice) -> str:
    """The key of an entry; fingerprint is that of the weights' file."""
    reading = f"{model.size} {model.output_index} {model.activation} {model.range}"
    return f"{machine_key()} {fingerprint} {reading} {choice.key}"


def _read(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):  # the last: nested beyond all reason
        return {}
    return data if isinstance(data, dict) else {}


def load(path: Path, key: str) -> tuple[Measurement, ...]:
    """The measurements kept under that key; empty where there are none or they are damaged."""
    entry = _read(path).get(key)
    if not isinstance(entry, list):
        return ()
    try:
        return tuple(
            Measurement(**{**item, "candidate": Candidate(**item["candidate"])}) for item in entry
        )
    except (TypeError, KeyError):
        return ()


def store(path: Path, key: str, measured: tuple[Measurement, ...]) -> None:
    """Keep measurements; the file is replaced whole.

    Raises:
        OSError: It cannot be written.
    """
    entries = _read(path)
    entries.pop(key, None)
    entries[key] = [asdict(item) for item in measured]
    kept = dict(list(entries.items())[-_KEPT:])
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".plans-")
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        json.dump(kept, stream, indent=1)
    Path(name).replace(path)
