"""The pictures of one page: received, queued, cut out, corrected, and given out again.

Two threads work: one runs methods (what came first, first), the other makes results of estimates
that are there, so that a correction never waits for a network on another picture. Everything is
kept in the session's folder; memory only saves time.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nssbg import _fs
from nssbg import _io as image_io
from nssbg._cutout import Cutout
from nssbg._enhance_options import Enhancement
from nssbg._errors import ImageDecodeError, NssbgError, OptionError
from nssbg._pipeline.analysis import FINISHING, Analysis
from nssbg._types import Frame
from nssbg.studio_page.edit import Edit, edit_from
from nssbg.studio_page.events import Event, Hub
from nssbg.studio_page.folder import SessionFolder, is_id, new_id
from nssbg.studio_page.memory import Memory, default_bound
from nssbg.studio_page.picture import MissingError, NotReadyError, Picture, told
from nssbg.studio_page.results import Limits, Results, account_of

__all__ = ["Session"]

log: logging.Logger = logging.getLogger("nssbg")

MOST_PICTURES = 2000
# Seconds after a preview in which another one is to be expected, and those that a picture of the
# queue waits for them in all.
_QUIET = 0.15
_PATIENCE = 1.0


class _CancelledError(BaseException):
    """The work on a picture is not wanted any more."""


class Session:
    """The pictures, and the threads that work on them.

    Args:
        folder: Held by the caller, who closes it after the session.
        model: Of pictures whose edit names none.
        device: See `nssbg.Remover`.
        threads: See there.
        license: See there.
        limits: Of one picture.
        memory: Bytes of decoded pictures and results that are kept at hand; None: by what is free.
    """

    def __init__(
        self,
        folder: SessionFolder,
        *,
        model: str = "auto",
        device: str = "auto",
        threads: int = 0,
        license: str | None = None,
        limits: Limits | None = None,
        memory: int | None = None,
    ) -> None:
        self.folder: SessionFolder = folder
        self.limits: Limits = limits or Limits()
        self.model: str = model
        self.hub: Hub = Hub()
        self.boot: str = new_id()
        self.memory: Memory = Memory(default_bound() if memory is None else memory)
        self.plan: dict[str, Any] | None = None
        #: What batches have in common with the session's own pictures.
        self.batch_settings: dict[str, Any] = {
            "device": device,
            "threads": threads,
            "license": license,
        }
        self.results: Results = Results(folder, self.memory, self.limits, self.batch_settings)
        self._changed = threading.Condition(threading.RLock())
        # All below is guarded by the condition's lock.
        self._pictures: dict[str, Picture] = {}
        self._to_analyse: deque[str] = deque()
        self._to_finish: deque[str] = deque()
        self._stopping = False
        self._next_number = 0
        self._hurrying = 0
        self._hurried_until = 0.0
        self._load()
        self._workers = [
            threading.Thread(target=self._work, args=(queue,), name=f"nssbg-studio-{name}")
            for name, queue in (("analyse", self._to_analyse), ("finish", self._to_finish))
        ]
        for worker in self._workers:
            worker.daemon = True
            worker.start()

    # What the page asks for.

    def pictures(self) -> list[dict[str, Any]]:
        """All pictures in the order they came."""
        with self._changed:
            found = sorted(self._pictures.values(), key=lambda picture: picture.number)
            return [picture.record() for picture in found]

    def record(self, name: str) -> dict[str, Any]:
        """One picture.

        Raises:
            MissingError: It is not there.
        """
        with self._changed:
            return self._picture(name).record()

    def first_events(self) -> list[Event]:
        """What a page is told that begins to listen."""
        with self._changed:
            return [
                ("hello", {"boot": self.boot}),
                ("pictures", self.pictures()),
                ("queue", self.counts()),
            ]

    def counts(self) -> dict[str, int]:
        """How many pictures stand where."""
        with self._changed:
            states = [picture.state for picture in self._pictures.values()]
            return {
                "waiting": states.count("queued"),
                "running": states.count("running"),
                "done": states.count("done"),
                "failed": states.count("failed"),
                "cancelled": states.count("cancelled"),
            }

    def add(self, received: Path, name: str, path: str = "") -> dict[str, Any]:
        """Take a file that was received into the session and queue it.

        Args:
            received: In the session's folder; it is moved or removed.
            name: As a person knows the file.
            path: Relative, where it came out of a folder.

        Raises:
            ImageDecodeError: It is no picture, or too large.
            OptionError: The session is full.
        """
        try:
            size = received.stat().st_size
            width, height = self._checked_size(received, name)
            with self._changed:
                if len(self._pictures) >= MOST_PICTURES:
                    raise OptionError(
                        f"a session takes {MOST_PICTURES} pictures; empty it, or use `nssbg batch`"
                    )
                picture = Picture(new_id(), name, path or name, self._next_number)
                self._next_number += 1
                picture.width, picture.height, picture.bytes = width, height, size
                picture.edit = Edit(model=self.model)
                self.folder.adopt(received, picture.id)
                self._pictures[picture.id] = picture
                self._queue(picture)
                return picture.record()
        finally:
            received.unlink(missing_ok=True)

    def add_file(self, path: Path) -> dict[str, Any]:
        """Take a copy of a file of this machine.

        Raises:
            ImageDecodeError: It cannot be read, is no picture, or too large.
            OSError: It cannot be copied.
        """
        try:
            data = b"" if path.stat().st_size > self.limits.max_bytes else path.read_bytes()
        except OSError as error:
            raise ImageDecodeError(f"cannot read {path}: {error.strerror or error}") from error
        if not data:
            raise ImageDecodeError(
                f"cannot read {path}: it is empty, or has more than the "
                f"{self.limits.max_bytes / 1e6:.0f} MB that the page takes (`nssbg {path}` has no "
                "such bound)"
            )
        received = self.folder.incoming()
        _fs.write(received, data, sync=False)
        return self.add(received, path.name)

    def add_background(self, received: Path, name: str) -> str:
        """Take a background picture; its id.

        Raises:
            ImageDecodeError: It is no picture, or too large.
        """
        try:
            self._checked_size(received, name)
            made = new_id()
            received.replace(self.folder.background(made))
            return made
        finally:
            received.unlink(missing_ok=True)

    def _checked_size(self, received: Path, name: str) -> tuple[int, int]:
        with received.open("rb") as file:
            head = file.read(4096)
        from nssbg._io.formats import expected_format

        expected_format(head[:512], name)
        header = image_io.peek_header(received)
        if header is None:
            raise ImageDecodeError(
                f"cannot read {name}: it is damaged or cut short in its header; try to open and "
                "save it anew in another program"
            )
        if header.width * header.height > self.limits.max_pixels:
            raise ImageDecodeError(
                f"cannot read {name}: {header.width} x {header.height} pixels are more than the "
                f"page takes ({self.limits.max_pixels / 1e6:g} megapixels); use `nssbg {name}`"
            )
        return header.width, header.height

    def edit(self, name: str, record: Any) -> int:
        """Set a picture's edit; the revision that its result will have.

        Raises:
            MissingError: It is not there.
            OptionError: The edit is not what it must be, or does not fit the picture.
        """
        made = self.checked_edit(name, record)
        with self._changed:
            picture = self._picture(name)
            picture.edit = made
            picture.revision += 1
            picture.cancelled = False
            self._queue(picture, first=True)
            return picture.revision

    def checked_edit(self, name: str, record: Any) -> Edit:
        """An edit that fits a picture.

        Raises:
            MissingError: The picture is not there.
            OptionError: The edit is not what it must be, or does not fit the picture.
        """
        made = edit_from(
            record, default_model=self.model, has_background=self.folder.has_background
        )
        with self._changed:
            picture = self._picture(name)
            height, width = picture.height, picture.width
        if made.box or made.keep or made.drop:
            plain = Edit(box=made.box, keep=made.keep, drop=made.drop).corrections(height, width)
            assert plain is not None
            plain.scaled_to(width, height, name=picture.name)
        return made

    def cancel(self, name: str) -> dict[str, Any]:
        """Do not go on with a picture; a stage that runs is ended first.

        Raises:
            MissingError: It is not there.
        """
        with self._changed:
            picture = self._picture(name)
            if picture.state in ("queued", "running"):
                picture.cancelled = True
                if picture.state == "queued":
                    self._dequeue(name)
                    picture.state, picture.stage = "cancelled", ""
                self._tell(picture)
            return picture.record()

    def retry(self, name: str) -> dict[str, Any]:
        """Try a picture again that failed or was cancelled.

        Raises:
            MissingError: It is not there.
        """
        with self._changed:
            picture = self._picture(name)
            if picture.state in ("failed", "cancelled"):
                self._queue(picture)
            return picture.record()

    def remove(self, name: str) -> None:
        """Remove a picture, its results and its file.

        Raises:
            MissingError: It is not there.
        """
        with self._changed:
            picture = self._picture(name)
            self._drop(picture)
        self._tell_counts()

    def empty(self) -> None:
        """Remove all pictures and backgrounds."""
        with self._changed:
            for picture in list(self._pictures.values()):
                self._drop(picture)
            self.folder.empty()
        self._tell_counts()

    # What results are made of.

    def analysis(self, name: str, edit: Edit | None = None) -> Analysis:
        """A picture with its estimate, from memory or from the folder; no network is run.

        Args:
            name: The picture's.
            edit: Whose model, effort and box count; None: those of the result. Where nothing was
                run for it, that of the result is given.

        Raises:
            MissingError: It is not there.
            NotReadyError: Nothing was run for it yet.
        """
        with self._changed:
            picture = self._picture(name)
            done = picture.done_edit
        for wanted in (edit, done):
            if wanted is not None:
                found = self.results.known_analysis(picture, wanted)
                if found is not None:
                    return found
        raise NotReadyError(f"{picture.name}: there is no result yet")

    def cutout(self, name: str, revision: int | None = None) -> tuple[Cutout, Edit, int]:
        """A picture's result: the cut-out, the edit it was made with, its revision.

        Args:
            name: The picture's.
            revision: That is asked for; None: the newest that there is.

        Raises:
            MissingError: The picture is not there.
            NotReadyError: It has no result, or not of that revision.
        """
        with self._changed:
            picture = self._picture(name)
            edit, done = picture.done_edit, picture.done_revision
        if edit is None:
            raise NotReadyError(f"{picture.name}: there is no result yet")
        if revision is not None and revision != done:
            raise NotReadyError(f"{picture.name}: its result is of revision {done}")
        return self.results.finished(picture, edit, self.analysis(name, edit)), edit, done

    def enhanced(self, name: str, enhancement: Enhancement) -> tuple[Cutout, Edit]:
        """A picture's result at the size that a network enhances it to, and its edit.

        Raises:
            MissingError: The picture is not there.
            NotReadyError: It has no result yet.
            ImageDecodeError: It would be too large.
            ModelError, OptionError: The network cannot do it.
        """
        with self._changed:
            picture = self._picture(name)
            edit = picture.done_edit
        if edit is None:
            raise NotReadyError(f"{picture.name}: there is no result yet")
        analysis = self.analysis(name, edit)
        return self.results.enhanced(picture, edit, analysis, enhancement), edit

    def frame(self, name: str) -> Frame:
        """A picture as it was decoded.

        Raises:
            MissingError: It is not there.
            ImageDecodeError: It cannot be read.
        """
        with self._changed:
            picture = self._picture(name)
            edit = picture.done_edit or picture.edit
        return self.results.frame(picture, edit)

    def close(self) -> None:
        """End the threads and let go of the models; what is running is not waited for long."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        for worker in self._workers:
            worker.join(10.0)
        if not any(worker.is_alive() for worker in self._workers):
            self.results.close()

    # Inside.

    def _picture(self, name: str) -> Picture:
        found = self._pictures.get(name) if is_id(name) else None
        if found is None:
            raise MissingError("there is no such picture in this session")
        return found

    def _load(self) -> None:
        """Take up what an earlier process left."""
        found = []
        for name in self.folder.ids():
            try:
                found.append(Picture.kept(name, self.folder.state(name)))
            except (KeyError, TypeError, NssbgError) as error:
                log.warning("%s: a picture is left out: %s", self.folder.path, error)
                self.folder.remove(name)
        with self._changed:
            for picture in sorted(found, key=lambda picture: picture.number):
                self._pictures[picture.id] = picture
                self._next_number = picture.number + 1
                if picture.state in ("queued", "running"):
                    self._queue(picture)

    def _queue(self, picture: Picture, *, first: bool = False) -> None:
        """Put a picture where its next step is done. Needs the lock."""
        self._dequeue(picture.id)
        picture.cancelled = False
        picture.error = None
        if picture.state != "running":
            picture.state, picture.stage, picture.progress = "queued", "", 0.0
        known = self.results.knows(picture, picture.edit)
        queue = self._to_finish if known else self._to_analyse
        if first:
            queue.appendleft(picture.id)
        else:
            queue.append(picture.id)
        self._tell(picture)
        self._changed.notify_all()

    def _dequeue(self, name: str) -> None:
        for queue in (self._to_analyse, self._to_finish):
            if name in queue:
                queue.remove(name)

    def _drop(self, picture: Picture) -> None:
        """Needs the lock."""
        self._dequeue(picture.id)
        picture.cancelled = True
        self._pictures.pop(picture.id, None)
        self.memory.release(picture.id)
        self.folder.remove(picture.id)
        self.hub.publish("removed", {"id": picture.id})

    def _work(self, queue: deque[str]) -> None:
        while True:
            with self._changed:
                while not queue and not self._stopping:
                    self._changed.wait()
                if self._stopping:
                    return
                picture = self._pictures[queue.popleft()]
                picture.state = "running"
                revision, edit = picture.revision, picture.edit
                self._tell(picture)
            self._do(picture, edit, revision)

    def _do(self, picture: Picture, edit: Edit, revision: int) -> None:
        """Make a picture's result for an edit, unless another one was set meanwhile."""

        patience = _PATIENCE

        def on_stage(stage: str) -> None:
            nonlocal patience
            patience = self._give_way(patience)
            with self._changed:
                newer = picture.revision != revision
                if newer and stage not in FINISHING:
                    # What the network says serves the newer edit too, unless it asks for another.
                    newer = picture.edit.analysis_key != edit.analysis_key
                if self._stopping or picture.cancelled or newer:
                    raise _CancelledError
                picture.begin(stage)
                self._tell(picture, keep=False)

        try:
            cutout = self.results.made(picture, edit, on_stage)
            result = account_of(cutout)
        except _CancelledError:
            with self._changed:
                if self._stopping:
                    return  # what is kept says that it ran: the next start goes on with it
                if picture.cancelled and picture.revision == revision:
                    self._end(picture, "done" if picture.done_edit else "cancelled")
                # Else it stands in a queue again.
            return
        except Exception as error:
            if told(error)["kind"] == "unexpected":
                log.warning("%s: unexpected error", picture.name, exc_info=error)
            with self._changed:
                if picture.revision == revision:
                    picture.error = told(error)
                    self._end(picture, "failed")
            return
        with self._changed:
            if picture.revision != revision:
                return
            picture.done_edit, picture.done_revision, picture.result = edit, revision, result
            picture.width, picture.height = cutout.frame.width, cutout.frame.height
            self.plan = result["plan"]
            self._end(picture, "done")

    def _give_way(self, patience: float) -> float:
        """Wait while somebody paints, so many seconds at most; those that are left."""
        ends = time.monotonic() + patience
        while not self._stopping:
            now = time.monotonic()
            if now >= ends or (now >= self._hurried_until and not self._hurrying):
                break
            time.sleep(0.02)
        return max(0.0, ends - time.monotonic())

    @contextlib.contextmanager
    def hurry(self) -> Iterator[None]:
        """Within the block, and a moment longer, the queue lets its next stage wait."""
        with self._changed:
            self._hurrying += 1
        try:
            yield
        finally:
            with self._changed:
                self._hurrying -= 1
                self._hurried_until = time.monotonic() + _QUIET

    def _end(self, picture: Picture, state: str) -> None:
        """Needs the lock."""
        picture.state, picture.stage = state, ""
        picture.progress = 1.0 if state == "done" else 0.0
        self._tell(picture)

    def _tell(self, picture: Picture, *, keep: bool = True) -> None:
        """Needs the lock."""
        if picture.id not in self._pictures:
            return
        if keep:
            try:
                self.folder.keep_state(picture.id, picture.state_record())
            except OSError as error:  # a full disk: the work goes on, a restart knows less
                log.warning("%s: cannot be kept: %s", picture.name, error)
        self.hub.publish("picture", picture.record())
        self.hub.publish("queue", self.counts())

    def _tell_counts(self) -> None:
        self.hub.publish("queue", self.counts())
