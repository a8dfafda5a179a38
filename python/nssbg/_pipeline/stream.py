"""A run over many pictures as an iterator: the handle that callers hold, take from and close."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from nssbg._cutout import Cutout
from nssbg._errors import ForkError
from nssbg._options import CutoutOptions
from nssbg._pipeline.outcome import Outcome, StreamReport
from nssbg._pipeline.scheduler import Scheduler
from nssbg._pipeline.stages import Pipeline

__all__ = ["Stream"]


class Stream(Iterator[Outcome]):
    """The results of many pictures, as an iterator. Close it (or use `with`) to cancel.

    The workers hold the scheduler, not this handle: a stream that is let go of without being
    closed ends its workers too, and so does the interpreter's end. In a forked child it is inert.

    Args:
        pipeline: Opened with one thread per picture.
        sources: Pulled lazily, one at a time, from a worker thread.
        options: The same for all pictures, or what gives those of a source.
        workers: Threads, at least 1.
        max_in_flight: Pictures between pull and hand-over, at least 1.
        max_memory: Bound on the predicted bytes of the pictures in flight; None: no bound. A
            single picture that is predicted to need more runs alone.
        predict: Predicted bytes of a source in flight; called outside all locks.
        sink: Runs in a worker as the last stage and replaces the cut-out in the outcome.
        ordered: Results in the order of the sources; else as completed.
        time_limit: Seconds that a picture's stages may take; see `Remover.map`. None: any.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        sources: Iterable[Any],
        options: CutoutOptions | Callable[[Any], CutoutOptions],
        *,
        workers: int,
        max_in_flight: int,
        max_memory: int | None,
        predict: Callable[[Any], int],
        sink: Callable[[Any, Cutout], Any] | None = None,
        ordered: bool = True,
        time_limit: float | None = None,
    ) -> None:
        self._pid = os.getpid()
        self._scheduler = Scheduler(
            pipeline.stages,
            iter(sources),
            options,
            workers=workers,
            max_in_flight=max_in_flight,
            max_memory=max_memory,
            predict=predict,
            sink=sink,
            ordered=ordered,
            time_limit=time_limit,
        )

    def __next__(self) -> Outcome:
        """The next result; waits for it. An error of the iterable itself is raised at the end.

        SystemExit, KeyboardInterrupt and their like from the caller's own code (`images`, `output`,
        a source's `read`) end the stream and are raised here at once.

        Raises:
            ForkError: In a forked child: the workers are the parent's.
        """
        self._check_fork()
        outcome = self._scheduler.take()
        if outcome is None:
            self.close()
            raise StopIteration
        return outcome

    @property
    def begun(self) -> int:
        """Sources pulled so far."""
        return self._scheduler.begun()

    def stop(self) -> None:
        """Let nothing new begin, without waiting; what is finished can still be taken."""
        self._scheduler.stop()

    def close(self) -> None:
        """Stop: pictures between stages are dropped, running stages end, threads are joined.

        A thread that waits in the caller's code for a source is not: it ends once that returns.
        """
        if os.getpid() != self._pid:
            return
        self._scheduler.stop()
        self._scheduler.join()

    def wait_for_source(self, seconds: float) -> bool:
        """After `close`: wait for a thread in the caller's code for a source; whether none is."""
        return os.getpid() != self._pid or self._scheduler.join(seconds, with_caller=True)

    def __enter__(self) -> Stream:
        """Use as `with remover.map(...) as results:`."""
        return self

    def __exit__(self, *error: object) -> None:
        """Cancel what has not run."""
        self.close()

    def __del__(self) -> None:
        """Abandoned without close: let the workers end by themselves."""
        if hasattr(self, "_scheduler") and os.getpid() == self._pid:
            self._scheduler.stop()

    def report(self) -> StreamReport:
        """Where the time went so far."""
        self._check_fork()
        return self._scheduler.report()

    def _check_fork(self) -> None:
        if os.getpid() != self._pid:
            raise ForkError(
                f"this stream belongs to process {self._pid}, which this one ({os.getpid()}) was "
                "forked from; call Remover.map here for one of its own"
            )
