"""What the three APIs work with: engine, uploads, names, addresses, metrics; and their steps."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from starlette.requests import Request

from nssbg._cutout import Cutout, Report
from nssbg._enhance.opening import depth_network
from nssbg._enhance_options import Enhancement
from nssbg._errors import ModelError
from nssbg._http.engine import Engine
from nssbg._http.errors import HttpError
from nssbg._http.replies import until_gone
from nssbg._http.uploads import Uploads
from nssbg._models.catalog import describe
from nssbg._models.license import check_license
from nssbg._options import CutoutOptions
from nssbg._pipeline.enhancing import enhancing_model
from nssbg._types import Frame
from nssbg.server.metrics import Metrics
from nssbg.server.models import ModelNames
from nssbg.server.remote_images import RemoteImages

__all__ = ["Service"]

T = TypeVar("T")

# Addresses that are fetched at once: each takes a thread and may take its whole time.
_MOST_FETCHES = 4


@dataclass
class Service:
    """The parts of a server; one per process.

    Attributes:
        engine: Cuts out.
        uploads: Reads bodies.
        models: Which names requests may use.
        remote: Fetches addresses.
        metrics: Counts.
    """

    engine: Engine
    uploads: Uploads
    models: ModelNames
    remote: RemoteImages
    metrics: Metrics
    _fetching: int = 0

    async def fetched(self, url: str) -> bytearray:
        """The picture at an address.

        Raises:
            HttpError: It may not, or cannot, be fetched.
        """
        if self._fetching >= _MOST_FETCHES:
            raise HttpError(
                503, "busy", "other addresses are being fetched; try again", {"Retry-After": "2"}
            )
        self._fetching += 1
        try:
            return await asyncio.to_thread(self.remote.fetch, url)
        finally:
            self._fetching -= 1

    async def upscale(self, enhance: Enhancement, license: str | None) -> int:
        """Times the sides that a request's enhancement enlarges by; its network is checked.

        Raises:
            HttpError: 422: no such network, or its weights are not here.
            LicenseError: It may not be used as the request, or the operator, asks for.
            OptionError: It cannot do what is wanted.
        """
        if enhance.model is not None:
            await self.models.checked_network(enhance.model, "image", license)
        try:
            found = await asyncio.to_thread(enhancing_model, enhance)
        except ModelError as error:
            raise HttpError(
                422,
                "model",
                "no network that comes with this server can enhance so: give enhance_model, one of "
                "task image of GET /v1/models",
            ) from error
        for use in {self.engine.settings.license, license}:
            check_license(found, use)
        return enhance.upscale or found.scale

    def depth(self, model: str, frame: Frame) -> NDArray[np.float32]:
        """Relative depth of a picture by a network that was checked; runs in a worker."""
        with_ = self.engine.settings
        network = depth_network(
            describe(model),
            device=with_.device,
            backend=with_.backend,
            precision=with_.precision,
            threads=self.engine.workers,
            license=with_.license,
        )
        return network.coarse(frame)

    async def cut_out(
        self,
        request: Request,
        data: bytes | bytearray,
        deliver: Callable[[Cutout], tuple[T, Report]],
        *,
        name: str,
        model: str,
        options: CutoutOptions,
    ) -> T:
        """Cut out for a request, and tell the log and the metrics what ran."""
        result, report = await until_gone(
            request,
            self.engine.cut_out(data, deliver, name=name, model=model, options=options),
        )
        self.metrics.cut_out(report)
        request.state.told.update(
            model=report.plan.model,
            pixels=report.width * report.height,
            milliseconds=round(report.timings.total, 1),
        )
        return result
