"""The engine of one machine: many pictures at once on `Remover.map`, with a manifest beside them.

Pictures are pulled as there is room for them, so that memory stays bounded; each is filed the
moment its outputs are on the disk; what an earlier run did is not done again.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from nssbg import __version__, _fs
from nssbg._enhance_options import Enhancement, check_enhancement
from nssbg._errors import OptionError
from nssbg._memory import available_memory
from nssbg._options import CutoutOptions
from nssbg._vocabulary import (
    GROUP_BY,
    Backend,
    Effort,
    ForegroundMethod,
    GroupBy,
    LicenseUse,
    PrecisionChoice,
    RefineLevel,
)
from nssbg.batch.address import is_uri, local_path
from nssbg.batch.core import chosen_profile, row_of_problem
from nssbg.batch.entry import Entry
from nssbg.batch.feed import Feed, Settings
from nssbg.batch.forecast import Forecast, forecast
from nssbg.batch.groups import BOXES
from nssbg.batch.inputs import Inputs
from nssbg.batch.lock import run_lock
from nssbg.batch.manifest import Manifest, ManifestError
from nssbg.batch.measuring import Measuring
from nssbg.batch.place import LocalPlace, StorePlace, place_of
from nssbg.batch.planning import Planned, Planner, also_decides
from nssbg.batch.profile import Profile
from nssbg.batch.report.thumbnails import ThumbnailStore, thumbnail
from nssbg.batch.report.write import thumbnails_path
from nssbg.batch.reporting import REPORT_NAMES, report_entries
from nssbg.batch.row import Row
from nssbg.batch.sink import Sink, StorageError, telling
from nssbg.batch.sources import STATE_FOLDER, Item, Problem, arrived, listed
from nssbg.batch.status import keep_command
from nssbg.batch.summary import Summary
from nssbg.batch.transfers import Prefetch, Recorder
from nssbg.batch.units import WorkUnit, enhancements_of, model_identity
from nssbg.batch.work import Policy, failure, finish, picture_keywords

if TYPE_CHECKING:
    from nssbg._cutout import Cutout
    from nssbg._pipeline.stream import Stream

__all__ = ["Batch"]

log: logging.Logger = logging.getLogger("nssbg")


class Batch:
    """A catalog's pictures, cut out and filed; iterate over it to run it.

    Each row is yielded when its outputs are on the disk and its entry is in the manifest. Leaving
    the loop early is safe at any moment: the next run goes on from there. A batch can be run again.

    Args:
        sources: Files, folders and globs; see `nssbg.batch.sources.scan`.
        out: Folder that outputs and the manifest (in .nssbg) are written to; it is made. Or the URI
            of an object store, s3://bucket/prefix, as sources may be too: needs nssbg[cloud].
        profile: A name, a TOML file or a `Profile`; None: transparent PNG at the picture's size.
        include: Patterns of the files of folders that are taken; (): all pictures.
        exclude: Patterns of those that are not.
        files_from: A list of pictures, or "-" for standard input; see `listed`. Relative paths
            start from the one folder in `sources`, else from the current one.
        name: Template of the outputs' names, in place of the profile's.
        collide: What to do where two outputs have one name: "error", before any work; or "suffix".
        overwrite: Whether files in `out` that no run wrote may be replaced. Those of earlier runs
            always are, where they are out of date.
        on_low_confidence: See `nssbg.batch.work.Policy`.
        metadata: Policy in place of the profile's.
        enhance: How photographs are enhanced, in place of the profile's [enhance]; "off": not at
            all. None: as the profile says.
        jobs: Pictures at once; 0: one a thread.
        threads: For kernels and the runtime; 0: all usable cores.
        max_memory: Bytes that the pictures in flight may be predicted to take; None: half of what
            is free. One that needs more is done alone.
        max_errors: End the run once so many pictures have failed; None: never.
        time_limit: Seconds that the stages of one picture may take; see `Remover.map`. One that
            takes longer fails with "time limit", and is tried again by the next run.
        retry_failed: Whether pictures that failed, and would again for all that is known, are tried
            again.
        force: Whether everything is done again.
        nice: Added to the process's niceness.
        model: See `nssbg.Remover`; so are device, backend, precision and license.
        device: See there.
        backend: See there.
        precision: See there.
        license: See there.
        effort: See `Remover.cutout`; so are the others.
        refine: See there.
        decontaminate: See there.
        strength: See there.
        ignore_alpha: See there.
        corrections: Folder of corrections, NAME.EXT.nssbg.toml in the tree of the pictures; those
            beside the pictures count in any case.
        group_by: What shares one scale and one baseline on the profile's canvas: "sku" (pictures
            of a list that have the same), "folder" (pictures of one folder); None: each stands
            alone. The pictures are cut out once more beforehand, to measure their subjects.
        report: Whether the report (report.html and its like) is written at the end of the run.
        watch: Whether to wait for more pictures, until `stop`; needs nssbg[watch].

    Raises:
        OptionError: An argument outside what is allowed.
    """

    def __init__(
        self,
        sources: Iterable[str | os.PathLike[str]] | str | os.PathLike[str],
        out: str | os.PathLike[str],
        *,
        profile: Profile | str | os.PathLike[str] | None = None,
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        files_from: str | None = None,
        name: str | None = None,
        collide: Literal["error", "suffix"] = "error",
        overwrite: bool = False,
        on_low_confidence: Literal["write", "review", "skip"] = "review",
        metadata: Literal["keep", "copyright", "strip"] | None = None,
        enhance: Enhancement | Literal["off"] | None = None,
        jobs: int = 0,
        threads: int = 0,
        max_memory: int | None = None,
        max_errors: int | None = None,
        time_limit: float | None = None,
        retry_failed: bool = False,
        force: bool = False,
        nice: int = 0,
        model: str = "auto",
        device: str = "auto",
        backend: Backend = "auto",
        precision: PrecisionChoice = "auto",
        license: LicenseUse | None = None,
        effort: Effort = "balanced",
        refine: RefineLevel = "guided",
        decontaminate: ForegroundMethod = "multilevel",
        strength: float = 1.0,
        ignore_alpha: bool = False,
        corrections: str | os.PathLike[str] | None = None,
        group_by: GroupBy | None = None,
        report: bool = True,
        watch: bool = False,
    ) -> None:
        from nssbg._remover import Remover

        if isinstance(sources, (str, os.PathLike)):
            sources = [sources]
        self._sources: list[str | os.PathLike[str]] = [local_path(one) for one in sources]
        if not self._sources and files_from is None:
            raise OptionError(
                "there are no sources: give files, folders, globs, or a list of files"
            )
        self._place: LocalPlace | StorePlace = self._placed(out)
        self._out = self._place.address
        self._state_folder = self._place.folder / STATE_FOLDER
        self._inputs = Inputs()
        self._profile = chosen_profile(profile)
        self._include, self._exclude = tuple(include), tuple(exclude)
        self._files_from = files_from
        self._name = name
        self._collide = collide
        self._overwrite = overwrite
        self._metadata = metadata
        if enhance != "off":
            check_enhancement(enhance)
        self._enhance = enhance
        self._policy = Policy(on_low_confidence, True, time_limit)
        self._jobs = jobs
        self._max_memory = max_memory
        self._max_errors = max_errors
        self._settings = Settings(force=force, retry_failed=retry_failed)
        self._nice = nice
        self._watch = watch
        self._group_by = group_by
        if group_by is not None and group_by not in GROUP_BY:
            raise OptionError(f"group_by must be one of {', '.join(GROUP_BY)}, got {group_by!r}")
        if group_by is not None and watch:
            raise OptionError(
                "group_by cannot be had with watch: a picture that comes later would change the "
                "scale of those that are done"
            )
        self._corrections = None if corrections is None else Path(corrections)
        self._report = report
        self._thumbnails: ThumbnailStore | None = None
        if jobs < 0:
            raise OptionError(f"jobs must be at least 0 (one a thread), got {jobs}")
        if max_errors is not None and max_errors < 1:
            raise OptionError(f"max_errors must be at least 1, got {max_errors}")
        self._options = CutoutOptions(
            effort=effort,
            refine=refine,
            decontaminate=decontaminate,
            strength=strength,
            ignore_alpha=ignore_alpha,
        )
        self._model = model
        self._arguments: dict[str, Any] = {
            "sources": [os.fspath(one) for one in self._sources],
            "profile": False if isinstance(profile, Profile) else profile and os.fspath(profile),
            "include": list(self._include),
            "exclude": list(self._exclude),
            "files_from": files_from,
            "name": name,
            "collide": collide,
            "on_low_confidence": on_low_confidence,
            "metadata": metadata,
            "enhance": enhance.record() if isinstance(enhance, Enhancement) else enhance,
            "jobs": jobs,
            "threads": threads,
            "time_limit": time_limit,
            "nice": nice,
            "model": model,
            "device": device,
            "backend": backend,
            "precision": precision,
            "license": license,
            "effort": effort,
            "refine": refine,
            "decontaminate": decontaminate,
            "strength": strength,
            "ignore_alpha": ignore_alpha,
            "group_by": group_by,
            "corrections": corrections and os.path.abspath(corrections),  # noqa: PTH100
            "report": report,
        }
        self._remover = Remover(
            model,
            device=device,
            backend=backend,
            precision=precision,
            threads=threads,
            license=license,
        )
        self._enhancements: list[Enhancement] = []
        self._stopping = False
        self.summary: Summary = Summary()

    def _placed(self, out: str | os.PathLike[str]) -> LocalPlace | StorePlace:
        return place_of(out)

    @property
    def out(self) -> Path | str:
        """The output folder; the URI of one in an object store."""
        return self._out if is_uri(self._out) else Path(self._out)

    def stop(self) -> None:
        """Let nothing new begin; what is in flight is finished. Safe in a signal handler."""
        self._stopping = True

    def forecast(self) -> Forecast:
        """What a run would do, and what it is predicted to take; nothing is written.

        Raises:
            OptionError: As a run would.
        """
        planned = self._planned(self._planner())
        if self._group_by is not None:
            planned.units[:] = self._as_measured(planned.units, self._group_by)
        return forecast(
            planned,
            self._place,
            self._inputs,
            remover=self._remover,
            options=self._options,
            force=self._settings.force,
            retry_failed=self._settings.retry_failed,
            jobs=self._workers,
        )

    def __iter__(self) -> Iterator[Row]:
        """Run the batch.

        Raises:
            OptionError: The sources are not there, two outputs have one name, or files that no run
                wrote are in the way.
            BusyError: Another run is writing into the folder.
            StorageError: The output folder cannot be written, or its disk is full.
        """
        self._stopping = False
        self.summary = Summary()
        if self._nice and hasattr(os, "nice"):
            os.nice(self._nice)
        with telling(self._state_folder):
            self._state_folder.mkdir(parents=True, exist_ok=True)
        lock = self._state_folder / "lock"
        with telling(lock):
            held = run_lock(lock)
            held.__enter__()
        try:
            yield from self._run()
        finally:
            self.summary.ended = time.time()
            held.__exit__(None, None, None)

    # Before the first picture.

    def _planner(self) -> Planner:
        return Planner(
            self._profile,
            self._options,
            model_identity(self._model),
            name=self._name,
            metadata=self._metadata,
            enhance=self._enhance,
            collide=self._collide,
            corrections=self._corrections,
            reserved=REPORT_NAMES if self._report else (),
            fold_case=not is_uri(self._out) and _folds_case(self._state_folder),
            extra=also_decides(self._policy.on_low_confidence, self._arguments["precision"]),
        )

    def _found(self) -> Iterator[Item | Problem]:
        if self._files_from is None:
            yield from self._inputs.scan(
                self._sources, include=self._include, exclude=self._exclude, output=self._out
            )
            return
        one = self._sources[0] if self._sources else None
        if len(self._sources) > 1 or (one and not is_uri(one) and not Path(one).is_dir()):
            raise OptionError(
                "with a list of files, give one folder that its paths start from, or none"
            )
        base = os.fspath(self._sources[0]) if self._sources else None
        yield from listed(self._files_from, base=base)

    def _planned(self, planner: Planner) -> Planned:
        planned = planner.plan(self._found())
        if not planned.units and not planned.problems:
            where = ", ".join(map(str, self._sources)) or f"the list {self._files_from}"
            raise OptionError(f"{where}: no pictures there")
        return planned

    # The run.

    def _run(self) -> Iterator[Row]:
        planner = self._planner()
        planned = Planned() if self._watch else self._planned(planner)
        if self._watch and any(map(is_uri, self._sources)):
            raise OptionError("--watch takes folders of this machine, not object stores")
        sink, manifest = self._place.open({"version": __version__})
        try:
            keep_command(self._place, self._arguments)
            if self._report:
                self._thumbnails = ThumbnailStore(thumbnails_path(self._place.folder))
            self._claim(manifest, sink, planned.units)
            self.summary.total = len(planned.units) + len(planned.problems)
            self._enhancements = enhancements_of(unit.profile for unit in planned.units)
            problems = [row_of_problem(problem) for problem in planned.problems]
            manifest.replace_problems(problems)
            for row in problems:
                yield self._counted(row)
            for units in self._portions(planned.units, manifest):
                feed = Feed(
                    iter(units), manifest, sink, self._settings, lambda: self._stopping, len(units)
                )
                if self._watch:
                    feed.units, feed.patient = self._watched(planner, feed), False
                with self._ahead(feed):
                    yield from self._through(feed)
                if feed.fatal is not None:
                    raise feed.fatal
            whole = not (self._stopping and not self.summary.gave_up)
            if self._report and whole:
                self._write_report(manifest)
            self._place.finish(manifest, whole=whole)
        finally:
            if self._thumbnails is not None:
                self._thumbnails.close()
                self._thumbnails = None
            manifest.close()

    def _claim(self, manifest: Manifest, sink: Sink, units: Sequence[WorkUnit]) -> None:
        self._place.claim(manifest, sink, units, overwrite=self._overwrite)

    @contextlib.contextmanager
    def _ahead(self, feed: Feed) -> Iterator[None]:
        """Have pictures of stores, and what is known of outputs there, fetched before their turn.

        Files of this machine are read when their turn comes: their disk is quick, and memory dear.
        """
        # What is waited for (--watch) must not be waited for ahead of what is there.
        if self._watch or not (self._place.writers or any(map(is_uri, self._remote()))):
            yield
            return
        ahead = Prefetch(
            feed.units,
            lambda unit: feed.looked_up(unit, self._inputs.load, self._inputs.stamp),
            lambda unit: self._inputs.size(unit.input),
        )
        feed.units, feed.found = ahead, ahead.found
        try:
            yield
        finally:
            ahead.close()

    def _remote(self) -> Iterator[str | os.PathLike[str]]:
        """What the run's pictures may be of."""
        yield from self._sources
        if self._files_from is not None:
            yield "list://"  # a list may name pictures of stores, wherever it lies

    def _portions(
        self, units: Sequence[WorkUnit], manifest: Manifest
    ) -> Iterator[Sequence[WorkUnit]]:
        """The units as they go through the stream: all, or some groups that were measured."""
        if self._group_by is None:
            yield units
            return
        measuring = self._measuring(manifest.find)
        yield from measuring.portions(units, self._group_by, self._state_folder / BOXES)

    def _as_measured(self, units: Sequence[WorkUnit], by: GroupBy) -> list[WorkUnit]:
        """The units with the boxes that are known; nothing is cut out or written."""
        known: dict[bytes, Entry] = {}
        with contextlib.suppress(ManifestError):
            known = {one.identity: one for one in self._place.known()[0]}
        return self._measuring(known.get).as_known(units, by, self._state_folder / BOXES)

    def _measuring(self, find: Callable[[bytes], Entry | None]) -> Measuring:
        return Measuring(
            self._remover,
            self._options,
            model_identity(self._model),
            find,
            self._inputs,
            stopping=lambda: self._stopping,
            workers=self._workers,
            max_memory=self._most_memory,
            time_limit=self._policy.time_limit,
        )

    def _write_report(self, manifest: Manifest) -> None:
        """Write the report of all that the manifest holds, not of this run alone."""
        event = self.summary.event()
        shown = {name: value for name, value in event.items() if name != "event"}
        made = report_entries(
            manifest.entries(),
            self._place.folder,
            profile=self._profile,
            summary=shown,
            store=self._thumbnails,
        )
        self._place.share([path.name for path in made.paths])

    def _through(self, feed: Feed) -> Iterator[Row]:
        # Nothing is opened where nothing is left to do.
        first = next(feed, None)
        yield from self._drained(feed)
        if first is None:
            return
        feed.put_back(first)
        recorder = Recorder(feed.manifest, writers=self._place.writers)
        try:
            self._open_enhancements()
            with self._opened(feed) as stream:
                for outcome in stream:
                    yield from self._drained(feed)
                    if isinstance(outcome.error, StorageError):
                        feed.fatal = feed.fatal or outcome.error
                    else:
                        # Here and not in the worker, which would wait for the disk or the store.
                        recorder.submit(_entry_of(outcome))
                    for entry in recorder.kept():
                        yield self._counted(entry.row)
                    if self._max_errors is not None and self.summary.failed >= self._max_errors:
                        self.summary.gave_up = True
                        self._stopping = True
                self.summary.add_stages(stream.report())
            for entry in recorder.rest():
                yield self._counted(entry.row)
        except StorageError as error:
            feed.fatal = feed.fatal or error
        finally:
            recorder.close()
        yield from self._drained(feed)

    @property
    def _workers(self) -> int:
        from nssbg import _core

        return self._jobs or self._remover._settings.threads or _core.usable_cores()

    @property
    def _most_memory(self) -> int:
        return self._max_memory or available_memory() // 2

    def _opened(self, feed: Feed) -> Stream:
        def sink(picture: Any, cutout: Cutout) -> Entry:
            entry = finish(picture.unit, cutout, picture.given, sink=feed.sink, policy=self._policy)
            if self._thumbnails is not None:
                small = thumbnail(cutout.frame.rgb, cutout.rgba)
                self._thumbnails.put(entry.row.fingerprint, small)
            return entry

        return self._remover.map(
            feed,
            sink=sink,
            ordered=False,
            workers=self._workers,
            max_memory=self._most_memory,
            time_limit=self._policy.time_limit,
            **picture_keywords(self._options),
        )

    def _open_enhancements(self) -> None:
        """Open the networks that enhance: what is wrong with them is no picture's fault."""
        for enhancement in self._enhancements:
            self._remover._open_enhancement(enhancement)

    def _drained(self, feed: Feed) -> Iterator[Row]:
        while feed.ready:
            row, known = feed.ready.popleft()
            self.summary.settled += known
            self.summary.unchanged += known and row.error is None
            yield self._counted(row)

    def _counted(self, row: Row) -> Row:
        self.summary.count(row)
        return row

    def _watched(self, planner: Planner, feed: Feed) -> Iterator[WorkUnit]:
        """Units of the pictures that are there, and of those that come, without an end."""
        from nssbg.batch.watch import arrivals

        for path in arrivals(self._sources, lambda: self._stopping):
            item = arrived(
                path,
                self._sources,
                include=self._include,
                exclude=self._exclude,
                output=self._out,
            )
            if item is None:
                continue
            try:
                made = planner.unit(item, again=True) if isinstance(item, Item) else item
                if isinstance(made, WorkUnit):
                    self._claim(feed.manifest, feed.sink, [made])
            except OptionError as error:
                made = Problem(item.path, "OptionError", str(error))
            if isinstance(made, Problem):
                feed.ready.append((row_of_problem(made), False))
            elif made is not None:
                yield made


def _entry_of(outcome: Any) -> Entry:
    """What became of a picture of the stream."""
    if outcome.error is None:
        made: Entry = outcome.output_path
        return made
    picture = outcome.source
    return failure(picture.unit, outcome.error, picture.given, timings=outcome.timings.stages)


def _folds_case(folder: Path) -> bool:
    """Whether the folder's file system does not tell cases apart."""
    other = _fs.identity(folder.with_name(folder.name.upper()))
    return other is not None and other == _fs.identity(folder)
