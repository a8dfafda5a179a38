"""OpenVINO: a network on its CPU, GPU or NPU plugin, or where its AUTO plugin puts it.

Comes in: a model description and OpenOptions. Goes out: a Backend whose plan tells the
execution device and inference precision that the compiled model reports. Only the mask's
output is compiled, with a fixed shape; the compiled network is kept on disk.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nssbg._errors import DeviceError, ModelError, NssbgError
from nssbg._installed import installed, not_installed
from nssbg._lifecycle import NativeCall, holds_native, refuse_after_fork, used_runtime
from nssbg._models.onnx_header import read_header
from nssbg._models.sidecar import ModelDescription
from nssbg._runtime.base import (
    OpenOptions,
    answer_from_output,
    check_output_sides,
    checked_tensor,
    log,
    run_in_chunks,
    weights_fingerprint,
)
from nssbg._runtime.compiled_cache import CompiledCache
from nssbg._runtime.device_table import OPENVINO_HINTS, PRECISIONS
from nssbg._runtime.devices import accelerator_nodes, usable_threads
from nssbg._runtime_imports import import_openvino
from nssbg._types import Plan

__all__ = ["OpenVinoBackend", "read_graph"]

# Most bytes of weights, over all streams, for which each stream gets a network of its own. Such a
# network runs in its caller's thread. A stream of a shared one runs in a thread of its own, and
# handing over to it cost a tenth of a batch's time with nssbg-lite (docs/decisions/0806).
_OWN_WEIGHTS = 32 << 20
# What the compiled model tells of its arithmetic, by either of the names that types have.
_SHOWN = {
    "float": "float32",
    **{name: name for name in ("float32", "bfloat16", "float16")},
    **{OPENVINO_HINTS[name]: name for name in ("float32", "bfloat16", "float16")},
}


def _load() -> Any:
    if not installed("openvino"):
        raise DeviceError(not_installed("openvino"))
    try:
        return import_openvino()
    except ImportError as error:
        raise DeviceError(
            f"openvino cannot be loaded ({error}); try: pip install --force-reinstall openvino"
        ) from error


def _available(core: Any, device: str) -> list[str]:
    """The devices that OpenVINO finds; it is not asked where only the processor can be it."""
    if device == "cpu" or (device == "auto" and accelerator_nodes() == ()):
        return ["CPU"]
    return list(core.available_devices)


def _target(device: str, available: list[str]) -> str:
    """OpenVINO's name for the device asked for: "CPU", "GPU", "GPU.1", "NPU", "AUTO"."""
    wanted = device.upper()
    if wanted == "AUTO":
        return "AUTO" if any(not name.startswith("CPU") for name in available) else "CPU"
    family = wanted.partition(".")[0]
    if family not in ("CPU", "GPU", "NPU"):
        raise DeviceError(f"device {device!r} is not known to openvino; known: auto, cpu, gpu, npu")
    if not any(name == wanted or name.partition(".")[0] == wanted for name in available):
        raise DeviceError(
            f"device {device!r} was asked for, but openvino finds only {', '.join(available)}; "
            "`nssbg doctor` says what to install"
        )
    return wanted


class OpenVinoBackend:
    """A network that OpenVINO compiled, with one inference request a stream.

    On the processor, where every stream has one thread and the weights are small, each stream is
    a network of its own.
    """

    def __init__(self, model: ModelDescription, options: OpenOptions) -> None:
        # Its thread pool (TBB) is one for the process; in a child forked amid its use, or just
        # after, the first compilation hangs (2 of 95 forks of a parent that was held still).
        refuse_after_fork("openvino")
        openvino = _load()
        if model.path is None:
            raise ModelError(f"{model.name}: its weights are not on this machine")
        if options.precision not in ("auto", *PRECISIONS):
            raise DeviceError(
                f"precision {options.precision!r} is not known; "
                f"known: auto, {', '.join(PRECISIONS)}"
            )
        holds_native(self)
        used_runtime("openvino")
        self._model = model
        self._openvino = openvino
        self._blobs: list[NDArray[np.uint8]] = []
        self._notes: list[str] = []
        self._threads = usable_threads(options.threads)
        core = openvino.Core()
        target = _target(options.device, _available(core, options.device))
        config: dict[str, Any] = {}
        # float32 unless asked: on processors with bfloat16 the plugin would otherwise take
        # it by itself, and how far that moves the alpha is for the planner to measure.
        precision = "float32" if options.precision == "auto" else options.precision
        apart = target == "CPU" and _apart(model.path, options.streams, self._threads)
        if target == "CPU":
            config["INFERENCE_NUM_THREADS"] = 1 if apart else self._threads
            config["NUM_STREAMS"] = 1 if apart else options.streams
            config["INFERENCE_PRECISION_HINT"] = OPENVINO_HINTS[precision]
            # Pinned threads of two processes land on the same cores.
            config["ENABLE_CPU_PINNING"] = False
        else:
            config["PERFORMANCE_HINT"] = "LATENCY" if options.streams == 1 else "THROUGHPUT"
            if options.precision in ("float32", "float16") and target != "NPU":
                config["INFERENCE_PRECISION_HINT"] = OPENVINO_HINTS[precision]
        compiled = self._compile(core, target, config, options)
        self._compiled: Any = compiled
        self._input_dtype = _element(compiled.input(0), model)
        shape = compiled.input(0).get_partial_shape()
        self._batch = shape[0].get_length() if shape[0].is_static else None
        networks = [compiled] * max(1, options.streams)
        if apart:
            others = (self._compile(core, target, config, options) for _ in networks[1:])
            networks = [compiled, *others]
        self._requests = [network.create_infer_request() for network in networks]
        self._idle = list(self._requests)
        self._condition = threading.Condition()
        self.plan = self._told(target, precision, options)

    def _told(self, target: str, precision: str, options: OpenOptions) -> Plan:
        """The plan by the compiled model's own word; an error where it breaks what was asked."""
        devices = _property(self._compiled, "EXECUTION_DEVICES") or [target]
        actual = ", ".join(dict.fromkeys(str(item).strip("()") for item in devices))
        hint = _property(self._compiled, "INFERENCE_PRECISION_HINT")
        told = _SHOWN.get(hint.get_type_name() if hint is not None else "", "")
        told = told or precision
        fallbacks = []
        if options.device != "auto" and not actual.startswith(options.device.upper()):
            self.close()
            raise DeviceError(
                f"device {options.device!r} was asked for, but openvino runs on {actual}"
            )
        if options.precision in ("bfloat16", "float16") and told != options.precision:
            line = f"{options.precision} was asked for, {actual} computes in {told}"
            if options.device != "auto":
                self.close()
                raise DeviceError(f"{line}; try precision='auto'")
            log.warning("%s: %s", self._model.name, line)
            fallbacks.append(line)
        if options.device == "auto" and target == "AUTO" and actual.startswith("CPU"):
            line = "openvino's AUTO plugin found a GPU or NPU and still runs on the CPU"
            log.warning("%s: %s", self._model.name, line)
            fallbacks.append(line)
        version = str(self._openvino.__version__).split("-")[0]
        return Plan(
            model=self._model.name,
            backend="openvino",
            device=actual,
            precision="int8" if self._model.precision == "int8" else told,
            threads=self._threads,
            reasons=(f"openvino {version}, {actual}", *self._notes),
            fallbacks=tuple(fallbacks),
            license=self._model.license,
            streams=max(1, options.streams),
            batch=options.batch,
        )

    def _compile(self, core: Any, target: str, config: dict[str, Any], options: OpenOptions) -> Any:
        model = self._model
        assert model.path is not None
        if options.cache is None or target == "AUTO":
            return self._compile_fresh(core, target, config, options)
        entry = CompiledCache(options.cache).entry(
            "openvino",
            str(self._openvino.__version__),
            weights_fingerprint(model.path),
            target,
            *(f"{key}={value}" for key, value in sorted(config.items())),
            *(str(part) for part in (model.size, model.static, model.output_index, options.batch)),
            suffix=".blob",
        )
        kept = CompiledCache.read(entry, self._notes)
        if kept is not None:
            path, blob = kept
            try:
                # Mapped, not read: the weights' pages are shared and need no copy.
                # Copy-on-write, since the runtime takes writable memory only.
                opened = core.import_model(
                    self._openvino.Tensor(blob, shared_memory=True), target, config
                )
                # Kept: the compiled network goes on reading its weights there.
                self._blobs.append(blob)
                return opened
            except Exception as error:
                CompiledCache.refuse(path, f"openvino cannot read it: {error}", self._notes)
        compiled = self._compile_fresh(core, target, config, options)
        with CompiledCache.writing(entry) as target_path:
            if target_path is not None:
                _export(compiled, target_path)
        return compiled

    def _compile_fresh(
        self, core: Any, target: str, config: dict[str, Any], options: OpenOptions
    ) -> Any:
        model = self._model
        assert model.path is not None
        graph = read_graph(core, self._openvino, model)
        try:
            if model.static:
                graph.reshape([options.batch, model.channels, *model.size])
            sides = graph.output(0).get_partial_shape()
            check_output_sides([item.get_length() for item in sides if item.is_static], model)
            return core.compile_model(graph, target, config)
        except ModelError:
            raise
        except Exception as error:
            if target not in ("CPU", "AUTO"):
                raise DeviceError(
                    f"{model.name}: openvino cannot compile it for {target}: {error}"
                ) from error
            raise ModelError(f"{model.path}: openvino cannot compile it: {error}") from error

    @contextlib.contextmanager
    def _request(self) -> Iterator[Any]:
        with self._condition:
            while not self._idle and self._requests:
                self._condition.wait()
            if not self._requests:
                raise NssbgError("the backend is closed; open another one")
            request = self._idle.pop()
        try:
            yield request
        finally:
            with self._condition:
                if self._requests:
                    self._idle.append(request)
                self._condition.notify()

    def run(self, tensor: NDArray[np.float32]) -> NDArray[np.float32]:
        """The mask output, N x h x w, float32."""
        data = checked_tensor(tensor, self._model, self._input_dtype)
        with self._request() as request:
            return run_in_chunks(
                lambda piece: self._run(request, piece), data, self._batch, self._model, "openvino"
            )

    def _run(self, request: Any, data: NDArray[Any]) -> NDArray[np.float32]:
        with NativeCall():
            # The request reads the caller's memory; its own input buffer is never filled.
            request.set_input_tensor(self._openvino.Tensor(data, shared_memory=True))
            request.infer()
        return answer_from_output(request.get_output_tensor(0).data, data.shape, self._model)

    def close(self) -> None:
        """Give the network's memory back; waits for no run: they end with their request."""
        condition = getattr(self, "_condition", None)
        self._compiled = None
        if condition is not None:
            with condition:
                self._requests = []
                self._idle = []
                condition.notify_all()


def read_graph(core: Any, openvino: Any, model: ModelDescription) -> Any:
    """The model's graph with its mask as the only output; shapes as in the file.

    Raises:
        ModelError: It cannot be read, or is not what its description says.
    """
    path = model.path
    assert path is not None
    try:
        _teach_deform_conv(core, openvino, path)
        graph = core.read_model(os.fspath(path))
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(f"{path}: openvino cannot read it: {error}") from error
    if len(graph.inputs) != 1:
        names = ", ".join(item.get_any_name() for item in graph.inputs)
        raise ModelError(f"{path}: has inputs {names}; expected one")
    try:
        output = graph.outputs[model.output_index]
    except IndexError:
        raise ModelError(
            f"{path}: has {len(graph.outputs)} outputs, its description asks for number "
            f"{model.output_index}"
        ) from None
    if len(graph.outputs) > 1:
        graph = openvino.Model([output.get_node()], graph.get_parameters(), model.name)
    return graph


def _teach_deform_conv(core: Any, openvino: Any, path: Path) -> None:
    """OpenVINO has deformable convolution, but its ONNX reader does not know DeformConv."""
    if path.suffix != ".onnx" or "DeformConv" not in read_header(path).operators:
        return
    extension = import_openvino("frontend.onnx").ConversionExtension
    deformable_convolution = import_openvino("opset8").deformable_convolution

    def convert(node: Any) -> Any:
        inputs = [node.get_input(index) for index in range(node.get_input_size())]
        x, weight, offset = inputs[:3]
        rows = node.get_attribute("pads", [0, 0, 0, 0])
        shape = weight.get_partial_shape()
        arguments: dict[str, Any] = {}
        if len(inputs) > 4:
            arguments["mask"] = inputs[4]
        result = deformable_convolution(
            x,
            offset,
            weight,
            node.get_attribute("strides", [1, 1]),
            rows[:2],
            rows[2:],
            node.get_attribute("dilations", [1, 1]),
            **arguments,
            group=node.get_attribute("group", 1),
            deformable_group=node.get_attribute("offset_group", 1),
            # Samples within a pixel outside see zeros there, as ONNX has it.
            bilinear_interpolation_pad=True,
        )
        bias = inputs[3] if len(inputs) > 3 else None
        if bias is not None and bias.get_partial_shape().rank == 1:
            wide = openvino.opset8.reshape(bias, [1, shape[0].get_length(), 1, 1], False)
            result = openvino.opset8.add(result, wide)
        return result.outputs()

    core.add_extension(extension("DeformConv", convert))


def _apart(path: Path, streams: int, threads: int) -> bool:
    """Whether each stream is to be a network of its own."""
    if streams < 2 or streams != threads:
        return False
    weights = path.with_suffix(".bin") if path.suffix == ".xml" else path
    return weights.is_file() and weights.stat().st_size * streams <= _OWN_WEIGHTS


def _property(compiled: Any, name: str) -> Any:
    try:
        return compiled.get_property(name)
    except Exception:
        return None


def _element(port: Any, model: ModelDescription) -> type[np.generic]:
    name = port.get_element_type().get_type_name()
    types: dict[str, type[np.generic]] = {"f32": np.float32, "f16": np.float16}
    if name not in types:
        raise ModelError(f"{model.path}: its input is {name}; expected float32 or float16")
    return types[name]


def _export(compiled: Any, path: Path) -> None:
    try:
        exported = compiled.export_model()
        # bytes in older versions, a BytesIO in newer ones
        path.write_bytes(exported if isinstance(exported, bytes) else exported.getbuffer())
    except RuntimeError as error:  # a plugin that cannot export
        log.info("%s: not cached: %s", path, error)
