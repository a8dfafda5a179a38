"""Pictures of one product: which belong together, and where the subject stands in each.

What shares a scale can be framed only once the subject's box is known in all of its pictures. They
are measured first, a stream of their own that writes nothing but these boxes; a box is kept by
the picture's bytes and all that decides where its subject is found, so that no picture is measured
twice for as long as these stay.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import ClassVar

from nssbg import __version__
from nssbg._compose.canvas import Box
from nssbg._errors import OptionError
from nssbg._options import CutoutOptions
from nssbg._vocabulary import GroupBy
from nssbg.batch.side_file import SideFile
from nssbg.batch.units import WorkUnit, keywords

__all__ = ["BOXES", "BoxStore", "box_key", "chunks", "group_of", "shared"]

#: The file in a batch's state folder.
BOXES = "boxes.sqlite"

# Pictures that are measured before the first of them is framed: progress and outputs come from
# the first minutes on, and a stream has enough to keep all workers busy.
_CHUNK = 256


def group_of(unit: WorkUnit, by: GroupBy) -> str | None:
    """The group that a unit belongs to; None where it stands alone.

    A group is of one profile, and of one that has a canvas: elsewhere there is no scale to share.
    """
    if not any(one.width is not None and one.height is not None for one in unit.profile.outputs):
        return None
    name = unit.sku if by == "sku" else unit.dir
    if by == "sku" and not name:
        return None
    return json.dumps([unit.profile.fingerprint, name])


def chunks(units: Sequence[WorkUnit], by: GroupBy) -> Iterator[list[list[WorkUnit]]]:
    """The units as groups, in the order in which each group's first picture was found.

    Args:
        units: All units of a run.
        by: What makes a group.

    Yields:
        Groups of together about 256 pictures; a group is never parted.

    Raises:
        OptionError: None of the units belongs to a group.
    """
    groups: dict[str | int, list[WorkUnit]] = {}
    for number, unit in enumerate(units):
        name = group_of(unit, by)
        groups.setdefault(number if name is None else name, []).append(unit)
    if units and all(isinstance(key, int) for key in groups):
        if by == "sku" and not any(unit.sku for unit in units):
            raise OptionError(
                "group_by sku: no picture has a sku; give a list (--files-from, CSV or JSONL) with "
                "a column sku, or group by folder"
            )
        names = ", ".join(sorted({unit.profile.name for unit in units}))
        raise OptionError(
            f"group_by {by}: profile {names} has no canvas (width and height), so there is no "
            "scale to share; use a profile that has one, amazon-main for instance"
        )
    taken: list[list[WorkUnit]] = []
    for group in groups.values():
        taken.append(group)
        if sum(map(len, taken)) >= _CHUNK:
            yield taken
            taken = []
    if taken:
        yield taken


def box_key(
    unit: WorkUnit, input_sha256: str, options: CutoutOptions, model: str, enhancing: str = ""
) -> str:
    """What the box of a picture's subject depends on, as a digest.

    Args:
        unit: The picture.
        input_sha256: Of its bytes.
        options: How it is cut out.
        model: See `nssbg.batch.units.model_identity`.
        enhancing: See `nssbg.batch.units.enhancement_identity`; "" where nothing enhances it.
    """
    cut = {**keywords(options, None)}
    del cut["corrections"], cut["enhance"]
    del cut["decontaminate"], cut["strength"]  # colours move no box
    corrections = None if unit.corrections is None else unit.corrections[1]
    record: list[object] = [input_sha256, cut, model, __version__, corrections]
    enhance = unit.profile.enhance
    if enhance is not None:  # a box is in pixels of what is cut out
        record += [enhance.record(), enhancing]
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def shared(groups: Sequence[Sequence[WorkUnit]], boxes: Sequence[Sequence[Box]]) -> list[WorkUnit]:
    """All units of the groups, with the boxes that each shares a scale with.

    A unit's settings change with these boxes, and with nothing else of its group.
    """
    made = []
    for group, found in zip(groups, boxes, strict=True):
        together = tuple(sorted(found))
        for unit in group:
            settings = hashlib.sha256(f"{unit.settings} {together}".encode()).hexdigest()
            made.append(replace(unit, set_boxes=together, settings=settings) if found else unit)
    return made


class BoxStore(SideFile):
    """Subjects' boxes by `box_key`; see `SideFile`."""

    TABLE: ClassVar[str] = "boxes"
    COLUMNS: ClassVar[dict[str, str]] = dict.fromkeys(("top", "lft", "bottom", "rgt"), "INTEGER")
    WHAT: ClassVar[str] = "boxes of subjects"

    def get(self, key: str) -> Box | None:
        """(top, left, bottom, right), all zero where nothing was found; None: not measured."""
        found = self._get(key)
        return None if found is None else (found[0], found[1], found[2], found[3])

    def put(self, key: str, box: Box) -> None:
        """Keep a box."""
        self._put(key, box)
