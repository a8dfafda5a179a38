"""Which backend, device and precision runs a model: measured here, chosen, explained."""

from nssbg._planner.candidates import (
    BatchRun,
    Candidate,
    Measurement,
    PlanRequest,
    candidates,
    plan,
)
from nssbg._planner.opening import open_model, tune
from nssbg._planner.store import measured

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
