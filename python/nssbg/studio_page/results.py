"""What a session's pictures are made of: estimates, cut-outs, previews, in memory or made again.

In: a picture's record and an edit. Out: its analysis, its cut-out, a part as it will look. Networks
run here, once for each model, effort and box; the estimates lie in the session's folder.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from nssbg import _io as image_io
from nssbg._corrections import Corrections
from nssbg._cutout import Cutout
from nssbg._enhance.jpeg_quality import deblock_strength
from nssbg._enhance_options import Enhancement
from nssbg._errors import ImageDecodeError
from nssbg._memory import available_memory
from nssbg._pipeline.analysis import Analysis
from nssbg._pipeline.enhancing import Enhancer, upscale_of
from nssbg._pipeline.memory_estimate import BYTES_PER_PIXEL, bytes_in_flight
from nssbg._pipeline.preview import View, preview
from nssbg._pipeline.settings import Settings
from nssbg._remover import Remover
from nssbg._types import Frame
from nssbg.studio_page.edit import Edit
from nssbg.studio_page.folder import SessionFolder
from nssbg.studio_page.memory import Memory
from nssbg.studio_page.picture import Picture

__all__ = ["Limits", "Results", "account_of"]

# Models held open at once.
_MOST_MODELS = 2


class Limits:
    """What one picture may be.

    Attributes:
        max_pixels: Pixels.
        max_bytes: Bytes of its file.
    """

    def __init__(self, max_pixels: int = 100_000_000, max_bytes: int = 256 << 20) -> None:
        self.max_pixels: int = max_pixels
        self.max_bytes: int = max_bytes


class Results:
    """Makes and keeps what pictures become; safe to use from several threads.

    Args:
        folder: Of the session.
        memory: For what is worth keeping at hand.
        limits: Of one picture.
        settings: device, threads and license of `nssbg.Remover`.

    Attributes:
        network_runs: How often a method ran.
    """

    def __init__(
        self, folder: SessionFolder, memory: Memory, limits: Limits, settings: dict[str, Any]
    ) -> None:
        self._folder = folder
        self._memory = memory
        self._limits = limits
        self._settings = {**settings, "max_pixels": limits.max_pixels}
        self._threads: int = settings["threads"]
        self._enhancing = Settings(**self._settings)
        self._enhancing_lock = threading.Lock()
        self._lock = threading.Lock()
        self._removers: OrderedDict[str, Remover] = OrderedDict()
        self.network_runs: int = 0

    def knows(self, picture: Picture, edit: Edit) -> bool:
        """Whether no network has to run for an edit."""
        key = (picture.id, "analysis", edit.analysis_key)
        return self._memory.get(key) is not None or self._folder.knows(
            picture.id, edit.analysis_key
        )

    def known_analysis(self, picture: Picture, edit: Edit) -> Analysis | None:
        """A picture with its estimate, from memory or the folder; None: nothing was run for it."""
        key = (picture.id, "analysis", edit.analysis_key)
        found: Analysis | None = self._memory.get(key)
        if found is None:
            with picture.work:
                found = self._memory.get(key)
                kept = None
                if found is None:
                    kept = self._folder.estimate(picture.id, edit.analysis_key)
                if kept is not None:
                    estimate, account = kept
                    found = Analysis(
                        frame=self._decoded(picture),
                        estimate=estimate,
                        box=edit.box,
                        stages=tuple((str(k), float(v)) for k, v in account["stages"]),
                        notes=tuple(account["notes"]),
                    )
                    self._memory.put(key, found, found.nbytes)
        return found

    def frame(self, picture: Picture, edit: Edit) -> Frame:
        """A picture as it was decoded.

        Raises:
            ImageDecodeError: It cannot be read.
        """
        analysis = self.known_analysis(picture, edit)
        if analysis is not None:
            return analysis.frame
        key = (picture.id, "frame")
        with picture.work:
            found: Frame | None = self._memory.get(key)
            if found is None:
                found = self._decoded(picture)
                self._memory.put(key, found, int(found.rgb.nbytes))
        return found

    def made(self, picture: Picture, edit: Edit, on_stage: Callable[[str], None]) -> Cutout:
        """The cut-out of an edit; a network is run where it has to be."""
        analysis = self.known_analysis(picture, edit)
        if analysis is None:
            analysis = self._analysed(picture, edit, on_stage)
        return self.finished(picture, edit, analysis, on_stage)

    def finished(
        self,
        picture: Picture,
        edit: Edit,
        analysis: Analysis,
        on_stage: Callable[[str], None] | None = None,
    ) -> Cutout:
        """The cut-out of an edit, from memory or made of the analysis."""
        key = (picture.id, "cutout", edit.without_framing())
        with picture.work:
            found: Cutout | None = self._memory.get(key)
            if found is None:
                height, width = analysis.frame.height, analysis.frame.width
                found = analysis.finished(
                    edit.options(edit.corrections(height, width)),
                    edge=edit.edge(height, width),
                    threads=self._threads,
                    on_stage=on_stage,
                )
                self._memory.put(key, found, int(found.rgba.nbytes))
        return found

    def enhanced(
        self, picture: Picture, edit: Edit, analysis: Analysis, enhancement: Enhancement
    ) -> Cutout:
        """The cut-out of an edit at the size that a network enhances the photograph to.

        Raises:
            ImageDecodeError: It would be larger than pictures may be, or memory has room for.
            ModelError, OptionError: The network cannot do it.
        """
        frame = analysis.frame
        height, width = frame.height, frame.width
        enhancer = Enhancer(self._enhancing, self._enhancing.thread_count)
        # Alone: two of them would take twice the memory.
        with self._enhancing_lock:
            upscale = upscale_of(enhancement)
            enhancer.check_size(height, width, upscale, picture.name)
            needed = BYTES_PER_PIXEL * height * width * upscale**2 * frame.rgb.itemsize
            if needed > available_memory():
                raise ImageDecodeError(
                    f"{picture.name}: {width * upscale} x {height * upscale} pixels take more "
                    "memory than is free; take a smaller size, or close other programs"
                )
            deblock = 0.0
            if enhancement.deblock == "auto":
                deblock = deblock_strength(self._source(picture), frame)
            return analysis.finished(
                replace(edit.options(edit.corrections(height, width)), enhance=enhancement),
                edge=edit.edge(height, width),
                threads=self._threads,
                enhancer=enhancer,
                deblock=deblock,
            )

    def previewed(self, analysis: Analysis, edit: Edit, where: View) -> NDArray[Any]:
        """What a part of a picture will look like with an edit: rows x columns x 4, 8 bits."""
        height, width = analysis.frame.height, analysis.frame.width
        said = None
        if analysis.box is not None or edit.keep or edit.drop:
            said = Corrections(box=analysis.box, keep=edit.keep, drop=edit.drop)
        return preview(
            analysis,
            edit.options(said),
            where,
            strokes=edit.strokes,
            edge=edit.edge(height, width),
            threads=self._threads,
        )

    def _analysed(self, picture: Picture, edit: Edit, on_stage: Callable[[str], None]) -> Analysis:
        """Run the method."""
        remover = self._remover(edit.model)
        analysis = remover._analyse(
            self._source(picture), edit.options(edit.box_alone()), on_stage=on_stage
        )
        self.network_runs += 1
        with picture.work:
            account = {"stages": list(analysis.stages), "notes": list(analysis.notes)}
            self._folder.keep_estimate(picture.id, edit.analysis_key, analysis.estimate, account)
            self._memory.put((picture.id, "analysis", edit.analysis_key), analysis, analysis.nbytes)
        return analysis

    def _source(self, picture: Picture) -> image_io.NamedBytes:
        data = image_io.NamedBytes(self._folder.original(picture.id).read_bytes())
        data.name = picture.name
        return data

    def _decoded(self, picture: Picture) -> Any:
        return image_io.decode(
            self._source(picture), max_pixels=self._limits.max_pixels, predict=bytes_in_flight
        )

    def _remover(self, model: str) -> Remover:
        with self._lock:
            found = self._removers.pop(model, None) or Remover(model, **self._settings)
            self._removers[model] = found
            if len(self._removers) > _MOST_MODELS:
                # Not closed: the other thread may be using it.
                self._removers.popitem(last=False)
        return found

    def close(self) -> None:
        """Let go of the models; nobody uses them any more."""
        with self._lock:
            removers = list(self._removers.values())
            self._removers.clear()
        for remover in removers:
            remover.close()


def account_of(cutout: Cutout) -> dict[str, Any]:
    """What there is to say of a result, for the page."""
    from nssbg._compose.canvas import subject_box

    top, left, bottom, right = subject_box(cutout.rgba)
    plan = cutout.plan
    return {
        "model": plan.model,
        "method": "studio" if plan.backend == "core" else "network",
        "confidence": cutout.confidence,
        "low_confidence": bool(cutout.low_confidence),
        "plan": {
            "backend": plan.backend,
            "device": plan.device,
            "precision": plan.precision,
            "threads": plan.threads,
            "license": plan.license,
            "reasons": list(plan.reasons),
            "fallbacks": list(plan.fallbacks),
        },
        "timings": {name: round(ms, 1) for name, ms in cutout.timings.stages.items()},
        "notes": list(cutout.notes),
        "bbox": [left, top, right, bottom],
    }
