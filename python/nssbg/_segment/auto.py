"""`model="auto"`: the studio method where the picture is a studio picture, else the network.

The studio method looks first: it costs milliseconds, and where the border is one smooth backdrop
its full-size edges are better than any coarse map's. Where it is not beyond doubt the bundled
network, opened meanwhile, looks too, and `selection` says from both answers which is the better.
"""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from nssbg._errors import NssbgError
from nssbg._segment.base import Estimate, Method
from nssbg._segment.confidence import LOW_CONFIDENCE
from nssbg._segment.selector import sampled, select, selector_features
from nssbg._segment.studio import StudioMethod
from nssbg._types import Frame, Timings
from nssbg._vocabulary import Effort

__all__ = ["AutoMethod"]

# From this confidence on the studio method's answer is taken without a look by the network: on
# the measured pictures that lost 0.001 of IoU on average (training/choose.py prints the table).
SURE = 0.95
# Where less of the border than this is one backdrop the studio method is not asked any further: on
# 256 such pictures kept aside it was the better one in four (training/choose.py).
LEAST_BORDER = 0.5


class AutoMethod:
    """Two methods behind one door.

    Args:
        studio: Looks first; gives up early where the border is no backdrop.
        open_network: Opens the network; called in a thread of its own, at once.
        network_max_concurrency: As `Method.max_concurrency`.
    """

    def __init__(
        self,
        studio: StudioMethod,
        open_network: Callable[[], Method],
        *,
        network_max_concurrency: int = 0,
    ) -> None:
        self._studio = studio
        self._open_network = open_network
        self._network: Method | None = None
        self._lock = threading.Lock()
        self.max_concurrency = network_max_concurrency
        self._closed = False
        # Opening a runtime takes as long as decoding a photograph and the studio method's look.
        self._opening = threading.Thread(target=self._open_ahead, name="nssbg-opening")
        with contextlib.suppress(RuntimeError):  # no more threads: it is opened when it is needed
            self._opening.start()
            _opened_ahead.add(self)

    def prepare(self, frame: Frame, timings: Timings) -> Estimate | None:
        """The studio method's answer, if it has one: the need for the network depends on it."""
        return self._studio.infer_backdrops(frame, timings, least_border=LEAST_BORDER)

    def infer(self, frame: Frame, prepared: Any, timings: Timings, effort: Effort) -> Estimate:
        """The better of the two answers as far as can be told, and why it was taken."""
        studio: Estimate | None = prepared
        if studio is not None and studio.confidence >= SURE:
            return _because(studio, f"auto: a studio picture (confidence {studio.confidence:.2f})")
        network = self._the_network()
        other = network.infer(frame, network.prepare(frame, timings), timings, effort)
        if studio is None:
            return _because(other, f"auto: {other.plan.model} taken (the border is no backdrop)")
        grid = other.alpha.shape
        features = selector_features(
            sampled(studio.alpha, *grid),
            studio.confidence,
            sampled(other.alpha, *grid),
            other.confidence,
        )
        selection = select(features)
        taken = studio if selection.studio else other
        return _because(
            replace(
                taken,
                confidence=selection.overlap,
                low_confidence=selection.overlap < LOW_CONFIDENCE,
            ),
            f"auto: {taken.plan.model} taken (studio confidence {studio.confidence:.2f}, "
            f"{other.plan.model} confidence {other.confidence:.2f}, "
            f"agreement {features[2]:.2f})",
        )

    def second_pass(
        self, frame: Frame, estimate: Estimate, timings: Timings, effort: Effort
    ) -> Estimate:
        """By the network, where its answer was taken."""
        if estimate.full_size:
            return estimate
        return self._the_network().second_pass(frame, estimate, timings, effort)

    def close(self) -> None:
        """Let go of both."""
        self._studio.close()
        with self._lock:
            network, self._network = self._network, None
            self._closed = True
        if network is not None:
            network.close()

    def _open_ahead(self) -> None:
        """Opens the network; where that fails, the first picture that needs it says why."""
        with contextlib.suppress(Exception):
            self._the_network()

    def wait(self) -> None:
        """Wait until nothing is being opened any more."""
        if self._opening is not threading.current_thread():
            self._opening.join()

    def _the_network(self) -> Method:
        with self._lock:
            if self._closed:
                raise NssbgError("this method is closed; open another one")
            if self._network is None:
                self._network = self._open_network()
            return self._network


def _because(estimate: Estimate, reason: str) -> Estimate:
    return replace(estimate, plan=replace(estimate.plan, reasons=(*estimate.plan.reasons, reason)))


_opened_ahead: weakref.WeakSet[AutoMethod] = weakref.WeakSet()


def _wait_all() -> None:
    for method in list(_opened_ahead):
        method.wait()


# A process must not fork amid an import: in its child the module would stay half made.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_wait_all)
