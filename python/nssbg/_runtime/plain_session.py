"""A network as code written for ONNX Runtime holds it: run(None, feeds), get_inputs, get_providers.

For sessions that users write themselves: any inputs, all outputs, no description. Opened when it
is first used, on ONNX Runtime where that is installed, else on OpenVINO.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nssbg._errors import DeviceError, ModelError, NssbgError
from nssbg._installed import NO_RUNTIME, installed
from nssbg._lifecycle import NativeCall, holds_native, refuse_after_fork, used_runtime
from nssbg._runtime.devices import usable_threads
from nssbg._runtime_imports import import_onnxruntime, import_openvino

__all__ = ["PlainSession", "Tensor", "available_providers"]

_CPU = "CPUExecutionProvider"


@dataclass(frozen=True)
class Tensor:
    """An input or output of a network, as ONNX Runtime names it.

    Attributes:
        name: Its name in the graph.
        shape: Its sides; None where one is not fixed.
        type: "tensor(float)" and the like.
    """

    name: str
    shape: tuple[Any, ...]
    type: str


def available_providers() -> list[str]:
    """ONNX Runtime's providers; without it, OpenVINO's name and the CPU's."""
    if installed("onnxruntime"):
        return list(import_onnxruntime().get_available_providers())
    return ["OpenVINOExecutionProvider", _CPU] if installed("openvino") else []


class PlainSession:
    """A network of any kind, opened on first use; safe to use from several threads.

    Args:
        path: The .onnx file.
        providers: As ONNX Runtime takes them: names, or pairs of a name and options. None: the CPU.
        threads: 0: all usable cores.
        options: onnxruntime.SessionOptions of the caller's own, or None.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        providers: Sequence[Any] | None = None,
        threads: int = 0,
        options: Any = None,
    ) -> None:
        holds_native(self)
        self._path = Path(path)
        self._providers = list(providers or [_CPU])
        self._threads = usable_threads(threads)
        self._options = options
        self._lock = threading.Lock()
        self._session: Any = None
        self._pid = os.getpid()
        #: What `get_providers` says while this is not opened, where its owner knows better.
        self.told_providers: list[str] = []

    @property
    def path(self) -> Path:
        """The .onnx file."""
        return self._path

    def open(self) -> Any:
        """The runtime's own session, opened if it was not yet.

        Raises:
            ModelError: The file is not there or cannot be read as a network.
            DeviceError: No runtime is installed.
            ForkError: OpenVINO was in use in the process that this one was forked from.
        """
        if os.getpid() != self._pid:
            # What the parent opened is kept as it is (_lifecycle), and a thread that does not
            # exist here may have held the lock.
            self._lock, self._session, self._pid = threading.Lock(), None, os.getpid()
        with self._lock:
            if self._session is None:
                self._session = self._opened()
            return self._session

    def _opened(self) -> Any:
        if not self._path.is_file():
            raise ModelError(f"{self._path}: no such file; expected the weights as .onnx")
        try:
            with NativeCall():
                if installed("onnxruntime"):
                    return self._with_onnxruntime()
                if installed("openvino"):
                    return _OpenVino(self._path, self._threads)
        except NssbgError:
            raise
        except Exception as error:  # the runtimes' exceptions have no base of their own
            raise ModelError(f"{self._path}: cannot be opened: {error}") from error
        raise DeviceError(f"{self._path}: {NO_RUNTIME}")

    def _with_onnxruntime(self) -> Any:
        ort = import_onnxruntime()
        options = self._options
        if options is None:
            options = ort.SessionOptions()
            options.log_severity_level = 3
            options.intra_op_num_threads = self._threads
        there = ort.get_available_providers()
        wanted = [item for item in self._providers if _name(item) in there]
        return ort.InferenceSession(
            os.fspath(self._path), sess_options=options, providers=wanted or [_CPU]
        )

    def run(
        self, output_names: Sequence[str] | None, feeds: Mapping[str, Any], options: Any = None
    ) -> list[Any]:
        """The outputs named, or all, for the inputs given, as NumPy arrays."""
        session = self.open()
        with NativeCall():
            return list(session.run(output_names, dict(feeds), options))

    def get_inputs(self) -> list[Any]:
        """What it takes: objects with name, shape and type."""
        return list(self.open().get_inputs())

    def get_outputs(self) -> list[Any]:
        """What it gives: objects with name, shape and type."""
        return list(self.open().get_outputs())

    def get_providers(self) -> list[str]:
        """The providers that it runs on; before it was opened, those it would run on."""
        if self._session is not None and self._pid == os.getpid():
            return list(self._session.get_providers())
        if self.told_providers:
            return list(self.told_providers)
        there = available_providers()
        names = [name for item in self._providers if (name := _name(item)) in there]
        return list(dict.fromkeys([*names, _CPU]))

    def __getattr__(self, name: str) -> Any:
        """Whatever else the runtime's own session has."""
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.open(), name)


def _name(provider: Any) -> str:
    return str(provider[0]) if isinstance(provider, (tuple, list)) else str(provider)


class _OpenVino:
    """OpenVINO's compiled network behind the names of ONNX Runtime's session."""

    def __init__(self, path: Path, threads: int) -> None:
        refuse_after_fork("openvino")
        openvino = import_openvino()
        used_runtime("openvino")
        self._network = openvino.Core().compile_model(
            os.fspath(path),
            "CPU",
            # The file's own precision, as ONNX Runtime computes: never bfloat16.
            {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"},
        )

    def run(self, output_names: Sequence[str] | None, feeds: dict[str, Any], _: Any) -> list[Any]:
        results = self._network.create_infer_request().infer(feeds)
        outputs = self._network.outputs
        named = {name: results[port].copy() for port in outputs for name in port.get_names()}
        if output_names is None:
            return [named[port.get_any_name()] for port in outputs]
        return [named[name] for name in output_names]

    def get_inputs(self) -> list[Tensor]:
        return [_tensor(port) for port in self._network.inputs]

    def get_outputs(self) -> list[Tensor]:
        return [_tensor(port) for port in self._network.outputs]

    def get_providers(self) -> list[str]:
        return ["OpenVINOExecutionProvider", _CPU]


def _tensor(port: Any) -> Tensor:
    shape = tuple(
        int(side.get_length()) if side.is_static else None for side in port.get_partial_shape()
    )
    kind = {"f32": "float", "f16": "float16"}.get(port.get_element_type().get_type_name())
    return Tensor(port.get_any_name(), shape, f"tensor({kind or port.get_element_type()})")
