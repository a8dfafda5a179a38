"""Which backend, device and precision runs a model: measured here, chosen, explained."""

from nssbg._planner.candidates import Candidate, Choice, Measurement, candidates, plan
from nssbg._planner.opening import measured, open_model, tune

__all__ = [
    "Candidate",
    "Choice",
    "Measurement",
    "candidates",
    "measured",
    "open_model",
    "plan",
    "tune",
]
