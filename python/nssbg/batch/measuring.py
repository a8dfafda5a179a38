"""Where the subjects of grouped pictures stand: a stream of its own, which writes nothing.

Pictures in, the boxes of their subjects out; what was measured before is not cut out again, nor
read where the manifest knows its bytes.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nssbg._compose.canvas import Box, subject_box
from nssbg._enhance_options import Enhancement
from nssbg._errors import NssbgError
from nssbg._io import NamedBytes
from nssbg._options import CutoutOptions
from nssbg._vocabulary import GroupBy
from nssbg.batch.entry import Entry
from nssbg.batch.groups import BoxStore, box_key, chunks, shared
from nssbg.batch.inputs import Inputs
from nssbg.batch.units import WorkUnit, enhancement_identity
from nssbg.batch.work import picture_keywords

if TYPE_CHECKING:
    from nssbg._cutout import Cutout
    from nssbg._remover import Remover

__all__ = ["Measuring"]

log: logging.Logger = logging.getLogger("nssbg")


class _Picture(NamedBytes):
    """A picture's bytes on their way through the measuring stream."""

    unit: WorkUnit
    key: str


class Measuring:
    """Measures pictures with one remover.

    Args:
        remover: Open, or opened by the first picture.
        options: How the batch cuts out.
        model: See `nssbg.batch.units.model_identity`.
        find: What is known of a picture, by its unit's identity; see `Manifest.find`.
        inputs: Reads and stamps the pictures.
        stopping: Whether nothing new is to begin.
        workers: Pictures at once.
        max_memory: Bytes that they may be predicted to take.
        time_limit: Seconds that one may take; see `Remover.map`.

    Attributes:
        keys: Of all boxes that were asked for.
    """

    def __init__(
        self,
        remover: Remover,
        options: CutoutOptions,
        model: str,
        find: Callable[[bytes], Entry | None],
        inputs: Inputs,
        *,
        stopping: Callable[[], bool],
        workers: int,
        max_memory: int,
        time_limit: float | None = None,
    ) -> None:
        self._remover = remover
        self._options = options
        self._model = model
        self._find = find
        self._inputs = inputs
        self._stopping = stopping
        self._workers = workers
        self._max_memory = max_memory
        self._time_limit = time_limit
        self._enhancing: dict[Enhancement, str] = {}
        self.keys: set[str] = set()

    def portions(
        self, units: Sequence[WorkUnit], by: GroupBy, path: Path
    ) -> Iterator[Sequence[WorkUnit]]:
        """Whole groups at a time, their boxes measured and kept in a file."""
        with BoxStore(path) as store:
            for groups in chunks(units, by):
                boxes = self.boxes(groups, store)
                if self._stopping():
                    return
                yield shared(groups, boxes)
            store.retain(self.keys)

    def as_known(self, units: Sequence[WorkUnit], by: GroupBy, path: Path) -> list[WorkUnit]:
        """The units with the boxes that the file has; nothing is cut out or written."""
        if not path.exists():
            return list(units)
        groups = [group for some in chunks(units, by) for group in some]
        with BoxStore(path, read_only=True) as store:
            return shared(groups, self.known(groups, store))

    def boxes(self, groups: Sequence[Sequence[WorkUnit]], store: BoxStore) -> list[list[Box]]:
        """The subjects' boxes of each group, in its order.

        Pictures that cannot be read or cut out, and those without a subject, have none here: what
        is wrong with them is told when their own turn comes. A picture that stands alone is not
        measured.
        """
        found, left = self._sorted(groups, store)
        self._measure(left, store, found)
        return _of_groups(groups, found)

    def known(self, groups: Sequence[Sequence[WorkUnit]], store: BoxStore) -> list[list[Box]]:
        """The same, as far as it is known without reading a picture."""
        return _of_groups(groups, self._sorted(groups, store)[0])

    def _sorted(
        self, groups: Sequence[Sequence[WorkUnit]], store: BoxStore
    ) -> tuple[dict[bytes, Box], list[WorkUnit]]:
        """The boxes that are known, by identity, and the units that are to be measured."""
        found: dict[bytes, Box] = {}
        left: list[WorkUnit] = []
        for unit in (unit for group in groups if len(group) > 1 for unit in group):
            sha256 = self._known_sha256(unit)
            box = None if sha256 is None else self._kept(unit, sha256, store)
            if box is None:
                left.append(unit)
            else:
                found[unit.identity] = box
        return found, left

    def _kept(self, unit: WorkUnit, sha256: str, store: BoxStore) -> Box | None:
        key = self._key(unit, sha256)
        self.keys.add(key)
        return store.get(key)

    def _key(self, unit: WorkUnit, sha256: str) -> str:
        enhance, enhancing = unit.profile.enhance, ""
        if enhance is not None:
            if enhance not in self._enhancing:  # its weights are hashed, once a run
                self._enhancing[enhance] = enhancement_identity(enhance)
            enhancing = self._enhancing[enhance]
        return box_key(unit, sha256, self._options, self._model, enhancing)

    def _known_sha256(self, unit: WorkUnit) -> str | None:
        """The digest of a picture's bytes, where the manifest tells it of the file as it is."""
        known = self._find(unit.identity)
        if known is None or not known.stamp or not known.row.input_sha256:
            return None
        try:
            stamp = self._inputs.stamp(unit.input)
        except (OSError, ValueError):
            return None
        return known.row.input_sha256 if stamp == known.stamp else None

    def _measure(self, units: Sequence[WorkUnit], store: BoxStore, found: dict[bytes, Box]) -> None:
        # Nothing is opened where all is known.
        pictures = self._pictures(units)
        first = next(pictures, None)
        if first is None:
            return

        def sink(picture: Any, cutout: Cutout) -> Box:
            return subject_box(cutout.rgba, threshold=0.5, threads=1)

        options = picture_keywords(self._options)
        options["decontaminate"] = "off"  # colours move no box
        with self._remover.map(
            itertools.chain([first], pictures),
            sink=sink,
            ordered=False,
            workers=self._workers,
            max_memory=self._max_memory,
            time_limit=self._time_limit,
            **options,
        ) as stream:
            for outcome in stream:
                picture = outcome.source
                if outcome.error is not None:
                    log.debug("%s: not measured: %s", picture.unit.input, outcome.error)
                    continue
                store.put(picture.key, outcome.output_path)
                found[picture.unit.identity] = outcome.output_path

    def _pictures(self, units: Sequence[WorkUnit]) -> Iterator[_Picture]:
        for unit in units:
            if self._stopping():
                return
            try:
                loaded = self._inputs.load(unit.input)
            except (NssbgError, OSError) as error:
                log.debug("%s: not measured: %s", unit.input, error)
                continue
            picture = _Picture(loaded.data)
            picture.name = unit.input
            picture.unit = unit
            picture.key = self._key(unit, loaded.sha256)
            self.keys.add(picture.key)
            yield picture


def _of_groups(groups: Sequence[Sequence[WorkUnit]], found: dict[bytes, Box]) -> list[list[Box]]:
    return [
        [box for unit in group if (box := found.get(unit.identity)) and box[2] > box[0]]
        for group in groups
    ]
