"""ONNX Runtime: a network on its CPU provider or on whatever provider is installed.

Comes in: a model description and OpenOptions. Goes out: a Backend whose plan tells the
provider that the session really has. Memory does not grow: shapes are fixed before the
session is made, buffers are allocated once a shape, threads do not spin. On CUDA devices input and
output stand in the device's memory: one copy each way a run, and none that the runtime makes.
"""

from __future__ import annotations

import contextlib
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nssbg._errors import DeviceError, ModelError, NssbgError
from nssbg._installed import installed, not_installed
from nssbg._lifecycle import NativeCall, holds_native
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
from nssbg._runtime.device_table import PROVIDER_MEMORIES, PROVIDER_NAMES, PROVIDERS
from nssbg._runtime.devices import usable_threads
from nssbg._runtime_imports import import_onnxruntime
from nssbg._types import Plan

__all__ = ["OnnxRuntimeBackend"]

_DTYPES: dict[str, type[np.generic]] = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


@dataclass(frozen=True)
class _Buffers:
    """What a run leaves for the next one of the same shape: OrtValues in the device's memory."""

    shape: tuple[int, ...]
    source: Any  # the input's; None on the CPU, where the caller's own array is bound
    result: Any


def _load() -> Any:
    """The onnxruntime module.

    Raises:
        DeviceError: It is not installed or does not load.
    """
    if not installed("onnxruntime"):
        raise DeviceError(not_installed("onnxruntime"))
    try:
        return import_onnxruntime()
    except ImportError as error:
        raise DeviceError(
            f"onnxruntime cannot be loaded ({error}); "
            "try: pip install --force-reinstall onnxruntime"
        ) from error


def _providers(device: str, available: list[str]) -> list[str]:
    """The providers to ask for: one that is installed, then the CPU for what it cannot do."""
    wanted = PROVIDER_NAMES.get("gpu" if device == "auto" else device)
    if wanted is None:
        raise DeviceError(
            f"device {device!r} is not known to onnxruntime; known: {', '.join(PROVIDER_NAMES)}"
        )
    found = [name for name in wanted if name in available]
    if device == "auto":
        return [*found[:1], "CPUExecutionProvider"]
    if not found:
        raise DeviceError(
            f"device {device!r} was asked for, but this onnxruntime has only "
            f"{', '.join(available)}; `nssbg doctor` says what to install"
        )
    return list(dict.fromkeys([found[0], "CPUExecutionProvider"]))


class OnnxRuntimeBackend:
    """A network in an ONNX Runtime session."""

    def __init__(self, model: ModelDescription, options: OpenOptions) -> None:
        ort = _load()
        if model.path is None:
            raise ModelError(f"{model.name}: its weights are not on this machine")
        if model.path.suffix != ".onnx":
            raise ModelError(f"{model.path}: onnxruntime reads .onnx files; use backend='openvino'")
        if options.precision not in ("auto", model.precision):
            raise DeviceError(
                f"precision {options.precision!r} was asked for; onnxruntime computes in the "
                f"file's own, {model.precision}; try backend='openvino'"
            )
        holds_native(self)
        self._model = model
        self._lock = threading.Lock()
        self._notes: list[str] = []
        self._threads = usable_threads(options.threads)
        # Concurrent runs of a session each take their caller's thread and a share of the others.
        self._streams = max(1, min(options.streams, self._threads))
        self._free = threading.Semaphore(self._streams)
        # Buffers of runs that ended, at most one a stream.
        self._buffers: list[_Buffers] = []
        providers = _providers(options.device, ort.get_available_providers())
        self._session: Any = self._open(ort, options, providers)
        actual = self._session.get_providers()
        fallbacks: tuple[str, ...] = ()
        if actual[0] != providers[0]:
            line = (
                f"onnxruntime could not start {providers[0]} and runs on {actual[0]}: the "
                "provider's libraries did not load; `nssbg doctor` says what is missing"
            )
            if options.device != "auto":
                self.close()
                raise DeviceError(line)
            log.warning("%s: %s", model.name, line)
            fallbacks = (line,)
        # Where the session's own provider keeps tensors.
        self._memory = PROVIDER_MEMORIES.get(actual[0], "cpu")
        self._make_value = ort.OrtValue.ortvalue_from_numpy
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if len(inputs) != 1 or inputs[0].type not in _DTYPES:
            raise ModelError(
                f"{model.path}: has inputs "
                f"{', '.join(f'{item.name} {item.type}' for item in inputs)}; expected one, "
                "float32 or float16"
            )
        self._input_name = inputs[0].name
        first = inputs[0].shape[0] if inputs[0].shape else None
        self._batch = first if isinstance(first, int) else None
        self._input_dtype = _DTYPES[inputs[0].type]
        try:
            output = outputs[model.output_index]
        except IndexError:
            raise ModelError(
                f"{model.path}: has {len(outputs)} outputs, its description asks for number "
                f"{model.output_index}"
            ) from None
        if output.type not in _DTYPES:
            raise ModelError(f"{model.path}: output {output.name} is {output.type}, expected float")
        check_output_sides(output.shape, model)
        self._output_name = output.name
        # The other outputs' last layers are not computed (U-2-Net has six of them).
        self._run_options = ort.RunOptions()
        self._run_options.only_execute_path_to_fetches = len(outputs) > 1
        self.plan = Plan(
            model=model.name,
            backend="onnxruntime",
            device=PROVIDERS[actual[0]].shown if actual[0] in PROVIDERS else actual[0],
            precision=model.precision,
            threads=self._threads,
            reasons=(f"onnxruntime {ort.__version__}, {actual[0]}", *self._notes),
            fallbacks=fallbacks,
            license=model.license,
            streams=self._streams,
            batch=options.batch,
        )

    def _open(self, ort: Any, options: OpenOptions, providers: list[str]) -> Any:
        model = self._model
        assert model.path is not None
        on_cpu = providers == ["CPUExecutionProvider"]
        entry = None
        if options.cache is not None and on_cpu:
            entry = CompiledCache(options.cache).entry(
                "onnxruntime",
                ort.__version__,
                weights_fingerprint(model.path),
                *(str(part) for part in (model.size, model.static, options.batch)),
                suffix=".ort",
            )
            kept = CompiledCache.read(entry, self._notes)
            if kept is not None:
                path = kept[0]
                try:
                    return self._session_from(ort, path, providers, options.batch, cached=True)
                except Exception as error:
                    CompiledCache.refuse(path, f"onnxruntime cannot read it: {error}", self._notes)
        if entry is None:
            return self._session_from(ort, model.path, providers, options.batch)
        with CompiledCache.writing(entry) as target:
            try:
                return self._session_from(ort, model.path, providers, options.batch, save=target)
            except ModelError as error:
                if target is None:
                    raise
                # Perhaps only the disk is full: without keeping it, it opens or tells its own.
                log.info("%s: not kept compiled: %s", model.name, error)
                with contextlib.suppress(OSError):
                    target.write_bytes(b"")  # an empty one is not kept
                return self._session_from(ort, model.path, providers, options.batch)

    def _session_from(
        self,
        ort: Any,
        path: Path,
        providers: list[str],
        batch: int,
        *,
        cached: bool = False,
        save: Path | None = None,
    ) -> Any:
        options = ort.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = max(1, self._threads // self._streams)
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.inter_op.allow_spinning", "0")
        # Weights outside the arena: they live as long as the session and would otherwise
        # leave the arena's chunks rounded up to powers of two.
        options.add_session_config_entry("session.use_device_allocator_for_initializers", "1")
        # The first run allocates piece by piece, the second, with a memory pattern, once more
        # as one block beside it: U-2-Net-p peaked at 463 MB with, at 270 MB without, and took
        # the same processor time.
        options.enable_mem_pattern = False
        if self._model.static and not cached:
            self._fix_shape(path, options, batch)
        if cached:
            options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
            options.add_session_config_entry("session.load_model_format", "ORT")
        elif save is not None:
            options.add_session_config_entry("session.save_model_format", "ORT")
            options.optimized_model_filepath = str(save)
        try:
            return ort.InferenceSession(os.fspath(path), sess_options=options, providers=providers)
        except Exception as error:  # the runtime's exceptions have no base of their own
            if cached:
                raise
            raise ModelError(f"{path}: onnxruntime cannot open it: {error}") from error

    def _fix_shape(self, path: Path, options: Any, batch: int) -> None:
        """Give the input's named dimensions their sizes, so that memory is planned once."""
        from nssbg._models.onnx_header import input_dimensions

        sizes = (batch, self._model.channels, *self._model.size)
        for size, dimension in zip(sizes, input_dimensions(path), strict=False):
            if isinstance(dimension, str) and dimension:
                options.add_free_dimension_override_by_name(dimension, size)

    def run(self, tensor: NDArray[np.float32]) -> NDArray[np.float32]:
        """The output, float32: N x h x w, or N x 3 x h x w of task "image"."""
        data = checked_tensor(tensor, self._model, self._input_dtype)
        with self._free:
            session = self._session
            if session is None:
                raise NssbgError("the backend is closed; open another one")
            return run_in_chunks(
                lambda piece: self._run(session, piece),
                data,
                self._batch,
                self._model,
                "onnxruntime",
            )

    def _run(self, session: Any, data: NDArray[Any]) -> NDArray[np.float32]:
        binding = session.io_binding()
        found = self._buffer(data.shape)
        source: Any = None
        if self._memory == "cpu":
            binding.bind_cpu_input(self._input_name, data)
        else:
            if found is None:
                source = self._make_value(data, self._memory, 0)
            else:
                source = found.source
                source.update_inplace(data)
            binding.bind_ortvalue_input(self._input_name, source)
        if found is None:
            binding.bind_output(self._output_name, self._memory)
        else:
            binding.bind_ortvalue_output(self._output_name, found.result)
        with NativeCall():
            binding.synchronize_inputs()
            session.run_with_iobinding(binding, self._run_options)
            binding.synchronize_outputs()
        result = binding.get_outputs()[0]
        answer = answer_from_output(result.numpy(), data.shape, self._model)
        with self._lock:
            # Kept for the next runs; of one shape, so that varying sizes do not add up.
            kept = [item for item in self._buffers if item.shape == data.shape]
            mine = _Buffers(data.shape, source, result)
            if self._session is not None:  # closed meanwhile: nothing is kept
                self._buffers = [*kept, mine][: self._streams]
        return answer

    def _buffer(self, shape: tuple[int, ...]) -> _Buffers | None:
        with self._lock:
            for index, item in enumerate(self._buffers):
                if item.shape == shape:
                    return self._buffers.pop(index)
        return None

    def close(self) -> None:
        """Give the session's memory back."""
        with self._lock:
            self._session = None
            self._buffers = []
