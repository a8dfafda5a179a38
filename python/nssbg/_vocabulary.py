"""Every word that an option may be, once: the types, and the tuples that checks and choices use.

Python's annotations take the `Literal`, run-time checks and the command line's choices the tuple
beside it, which is made from it. The names that the core's bindings parse are the same;
tests/contract/test_vocabulary.py holds all of them together.
"""

from __future__ import annotations

from typing import Literal, get_args

__all__ = [
    "BACKENDS",
    "CHANNEL_ORDERS",
    "CHROMAS",
    "COMPRESSIONS",
    "DEFAULT_COMPRESSION",
    "DEVICES",
    "EFFORTS",
    "ENHANCE_ORDERS",
    "FILTERS",
    "FOREGROUND_METHODS",
    "FORMATS",
    "GOALS",
    "GROUP_BY",
    "LICENSE_USES",
    "LOG_LEVELS",
    "MATTES",
    "MODEL_PRECISIONS",
    "ONNXRUNTIME_DEVICES",
    "PRECISIONS",
    "PRECISION_CHOICES",
    "QUALITIES",
    "QUANTIZE_METHODS",
    "REFINE_LEVELS",
    "SCREENS",
    "SHADOWS",
    "UPSCALES",
    "Backend",
    "ChannelOrder",
    "Chroma",
    "Compression",
    "Effort",
    "EnhanceOrder",
    "FileFormat",
    "Filter",
    "ForegroundMethod",
    "Goal",
    "GroupBy",
    "LicenseUse",
    "Matte",
    "ModelPrecision",
    "Precision",
    "PrecisionChoice",
    "QuantizeMethod",
    "RefineLevel",
    "Screen",
    "ShadowKind",
    "SourceKind",
]

# How a picture is cut out.
Effort = Literal["fast", "balanced", "best"]
RefineLevel = Literal["none", "guided", "matting", "auto"]
ForegroundMethod = Literal["multilevel", "blur-fusion", "off"]
Matte = Literal["clear", "extend"]
Chroma = Literal["auto", "off", "green", "blue"]  # screens that the studio method looks for
EnhanceOrder = Literal["before", "after"]  # than it is cut out
Screen = Literal["red", "green", "blue"]  # in channel order

# How a network is fed and what it computes in.
Filter = Literal["box", "bilinear", "bicubic", "lanczos", "torch-bilinear"]
Precision = Literal["float32", "bfloat16", "float16", "int8"]
PrecisionChoice = Literal["auto", "float32", "bfloat16", "float16", "int8"]  # "auto": as planned
ModelPrecision = Literal["float32", "float16", "int8"]  # that weights are stored in

# Where it runs. A device may carry a number ("gpu.1"), so it is text; these are the names, and
# of them those of the accelerators that only onnxruntime reaches.
Backend = Literal["auto", "onnxruntime", "openvino"]
ONNXRUNTIME_DEVICES = ("cuda", "tensorrt", "rocm", "directml", "coreml", "webgpu")
DEVICES = ("auto", "cpu", "gpu", "npu", *ONNXRUNTIME_DEVICES)
LicenseUse = Literal["any", "commercial"]
Goal = Literal["latency", "throughput"]
QuantizeMethod = Literal["auto", "nncf", "onnxruntime"]

# What of a batch shares one scale and one baseline.
GroupBy = Literal["sku", "folder"]

# What comes in, and what goes out.
ChannelOrder = Literal["rgb", "bgr"]  # of arrays; OpenCV's is the second
SourceKind = Literal["path", "bytes", "file", "pil", "array"]
FileFormat = Literal["png", "webp", "tiff", "jpeg", "avif", "jxl"]
Compression = Literal["fast", "default", "best"]
ShadowKind = Literal["drop", "contact"]

EFFORTS: tuple[Effort, ...] = get_args(Effort)
REFINE_LEVELS: tuple[RefineLevel, ...] = get_args(RefineLevel)
FOREGROUND_METHODS: tuple[ForegroundMethod, ...] = get_args(ForegroundMethod)
CHROMAS: tuple[Chroma, ...] = get_args(Chroma)
ENHANCE_ORDERS: tuple[EnhanceOrder, ...] = get_args(EnhanceOrder)
SCREENS: tuple[Screen, ...] = get_args(Screen)
MATTES: tuple[Matte, ...] = get_args(Matte)
FILTERS: tuple[Filter, ...] = get_args(Filter)
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
PRECISION_CHOICES: tuple[PrecisionChoice, ...] = get_args(PrecisionChoice)
MODEL_PRECISIONS: tuple[ModelPrecision, ...] = get_args(ModelPrecision)
BACKENDS: tuple[Backend, ...] = get_args(Backend)
LICENSE_USES: tuple[LicenseUse, ...] = get_args(LicenseUse)
GOALS: tuple[Goal, ...] = get_args(Goal)
GROUP_BY: tuple[GroupBy, ...] = get_args(GroupBy)
QUANTIZE_METHODS: tuple[QuantizeMethod, ...] = get_args(QuantizeMethod)
CHANNEL_ORDERS: tuple[ChannelOrder, ...] = get_args(ChannelOrder)
FORMATS: tuple[FileFormat, ...] = get_args(FileFormat)
COMPRESSIONS: tuple[Compression, ...] = get_args(Compression)
SHADOWS: tuple[ShadowKind, ...] = get_args(ShadowKind)

#: Times the sides of an enhanced picture.
UPSCALES = (1, 2, 3, 4)
#: Of a server's log lines.
LOG_LEVELS = ("debug", "info", "warning", "error")

#: What files are compressed with unless said otherwise (docs/decisions/0700-png.md).
DEFAULT_COMPRESSION: Compression = "default"
#: Quality of lossy files, 0 (smallest) to 100 (finest).
QUALITIES = range(101)
