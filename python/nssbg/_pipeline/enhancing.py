"""Enhancement as a stage: the photograph before it is cut out, or photograph and alpha afterwards.

The network is opened when the first picture asks for it and shared by all; it takes one picture at
a time, on all of its threads.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from nssbg import _io as image_io
from nssbg._enhance_options import Enhancement
from nssbg._errors import ImageDecodeError
from nssbg._io.admission import LARGEST_SIDE
from nssbg._ops.alpha_depth import alpha_as
from nssbg._pipeline.job import Job
from nssbg._pipeline.memory_estimate import bytes_in_flight
from nssbg._pipeline.settings import Settings

if TYPE_CHECKING:
    from nssbg._enhance.network import ImageNetwork
    from nssbg._models.sidecar import ModelDescription

__all__ = ["Enhancer", "enhancing_model", "upscale_of"]

log = logging.getLogger("nssbg")


def enhancing_model(enhancement: Enhancement) -> ModelDescription:
    """The network that an enhancement means; nothing is opened.

    Raises:
        ModelError: It is unknown, of another task, or none is named and none comes with nssbg.
        OptionError: It cannot do what is wanted.
    """
    from nssbg._enhance.opening import chosen_model

    return chosen_model(enhancement.model, "image", enhancement)


def upscale_of(enhancement: Enhancement) -> int:
    """Times the sides, for what is known of the network without opening it.

    Raises:
        ModelError, OptionError: See `enhancing_model`.
    """
    return enhancement.upscale or enhancing_model(enhancement).scale


class Enhancer:
    """Enhances the pictures of one pipeline; safe to use from several threads.

    Args:
        settings: Device, backend and licence are those of the whole pipeline.
        threads: Of the enhancing network.
    """

    def __init__(self, settings: Settings, threads: int) -> None:
        self._settings = settings
        self._threads = threads

    def open(self, enhancement: Enhancement) -> ImageNetwork:
        """The network, held open between pictures.

        Raises:
            ModelError, LicenseError, DeviceError, OptionError: As their names say.
        """
        from nssbg._enhance.opening import image_network

        settings = self._settings
        return image_network(
            enhancing_model(enhancement),
            device=settings.device,
            backend=settings.backend,
            threads=self._threads,
            license=settings.license,
        )

    def prediction(self, source: Any, enhancement: Enhancement) -> Callable[[image_io.Header], int]:
        """What tells the bytes that a source takes at its fullest moment, from its header.

        It raises ImageDecodeError for one that would become larger than pictures may be.

        Raises:
            ModelError, OptionError: See `enhancing_model`.
        """
        upscale = upscale_of(enhancement)
        is_path = isinstance(source, (str, os.PathLike))
        name = os.fspath(source) if is_path else getattr(source, "name", "the picture")

        def predict(header: image_io.Header) -> int:
            self.check_size(header.height, header.width, upscale, str(name))
            return bytes_in_flight(header, upscale=upscale)

        return predict

    def check_size(self, height: int, width: int, upscale: int, name: str) -> None:
        """Refuse what would become larger than pictures may be.

        Raises:
            ImageDecodeError: It would.
        """
        most, side = self._settings.max_pixels, max(height, width) * upscale
        if height * width * upscale * upscale > most or side > LARGEST_SIDE:
            raise ImageDecodeError(
                f"{name}: {width} x {height} pixels times {upscale} a side are more than the "
                f"{most:,} that a picture may have (max_pixels), or than {LARGEST_SIDE:,} a side; "
                "try a smaller upscale"
            )

    def before(self, job: Job) -> None:
        """The photograph, before anything looks at it."""
        assert job.frame is not None
        self._enhance(job)

    def after(self, job: Job) -> None:
        """The photograph, and the alpha that was found for it as it was."""
        from nssbg._enhance.image import enhanced_alpha

        assert job.frame is not None
        assert job.alpha is not None
        alpha = alpha_as(job.alpha, job.frame.rgb.dtype)
        self._enhance(job)
        with job.timings.measure("enlarge alpha"):
            # What a person drew keeps its shape: it need not lie on an edge of the photograph.
            guided = job.corrections is None
            job.alpha = enhanced_alpha(alpha, job.frame.rgb, guided=guided, threads=self._threads)

    def _enhance(self, job: Job) -> None:
        from nssbg._enhance.image import enhanced_frame

        frame, enhancement = job.frame, job.enhance
        assert frame is not None
        assert enhancement is not None
        network = self.open(enhancement)
        self.check_size(
            frame.height, frame.width, enhancement.upscale or network.model.scale, frame.name
        )
        job.frame = enhanced_frame(
            network,
            frame,
            enhancement,
            deblock=job.deblock,
            threads=self._threads,
            timings=job.timings,
        )
        ran = network.plan
        assert ran is not None
        job.enhancement = ran
        job.notes.append(f"enhanced by {ran.model} on {ran.backend}, {ran.device}, {ran.precision}")
        for line in ran.fallbacks:
            log.warning("%s: %s", frame.name, line)
