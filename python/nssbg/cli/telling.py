"""Tells what became of each picture of `nssbg remove`: lines for people, or JSON lines.

People are told in the order of the pictures; JSON lines come as pictures are done, so that a
run that is killed has told of all that it did. A failure is a line on stderr and, in JSON, one
on stdout as well: `{"input": ..., "output": ..., "error": {"kind": ..., "message": ...}}`.
"""

from __future__ import annotations

import errno
import json
import sys
import threading
import time
import traceback
from typing import TYPE_CHECKING, Any

from nssbg._errors import ImageEncodeError, NssbgError, kind_of
from nssbg.cli.console import STDOUT, printable, say, stdout_problem, stopped

if TYPE_CHECKING:
    from nssbg._cutout import Report

__all__ = ["Teller", "tell_failure"]


def tell_failure(error: Exception) -> None:
    """One JSON line on stdout about an error that ended a command which has no pictures."""
    say(json.dumps({"error": {"kind": kind_of(error), "message": _message(error)}}))


# Seconds from the last file that could be written to the last words.
_SETTLING = 0.1


class Teller:
    """Tells of pictures and remembers the exit code.

    Args:
        as_json: JSON lines on stdout in place of lines for people.
        debug: Show the tracebacks of failures.

    Attributes:
        pairs: Input and output of each picture; to be set before any is told of.
    """

    def __init__(self, *, as_json: bool, debug: bool) -> None:
        self.pairs: list[tuple[str, str]] = []
        self._as_json = as_json
        self._debug = debug
        self._waiting: dict[int, tuple[Report | None, Exception | None]] = {}
        self._told: set[int] = set()
        self._next = 0
        self._failures: dict[int, int] = {}
        self._lock = threading.Lock()

    @property
    def exit_code(self) -> int:
        """0, or that of the first picture that failed."""
        return self._failures[min(self._failures)] if self._failures else 0

    def take(self, index: int, report: Report | None, error: Exception | None) -> None:
        """Tell of a picture, or keep it until those before it are told of."""
        with self._lock:
            if index in self._told or (error is not None and _was_stopped(error)):
                return  # `unfinished` tells of it
            if self._as_json:
                self._tell(index, report, error)
                return
            self._waiting[index] = (report, error)
            while self._next in self._waiting:
                self._tell(self._next, *self._waiting.pop(self._next))
                self._next += 1

    def unfinished(self, begun: int = 1) -> None:
        """The run was stopped: tell of what is done and, of those begun, of what is not."""
        # A result that got its name a moment ago is told of by the thread that wrote it.
        time.sleep(_SETTLING)
        with self._lock:
            for index in range(min(begun, len(self.pairs))):
                if index in self._waiting:
                    self._tell(index, *self._waiting.pop(index))
                elif index not in self._told:
                    source, output = self.pairs[index]
                    self._told.add(index)
                    words = f"{source}: interrupted, nothing was written"
                    self._failure(source, output, "interrupted", words)

    def whole_run(self, error: Exception) -> None:
        """Tell in JSON of an error that was not one picture's; the caller raises it."""
        if self._as_json and stopped() is None:
            source, output = self.pairs[0] if len(self.pairs) == 1 else (None, None)
            if 0 not in self._told:
                say(_failure_line(source, output, kind_of(error), _message(error)))

    def _tell(self, index: int, report: Report | None, error: Exception | None) -> None:
        self._told.add(index)
        source, output = self.pairs[index]
        if error is not None:
            self._failures[index] = error.exit_code if isinstance(error, NssbgError) else 1
            if isinstance(error, OSError) and error.filename == STDOUT:
                error = ImageEncodeError(stdout_problem(error))
                self._failures[index] = error.exit_code
            if self._debug:
                traceback.print_exception(error)
            message = _message(error)
            if not isinstance(error, NssbgError):
                # Whatever raised it did not know the picture's name.
                message = f"{source}: {message}"
            self._failure(source, output, kind_of(error), message)
            return
        assert report is not None
        if self._as_json:
            say(json.dumps(_as_json(report, source, output)))
        else:
            _for_people(report, source, output)

    def _failure(self, source: str, output: str, kind: str, message: str) -> None:
        if self._as_json:
            say(_failure_line(source, output, kind, message))
        print(f"nssbg: {printable(message)}", file=sys.stderr, flush=True)


def _was_stopped(error: Exception) -> bool:
    """Whether it failed because no more files are written, as the process ends."""
    return any(getattr(one, "errno", None) == errno.ECANCELED for one in (error, error.__cause__))


def _message(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return "there is not enough memory"
    if isinstance(error, NssbgError):
        return str(error)
    return f"unexpected {type(error).__name__}: {error} (run with --debug for the traceback)"


def _failure_line(source: str | None, output: str | None, kind: str, message: str) -> str:
    error = {"kind": kind, "message": message}
    return json.dumps({"input": source, "output": output, "error": error})


def _for_people(report: Report, source: str, written: str) -> None:
    """One line, on stderr where stdout carries the picture."""
    plan = report.plan
    trust = "unknown" if report.confidence is None else f"{report.confidence:.2f}"
    line = printable(
        f"{source} -> {written}  {report.width} x {report.height}, {plan.model} on "
        f"{plan.device}, {report.timings.total:.0f} ms, confidence {trust}"
    )
    if written == "-":
        print(line, file=sys.stderr, flush=True)
    else:
        say(line)
    for note in (*plan.fallbacks, *report.notes):
        print(f"  note: {printable(note)}", file=sys.stderr)


def _as_json(report: Report, source: str, written: str) -> dict[str, Any]:
    from nssbg._cutout import report_record

    return {"input": source, "output": written, **report_record(report)}
