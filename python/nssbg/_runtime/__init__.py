"""Where networks run: ONNX Runtime, OpenVINO, and a fake one for tests."""

from nssbg._runtime.base import Backend
from nssbg._runtime.opening import BACKENDS, open_backend

__all__ = ["BACKENDS", "Backend", "open_backend"]
