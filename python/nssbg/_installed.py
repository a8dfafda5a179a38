"""Which optional packages are here, and the command that brings one that is not.

nssbg runs on either network runtime, and rewrites graphs only where the onnx package is. What is
missing is told by name and with its command, never by a bare ImportError.
"""

from __future__ import annotations

import importlib.util
import sys

__all__ = ["NO_RUNTIME", "RUNTIMES", "installed", "not_installed"]

RUNTIMES = ("openvino", "onnxruntime")

# Module -> the extra of nssbg that brings it.
_EXTRAS = {
    "openvino": "openvino",
    "onnxruntime": "onnxruntime",
    "onnx": "graphs",
    "nncf": "quantize",
    "pillow_heif": "heif",
    "pillow_jxl": "jxl",
    "watchfiles": "watch",
    "fsspec": "cloud",
    "s3fs": "cloud",
    "ray": "ray",
    "starlette": "serve",
    "uvicorn": "serve",
    "python_multipart": "serve",
}


def installed(module: str) -> bool:
    """Whether a top-level module can be found; it is not loaded."""
    if module in sys.modules:
        return sys.modules[module] is not None
    return importlib.util.find_spec(module) is not None


def not_installed(*modules: str, extra: str = "") -> str:
    """That those modules are missing, and the one command that brings them.

    Args:
        modules: One or more of the packages that an extra of nssbg brings.
        extra: The one to name where several bring them.
    """
    verb = "is" if len(modules) == 1 else "are"
    extras = extra or ",".join(dict.fromkeys(_EXTRAS[module] for module in modules))
    return f'{" and ".join(modules)} {verb} not installed; try: pip install "nssbg[{extras}]"'


NO_RUNTIME = (
    "no network runtime is installed (openvino or onnxruntime); try: pip install "
    '"nssbg[openvino]", or model="studio", which needs none'
)
