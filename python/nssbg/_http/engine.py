"""The engine behind requests: a bounded queue in front of `Remover.map`'s own scheduler.

Each model in use has one endless run of the scheduler, which takes pictures from this queue as it
has room, so that concurrency, dynamic batching and memory are those of a batch. What waits is
bounded, and where there is no room a request is told so at once with a time to come back. Work
that is no whole picture (`Engine.call`) takes the same places on a pool of as many threads.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from nssbg import _core
from nssbg import _io as image_io
from nssbg._cutout import Cutout
from nssbg._errors import NssbgError, OptionError
from nssbg._http.errors import HttpError
from nssbg._io import NamedBytes
from nssbg._memory import available_memory
from nssbg._models.sidecar import ModelDescription
from nssbg._options import CutoutOptions
from nssbg._remover import Remover
from nssbg._vocabulary import Backend, LicenseUse, PrecisionChoice

__all__ = ["Engine", "EngineSettings"]

log = logging.getLogger("nssbg.http")
T = TypeVar("T")

# Weight of the newest picture in the mean time of one, which says when to come back.
_NEWEST = 0.1
_LONGEST_RETRY = 60


@dataclass(frozen=True)
class EngineSettings:
    """What stays the same from request to request.

    Attributes:
        model: What runs where a request names none; see `nssbg.Remover`, as for the next ones.
        device: See `nssbg.Remover`.
        backend: See `nssbg.Remover`.
        precision: See `nssbg.Remover`.
        threads: Pictures at once, and threads of the network; 0: all usable cores.
        license: See `nssbg.Remover`.
        max_pixels: Larger pictures are refused from their header.
        max_memory: Bytes that all pictures in flight of a model may be predicted to take; None:
            half of what is free at the start.
        max_waiting: Pictures and calls that may wait.
        max_models: Models held open at once, the default one among them.
        time_limit: Seconds from a picture's arrival to its result.
        tune: Measure at the start which runtime and precision run the default model fastest here,
            where that is not known; it is kept.
    """

    model: str = "auto"
    device: str = "auto"
    backend: Backend = "auto"
    precision: PrecisionChoice = "auto"
    threads: int = 0
    license: LicenseUse | None = None
    max_pixels: int = 50_000_000
    max_memory: int | None = None
    max_waiting: int = 64
    max_models: int = 2
    time_limit: float = 60.0
    tune: bool = False


@dataclass(eq=False)
class _Ticket(Generic[T]):
    """A place in the queue: what is to be done, and who waits for it."""

    future: asyncio.Future[T]
    loop: asyncio.AbstractEventLoop
    options: CutoutOptions = field(default_factory=CutoutOptions)
    deliver: Callable[[Cutout], T] | None = None
    began: float = 0.0
    is_running: bool = False

    def resolve(self, value: Any, error: BaseException | None) -> None:
        """Hand the end to the event loop, if it still runs."""
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self._set, value, error)

    def _set(self, value: Any, error: BaseException | None) -> None:
        if self.future.done():
            return  # nobody waits any more
        if error is None:
            self.future.set_result(value)
        else:
            self.future.set_exception(error)


class _Image(NamedBytes):
    """The bytes of a picture with its ticket, as the scheduler's source."""

    ticket: _Ticket[Any]


class Engine:
    """Cuts out pictures for an event loop; one per process.

    Args:
        settings: What stays the same.
        resolve: What `Remover` takes for a model's name; called where it is opened.

    Raises:
        OptionError: threads is below 0.
    """

    def __init__(
        self,
        settings: EngineSettings,
        resolve: Callable[[str], str | ModelDescription] = lambda name: name,
    ) -> None:
        if settings.threads < 0:
            raise OptionError(
                f"threads must be 0 (all usable cores) or more, got {settings.threads}"
            )
        self.settings = settings
        self._resolve = resolve
        self.workers: int = settings.threads or _core.usable_cores()
        self.is_ready: bool = False
        self._changed = threading.Condition()
        # All below is guarded by the condition's lock.
        self._models: dict[str, _OpenModel] = {}  # the least recently used first
        self._waiting = 0
        self._running = 0
        self._mean_seconds = 1.0
        self._closed = False
        self._pool = ThreadPoolExecutor(self.workers, thread_name_prefix="nssbg-call")
        self._max_memory = settings.max_memory or max(256 << 20, available_memory() // 2)

    @property
    def waiting(self) -> int:
        """Pictures and calls that wait."""
        return self._waiting

    @property
    def running(self) -> int:
        """Pictures and calls in flight."""
        return self._running

    def open(self) -> None:
        """Open the default model and cut out a tiny picture, so that the first request is quick.

        Raises:
            NssbgError: The model, its licence or the device will not do.
        """
        import numpy as np

        side = max(1, min(64, math.isqrt(self.settings.max_pixels)))
        remover = self._remover(self.settings.model)
        with remover._map_each(
            # Noise: nothing for the studio method, so that "auto" opens its network too.
            [np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)],
            lambda _: CutoutOptions(),
            lambda *_: None,
            autotune=self.settings.tune or None,
        ) as outcomes:
            for outcome in outcomes:
                outcome.result()
        with self._changed:
            self._model(self.settings.model, remover)
        self.is_ready = True

    @contextlib.asynccontextmanager
    async def lifespan(self, app: object) -> AsyncIterator[None]:
        """For Starlette: closes the engine when the server has ended its requests."""
        try:
            yield
        finally:
            self.is_ready = False
            await asyncio.to_thread(self.close)

    def check_room(self) -> None:
        """Raise where a picture would find no place, e.g. before its body is read.

        Raises:
            HttpError: 503 with Retry-After.
        """
        if self._closed:
            raise HttpError(503, "busy", "the server is shutting down", {"Retry-After": "5"})
        if self._waiting >= self.settings.max_waiting:
            raise HttpError(
                503,
                "busy",
                f"{self._waiting} pictures are waiting already; try again later",
                {"Retry-After": str(self.retry_after())},
            )

    def retry_after(self) -> int:
        """Seconds after which there should be room."""
        seconds = (self._waiting + self._running) * self._mean_seconds / self.workers
        return max(1, min(_LONGEST_RETRY, math.ceil(seconds)))

    async def cut_out(
        self,
        data: bytes | bytearray,
        deliver: Callable[[Cutout], T],
        *,
        name: str = "the picture",
        model: str | None = None,
        options: CutoutOptions | None = None,
        time_limit: float | None = None,
    ) -> T:
        """Cut out a picture; given up, and its place with it, when the awaiting task is cancelled.

        Args:
            data: The file's bytes.
            deliver: Makes the result from the cut-out, in a worker, on one thread; takes place in
                the picture's bound on memory.
            name: What errors call the picture, such as its field; not its file's name, as it may
                stand in the log.
            model: A name, checked by the caller; None: the default.
            options: How it is cut out.
            time_limit: Seconds, in place of the settings'.

        Raises:
            HttpError: 503: no room, or it took too long.
            NssbgError: As `Remover.cutout`, and of what `deliver` raises.
        """
        self.check_pixels(data)
        loop = asyncio.get_running_loop()
        ticket: _Ticket[T] = _Ticket(
            loop.create_future(), loop, options or CutoutOptions(), deliver
        )
        source = _Image(data)
        source.name, source.ticket = name, ticket
        with self._changed:
            self.check_room()
            opened = self._model(model or self.settings.model)
            opened.waiting.append(source)
            self._waiting += 1
            self._changed.notify_all()
        return await self._ended(ticket, lambda: opened.drop(source), time_limit)

    async def call(self, function: Callable[[], T], *, time_limit: float | None = None) -> T:
        """Run a function in a thread, in turn with the pictures.

        Args:
            function: Runs to its end once begun, whether or not somebody still waits for it.
            time_limit: Seconds, in place of the settings'.

        Raises:
            HttpError: 503: no room, or it took too long.
        """
        loop = asyncio.get_running_loop()
        ticket: _Ticket[T] = _Ticket(loop.create_future(), loop)

        def work() -> None:
            with self._changed:
                if ticket.future.done():
                    return  # given up
                self._begin(ticket)
            value, error = None, None
            try:
                value = function()
            except Exception as caught:
                error = caught
            with self._changed:
                self._end(ticket)
            ticket.resolve(value, error)

        with self._changed:
            self.check_room()
            self._waiting += 1
        self._pool.submit(work)
        return await self._ended(ticket, lambda: None, time_limit)

    def check_pixels(self, data: bytes | bytearray, *, upscale: int = 1) -> None:
        """Refuse a picture by its header alone.

        Args:
            data: Of its file.
            upscale: Times the sides that it is to be enhanced to.

        Raises:
            HttpError: 413: it has more pixels than allowed, or would have.
        """
        header = image_io.peek_header(data)
        most = self.settings.max_pixels
        if header is not None and header.width * header.height > most:
            raise HttpError(
                413,
                "too_large",
                f"the picture has {header.width} x {header.height} pixels, more than the {most} "
                "that are allowed; scale it down",
            )
        if header is not None and header.width * header.height * upscale**2 > most:
            raise HttpError(
                413,
                "too_large",
                f"the picture has {header.width} x {header.height} pixels, which times {upscale} a "
                f"side are more than the {most} that are allowed; take a smaller upscale, or scale "
                "it down",
            )

    def close(self) -> None:
        """End: what waits is told so, what runs is waited for."""
        with self._changed:
            self._closed = True
            models = list(self._models.values())
            for opened in models:
                opened.is_closing = True
            self._changed.notify_all()
        for opened in models:
            opened.thread.join()
        self._pool.shutdown()

    async def _ended(
        self, ticket: _Ticket[T], drop: Callable[[], None], time_limit: float | None
    ) -> T:
        limit = self.settings.time_limit if time_limit is None else time_limit
        try:
            return await asyncio.wait_for(ticket.future, limit)
        except asyncio.TimeoutError:
            raise HttpError(
                503,
                "time_limit",
                f"there was no result within {limit:g} s; try again later, or a smaller picture",
                {"Retry-After": str(self.retry_after())},
            ) from None
        finally:
            with self._changed:
                # Cancelled or over its time while it waited.
                if not ticket.is_running and not ticket.began:
                    self._waiting -= 1
                    ticket.began = -1.0
                    drop()

    def _begin(self, ticket: _Ticket[Any]) -> None:
        """From waiting to running. Needs the lock."""
        ticket.began, ticket.is_running = time.monotonic(), True
        self._waiting -= 1
        self._running += 1

    def _end(self, ticket: _Ticket[Any]) -> None:
        """From running to done. Needs the lock."""
        ticket.is_running = False
        self._running -= 1
        seconds = time.monotonic() - ticket.began
        self._mean_seconds += _NEWEST * (seconds - self._mean_seconds)

    def _remover(self, model: str) -> Remover:
        with_ = self.settings
        return Remover(
            self._resolve(model),
            device=with_.device,
            backend=with_.backend,
            precision=with_.precision,
            threads=with_.threads,
            license=with_.license,
            max_pixels=with_.max_pixels,
            max_memory=self._max_memory,
        )

    def _model(self, name: str, remover: Remover | None = None) -> _OpenModel:
        """The run of a model, opened where it is not yet. Needs the lock."""
        found = self._models.pop(name, None)
        if found is None or found.is_closing:
            self._make_room()
            found = _OpenModel(self, name, remover)
        self._models[name] = found
        return found

    def _make_room(self) -> None:
        """Let go of the model that was not asked for the longest, if there are too many."""
        if len(self._models) < self.settings.max_models:
            return
        for name, opened in self._models.items():
            if name != self.settings.model and not opened.waiting and not opened.running:
                opened.is_closing = True
                del self._models[name]
                self._changed.notify_all()
                return
        raise HttpError(
            503,
            "busy",
            "other models are at work; try again later, or leave the model to the server",
            {"Retry-After": str(self.retry_after())},
        )


class _OpenModel:
    """One model and its endless run; lives in a thread that takes what the run gives."""

    def __init__(self, engine: Engine, name: str, remover: Remover | None) -> None:
        self.waiting: deque[_Image] = deque()
        self.running: set[_Ticket[Any]] = set()
        self.is_closing = False
        self._engine = engine
        self._name = name
        self._remover = remover
        self.thread = threading.Thread(target=self._run, name=f"nssbg-{name}", daemon=True)
        self.thread.start()

    def drop(self, source: _Image) -> None:
        """Take a picture out that nobody waits for. Needs the lock."""
        with contextlib.suppress(ValueError):
            self.waiting.remove(source)

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            remover = self._remover or self._engine._remover(self._name)
            with (
                contextlib.closing(remover),
                remover._map_each(
                    self._sources(),
                    lambda source: source.ticket.options,
                    _deliver,
                    max_memory=self._engine._max_memory,
                    time_limit=self._engine.settings.time_limit,
                ) as outcomes,
            ):
                for outcome in outcomes:
                    self._finish(outcome.source.ticket, outcome.output_path, outcome.error)
                    del outcome  # holds the picture's bytes and its result
        except BaseException as caught:
            error = caught
            if not isinstance(caught, NssbgError):
                log.error("the run of %s ended: %s", self._name, type(caught).__name__)
        self._fail(error or HttpError(503, "busy", "the server is shutting down"))

    def _sources(self) -> Iterator[_Image]:
        """Pictures as the scheduler has room for them; runs in its workers."""
        engine = self._engine
        while True:
            with engine._changed:
                while not self.waiting and not self.is_closing:
                    engine._changed.wait()
                if not self.waiting:
                    return
                source = self.waiting.popleft()
                engine._begin(source.ticket)
                self.running.add(source.ticket)
            yield source
            del source

    def _finish(self, ticket: _Ticket[Any], value: Any, error: BaseException | None) -> None:
        with self._engine._changed:
            self.running.discard(ticket)
            self._engine._end(ticket)
        ticket.resolve(value, error)

    def _fail(self, error: BaseException) -> None:
        """The run is over: whoever waits for it hears why, and the next request opens it anew."""
        engine = self._engine
        with engine._changed:
            self.is_closing = True
            if engine._models.get(self._name) is self:
                del engine._models[self._name]
            left = [source.ticket for source in self.waiting]
            self.waiting.clear()
            for ticket in left:
                engine._begin(ticket)
            left += self.running
            for ticket in left:
                engine._end(ticket)
            self.running.clear()
        for ticket in left:
            ticket.resolve(None, error)


def _deliver(source: _Image, cutout: Cutout) -> Any:
    deliver = source.ticket.deliver
    assert deliver is not None
    return deliver(cutout)
