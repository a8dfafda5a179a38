"""What a run would do, and what it is predicted to take, without writing anything."""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from nssbg import _io as image_io
from nssbg._enhance_options import Enhancement
from nssbg._errors import NssbgError
from nssbg._pipeline.enhancing import upscale_of
from nssbg.batch.address import is_uri
from nssbg.batch.entry import Entry
from nssbg.batch.inputs import Inputs
from nssbg.batch.manifest import ManifestError
from nssbg.batch.output import render_outputs
from nssbg.batch.place import Place
from nssbg.batch.planning import Planned
from nssbg.batch.resume import is_settled
from nssbg.batch.row import Row
from nssbg.batch.sink import Sink
from nssbg.batch.units import WorkUnit, keywords

if TYPE_CHECKING:
    from nssbg._options import CutoutOptions
    from nssbg._remover import Remover

__all__ = ["Forecast", "forecast"]

# Pictures that are cut out to see how long one takes, where no earlier run tells.
_SAMPLES = 3
# Least earlier pictures that tell it.
_LEAST_KNOWN = 5


@dataclass(frozen=True)
class Forecast:
    """What a run would do.

    Attributes:
        total: Pictures that were found.
        to_do: Those that would be cut out.
        unchanged: Those that are done; by their stamps alone, nothing is hashed.
        problems: What is no picture to work on: path and message.
        first: The first of those to do, and their outputs.
        seconds: Predicted; None where nothing is to be done, or no picture could be tried.
        basis: What that is predicted from, in words.
        memory: Predicted bytes of the pictures in flight at the fullest moment.
        output_bytes: Predicted length of all new outputs; None as for seconds.
    """

    total: int
    to_do: int
    unchanged: int
    problems: tuple[tuple[str, str], ...]
    first: tuple[tuple[str, tuple[str, ...]], ...]
    seconds: float | None
    basis: str
    memory: int
    output_bytes: int | None

    def event(self) -> dict[str, object]:
        """As a JSON object: {"event": "forecast", ...}."""
        return {"event": "forecast", **vars(self)}


def forecast(
    planned: Planned,
    place: Place,
    inputs: Inputs,
    *,
    remover: Remover,
    options: CutoutOptions,
    force: bool,
    retry_failed: bool,
    jobs: int,
) -> Forecast:
    """Look through the units of a run; see `Forecast`."""
    known: dict[bytes, Entry] = {}
    with contextlib.suppress(ManifestError):
        known = {entry.identity: entry for entry in place.known()[0]}
    sink = place.stamps()
    to_do = [
        unit
        for unit in planned.units
        if force or not _is_done(unit, known.get(unit.identity), sink, inputs, retry_failed)
    ]
    upscales: dict[Enhancement | None, int] = {
        enhance: upscale_of(enhance) for enhance in {*map(_enhance_of, to_do)} if enhance
    }
    sizes = sorted(
        (
            inputs.predicted_bytes(unit.input, upscale=upscales.get(_enhance_of(unit), 0))
            for unit in to_do
        ),
        reverse=True,
    )
    pixels, seconds, produced, tried, basis = _tried(
        to_do, known, inputs, remover, options, upscales
    )
    whole, scale = sum(map(_pixels, to_do)), 0.0
    if pixels and any(is_uri(unit.input) for unit in to_do):
        # Headers in a store are not fetched: pictures are taken to be as large as those tried.
        scale = len(to_do) / tried
    elif pixels:
        scale = whole / pixels
    return Forecast(
        total=len(planned.units),
        to_do=len(to_do),
        unchanged=len(planned.units) - len(to_do),
        problems=tuple((one.path, one.message) for one in planned.problems),
        first=tuple((unit.input, unit.outputs) for unit in to_do[:5]),
        seconds=round(seconds * scale / jobs, 1) if pixels else None,
        basis=basis,
        memory=sum(sizes[: jobs + 2]),
        output_bytes=round(produced * scale) if pixels else None,
    )


def _is_done(
    unit: WorkUnit, entry: Entry | None, sink: Sink, inputs: Inputs, retry_failed: bool
) -> bool:
    if entry is None or entry.settings != unit.settings or not is_settled(entry):
        return False
    if retry_failed and entry.row.error is not None:
        return False
    try:
        if inputs.stamp(unit.input) != entry.stamp:
            return False
    except OSError:
        return False
    return all(sink.stamp(stored.name) == stored.stamp for stored in entry.outputs)


def _tried(
    units: list[WorkUnit],
    known: dict[bytes, Entry],
    inputs: Inputs,
    remover: Remover,
    options: CutoutOptions,
    upscales: dict[Enhancement | None, int],
) -> tuple[int, float, int, int, str]:
    """Photographs' pixels, seconds on one thread, bytes and number of some, and which those are."""
    rows = [entry.row for entry in known.values() if entry.row.status == "done"]
    # What is enhanced otherwise takes other times.
    alike = {_told(enhance): upscales.get(enhance, 1) for enhance in map(_enhance_of, units)}
    measured = [
        row for row in rows if row.features.get("width") and row.timings and _told_of(row) in alike
    ]
    if len(measured) >= _LEAST_KNOWN:
        pixels = sum(
            row.features["width"] * row.features["height"] // alike[_told_of(row)] ** 2
            for row in measured
        )
        seconds = sum(sum(row.timings.values()) for row in measured) / 1000
        produced = sum(row.bytes for row in measured)
        count = len(measured)
        return pixels, seconds, produced, count, f"{count} pictures of earlier runs"
    step = max(1, len(units) // _SAMPLES)
    pixels, seconds, produced, count = 0, 0.0, 0, 0
    warm = False
    for unit in units[::step][:_SAMPLES]:
        with contextlib.suppress(NssbgError, OSError):
            how = keywords(options, None, _enhance_of(unit))
            data = inputs.load(unit.input).data
            if not warm:  # the model is opened, and memory is touched, only once a run
                remover.cutout(data, **how)
                warm = True
            begun = time.thread_time()
            process = time.process_time()
            cutout = remover.cutout(data, **how)
            made = render_outputs(cutout, unit.profile, stem=unit.stem, fields=unit.fields)
            # On all threads: what they take in all is what one thread would take.
            seconds += max(time.thread_time() - begun, time.process_time() - process)
            produced += sum(len(one.data) for one in made)
            upscale = upscales.get(_enhance_of(unit), 1)
            pixels += cutout.frame.width * cutout.frame.height // upscale**2
            count += 1
    return pixels, seconds, produced, count, f"{count} pictures that were tried"


def _enhance_of(unit: WorkUnit) -> Enhancement | None:
    return unit.profile.enhance


def _told(enhance: Enhancement | None) -> str:
    """How a row's features tell of an enhancement, as far as a profile says it."""
    return "" if enhance is None else json.dumps(enhance.record(), sort_keys=True)


def _told_of(row: Row) -> str:
    said = row.features.get("enhanced")
    if not isinstance(said, dict):
        return ""
    names = [item.name for item in fields(Enhancement)]
    return json.dumps({name: said.get(name) for name in names}, sort_keys=True)


def _pixels(unit: WorkUnit) -> int:
    size = None if is_uri(unit.input) else image_io.peek_size(Path(unit.input))
    return 0 if size is None else size[0] * size[1]
