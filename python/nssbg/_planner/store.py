"""Measured plans on disk: one JSON file, an entry for each machine, model and choice.

The key changes with the processor, the cores this process may use, the devices' nodes, the
libraries' versions and the weights; an entry that no longer fits is never found again. It is
computed without loading a runtime, since the second process's start depends on it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import logging
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from nssbg._json_store import read_json, write_json
from nssbg._models.fingerprint import weights_fingerprint
from nssbg._models.paths import plans_file
from nssbg._models.sidecar import ModelDescription
from nssbg._planner.candidates import Candidate, Measurement, PlanRequest
from nssbg._runtime.devices import accelerator_nodes, cpu_fingerprint, usable_threads

__all__ = ["keep", "load", "machine_key", "measured", "plan_key", "store"]

log = logging.getLogger("nssbg")

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


def plan_key(model: ModelDescription, fingerprint: str, request: PlanRequest) -> str:
    """The key of an entry; fingerprint is that of the weights' file."""
    # An image network's tiles follow the picture: what is fastest is measured at one size for all.
    size = "tiles" if model.task == "image" else model.size
    reading = f"{size} {model.output_index} {model.activation} {model.range}"
    return f"{machine_key()} {fingerprint} {reading} {request.key}"


_NUMBERS = {"milliseconds", "mean_error", "max_error"}


def _measurement(item: dict[str, Any]) -> Measurement:
    """One kept measurement; TypeError, KeyError or ValueError where it cannot be one."""
    run = item["candidate"]
    for key, value in {**item, **run}.items():
        if key == "candidate":
            continue
        kind: type | tuple[type, ...] = (int, float) if key in _NUMBERS else str
        if key in ("threads", "streams", "batch"):
            kind = int
        if not isinstance(value, kind) or isinstance(value, bool):
            raise TypeError(key)
        if isinstance(value, (int, float)) and not 0 <= value < 1e12:
            raise ValueError(key)
    return Measurement(**{**item, "candidate": Candidate(**run)})


def load(path: Path, key: str) -> tuple[Measurement, ...]:
    """The measurements kept under that key; empty where there are none or they are damaged."""
    entry = read_json(path).get(key)
    if entry is None:
        return ()
    try:
        return tuple(_measurement(item) for item in entry)
    except (TypeError, KeyError, ValueError) as error:
        log.warning("%s: a damaged entry is ignored and made again: %s", path, error)
        return ()


def store(path: Path, key: str, measured: tuple[Measurement, ...]) -> None:
    """Keep measurements; the file is replaced whole.

    Raises:
        OSError: It cannot be written.
    """
    entries = read_json(path)
    entries.pop(key, None)
    entries[key] = [asdict(item) for item in measured]
    write_json(path, dict(list(entries.items())[-_KEPT:]))


def measured(model: ModelDescription, request: PlanRequest) -> tuple[Measurement, ...]:
    """What tuning found for this model on this machine, for this choice or a wider one."""
    assert model.path is not None
    fingerprint = weights_fingerprint(model.path)
    # What was measured for everything serves a narrower choice too.
    exact = replace(request, max_concurrency=0)
    wider = PlanRequest(threads=request.threads, goal=request.goal)
    for tried in dict.fromkeys((exact, wider, PlanRequest(goal=request.goal))):
        found = load(plans_file(), plan_key(model, fingerprint, tried))
        allowed = tuple(item for item in found if _allowed(item.candidate, request))
        if allowed:
            return allowed
    return ()


def keep(model: ModelDescription, request: PlanRequest, found: tuple[Measurement, ...]) -> None:
    """Keep measurements for this choice; a folder that cannot be written is only logged."""
    assert model.path is not None
    key = plan_key(model, weights_fingerprint(model.path), request)
    try:
        store(plans_file(), key, found)
    except OSError as error:
        log.warning("%s: measurements are not kept: %s", plans_file(), error)


def _allowed(candidate: Candidate, request: PlanRequest) -> bool:
    device = candidate.device.partition(".")[0]
    gpu = request.device == "gpu" and device not in ("cpu", "npu")
    return (
        request.backend in ("auto", candidate.backend)
        and (request.device in ("auto", device, candidate.device) or gpu)
        and request.precision in ("auto", candidate.precision)
        and request.threads in (0, candidate.threads)
        and (
            candidate.batch == 1 or candidate.batch <= (request.max_concurrency or candidate.batch)
        )
    )
