"""The engine of many machines: a batch whose pictures are cut out by workers of a Ray cluster.

The driver plans, tells and keeps the manifest; workers read pictures from where they lie and commit
outputs to where they go, so that no picture passes through the driver. A worker that dies is
replaced by Ray, a driver that dies is started again: the commit records say what is done.
"""

from __future__ import annotations

import contextlib
import os
import pickle
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from nssbg._errors import NssbgError, OptionError
from nssbg.batch.address import is_uri, local_path
from nssbg.batch.engine import Batch
from nssbg.batch.entry import Entry, from_line
from nssbg.batch.feed import Feed
from nssbg.batch.manifest import Manifest
from nssbg.batch.place import LocalPlace, StorePlace
from nssbg.batch.resume import is_settled
from nssbg.batch.row import Row
from nssbg.batch.share import Job, Task, begun_units
from nssbg.batch.sink import StorageError
from nssbg.batch.store.commit import Committed, unit_digest
from nssbg.batch.store.manifest import StoreManifest
from nssbg.batch.units import WorkUnit
from nssbg.ray.actor import Worker, packed_task
from nssbg.ray.cluster import ClusterError, join, pool_of
from nssbg.ray.resources import resources_for

__all__ = ["RayBatch", "be_quiet"]

# Blocks of a dataset at most: a driver takes about a millisecond for each.
_BLOCKS = 4000


class RayBatch(Batch):
    """A catalog's pictures, cut out on a cluster; see `nssbg.Batch` for what it takes.

    Sources and output have to be where all workers see them: an object store, or folders on a
    network share. `jobs`, `threads` and `max_memory` are those of one machine and count for
    nothing here.
    """

    _address: str | None = None
    _most: int = 0
    _batch_size: int = 0

    def on(self, address: str | None = None, *, workers: int = 0, batch_size: int = 0) -> RayBatch:
        """Say which cluster; returns the batch itself.

        Args:
            address: As `ray.init` takes it ("auto": the one of this machine); None: one is started
                on this machine for the run.
            workers: At most; 0: as many as there is room for.
            batch_size: Pictures that a worker is handed at a time; 0: see `resources_for`.
        """
        self._address, self._most, self._batch_size = address, workers, batch_size
        return self

    def _placed(self, out: str | os.PathLike[str]) -> LocalPlace | StorePlace:
        text = os.fspath(local_path(out))
        for one in (text, *(os.fspath(source) for source in self._sources)):
            if one.startswith("memory://"):
                raise OptionError(f"{one}: each worker has a memory of its own; give a store")
        return StorePlace(text if is_uri(text) else os.path.abspath(text))  # noqa: PTH100

    def _portions(
        self, units: Sequence[WorkUnit], manifest: Manifest
    ) -> Iterator[Sequence[WorkUnit]]:
        if self._group_by is not None:
            raise OptionError(
                "group_by measures all pictures on one machine first: leave it or the cluster out"
            )
        yield units

    @contextlib.contextmanager
    def _ahead(self, feed: Feed) -> Iterator[None]:
        yield  # the workers fetch

    def _through(self, feed: Feed) -> Iterator[Row]:
        manifest = feed.manifest
        assert isinstance(manifest, StoreManifest)
        place = self._place
        assert isinstance(place, StorePlace)
        crashed = begun_units(place.objects)
        tasks: list[Task] = []
        for unit in feed.units:
            known, stamp = self._known(feed, unit)
            if known is not None:
                self.summary.settled += 1
                self.summary.unchanged += known.row.error is None
                yield self._counted(_told(known))
                continue
            tasks.append(Task(unit, stamp, unit_digest(unit.identity) in crashed))
        if tasks and not self._stopping:
            joined = join(self._address, self._most)
            try:
                yield from self._run_tasks(tasks, manifest)
            except StorageError as error:
                feed.fatal = error
            finally:
                if joined:
                    import ray

                    ray.shutdown()

    def _known(self, feed: Feed, unit: WorkUnit) -> tuple[Entry | None, str]:
        """What is settled of a unit by stamps alone, and the stamp of its picture."""
        try:
            stamp = self._inputs.stamp(unit.input)
        except OSError:
            stamp = ""
        entry = feed.manifest.find(unit.identity)
        settings = self._settings
        if (
            entry is None
            or settings.force
            or not stamp
            or (entry.stamp, entry.settings) != (stamp, unit.settings)
            or not is_settled(entry)
            or (settings.retry_failed and entry.row.error)
            or any(feed.sink.stamp(one.name) != one.stamp for one in entry.outputs)
        ):
            return None, stamp
        return entry, stamp

    def _job(self, manifest: StoreManifest, tasks: list[Task], threads: int) -> Job:
        arguments = self._arguments
        profiles: list[Any] = []
        for task in tasks:
            if task.unit.profile not in profiles:
                profiles.append(task.unit.profile)
        return Job(
            output=self._place.address,
            epoch=manifest.committer.epoch,
            run=manifest.committer.run,
            profiles=tuple(profiles),
            options=self._options,
            policy=self._policy,
            settings=self._settings,
            model=self._model,
            device=arguments["device"],
            backend=arguments["backend"],
            precision=arguments["precision"],
            license=arguments["license"],
            threads=threads,
            thumbnails=self._report,
        )

    def _run_tasks(self, tasks: list[Task], manifest: StoreManifest) -> Iterator[Row]:
        import ray
        from ray.exceptions import RayError

        arguments = self._arguments
        needs = resources_for(
            self._model,
            device=arguments["device"],
            backend=arguments["backend"],
            enhance=self._enhancements,
        )
        job = self._job(manifest, tasks, needs.num_cpus)
        pool = pool_of(needs, self._most)
        size = self._batch_size or needs.batch_size
        workers = max(1, pool["compute"].max_size or 1)
        # A worker gets several batches, so that the last ones end at about the same time.
        size = max(1, min(size, -(-len(tasks) // (4 * workers))))
        blocks = max(1, min(-(-len(tasks) // size), _BLOCKS))
        be_quiet()
        rows = ray.data.from_items(
            [{"task": packed_task(job, task)} for task in tasks], override_num_blocks=blocks
        ).map_batches(
            Worker,
            batch_size=size,
            batch_format="numpy",
            fn_constructor_kwargs={"job": job},
            **pool,
        )
        try:
            for made in rows.iter_rows():
                entry = from_line(made["entry"])
                manifest.keep(Committed(entry, made["key"], True, int(made["run"])))
                if made["thumb"] and self._thumbnails is not None:
                    self._thumbnails.put(entry.row.fingerprint, pickle.loads(made["thumb"]))
                yield self._counted(entry.row)
                if self._max_errors is not None and self.summary.failed >= self._max_errors:
                    self.summary.gave_up = True
                    self._stopping = True
                if self._stopping:
                    return
        except (RayError, ray.exceptions.RayTaskError) as error:
            raise _of_a_worker(error) from error


def _told(entry: Entry) -> Row:
    row = entry.row
    return replace(row, status="skipped") if row.error is None else row


def _of_a_worker(error: BaseException) -> NssbgError:
    """What a worker raised, or that the cluster failed."""
    seen: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in seen:
        seen.add(id(at))
        if isinstance(at, NssbgError):
            return at
        inner = getattr(at, "cause", None)
        at = inner if isinstance(inner, BaseException) else at.__cause__
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return ClusterError(
        f"the Ray cluster ended the run: {lines[-1][:300]}; run the same command again: it goes on "
        "where it stopped"
    )


def be_quiet() -> None:
    """No bars and no advice of Ray Data's own: the batch tells of itself."""
    import logging

    import ray

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    for name in ("ray.data", "ray.train", "ray"):
        logging.getLogger(name).setLevel(logging.ERROR)
