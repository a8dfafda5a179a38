"""From a model's name to a running network: find, prepare, plan, open; and the tuning.

`open_model` is what the pipeline calls. It loads no runtime but the one that runs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nssbg._errors import DeviceError, ModelError
from nssbg._models.catalog import describe
from nssbg._models.fingerprint import weights_fingerprint
from nssbg._models.int8 import published_file
from nssbg._models.license import check_license, license_line
from nssbg._models.paths import compiled_folder, models_folder
from nssbg._models.prepared import left_in_pieces, prepared
from nssbg._models.sidecar import ModelDescription
from nssbg._models.store import pull
from nssbg._planner.candidate_backend import int8_source, open_candidate
from nssbg._planner.candidates import (
    BatchRun,
    Candidate,
    Measurement,
    PlanRequest,
    candidates,
    plan_reasons,
    ranked,
)
from nssbg._planner.store import keep, measured
from nssbg._runtime import Backend, open_backend
from nssbg._runtime.devices import Hardware, hardware, processor, usable_threads

__all__ = ["int8_form", "open_model", "resolve_model", "tune"]

log = logging.getLogger("nssbg")


def resolve_model(
    model: str | Path | ModelDescription, *, license: str | None = None
) -> ModelDescription:
    """The model with its weights on this machine; pulled if they are not here yet.

    Raises:
        LicenseError: Its licence was refused (asked before anything is downloaded).
        ModelError: Unknown, or its weights cannot be had.
    """
    described = model if isinstance(model, ModelDescription) else describe(model)
    check_license(described, license)
    if described.path is None:
        described = described.at(pull(described, license=license))
    return described


def int8_form(model: ModelDescription) -> ModelDescription | None:
    """The int8 form of these weights here, or None.

    What `nssbg quantize` made of them, else what was published beside them; the latter's
    description keeps its `int8`, the bound that it was published with.
    """
    if model.path is None or model.path.suffix != ".onnx":
        return None
    name = f"{model.name}-{weights_fingerprint(model.path)}.int8.onnx"
    path = models_folder() / name
    if path.is_file():
        return replace(model, precision="int8", path=path, file=name, int8=None)
    published = None if model.int8 is None else published_file(model.int8, model.path)
    if published is None:
        return None
    return replace(model, precision="int8", path=published, file=published.name)


def open_model(
    model: str | Path | ModelDescription,
    *,
    backend: str = "auto",
    device: str = "auto",
    precision: str = "auto",
    threads: int = 0,
    goal: str = "latency",
    license: str | None = None,
    batch: int = 1,
    run: BatchRun | None = None,
    samples: Callable[[ModelDescription], Sequence[NDArray[np.float32]]] | None = None,
) -> tuple[ModelDescription, Backend]:
    """A model by name or path, its weights pulled if need be, opened as the plan says.

    Args:
        model: A catalog name, a path to .onnx or .xml with a sidecar, or a description.
        backend: "auto", "onnxruntime", "openvino" or "fake".
        device: "auto", "cpu", "gpu", "npu", "cuda", ...; one named here runs or it is an error.
        precision: "auto", "float32", "bfloat16", "float16" or "int8".
        threads: Threads for the runtime; 0: all usable cores.
        goal: "latency" or "throughput": which measurements count.
        license: "any" or "commercial"; None: NSSBG_LICENSE, else "any".
        batch: Items in one tensor that the graph is compiled for, where nothing was measured.
        run: The run over many pictures that it is opened for, which may measure at its start
            what nothing was measured for (first_use.py); None: it is not for one.
        samples: Gives pictures of the run as the model is fed, to check alphas on.

    Returns:
        The description (how to feed it and read it) and the open backend.

    Raises:
        LicenseError, ModelError, DeviceError, OptionError: As their names say.
    """
    if backend == "fake":
        described = model if isinstance(model, ModelDescription) else describe(model)
        return described, open_backend(described, backend="fake", threads=threads)
    described = resolve_model(model, license=license)
    ready = prepared(described)
    max_concurrency = 0 if run is None else run.max_concurrency
    request = PlanRequest(backend, device.lower(), precision, threads, goal, max_concurrency)
    found = measured(described, request)
    note = ""
    if not found and run is not None:
        from nssbg._planner.autotune import autotune_run

        found, note = autotune_run(
            described,
            ready,
            replace(request, threads=usable_threads(threads)),
            run,
            int8=_unasked(int8_form(ready), precision),
            cache=compiled_folder(),
            samples=samples,
        )
    good = ranked(found)
    for item in good:
        chosen = item.candidate
        int8 = int8_form(ready) if chosen.precision == "int8" else None
        try:
            opened = _batching(open_candidate(ready, chosen, int8, compiled_folder()), chosen)
        except (DeviceError, ModelError) as error:
            # The machine is not as it was when it was measured: say so, take the next.
            log.warning("%s: measured as best, does not open now: %s", chosen, error)
            continue
        reasons = (*plan_reasons(good, found), *_int8_reasons(int8), note)
        _explain(opened, described, reasons, left_in_pieces(ready))
        return described, opened
    source, told = ready, [note]
    if precision == "int8":
        source = int8_source(ready, int8_form(ready))
        told += _int8_reasons(source)
    streams = 1
    if run is not None:
        from nssbg._planner.autotune import streams_by_rule

        streams = streams_by_rule(ready, usable_threads(threads))
    opened = open_backend(
        source,
        backend=backend,
        device=device,
        precision="auto" if precision == "int8" else precision,
        threads=threads,
        streams=streams,
        batch=batch,
        cache=compiled_folder(),
    )
    _explain(opened, described, told, left_in_pieces(ready))
    return described, opened


def _batching(opened: Backend, chosen: Candidate) -> Backend:
    """The backend behind what joins single pictures to batches, where it was chosen for that."""
    if chosen.batch == 1:
        return opened
    from nssbg._runtime.batching import DynamicBatching

    return DynamicBatching(opened, chosen.batch)


def _unasked(form: ModelDescription | None, precision: str) -> ModelDescription | None:
    """The int8 form that a run may measure and take by itself.

    A published one has the wider bound of its release: unless int8 was asked for, `tune` alone
    takes it, and a longer batch does not give another alpha than a short one.
    """
    published = form is not None and form.int8 is not None
    return None if published and precision != "int8" else form


def _int8_reasons(source: ModelDescription | None) -> list[str]:
    """How far a published int8 form was measured off, and what it runs on, as a plan says it."""
    if source is None or source.int8 is None:
        return []
    lines = [str(source.int8)]
    if not processor().int8:
        line = "this processor has no int8 dot products (VNNI): int8 is slower, and may saturate"
        log.warning("%s: %s", source.name, line)
        lines.append(line)
    return lines


def _explain(
    opened: Backend, model: ModelDescription, reasons: Sequence[str], fallback: str
) -> None:
    lines = [line for line in (*reasons, license_line(model)) if line]
    opened.plan = replace(
        opened.plan,
        reasons=(*opened.plan.reasons, *lines),
        fallbacks=(*opened.plan.fallbacks, *([fallback] if fallback else [])),
    )


def tune(
    model: str | Path | ModelDescription,
    request: PlanRequest | None = None,
    *,
    machine: Hardware | None = None,
    tensors: Sequence[NDArray[np.float32]] = (),
    rounds: int = 7,
    seconds: float = 60.0,
    license: str | None = None,
    progress: Callable[[str], None] | None = None,
) -> tuple[Measurement, ...]:
    """Measure every candidate for a model here and keep what was found.

    Args:
        model: As open_model takes it.
        request: Narrows the candidates; None: everything.
        machine: The hardware; None: probe it.
        tensors: Calibration pictures as the model is fed; empty: made ones.
        rounds: Timed runs a candidate.
        seconds: After this no further round is started.
        license: As in open_model.
        progress: Called with a line for each step.

    Returns:
        The measurements; also kept on disk, where open_model finds them.
    """
    from nssbg._planner.benchmark import benchmark_candidates
    from nssbg._planner.resource_estimate import memory_shortfall

    described = resolve_model(model, license=license)
    wanted = request or PlanRequest()
    ready = prepared(described)
    assert described.path is not None
    quantized = int8_form(ready)
    try:
        memory = memory_shortfall(ready)
    except (ModelError, RuntimeError, ImportError) as error:
        log.info("%s: no prediction of its memory: %s", described.name, error)
        memory = None
    found = benchmark_candidates(
        ready,
        candidates(machine or hardware(), described, wanted, has_int8=quantized is not None),
        tensors=tensors,
        int8=quantized,
        cache=compiled_folder(),
        rounds=rounds,
        seconds=seconds,
        memory=memory,
        progress=progress,
    )
    keep(described, wanted, found)
    return found
