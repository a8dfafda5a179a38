"""A network as a method: prepare, run on the chosen backend, read its map as an alpha."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nssbg import _io as image_io
from nssbg._errors import ModelError
from nssbg._models.catalog import describe
from nssbg._models.fitted import SelectorWeights
from nssbg._models.postprocess import coarse_alpha, joined_maps
from nssbg._models.sidecar import ModelDescription
from nssbg._models.task import check_task
from nssbg._ops.prepare import prepare
from nssbg._planner import BatchRun, open_model
from nssbg._runtime import Backend
from nssbg._segment.base import Estimate
from nssbg._segment.cleanup import cleaned
from nssbg._segment.confidence import Confidence, confidence
from nssbg._segment.second_pass.run import run_second_pass
from nssbg._types import Frame, Timings
from nssbg._vocabulary import Effort

__all__ = ["NetworkMethod", "input_tensor"]


def input_tensor(frame: Frame, model: ModelDescription, *, threads: int = 1) -> NDArray[np.float32]:
    """A picture as a model is fed: 1 x 3 x h x w, float32, normalised.

    Args:
        frame: The decoded picture; converted to sRGB for the model where it is not.
        model: Says the size, filter and normalisation.
        threads: Threads of the prepare kernel.
    """
    return _tensor(image_io.model_rgb(frame), model, threads)


def _tensor(rgb: NDArray[np.uint8], model: ModelDescription, threads: int) -> NDArray[np.float32]:
    return prepare(
        rgb,
        model.input_size(*rgb.shape[:2]),
        mean=model.mean,
        std=model.std,
        filter=model.filter,
        threads=threads,
    )


def _tensors(sources: Sequence[Any], model: ModelDescription) -> list[NDArray[np.float32]]:
    """Pictures of a run as the model is fed; what cannot be read is left out."""
    found = []
    for source in sources:
        # Whatever is wrong with a picture is told where its own turn comes.
        with contextlib.suppress(Exception):
            found.append(input_tensor(image_io.decode(source), model))
    return found


class NetworkMethod:
    """One model on one backend.

    Args:
        model: A name of the catalog, a path to a model file with a sidecar, or a description.
        device: See `nssbg.Remover`.
        backend: See `nssbg.Remover`.
        precision: See `nssbg.Remover`.
        threads: Threads for the runtime and the prepare kernel, at least 1.
        license: See `nssbg.Remover`.
        run: The run over many pictures that it is for; its network then takes several pictures
            at once, on `run.threads` threads in all.

    Raises:
        ModelError: The model is unknown, cannot be pulled, or is damaged.
        LicenseError: Its weights do not allow the use asked for.
        DeviceError: The device asked for is not what would run.
    """

    def __init__(
        self,
        model: str | ModelDescription,
        *,
        device: str,
        backend: str,
        precision: str = "auto",
        threads: int,
        license: str | None = None,
        run: BatchRun | None = None,
    ) -> None:
        self._threads = threads
        described = model if isinstance(model, ModelDescription) else describe(model)
        check_task(described, "matte")
        self._model, self._backend = open_model(
            described,
            backend=backend,
            device=device,
            precision=precision,
            threads=threads if run is None else run.threads,
            goal="latency" if run is None else "throughput",
            license=license,
            run=run,
            samples=None if run is None else lambda model: _tensors(run.samples, model),
        )
        if run is not None:
            run.samples.clear()

    @classmethod
    def on(cls, model: ModelDescription, backend: Backend, *, threads: int) -> NetworkMethod:
        """The method on a network that is open already, which it owns from here on.

        Args:
            model: What the backend runs.
            backend: An open one.
            threads: Threads for the prepare kernel, at least 1.
        """
        method = cls.__new__(cls)
        method._threads, method._model, method._backend = threads, model, backend
        return method

    @property
    def selector(self) -> SelectorWeights | None:
        """What `model="auto"` weighs this network against the studio method by."""
        return self._model.selector

    @property
    def max_concurrency(self) -> int:
        """What the runtime takes at the same time; twice that where batches have to fill."""
        plan = self._backend.plan
        return plan.streams * plan.batch * (2 if plan.batch > 1 else 1)

    def studio(self, frame: Frame, timings: Timings) -> None:
        """Nothing: the studio method is not asked."""

    def prepare(
        self, frame: Frame, studio: Estimate | None, timings: Timings
    ) -> NDArray[np.float32]:
        """The input tensor, 1 x 3 x h x w."""
        with timings.measure("prepare"):
            return input_tensor(frame, self._model, threads=self._threads)

    def segment(
        self,
        frame: Frame,
        prepared: NDArray[np.float32],
        studio: Estimate | None,
        timings: Timings,
        effort: Effort,
    ) -> Estimate:
        """The alpha at the network's own size, with a confidence from the map itself."""
        with timings.measure("segment"):
            alpha, flipped, broken = self._maps(prepared, effort)
            expected = confidence(alpha, flipped, weights=self._model.confidence)
            if broken:
                expected = Confidence(overlap=0.0, low_confidence=True)
            plan = self._backend.plan
            if flipped is not None:
                reason = "run on the picture and on its mirror image"
                plan = replace(plan, reasons=(*plan.reasons, reason))
        return Estimate(
            alpha=joined_maps(alpha, flipped, frame.rgb.dtype),
            full_size=False,
            confidence=expected.overlap,
            low_confidence=expected.low_confidence,
            plan=plan,
            notes=(f"{self._model.name} gave values that are not numbers",) if broken else (),
        )

    def second_pass(
        self, frame: Frame, estimate: Estimate, timings: Timings, effort: Effort
    ) -> Estimate:
        """Run again on the crop around a small subject and, at "best", along the outline."""
        if effort == "fast":
            return estimate

        def alpha_of(crop: NDArray[Any]) -> NDArray[np.float32]:
            tensor = _tensor(crop, self._model, self._threads)
            alpha, flipped, _ = self._maps(tensor, effort)
            return joined_maps(alpha, flipped, np.float32)

        with timings.measure("second pass"):
            alpha, report = run_second_pass(
                image_io.model_rgb(frame),
                alpha_of,
                effort=effort,
                first=estimate.alpha,
                weights=self._model.confidence,
            )
        if report.runs == 1:
            return replace(estimate, notes=(*estimate.notes, *report.notes))
        return replace(
            estimate,
            alpha=joined_maps(alpha, None, frame.rgb.dtype),
            second_pass=report,
        )

    def postprocess(self, estimate: Estimate, timings: Timings) -> Estimate:
        """Post-process the map, where the model's subjects are opaque."""
        if not self._model.opaque_subject:
            return estimate
        with timings.measure("post-process"):
            return replace(estimate, alpha=cleaned(estimate.alpha))

    def _maps(
        self, tensor: NDArray[np.float32], effort: Effort
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | None, bool]:
        """The network's maps of one picture, h x w, 0..1: as it is, and of its mirror image.

        The second is mirrored back; None where the model or the effort asks for one pass. Last,
        whether some of its values were not finite numbers: they count as 0 and 1.

        Raises:
            ModelError: None of them was.
        """
        if not self._model.flip_tta or effort == "fast":
            raw = self._backend.run(tensor)
            broken = self._broken(raw)
            return coarse_alpha(raw, self._model)[0], None, broken
        raw = self._backend.run(np.concatenate([tensor, tensor[..., ::-1]]))
        broken = self._broken(raw)
        alphas = coarse_alpha(raw, self._model)
        return alphas[0], alphas[1, :, ::-1], broken

    def _broken(self, raw: NDArray[np.float32]) -> bool:
        if np.isfinite(raw.sum(dtype=np.float64)):
            return False
        if not np.isfinite(raw).any():
            plan = self._backend.plan
            raise ModelError(
                f"{self._model.path or self._model.name}: gives no finite number for this picture "
                f"({plan.backend}, {plan.device}, {plan.precision}); its file may be damaged, or "
                "its values too large for that precision: try another backend= or model"
            )
        return True

    def close(self) -> None:
        """Give the network's memory back."""
        self._backend.close()
