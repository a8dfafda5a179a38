"""One table of devices: complete, unambiguous, and the only one."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import nssbg
from nssbg._errors import DeviceError
from nssbg._runtime.device_table import (
    GPU_NAMES,
    ONNXRUNTIME_ONLY,
    OPENVINO_CAPABILITIES,
    OPENVINO_HINTS,
    PRECISIONS,
    PROVIDER_NAMES,
    PROVIDERS,
)
from nssbg._runtime.onnxruntime import _providers

PACKAGE = Path(nssbg.__file__).parent
CPU = "CPUExecutionProvider"


def test_every_provider_is_reached_by_its_device():
    for provider in PROVIDERS.values():
        assert provider.name in PROVIDER_NAMES[provider.device]
        assert set(provider.precisions) <= set(PRECISIONS)
    assert {name for names in PROVIDER_NAMES.values() for name in names} == set(PROVIDERS)
    assert set(OPENVINO_HINTS) == set(OPENVINO_CAPABILITIES.values()) == set(PRECISIONS)


def test_gpu_means_the_graphics_processors_but_tensorrt_has_to_be_named():
    assert ONNXRUNTIME_ONLY == ("cuda", "tensorrt", "rocm", "directml", "coreml", "webgpu")
    assert set(GPU_NAMES) == {"gpu", *ONNXRUNTIME_ONLY}
    both = ["TensorrtExecutionProvider", "CUDAExecutionProvider", CPU]
    assert _providers("auto", both) == ["CUDAExecutionProvider", CPU]
    assert _providers("gpu", both) == ["CUDAExecutionProvider", CPU]
    assert _providers("tensorrt", both) == ["TensorrtExecutionProvider", CPU]
    assert _providers("rocm", ["MIGraphXExecutionProvider", CPU])[0] == "MIGraphXExecutionProvider"
    with pytest.raises(DeviceError, match="not known"):
        _providers("abacus", both)


def test_no_other_file_lists_devices():
    for path in PACKAGE.rglob("*.py"):
        if path.name in ("device_table.py", "_vocabulary.py"):  # table, and words
            continue
        words = {
            node.value
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        assert not words & (set(PROVIDERS) - {CPU}), path
        assert not words & (set(ONNXRUNTIME_ONLY) - {"cuda", "tensorrt"}), path
