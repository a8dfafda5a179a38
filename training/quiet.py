"""Switches the runtimes' telemetry off; to be imported before onnxruntime and openvino.

The training environment need not have nssbg, whose `_runtime_imports` does this for the package
and says why these switches.
"""

from __future__ import annotations

import os
import sys

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
for _sender in ("openvino_telemetry", "openvino.tools.ovc"):
    sys.modules.setdefault(_sender, None)  # type: ignore[arg-type]  # counts as not installed
