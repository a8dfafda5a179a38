"""The planner against exhaustive timing and against onnxruntime's defaults; memory; start-up.

Networks are the public architectures with random weights (bench/architectures, made once into
--folder; needs torch). In one interleaved run: onnxruntime with the defaults rembg uses, and
every candidate; then what `tune` chose and how far it is from the fastest. Random weights give
alphas that a real network's bound does not describe, so bfloat16 counts here as accepted and
its measured distance is printed beside it.

    python -m bench.planner --models u2netp isnet birefnet-lite --runs 7
"""

from __future__ import annotations

import argparse
import gc
import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bench.timing import interleaved, print_header

SIZES = {"nssbg-lite": 320, "u2netp": 320, "isnet": 1024, "birefnet-lite": 1024}

_CHILD = """
import sys, time
began = time.perf_counter()
from pathlib import Path
import numpy as np
path, name, size, kind, runs, cache = sys.argv[1:]
size, runs = int(size), int(runs)
tensor = np.zeros((1, 3, size, size), np.float32)
if kind == "defaults":
    from nssbg._runtime_imports import import_onnxruntime
    session = import_onnxruntime().InferenceSession(path, providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: tensor}
    run = lambda: session.run(None, feed)
else:
    from nssbg._runtime import open_backend
    from nssbg._models.sidecar import ModelDescription
    backend, precision = kind.split(":")
    model = ModelDescription(name=name, file=Path(path).name, height=size, width=size)
    opened = open_backend(model.at(path), backend=backend, device="cpu", precision=precision,
                          cache=Path(cache) if cache else None)
    run = lambda: opened.run(tensor)
run()
first = time.perf_counter() - began
def resident(key):
    text = Path("/proc/self/status").read_text().split()
    return int(text[text.index(key) + 1]) / 1024
early = resident("VmRSS:")
for _ in range(runs - 1):
    run()
print(f"{first:.3f} {resident('VmHWM:'):.0f} {resident('VmRSS:') - early:.0f}")
"""


def network(name: str, folder: Path) -> Path:
    if name == "nssbg-lite":
        from nssbg._models.catalog import bundled_models

        bundled = bundled_models()[name].path
        assert bundled is not None
        return bundled
    path = folder / f"{name}.onnx"
    if not path.exists():
        if name == "birefnet-lite":
            from bench.architectures.birefnet_lite import export as export_birefnet

            export_birefnet(path, form="gathernd", size=SIZES[name])
        else:
            from bench.architectures.u2net import export

            export(name, path)
    return path


def child(
    path: Path, name: str, kind: str, runs: int, cache: str = ""
) -> tuple[float, float, float]:
    """Seconds from the interpreter's first line to the first tensor, peak and growth in MB."""
    command = [sys.executable, "-c", _CHILD, str(path), name, str(SIZES[name]), kind]
    done = subprocess.run(
        [*command, str(runs), cache], capture_output=True, text=True, check=True, env=os.environ
    )
    first, peak, growth = done.stdout.split()
    return float(first), float(peak), float(growth)


def defaults(path: Path, tensor: np.ndarray) -> Any:
    """onnxruntime as rembg opens it: default options, all outputs."""
    from nssbg._runtime_imports import import_onnxruntime

    session = import_onnxruntime().InferenceSession(str(path), providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: tensor}
    return lambda: session.run(None, feed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", choices=list(SIZES), default=["u2netp", "isnet"])
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "nssbg-nets")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--images", type=int, default=200, help="for memory that must not grow")
    parser.add_argument("--skip-defaults", action="store_true", help="they need 12 GB for BiRefNet")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    os.environ["NSSBG_HOME"] = str(args.folder / "home")

    from nssbg._models.paths import compiled_folder
    from nssbg._models.prepared import prepared
    from nssbg._models.sidecar import ModelDescription
    from nssbg._planner import PlanRequest, benchmark, candidates
    from nssbg._planner.benchmark import autotune, synthetic_tensors
    from nssbg._planner.resource_estimate import fit
    from nssbg._runtime.devices import hardware, usable_threads

    print_header("planner", threads=usable_threads())
    machine = hardware()
    for name in args.models:
        path = network(name, args.folder)
        size = SIZES[name]
        family = {"activation": "sigmoid"} if name == "birefnet-lite" else {"range": "minmax"}
        family = {} if name == "nssbg-lite" else family
        model = ModelDescription(name=name, file=path.name, height=size, width=size, **family)
        model = model.at(path)
        ready = prepared(model)
        tensor = synthetic_tensors(model, 1)[0]
        found = candidates(machine, model, PlanRequest())
        calls: dict[str, Any] = {}
        if not args.skip_defaults:
            calls["onnxruntime, rembg's defaults"] = defaults(path, tensor)
        opened = {}
        for candidate in found:
            opened[candidate] = benchmark._open(ready, candidate, None, compiled_folder())
            calls[str(candidate)] = partial(opened[candidate].run, tensor)
        timed = interleaved(calls, runs=args.runs, warmup=2, title=f"{name} at {size}")
        for backend in opened.values():
            backend.close()
        # Its 12 GB for BiRefNet would stand beside those of the process that measures them.
        calls.clear()
        gc.collect()

        # Random weights: the bound would judge them, not the arithmetic (see above).
        mean_bound, max_bound = benchmark.MEAN_ERROR, benchmark.MAX_ERROR
        benchmark.MEAN_ERROR = benchmark.MAX_ERROR = 1.0
        measured = autotune(ready, found, tensors=[tensor], cache=compiled_folder(), rounds=5)
        benchmark.MEAN_ERROR, benchmark.MAX_ERROR = mean_bound, max_bound
        good = [item for item in measured if not item.problem]
        chosen = min(good, key=lambda item: item.milliseconds)
        exhaustive = {str(c): timed.medians[str(c)] for c in found}
        best = min(exhaustive.values())
        behind = 100 * (exhaustive[str(chosen.candidate)] / best - 1)
        print(f"chosen: {chosen.candidate}; {behind:.1f} % behind the fastest found exhaustively")
        for item in measured:
            print(
                f"  {item.candidate}: alpha {255 * item.mean_error:.2f}/255 mean, "
                f"{255 * item.max_error:.1f}/255 most from float32"
            )

        print("one process each: seconds to the first tensor (cold, then with the compiled")
        print("network kept), peak memory, growth over the pictures after the first; predicted")
        kinds = [f"{c.backend}:{c.precision}" for c in found]
        if not args.skip_defaults:
            _, peak, growth = child(path, name, "defaults", min(3, args.pictures))
            print(f"  {'defaults':<22} {'':>6} {'':>6}  {peak:>6.0f} MB  {growth:>+5.0f} MB")
        assert ready.path is not None
        for kind, candidate in zip(kinds, found, strict=True):
            few = args.pictures if candidate == chosen.candidate else 3
            with tempfile.TemporaryDirectory() as cache:
                cold, _, _ = child(ready.path, name, kind, 1, cache)
                warm, peak, growth = child(ready.path, name, kind, few, cache)
            predicted = fit(ready, candidate)
            print(
                f"  {kind:<22} {cold:>6.2f} {warm:>6.2f}  {peak:>6.0f} MB  {growth:>+5.0f} MB  "
                f"predicted {predicted.peak_bytes / (1 << 20):.0f} MB, "
                f"{1e3 * predicted.seconds:.0f} ms"
            )
        print(flush=True)


if __name__ == "__main__":
    main()
