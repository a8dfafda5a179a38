"""`model="auto"`: the studio method where the picture is a studio picture, else the network.

The studio method looks first: it costs milliseconds, and where the border is one smooth backdrop
its full-size edges are better than any coarse map's. Where it is not beyond doubt the bundled
network, opened meanwhile, looks too, and `selector` says from both answers which is the better.
"""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

from nssbg._errors import NssbgError
from nssbg._models.fitted import SelectorWeights
from nssbg._segment.base import Estimate, Method
from nssbg._segment.selector import LEAST_BORDER, SURE, select, selector_features
from nssbg._segment.studio import StudioMethod
from nssbg._types import Frame, Timings
from nssbg._vocabulary import Effort

__all__ = ["AutoMethod"]


class NetworkLike(Method, Protocol):
    """A network, and what it is weighed against the studio method by."""

    @property
    def selector(self) -> SelectorWeights | None:
        """Fitted to this network; None: it is taken wherever the studio method is not sure."""
        ...


class AutoMethod:
    """Two methods behind one door.

    Args:
        studio: Looks first; gives up early where the border is no backdrop.
        open_network: Opens the network; called in a thread of its own, at once.
        network_max_concurrency: Pictures that the network takes at once: see
            `Method.max_concurrency`.
    """

    def __init__(
        self,
        studio: StudioMethod,
        open_network: Callable[[], NetworkLike],
        *,
        network_max_concurrency: int = 0,
    ) -> None:
        self._studio = studio
        self._open_network = open_network
        self._network: NetworkLike | None = None
        self._lock = threading.Lock()
        self.max_concurrency = network_max_concurrency
        self._closed = False
        # Opening a runtime takes as long as decoding a photograph and the studio method's look.
        self._opening = threading.Thread(target=self._open_ahead, name="nssbg-opening")
        with contextlib.suppress(RuntimeError):  # no more threads: it is opened when it is needed
            self._opening.start()
            _opened_ahead.add(self)

    def studio(self, frame: Frame, timings: Timings) -> Estimate | None:
        """The studio method's answer, if it has one: the need for the network depends on it."""
        return self._studio.studio_of_backdrops(frame, timings, least_border=LEAST_BORDER)

    def prepare(self, frame: Frame, studio: Estimate | None, timings: Timings) -> Any:
        """The network's input; None where the studio method is sure by itself.

        The first pictures wait here until the network is open, which is not in their timings.
        """
        if _is_sure(studio):
            return None
        return self._the_network().prepare(frame, studio, timings)

    def segment(
        self,
        frame: Frame,
        prepared: Any,
        studio: Estimate | None,
        timings: Timings,
        effort: Effort,
    ) -> Estimate:
        """The better of the two answers as far as can be told, and why it was taken."""
        if studio is not None and prepared is None:
            return _because(studio, f"auto: a studio picture (confidence {studio.confidence:.2f})")
        network = self._the_network()
        other = network.segment(frame, prepared, studio, timings, effort)
        if studio is None:
            return _because(other, f"auto: {other.plan.model} taken (the border is no backdrop)")
        with timings.measure("segment"):
            return _better(studio, other, network.selector)

    def second_pass(
        self, frame: Frame, estimate: Estimate, timings: Timings, effort: Effort
    ) -> Estimate:
        """By the network, where its answer was taken."""
        if estimate.full_size:
            return estimate
        return self._the_network().second_pass(frame, estimate, timings, effort)

    def postprocess(self, estimate: Estimate, timings: Timings) -> Estimate:
        """As the network's answers are, where it was taken."""
        if estimate.full_size:
            return estimate
        return self._the_network().postprocess(estimate, timings)

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

    def _the_network(self) -> NetworkLike:
        with self._lock:
            if self._closed:
                raise NssbgError("this method is closed; open another one")
            if self._network is None:
                self._network = self._open_network()
            return self._network


def _is_sure(studio: Estimate | None) -> bool:
    return studio is not None and studio.confidence is not None and studio.confidence >= SURE


def _better(studio: Estimate, other: Estimate, weights: SelectorWeights | None) -> Estimate:
    """The answer that is to be taken, with the overlap to be expected of it as its confidence."""
    if weights is None or studio.confidence is None or other.confidence is None:
        return _because(other, f"auto: {other.plan.model} taken (nothing fitted to choose by)")
    features = selector_features(studio.alpha, studio.confidence, other.alpha, other.confidence)
    selection = select(features, weights)
    taken = studio if selection.studio else other
    return _because(
        replace(
            taken,
            confidence=selection.overlap,
            low_confidence=selection.low_confidence,
        ),
        f"auto: {taken.plan.model} taken (studio confidence {studio.confidence:.2f}, "
        f"{other.plan.model} confidence {other.confidence:.2f}, "
        f"agreement {selection.agreement:.2f})",
    )


def _because(estimate: Estimate, reason: str) -> Estimate:
    return replace(estimate, plan=replace(estimate.plan, reasons=(*estimate.plan.reasons, reason)))


_opened_ahead: weakref.WeakSet[AutoMethod] = weakref.WeakSet()


def _wait_all() -> None:
    for method in list(_opened_ahead):
        method.wait()


# A process must not fork amid an import: in its child the module would stay half made.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_wait_all)
