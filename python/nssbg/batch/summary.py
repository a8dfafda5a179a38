"""What became of a batch so far, in numbers: for progress, metrics and the last lines."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from nssbg.batch.row import Row

if TYPE_CHECKING:
    from nssbg._pipeline.outcome import StreamReport

__all__ = ["Summary"]


@dataclass
class Summary:
    """Counts of one run.

    Attributes:
        total: Pictures and problems that were found; 0 while that is not known.
        done: Cut out by this run.
        failed: Failed, those that an earlier run found included.
        skipped: Neither: low confidence, or no picture to work on.
        unchanged: Of all rows, those that an earlier run did and that are as they should be.
        settled: The same, with the failures of an earlier run that were not tried again.
        verdicts: Of the pictures, by name.
        failures: The first failures, at most `MOST_LISTED`: input and message.
        gave_up: The run ended because too many failed.
        began: Seconds since the epoch.
        ended: The same; None while it runs.
        stages: Where the time went.
    """

    total: int = 0
    done: int = 0
    failed: int = 0
    skipped: int = 0
    unchanged: int = 0
    settled: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    failures: list[tuple[str, str]] = field(default_factory=list)
    gave_up: bool = False
    began: float = field(default_factory=time.time)
    ended: float | None = None
    stages: StreamReport | None = None
    _clock: float = field(default_factory=time.monotonic, repr=False)

    MOST_LISTED = 20

    def count(self, row: Row) -> None:
        """Add a row."""
        if row.status == "done":
            self.done += 1
        elif row.status == "failed":
            self.failed += 1
            if len(self.failures) < self.MOST_LISTED:
                self.failures.append((row.input, row.error.message if row.error else ""))
        else:
            self.skipped += 1
        if row.verdict:
            self.verdicts[row.verdict] += 1

    def add_stages(self, report: StreamReport) -> None:
        """Add where the time of a stream went."""
        if self.stages is None:
            self.stages = report
            return
        both = self.stages
        self.stages = replace(
            both,
            images=both.images + report.images,
            wall=both.wall + report.wall,
            stage_wall=_added(both.stage_wall, report.stage_wall),
            stage_cpu=_added(both.stage_cpu, report.stage_cpu),
            waiting=both.waiting + report.waiting,
        )

    @property
    def finished(self) -> int:
        """Rows so far."""
        return self.done + self.failed + self.skipped

    @property
    def seconds(self) -> float:
        """Since the run began; a clock that is set does not change it."""
        return time.monotonic() - self._clock

    @property
    def rate(self) -> float:
        """Pictures cut out a second, over the whole run."""
        return self.done / self.seconds if self.seconds > 0 else 0.0

    @property
    def remaining(self) -> float | None:
        """Seconds that the rest is expected to take; None where that cannot be told."""
        worked = self.finished - self.settled
        if not self.total or worked < 1:
            return None
        return (self.total - self.finished) * self.seconds / worked

    def event(self, name: str = "summary") -> dict[str, Any]:
        """As a JSON object: {"event": name, ...}."""
        made: dict[str, Any] = {
            "event": name,
            "total": self.total,
            "finished": self.finished,
            "done": self.done,
            "failed": self.failed,
            "skipped": self.skipped,
            "unchanged": self.unchanged,
            "verdicts": dict(self.verdicts),
            "seconds": round(self.seconds, 1),
            "rate": round(self.rate, 3),
        }
        if name == "progress":
            left = self.remaining
            made["remaining_seconds"] = None if left is None else round(left, 1)
        elif self.stages is not None:
            made["stages"] = {
                stage: round(seconds, 3) for stage, seconds in self.stages.stage_wall.items()
            }
            made["workers"] = self.stages.workers
            made["waiting"] = round(self.stages.waiting, 3)
        return made


def _added(first: dict[str, float], second: dict[str, float]) -> dict[str, float]:
    return {stage: first.get(stage, 0.0) + second.get(stage, 0.0) for stage in {**first, **second}}
