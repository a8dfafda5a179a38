"""What the three APIs work with: engine, uploads, names, addresses, metrics; and their steps."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from starlette.requests import Request

from nssbg._cutout import Cutout, Report
from nssbg._http.engine import Engine
from nssbg._http.errors import HttpError
from nssbg._http.replies import until_gone
from nssbg._http.uploads import Uploads
from nssbg._options import CutoutOptions
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
