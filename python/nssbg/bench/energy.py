"""Joules and device memory, where the system tells them: RAPL counters and NVIDIA's library.

Nothing is estimated. RAPL counts a whole processor package, other processes with it, and
most systems let only root read it; NVML counts a whole card.
"""

from __future__ import annotations

import contextlib
import ctypes
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Energy", "device_memory", "joules_between", "read_energy", "source_of_energy"]

_POWERCAP = Path("/sys/class/powercap")
_CARDS = ("cuda", "tensorrt")


@dataclass(frozen=True)
class Energy:
    """Counters at a moment.

    Attributes:
        packages: RAPL zone -> (microjoules, value at which the counter begins anew).
        millijoules: Of the NVIDIA card; None where it is not told.
    """

    packages: dict[str, tuple[int, int]]
    millijoules: int | None = None


def _zones(root: Path) -> list[Path]:
    """Zones of whole packages ("intel-rapl:0"), which hold their sub-zones already."""
    with contextlib.suppress(OSError):
        return sorted(p for p in root.glob("*-rapl:*") if p.name.count(":") == 1)
    return []


def _nvml() -> ctypes.CDLL | None:
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL("libnvidia-ml.so.1")
        if library.nvmlInit_v2() == 0:
            return library
    return None


def _card(library: ctypes.CDLL) -> ctypes.c_void_p | None:
    handle = ctypes.c_void_p()
    found = library.nvmlDeviceGetHandleByIndex_v2(0, ctypes.byref(handle)) == 0
    return handle if found else None


def read_energy(device: str, *, root: Path = _POWERCAP) -> Energy | None:
    """The counters now; None where none can be read.

    Args:
        device: For NVIDIA's devices the card is read too.
        root: Folder of the RAPL zones.
    """
    packages = {}
    for zone in _zones(root):
        with contextlib.suppress(OSError, ValueError):
            packages[zone.name] = (
                int((zone / "energy_uj").read_text()),
                int((zone / "max_energy_range_uj").read_text()),
            )
    used = None
    library = _nvml() if device.partition(".")[0] in _CARDS else None
    if library is not None:
        card, value = _card(library), ctypes.c_ulonglong()
        with contextlib.suppress(AttributeError):
            if card is not None and (
                library.nvmlDeviceGetTotalEnergyConsumption(card, ctypes.byref(value)) == 0
            ):
                used = int(value.value)
    return Energy(packages, used) if packages or used is not None else None


def joules_between(before: Energy | None, after: Energy | None) -> float | None:
    """Joules that went between two readings, over all counters that both have."""
    if before is None or after is None:
        return None
    total, any_counter = 0.0, False
    for zone, (start, around) in before.packages.items():
        if zone in after.packages:
            end = after.packages[zone][0]
            total += (end - start if end >= start else end + around - start) / 1e6
            any_counter = True
    if before.millijoules is not None and after.millijoules is not None:
        total += (after.millijoules - before.millijoules) / 1e3
        any_counter = True
    return total if any_counter else None


def device_memory(device: str) -> int | None:
    """Bytes in use on the NVIDIA card, whoever uses them; None where it is not told."""

    class Memory(ctypes.Structure):
        _fields_ = (
            ("total", ctypes.c_ulonglong),
            ("free", ctypes.c_ulonglong),
            ("used", ctypes.c_ulonglong),
        )

    library = _nvml() if device.partition(".")[0] in _CARDS else None
    card = _card(library) if library is not None else None
    if library is None or card is None:
        return None
    memory = Memory()
    told = library.nvmlDeviceGetMemoryInfo(card, ctypes.byref(memory)) == 0
    return int(memory.used) if told else None


def source_of_energy(*, root: Path = _POWERCAP) -> str:
    """What energy is read from, in words; or why it is not."""
    zones = _zones(root)
    if not zones:
        return "not measured: the system has no RAPL counters (virtual machines have none)"
    if read_energy("cpu", root=root) is None:
        return f"not measured: {root} may not be read by this user (root may)"
    return f"RAPL, whole package, other processes included: {', '.join(z.name for z in zones)}"
