"""model="auto": which of two answers is taken, and when the network is opened at all."""

import os
import threading
from contextlib import nullcontext

import numpy as np
import pytest

from nssbg._errors import ModelError, NssbgError
from nssbg._models.catalog import describe
from nssbg._segment.auto import AutoMethod
from nssbg._segment.base import Estimate
from nssbg._segment.selector import select, selector_features
from nssbg._types import Frame, Plan, Timings

FRAME = Frame(rgb=np.zeros((4, 6, 3), np.uint8))
WEIGHTS = describe("nssbg-lite").selector


class Fixed:
    """A method that always gives the same answer and counts how often it was asked."""

    max_concurrency = 0

    def __init__(self, model, confidence, alpha):
        self.model, self.confidence, self.alpha = model, confidence, alpha
        self.asked = 0
        self.closed = False
        self.selector = WEIGHTS

    def prepare(self, frame, studio, timings):
        with timings.measure("prepare"):
            return "prepared by " + self.model

    def segment(self, frame, prepared, studio, timings, effort):
        assert prepared == "prepared by " + self.model
        self.asked += 1
        with timings.measure("segment" if self.model == "network" else "studio"):
            return Estimate(
                alpha=self.alpha,
                full_size=self.model == "studio",
                confidence=self.confidence,
                plan=Plan(model=self.model, backend="fake", device="CPU"),
            )

    def studio_of_backdrops(self, frame, timings, *, least_border):
        assert 0 < least_border < 1
        if self.alpha is None:
            return None
        return self.segment(frame, "prepared by " + self.model, None, timings, "fast")

    def postprocess(self, estimate, timings):
        with timings.measure("post-process"):
            return estimate

    def close(self):
        self.closed = True


def disc(side, radius=0.3, x=0.5):
    """A disc's alpha, uint8, the same at any size."""
    axis = (np.arange(side) + 0.5) / side
    distance = np.hypot(axis[:, None] - 0.5, axis[None] - x)
    return (np.clip((radius - distance) * side + 0.5, 0, 1) * 255).astype(np.uint8)


SMALL, LARGE = disc(64), disc(300)
ELSEWHERE = disc(300, radius=0.12, x=0.15)
EVERYTHING = np.full((300, 300), 255, np.uint8)


def run(auto, timings=None):
    """The stages up to the answer, as the pipeline calls them."""
    timings = timings or Timings()
    studio = auto.studio(FRAME, timings)
    prepared = auto.prepare(FRAME, studio, timings)
    estimate = auto.segment(FRAME, prepared, studio, timings, "balanced")
    return auto.postprocess(estimate, timings)


def answer(studio, network, *, studio_alpha=LARGE, network_alpha=SMALL, selector=WEIGHTS):
    """What auto takes, and the two methods."""
    opened = []
    one = Fixed("studio", studio, studio_alpha)
    other = Fixed("network", network, network_alpha)
    other.selector = selector

    def open_network():
        opened.append(True)
        return other

    auto = AutoMethod(one, open_network)
    for _ in range(2):
        estimate = run(auto)
    auto.wait()
    return estimate, auto, other, len(opened)


def test_a_sure_studio_picture_never_asks_the_network():
    estimate, _, network, opened = answer(0.97, 0.99)
    assert estimate.plan.model == "studio"
    assert (opened, network.asked) == (1, 0)
    assert "studio picture" in estimate.plan.reasons[-1]


def test_the_network_is_opened_while_the_studio_method_looks():
    """And a fork waits for it: a child would have half an import."""
    begun, go_on = threading.Event(), threading.Event()

    def open_network():
        begun.set()
        assert go_on.wait(10)
        return Fixed("network", 0.9, SMALL)

    auto = AutoMethod(Fixed("studio", 0.97, LARGE), open_network)
    assert begun.wait(10)
    taken = run(auto)
    assert taken.plan.model == "studio"
    threading.Timer(0.05, go_on.set).start()
    child = os.fork() if hasattr(os, "fork") else 0
    if child:
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    elif hasattr(os, "fork"):
        os._exit(0 if go_on.is_set() else 1)
    auto.wait()


def test_a_network_that_does_not_open_is_an_error_for_those_who_need_it():
    tried = []

    def open_network():
        tried.append(True)
        raise ModelError("damaged")

    for studio, needed in ((0.97, False), (0.1, True)):
        auto = AutoMethod(Fixed("studio", studio, LARGE), open_network)
        with pytest.raises(ModelError, match="damaged") if needed else nullcontext():
            run(auto)
        auto.wait()
    assert len(tried) == 3  # twice ahead, once more for the picture that needed it


def test_closing_ends_what_is_being_opened():
    network = Fixed("network", 0.9, SMALL)
    opened = []
    auto = AutoMethod(Fixed("studio", 0.9, LARGE), lambda: opened.append(True) or network)
    auto.close()
    auto.wait()
    assert network.closed == bool(opened)
    with pytest.raises(NssbgError, match="closed"):
        run(auto)


def test_stages_are_named_after_what_ran():
    told = {}
    cases = {"sure": (0.97, LARGE), "doubtful": (0.2, ELSEWHERE), "no backdrop": (0.0, None)}
    for name, (confidence, alpha) in cases.items():
        timings = Timings()
        auto = AutoMethod(Fixed("studio", confidence, alpha), lambda: Fixed("network", 0.9, SMALL))
        run(auto, timings)
        auto.wait()
        told[name] = list(timings.stages)
    assert told == {
        "sure": ["studio"],
        "doubtful": ["studio", "prepare", "segment", "post-process"],
        "no backdrop": ["prepare", "segment", "post-process"],
    }


def test_where_the_border_is_no_backdrop_the_network_alone_answers():
    estimate, _, network, _ = answer(0.0, 0.83, studio_alpha=None)
    assert estimate.plan.model == "network"
    assert network.asked == 2
    assert estimate.confidence == 0.83
    assert "no backdrop" in estimate.plan.reasons[-1]


def test_where_both_agree_a_trusted_studio_alpha_is_taken_for_its_edges():
    estimate, _, network, opened = answer(0.9, 0.9)
    assert (estimate.plan.model, estimate.full_size) == ("studio", True)
    assert (opened, network.asked) == (1, 2)
    assert estimate.confidence > 0.75
    assert estimate.notes == ()
    assert "agreement 0.9" in estimate.plan.reasons[-1]


@pytest.mark.parametrize("wrong", [ELSEWHERE, EVERYTHING])
def test_a_studio_alpha_that_the_network_contradicts_is_not_taken(wrong):
    estimate, auto, network, _ = answer(0.2, 0.92, studio_alpha=wrong)
    assert estimate.plan.model == "network"
    assert not estimate.full_size
    auto.close()
    assert network.closed


def test_a_weak_answer_says_so():
    estimate = answer(0.05, 0.2, studio_alpha=ELSEWHERE)[0]
    assert estimate.confidence < 0.75
    assert estimate.low_confidence
    assert not answer(0.2, 0.92)[0].low_confidence


@pytest.mark.parametrize(
    ("selector", "network"), [(None, 0.9), (WEIGHTS, None)], ids=["no selector", "no confidence"]
)
def test_without_fitted_weights_the_network_is_taken_unless_the_studio_method_is_sure(
    selector, network
):
    estimate = answer(0.9, network, selector=selector)[0]
    assert estimate.plan.model == "network"
    assert estimate.confidence == network
    assert "nothing fitted" in estimate.plan.reasons[-1]
    assert answer(0.97, network, selector=selector)[0].plan.model == "studio"


def test_maps_of_either_dtype_are_compared_alike():
    eight = answer(0.6, 0.8)[0]
    real = answer(0.6, 0.8, network_alpha=SMALL.astype(np.float32) / 255)[0]
    assert real.plan.model == eight.plan.model
    assert real.confidence == pytest.approx(eight.confidence, abs=1e-6)


def test_more_confidence_in_a_method_never_speaks_for_the_other():
    map_ = SMALL.astype(np.float32) / 255
    levels = np.linspace(0.05, 0.95, 10)
    by_studio = [select(selector_features(LARGE, c, map_, 0.7), WEIGHTS).studio for c in levels]
    by_network = [select(selector_features(LARGE, 0.7, map_, c), WEIGHTS).studio for c in levels]
    assert by_studio == sorted(by_studio)
    assert by_network == sorted(by_network, reverse=True)


def test_features_of_a_known_pair():
    studio = np.zeros((10, 10), np.float32)
    network = studio.copy()
    studio[:, :4], network[:, :8] = 1, 1
    features = selector_features(studio, 0.5, network, 0.5)
    assert features[:2] == (0, 0)
    assert features[2:] == pytest.approx((0.5, 1.0, 0.5), abs=2e-3)
