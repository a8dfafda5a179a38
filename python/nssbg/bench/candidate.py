"""One candidate inside its worker: opened as it was asked for, run, and asked what really ran.

In: what to open (`Spec` as JSON) and requests to run. Out: milliseconds, stages, alphas, memory.
A network runs alone on its tensor, or behind the whole pipeline on picture files.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nssbg._errors import DeviceError
from nssbg._memory import read_system_file
from nssbg._models.catalog import describe
from nssbg._models.postprocess import coarse_alpha
from nssbg._models.prepared import prepared
from nssbg._models.sidecar import ModelDescription
from nssbg._options import CutoutOptions
from nssbg._pipeline.memory_estimate import predicted_bytes
from nssbg._pipeline.settings import Settings
from nssbg._pipeline.stages import Pipeline
from nssbg._pipeline.stream import Stream
from nssbg._planner import Candidate as PlannedCandidate
from nssbg._planner.benchmark import synthetic_tensors
from nssbg._planner.candidate_backend import open_candidate
from nssbg._planner.opening import int8_form, resolve_model
from nssbg._runtime import Backend
from nssbg._segment.base import Method
from nssbg._types import Plan
from nssbg.bench.cells import STUDIO, Asked
from nssbg.bench.energy import device_memory, joules_between, read_energy

__all__ = ["OpenCandidate", "difference", "peak_memory"]


def peak_memory() -> int | None:
    """Most bytes of resident memory of this process so far; None where the system does not tell."""
    # Not getrusage: a started process begins with its parent's peak there.
    found = re.search(r"^VmHWM:\s+(\d+) kB", read_system_file("/proc/self/status"), re.MULTILINE)
    if found:
        return int(found[1]) * 1024
    try:
        import resource
    except ImportError:  # Windows
        return None
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(used if sys.platform == "darwin" else used * 1024)


def difference(asked: Asked, plan: Plan) -> str:
    """What ran that was not asked for, in words; "" where both are the same."""
    ran = {
        "backend": plan.backend,
        "device": _family(plan.device),
        "precision": plan.precision,
        "threads": plan.threads,
        "streams": plan.streams,
        "batch": plan.batch,
    }
    apart = [
        f"{name} {getattr(asked, name)} was asked for, {value} ran"
        for name, value in ran.items()
        if value != (_family(asked.device) if name == "device" else getattr(asked, name))
    ]
    return "; ".join([*apart, *plan.fallbacks])


def _family(device: str) -> str:
    """A device's name as `-d` takes it, from the plan's word: "CPU", "GPU.0", "NPU (QNN)"."""
    return device.lower().partition(".")[0].partition(" ")[0]


@dataclass(frozen=True)
class _Ran:
    pictures: int
    milliseconds: float
    cpu: float
    stages: dict[str, float]


class OpenCandidate:
    """What the worker holds open.

    Args:
        model: A name or path, or "studio".
        asked: As `Asked`.
        scope: "network" (a tensor), "stages" (a picture in memory) or "picture" (file to file).
        scenario: "single", "batch" or "cold".
        cache: Folder of compiled networks; None: compile anew.
        files: The pictures.
        output: Folder for results.
        effort: How the pictures are cut out.

    Raises:
        DeviceError: What opened is not what was asked for.
    """

    def __init__(
        self,
        *,
        model: str,
        asked: dict[str, Any],
        scope: str,
        scenario: str,
        cache: str | None,
        files: list[str],
        output: str,
        effort: str,
    ) -> None:
        self._asked = Asked(**asked)
        self._scope = scope
        self._batch = scenario == "batch"
        self._files = [Path(file) for file in files]
        self._output = Path(output)
        self._options = CutoutOptions(effort=effort)  # type: ignore[arg-type]
        self._model: ModelDescription | None = None
        self._backend: Backend | None = None
        self._pipeline: Pipeline | None = None
        self.plan: Plan = Plan(STUDIO, "core", "CPU", threads=self._asked.threads)
        if model != STUDIO:
            self._open_network(model, None if cache is None else Path(cache))
        if scope != "network":
            self._open_pipeline()
        # Pictures in memory: reading them from disk is no stage.
        self._data = [file.read_bytes() for file in self._files] if scope == "stages" else []
        self._turn = 0
        self._tensor = None if self._model is None else synthetic_tensors(self._model, 1)[0]

    def _open_network(self, model: str, cache: Path | None) -> None:
        ready = prepared(resolve_model(describe(model)))
        wanted = PlannedCandidate(**vars(self._asked))
        int8 = int8_form(ready) if wanted.precision == "int8" else None
        self._model = ready
        self._backend = open_candidate(ready, wanted, int8, cache)
        self.plan = self._backend.plan
        apart = difference(self._asked, self.plan)
        if apart:
            self._backend.close()
            raise DeviceError(apart)
        if self._asked.batch > 1:
            from nssbg._runtime.batching import DynamicBatching

            self._backend = DynamicBatching(self._backend, self._asked.batch)

    def _open_pipeline(self) -> None:
        threads = 1 if self._batch else self._asked.threads
        method: Method
        if self._model is None or self._backend is None:
            from nssbg._segment.studio import StudioMethod

            method = StudioMethod(threads)
        else:
            from nssbg._segment.network import NetworkMethod

            method = NetworkMethod.on(self._model, self._backend, threads=threads)
        name = STUDIO if self._model is None else self._model.name
        self._pipeline = Pipeline(Settings(name, threads=threads), method)

    def told(self) -> dict[str, Any]:
        """What really runs, for the answer."""
        plan = self.plan
        return {
            "ran": {
                "backend": plan.backend,
                "device": plan.device.lower().partition(" ")[0],
                "precision": plan.precision,
                "threads": plan.threads,
                "streams": plan.streams,
                "batch": plan.batch,
            },
            "reasons": list(plan.reasons),
            "fallbacks": list(plan.fallbacks),
            "memory": peak_memory(),
        }

    def run(self, *, count: int) -> dict[str, Any]:
        """So many samples, each milliseconds a picture.

        Args:
            count: Samples; of a batch each is a whole run over many pictures.
        """
        once = self._once()
        before = read_energy(self._asked.device)
        ran = [once() for _ in range(count)]
        joules = joules_between(before, read_energy(self._asked.device))
        pictures = sum(one.pictures for one in ran)
        stages: dict[str, float] = {}
        for one in ran:
            for name, spent in one.stages.items():
                stages[name] = stages.get(name, 0.0) + spent / pictures
        return {
            "samples_ms": [one.milliseconds / one.pictures for one in ran],
            "cpu_ms": [one.cpu / one.pictures for one in ran],
            "stages_ms": stages,
            "joules": None if joules is None else joules / pictures,
        }

    def _once(self) -> Callable[[], _Ran]:
        if self._scope == "network":
            return self._many_tensors if self._batch else self._one_tensor
        if self._batch:
            return self._many_pictures
        return self._one_picture

    def _timed(self, call: Callable[[], Any], pictures: int) -> _Ran:
        cpu, start = time.process_time(), time.perf_counter()
        call()
        wall = time.perf_counter() - start
        return _Ran(pictures, 1e3 * wall, 1e3 * (time.process_time() - cpu), {})

    def _one_tensor(self) -> _Ran:
        backend, tensor = self._backend, self._tensor
        assert backend is not None
        assert tensor is not None
        return self._timed(lambda: backend.run(tensor), 1)

    def _many_tensors(self) -> _Ran:
        """Twice as many pictures as are on their way at the same time."""
        backend, tensor = self._backend, self._tensor
        assert backend is not None
        assert tensor is not None
        callers = self._asked.streams * self._asked.batch * (2 if self._asked.batch > 1 else 1)
        with ThreadPoolExecutor(callers) as pool:
            work = [tensor] * (2 * callers)
            return self._timed(lambda: list(pool.map(backend.run, work)), len(work))

    def _one_picture(self) -> _Ran:
        """All pictures of the set, one after the other; the sample is their mean."""
        assert self._pipeline is not None
        stages: dict[str, float] = {}
        wall = cpu = 0.0
        for index, file in enumerate(self._files):
            begin_cpu, begin = time.process_time(), time.perf_counter()
            source = self._data[index] if self._data else file
            cutout = self._pipeline.run(source, self._options)
            middle = time.perf_counter()
            if self._data:
                cutout.encode("png", threads=self._asked.threads)
            else:
                cutout.save(self._output / f"{file.stem}.png", threads=self._asked.threads)
            end, end_cpu = time.perf_counter(), time.process_time()
            wall += end - begin
            cpu += end_cpu - begin_cpu
            spent = {**cutout.timings.stages, "encode": 1e3 * (end - middle)}
            if self._data:
                cutout.over("white")
                spent["compose"] = 1e3 * (time.perf_counter() - end)
            for name, value in spent.items():
                stages[name] = stages.get(name, 0.0) + value
            del cutout
        return _Ran(len(self._files), 1e3 * wall, 1e3 * cpu, stages)

    def _many_pictures(self) -> _Ran:
        """A run over many pictures, as `Remover.map` makes it: a thread a picture."""
        pipeline = self._pipeline
        assert pipeline is not None
        workers = self._asked.threads
        sources = self._files * max(2, -(-2 * workers // len(self._files)))

        def write(source: Path, cutout: Any) -> Path:
            self._turn += 1
            return Path(cutout.save(self._output / f"{self._turn}.png", threads=1))

        def whole() -> None:
            with Stream(
                pipeline,
                sources,
                self._options,
                workers=workers,
                max_in_flight=workers + 2,
                max_memory=None,
                predict=predicted_bytes,
                sink=write,
            ) as stream:
                for outcome in stream:
                    outcome.result()

        ran = self._timed(whole, len(sources))
        for file in self._output.glob("*.png"):
            file.unlink()
        return ran

    def write_alphas(self, *, path: str, count: int) -> dict[str, Any]:
        """The network's alphas of made pictures, into a .npy file, count x h x w float32."""
        assert self._model is not None
        assert self._backend is not None
        found: list[NDArray[np.float32]] = [
            coarse_alpha(self._backend.run(tensor), self._model)[0]
            for tensor in synthetic_tensors(self._model, count)
        ]
        np.save(path, np.stack(found))
        return {"path": path}

    def device_memory(self) -> int | None:
        """Bytes in use on the device, where its library tells."""
        return device_memory(self._asked.device)
