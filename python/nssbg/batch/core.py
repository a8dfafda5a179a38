"""The framework-free core: rows in, outputs written, rows out, one picture after the other.

No threads, no state but what is handed in: an engine of any kind (a thread pool, Ray, Spark, a
queue's worker) calls `cut_rows` with its share of the rows.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from nssbg._enhance_options import Enhancement
from nssbg._errors import ImageDecodeError, OptionError
from nssbg._io import NamedBytes
from nssbg._options import CutoutOptions
from nssbg.batch.entry import Entry
from nssbg.batch.manifest import Manifest
from nssbg.batch.planning import Planner
from nssbg.batch.profile import Profile, load_profile
from nssbg.batch.resume import Loaded, load_file, resolved
from nssbg.batch.row import Row, RowError
from nssbg.batch.sink import Sink, StorageError, sink_for
from nssbg.batch.sources import Item, Problem
from nssbg.batch.units import DEFAULT_PROFILE, WorkUnit, model_identity
from nssbg.batch.work import Input, Policy, failure, finish, unit_keywords

if TYPE_CHECKING:
    from nssbg._remover import Remover

__all__ = ["chosen_profile", "cut_one", "cut_rows", "item_of", "row_of_problem"]

_KEYS = ("path", "name", "bytes", "sku", "background", "profile", "corrections")


def cut_rows(
    rows: Iterable[Any],
    *,
    root: str | os.PathLike[str],
    output: str | os.PathLike[str],
    filesystem: Any = None,
    profile: Profile | str | os.PathLike[str] | None = None,
    remover: Remover | None = None,
    model: str = "auto",
    options: CutoutOptions | None = None,
    name: str | None = None,
    metadata: Literal["keep", "copyright", "strip"] | None = None,
    enhance: Enhancement | Literal["off"] | None = None,
    on_low_confidence: Literal["write", "review", "skip"] = "review",
    overwrite: bool = True,
    time_limit: float | None = None,
    manifest: Manifest | None = None,
    threads: int = 0,
) -> Iterator[Row]:
    """Cut out pictures and write their outputs; a picture that fails is a row, not an exception.

    Args:
        rows: Paths, or mappings with `path`, or with `name` and `bytes` (a file's bytes and what to
            call it, folders included); `sku`, `background`, `profile` and `corrections` (a path)
            beside it override the batch's. Pulled one at a time.
        root: Folder that paths and names are relative to: what lies below it keeps its folders.
        output: Folder that outputs are written to.
        filesystem: Of fsspec or pyarrow, which root and output are then in; None: this machine's.
        profile: A name, a TOML file or a `Profile`; None: transparent PNG at the picture's size.
        remover: Opened already; None: one is opened for this call.
        model: Of the remover, for the fingerprints; what is opened where there is none.
        options: How pictures are cut out; None: the defaults of `Remover.cutout`.
        name: Template of the outputs' names, in place of the profile's.
        metadata: Policy in place of the profile's.
        enhance: How pictures are enhanced, in place of the profile's; "off": not at all.
        on_low_confidence: See `nssbg.batch.work.Policy`.
        overwrite: Whether outputs that are there are replaced.
        time_limit: Seconds that the stages of one picture may take; one that took longer is a
            failed row. Looked at between stages: there is no thread here that could go on past one
            that hangs (`Remover.map` and `Batch` do).
        manifest: What is done already is left out, and what becomes of each row is kept; None: all
            rows are done.
        threads: For kernels and the runtime; 0: all usable cores.

    Returns:
        One row for each that came in, in their order.

    Raises:
        OptionError: An argument outside what is allowed, or a row without path or bytes.
        StorageError: The output takes no more: a full disk, say. What was yielded stands.
    """
    from nssbg._remover import Remover as Opened

    policy = Policy(on_low_confidence, overwrite, time_limit)
    chosen = options or CutoutOptions()
    planner = Planner(
        chosen_profile(profile),
        chosen,
        model_identity(model),
        name=name,
        metadata=metadata,
        enhance=enhance,
        collide="suffix",
        extra={"on_low_confidence": on_low_confidence},
    )
    sink = sink_for(output, filesystem)
    own = remover is None
    with_model = Opened(model, threads=threads) if remover is None else remover
    try:
        for given in rows:
            item, data = item_of(given, root, filesystem)
            unit = planner.unit(item)
            if isinstance(unit, Problem):
                yield row_of_problem(unit)
            elif unit is not None:
                load = _loader(item, data, filesystem)
                entry = cut_one(
                    unit, load, with_model, chosen, sink, policy, manifest=manifest, threads=threads
                )
                yield entry.row
    finally:
        if own:
            with_model.close()


def chosen_profile(profile: Profile | str | os.PathLike[str] | None) -> Profile:
    """The profile that an argument means.

    Raises:
        OptionError: There is no such profile, or its file is not what it must be.
    """
    if profile is None:
        return DEFAULT_PROFILE
    if isinstance(profile, Profile):
        return profile
    return load_profile(profile if isinstance(profile, str) else Path(profile))


def row_of_problem(problem: Problem) -> Row:
    """The row of what is no picture to work on."""
    failed = problem.status == "failed"
    return Row(
        input=problem.path,
        status=problem.status,
        error=RowError(problem.kind, problem.message),
        verdict="fail" if failed else "",
        reasons=(problem.message,),
        attempts=0,
    )


def cut_one(
    unit: WorkUnit,
    load: Callable[[], Loaded],
    remover: Remover,
    options: CutoutOptions,
    sink: Sink,
    policy: Policy,
    *,
    manifest: Manifest | None = None,
    threads: int = 1,
) -> Entry:
    """Cut out one unit's picture; see `cut_rows` for the arguments.

    Args:
        unit: The unit.
        load: Reads its picture.
        remover: See there.
        options: See there.
        sink: Where its outputs go.
        policy: See `nssbg.batch.work.Policy`.
        manifest: See there.
        threads: See there.

    Raises:
        StorageError: The sink takes no more.
    """
    given: Input | None = None
    try:
        if manifest is None:
            loaded: Loaded = load()
            attempts = 1
        else:
            found = resolved(unit, manifest, sink, load)
            if isinstance(found, Entry):
                return found
            loaded = found
            attempts = manifest.begin(unit.identity)
        given = Input(loaded.sha256, loaded.stamp, attempts)
        cutout = remover.cutout(loaded.data, **unit_keywords(options, unit))
        entry = finish(unit, cutout, given, sink=sink, policy=policy, threads=threads)
    except StorageError:
        raise
    except Exception as error:  # of this picture alone: the others go on
        entry = failure(unit, error, given)
    return entry if manifest is None else manifest.record(entry)


def item_of(
    given: Any, root: str | os.PathLike[str], filesystem: Any = None
) -> tuple[Item, bytes | None]:
    """A row as a picture below the root, and its bytes where it came with them.

    Raises:
        OptionError: It is no row as `cut_rows` takes it.
    """
    if isinstance(given, (str, os.PathLike)):
        given = {"path": os.fspath(given)}
    if not isinstance(given, Mapping):
        raise OptionError(f"a row is a path or a mapping, not a {type(given).__name__}")
    for key in given:
        if key not in _KEYS:
            raise OptionError(f"a row has no {key!r}; expected {', '.join(_KEYS)}")
    data = given.get("bytes")
    path = given.get("path") if data is None else given.get("name") or given.get("path")
    if not path or not isinstance(path, (str, os.PathLike)):
        raise OptionError("a row needs a path, or a name and bytes")
    text = os.fspath(path)
    base = os.fspath(root)
    if filesystem is None and data is None:
        full = os.path.join(base, text)  # noqa: PTH118
        relative = os.path.relpath(full, base)
    else:
        full = text if text.startswith(f"{base.rstrip('/')}/") else f"{base.rstrip('/')}/{text}"
        relative = full[len(base.rstrip("/")) + 1 :]
    folder = os.path.dirname(relative).replace(os.sep, "/")  # noqa: PTH120
    if folder == ".." or folder.startswith("../"):
        folder = ""
    options = {key: given[key] for key in _KEYS[3:] if given.get(key)}
    return Item(full, folder, **options), data


def _loader(item: Item, data: bytes | None, filesystem: Any) -> Any:
    """What reads a picture."""

    def load() -> Loaded:
        if data is None and filesystem is None:
            return load_file(item.path)
        named = NamedBytes(_fetched(filesystem, item.path) if data is None else data)
        named.name = item.path
        return Loaded(named, hashlib.sha256(named).hexdigest())

    return load


def _fetched(filesystem: Any, path: str) -> bytes:
    try:
        if hasattr(filesystem, "open_input_stream"):
            with filesystem.open_input_stream(path) as stream:
                return bytes(stream.read())
        return bytes(filesystem.cat_file(path))
    except OSError as error:
        raise ImageDecodeError(f"cannot read {path}: {error}") from error
