"""Which method serves a model name."""

from __future__ import annotations

from nssbg._methods.base import Method

__all__ = ["BUNDLED", "open_method"]

# The network that comes in the wheel.
BUNDLED = "nssbg-lite"


def open_method(
    model: str, *, device: str, backend: str, threads: int, license: str | None = None
) -> Method:
    """Open the method behind a model name.

    Args:
        model: "auto", "studio", a catalog name or a path to a model file.
        device: See `nssbg.Remover`.
        backend: See `nssbg.Remover`.
        threads: At least 1.
        license: See `nssbg.Remover`.

    Raises:
        ModelError: The model is unknown, not on disk or damaged.
        LicenseError: Its weights do not allow the use asked for.
        DeviceError: The device asked for is not what would run.
    """
    from nssbg._methods.studio import StudioMethod

    if model == "studio":
        return StudioMethod(threads)
    if model == "auto":
        from nssbg._methods.auto import AutoMethod

        def open_bundled() -> Method:
            return _network(
                BUNDLED, device=device, backend=backend, threads=threads, license=license
            )

        return AutoMethod(StudioMethod(threads), open_bundled)
    return _network(model, device=device, backend=backend, threads=threads, license=license)


def _network(model: str, *, device: str, backend: str, threads: int, license: str | None) -> Method:
    from nssbg._methods.network import NetworkMethod

    return NetworkMethod(model, device=device, backend=backend, threads=threads, license=license)
