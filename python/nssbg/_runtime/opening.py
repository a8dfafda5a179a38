"""Opens a backend: the runtime that was asked for, or the one that can read the file.

Which runtime is fastest is the planner's measurement; "auto" here is the choice without
one: OpenVINO where it is installed, else ONNX Runtime.
"""

from __future__ import annotations

from pathlib import Path

from nssbg import _vocabulary
from nssbg._errors import DeviceError, ModelError, OptionError
from nssbg._installed import NO_RUNTIME, RUNTIMES, installed
from nssbg._lifecycle import NativeCall
from nssbg._models.sidecar import ModelDescription
from nssbg._runtime.base import Backend, OpenOptions, log
from nssbg._runtime.device_table import ONNXRUNTIME_ONLY

__all__ = ["BACKENDS", "open_backend"]

# "fake" is for tests: it opens no runtime.
BACKENDS = (*_vocabulary.BACKENDS, "fake")


def open_backend(
    model: ModelDescription,
    *,
    backend: str = "auto",
    device: str = "auto",
    precision: str = "auto",
    threads: int = 0,
    streams: int = 1,
    batch: int = 1,
    cache: Path | None = None,
) -> Backend:
    """A network, compiled and ready to run.

    Args:
        model: Its description; its path must be set.
        backend: "auto", "onnxruntime", "openvino" or "fake".
        device: "auto", "cpu", "gpu", "npu", "cuda", "gpu.1", ... A device named here runs
            or it is an error; under "auto" what fell short is logged and in the plan.
        precision: "auto" (float32, or what the file is in), "float32", "bfloat16",
            "float16" or "int8".
        threads: Threads for the runtime; 0: OMP_NUM_THREADS, else all usable cores.
        streams: Pictures at the same time (openvino).
        batch: Pictures in one tensor that the graph is compiled for.
        cache: Folder for compiled networks; None: none is read or written.

    Raises:
        DeviceError: A runtime, device or precision that was asked for is not there.
        ModelError: The weights are missing, damaged, or not what their description says.
        OptionError: An argument outside what is allowed.
        ForkError: The runtime was in use where this process was forked, and does not survive it.
    """
    # Runtimes are imported and networks compiled here: neither may be cut short by a fork.
    with NativeCall():
        return _open(
            model,
            backend=backend,
            device=device,
            precision=precision,
            threads=threads,
            streams=streams,
            batch=batch,
            cache=cache,
        )


def _open(
    model: ModelDescription,
    *,
    backend: str,
    device: str,
    precision: str,
    threads: int,
    streams: int,
    batch: int,
    cache: Path | None,
) -> Backend:
    if backend not in BACKENDS:
        raise OptionError(f"backend is {backend!r}, expected one of {', '.join(BACKENDS)}")
    if streams < 1 or batch < 1 or threads < 0:
        raise OptionError("streams and batch are 1 or more, threads 0 or more")
    device = device.lower()
    options = OpenOptions(device, precision, threads, streams, batch, cache)
    if backend == "fake":
        from nssbg._runtime.fake import FakeBackend

        return FakeBackend(model, options)
    if model.path is None or not model.path.is_file():
        where = f" at {model.path}" if model.path else " on this machine"
        raise ModelError(f"{model.name}: no weights{where}; try: nssbg models pull {model.name}")
    if backend == "auto":
        there = [name for name in RUNTIMES if installed(name)]
        if not there:
            raise DeviceError(f"{model.name}: {NO_RUNTIME}")
        if len(there) == 1:
            backend = there[0]  # its errors are the answer: there is no other to go to
        elif device in ONNXRUNTIME_ONLY:
            backend = "onnxruntime"
    if backend == "onnxruntime":
        from nssbg._runtime.onnxruntime import OnnxRuntimeBackend

        return OnnxRuntimeBackend(model, options)

    from nssbg._runtime.openvino import OpenVinoBackend

    if backend == "openvino":
        return OpenVinoBackend(model, options)
    try:
        return OpenVinoBackend(model, options)
    except (DeviceError, ModelError) as first:
        if model.path.suffix == ".xml" or precision == "bfloat16":
            raise
        from dataclasses import replace

        from nssbg._runtime.onnxruntime import OnnxRuntimeBackend

        try:
            opened = OnnxRuntimeBackend(model, options)
        except (DeviceError, ModelError) as second:
            raise type(second)(f"{first}; and with onnxruntime: {second}") from second
        line = f"openvino could not be used, onnxruntime runs: {first}"
        log.warning("%s: %s", model.name, line)
        opened.plan = replace(opened.plan, fallbacks=(*opened.plan.fallbacks, line))
        return opened
