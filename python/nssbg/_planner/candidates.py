"""What could run a model on this machine, and the plan among it: pure functions.

In: the hardware as probed, a model, what the caller wants, and what was measured. Out: a
Plan that says why. Nothing here loads a runtime or reads a file.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from nssbg._errors import DeviceError, OptionError
from nssbg._models.sidecar import ModelDescription
from nssbg._runtime.device_table import GPU_NAMES
from nssbg._runtime.devices import Device, Hardware
from nssbg._types import Plan
from nssbg._vocabulary import GOALS, PRECISIONS

__all__ = [
    "MAX_ERROR",
    "MEAN_ERROR",
    "BatchRun",
    "Candidate",
    "Measurement",
    "PlanRequest",
    "candidates",
    "plan",
    "plan_reasons",
    "ranked",
    "stream_layouts",
]

# How far an alpha may be from float32's before a faster arithmetic is refused: one step of
# 8 bits on average, eight anywhere.
MEAN_ERROR = 1 / 255
MAX_ERROR = 8 / 255

# Pictures in one tensor on devices of their own. Processors gain nothing by it that streams do
# not give (docs/decisions/0804-many-pictures.md).
_BATCHES = (4, 16)


@dataclass(frozen=True)
class PlanRequest:
    """What the caller wants; "auto" and 0 leave it to the planner.

    Attributes:
        backend: "auto", "onnxruntime", "openvino" or "fake".
        device: "auto", "cpu", "gpu", "npu", "cuda", ...
        precision: "auto", "float32", "bfloat16", "float16" or "int8".
        threads: Threads for runtime and kernels.
        goal: "latency" (one picture soon) or "throughput" (many pictures).
        max_concurrency: Pictures that may wait for the network at the same time, which bounds the
            batch; 0: any number.
    """

    backend: str = "auto"
    device: str = "auto"
    precision: str = "auto"
    threads: int = 0
    goal: str = "latency"
    max_concurrency: int = 0

    @property
    def key(self) -> str:
        """The choice as text, for the cache of plans."""
        return f"{self.backend} {self.device} {self.precision} {self.threads} {self.goal}"


@dataclass(frozen=True)
class BatchRun:
    """A run over many pictures, as far as planning needs to know it.

    Attributes:
        threads: Threads that the runtime may use, in all.
        max_concurrency: Pictures that may wait for the network at the same time; 0: any number.
        image_count: How many are to come; None: not known.
        samples: A few of them (paths, bytes, arrays), to check alphas on; never a file object,
            which can be read only once. Emptied when the network is open, so that no picture is
            kept alive by the plan that was made with it.
        autotune: Whether to measure at its start what nothing was measured for: True, False,
            or None where that pays.
    """

    threads: int = 1
    max_concurrency: int = 0
    image_count: int | None = None
    samples: list[Any] = field(default_factory=list)
    autotune: bool | None = None


@dataclass(frozen=True)
class Candidate:
    """One way to run a model.

    Attributes:
        backend: "onnxruntime" or "openvino".
        device: As open_backend takes it.
        precision: "float32", "bfloat16", "float16" or "int8".
        threads: Threads for the runtime, in all.
        streams: Pictures at the same time.
        batch: Pictures in one tensor.
    """

    backend: str
    device: str
    precision: str = "float32"
    threads: int = 1
    streams: int = 1
    batch: int = 1

    def __str__(self) -> str:
        """Words for reasons and tables."""
        plural = "s" if self.threads != 1 else ""
        text = f"{self.backend} {self.device} {self.precision}, {self.threads} thread{plural}"
        if self.streams > 1:
            text += f", {self.streams} streams"
        return text + (f", batch {self.batch}" if self.batch > 1 else "")


@dataclass(frozen=True)
class Measurement:
    """How a candidate did.

    Attributes:
        candidate: What was run.
        milliseconds: Least time a picture of several runs; 0 where it did not run.
        mean_error: Mean distance of its alpha from float32's, 0..1.
        max_error: Largest distance.
        problem: Why it is out: did not open, too far from float32, too slow to go on; or "".
    """

    candidate: Candidate
    milliseconds: float
    mean_error: float = 0.0
    max_error: float = 0.0
    problem: str = ""


def _check(request: PlanRequest) -> None:
    if request.precision not in ("auto", *PRECISIONS):
        raise OptionError(
            f"precision is {request.precision!r}, expected one of auto, {', '.join(PRECISIONS)}"
        )
    if request.goal not in GOALS:
        raise OptionError(f"goal is {request.goal!r}, expected 'latency' or 'throughput'")
    if request.threads < 0:
        raise OptionError(f"threads is {request.threads}, expected 0 (all) or more")


def stream_layouts(threads: int) -> tuple[int, ...]:
    """Numbers of pictures at the same time worth trying on that many threads, most first."""
    return tuple(dict.fromkeys((threads, max(1, threads // 4), 1)))


def _matches(device: Device, wanted: str) -> bool:
    if wanted in ("auto", device.name):
        return True
    if wanted == "gpu":
        return device.name in GPU_NAMES
    return device.id.lower() == wanted


def _precisions(device: Device, hardware: Hardware, model: ModelDescription) -> list[str]:
    if model.precision == "int8":
        return ["int8"]
    if device.runtime == "onnxruntime":
        return [model.precision]
    if device.name == "cpu":
        # The plugin computes bfloat16 on any processor; only where there are instructions
        # for it is it faster.
        return ["float32", *(["bfloat16"] if hardware.processor.bfloat16 else [])]
    return [name for name in ("float32", "float16") if name in device.precisions]


def candidates(
    hardware: Hardware, model: ModelDescription, request: PlanRequest, *, has_int8: bool = False
) -> list[Candidate]:
    """Every way to run the model here that the choice allows, the likeliest first.

    Args:
        hardware: The machine.
        model: The model; an OpenVINO .xml runs on openvino only.
        request: What the caller wants.
        has_int8: Whether an int8 form of the model is there.

    Raises:
        DeviceError: Nothing here does what was asked for.
    """
    _check(request)
    usable = hardware.processor.usable_cores
    threads = request.threads or usable
    is_ir = model.file.endswith(".xml")
    found: list[Candidate] = []
    for device in hardware.devices:
        if device.problem or not _matches(device, request.device):
            continue
        if request.backend not in ("auto", device.runtime):
            continue
        if is_ir and device.runtime == "onnxruntime":
            continue
        name = device.id.lower() if device.runtime == "openvino" else device.name
        precisions = _precisions(device, hardware, model)
        # A published form's bound holds where its products are exact: without int8 dot products
        # sums of two are cut off at 16 bits, and nothing is faster. Named, it runs all the same.
        exact = model.int8 is None or hardware.processor.int8 or request.precision == "int8"
        if has_int8 and exact and device.name == "cpu" and "int8" not in precisions:
            precisions.append("int8")
        for precision in precisions:
            if request.precision not in ("auto", precision):
                continue
            counts = {threads}
            if device.name == "cpu" and not request.threads and threads > 4:
                counts.add(threads // 2)  # two hardware threads a core: half may be faster
            for count in sorted(counts, reverse=True):
                single = Candidate(device.runtime, name, precision, count)
                found.append(single)
                if request.goal == "throughput" and model.static:
                    found += _for_many(single, request.max_concurrency)
    if not found:
        there = ", ".join(f"{item.runtime} {item.id}" for item in hardware.devices) or "nothing"
        raise DeviceError(
            f"{model.name}: nothing here runs it with backend {request.backend!r}, device "
            f"{request.device!r}, precision {request.precision!r}; there is: {there}"
        )
    return sorted(found, key=_likelihood)


def _for_many(single: Candidate, max_concurrency: int) -> list[Candidate]:
    """The same for several pictures at once: streams on the processor, batches elsewhere."""
    if single.device == "cpu":
        layouts = stream_layouts(single.threads)
        return [replace(single, streams=count) for count in layouts if count > 1]
    return [
        replace(single, batch=count) for count in _BATCHES if count <= (max_concurrency or count)
    ]


def _likelihood(candidate: Candidate) -> tuple[int, int, int]:
    """Sorts by what is fast as a rule; measurements replace it."""
    device = 0 if candidate.device.partition(".")[0] in GPU_NAMES else 1
    runtime = 0 if candidate.backend == "openvino" or device == 0 else 1
    exact = 0 if candidate.precision == "float32" else 1
    return device, runtime, exact


def ranked(measured: Iterable[Measurement]) -> tuple[Measurement, ...]:
    """What may run, the fastest first."""
    good = (item for item in measured if not item.problem)
    return tuple(sorted(good, key=lambda item: item.milliseconds))


def plan_reasons(good: Sequence[Measurement], found: Sequence[Measurement]) -> tuple[str, ...]:
    """One line for the winner, for those behind it, and for those that are out.

    Args:
        good: As `ranked` gives them; at least one.
        found: All that was measured.
    """
    best = good[0]
    return (
        f"{best.candidate}: {best.milliseconds:.0f} ms, the fastest measured here",
        *(
            f"{item.candidate}: {item.milliseconds:.0f} ms "
            f"({item.milliseconds / best.milliseconds:.2f} x)"
            for item in good[1:4]
        ),
        *(f"{item.candidate}: out, {item.problem}" for item in found if item.problem),
    )


def plan(
    hardware: Hardware,
    model: ModelDescription,
    request: PlanRequest,
    measured: tuple[Measurement, ...] = (),
    *,
    has_int8: bool = False,
) -> tuple[Plan, Candidate]:
    """The plan for a model on this machine, and the candidate to open.

    Args:
        hardware: The machine.
        model: The model.
        request: What the caller wants.
        measured: What a calibration found on this machine; empty: rules decide, and only
            float32, whose alpha needs no check.
        has_int8: Whether an int8 form of the model is there.

    Raises:
        DeviceError: Nothing here does what was asked for.
    """
    possible = candidates(hardware, model, request, has_int8=has_int8)
    reasons: list[str] = []
    good = tuple(item for item in ranked(measured) if item.candidate in possible)
    if good:
        chosen = good[0].candidate
        reasons += plan_reasons(good, measured)
    else:
        # Without a measurement: the first in likelihood that computes as the file does.
        plain = [item for item in possible if item.precision in ("float32", model.precision)]
        if request.precision != "auto" or not plain:
            plain = possible
        chosen = plain[0]
        reasons.append(f"{chosen}: by rule, nothing measured here; `nssbg tune {model.name}` does")
        if request.precision == "auto":
            faster = [name for name in ("bfloat16", "int8") if name != model.precision]
            reasons += [
                f"{name} may be faster here: taken once tune has checked its alpha"
                for name in faster
                if any(item.precision == name for item in possible)
            ]
    return (
        Plan(
            model=model.name,
            backend=chosen.backend,
            device=chosen.device.upper(),
            precision=chosen.precision,
            threads=chosen.threads,
            reasons=tuple(reasons),
            license=model.license,
            streams=chosen.streams,
            batch=chosen.batch,
        ),
        chosen,
    )
