"""What `nssbg doctor` tells: the machine, its runtimes, the cache, the plan of each model here.

Looks and predicts; loads no model. The command line prints what `examine` returns.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from nssbg._errors import DeviceError, ModelError, NssbgError
from nssbg._models.catalog import catalog, describe
from nssbg._models.paths import compiled_folder, home, home_problem, models_folder
from nssbg._models.prepared import prepared
from nssbg._models.sidecar import ModelDescription
from nssbg._models.store import locate
from nssbg._planner import PlanRequest, measured, plan
from nssbg._planner.candidates import Candidate
from nssbg._planner.known_costs import known_cost
from nssbg._planner.opening import int8_form
from nssbg._planner.resource_estimate import Fit, fit
from nssbg._runtime.compiled_cache import CompiledCache
from nssbg._runtime.device_table import GPU_NAMES
from nssbg._runtime.devices import Hardware, hardware
from nssbg._runtime_imports import telemetry_doubts, telemetry_measures
from nssbg._types import Plan

__all__ = [
    "CacheReport",
    "Extra",
    "ModelReport",
    "Privacy",
    "Report",
    "examine",
    "model_report",
    "require_device",
]


@dataclass(frozen=True)
class CacheReport:
    """Where things are kept and how much of it there is.

    Attributes:
        home: nssbg's folder.
        writable: Whether it can be written.
        problem: Why it cannot be used, and what to try; "" where it can.
        models_bytes: Bytes of weights that nssbg pulled.
        compiled: Compiled networks kept.
        compiled_bytes: Their bytes.
    """

    home: Path
    writable: bool
    models_bytes: int
    compiled: int
    compiled_bytes: int
    problem: str = ""


@dataclass(frozen=True)
class Extra:
    """A package that would add something.

    Attributes:
        package: What to install.
        installed: Its version, or "".
        adds: What it is for.
    """

    package: str
    installed: str
    adds: str


@dataclass(frozen=True)
class ModelReport:
    """A model, and how it would run here.

    Attributes:
        model: Its description; path says where the weights lie, or None.
        plan: What would run, and why; None where nothing can.
        fit: Predicted memory and time; None where the graph cannot be read.
        problem: What is wrong with it, or "".
    """

    model: ModelDescription
    plan: Plan | None
    fit: Fit | None
    problem: str = ""


@dataclass(frozen=True)
class Privacy:
    """Whether the runtimes' own telemetry is off in this process.

    Attributes:
        sends_nothing: Nothing is known by which a runtime could send something.
        measures: What keeps each runtime from it.
        doubts: What may send something all the same, and what mends it.
    """

    sends_nothing: bool
    measures: tuple[str, ...]
    doubts: tuple[str, ...]


@dataclass(frozen=True)
class Report:
    """All of it."""

    version: str
    privacy: Privacy
    hardware: Hardware
    cache: CacheReport
    models: tuple[ModelReport, ...]
    extras: tuple[Extra, ...]


_EXTRAS = (
    ("openvino", "networks on processors and on Intel GPUs and NPUs"),
    ("onnxruntime", "networks on processors; a second runtime to measure"),
    ("onnxruntime-gpu", "CUDA on NVIDIA GPUs, in place of onnxruntime"),
    ("onnx", "faster BiRefNet graphs, `nssbg quantize`"),
    ("nncf", "int8 models by `nssbg quantize`"),
    ("pillow-heif", "HEIC pictures"),
    ("pillow-jxl-plugin", "JPEG XL pictures"),
)


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _cache() -> CacheReport:
    import os

    folder = home()
    existing = folder
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    entries = CompiledCache(compiled_folder()).entries()
    models = 0
    with contextlib.suppress(OSError):
        models = sum(item.stat().st_size for item in models_folder().iterdir() if item.is_file())
    return CacheReport(
        home=folder,
        writable=os.access(existing, os.W_OK),
        models_bytes=models,
        compiled=len(entries),
        compiled_bytes=sum(size for _, size, _ in entries),
        problem=home_problem(),
    )


def model_report(model: ModelDescription, machine: Hardware, request: PlanRequest) -> ModelReport:
    """How a model would run here, and what that takes.

    Args:
        model: With its path set, by its graph and what was measured; without, by rules and by
            what its architecture is known to cost.
        machine: The hardware.
        request: What the plan is made for.
    """
    try:
        ready = model if model.path is None else prepared(model)
        chosen: Candidate
        made, chosen = plan(
            machine,
            model,
            request,
            () if model.path is None else measured(model, request),
            has_int8=model.path is not None and int8_form(ready) is not None,
        )
    except NssbgError as error:
        return ModelReport(model, None, None, str(error))
    predicted: Fit | None = None
    problem = ""
    if chosen.device.partition(".")[0] == "cpu":
        try:
            predicted = fit(ready, chosen)
        except (NssbgError, RuntimeError, ImportError) as error:
            problem = f"no prediction: {error}"
    return ModelReport(model, made, predicted, problem)


def examine(
    models: tuple[str, ...] = (),
    *,
    all_models: bool = False,
    request: PlanRequest | None = None,
    machine: Hardware | None = None,
) -> Report:
    """Look at the machine and at the models that are here, or at those named.

    Args:
        models: Names or paths, with weights here or a known architecture; empty: every model
            whose weights are here.
        all_models: Also those whose weights are not here.
        request: What the plans are made for.
        machine: The hardware; None: probe it.

    Raises:
        ModelError: A model that was named is unknown, or neither is here nor known what it costs.
    """
    here = machine or hardware()
    wanted = request or PlanRequest()
    reports: list[ModelReport] = []
    for described in [describe(name) for name in models] or list(catalog().values()):
        try:
            where = described.path or locate(described)
        except ModelError as error:
            reports.append(ModelReport(described, None, None, str(error)))
            continue
        if where is None and (all_models or (models and known_cost(described) is not None)):
            reports.append(model_report(described, here, wanted))
            continue
        if where is None:
            if models:
                raise ModelError(
                    f"{described.name}: its weights are not on this machine; "
                    f"try: nssbg models pull {described.name}"
                )
            continue
        reports.append(model_report(described.at(where), here, wanted))
    extras = tuple(Extra(name, _version(name), adds) for name, adds in _EXTRAS)
    doubts = telemetry_doubts()
    own = "nssbg: connects only to pull a model that was named (NSSBG_OFFLINE=1: never)"
    privacy = Privacy(not doubts, (*telemetry_measures(), own), doubts)
    return Report(_version("nssbg"), privacy, here, _cache(), tuple(reports), extras)


def require_device(machine: Hardware, device: str) -> None:
    """For scripts: an error unless a runtime here has that device, ready to run.

    Raises:
        DeviceError: It has not; the message says what stands in the way.
    """
    wanted = device.lower()
    for item in machine.devices:
        names = {item.name, item.id.lower()}
        if not item.problem and (wanted in names or (wanted == "gpu" and item.name in GPU_NAMES)):
            return
    there = ", ".join(dict.fromkeys(item.name for item in machine.devices if not item.problem))
    hints = "; ".join(f"{item.what}: {item.mend}" for item in machine.conflicts)
    raise DeviceError(
        f"device {device!r} is required, there is: {there or 'none'}"
        + (f"; {hints}" if hints else "")
    )
