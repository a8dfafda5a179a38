"""The classes that Ray Data calls with batches of rows: a worker's network and its way to a store.

`CutOut` is for datasets of one's own; `Worker` does the planned units of a catalog.
"""

from __future__ import annotations

import json
import logging
import os
import pickle
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any, Literal

from nssbg._enhance_options import Enhancement
from nssbg._errors import OptionError
from nssbg._options import CutoutOptions
from nssbg._vocabulary import Backend, LicenseUse, PrecisionChoice
from nssbg.batch.address import is_uri
from nssbg.batch.core import chosen_profile, cut_one, item_of, row_of_problem
from nssbg.batch.entry import to_line
from nssbg.batch.feed import Settings
from nssbg.batch.inputs import Inputs
from nssbg.batch.planning import Planner, also_decides
from nssbg.batch.profile import Profile
from nssbg.batch.row import Row
from nssbg.batch.share import HeldSink, Job, Share, Task, load_task
from nssbg.batch.sources import Problem
from nssbg.batch.store.commit import OWNERS, unit_digest
from nssbg.batch.store.manifest import open_run
from nssbg.batch.store.objects import Objects, open_objects
from nssbg.batch.units import WorkUnit, model_identity
from nssbg.batch.work import Policy

__all__ = ["CutOut", "Results", "Worker"]

Results = Literal["rows", "blobs", "webdataset"]


class Worker:
    """Does a run's units; rows have what `packed_task` gives.

    Args:
        job: What all workers share.
    """

    def __init__(self, job: Job) -> None:
        _be_quiet(job.threads)
        self._job = job
        self._share = Share(job)

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, list[Any]]:
        """What became of the units: columns entry (a manifest's line), key and thumb."""
        tasks = []
        for packed in batch["task"]:
            unit, stamp, alone = pickle.loads(packed)
            tasks.append(Task(self._job.unpacked(unit), stamp, alone))
        made: dict[str, list[Any]] = {"entry": [], "key": [], "run": [], "thumb": []}
        for committed, thumb in self._share.run(tasks):
            made["entry"].append(to_line(committed.entry))
            made["key"].append(committed.key)
            made["run"].append(committed.run)
            made["thumb"].append(b"" if thumb is None else pickle.dumps(thumb))
        return made


def packed_task(job: Job, task: Task) -> bytes:
    """A task as a row's value."""
    return pickle.dumps((job.packed(task.unit), task.stamp, task.alone))


class CutOut:
    """Cuts out the pictures of batches of rows; for `ray.data.Dataset.map_batches`.

    Rows have `path`, or `bytes` and `path` or `name` (as `ray.data.read_binary_files` gives with
    `include_paths=True`); `sku`, `background` and `profile` beside it override the batch's. A
    plain item, as `ray.data.from_items` of paths gives, is a path. Rows of the same path in a batch
    are one picture.

    With an output, files are committed there: each once, however often Ray runs a batch, and what
    was done before is not done again. Rows tell of them. Without one, rows hold the files.

    Args:
        root: Folder or URI that paths are relative to: what lies below it keeps its folders.
        output: Folder or URI that outputs are committed to; a folder has to be one that all
            workers see. None: rows hold the outputs' bytes.
        results: "rows": one row a picture; "blobs": one row a file, with its bytes in `data`;
            "webdataset": one row a picture, for `Dataset.write_webdataset(path, encoder=None)`; a
            picture that failed has its JSON there and no file. None: "rows" with an output, "blobs"
            without one.
        profile: A name, a TOML file or a `Profile`; None: transparent PNG at the picture's size.
        model: See `nssbg.Remover`; so are device, backend, precision, license and threads.
        device: See there.
        backend: See there.
        precision: See there.
        license: See there.
        threads: Pictures at a time in one worker; as many processors have to be its own.
        options: How pictures are cut out; None: the defaults of `Remover.cutout`.
        name: Template of the outputs' names, in place of the profile's.
        metadata: Policy in place of the profile's.
        enhance: How pictures are enhanced, in place of the profile's; "off": not at all.
        on_low_confidence: See `nssbg.batch.work.Policy`.
        time_limit: Seconds that one picture may take.

    Raises:
        OptionError: An argument outside what is allowed.
        StorageError: The output cannot be used.
    """

    def __init__(
        self,
        *,
        root: str | os.PathLike[str] = "",
        output: str | os.PathLike[str] | None = None,
        results: Results | None = None,
        profile: Profile | str | os.PathLike[str] | None = None,
        model: str = "auto",
        device: str = "auto",
        backend: Backend = "auto",
        precision: PrecisionChoice = "auto",
        license: LicenseUse | None = None,
        threads: int = 1,
        options: CutoutOptions | None = None,
        name: str | None = None,
        metadata: Literal["keep", "copyright", "strip"] | None = None,
        enhance: Enhancement | Literal["off"] | None = None,
        on_low_confidence: Literal["write", "review", "skip"] = "review",
        time_limit: float | None = None,
    ) -> None:
        _be_quiet(threads)
        self._root = os.fspath(root)
        self._results = results or ("blobs" if output is None else "rows")
        if self._results not in ("rows", "blobs", "webdataset"):
            raise OptionError(f"results must be rows, blobs or webdataset, not {results!r}")
        if output is not None and self._results != "rows":
            raise OptionError(f"results={results!r} holds the files in its rows: leave output out")
        chosen = chosen_profile(profile)
        if any("{index" in (name or spec.name) for spec in chosen.outputs):
            raise OptionError(
                "a dataset's rows have no order: leave {index} out of the names, or use "
                "nssbg batch --engine ray, which plans them"
            )
        self._options = options or CutoutOptions()
        self._policy = Policy(on_low_confidence, True, time_limit)
        self._planner = Planner(
            chosen,
            self._options,
            model_identity(model),
            name=name,
            metadata=metadata,
            enhance=enhance,
            extra=also_decides(on_low_confidence, precision),
        )
        self._job = Job(
            output="" if output is None else os.fspath(output),
            epoch=0,
            run=0,
            profiles=(chosen,),
            options=self._options,
            policy=self._policy,
            settings=Settings(),
            model=model,
            device=device,
            backend=backend,
            precision=precision,
            license=license,
            threads=threads,
        )
        self._objects: Objects | None = None
        if output is not None:
            self._objects = open_objects(output)
            committer = open_run(self._objects, known=False).committer
            self._job = replace(self._job, epoch=committer.epoch, run=committer.run)
        self._share = Share(self._job, self._objects)

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, list[Any]]:
        """Cut out one batch; columns of values in, columns of values out."""
        rows: list[dict[str, Any]] = []
        tasks: list[Task] = []
        for given in _rows_of(batch, self._root):
            item, data = item_of(given, self._root)
            unit = self._planned(item)
            if isinstance(unit, Problem):
                rows += self._told(row_of_problem(unit), {})
            else:
                tasks.append(Task(unit, data=data))
        if self._objects is None:
            rows += [row for task in tasks for row in self._held(task)]
        else:
            rows += self._committed(tasks)
        return _columns(rows)

    def _planned(self, item: Any) -> WorkUnit | Problem:
        try:
            made = self._planner.unit(item, again=True)
        except OptionError as error:
            return Problem(item.path, "OptionError", str(error))
        assert made is not None
        return made

    def _committed(self, tasks: list[Task]) -> Iterator[dict[str, Any]]:
        free = []
        for task in tasks:
            taken = self._taken(task.unit)
            if taken is None:
                free.append(task)
            else:
                yield from self._told(row_of_problem(taken), {})
        for committed, _ in self._share.run(free):
            yield from self._told(committed.entry.row, {})

    def _taken(self, unit: WorkUnit) -> Problem | None:
        """Why a unit's names are not its own: no driver planned them."""
        assert self._objects is not None
        for name in unit.outputs:
            key = f"{OWNERS}/{unit_digest(os.fsencode(name))}"
            owner = os.fsencode(unit.input)
            if self._objects.create(key, owner):
                continue
            other = self._objects.read(key)
            if other != owner:
                message = (
                    f"{os.fsdecode(other)} and {unit.input} would both be written to {name}; give "
                    "a name that tells them apart"
                )
                return Problem(unit.input, "OptionError", message)
        return None

    def _held(self, task: Task) -> Iterator[dict[str, Any]]:
        sink = HeldSink()
        entry = cut_one(
            task.unit,
            lambda: load_task(task, Inputs()),
            self._share.remover,
            self._options,
            sink,
            self._policy,
            threads=self._job.threads,
        )
        yield from self._told(entry.row, sink.data)

    def _told(self, row: Row, data: Mapping[str, bytes]) -> Iterator[dict[str, Any]]:
        made = _row_columns(row)
        if self._results == "rows":
            yield made
        elif self._results == "blobs":
            for name, value in data.items() or (("", b""),):
                yield {**made, "name": name, "data": value}
        else:
            path = PurePosixPath(row.output or row.input)
            shard: dict[str, Any] = {"__key__": str(path.with_suffix("")), "json": made["row"]}
            for number, name in enumerate(row.outputs):
                suffix = PurePosixPath(name).suffix[1:]
                shard[suffix if number == 0 else f"{number}.{suffix}"] = data[name]
            yield shard


def _row_columns(row: Row) -> dict[str, Any]:
    """A row as plain columns, and whole in `row`."""
    return {
        "input": row.input,
        "status": row.status,
        "output": row.output,
        "output_sha256": row.output_sha256,
        "out_width": row.out_width,
        "out_height": row.out_height,
        "output_bytes": row.bytes,
        "confidence": float("nan") if row.confidence is None else float(row.confidence),
        "verdict": row.verdict,
        "error": "" if row.error is None else row.error.message,
        "fingerprint": row.fingerprint,
        "attempts": row.attempts,
        "row": json.dumps(row.plain()),
    }


def _columns(rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    names = list(dict.fromkeys(name for row in rows for name in row))
    return {name: [row.get(name) for row in rows] for name in names}


def _rows_of(batch: Mapping[str, Any], root: str) -> Iterator[dict[str, Any]]:
    """A batch's rows as `cut_rows` takes them."""
    known = {"path", "name", "bytes", "sku", "background", "profile"}
    columns = {"path" if name == "item" else name: list(batch[name]) for name in batch}
    for number in range(len(next(iter(columns.values()), []))):
        row = {name: values[number] for name, values in columns.items() if name in known}
        for key in ("path", "name"):
            if key in row:
                row[key] = _with_scheme(str(row[key]), root)
        if row.get("bytes") is not None:
            row["bytes"] = bytes(row["bytes"])
            row.setdefault("name", row.pop("path", ""))
        yield row


def _with_scheme(path: str, root: str) -> str:
    """A path as readers of Arrow give it (bucket/key), as the URI that its root is."""
    if is_uri(root) and not is_uri(path):
        scheme, _, place = root.partition("://")
        if path.lstrip("/").startswith(place.strip("/") + "/"):
            return f"{scheme}://{path.lstrip('/')}"
    return path


def _be_quiet(threads: int) -> None:
    """A worker's libraries start no more threads than it has processors."""
    os.environ["OMP_NUM_THREADS"] = str(max(1, threads))
    logging.getLogger("nssbg").setLevel(logging.WARNING)
