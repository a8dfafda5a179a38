"""What a run over many pictures gives: a record for each picture, and where the time went."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from nssbg._cutout import Cutout, Report
from nssbg._types import Timings

__all__ = ["Outcome", "StreamReport"]


@dataclass(frozen=True)
class Outcome:
    """What became of one picture.

    Attributes:
        index: Its place in the iterable, from 0.
        source: What the iterable gave.
        cutout: The result; None where it failed or was written to a file.
        output_path: What the delivery returned, e.g. the path written; None without one.
        error: Why it failed, or None. Other pictures are not touched by it.
        report: What ran and how far the result may be trusted; None where it failed before
            there was one.
        timings: Milliseconds per stage.
    """

    index: int
    source: Any
    cutout: Cutout | None = None
    output_path: Any = None
    error: Exception | None = None
    report: Report | None = None
    timings: Timings = field(default_factory=Timings)

    def result(self) -> Any:
        """The delivery, else the cut-out; raises the picture's error where it failed."""
        if self.error is not None:
            raise self.error
        return self.cutout if self.output_path is None else self.output_path


@dataclass
class StreamReport:
    """Where the time of a stream went, in seconds.

    Attributes:
        workers: Threads that ran stages.
        images: Pictures finished, failed ones included.
        wall: From the first picture's pull to the last result.
        stage_wall: Summed over the workers, per stage that ran; their names are those of `Timings`.
        stage_cpu: CPU time of the workers, per stage (a runtime's own threads not counted).
        waiting: Workers' time without anything to do.
    """

    workers: int
    images: int = 0
    wall: float = 0.0
    stage_wall: dict[str, float] = field(default_factory=dict)
    stage_cpu: dict[str, float] = field(default_factory=dict)
    waiting: float = 0.0
