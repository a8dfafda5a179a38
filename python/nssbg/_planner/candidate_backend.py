"""Opens one candidate, for a benchmark of it and for the run that follows."""

from __future__ import annotations

from pathlib import Path

from nssbg._errors import ModelError
from nssbg._models.sidecar import ModelDescription
from nssbg._planner.candidates import Candidate
from nssbg._runtime import Backend, open_backend

__all__ = ["int8_source", "open_candidate"]


def int8_source(model: ModelDescription, int8: ModelDescription | None) -> ModelDescription:
    """What runs where int8 is asked for: the model if it is int8 itself, else that form of it.

    Raises:
        ModelError: There is none.
    """
    if model.precision == "int8":
        return model
    if int8 is None:
        raise ModelError(
            f"{model.name}: there is no int8 form of it here; try: nssbg quantize {model.name}, or "
            "another precision"
        )
    return int8


def open_candidate(
    model: ModelDescription, candidate: Candidate, int8: ModelDescription | None, cache: Path | None
) -> Backend:
    """A candidate's backend, which takes `candidate.batch` pictures a call.

    Args:
        model: Its weights are here, prepared for the runtimes.
        candidate: What to open.
        int8: The model's int8 form, which int8 candidates run; None: it has none.
        cache: Folder for compiled networks; None: none is read or written.

    Raises:
        DeviceError, ModelError: As `open_backend`; also where an int8 form is missing.
    """
    plain = candidate.precision != "int8"
    return open_backend(
        model if plain else int8_source(model, int8),
        backend=candidate.backend,
        device=candidate.device,
        precision=candidate.precision if plain else "auto",
        threads=candidate.threads,
        streams=candidate.streams,
        batch=candidate.batch,
        cache=cache,
    )
