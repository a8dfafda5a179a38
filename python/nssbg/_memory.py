"""How much memory this process may use: the machine's or its cgroup's, and what of it is free."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

__all__ = ["available_memory", "memory_limit", "read_system_file"]


def read_system_file(path: str) -> str:
    """A file of /proc or /sys; empty where there is none."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _cgroup_number(names: tuple[str, ...]) -> int | None:
    """The least number that this process's cgroup, or one above it, has under these names."""
    found: list[int] = []
    for line in read_system_file("/proc/self/cgroup").splitlines():
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if controllers and "memory" not in controllers.split(","):
            continue
        root = "/sys/fs/cgroup/memory" if controllers else "/sys/fs/cgroup"
        parts = [part for part in path.split("/") if part]
        for depth in range(len(parts), -1, -1):
            folder = "/".join([root, *parts[:depth]])
            for name in names:
                text = read_system_file(f"{folder}/{name}").strip()
                if text.isdigit() and int(text) < 1 << 60:
                    found.append(int(text))
    return min(found, default=None)


def memory_limit() -> tuple[int, int]:
    """Bytes of the machine, and bytes that this process may use of them."""
    total = 0
    match = re.search(r"^MemTotal:\s+(\d+) kB", read_system_file("/proc/meminfo"), re.MULTILINE)
    if match:
        total = int(match[1]) * 1024
    else:
        with contextlib.suppress(ValueError, OSError, AttributeError):
            total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = _cgroup_number(("memory.max", "memory.limit_in_bytes"))
    return total, min(total, limit) if limit and total else limit or total


def available_memory() -> int:
    """Bytes that can be used now without swapping, within the limit."""
    total, limit = memory_limit()
    match = re.search(r"^MemAvailable:\s+(\d+) kB", read_system_file("/proc/meminfo"), re.MULTILINE)
    free = int(match[1]) * 1024 if match else total // 2
    if limit < total:
        used = _cgroup_number(("memory.current", "memory.usage_in_bytes"))
        if used is not None:
            free = min(free, max(0, limit - used))
    return min(free, limit)
