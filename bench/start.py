"""From the command to the result, each run a process of its own: how long does a start take?

Two kinds. "tensor": a process that imports nssbg, opens a network (compiled network and plan kept
from an earlier process) and gives its first output; beside it onnxruntime's defaults, as rembg
opens a session, with nothing of nssbg in the process. "picture": `nssbg PHOTO`, from the shell's
fork to the file on disk. Runs are interleaved; files are in the page cache.

    python -m bench.start --u2netp u2netp.onnx --photos 2mp.jpg 12mp.jpg
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench.timing import interleaved, print_header

_OURS = """
import numpy
from nssbg._planner import open_model
model, backend = open_model({model!r}, backend={backend!r})
print(backend.run(numpy.zeros((1, 3, *model.size), numpy.float32)).shape, flush=True)
"""
_DEFAULTS = """
import os
os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # nothing leaves, also of the peer
import numpy, onnxruntime
session = onnxruntime.InferenceSession({model!r}, providers=["CPUExecutionProvider"])
feed = {{session.get_inputs()[0].name: numpy.zeros((1, 3, 320, 320), numpy.float32)}}
print(session.run(None, feed)[0].shape, flush=True)
"""


def until_line(command: list[str], environment: dict[str, str]) -> None:
    """Start a process and wait for its first line, the end of what is timed; reap it after."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        if not process.stdout.readline():
            raise RuntimeError(f"no output from {command[:3]}")


def whole(command: list[str], environment: dict[str, str]) -> None:
    quietly = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run(command, check=True, env=environment, **quietly)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--u2netp", type=Path, help="weights, with a sidecar beside them")
    parser.add_argument("--photos", type=Path, nargs="*", default=[])
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--home", type=Path, help="NSSBG_HOME with plans; default: a fresh one")
    args = parser.parse_args()
    print_header("start", threads="all")
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **os.environ,
            "NSSBG_HOME": str(args.home or folder),
            # As the command sets it for its own process.
            "OPENBLAS_NUM_THREADS": "1",
        }

        def tensor(text: str, model: object, backend: str = "auto") -> Callable[[], object]:
            code = text.format(model=str(model), backend=backend)
            return lambda: until_line([sys.executable, "-c", code], environment)

        calls: dict[str, Callable[[], object]] = {}
        if args.u2netp:
            calls["u2netp, onnxruntime's defaults"] = tensor(_DEFAULTS, args.u2netp)
            calls["u2netp, as planned"] = tensor(_OURS, args.u2netp)
            calls["u2netp, onnxruntime"] = tensor(_OURS, args.u2netp, "onnxruntime")
        calls["nssbg-lite, as planned"] = tensor(_OURS, "nssbg-lite")
        calls["nssbg-lite, onnxruntime"] = tensor(_OURS, "nssbg-lite", "onnxruntime")
        interleaved(calls, runs=args.runs, title="command to tensor out")
        pictures: dict[str, Callable[[], object]] = {}
        for photo in args.photos:
            for model in ("nssbg-lite", "auto", "studio"):
                target = str(Path(folder) / "out.png")
                command = [sys.executable, "-m", "nssbg.cli.main", "remove", str(photo), target]
                command += ["--model", model, "--overwrite"]
                pictures[f"{photo.stem}, {model}"] = lambda c=command: whole(c, environment)
        if pictures:
            interleaved(pictures, runs=args.runs, title="command to file on disk")


if __name__ == "__main__":
    main()
