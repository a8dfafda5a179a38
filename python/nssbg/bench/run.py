"""`nssbg bench` from settings to a document: what is here, what it costs.

Models are opened through the planner and the runtimes, pictures cut out through the pipeline, each
candidate in a process of its own. Nothing is written but a temporary folder.
"""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nssbg import _fs
from nssbg import _io as image_io
from nssbg._errors import OptionError
from nssbg._memory import available_memory
from nssbg._pipeline.memory_estimate import predicted_bytes
from nssbg._planner import Candidate as PlannedCandidate
from nssbg._planner import PlanRequest, measured
from nssbg._planner.autotune import streams_by_rule
from nssbg._planner.candidates import ranked
from nssbg._planner.machine_peaks import MachinePeaks, measure_peaks
from nssbg._planner.resource_estimate import predicted_peak
from nssbg._runtime.devices import Processor, hardware
from nssbg.bench import pictures as drawn
from nssbg.bench.cells import STUDIO, Absent, Asked, Way, studio_way, ways
from nssbg.bench.document import Picture, Quality, build_document
from nssbg.bench.energy import source_of_energy
from nssbg.bench.group import Job, Record, measure_cold, measure_group
from nssbg.bench.machine import describe_machine
from nssbg.bench.models import Model, models_to_measure
from nssbg.bench.processes import Worker, WorkerError
from nssbg.bench.settings import Scenario, Scope, Settings

__all__ = ["run_bench"]

_log = logging.getLogger("nssbg")

# Of the free memory that the candidates of one group may take together.
_SHARE_OF_MEMORY = 0.6
# A process with nothing open, and a pipeline's own buffers.
_PROCESS_BYTES = 150 << 20
# Pictures in one tensor on devices of their own (docs/decisions/0804-many-pictures.md).
_DEVICE_BATCH = 4


def run_bench(
    settings: Settings,
    *,
    command: Sequence[str] = (),
    progress: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Measure what the settings name.

    Args:
        settings: What to measure.
        command: The command line, for the document.
        progress: Called with a line for each step.

    Returns:
        A document of the schema nssbg.bench/1.

    Raises:
        OptionError: Nothing is left to measure, or a word names nothing.
        ModelError: A model that was named is unknown or not here.
    """
    machine = hardware()
    # Before anything is measured: the load is that of others.
    told = describe_machine(machine, source_of_energy())
    with tempfile.TemporaryDirectory(prefix="nssbg-bench-") as name:
        folder = Path(name)
        models, absent = models_to_measure(settings, folder, progress)
        found, missing = ways(
            machine, [(model.described, model.has_int8) for model in models], settings.wishes
        )
        absent += missing
        if not settings.models or STUDIO in settings.models:
            without = _no_studio(settings)
            if not without:
                counts = settings.wishes.threads or (machine.processor.usable_cores,)
                found += [studio_way(count) for count in counts]
            elif STUDIO in settings.models:
                absent.append(Absent(STUDIO, "core", "cpu", "float32", *without, named=True))
        if not found:
            reasons = dict.fromkeys(f"{one.backend} {one.device}: {one.reason}" for one in absent)
            raise OptionError(
                f"nothing of what was asked for is here to measure ({'; '.join(reasons)})"
            )
        progress("measuring the machine: memory, float32, bfloat16, int8")
        peaks = _peaks(settings, machine.processor)
        pictures = _pictures(settings, folder, progress)
        by_name = {model.name: model for model in models}
        records: list[Record] = []
        alphas: dict[tuple[str, Asked], Path] = {}
        interrupted = False
        try:
            for done in _measure(settings, found, by_name, pictures, folder, alphas, progress):
                records += done
        except KeyboardInterrupt:  # hours may have gone into what there is
            progress("stopped; telling what was measured so far")
            interrupted = True
        quality = _quality(records, alphas, by_name, folder, progress)
        if not settings.quick and not interrupted:
            # A peak is the most that was ever reached: what others did at the start may be over.
            progress("measuring the machine again")
            peaks = peaks.best_of(_peaks(settings, machine.processor))
        return build_document(
            settings,
            command=command,
            machine=told,
            runtimes=machine.runtimes,
            peaks=peaks,
            pictures=pictures,
            records=records,
            absent=absent,
            costs={model.name: model.cost for model in models},
            descriptions={model.name: model.ready for model in models},
            quality=quality,
            interrupted=interrupted,
        )


def _peaks(settings: Settings, processor: Processor) -> MachinePeaks:
    return measure_peaks(
        processor.usable_cores,
        bfloat16=processor.bfloat16,
        megabytes=64 if settings.quick else 192,
        runs=2 if settings.quick else 9,
    )


def _no_studio(settings: Settings) -> tuple[str, str] | tuple[()]:
    """Why the studio method is not measured, and what would bring it; empty where it is."""
    wishes = settings.wishes
    if wishes.backends:
        return "it runs on nssbg's own kernels, not on a runtime", "leave -b out"
    if wishes.devices and "cpu" not in wishes.devices:
        return "it runs on the processor", "-d cpu"
    if wishes.precisions and "float32" not in wishes.precisions:
        return "it has no network to compute in another precision", "-p float32"
    if settings.scopes == ("network",):
        return "it has no network", "--scope stages or picture"
    return () if not settings.synthetic or STUDIO in settings.models else ("not asked for", "")


def _pictures(
    settings: Settings, folder: Path, progress: Callable[[str], None]
) -> dict[str, list[Picture]]:
    """Name of a size -> its pictures, as files; empty where only networks run."""
    if settings.scopes == ("network",):
        return {}
    if settings.pictures:
        # One set, as the fixed one is: a sample is their mean.
        given = [_given(Path(name)) for name in settings.pictures]
        return {given[0].name if len(given) == 1 else f"{len(given)} given": given}
    found = {}
    for megapixels in settings.sizes:
        size = f"{megapixels:g}MP"
        progress(f"drawing the pictures of {size}")
        found[size] = [_drawn(scene, megapixels, folder) for scene in drawn.SCENES]
    return found


def _drawn(scene: str, megapixels: float, folder: Path) -> Picture:
    pixels = drawn.draw(scene, *drawn.size_of(megapixels))
    path = folder / f"{scene}-{megapixels:g}MP.jpg"
    _fs.write(path, image_io.encode(pixels, format="jpeg", quality=92), sync=False)
    return Picture.of(path, scene, pixels=pixels)


def _given(path: Path) -> Picture:
    return Picture.of(path, path.name, pixels=image_io.decode(path).rgb)


def _measure(
    settings: Settings,
    found: Sequence[Way],
    models: dict[str, Model],
    pictures: dict[str, list[Picture]],
    folder: Path,
    alphas: dict[tuple[str, Asked], Path],
    progress: Callable[[str], None],
) -> Iterator[list[Record]]:
    """Every group in turn: a scope, a scenario, a size; fills `alphas`."""
    for scope, scenario, size in _kinds(settings, pictures):
        files = tuple(picture.path for picture in pictures.get(size, ()))
        jobs = [
            _job(way, models.get(way.model), scope, scenario, size, files)
            for way in found
            if way.model != STUDIO or scope != "network"
        ]
        if scenario == "cold":
            yield measure_cold(jobs, settings, folder, progress=progress)
            continue
        for part, refused in _within_memory(jobs, models):
            yield refused
            yield measure_group(part, settings, folder, alphas=alphas, progress=progress)


def _kinds(
    settings: Settings, pictures: dict[str, list[Picture]]
) -> Iterator[tuple[Scope, Scenario, str]]:
    """The groups; what makes none is left out: a stage has no batch and no cold start."""
    for scope in settings.scopes:
        for scenario in settings.scenarios:
            if scope == "network":
                yield scope, scenario, ""
            elif scope == "picture" and scenario == "cold":
                # The start does not grow with the picture: the smallest tells it.
                yield scope, scenario, min(pictures, key=lambda name: pictures[name][0].pixels)
            elif scope == "picture" or scenario == "single":
                for size in pictures:
                    yield scope, scenario, size


def _layout(asked: Asked, model: Model) -> Asked:
    """With the streams and the batch that the planner takes for many pictures.

    What `nssbg tune --goal throughput` measured to be best here, else its rule.
    """
    for item in ranked(measured(model.described, PlanRequest(goal="throughput"))):
        found = item.candidate
        if replace(found, streams=1, batch=1) == PlannedCandidate(**vars(asked)):
            return replace(asked, streams=found.streams, batch=found.batch)
    if asked.device.partition(".")[0] == "cpu":
        return replace(asked, streams=streams_by_rule(model.ready, asked.threads))
    # A picture waits for the network in a worker, of which there is one a thread.
    joined = model.described.static and asked.threads >= _DEVICE_BATCH
    return replace(asked, batch=_DEVICE_BATCH) if joined else asked


def _job(
    way: Way,
    model: Model | None,
    scope: Scope,
    scenario: Scenario,
    size: str,
    files: tuple[Path, ...],
) -> Job:
    asked = way.asked
    if scenario == "batch" and model is not None:
        asked = _layout(asked, model)
    opens = STUDIO if model is None else model.opens
    chosen = files[:1] if scenario == "cold" else files
    return Job(way.model, opens, asked, scope, scenario, size, chosen)


def _predicted(job: Job, models: dict[str, Model]) -> int:
    """Bytes that a job's process is predicted to take."""
    need = _PROCESS_BYTES
    model = models.get(job.name)
    if model is not None and model.cost is not None:
        need = max(need, predicted_peak(model.cost, PlannedCandidate(**vars(job.asked))))
    max_in_flight = job.asked.threads + 2 if job.scenario == "batch" else 1
    return need + max_in_flight * max((predicted_bytes(file) for file in job.files), default=0)


def _within_memory(
    jobs: Sequence[Job], models: dict[str, Model]
) -> Iterator[tuple[list[Job], list[Record]]]:
    """The jobs in parts whose processes fit into memory together, and those that fit in none."""
    free = available_memory() * _SHARE_OF_MEMORY
    part: list[Job] = []
    refused: list[Record] = []
    total = 0
    for job in jobs:
        need = _predicted(job, models)
        if need > free:
            why = f"needs about {need / 1e9:.1f} GB, {free / 1e9:.1f} GB are free for it"
            refused.append(Record(job, problem=why))
            continue
        if part and total + need > free:
            yield part, refused
            part, refused, total = [], [], 0
        part.append(job)
        total += need
    if part or refused:
        yield part, refused


def _quality(
    records: Sequence[Record],
    alphas: dict[tuple[str, Asked], Path],
    models: dict[str, Model],
    folder: Path,
    progress: Callable[[str], None],
) -> dict[tuple[str, str, str, str], Quality]:
    """How far each network's alphas are from float32's on the processor."""
    found: dict[tuple[str, str, str, str], Quality] = {}
    for name in dict.fromkeys(key[0] for key in alphas):
        exact = [key for key in alphas if key[0] == name and _is_reference(key[1])]
        path = alphas[exact[0]] if exact else None
        backend = exact[0][1].backend if exact else ""
        if path is None:
            progress(f"{name}: float32 on the processor, to compare with")
            made = _reference(models[name], folder)
            if made is None:
                continue
            path, backend = made
        reference = np.load(path)
        for (model, asked), own in alphas.items():
            if model == name:
                apart = np.abs(np.load(own) - reference)
                found[(name, asked.backend, asked.device, asked.precision)] = Quality(
                    float(apart.mean()), float(apart.max()), f"{backend} cpu float32"
                )
    return found


def _is_reference(asked: Asked) -> bool:
    return asked.device == "cpu" and asked.precision == "float32"


def _reference(model: Model, folder: Path) -> tuple[Path, str] | None:
    """Alphas of float32 on the processor, by whichever runtime has it."""
    path = folder / f"reference-{model.name}.npy"
    for backend in ("openvino", "onnxruntime"):
        with contextlib.suppress(WorkerError), Worker() as worker:
            worker.ask(
                "open",
                model=model.opens,
                asked=vars(Asked(backend, "cpu", "float32", 1)),
                scope="network",
                scenario="single",
                cache=None,
                files=[],
                output=str(folder),
                effort="fast",
            )
            worker.ask("alpha", path=str(path), count=3)
            return path, backend
    return None
