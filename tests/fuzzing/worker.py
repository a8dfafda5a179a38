"""A process that judges one fuzzed file after the other, so that a crash takes only itself.

On stdin: a line "KIND LENGTH", then so many bytes. On stdout: a line with the verdict.
"""

from __future__ import annotations

import contextlib
import os
import resource
import sys
from pathlib import Path

_ROOM = 4 << 30  # beyond what is in use at the start: a fault must not take the machine


def _bounded() -> None:
    with contextlib.suppress(OSError, ValueError):
        with Path("/proc/self/statm").open() as sizes:
            used = int(sizes.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_AS, (used + _ROOM, used + _ROOM))
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main() -> None:
    """Serve until stdin ends."""
    from fuzzing.seeds import seeds
    from fuzzing.targets import TARGETS, verdict

    # Everything is imported, and every reader warm, before sizes are taken.
    warm = set()
    for kind, name, data in seeds():
        suffix = name.rpartition(".")[2]
        if (kind, suffix) not in warm:
            warm.add((kind, suffix))
            verdict(kind, data)
    assert set(TARGETS) == {kind for kind, _ in warm}
    _bounded()
    answers, asked = sys.stdout.buffer, sys.stdin.buffer
    answers.write(b"ready\n")
    answers.flush()
    while header := asked.readline():
        kind, length = header.decode().split()
        said = verdict(kind, asked.read(int(length)))
        answers.write(said.encode("utf-8", "replace").replace(b"\n", b" ") + b"\n")
        answers.flush()


if __name__ == "__main__":
    main()
