"""One row of a batch's manifest: what became of one input, as data that every engine shares."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["Row", "RowError", "Status"]

Status = Literal["done", "failed", "skipped", "interrupted"]


@dataclass(frozen=True)
class RowError:
    """Why an input failed: the exception's name and its message."""

    kind: str
    message: str


@dataclass(frozen=True)
class Row:
    """What became of one work unit.

    Attributes:
        input: The input's path or name, as it was given.
        status: What became of it.
        input_sha256: Hex digest of the input's bytes; "" where it could not be read.
        output: The output's path, relative to the output root; "" where none was written.
        outputs: All outputs of the unit, relative to the output root, the first one included.
        output_sha256: Hex digest of the (first) output's bytes.
        out_width: Pixels.
        out_height: Pixels.
        bytes: Of the (first) output.
        confidence: Expected IoU, 0..1; None where none is fitted.
        error: Why it failed, or None.
        verdict: "pass", "review" or "fail"; "" where it was not judged.
        reasons: Why it is not a pass.
        plan: What ran: model, backend, device, precision, fallbacks.
        timings: Milliseconds per stage.
        features: What the verdict was made from, by name.
        fingerprint: Key of the work unit: input, options, profile, model, version.
        attempts: How often it was tried.
    """

    input: str
    status: Status
    input_sha256: str = ""
    output: str = ""
    outputs: tuple[str, ...] = ()
    output_sha256: str = ""
    out_width: int = 0
    out_height: int = 0
    bytes: int = 0
    confidence: float | None = None
    error: RowError | None = None
    verdict: str = ""
    reasons: tuple[str, ...] = ()
    plan: dict[str, Any] = field(default_factory=dict)
    timings: dict[str, float] = field(default_factory=dict)
    features: dict[str, Any] = field(default_factory=dict)
    fingerprint: str = ""
    attempts: int = 1

    def event(self) -> dict[str, Any]:
        """The row as a JSON object, `{"event": "row", ...}`."""
        return {"event": "row", **self.plain()}

    def plain(self) -> dict[str, Any]:
        """The fields by name, for JSON; its values are the row's own.

        Not `asdict`, which copies every value to its depth: a millisecond of each picture.
        """
        return {**vars(self), "error": None if self.error is None else {**vars(self.error)}}
