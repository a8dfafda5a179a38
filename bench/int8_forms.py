"""Which int8 form of a trained network is within the alpha's bound, and how fast each form is.

Forms differ in what stays in float32: by NNCF (its OpenVINO backend: per-channel weights, bias
correction) and by ONNX Runtime's quantiser. Calibrated on pictures of a folder, compared with
float32 on others of it. Times are interleaved: onnxruntime's defaults on the published file,
float32 and bfloat16, every form alone and with the rest in bfloat16. Needs nncf and onnx.

    python -m bench.int8_forms isnet-general-use-fp16 PICTURES... --calibration 20 --runs 5
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench.timing import print_header, spent
from nssbg._runtime_imports import (
    import_nncf,
    import_onnxruntime,
    import_openvino,
    telemetry_kept_out,
)

BOUND = (1.0, 8.0)  # mean and most, of 255: nssbg._planner.candidates

# What stays in float32, as patterns of operators' names in the published IS-Net files.
SIDES = [r".*conv_in.*", r".*side.*"]
HIGH = [r".*stage1d?/.*", r".*stage2d?/.*", *SIDES]
FORMS: dict[str, list[str]] = {
    "all of it": [],
    "first layer and side outputs in float": [r".*stage1/rebnconvin.*", *SIDES],
    "finest stage in float": [r".*stage1d?/.*", *SIDES],
    "two finest stages in float": HIGH,
    "decoder in float": [r".*stage\dd/.*", r".*side.*"],
    "encoder in float": [r".*conv_in.*", r".*stage\d/.*"],
    "only the two coarsest stages": [*HIGH, r".*stage3/.*", r".*stage\dd/.*", r".*stage4/.*"],
    "only the coarsest stage": [*HIGH, r".*stage[345]/.*", r".*stage\dd/.*"],
}


def opened(openvino: Any, model: Any, precision: str, threads: int) -> Callable[..., Any]:
    compiled = openvino.Core().compile_model(
        model,
        "CPU",
        {
            "INFERENCE_PRECISION_HINT": precision,
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            "ENABLE_CPU_PINNING": False,
        },
    )
    request = compiled.create_infer_request()

    def run(tensor: np.ndarray) -> np.ndarray:
        request.infer({0: tensor})
        return np.array(request.get_output_tensor(0).data)

    return run


def alpha(raw: np.ndarray) -> np.ndarray:
    """As nssbg reads IS-Net: stretched from least to most."""
    low, high = raw.min(), raw.max()
    return (raw - low) / max(high - low, 1e-6)


def distances(exact: list[np.ndarray], run: Callable[..., Any], feed: list[np.ndarray]) -> dict:
    found = [np.abs(a - alpha(run(x))) * 255 for a, x in zip(exact, feed, strict=True)]
    means, most = [float(d.mean()) for d in found], [float(d.max()) for d in found]
    beyond = sum(a > BOUND[0] or b > BOUND[1] for a, b in zip(means, most, strict=True))
    return {
        "worst mean": round(max(means), 2),
        "mean": round(float(np.mean(means)), 3),
        "most": round(max(most), 1),
        "beyond 8": round(100 * float(np.mean([(d > 8).mean() for d in found])), 3),
        "pictures out": f"{beyond} of {len(found)}",
    }


def timed(calls: dict[str, Callable[[], Any]], runs: int) -> dict[str, tuple[float, float]]:
    """Times faster than the first, round by round: in wall time and in processor time."""
    samples: dict[str, list[tuple[float, float]]] = {name: [] for name in calls}
    for index in range(runs + 1):
        for name, call in calls.items():
            took = spent(call)
            if index:  # the first round warms up
                samples[name].append((took.wall, took.processor))
    first = next(iter(samples.values()))
    found = {}
    for name, own in samples.items():
        ratios = [(a[0] / b[0], a[1] / b[1]) for a, b in zip(first, own, strict=True)]
        walls, processors = zip(*ratios, strict=True)
        found[name] = statistics.median(walls), statistics.median(processors)
        shown = statistics.median(item[0] for item in own), statistics.median(i[1] for i in own)
        print(f"{name}: {shown[0]:.2f} s passed, {shown[1]:.2f} s of processors", flush=True)
    return found


def by_onnxruntime(source: Any, folder: Path, feed: list[np.ndarray], name: str) -> Path:
    """The product's own other way: QDQ, per channel, two convolutions a side in float."""
    from nssbg._planner.quantization import _by_onnxruntime

    target = folder / f"{name}.onnx"
    path = folder / "float32.onnx"
    path.write_bytes(source.SerializeToString())
    _by_onnxruntime(path, target, feed, 2)
    return target


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("images", nargs="+", type=Path)
    parser.add_argument("--calibration", type=int, default=20, help="the rest is compared on")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--forms", nargs="*", choices=list(FORMS), default=list(FORMS))
    parser.add_argument("--skip-onnxruntime", action="store_true")
    args = parser.parse_args()

    import onnx

    from nssbg._models.catalog import find_model
    from nssbg._models.graph_passes.float32 import to_float32
    from nssbg._runtime.devices import usable_threads
    from nssbg.cli.tune import tensors_of

    threads = usable_threads(args.threads)
    print_header("int8 forms", threads=threads, model=args.model)
    model = find_model(args.model)
    assert model.path is not None
    feed = tensors_of(model, [str(path) for path in args.images])
    # Every picture in turn, so that both sets have the same kinds.
    step = len(feed) / max(1, len(feed) - args.calibration)
    aside_at = {int(i * step) for i in range(len(feed) - args.calibration)}
    aside = [x for i, x in enumerate(feed) if i in aside_at]
    used = [x for i, x in enumerate(feed) if i not in aside_at]
    print(f"{len(used)} pictures to calibrate on, {len(aside)} to compare on\n")

    graph = onnx.load(str(model.path))
    first = graph.graph.output[model.output_index]
    del graph.graph.output[:]
    graph.graph.output.append(first)
    to_float32(graph)
    openvino = import_openvino()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        plain = folder / "plain.onnx"
        onnx.save(graph, str(plain))
        core = openvino.Core()
        exact_run = opened(openvino, core.read_model(str(plain)), "f32", threads)
        exact = [alpha(exact_run(x)) for x in aside]
        runs: dict[str, Callable[..., Any]] = {"float32": exact_run}
        runs["bfloat16"] = opened(openvino, core.read_model(str(plain)), "bf16", threads)
        rows = {"bfloat16": distances(exact, runs["bfloat16"], aside)}
        print("bfloat16", json.dumps(rows["bfloat16"]), flush=True)
        with telemetry_kept_out():
            nncf = import_nncf() if args.forms else None
            for name in args.forms:
                assert nncf is not None
                made = nncf.quantize(
                    core.read_model(str(plain)),
                    nncf.Dataset(used),
                    subset_size=len(used),
                    preset=nncf.QuantizationPreset.MIXED,
                    fast_bias_correction=True,
                    ignored_scope=nncf.IgnoredScope(patterns=FORMS[name], validate=False),
                )
                runs[name] = opened(openvino, made, "f32", threads)
                runs[f"{name}, rest bfloat16"] = opened(openvino, made, "bf16", threads)
                for key in (name, f"{name}, rest bfloat16"):
                    rows[key] = distances(exact, runs[key], aside)
                    print(key, json.dumps(rows[key]), flush=True)
                del made
                gc.collect()
        if not args.skip_onnxruntime:
            path = by_onnxruntime(graph, folder, used, "onnxruntime")
            key = "by onnxruntime, two convolutions a side in float"
            runs[key] = opened(openvino, core.read_model(str(path)), "f32", threads)
            rows[key] = distances(exact, runs[key], aside)
            print(key, json.dumps(rows[key]), flush=True)

        defaults = import_onnxruntime().InferenceSession(
            str(model.path), providers=["CPUExecutionProvider"]
        )
        input_name = defaults.get_inputs()[0].name
        x = aside[0]
        calls: dict[str, Any] = {
            "onnxruntime's defaults, published file": lambda: defaults.run(None, {input_name: x})
        }
        wide = import_onnxruntime().InferenceSession(str(plain), providers=["CPUExecutionProvider"])
        calls["onnxruntime's defaults, float32 file"] = lambda: wide.run(None, {input_name: x})
        calls |= {name: (lambda run=run: run(x)) for name, run in runs.items()}
        faster = timed(calls, args.runs)
    heads = ["worst mean", "mean", "most", "% of pixels beyond 8", "pictures out"]
    print(f"| form | {' | '.join(heads)} | x | x processor |")
    print("|---|---|---|---|---|---|---|---|")
    for name in calls:
        row = rows.get(name, dict.fromkeys(heads, ""))
        cells = " | ".join(str(value) for value in row.values())
        wall, processor = faster[name]
        print(f"| {name} | {cells} | {wall:.2f} | {processor:.2f} |")


if __name__ == "__main__":
    main()
