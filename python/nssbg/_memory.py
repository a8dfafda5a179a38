"""How much memory this process may use: the machine's or its cgroup's, and what of it is free."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

__all__ = ["available_memory", "memory_limit", "read_system_file"]


def read_system_file(path: str) -> str:
    """A file of /proc or /sys; empty where there is none."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _cgroup_folders() -> Iterator[str]:
    """The folders of this process's memory cgroup and of those above it, under both versions."""
    for line in read_system_file("/proc/self/cgroup").splitlines():
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if controllers and "memory" not in controllers.split(","):
            continue
        root = "/sys/fs/cgroup/memory" if controllers else "/sys/fs/cgroup"
        parts = [part for part in path.split("/") if part]
        for depth in range(len(parts), -1, -1):
            yield "/".join([root, *parts[:depth]])


def _number(folder: str, *names: str) -> int | None:
    """What the first of these files holds; None where none holds a bound."""
    for name in names:
        text = read_system_file(f"{folder}/{name}").strip()
        if text.isdigit() and int(text) < 1 << 60:
            return int(text)
    return None


def _inactive_file(folder: str) -> int:
    """Bytes of a cgroup's page cache that the kernel gives back before it refuses anything."""
    found = re.search(
        r"^(?:total_)?inactive_file (\d+)$",
        # Version 1 has both, its own and with those below it; the latter comes later.
        "\n".join(reversed(read_system_file(f"{folder}/memory.stat").splitlines())),
        re.MULTILINE,
    )
    return int(found[1]) if found else 0


def _cgroup_limits() -> tuple[int | None, int | None]:
    """The least limit of this process's cgroups, and the least that one of them has free."""
    limits: list[int] = []
    free: list[int] = []
    for folder in _cgroup_folders():
        limit = _number(folder, "memory.max", "memory.limit_in_bytes")
        if limit is None:
            continue
        limits.append(limit)
        used = _number(folder, "memory.current", "memory.usage_in_bytes")
        if used is not None:
            used = max(0, used - _inactive_file(folder))
            free.append(max(0, limit - used))
    return min(limits, default=None), min(free, default=None)


def _windows_memory() -> tuple[int, int] | None:
    """Bytes of the machine and bytes free, as Windows tells them; None elsewhere."""
    import ctypes

    windll = getattr(ctypes, "windll", None)
    if windll is None:
        return None

    class Status(ctypes.Structure):
        # MEMORYSTATUSEX; DWORD is 4 bytes, DWORDLONG 8.
        _fields_: ClassVar = [
            ("length", ctypes.c_uint32),
            ("load", ctypes.c_uint32),
            ("total_physical", ctypes.c_uint64),
            ("available_physical", ctypes.c_uint64),
            ("total_page_file", ctypes.c_uint64),
            ("available_page_file", ctypes.c_uint64),
            ("total_virtual", ctypes.c_uint64),
            ("available_virtual", ctypes.c_uint64),
            ("available_extended_virtual", ctypes.c_uint64),
        ]

    status = Status(length=ctypes.sizeof(Status))
    if not windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):
        return None
    return int(status.total_physical), int(status.available_physical)


def _machine_memory() -> tuple[int, int]:
    """Bytes of the machine, and bytes free of them without swapping; 0 where it does not tell."""
    told = read_system_file("/proc/meminfo")
    total = re.search(r"^MemTotal:\s+(\d+) kB", told, re.MULTILINE)
    free = re.search(r"^MemAvailable:\s+(\d+) kB", told, re.MULTILINE)
    if total:
        machine = int(total[1]) * 1024
        return machine, int(free[1]) * 1024 if free else machine // 2
    windows = _windows_memory()
    if windows is not None:
        return windows
    machine = 0
    with contextlib.suppress(ValueError, OSError, AttributeError):
        machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return machine, machine // 2


def memory_limit() -> tuple[int, int]:
    """Bytes of the machine, and bytes that this process may use of them."""
    total, _ = _machine_memory()
    limit, _ = _cgroup_limits()
    return total, min(total, limit) if limit and total else limit or total


def available_memory() -> int:
    """Bytes that can be used now without swapping, within the limit."""
    total, free = _machine_memory()
    limit, left = _cgroup_limits()
    bounds = [bound for bound in (limit, left) if bound is not None]
    return min([free, *bounds]) if total else min(bounds, default=0)
