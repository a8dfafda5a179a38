"""One picture in a process of its own, for `nssbg.batch.share.alone`.

A job and a unit come by standard input, what is to be committed goes out by standard output; what
the picture does to this process it does to no other.
"""

from __future__ import annotations

import os
import pickle
import sys

from nssbg.batch.entry import Entry
from nssbg.batch.inputs import Inputs
from nssbg.batch.report.thumbnails import Thumb, thumbnail
from nssbg.batch.share import HeldSink, Task, load_task
from nssbg.batch.work import Input, failure, finish, unit_keywords

__all__ = ["main"]


def main() -> None:
    """Do the one picture."""
    # Libraries that print would spoil the answer.
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    job, packed, stamp, data = pickle.loads(sys.stdin.buffer.read())
    unit = job.unpacked(packed)
    task = Task(unit, stamp, alone=True, data=data)
    sink = HeldSink()
    thumb: Thumb | None = None
    given: Input | None = None
    entry: Entry
    try:
        from nssbg._remover import Remover

        loaded = load_task(task, Inputs())
        given = Input(loaded.sha256, loaded.stamp, 2)
        with Remover(
            job.model,
            device=job.device,
            backend=job.backend,
            precision=job.precision,
            threads=job.threads,
            license=job.license,
        ) as remover:
            cutout = remover.cutout(loaded.data, **unit_keywords(job.options, unit))
            entry = finish(unit, cutout, given, sink=sink, policy=job.policy)
            if job.thumbnails:
                thumb = thumbnail(cutout.frame.rgb, cutout.rgba)
    except Exception as error:  # of this picture alone
        entry = failure(unit, error, given)
        sink.data.clear()
    with answer:
        pickle.dump((entry, sink.data, thumb), answer)


if __name__ == "__main__":
    main()
