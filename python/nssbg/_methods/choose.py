"""Which method serves a model name."""

from __future__ import annotations

from nssbg._methods.base import Method

__all__ = ["open_method"]


def open_method(model: str, *, device: str, backend: str, threads: int) -> Method:
    """Open the method behind a model name.

    Args:
        model: "auto", "studio", a catalog name or a path to a model file.
        device: See `nssbg.Remover`.
        backend: See `nssbg.Remover`.
        threads: At least 1.

    Raises:
        ModelError: The model is unknown, not on disk or damaged.
        DeviceError: The device asked for is not what would run.
    """
    if model in ("auto", "studio"):
        from nssbg._methods.studio import StudioMethod

        return StudioMethod(threads)
    from nssbg._methods.network import NetworkMethod

    return NetworkMethod(model, device=device, backend=backend, threads=threads)
