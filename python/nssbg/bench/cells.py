"""What is to be measured: each combination of what was asked for, or why it is not there.

In: the hardware as probed, models, and comma lists of backends, devices, precisions and threads.
Out: cells that can run, and for everything else a line with its reason and what would bring it.
Nothing is left out in silence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nssbg._errors import DeviceError, OptionError
from nssbg._installed import RUNTIMES, not_installed
from nssbg._models.sidecar import ModelDescription
from nssbg._planner.candidates import PlanRequest, candidates
from nssbg._runtime.device_table import GPU_NAMES, PRECISIONS, PROVIDERS, REMEDIES
from nssbg._runtime.devices import Hardware, Runtime

__all__ = ["STUDIO", "Absent", "Asked", "Way", "Wishes", "studio_way", "ways"]

STUDIO = "studio"


@dataclass(frozen=True)
class Wishes:
    """What the command line named; empty stands for everything that is here.

    Attributes:
        backends: "onnxruntime", "openvino".
        devices: "cpu", "gpu", "npu", "cuda", "gpu.1", ...
        precisions: "float32", "bfloat16", "float16", "int8".
        threads: Numbers of threads; empty: all usable cores.
    """

    backends: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    precisions: tuple[str, ...] = ()
    threads: tuple[int, ...] = ()


@dataclass(frozen=True)
class Asked:
    """One way to run, as it is asked of the runtime.

    Attributes:
        backend: "onnxruntime", "openvino" or "core" (the studio method).
        device: In lower case.
        precision: What the network is to compute in.
        threads: Threads in all.
        streams: Pictures at the same time.
        batch: Pictures in one tensor.
    """

    backend: str
    device: str
    precision: str
    threads: int
    streams: int = 1
    batch: int = 1


@dataclass(frozen=True)
class Way:
    """A model and one way to run it."""

    model: str
    asked: Asked


@dataclass(frozen=True)
class Absent:
    """What was not measured.

    Attributes:
        model: Which model; "": all of them.
        backend: The runtime.
        device: The device; "": the whole runtime.
        precision: The precision; "": all.
        reason: Why it is not there.
        remedy: What would bring it; "" where nothing does.
        named: It was asked for by name.
    """

    model: str
    backend: str
    device: str
    precision: str
    reason: str
    remedy: str
    named: bool = False


def _known_devices(backend: str) -> dict[str, str]:
    return REMEDIES["openvino"] if backend == "openvino" else REMEDIES["onnxruntime"]


def _wanted_device(name: str, identifier: str, wishes: Wishes) -> bool:
    if not wishes.devices:
        return True
    names = {name, identifier.lower()}
    return any(
        wish in names or (wish == "gpu" and name in GPU_NAMES) or wish == "auto"
        for wish in wishes.devices
    )


def _check(wishes: Wishes) -> None:
    for name in wishes.backends:
        if name not in RUNTIMES:
            raise OptionError(f"backend is {name!r}, expected one of {', '.join(RUNTIMES)}")
    for name in wishes.precisions:
        if name not in PRECISIONS:
            raise OptionError(f"precision is {name!r}, expected one of {', '.join(PRECISIONS)}")
    families = {*REMEDIES["openvino"], *REMEDIES["onnxruntime"]}
    for name in wishes.devices:
        if name.partition(".")[0] not in families:
            raise OptionError(
                f"device is {name!r}, expected one of {', '.join(sorted(families))}, "
                "with a number behind a point where there are several"
            )
    for count in wishes.threads:
        if count < 1:
            raise OptionError(f"threads is {count}, expected 1 or more")


def ways(
    hardware: Hardware,
    models: Sequence[tuple[ModelDescription, bool]],
    wishes: Wishes,
) -> tuple[list[Way], list[Absent]]:
    """Every way to run the models here that was asked for, and what is not there.

    Args:
        hardware: As probed.
        models: Each model, its weights here, and whether it has an int8 form.
        wishes: What was asked for.

    Raises:
        OptionError: A word that names nothing.
    """
    _check(wishes)
    found: list[Way] = []
    absent: list[Absent] = []
    threads = wishes.threads or (hardware.processor.usable_cores,)
    runtimes = {runtime.name: runtime for runtime in hardware.runtimes}
    for backend in wishes.backends or RUNTIMES:
        runtime = runtimes.get(backend, Runtime(backend, "", installed=False))
        absent += _absent_devices(runtime, wishes, hardware)
        for device in runtime.devices:
            if device.problem or not _wanted_device(device.name, device.id, wishes):
                continue
            name = device.id.lower() if backend == "openvino" else device.name
            for model, has_int8 in models:
                for precision in wishes.precisions or PRECISIONS:
                    request = PlanRequest(backend, name, precision, threads[0])
                    try:
                        candidates(hardware, model, request, has_int8=has_int8)
                    except DeviceError:
                        reason, remedy = _why_not(hardware, model, backend, name, precision)
                        absent.append(
                            Absent(
                                model.name,
                                backend,
                                name,
                                precision,
                                reason,
                                remedy,
                                precision in wishes.precisions,
                            )
                        )
                        continue
                    counts = threads if device.name == "cpu" else threads[:1]
                    found += [
                        Way(model.name, Asked(backend, name, precision, count)) for count in counts
                    ]
    return found, absent


def _absent_devices(runtime: Runtime, wishes: Wishes, hardware: Hardware) -> list[Absent]:
    """Devices that a runtime knows and does not have here."""
    backend = runtime.name
    named = backend in wishes.backends
    if not runtime.installed:
        return [Absent("", backend, "", "", "not installed", not_installed(backend), named)]
    if runtime.problem:
        return [
            Absent(
                "",
                backend,
                "",
                "",
                f"does not load: {runtime.problem}",
                f"pip install --force-reinstall {backend}",
                named,
            )
        ]
    lines = []
    for family, remedy in _known_devices(backend).items():
        if not _wanted_device(family, family, wishes):
            continue
        there = [device for device in runtime.devices if device.name == family]
        problems = [device.problem for device in there if device.problem]
        if there and not problems:
            continue
        # "gpu" is met by any accelerator, a name of its own only by that device.
        by_name = family in wishes.devices and (bool(wishes.backends) or not _met(hardware, family))
        mends = "; ".join(item.mend for item in hardware.conflicts) if problems else ""
        lines.append(
            Absent(
                "",
                backend,
                family,
                "",
                f"does not load: {problems[0]}" if problems else _not_seen(backend, family),
                mends or remedy,
                by_name,
            )
        )
    return lines


def _met(hardware: Hardware, wish: str) -> bool:
    """Whether any runtime has a device of that name, ready to run."""
    return any(
        not device.problem and (device.name == wish or (wish == "gpu" and device.name in GPU_NAMES))
        for device in hardware.devices
    )


def _not_seen(backend: str, family: str) -> str:
    if backend == "openvino":
        return f"openvino finds no {family.upper()} here"
    providers = [provider.name for provider in PROVIDERS.values() if provider.device == family]
    return f"this onnxruntime has no {' or '.join(providers)}"


def _why_not(
    hardware: Hardware, model: ModelDescription, backend: str, device: str, precision: str
) -> tuple[str, str]:
    """Why a device that is there does not run a model in a precision, and what would help."""
    if precision == "int8" and model.precision != "int8":
        if device != "cpu":
            return "int8 forms run on the processor", ""
        return "there is no int8 form of these weights", f"nssbg quantize {model.name}"
    if model.file.endswith(".xml") and backend == "onnxruntime":
        return "onnxruntime does not read OpenVINO's .xml", "an .onnx export of it"
    if backend == "onnxruntime":
        return f"onnxruntime computes in the file's own {model.precision}", "-b openvino"
    if model.precision == "int8":
        return "the file itself is int8", "the float32 weights"
    if precision == "bfloat16" and not hardware.processor.bfloat16:
        return "this processor has no bfloat16 instructions", ""
    return f"openvino's {device.upper()} does not compute in {precision}", ""


def studio_way(threads: int) -> Way:
    """The weights-free method, which has one way to run."""
    return Way(STUDIO, Asked("core", "cpu", "float32", threads))
