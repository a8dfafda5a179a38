"""Keeps a worker alive and watched: a hang or a crash is a verdict like any other."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

__all__ = ["Judge", "minimised"]

_TESTS = Path(__file__).parents[1]
_START_SECONDS = 240.0


class Judge:
    """One worker process; `verdict` starts it anew where it died or had to be ended."""

    def __init__(self, *, hang_seconds: float = 40.0) -> None:
        self._hang_seconds = hang_seconds
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Judge:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._end()

    def verdict(self, kind: str, data: bytes) -> str:
        """As targets.verdict, or "fault: hang", "fault: crash by SIGNAL"."""
        process = self._running()
        assert process.stdin is not None
        try:
            process.stdin.write(f"{kind} {len(data)}\n".encode() + data)
            process.stdin.flush()
        except OSError:
            return self._died(process)
        said = self._line(process, self._hang_seconds)
        if said is None:
            self._end()
            return f"fault: no end within {self._hang_seconds:g} s"
        return said if said else self._died(process)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._process = subprocess.Popen(
            [sys.executable, "-m", "fuzzing.worker"],
            cwd=_TESTS,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # One thread each: what is measured is one file's work.
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONFAULTHANDLER": ""},
        )
        if self._line(self._process, _START_SECONDS) != "ready":
            self._end()
            raise RuntimeError("the fuzzing worker does not start: python -m fuzzing.worker")
        return self._process

    def _line(self, process: subprocess.Popen[bytes], seconds: float) -> str | None:
        """The worker's next line; None where it took too long, "" where the worker is gone."""
        assert process.stdout is not None
        end = time.monotonic() + seconds
        line = b""
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while not line.endswith(b"\n"):
                if not selector.select(max(0.0, end - time.monotonic())):
                    return None
                part = os.read(process.stdout.fileno(), 65536)
                if not part:
                    return ""
                line += part
        return line.decode("utf-8", "replace").strip()

    def _died(self, process: subprocess.Popen[bytes]) -> str:
        code = process.wait()
        self._end()
        if code < 0:
            return f"fault: crash by {signal.Signals(-code).name}"
        return f"fault: the process ended with code {code}"

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()


def minimised(judge: Judge, kind: str, data: bytes, said: str, *, seconds: float) -> bytes:
    """The smallest file found within the time that still brings the same verdict."""
    end = time.monotonic() + seconds
    size = max(1, len(data) // 2)
    while size >= 1 and time.monotonic() < end:
        at, shorter = 0, False
        while at < len(data) and time.monotonic() < end:
            attempt = data[:at] + data[at + size :]
            if judge.verdict(kind, attempt) == said:
                data, shorter = attempt, True
            else:
                at += size
        if not shorter or size > len(data):
            size //= 2
    return data
