"""What of a unit is done already: reads its picture only where that is needed to know.

Input and outputs are taken as unchanged where their stamps (length, times, number) are; where one
differs its bytes are hashed, and only other bytes mean other work.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from nssbg._errors import ImageDecodeError
from nssbg._io import NamedBytes, read_source
from nssbg.batch.entry import Entry
from nssbg.batch.manifest import Manifest
from nssbg.batch.sink import Sink, file_stamp
from nssbg.batch.units import WorkUnit

__all__ = ["Loaded", "is_settled", "load_file", "resolved"]

# Failures that come again whenever the same bytes are cut out in the same way.
_SETTLED = ("ImageDecodeError", "EmptyResultError", "RejectedError", "OptionError", "CrashError")
_READS = 3


@dataclass(frozen=True)
class Loaded:
    """A picture's bytes as they were read.

    Attributes:
        data: The bytes, with the name that messages call them by.
        sha256: Hex digest of them.
        stamp: See `nssbg.batch.sink.file_stamp`; "" where there is none.
    """

    data: NamedBytes
    sha256: str
    stamp: str = ""


def load_file(path: str, *, max_memory: int | None = None) -> Loaded:
    """Read a local file whole, as it stood at one moment.

    Raises:
        ImageDecodeError: It cannot be read, or does not stop changing.
    """
    for _ in range(_READS):
        before = _stamp(path)
        data = read_source(path, "path", path, max_memory=max_memory)
        if before == _stamp(path):
            named = NamedBytes(data)
            named.name = path
            return Loaded(named, hashlib.sha256(named).hexdigest(), before)
    raise ImageDecodeError(
        f"cannot read {path}: it changed while it was read; wait until it is written to its end"
    )


def is_settled(entry: Entry) -> bool:
    """Whether the same work would come to the same end, for all that is known."""
    row = entry.row
    if row.error is None:
        return row.status in ("done", "skipped")
    return (
        row.error.kind in _SETTLED and bool(row.fingerprint) and "memory" not in row.error.message
    )


def resolved(
    unit: WorkUnit,
    manifest: Manifest,
    sink: Sink,
    load: Callable[[], Loaded],
    *,
    stamp: str = "",
    retry_failed: bool = False,
) -> Entry | Loaded:
    """What is known of a unit, where nothing is left to do; else its picture, to be cut out.

    Args:
        unit: The unit.
        manifest: What is known. Stamps that have changed for the same bytes are kept there.
        sink: Where its outputs would lie.
        load: Reads its picture.
        stamp: Of its picture now; "" where that tells nothing.
        retry_failed: Whether failures are work again.

    Raises:
        ImageDecodeError: The picture cannot be read.
    """
    known = manifest.find(unit.identity)
    loaded: Loaded | None = None
    if not (known and stamp and known.stamp == stamp and known.settings == unit.settings):
        loaded = load()
        fingerprint = unit.key(loaded.sha256)
        if known is None or known.row.fingerprint != fingerprint:
            known = manifest.find_made(fingerprint)
    if known is not None and is_settled(known) and not (retry_failed and known.row.error):
        checked = _intact(known, sink)
        if checked is not None:
            now = replace(
                checked,
                identity=unit.identity,
                settings=unit.settings,
                stamp=stamp if loaded is None else loaded.stamp,
                row=replace(checked.row, input=unit.input),
            )
            if now != known:
                return manifest.refresh(now)
            return now
    return loaded if loaded is not None else load()


def _intact(entry: Entry, sink: Sink) -> Entry | None:
    """The entry with its outputs' present stamps; None where one is not what was written."""
    outputs = []
    for stored in entry.outputs:
        stamp = sink.stamp(stored.name)
        if stamp is None:
            return None
        if stamp != stored.stamp:
            if sink.sha256(stored.name) != stored.sha256:
                return None
            stored = replace(stored, stamp=stamp)
        outputs.append(stored)
    return replace(entry, outputs=tuple(outputs))


def _stamp(path: str) -> str:
    try:
        return file_stamp(Path(path).stat())
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise ImageDecodeError(f"cannot read {os.fspath(path)}: {why}") from error
