"""Times nssbg-lite at its own input size against an architecture-true U-2-Net-p (random weights) at
320 x 320, side by side in one run, on ONNX Runtime and OpenVINO with the same threads.

    python -m bench.model_speed [--threads 2] [--model nssbg-lite.onnx]
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bench.timing import interleaved
from nssbg._models.sidecar import read_sidecar

MODEL = Path(__file__).parent.parent / "python/nssbg/_models/bundled/nssbg-lite.onnx"
TARGET = 5.0  # U-2-Net-p's time over nssbg-lite's that is to be reached at least

Batch = npt.NDArray[np.float32]


def on_onnxruntime(model: Path, batch: Batch, threads: int) -> Callable[[], object]:
    """One pass, the session made beforehand."""
    from nssbg._runtime_imports import import_onnxruntime

    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda: session.run(None, {name: batch})


def on_openvino(model: Path, batch: Batch, threads: int) -> Callable[[], object]:
    """One pass in float32 arithmetic, the model compiled beforehand."""
    from nssbg._runtime_imports import import_openvino

    openvino = import_openvino()

    compiled = openvino.Core().compile_model(
        str(model),
        "CPU",
        {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"},
    )
    request = compiled.create_infer_request()
    return lambda: request.infer([batch])


def main() -> None:
    """Times and judges."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=31)
    parser.add_argument("--model", type=Path, default=MODEL)
    options = parser.parse_args()
    from bench.architectures.u2net import export

    side = read_sidecar(MODEL.with_suffix(".toml")).input_size(1, 1)[0]
    batches = {
        size: np.random.default_rng(1).standard_normal((1, 3, size, size), dtype=np.float32)
        for size in (320, side)
    }
    with tempfile.TemporaryDirectory() as folder:
        rival = Path(folder) / "u2netp.onnx"
        export("u2netp", rival, size=320)
        for runtime, start in (("ONNX Runtime", on_onnxruntime), ("OpenVINO", on_openvino)):
            timings = interleaved(
                {
                    "u2netp": start(rival, batches[320], options.threads),
                    "nssbg-lite": start(options.model, batches[side], options.threads),
                },
                runs=options.runs,
                title=f"{runtime}, u2netp at 320, nssbg-lite at {side}, {options.threads} threads",
            )
            ratio = timings["nssbg-lite"].ratio
            print(
                f"{ratio:.1f} times as fast; target {TARGET:.0f}: "
                f"{'reached' if ratio >= TARGET else 'missed'}\n"
            )


if __name__ == "__main__":
    main()
