"""Many pictures at once: workers take the furthest-on picture whose next stage is free.

Each worker runs whole stages on one kernel thread, so many pictures on one thread each replace
one picture on many threads: nothing is lost to joining threads. Taking the furthest-on picture
first drains memory before new pictures are let in; how many are let in is bounded by count
and by predicted memory, and pictures are pulled from the caller's iterable only then. Results
that the caller has not taken yet count as in flight, which is the back-pressure.

Whatever goes wrong with a picture is that picture's error. What asks for the end (SystemExit,
KeyboardInterrupt and their like) ends the stream and is raised in the caller's thread. A thread
that waits in the caller's own code for a source is not waited for: it ends when that returns.

No thread can be cut short. With a time limit, a picture whose stage does not come to an end is
given up: its outcome is an error, another thread takes its worker's place, and the one that hangs
is left behind, waited for by nobody. Whoever waits for the workers looks at the clock too.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from nssbg._cutout import Cutout
from nssbg._errors import TimeLimitError
from nssbg._lifecycle import stop_at_exit
from nssbg._options import CutoutOptions
from nssbg._pipeline.outcome import Outcome, StreamReport
from nssbg._pipeline.stage_clock import StageClock
from nssbg._pipeline.stages import Job, Stage
from nssbg._types import Timings

__all__ = ["Scheduler"]

# Stands for "pull a source" where a stage's index is expected.
_PULL = -1
# Seconds that the interpreter's end waits for stages that run. The core waits for native calls in
# any case; beyond that there are a file to be written and the caller's own `output`.
_PATIENCE_AT_EXIT = 10.0
# Pictures that may hang for each worker, each with a thread and its memory, before the stream is
# ended: by then it is no picture's fault.
_MOST_HUNG = 4


@dataclass
class _Item:
    index: int
    job: Job
    cost: int
    output_path: Any = None
    given_up: bool = False  # its outcome is handed over: what its stage still does is dropped


def _release_locals(error: BaseException) -> None:
    """Leave an error its traceback, but not what the functions in it held.

    Else each failed picture that a caller keeps for its list would keep its pixels too.
    """
    waiting: list[BaseException | None] = [error]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            traceback.clear_frames(one.__traceback__)
            waiting += [one.__cause__, one.__context__]


class Scheduler:
    """Who does what next; see the module's text for the policy."""

    def __init__(
        self,
        stages: tuple[Stage, ...],
        sources: Iterator[Any],
        options: CutoutOptions | Callable[[Any], CutoutOptions],
        *,
        workers: int,
        max_in_flight: int,
        max_memory: int | None,
        predict: Callable[[Any], int],
        sink: Callable[[Any, Cutout], Any] | None,
        ordered: bool,
        time_limit: float | None = None,
    ) -> None:
        self._options = options
        self._sources = sources
        self._max_in_flight = max_in_flight
        self._max_memory = max_memory
        self._predict = predict
        self._sink = sink
        self._ordered = ordered

        self._stages = stages
        self._changed = threading.Condition()
        # All below is guarded by the condition's lock.
        self._ready: list[deque[_Item]] = [deque() for _ in range(len(self._stages) + 1)]
        self._running = [0] * (len(self._stages) + 1)
        self._held_back: _Item | None = None  # pulled, but too large to be let in yet
        self._pulling = False
        self._exhausted = False
        self._source_error: Exception | None = None
        self._ended_by: BaseException | None = None  # asks for the end of all, not of a picture
        self._stopped = False
        self._in_flight = 0
        self._memory = 0
        self._next_index = 0
        self._next_out = 0
        self._finished: dict[int, tuple[Outcome, int]] = {}
        self._counts = StreamReport(workers)
        self._started = time.perf_counter()
        self._clock = StageClock(time_limit)
        self._hung = 0  # threads of pictures that were given up, and are still where they were
        self._begun_threads = 0
        self._threads = [self._new_thread() for _ in range(workers)]
        self._at_work = set(self._threads)
        # Those of them that are in the caller's code for a source, which may never return.
        self._with_caller: set[threading.Thread] = set()
        stop_at_exit(self)
        for thread in self._threads:
            thread.start()

    # What the caller's thread does.

    def take(self) -> Outcome | None:
        """The caller's next outcome, waiting for it; None at the end."""
        with self._changed:
            while self._ended_by is None:
                self._give_up_overdue()
                taken = self._take_finished()
                if taken is not None:
                    return taken
                # What runs when the stream is stopped is waited for: a result may come of it. Not
                # so a thread in the caller's code, which may never return.
                if (self._stopped and self._at_work <= self._with_caller) or self._drained():
                    break
                self._changed.wait(self._clock.seconds_left())
            error = self._ended_by or self._source_error
            self._ended_by = self._source_error = None
            if error is not None:
                self._finished.clear()
        if error is not None:
            self.stop()
            self.join()
            raise error
        return None

    def stop(self) -> None:
        """Let nothing new begin."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def stop_at_exit(self) -> None:
        """Stop, and wait a little for stages that run."""
        self.stop()
        self.join(_PATIENCE_AT_EXIT)

    def join(self, patience: float | None = None, *, with_caller: bool = False) -> bool:
        """Wait for the workers to end, but for those that wait in the caller's code for a source.

        Args:
            patience: Seconds to wait at most; None: as long as it takes.
            with_caller: Wait for those too.

        Returns:
            Whether all that was waited for has ended.
        """
        here = threading.current_thread()
        with self._changed:

            def over() -> bool:
                left = self._at_work - {here}
                return not (left if with_caller else left - self._with_caller)

            ended = self._wait_for(over, patience)
            done = [thread for thread in self._threads if thread not in self._at_work]
        for thread in done:
            thread.join()  # at its very end
        if ended and here not in self._at_work:
            # An error that the caller keeps leads to its worker's frames, and they lead here.
            self._stages, self._sink = (), None
        return ended

    def _wait_for(self, over: Callable[[], bool], patience: float | None) -> bool:
        """Wait until something is so, giving up what hangs; whether it is. Needs the lock."""
        end = None if patience is None else time.monotonic() + patience
        while True:
            self._give_up_overdue()
            if over():
                return True
            left = None if end is None else end - time.monotonic()
            if left is not None and left <= 0:
                return False
            overdue = self._clock.seconds_left()
            self._changed.wait(
                min((one for one in (left, overdue) if one is not None), default=None)
            )

    def _give_up_overdue(self) -> None:
        """End the pictures whose stages do not end in time; see the module. Needs the lock."""
        for stay in self._clock.take_overdue():
            item, name = stay.item, self._name(stay.stage)
            item.given_up = True
            self._running[stay.stage] -= 1
            self._threads.remove(stay.worker)
            self._at_work.discard(stay.worker)
            self._with_caller.discard(stay.worker)
            item.job.timings = Timings(dict(item.job.timings.stages))  # its worker has the other
            error = TimeLimitError(
                f"time limit: still in the stage {name!r} after {stay.seconds:.1f} s, more than "
                f"the {self._clock.limit:g} s that a picture may; it was given up"
            )
            self._finish(item, error)
            self._hung += 1
            if self._hung >= _MOST_HUNG * self._counts.workers:
                self._stopped = True
                self._ended_by = self._ended_by or TimeLimitError(
                    f"time limit: {self._hung} pictures hang in stages that do not end (the last "
                    f"in {name!r}): no picture does that; look at the disk or share that is read "
                    "or written, and at the device and its driver"
                )
            elif not self._stopped:
                thread = self._new_thread()
                self._threads.append(thread)
                self._at_work.add(thread)
                thread.start()
            self._changed.notify_all()

    def _new_thread(self) -> threading.Thread:
        name = f"nssbg-worker-{self._begun_threads}"
        self._begun_threads += 1
        return threading.Thread(target=self._work, name=name, daemon=True)

    def _name(self, stage: int) -> str:
        return self._stages[stage].name if stage < len(self._stages) else "write"

    def begun(self) -> int:
        """Sources pulled so far."""
        with self._changed:
            return self._next_index

    def report(self) -> StreamReport:
        """Where the time went so far: a copy."""
        with self._changed:
            return replace(
                self._counts,
                stage_wall=dict(self._counts.stage_wall),
                stage_cpu=dict(self._counts.stage_cpu),
            )

    # What the workers do.

    def _work(self) -> None:
        here = threading.current_thread()
        try:
            self._work_to_the_end(here)
        except BaseException as error:
            _release_locals(error)
            with self._changed:
                if here in self._at_work:  # not of a picture that was given up
                    self._ended_by = self._ended_by or error
                    self._stopped = True
        finally:
            with self._changed:
                self._at_work.discard(here)
                self._changed.notify_all()

    def _work_to_the_end(self, here: threading.Thread) -> None:
        while True:
            with self._changed:
                if here not in self._at_work:
                    return  # its picture was given up, and another thread is in its place
                self._with_caller.discard(here)
                before = time.perf_counter()
                while (task := self._next_task()) is None:
                    if self._stopped or self._drained():
                        self._counts.waiting += time.perf_counter() - before
                        self._changed.notify_all()
                        return
                    self._changed.wait()
                self._counts.waiting += time.perf_counter() - before
                if task != _PULL:
                    item = self._ready[task].popleft()
                    self._running[task] += 1
                    spent = item.job.timings.total / 1000
                    self._clock.enter(item.index, item, task, here, spent)
                    if task == 0 and hasattr(item.job.source, "read"):
                        self._with_caller.add(here)
                else:
                    self._pulling = True
                    self._with_caller.add(here)
            if task == _PULL:
                self._pull()
            else:
                self._advance(task, item)

    def _next_task(self) -> int | None:
        """The stage to run next, _PULL to pull a source, or None. Needs the lock."""
        if self._stopped:
            return None
        for index in range(len(self._ready) - 1, -1, -1):
            if self._ready[index] and self._is_free(index):
                return index
        if self._held_back is not None:
            if self._admits(self._held_back.cost):
                self._let_in(self._held_back)
                self._held_back = None
                return 0
            return None
        if self._exhausted or self._pulling or self._in_flight >= self._max_in_flight:
            return None
        return _PULL

    def _is_free(self, index: int) -> bool:
        """Whether the stage takes one more job. Needs the lock."""
        stage = self._stages[index] if index < len(self._stages) else None
        if stage is None or stage.max_concurrency == 0:
            return True
        running = self._running[index]
        if stage.shares:
            # The other stages that run on the same thing take its places too.
            both = zip(self._stages, self._running, strict=False)
            running = sum(count for other, count in both if other.shares == stage.shares)
        return running < stage.max_concurrency

    def _pull(self) -> None:
        """Take one source from the caller's iterable and let it in, or hold it back."""
        item: _Item | None = None
        error: Exception | None = None
        try:
            item = _Item(0, self._job(next(self._sources)), 0)
        except StopIteration:
            pass
        except Exception as caught:  # the caller's own code: raised in the caller's thread
            error = caught
        if item is not None:
            try:
                item.cost = self._predict(item.job.source)
            except Exception as caught:
                _release_locals(caught)
                error = caught
        with self._changed:
            self._pulling = False
            if self._stopped:
                pass  # closed meanwhile: nobody waits for it
            elif item is None:
                self._exhausted = True
                self._source_error = error
            else:
                item.index = self._next_index
                self._next_index += 1
                if error is not None:
                    self._in_flight += 1
                    self._finish(item, error)
                elif self._admits(item.cost):
                    self._let_in(item)
                else:
                    self._held_back = item
            self._changed.notify_all()

    def _job(self, source: Any) -> Job:
        options = self._options
        return Job(source, options if isinstance(options, CutoutOptions) else options(source))

    def _admits(self, cost: int) -> bool:
        if self._in_flight == 0:
            return True
        if self._in_flight >= self._max_in_flight:
            return False
        return self._max_memory is None or self._memory + cost <= self._max_memory

    def _let_in(self, item: _Item) -> None:
        self._in_flight += 1
        self._memory += item.cost
        self._ready[0].append(item)

    def _advance(self, index: int, item: _Item) -> None:
        """Run one stage of one picture and put it where it goes next."""
        # No stage is kept in a local: an error's traceback leads to this frame.
        name = self._name(index)
        last = len(self._stages) - (self._sink is None)
        wall, cpu = time.perf_counter(), time.thread_time()
        error, ran = self._attempt(index, item)
        wall, cpu = time.perf_counter() - wall, time.thread_time() - cpu
        if error is not None:
            _release_locals(error)
        with self._changed:
            if item.given_up:
                self._hung -= 1
                item.job.release()  # what its stage left there since
                return
            self._clock.leave(item.index, index, came_through=ran and error is None)
            spent = item.job.timings.total / 1000
            if error is None and self._clock.exceeded(spent):
                error = TimeLimitError(
                    f"time limit: took {spent:.1f} s up to the stage {name!r}, more than the "
                    f"{self._clock.limit:g} s that a picture may"
                )
            report = self._counts
            if ran:
                report.stage_wall[name] = report.stage_wall.get(name, 0.0) + wall
                report.stage_cpu[name] = report.stage_cpu.get(name, 0.0) + cpu
            self._running[index] -= 1
            if not self._stages:
                pass  # closed meanwhile: nobody waits for it
            elif error is None and index < last:
                self._ready[index + 1].append(item)
            else:
                self._finish(item, error)
            self._changed.notify_all()

    def _attempt(self, index: int, item: _Item) -> tuple[Exception | None, bool]:
        """Run one stage of one picture; what went wrong, or None, and whether anything was done."""
        ran = True
        try:
            if index < len(self._stages):
                ran = self._stages[index].work(item.job) is not False
            else:
                assert self._sink is not None
                assert item.job.cutout is not None
                with item.job.timings.measure("write"):
                    item.output_path = self._sink(item.job.source, item.job.cutout)
        except Exception as error:
            return error, True
        return None, ran

    def _finish(self, item: _Item, error: Exception | None) -> None:
        """Turn a picture into its outcome. Needs the lock."""
        keeps_pixels = error is None and self._sink is None
        cutout = item.job.cutout
        outcome = Outcome(
            index=item.index,
            source=item.job.source,
            cutout=cutout if keeps_pixels else None,
            output_path=item.output_path,
            error=error,
            report=None if cutout is None else cutout.report,
            timings=item.job.timings,
        )
        item.job.release()  # the error's traceback leads to functions that hold the job
        if not keeps_pixels:
            self._memory -= item.cost
        self._finished[item.index] = (outcome, item.cost if keeps_pixels else 0)
        self._counts.images += 1
        self._counts.wall = time.perf_counter() - self._started

    def _take_finished(self) -> Outcome | None:
        """The outcome that is the caller's next, or None. Needs the lock."""
        index = self._next_out if self._ordered else next(iter(self._finished), None)
        if index not in self._finished:
            return None
        outcome, cost = self._finished.pop(index)
        self._next_out += 1
        self._in_flight -= 1
        self._memory -= cost
        self._changed.notify_all()
        return outcome

    def _drained(self) -> bool:
        """Nothing left to pull, run or hand over. Needs the lock."""
        return (
            self._exhausted
            and not self._pulling
            and self._held_back is None
            and self._in_flight == 0
        )
