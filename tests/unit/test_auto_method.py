"""model="auto": which of two answers is taken, and when the network is opened at all."""

import numpy as np
import pytest

from nssbg._methods.auto import AutoMethod
from nssbg._methods.base import Estimate
from nssbg._types import Frame, Plan, Timings

FRAME = Frame(rgb=np.zeros((4, 6, 3), np.uint8))


class Fixed:
    """A method that always gives the same answer and counts how often it was asked."""

    lanes = 0

    def __init__(self, model, confidence):
        self.model, self.confidence = model, confidence
        self.asked = 0
        self.closed = False

    def prepare(self, frame, timings):
        return "prepared by " + self.model

    def infer(self, frame, prepared, timings):
        assert prepared == "prepared by " + self.model
        self.asked += 1
        return Estimate(
            alpha=np.zeros((4, 6), np.uint8),
            full_size=self.model == "studio",
            confidence=self.confidence,
            plan=Plan(model=self.model, backend="fake", device="CPU"),
        )

    def close(self):
        self.closed = True


def answer(studio, network):
    """What auto takes, and the two methods."""
    opened = []
    one, other = Fixed("studio", studio), Fixed("network", network)

    def open_network():
        opened.append(True)
        return other

    auto = AutoMethod(one, open_network)
    for _ in range(2):
        timings = Timings()
        estimate = auto.infer(FRAME, auto.prepare(FRAME, timings), timings)
    return estimate, auto, other, len(opened)


def test_a_sure_studio_picture_never_opens_the_network():
    estimate, _, network, opened = answer(0.95, 0.99)
    assert estimate.plan.model == "studio"
    assert (opened, network.asked) == (0, 0)
    assert "studio picture" in estimate.plan.reasons[-1]


def test_otherwise_the_more_confident_is_taken_and_the_network_opened_once():
    estimate, auto, network, opened = answer(0.3, 0.9)
    assert estimate.plan.model == "network"
    assert (opened, network.asked) == (1, 2)
    assert estimate.notes == ()
    assert answer(0.7, 0.6)[0].plan.model == "studio"
    auto.close()
    assert network.closed


@pytest.mark.parametrize(("studio", "network"), [(0.2, 0.4), (0.4, 0.1)])
def test_a_weak_answer_says_so(studio, network):
    estimate = answer(studio, network)[0]
    assert "larger model" in estimate.notes[-1]
