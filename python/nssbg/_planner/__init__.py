"""Which backend, device and precision runs a model: measured here, chosen, explained."""

from nssbg._planner.candidates import (
    BatchRun,
    Candidate,
    Measurement,
    PlanRequest,
    candidates,
    plan,
)
from nssbg._planner.lookup import measured
from nssbg._planner.opening import open_model, tune

__all__ = [
    "BatchRun",
    "Candidate",
    "Measurement",
    "PlanRequest",
    "candidates",
    "measured",
    "open_model",
    "plan",
    "tune",
]
