"""The process that one candidate is measured in; `nssbg.bench.processes` starts it.

In: requests, one JSON object a line, on standard input. Out: one answer a line. A process of its
own gives each candidate its own peak of memory, its own start, its own processors and its own
crash; it waits without using any time while others are measured.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from typing import IO, Any

__all__ = ["main"]


def _pin(cpus: str) -> list[int]:
    """Bind this process to processors before anything counts them; those it is bound to."""
    wanted = [int(cpu) for cpu in cpus.split(",") if cpu]
    if wanted and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, wanted)
        return sorted(os.sched_getaffinity(0))
    return []


def _serve(requests: IO[str], answers: IO[str], pinned: list[int]) -> None:
    from nssbg.bench.candidate import OpenCandidate, peak_memory

    def answer(data: dict[str, Any]) -> None:
        answers.write(json.dumps(data) + "\n")
        answers.flush()

    candidate: OpenCandidate | None = None
    answer({"ready": True, "pinned": pinned, "memory": peak_memory()})
    for line in requests:
        request = json.loads(line)
        kind = request.pop("do")
        try:
            if kind == "open":
                start = time.perf_counter()
                candidate = OpenCandidate(**request)
                told = {"open_ms": 1e3 * (time.perf_counter() - start), **candidate.told()}
            elif candidate is None:
                told = {"error": "nothing is open"}
            elif kind == "run":
                told = candidate.run(**request)
            elif kind == "alpha":
                told = candidate.write_alphas(**request)
            else:
                told = {"memory": peak_memory(), "device_memory": candidate.device_memory()}
            answer(told)
        except Exception as error:  # one candidate's failure is that candidate's result
            answer({"error": str(error) or type(error).__name__, "kind": type(error).__name__})


def main() -> None:
    """Serve until standard input ends."""
    # What libraries print must not come between the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        _serve(sys.stdin, answers, _pin(sys.argv[1] if len(sys.argv) > 1 else ""))
    # Runtimes' threads need no end: nothing of this process is kept.
    os._exit(0)
