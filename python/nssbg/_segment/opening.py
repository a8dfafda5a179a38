"""Which method serves a model name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nssbg._models.sidecar import ModelDescription
from nssbg._segment.base import Method

if TYPE_CHECKING:
    from nssbg._planner import BatchRun
    from nssbg._segment.network import NetworkMethod

__all__ = ["BUNDLED", "open_method"]

# The network that comes in the wheel.
BUNDLED = "nssbg-lite"


def open_method(
    model: str | ModelDescription,
    *,
    device: str,
    backend: str,
    precision: str = "auto",
    threads: int,
    license: str | None = None,
    run: BatchRun | None = None,
) -> Method:
    """Open the method behind a model name.

    Args:
        model: "auto", "studio", a catalog name, a path to a model file, or a description.
        device: See `nssbg.Remover`.
        backend: See `nssbg.Remover`.
        precision: See `nssbg.Remover`.
        threads: At least 1.
        license: See `nssbg.Remover`.
        run: The run over many pictures that it is for; None: pictures come one by one.

    Raises:
        ModelError: The model is unknown, not on disk or damaged.
        LicenseError: Its weights do not allow the use asked for.
        DeviceError: The device asked for is not what would run.
    """
    from nssbg._segment.studio import StudioMethod

    def open_network(name: str | ModelDescription) -> NetworkMethod:
        from nssbg._segment.network import NetworkMethod

        return NetworkMethod(
            name,
            device=device,
            backend=backend,
            precision=precision,
            threads=threads,
            license=license,
            run=run,
        )

    if model == "studio":
        return StudioMethod(threads)
    if model == "auto":
        from nssbg._segment.auto import AutoMethod

        return AutoMethod(StudioMethod(threads), lambda: open_network(BUNDLED))
    return open_network(model)
