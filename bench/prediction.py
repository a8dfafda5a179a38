"""What nssbg predicts of a model before it is here, against what the synthetic network then takes.

Predicted from nssbg._planner.known_costs alone, as `nssbg models list` does. Time: the machine's
rates and the run of every way to run the network, in turn in every round; both in the process's
processor time, since on a machine that others use wall time tells of them. The median of the
rounds' ratios is told, and their spread. Memory: the peak of a process that opens the network and
runs it three times. Exit code 1 where a ratio is beyond 30 %.

    python -m bench.prediction u2netp u2net isnet birefnet-lite --rounds 5
"""

from __future__ import annotations

import argparse
import gc
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.timing import print_header

BOUND = 0.30

_CHILD = """
import sys
from pathlib import Path
import numpy as np
path, name, backend, precision, threads = sys.argv[1:]
from nssbg.bench.synthetic import describe
from nssbg._runtime import open_backend
model = describe(name, path)
opened = open_backend(model, backend=backend, device="cpu", precision=precision,
                      threads=int(threads))
tensor = np.zeros((1, 3, *model.size), np.float32)
for _ in range(3):
    opened.run(tensor)
text = Path("/proc/self/status").read_text().split()
print(int(text[text.index("VmHWM:") + 1]) * 1024)
"""


def peak(path: Path, name: str, candidate: Any) -> int:
    """Bytes that a process of its own had resident at most."""
    given = [str(path), name, candidate.backend, candidate.precision, str(candidate.threads)]
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, *given], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


def within(ratio: float) -> str:
    return "" if 1 / (1 + BOUND) <= ratio <= 1 + BOUND else "  BEYOND 30 %"


def measure(name: str, folder: Path, *, rounds: int, memory_only: bool) -> bool:
    from nssbg._models.prepared import prepared
    from nssbg._planner import PlanRequest, candidates
    from nssbg._planner.graph_cost import measure_rates
    from nssbg._planner.known_costs import known_cost
    from nssbg._planner.resource_estimate import predicted_peak, predicted_seconds
    from nssbg._runtime import open_backend
    from nssbg._runtime.devices import hardware
    from nssbg.bench.synthetic import describe, make

    path = folder / f"{name}.onnx"
    if not path.exists():
        make(name, path)
    model = describe(name, path)
    cost = known_cost(replace(model, architecture=name, path=None))
    assert cost is not None
    ready = prepared(model)
    assert ready.path is not None
    found = [c for c in candidates(hardware(), model, PlanRequest()) if c.device == "cpu"]
    good = True
    print(f"{name} at {model.height}: predicted / measured")
    for candidate in found:
        measured = peak(ready.path, name, candidate)
        ratio = predicted_peak(cost, candidate) / measured
        good &= not within(ratio)
        print(
            f"  memory  {candidate!s:<42} {predicted_peak(cost, candidate) / 1e6:>7.0f} /"
            f" {measured / 1e6:>7.0f} MB  {ratio:.2f}{within(ratio)}",
            flush=True,
        )
    if memory_only:
        return good
    tensor = np.random.default_rng(0).normal(size=(1, 3, *model.size)).astype(np.float32)
    opened = {
        c: open_backend(
            ready, backend=c.backend, device="cpu", precision=c.precision, threads=c.threads
        )
        for c in found
    }
    ratios: dict[Any, list[float]] = {c: [] for c in found}
    samples: dict[Any, list[tuple[float, float]]] = {c: [] for c in found}
    for backend in opened.values():
        backend.run(tensor)
    threads = max(candidate.threads for candidate in found)
    before = measure_rates(threads, clock=time.process_time)
    for _ in range(rounds):
        for candidate in found:
            began, wall = time.process_time(), time.perf_counter()
            opened[candidate].run(tensor)
            took, wall = time.process_time() - began, time.perf_counter() - wall
            samples[candidate].append((took, wall))
        # Rates on both sides of the runs: caches that others take meet both.
        after = measure_rates(threads, clock=time.process_time)
        for candidate in found:
            predicted = [predicted_seconds(cost, candidate, rates) for rates in (before, after)]
            ratios[candidate].append(statistics.fmean(predicted) / samples[candidate][-1][0])
        before = after
    for candidate in found:
        own = ratios[candidate]
        ratio = statistics.median(own)
        took, wall = (statistics.median(column) for column in zip(*samples[candidate], strict=True))
        good &= not within(ratio)
        print(
            f"  time    {candidate!s:<42} {took:>7.3f} s of processors, {wall:.3f} s passed"
            f"  {ratio:.2f} ({min(own):.2f} to {max(own):.2f}){within(ratio)}",
            flush=True,
        )
    for backend in opened.values():
        backend.close()
    opened.clear()
    gc.collect()
    return good


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    names = ["u2netp", "u2net", "isnet", "birefnet-lite"]
    parser.add_argument("name", nargs="*", default=names, help=f"default: {', '.join(names)}")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "nssbg-nets")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory-only", action="store_true")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    os.environ["NSSBG_HOME"] = str(args.folder / "home")

    from nssbg._runtime.devices import usable_threads

    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    print_header("prediction", threads=usable_threads(), load=f"{load:.1f}")
    good = [
        measure(name, args.folder, rounds=args.rounds, memory_only=args.memory_only)
        for name in args.name
    ]
    print("all within 30 %" if all(good) else "some beyond 30 %")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
