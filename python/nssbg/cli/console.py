"""The command's standard streams and its end: what fails there is told in words, or does no harm.

Streams may be closed, full, or unable to hold a name; names may hold control characters; and
a signal may come at any moment. None of that may cost a result or turn up as a traceback.
"""

from __future__ import annotations

import contextlib
import errno
import io
import logging
import os
import queue
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType

from nssbg import _fs

__all__ = [
    "STDOUT",
    "Formatter",
    "StoppedError",
    "catch_signals",
    "lost",
    "open_streams",
    "printable",
    "say",
    "stdout_problem",
    "stopped",
    "stopping_gently",
]

# The file name that errors of standard output carry, by which they are told from others.
STDOUT = "<stdout>"
# Seconds that work in hand gets to finish in after a first signal.
_GRACE = 5.0
# Control characters, line ends of Unicode, marks that turn text around, and bytes that are no
# text: in a name they could split a line, forge one, or steer a terminal.
_UNPRINTABLE = re.compile(
    "[\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029\\u202a-\\u202e\\u2066-\\u2069\\ud800-\\udfff]"
)


class StoppedError(BaseException):
    """SIGTERM or SIGHUP came; `exit_code` is what a shell shows for a process it ended."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code: int = 128 + number


def printable(text: str) -> str:
    """Text on one line, with what could split the line or steer a terminal written as escapes."""
    return _UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


class Formatter(logging.Formatter):
    """Log lines as error lines are: one line each, but for a traceback."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        """The line of a record."""
        return printable(super().formatMessage(record))


class _Stdout(io.FileIO):
    def write(self, data: object) -> int:
        try:
            return super().write(data)  # type: ignore[arg-type]
        except OSError as error:
            raise OSError(error.errno, error.strerror, STDOUT) from None


class _Stderr(io.FileIO):
    """What cannot be told is lost; the exit code still says what happened."""

    def write(self, data: object) -> int:
        try:
            return super().write(data)  # type: ignore[arg-type]
        except OSError:
            return len(data)  # type: ignore[arg-type]


def open_streams() -> None:
    """Make the process's standard streams safe to use; once, at its start."""
    # A file opened later would get a closed stream's number, and what a library prints would
    # go into that file. Opened the wrong way round, so that use is an error where it matters.
    for number, way in enumerate((os.O_WRONLY, os.O_RDONLY, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, way)
    for name, number, raw in (("stdout", 1, _Stdout), ("stderr", 2, _Stderr)):
        before = getattr(sys, name)
        stream = io.TextIOWrapper(
            io.BufferedWriter(raw(number, "w", closefd=False)),
            encoding="utf-8" if before is None else before.encoding,
            # In a strict locale a name that is no text would else end the whole command.
            errors="backslashreplace",
            line_buffering=number == 2 or (before is not None and before.line_buffering),
        )
        setattr(sys, name, stream)


_lost: OSError | None = None


def say(line: str) -> None:
    """Print a line about work that stands on its own; `lost` tells whether all could be said."""
    global _lost
    if _lost is not None:
        return
    try:
        print(line, flush=True)
    except OSError as error:
        _lost = error


def lost() -> OSError | None:
    """Why standard output holds less than was said; None: it holds all. Asked once."""
    global _lost
    found, _lost = _lost, None
    return found


def stdout_problem(error: OSError) -> str:
    """What to tell about standard output that cannot be written."""
    why = "it is closed" if error.errno == errno.EBADF else error.strerror or str(error)
    return f"cannot write to stdout: {why}"


_caught = False
_stopped: int | None = None
_stop_gently: Callable[[int], None] | None = None
# Whoever ends the process holds it: the main thread, or the one that waited for it in vain.
_ending = threading.Lock()


def catch_signals() -> None:
    """Turn SIGINT, SIGTERM and SIGHUP into an orderly end; what is ignored (nohup) stays so."""
    global _caught
    _caught = True
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is not None and signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _stop)
    sys.unraisablehook = _swallowed


def _swallowed(unraisable: sys.UnraisableHookArgs) -> None:
    """Python drops what is raised in a destructor or a weak reference's callback.

    Where that was a signal's exception it is sent again, a moment later.
    """
    global _stopped
    number = _stopped
    stops = (KeyboardInterrupt, StoppedError)
    if number is None or not issubclass(unraisable.exc_type, stops):
        sys.__unraisablehook__(unraisable)
        return
    _stopped = None
    again = threading.Timer(0.05, os.kill, (os.getpid(), number))
    again.daemon = True
    again.start()


@contextlib.contextmanager
def stopping_gently(
    stop: Callable[[], None], last_words: Callable[[], None], *, grace: float = _GRACE
) -> Iterator[None]:
    """Within the block a signal calls `stop`, and is raised at the block's end.

    Args:
        stop: Lets nothing new begin, so that the block ends soon. It runs in the main thread
            between any two of its steps, so it may wait for no lock that this thread can hold
            (other than an RLock).
        last_words: Tells what was not finished; called at the end, or from another thread
            where the block does not end in time. No file is written from then on.
        grace: Seconds that the block gets to end in after a signal.

    Raises:
        KeyboardInterrupt: SIGINT came within the block.
        StoppedError: SIGTERM or SIGHUP did.
    """
    global _stop_gently
    # A queue of this kind may be put to in the middle of anything, and a thread that is there
    # already has not to be started then.
    stops: queue.SimpleQueue[int | None] = queue.SimpleQueue()
    if _caught:
        waiting = threading.Thread(
            target=_wait_in_vain, args=(stops, last_words, grace), daemon=True
        )
        waiting.start()

    def gently(number: int) -> None:
        stops.put(number)
        stop()

    _stop_gently = gently
    try:
        yield
    finally:
        _stop_gently = None
        if _stopped is None:
            stops.put(None)
    if _stopped is not None:
        _ending.acquire()  # for good: the process ends
        _fs.discard_parts()
        last_words()
        _raise(_stopped)


def stopped() -> int | None:
    """The exit code of a signal that came, or None.

    Libraries turn what a signal raises into errors of their own (NumPy: its import failed).
    """
    return None if _stopped is None else 128 + _stopped


def _raise(number: int) -> None:
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise StoppedError(number)


def _stop(number: int, frame: FrameType | None) -> None:
    global _stopped
    if _stopped is not None:  # a second one: at once
        _end(number)
    _stopped = number
    if _stop_gently is None:
        _raise(number)
    else:
        _stop_gently(number)


def _wait_in_vain(
    stops: queue.SimpleQueue[int | None], last_words: Callable[[], None], grace: float
) -> None:
    """End the process where a signal came and the main thread does not within the grace."""
    number = stops.get()
    if number is None:
        return
    time.sleep(grace)
    with _ending:
        _fs.discard_parts()
        last_words()
        _end(number)


def _end(number: int) -> None:
    _fs.discard_parts()
    os._exit(128 + number)
