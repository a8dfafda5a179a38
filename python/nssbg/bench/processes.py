"""A worker process as the parent sees it: started, asked, ended.

In: requests as dictionaries. Out: answers, or a WorkerError that says what went wrong in there.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import Any

import nssbg
from nssbg._errors import NssbgError

__all__ = ["LONGEST", "Worker", "WorkerError"]

#: Seconds that an answer may take: TensorRT builds an engine for minutes, nothing takes this long.
LONGEST = 1800.0
# Seconds that a closed worker has to end in.
_PATIENCE = 10.0
_LINES_KEPT = 20
# Not `-m`: that looks for modules in the current folder first, whose json.py may be anyone's. Where
# nssbg itself is found only there, its own place serves.
_START = (
    "import sys; sys.path[:1] = []; sys.path.append(sys.argv[2]); "
    "from nssbg.bench.worker import main; main()"
)
_HOME = str(Path(nssbg.__file__).resolve().parent.parent)


class WorkerError(NssbgError):
    """A worker could not do what it was asked.

    `what` is the name of the error in there, "" where the process ended.
    """

    def __init__(self, message: str, what: str = "") -> None:
        super().__init__(message)
        self.what = what


class Worker:
    """One started worker; use it with `with`.

    Args:
        cpus: Logical processors it is bound to; empty: all that this process may use.
        environment: Variables in addition to this process's own.

    Attributes:
        started_ms: Milliseconds from the start of the process until it could be asked.
        pinned: The processors it says it is bound to.
        base_memory: Its peak of memory before anything was opened, in bytes; None: not told.
    """

    def __init__(
        self, cpus: tuple[int, ...] = (), environment: dict[str, str] | None = None
    ) -> None:
        self._said: deque[str] = deque(maxlen=_LINES_KEPT)
        self._born = time.perf_counter()
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START, ",".join(map(str, cpus)), _HOME],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", **(environment or {})},
            encoding="utf-8",
            errors="backslashreplace",
        )
        # Read all along: a full pipe would stop a worker whose libraries print much, and a worker
        # that hangs must not hang the parent.
        self._answers: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._readers = [
            threading.Thread(target=read, daemon=True) for read in (self._listen, self._receive)
        ]
        for reader in self._readers:
            reader.start()
        try:
            ready = self._answer("its start")
        except BaseException:
            self.close()
            raise
        self.started_ms: float = self.age_ms
        self.pinned: list[int] = ready["pinned"]
        self.base_memory: int | None = ready["memory"]

    @property
    def age_ms(self) -> float:
        """Milliseconds since the process was started."""
        return 1e3 * (time.perf_counter() - self._born)

    def _listen(self) -> None:
        assert self._process.stderr is not None
        with contextlib.suppress(ValueError, OSError):  # closed while it is read
            for line in self._process.stderr:
                self._said.append(line.rstrip())

    def _receive(self) -> None:
        assert self._process.stdout is not None
        with contextlib.suppress(ValueError, OSError):
            for line in self._process.stdout:
                self._answers.put(line)
        self._answers.put("")

    def ask(self, do: str, **request: Any) -> dict[str, Any]:
        """Send a request and wait for its answer.

        Raises:
            WorkerError: The request failed in there, or the process ended.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"do": do, **request}) + "\n")
            self._process.stdin.flush()
        except OSError:
            raise WorkerError(self._end(do)) from None
        return self._answer(do)

    def _answer(self, what: str) -> dict[str, Any]:
        try:
            line = self._answers.get(timeout=LONGEST)
        except queue.Empty:
            self._process.kill()
            raise WorkerError(
                f"the measuring process gave no answer to {what!r} in {LONGEST:g} s and was ended"
            ) from None
        if not line:
            raise WorkerError(self._end(what))
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise WorkerError(answer["error"], answer.get("kind", ""))
        return answer

    def _end(self, what: str) -> str:
        """What to say of a process that is gone."""
        try:
            code = self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            code = None
        self._join()
        last = next((line for line in reversed(self._said) if line), "it said nothing")
        how = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
        if code == -9:
            how += ", as where memory runs out"
        return f"the measuring process ended at {what!r} ({how}): {last}"

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._join()
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()

    def _join(self) -> None:
        """Wait for what the process said last."""
        for reader in self._readers:
            reader.join(1.0)

    def __enter__(self) -> Worker:
        """Itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the process; at once where something else went wrong."""
        if kind is not None:
            self._process.kill()
        self.close()
