"""What this machine is: usable cores, instruction sets, memory limits, runtimes, devices.

Everything here only looks. The cheap part (processor, memory) needs no runtime; the
runtimes are loaded when `runtimes()` or `devices()` is asked.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path

from nssbg._installed import installed
from nssbg._memory import available_memory, memory_limit, read_system_file
from nssbg._runtime.device_table import OPENVINO_CAPABILITIES, PROVIDERS
from nssbg._runtime_imports import import_onnxruntime, import_openvino

__all__ = [
    "Conflict",
    "Device",
    "Hardware",
    "Processor",
    "Runtime",
    "accelerator_nodes",
    "conflicts",
    "cpu_fingerprint",
    "hardware",
    "processor",
    "runtimes",
    "usable_threads",
]

# Instruction sets that decide which arithmetic a runtime can use, by their names in
# /proc/cpuinfo (x86 flags, AArch64 features).
_FEATURES = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx512_vnni": "VNNI",
    "avx_vnni": "AVX-VNNI",
    "avx512_bf16": "AVX-512 BF16",
    "amx_tile": "AMX",
    "amx_bf16": "AMX BF16",
    "amx_int8": "AMX INT8",
    "asimddp": "DotProd",
    "bf16": "BF16",
    "i8mm": "I8MM",
    "sve": "SVE",
}


@dataclass(frozen=True)
class Processor:
    """The processor as this process may use it.

    Attributes:
        name: As the system tells it.
        cores: Cores of the machine.
        usable_cores: Cores left by the affinity mask and the cgroup's quota.
        isa: The level that nssbg's kernels run at.
        features: Instruction sets of interest to the runtimes.
    """

    name: str
    cores: int
    usable_cores: int
    isa: str
    features: tuple[str, ...]

    @property
    def bfloat16(self) -> bool:
        """Whether bfloat16 arithmetic is in hardware."""
        return any(name in self.features for name in ("AVX-512 BF16", "AMX BF16", "BF16"))

    @property
    def int8(self) -> bool:
        """Whether int8 dot products are in hardware."""
        wanted = ("VNNI", "AVX-VNNI", "AMX INT8", "DotProd", "I8MM")
        return any(name in self.features for name in wanted)


@dataclass(frozen=True)
class Device:
    """A device that a runtime reports.

    Attributes:
        runtime: "onnxruntime" or "openvino".
        name: As `device=` takes it: "cpu", "gpu", "npu", "cuda", ...
        id: The runtime's own name: "CPU", "GPU.0", "CUDAExecutionProvider".
        description: The hardware's name where the runtime tells it.
        precisions: What the device says it computes in.
        problem: Why it would not run, or "".
    """

    runtime: str
    name: str
    id: str
    description: str = ""
    precisions: tuple[str, ...] = ("float32",)
    problem: str = ""


@dataclass(frozen=True)
class Runtime:
    """A runtime and its devices.

    Attributes:
        name: "onnxruntime" or "openvino".
        version: Its version, or "" where it is not installed or does not load.
        devices: What it reports.
        problem: Why it does not load, or "".
        installed: Whether it is here at all; one runtime is enough.
    """

    name: str
    version: str
    devices: tuple[Device, ...] = ()
    problem: str = ""
    installed: bool = True


@dataclass(frozen=True)
class Conflict:
    """Something in the installation that keeps hardware from being used.

    Attributes:
        what: What is wrong.
        mend: The command or the step that mends it.
    """

    what: str
    mend: str


@dataclass(frozen=True)
class Hardware:
    """Everything that planning looks at.

    Attributes:
        processor: The processor.
        memory_total: Bytes of the machine.
        memory_limit: Bytes that this process may use: the machine's or the cgroup's.
        memory_available: Bytes that are free for use now, within the limit.
        runtimes: The runtimes and their devices.
        conflicts: What stands in the way.
    """

    processor: Processor
    memory_total: int
    memory_limit: int
    memory_available: int
    runtimes: tuple[Runtime, ...]
    conflicts: tuple[Conflict, ...]

    @property
    def devices(self) -> tuple[Device, ...]:
        """All devices of all runtimes."""
        return tuple(device for runtime in self.runtimes for device in runtime.devices)

    @property
    def fingerprint(self) -> str:
        """Changes where a measured plan no longer holds: processor, cores, devices, versions."""
        parts = [
            cpu_fingerprint(),
            str(self.processor.usable_cores),
            *(f"{item.name} {item.version}" for item in self.runtimes),
            *(f"{item.runtime} {item.id} {item.description}" for item in self.devices),
        ]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


@functools.lru_cache(maxsize=1)
def _cpu_facts() -> tuple[str, tuple[str, ...]]:
    """The processor's name and its features, in the order of _FEATURES."""
    text = read_system_file("/proc/cpuinfo")
    flags: set[str] = set()
    name = ""
    for line in text.splitlines():
        key, _, value = line.partition(":")
        key = key.strip()
        if key == "model name" and not name:
            name = value.strip()
        if key in ("flags", "Features"):
            flags.update(value.split())
            break
    if not name:
        name = platform.processor() or platform.machine()
    if sys.platform == "darwin" and platform.machine() == "arm64":
        flags.update(("asimddp", "i8mm"))
    return name, tuple(shown for flag, shown in _FEATURES.items() if flag in flags)


@functools.lru_cache(maxsize=1)
def cpu_fingerprint() -> str:
    """A text that is equal on machines whose compiled networks are interchangeable."""
    name, features = _cpu_facts()
    return f"{platform.machine()} {name} {' '.join(features)}"


def usable_threads(threads: int = 0) -> int:
    """Threads to use: the number given, else OMP_NUM_THREADS, else all usable cores."""
    if threads > 0:
        return threads
    from nssbg import _core

    usable = int(_core.usable_cores())
    wished = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return int(wished) if wished.isdigit() and int(wished) > 0 else usable


def accelerator_nodes() -> tuple[str, ...] | None:
    """Device nodes of GPUs and NPUs, or None where the system has no such nodes to tell by.

    Without one, no runtime can find such a device, and asking it (plugins are loaded for that,
    10 to 20 ms) is spared.
    """
    if not sys.platform.startswith("linux"):
        return None
    found = [name for name in ("/dev/dxg", "/dev/nvidiactl") if Path(name).exists()]
    for folder in ("/dev/dri", "/dev/accel"):
        with contextlib.suppress(OSError):
            found += sorted(str(item) for item in Path(folder).iterdir())
    return tuple(found)


def processor() -> Processor:
    """The processor as this process may use it."""
    from nssbg import _core

    name, features = _cpu_facts()
    return Processor(
        name=name,
        cores=os.cpu_count() or 1,
        usable_cores=int(_core.usable_cores()),
        isa=str(_core.isa()),
        features=features,
    )


def _openvino() -> Runtime:
    if not installed("openvino"):
        return Runtime("openvino", "", problem="not installed", installed=False)
    try:
        openvino = import_openvino()
        core = openvino.Core()
    except Exception as error:  # a broken installation may raise anything
        return Runtime("openvino", "", problem=str(error).splitlines()[0])
    devices = []
    for identifier in core.available_devices:
        description, problem = "", ""
        precisions: tuple[str, ...] = ("float32",)
        try:
            description = str(core.get_property(identifier, "FULL_DEVICE_NAME"))
            told = core.get_property(identifier, "OPTIMIZATION_CAPABILITIES")
            precisions = tuple(shown for key, shown in OPENVINO_CAPABILITIES.items() if key in told)
        except Exception as error:
            problem = str(error).splitlines()[0]
        devices.append(
            Device(
                "openvino",
                identifier.partition(".")[0].lower(),
                identifier,
                description,
                precisions,
                problem,
            )
        )
    version = str(openvino.__version__).split("-")[0]
    return Runtime("openvino", version, tuple(devices))


def _provider_problem(name: str) -> str:
    """Why a provider's shared library does not load, or ""."""
    library = PROVIDERS[name].library
    if not library or not sys.platform.startswith("linux"):
        return ""
    import ctypes

    onnxruntime = import_onnxruntime()
    with contextlib.suppress(Exception):
        onnxruntime.preload_dlls()
    folder = Path(onnxruntime.__file__).parent / "capi"
    try:
        # It needs the shared bridge's symbols, which the session loads first.
        ctypes.CDLL(str(folder / "libonnxruntime_providers_shared.so"), mode=ctypes.RTLD_GLOBAL)
        ctypes.CDLL(str(folder / library))
    except OSError as error:
        return str(error)
    return ""


def _onnxruntime() -> Runtime:
    if not installed("onnxruntime"):
        return Runtime("onnxruntime", "", problem="not installed", installed=False)
    try:
        onnxruntime = import_onnxruntime()
    except Exception as error:
        return Runtime("onnxruntime", "", problem=str(error).splitlines()[0])
    devices = []
    for provider in onnxruntime.get_available_providers():
        if provider not in PROVIDERS:
            continue
        name, precisions = PROVIDERS[provider].device, PROVIDERS[provider].precisions
        description = _cpu_facts()[0] if name == "cpu" else ""
        devices.append(
            Device(
                "onnxruntime", name, provider, description, precisions, _provider_problem(provider)
            )
        )
    return Runtime("onnxruntime", str(onnxruntime.__version__), tuple(devices))


def runtimes() -> tuple[Runtime, ...]:
    """Both runtimes and the devices they report. Loads them: about 0.2 s."""
    return _onnxruntime(), _openvino()


def _installed(prefix: str) -> list[str]:
    import importlib.metadata

    names = set()
    for distribution in importlib.metadata.distributions():
        name = (distribution.metadata["Name"] or "").lower().replace("_", "-")
        if name == prefix or name.startswith(prefix + "-"):
            names.add(name)
    return sorted(names)


def _nvidia_present() -> bool:
    return Path("/proc/driver/nvidia/version").exists() or Path("/dev/nvidiactl").exists()


def conflicts(
    found: tuple[Runtime, ...],
    *,
    distributions: list[str] | None = None,
    nvidia: bool | None = None,
) -> tuple[Conflict, ...]:
    """What in the installation keeps hardware from being used, each with what mends it.

    Args:
        found: The runtimes as runtimes() tells them.
        distributions: Installed onnxruntime packages; None: look.
        nvidia: Whether an NVIDIA driver is loaded; None: look.
    """
    variants = {
        "onnxruntime",
        "onnxruntime-gpu",
        "onnxruntime-directml",
        "onnxruntime-openvino",
        "onnxruntime-qnn",
        "onnxruntime-rocm",
        "onnxruntime-migraphx",
        "onnxruntime-webgpu",
    }
    packages = [
        name
        for name in (_installed("onnxruntime") if distributions is None else distributions)
        if name in variants
    ]
    lines = []
    if len(packages) > 1:
        best = next(name for name in packages if name != "onnxruntime")
        lines.append(
            Conflict(
                f"{' and '.join(packages)} are installed side by side: they share one folder, "
                "and whichever was installed last is what runs",
                f"pip uninstall -y {' '.join(packages)} && pip install {best}",
            )
        )
    if found and not any(runtime.installed for runtime in found):
        lines.append(
            Conflict(
                "no network runtime is installed: only the studio method runs",
                'pip install "nssbg[openvino]"',
            )
        )
    for runtime in found:
        if runtime.problem and runtime.installed:
            lines.append(
                Conflict(
                    f"{runtime.name} does not load: {runtime.problem}",
                    f"pip install --force-reinstall {runtime.name}",
                )
            )
        for device in runtime.devices:
            if device.problem:
                mend = (
                    'pip install "onnxruntime-gpu[cuda,cudnn]" (brings CUDA and cuDNN of the '
                    "version it was built for)"
                    if device.name in ("cuda", "tensorrt")
                    else f"install the driver of {device.id}"
                )
                lines.append(Conflict(f"{device.id} does not load: {device.problem}", mend))
    has_nvidia = _nvidia_present() if nvidia is None else nvidia
    devices = [device for runtime in found for device in runtime.devices]
    if has_nvidia and not any(device.name == "cuda" for device in devices):
        remove = "pip uninstall -y onnxruntime && " if "onnxruntime" in packages else ""
        lines.append(
            Conflict(
                "an NVIDIA driver is loaded, but no installed runtime uses CUDA",
                f'{remove}pip install "onnxruntime-gpu[cuda,cudnn]"',
            )
        )
    return tuple(lines)


def hardware() -> Hardware:
    """Probe everything. Takes the time of loading both runtimes, about 0.2 s."""
    found = runtimes()
    total, limit = memory_limit()
    return Hardware(
        processor=processor(),
        memory_total=total,
        memory_limit=limit,
        memory_available=available_memory(),
        runtimes=found,
        conflicts=conflicts(found),
    )
