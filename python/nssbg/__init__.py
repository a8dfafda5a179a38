"""nssbg takes the background out of pictures, on your own machine.

A picture comes in; a straight-alpha cut-out with true edge colours comes out; nothing
leaves the machine. Names are loaded on first use, so that `import nssbg` costs nothing; type
checkers see where they come from.
"""

from __future__ import annotations

import importlib

from nssbg._runtime_imports import forbid_telemetry

TYPE_CHECKING = False  # typing takes 7 ms to load, all else here half a millisecond
if TYPE_CHECKING:
    from nssbg import alpha as alpha
    from nssbg._compose.background import Background as Background
    from nssbg._compose.background import Gradient as Gradient
    from nssbg._compose.canvas import Canvas as Canvas
    from nssbg._compose.defocus import Blur as Blur
    from nssbg._compose.output import Output as Output
    from nssbg._compose.shadow import Shadow as Shadow
    from nssbg._compose.shadow import layer_from_strength as layer_from_strength
    from nssbg._corrections import Corrections as Corrections
    from nssbg._cutout import Cutout as Cutout
    from nssbg._cutout import EncodeOptionsDict as EncodeOptionsDict
    from nssbg._cutout import Report as Report
    from nssbg._delivery import DeliveryOptionsDict as DeliveryOptionsDict
    from nssbg._delivery import RemoveOptionsDict as RemoveOptionsDict
    from nssbg._enhance_options import Enhancement as Enhancement
    from nssbg._enhancement import EnhanceOptionsDict as EnhanceOptionsDict
    from nssbg._enhancement import depth as depth
    from nssbg._enhancement import enhance as enhance
    from nssbg._errors import DeviceError as DeviceError
    from nssbg._errors import ForkError as ForkError
    from nssbg._errors import ImageDecodeError as ImageDecodeError
    from nssbg._errors import ImageEncodeError as ImageEncodeError
    from nssbg._errors import LicenseError as LicenseError
    from nssbg._errors import ModelError as ModelError
    from nssbg._errors import NssbgError as NssbgError
    from nssbg._errors import OptionError as OptionError
    from nssbg._errors import TimeLimitError as TimeLimitError
    from nssbg._ops.foreground import decontaminate as decontaminate
    from nssbg._ops.foreground import estimate_colors as estimate_colors
    from nssbg._ops.foreground import suppress_spill as suppress_spill
    from nssbg._ops.prepare import Placement as Placement
    from nssbg._ops.prepare import prepare as prepare
    from nssbg._ops.refine import RefineReport as RefineReport
    from nssbg._ops.refine import RefineStream as RefineStream
    from nssbg._ops.refine import refine as refine
    from nssbg._ops.refine import refine_with_report as refine_with_report
    from nssbg._ops.studio import Backdrop as Backdrop
    from nssbg._ops.studio import StudioResult as StudioResult
    from nssbg._ops.studio import studio_alpha as studio_alpha
    from nssbg._options import CutoutOptions as CutoutOptions
    from nssbg._options import CutoutOptionsDict as CutoutOptionsDict
    from nssbg._options import RemoverOptionsDict as RemoverOptionsDict
    from nssbg._pipeline.frames import FrameStream as FrameStream
    from nssbg._pipeline.outcome import Outcome as Outcome
    from nssbg._pipeline.outcome import StreamReport as StreamReport
    from nssbg._pipeline.stream import Stream as Stream
    from nssbg._remove import remove as remove
    from nssbg._remover import Remover as Remover
    from nssbg._segment.second_pass.run import SecondPassReport as SecondPassReport
    from nssbg._types import Frame as Frame
    from nssbg._types import ImageSource as ImageSource
    from nssbg._types import Plan as Plan
    from nssbg._types import Timings as Timings
    from nssbg._vocabulary import Backend as Backend
    from nssbg._vocabulary import ChannelOrder as ChannelOrder
    from nssbg._vocabulary import Chroma as Chroma
    from nssbg._vocabulary import Compression as Compression
    from nssbg._vocabulary import Effort as Effort
    from nssbg._vocabulary import EnhanceOrder as EnhanceOrder
    from nssbg._vocabulary import FileFormat as FileFormat
    from nssbg._vocabulary import Filter as Filter
    from nssbg._vocabulary import ForegroundMethod as ForegroundMethod
    from nssbg._vocabulary import LicenseUse as LicenseUse
    from nssbg._vocabulary import Matte as Matte
    from nssbg._vocabulary import RefineLevel as RefineLevel
    from nssbg._vocabulary import Screen as Screen
    from nssbg.batch.core import cut_rows as cut_rows
    from nssbg.batch.engine import Batch as Batch

__version__ = "0.1.0"

# Public name -> the module it lives in. tests/contract pins this table, and that the imports above
# say the same.
_HOMES = {
    "Backdrop": "_ops.studio",
    "Backend": "_vocabulary",
    "Background": "_compose.background",
    "Batch": "batch.engine",
    "Blur": "_compose.defocus",
    "Canvas": "_compose.canvas",
    "ChannelOrder": "_vocabulary",
    "Chroma": "_vocabulary",
    "Compression": "_vocabulary",
    "Corrections": "_corrections",
    "Cutout": "_cutout",
    "CutoutOptions": "_options",
    "CutoutOptionsDict": "_options",
    "DeliveryOptionsDict": "_delivery",
    "DeviceError": "_errors",
    "Effort": "_vocabulary",
    "EncodeOptionsDict": "_cutout",
    "EnhanceOptionsDict": "_enhancement",
    "EnhanceOrder": "_vocabulary",
    "Enhancement": "_enhance_options",
    "FileFormat": "_vocabulary",
    "Filter": "_vocabulary",
    "ForegroundMethod": "_vocabulary",
    "ForkError": "_errors",
    "Frame": "_types",
    "FrameStream": "_pipeline.frames",
    "Gradient": "_compose.background",
    "ImageDecodeError": "_errors",
    "ImageEncodeError": "_errors",
    "ImageSource": "_types",
    "LicenseError": "_errors",
    "LicenseUse": "_vocabulary",
    "Matte": "_vocabulary",
    "ModelError": "_errors",
    "NssbgError": "_errors",
    "OptionError": "_errors",
    "Outcome": "_pipeline.outcome",
    "Output": "_compose.output",
    "Placement": "_ops.prepare",
    "Plan": "_types",
    "RefineLevel": "_vocabulary",
    "RefineReport": "_ops.refine",
    "RefineStream": "_ops.refine",
    "RemoveOptionsDict": "_delivery",
    "Remover": "_remover",
    "RemoverOptionsDict": "_options",
    "Report": "_cutout",
    "Screen": "_vocabulary",
    "SecondPassReport": "_segment.second_pass.run",
    "Shadow": "_compose.shadow",
    "Stream": "_pipeline.stream",
    "StreamReport": "_pipeline.outcome",
    "StudioResult": "_ops.studio",
    "TimeLimitError": "_errors",
    "Timings": "_types",
    "alpha": "alpha",
    "cut_rows": "batch.core",
    "decontaminate": "_ops.foreground",
    "depth": "_enhancement",
    "enhance": "_enhancement",
    "estimate_colors": "_ops.foreground",
    "layer_from_strength": "_compose.shadow",
    "prepare": "_ops.prepare",
    "refine": "_ops.refine",
    "refine_with_report": "_ops.refine",
    "remove": "_remove",
    "studio_alpha": "_ops.studio",
    "suppress_spill": "_ops.foreground",
}

__all__ = ["__version__", *_HOMES]

# First of all, before any runtime can be loaded: onnxruntime starts to send while it is imported.
forbid_telemetry()

if not TYPE_CHECKING:  # a checker that saw this would take every name for there

    def __getattr__(name: str) -> object:
        """Load a public name from its home on first use (PEP 562)."""
        home = _HOMES.get(name)
        if home is None:
            raise AttributeError(f"module 'nssbg' has no attribute {name!r}")
        module = importlib.import_module(f"nssbg.{home}")
        value = module if home == name else getattr(module, name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
