"""Which pictures are in a stage, since when, and which of them have been there for too long.

Holds no lock and no thread: whoever uses it does.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any

__all__ = ["StageClock", "Stay"]

# Seconds more that a stage has before any picture came through it: a network is opened, or compiled
# for its device, while the first ones wait. It is not in their timings either.
_OPENING = 120.0


@dataclass(frozen=True)
class Stay:
    """A picture in a stage.

    Attributes:
        item: The picture.
        stage: The stage's index.
        worker: Who works on it.
        spent: Seconds that it took in the stages before.
        begun: When it came in, by the monotonic clock.
        deadline: When it is overdue.
    """

    item: Any
    stage: int
    worker: threading.Thread
    spent: float
    begun: float
    deadline: float

    @property
    def seconds(self) -> float:
        """All that it took up to now."""
        return self.spent + time.monotonic() - self.begun


class StageClock:
    """Times pictures in their stages against a limit.

    Args:
        limit: Seconds that a picture's stages may take; None: any, and nothing is kept.
    """

    def __init__(self, limit: float | None) -> None:
        self.limit = limit
        self._stays: dict[int, Stay] = {}
        self._passed: set[int] = set()

    def enter(
        self, index: int, item: Any, stage: int, worker: threading.Thread, spent: float
    ) -> None:
        """A picture, by its index, comes into a stage."""
        if self.limit is None:
            return
        now = time.monotonic()
        left = max(0.0, self.limit - spent) + (0.0 if stage in self._passed else _OPENING)
        self._stays[index] = Stay(item, stage, worker, spent, now, now + left)

    def leave(self, index: int, stage: int, *, came_through: bool) -> None:
        """It is done there; where it came through, whatever the stage has to open is open."""
        if self._stays.pop(index, None) is not None and came_through:
            self._passed.add(stage)

    def exceeded(self, spent: float) -> bool:
        """Whether stages that are done took so long, in seconds, that the picture is over it."""
        return self.limit is not None and spent > self.limit

    def seconds_left(self) -> float | None:
        """Seconds until one is overdue, at least 0; None: none will be."""
        if not self._stays:
            return None
        return max(0.0, min(stay.deadline for stay in self._stays.values()) - time.monotonic())

    def take_overdue(self) -> list[Stay]:
        """Those that are, each once."""
        now = time.monotonic()
        late = {index: stay for index, stay in self._stays.items() if stay.deadline < now}
        for index in late:
            del self._stays[index]
        return list(late.values())
