"""What was measured for a model on this machine: looked up and kept.

The file of plans is only read here and written here; what stands in it is found by a key that
changes with the machine, its runtimes and the weights (cache.py).
"""

from __future__ import annotations

import logging
from dataclasses import replace

from nssbg._models.fingerprint import weights_fingerprint
from nssbg._models.paths import plans_file
from nssbg._models.sidecar import ModelDescription
from nssbg._planner import store as plans
from nssbg._planner.candidates import Candidate, Measurement, PlanRequest

__all__ = ["keep", "measured"]

log = logging.getLogger("nssbg")


def measured(model: ModelDescription, request: PlanRequest) -> tuple[Measurement, ...]:
    """What tuning found for this model on this machine, for this choice or a wider one."""
    assert model.path is not None
    fingerprint = weights_fingerprint(model.path)
    # What was measured for everything serves a narrower choice too.
    exact = replace(request, max_concurrency=0)
    wider = PlanRequest(threads=request.threads, goal=request.goal)
    for tried in dict.fromkeys((exact, wider, PlanRequest(goal=request.goal))):
        found = plans.load(plans_file(), plans.plan_key(model, fingerprint, tried))
        allowed = tuple(item for item in found if _allowed(item.candidate, request))
        if allowed:
            return allowed
    return ()


def keep(model: ModelDescription, request: PlanRequest, found: tuple[Measurement, ...]) -> None:
    """Keep measurements for this choice; a folder that cannot be written is only logged."""
    assert model.path is not None
    key = plans.plan_key(model, weights_fingerprint(model.path), request)
    try:
        plans.store(plans_file(), key, found)
    except OSError as error:
        log.warning("%s: measurements are not kept: %s", plans_file(), error)


def _allowed(candidate: Candidate, request: PlanRequest) -> bool:
    device = candidate.device.partition(".")[0]
    gpu = request.device == "gpu" and device not in ("cpu", "npu")
    return (
        request.backend in ("auto", candidate.backend)
        and (request.device in ("auto", device, candidate.device) or gpu)
        and request.precision in ("auto", candidate.precision)
        and request.threads in (0, candidate.threads)
        and (
            candidate.batch == 1 or candidate.batch <= (request.max_concurrency or candidate.batch)
        )
    )
