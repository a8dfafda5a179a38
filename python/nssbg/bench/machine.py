"""What machine the figures are from: processor, limits, clock, virtualisation, versions, commit.

Everything here only looks; what a system does not tell is None, never a guess.
"""

from __future__ import annotations

import os
import platform
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import nssbg
from nssbg._memory import memory_limit, read_system_file
from nssbg._runtime.devices import Hardware

__all__ = ["Machine", "commit_of", "cpu_quota", "describe_machine", "pinned_cpus"]


@dataclass(frozen=True)
class Machine:
    """The machine as this process sees it.

    Attributes:
        fingerprint: Equal where figures may be compared: processor, usable cores, devices and
            versions of the runtimes.
        processor: The processor's name.
        isa: Level that nssbg's kernels run at.
        features: Instruction sets of interest to the runtimes.
        cores: Logical processors of the machine.
        usable_cores: What affinity and the cgroup's quota leave.
        threads_per_core: Hardware threads a core; None where the system does not tell.
        cgroup_cpus: The cgroup's quota in processors; None without one.
        memory_bytes: Bytes of the machine.
        memory_limit_bytes: Bytes that this process may use.
        governor: What sets the clock ("performance", ...); None where the system does not tell.
        boost: Whether the clock may go above its nominal; None where the system does not tell.
        virtualization: Hypervisor, "container", both, or None: neither is seen.
        system: Operating system, kernel and machine.
        python: Version and implementation.
        load: Load average over the last minute before the run; None where the system has none.
        energy: What energy is read from, or why it is not.
    """

    fingerprint: str
    processor: str
    isa: str
    features: tuple[str, ...]
    cores: int
    usable_cores: int
    threads_per_core: int | None
    cgroup_cpus: float | None
    memory_bytes: int
    memory_limit_bytes: int
    governor: str | None
    boost: bool | None
    virtualization: str | None
    system: str
    python: str
    load: float | None
    energy: str


def _cgroup_folder(controller: str) -> list[str]:
    """This process's cgroup folders for a controller, inner ones first, of both versions."""
    folders = []
    for line in read_system_file("/proc/self/cgroup").splitlines():
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if controllers and controller not in controllers.split(","):
            continue
        root = f"/sys/fs/cgroup/{controllers}" if controllers else "/sys/fs/cgroup"
        parts = [part for part in path.split("/") if part]
        folders += ["/".join([root, *parts[:depth]]) for depth in range(len(parts), -1, -1)]
    return folders


def cpu_quota() -> float | None:
    """The least quota of this process's cgroups, in processors; None where there is none."""
    quotas = []
    for folder in _cgroup_folder("cpu"):
        quota, _, period = read_system_file(f"{folder}/cpu.max").strip().partition(" ")
        if quota.isdigit() and period.isdigit() and int(period) > 0:
            quotas.append(int(quota) / int(period))
            continue
        old = read_system_file(f"{folder}/cpu.cfs_quota_us").strip()
        length = read_system_file(f"{folder}/cpu.cfs_period_us").strip()
        if old.isdigit() and length.isdigit() and int(length) > 0:
            quotas.append(int(old) / int(length))
    return min(quotas, default=None)


def _virtualization() -> str | None:
    seen = []
    flags = re.search(r"^flags\s*:(.*)$", read_system_file("/proc/cpuinfo"), re.MULTILINE)
    vendor = read_system_file("/sys/class/dmi/id/sys_vendor").strip()
    product = read_system_file("/sys/class/dmi/id/product_name").strip()
    if (flags and " hypervisor" in flags[1]) or read_system_file("/sys/hypervisor/type").strip():
        named = read_system_file("/sys/hypervisor/type").strip() or f"{vendor} {product}".strip()
        seen.append(f"virtual machine ({named})" if named else "virtual machine")
    mounts = read_system_file("/proc/1/cgroup")
    held = any(word in mounts for word in ("docker", "kubepods", "containerd", "lxc"))
    if held or Path("/.dockerenv").exists() or Path("/run/.containerenv").exists():
        seen.append("container")
    return ", ".join(seen) or None


def _boost() -> bool | None:
    direct = read_system_file("/sys/devices/system/cpu/cpufreq/boost").strip()
    if direct in ("0", "1"):
        return direct == "1"
    inverse = read_system_file("/sys/devices/system/cpu/intel_pstate/no_turbo").strip()
    return inverse == "0" if inverse in ("0", "1") else None


def _siblings(cpu: int) -> tuple[int, ...]:
    """Logical processors that share a core with this one, itself among them."""
    text = read_system_file(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
    found: list[int] = []
    for part in text.strip().split(","):
        low, _, high = part.partition("-")
        if low.isdigit():
            found += range(int(low), int(high or low) + 1)
    return tuple(found) or (cpu,)


def pinned_cpus(threads: int) -> tuple[int, ...]:
    """The logical processors that a candidate with so many threads is pinned to.

    One hardware thread of each core first. Empty where the system has no affinity to set, or where
    as many threads as processors leave nothing to choose.
    """
    if not hasattr(os, "sched_getaffinity"):
        return ()
    allowed = sorted(os.sched_getaffinity(0))
    if threads >= len(allowed):
        return ()
    order = sorted(allowed, key=lambda cpu: (sorted(_siblings(cpu)).index(cpu), cpu))
    return tuple(sorted(order[:threads]))


def commit_of(folder: Path) -> str | None:
    """Commit of the git checkout that a folder lies in, read from its files; None without one."""
    for parent in (folder, *folder.parents):
        mark = parent / ".git"
        if not mark.exists():
            continue
        if mark.is_file():  # a worktree's: "gitdir: PATH"
            mark = Path(read_system_file(str(mark)).partition(":")[2].strip())
        head = read_system_file(str(mark / "HEAD")).strip()
        if not head.startswith("ref: "):
            return head or None
        reference = head.removeprefix("ref: ")
        common = read_system_file(str(mark / "commondir")).strip()
        for place in (mark, mark / common if common else mark):
            found = read_system_file(str(place / reference)).strip()
            if found:
                return found
            packed = read_system_file(str(place / "packed-refs"))
            line = re.search(rf"^([0-9a-f]{{40,}}) {re.escape(reference)}$", packed, re.MULTILINE)
            if line:
                return line[1]
        return None
    return None


def _load() -> float | None:
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):
        return None


def describe_machine(hardware: Hardware, energy: str) -> Machine:
    """The machine, from what was probed and what the system tells.

    Args:
        hardware: As probed.
        energy: What energy is read from, or why it is not.
    """
    cpu = hardware.processor
    governor = read_system_file("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").strip()
    siblings = read_system_file("/sys/devices/system/cpu/cpu0/topology/thread_siblings_list")
    total, limit = memory_limit()
    return Machine(
        fingerprint=hardware.fingerprint,
        processor=cpu.name,
        isa=cpu.isa,
        features=cpu.features,
        cores=cpu.cores,
        usable_cores=cpu.usable_cores,
        threads_per_core=len(_siblings(0)) if siblings.strip() else None,
        cgroup_cpus=cpu_quota(),
        memory_bytes=total,
        memory_limit_bytes=limit,
        governor=governor or None,
        boost=_boost(),
        virtualization=_virtualization(),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        python=f"{platform.python_implementation()} {sys.version.split()[0]}",
        load=_load(),
        energy=energy,
    )


def nssbg_commit() -> str | None:
    """Commit of the checkout that nssbg is installed from; None for a wheel.

    A package folder inside someone else's repository (a virtual environment in one) tells
    nothing of nssbg: its own source has to lie there.
    """
    folder = Path(nssbg.__file__).resolve().parent
    root = folder.parent.parent
    return commit_of(root) if (root / "cpp" / "CMakeLists.txt").is_file() else None
