"""How a batch tells of itself while it runs: a bar, plain lines, JSON lines, or nothing.

A terminal gets one bar with rate, time left, failures and verdicts; a log gets a line every ten
seconds; a machine gets an event for each picture. Failures are lines in all of them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, Literal, Protocol, TextIO

from nssbg._errors import OptionError
from nssbg.batch.row import Row
from nssbg.batch.summary import Summary

__all__ = ["PROGRESS", "Progress", "duration", "progress_for"]

PROGRESS = ("auto", "plain", "jsonl", "none")
# Seconds between two plain lines, and between two progress events.
INTERVAL = 10.0

Clock = Callable[[], float]


class Progress(Protocol):
    """What is told while a batch runs."""

    def row(self, row: Row, summary: Summary) -> None:
        """A picture is done."""
        ...

    def close(self, summary: Summary) -> None:
        """The run has ended."""
        ...


def progress_for(
    how: Literal["auto", "plain", "jsonl", "none"],
    *,
    say: Callable[[str], None],
    stderr: TextIO | None,
    printable: Callable[[str], str],
    clock: Clock = time.monotonic,
) -> Progress:
    """The progress that was asked for.

    Args:
        how: "auto" is a bar where stderr is a terminal, else "plain".
        say: Prints one line to standard output: JSON lines.
        stderr: Where a bar and plain lines go; None: nowhere.
        printable: Makes a name fit for one line of a terminal.
        clock: Seconds that only grow.

    Raises:
        OptionError: There is no such progress.
    """
    if how not in PROGRESS:
        raise OptionError(f"progress must be one of {', '.join(PROGRESS)}, not {how!r}")
    if how == "jsonl":
        return JsonLines(say, clock)
    if stderr is None or how == "none":
        return Silent()
    if how == "auto" and stderr.isatty():
        return Bar(stderr, printable)
    return PlainLines(stderr, printable, clock)


def duration(seconds: float) -> str:
    """Seconds in words: 42 s, 3 min 20 s, 2 h 05 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


class Silent:
    """Tells nothing; failures stand in the manifest and in the report."""

    def row(self, row: Row, summary: Summary) -> None:
        """Nothing."""

    def close(self, summary: Summary) -> None:
        """Nothing."""


class JsonLines:
    """One event for each row, a progress event every ten seconds, and a summary."""

    def __init__(self, say: Callable[[str], None], clock: Clock) -> None:
        self._say = say
        self._clock = clock
        self._last = clock()

    def row(self, row: Row, summary: Summary) -> None:
        """The row's event."""
        self._say(json.dumps(row.event()))
        if self._clock() - self._last >= INTERVAL:
            self._last = self._clock()
            self._say(json.dumps(summary.event("progress")))

    def close(self, summary: Summary) -> None:
        """The summary's event."""
        self._say(json.dumps(summary.event()))


class PlainLines:
    """A line every ten seconds, and one for each failure."""

    def __init__(self, stream: TextIO, printable: Callable[[str], str], clock: Clock) -> None:
        self._stream = stream
        self._printable = printable
        self._clock = clock
        self._last = clock()

    def row(self, row: Row, summary: Summary) -> None:
        """A failure's line, and from time to time where the run stands."""
        if row.status == "failed" and row.error is not None:
            self._line(f"failed: {self._printable(row.error.message)}")
        if self._clock() - self._last >= INTERVAL:
            self._last = self._clock()
            self._line(_standing(summary))

    def close(self, summary: Summary) -> None:
        """Nothing: the command says the last words."""

    def _line(self, text: str) -> None:
        print(text, file=self._stream, flush=True)


def _standing(summary: Summary) -> str:
    share = f"{summary.finished}" + (f" of {summary.total}" if summary.total else "")
    left = summary.remaining
    told = f", {duration(left)} left" if left is not None else ""
    return f"{share} pictures, {summary.rate:.2f} a second{told}{_counts(summary)}"


def _counts(summary: Summary) -> str:
    parts = [f"{summary.failed} failed"] if summary.failed else []
    parts += [f"{summary.verdicts['review']} to review"] if summary.verdicts["review"] else []
    return "; " + ", ".join(parts) if parts else ""


class Bar:
    """A bar of tqdm's, with failures as lines above it."""

    def __init__(self, stream: TextIO, printable: Callable[[str], str]) -> None:
        from tqdm import tqdm

        self._stream = stream
        self._printable = printable
        self._tqdm = tqdm
        self._bar: Any = None

    def row(self, row: Row, summary: Summary) -> None:
        """Move the bar on."""
        if self._bar is None:
            self._bar = self._tqdm(
                total=summary.total or None, unit=" pictures", file=self._stream, dynamic_ncols=True
            )
        if row.status == "failed" and row.error is not None:
            self._bar.write(f"failed: {self._printable(row.error.message)}", file=self._stream)
        self._bar.set_postfix_str(_counts(summary).removeprefix("; "), refresh=False)
        self._bar.update(1)

    def close(self, summary: Summary) -> None:
        """Leave the bar as it stands."""
        if self._bar is not None:
            self._bar.close()
