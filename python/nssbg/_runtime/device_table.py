"""Every device and precision the runtimes know, with the names that users, reports and they use."""

from __future__ import annotations

from dataclasses import dataclass

from nssbg import _vocabulary

__all__ = [
    "GPU_NAMES",
    "ONNXRUNTIME_ONLY",
    "OPENVINO_CAPABILITIES",
    "OPENVINO_HINTS",
    "PRECISIONS",
    "PROVIDERS",
    "PROVIDER_MEMORIES",
    "PROVIDER_NAMES",
    "REMEDIES",
    "Provider",
]

#: Of a network's arithmetic, as users and plans name them.
PRECISIONS = _vocabulary.PRECISIONS
#: The same as openvino's hint for the arithmetic; int8 is in the file itself.
OPENVINO_HINTS = {"float32": "f32", "bfloat16": "bf16", "float16": "f16", "int8": "f32"}
#: What openvino's devices say of themselves -> the same.
OPENVINO_CAPABILITIES = {"FP32": "float32", "BF16": "bfloat16", "FP16": "float16", "INT8": "int8"}

_FLOATS = ("float32", "float16")


@dataclass(frozen=True)
class Provider:
    """An execution provider of onnxruntime.

    Attributes:
        name: What onnxruntime calls it.
        device: As `device=` takes it.
        shown: As plans and reports show it.
        precisions: What it computes in.
        library: Its shared library on Linux, whose loading tells what is missing; "": none.
        general: Whether `device="gpu"` and "auto" may take it. TensorRT builds an engine for
            minutes at first: it has to be named.
        memory: onnxruntime's name of the memory that its tensors may be kept in; "": it copies for
            itself.
    """

    name: str
    device: str
    shown: str
    precisions: tuple[str, ...] = _FLOATS
    library: str = ""
    general: bool = True
    memory: str = ""


def _library(name: str) -> str:
    return f"libonnxruntime_providers_{name}.so"


#: Those that compute on a device of their own, best first where two mean one device. "Azure" calls
#: a remote service and is never used.
PROVIDERS = {
    provider.name: provider
    for provider in (
        Provider("CPUExecutionProvider", "cpu", "CPU", ("float32", "int8")),
        Provider("CUDAExecutionProvider", "cuda", "CUDA", library=_library("cuda"), memory="cuda"),
        Provider(
            "TensorrtExecutionProvider",
            "tensorrt",
            "TensorRT",
            library=_library("tensorrt"),
            general=False,
            memory="cuda",
        ),
        Provider("NvTensorRTRTXExecutionProvider", "tensorrt", "TensorRT", general=False),
        Provider("ROCMExecutionProvider", "rocm", "ROCm", library=_library("rocm")),
        Provider("MIGraphXExecutionProvider", "rocm", "ROCm"),
        Provider("DmlExecutionProvider", "directml", "DirectML"),
        Provider("CoreMLExecutionProvider", "coreml", "CoreML"),
        Provider("WebGpuExecutionProvider", "webgpu", "WebGPU"),
        Provider("QNNExecutionProvider", "npu", "NPU (QNN)", ("int8", "float16")),
        Provider("VitisAIExecutionProvider", "npu", "NPU (VitisAI)", ("int8",)),
    )
}

#: Device names that only onnxruntime has providers for: graphics processors, all of them.
ONNXRUNTIME_ONLY = tuple(
    dict.fromkeys(p.device for p in PROVIDERS.values() if p.device not in ("cpu", "npu"))
)
#: Device names that `device="gpu"` stands for.
GPU_NAMES = ("gpu", *ONNXRUNTIME_ONLY)


def _named(device: str) -> tuple[str, ...]:
    return tuple(p.name for p in PROVIDERS.values() if p.device == device)


#: Device names as users say them -> the providers that mean it, best first.
PROVIDER_NAMES: dict[str, tuple[str, ...]] = {
    "cpu": _named("cpu"),
    **{device: _named(device) for device in ONNXRUNTIME_ONLY},
    "gpu": tuple(p.name for p in PROVIDERS.values() if p.device in ONNXRUNTIME_ONLY and p.general),
    "npu": _named("npu"),
}

#: Providers whose tensors may be kept in the device's memory, by onnxruntime's name of it.
PROVIDER_MEMORIES = {p.name: p.memory for p in PROVIDERS.values() if p.memory}

#: Backend -> device name -> what makes a device appear that a machine has not.
REMEDIES: dict[str, dict[str, str]] = {
    "openvino": {
        "cpu": "pip install openvino",
        "gpu": "an Intel GPU with its compute driver (Debian: intel-opencl-icd)",
        "npu": "an Intel NPU with its driver (intel-npu-driver)",
    },
    "onnxruntime": {
        "cpu": "pip install onnxruntime",
        "cuda": 'an NVIDIA GPU with its driver, and pip install "onnxruntime-gpu[cuda,cudnn]" in '
        "place of onnxruntime",
        "tensorrt": "an NVIDIA GPU with its driver, onnxruntime-gpu in place of onnxruntime, and "
        "pip install tensorrt",
        "rocm": "an AMD GPU with ROCm, and AMD's build onnxruntime-rocm or onnxruntime-migraphx in "
        "place of onnxruntime",
        "directml": "Windows with a DirectX 12 GPU, and pip install onnxruntime-directml in place "
        "of onnxruntime",
        "coreml": "macOS: its onnxruntime has CoreML",
        "webgpu": "a build of onnxruntime with WebGPU",
        "npu": "a build of onnxruntime for the NPU: onnxruntime-qnn (Qualcomm) or AMD's Ryzen AI",
    },
}
