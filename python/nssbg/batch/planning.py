"""From pictures to work units: profile, names and key of each, and no two outputs with one name.

All of it happens before the first picture is read, so that a night's run cannot find in its last
hour that two results have one name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from nssbg._enhance_options import Enhancement
from nssbg._errors import NssbgError, OptionError
from nssbg._options import CutoutOptions
from nssbg._vocabulary import PrecisionChoice
from nssbg.batch.output import output_names
from nssbg.batch.profile import Profile, load_profile
from nssbg.batch.sidecar import read_corrections, sidecar_path
from nssbg.batch.sources import STATE_FOLDER, Item, Problem
from nssbg.batch.units import WorkUnit, recipe_digest, settings_digest, with_overrides

__all__ = ["Planned", "Planner", "also_decides"]

_SHOWN = 3


@dataclass
class Planned:
    """What a batch is going to do.

    Attributes:
        units: In the order of the sources.
        problems: What is among the sources and cannot be worked on.
    """

    units: list[WorkUnit] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def also_decides(on_low_confidence: str, precision: PrecisionChoice) -> dict[str, str]:
    """What changes outputs or verdicts beside profile, options and model: `Planner`'s `extra`.

    A precision only where it is named: what "auto" runs may differ from machine to machine.
    """
    found = {"on_low_confidence": on_low_confidence}
    if precision != "auto":
        found["precision"] = precision
    return found


class Planner:
    """Makes units of pictures, one after the other.

    Args:
        profile: Of pictures whose own row names none.
        options: How pictures are cut out.
        model: See `nssbg.batch.units.model_identity`.
        name: Template in place of the profile's; None: the profile's.
        metadata: Policy in place of the profile's; None: the profile's.
        enhance: How pictures are enhanced in place of the profile's; "off": not at all; None: as
            the profile says.
        collide: "error": two outputs of one name end the batch before it begins; "suffix": the
            later gets -2, -3, ... in the order of the sources.
        corrections: Folder of corrections; see `nssbg.batch.sidecar`.
        reserved: Names that no output may have.
        fold_case: The outputs' file system does not tell a.png from A.png.
        extra: Other values that change outputs or verdicts.

    Raises:
        ModelError, OptionError: The network that enhances is not known, or cannot do what is said.
    """

    def __init__(
        self,
        profile: Profile,
        options: CutoutOptions,
        model: str,
        *,
        name: str | None = None,
        metadata: str | None = None,
        enhance: Enhancement | Literal["off"] | None = None,
        collide: Literal["error", "suffix"] = "error",
        corrections: Path | None = None,
        reserved: Iterable[str] = (),
        fold_case: bool = False,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        if collide not in ("error", "suffix"):
            raise OptionError(f"collide must be 'error' or 'suffix', got {collide!r}")
        self._name = name
        self._metadata = metadata
        self._enhance = enhance
        self._collide = collide
        self._corrections = corrections
        self._fold_case = fold_case
        self._options = options
        self._model = model
        self._extra = extra
        self._plain = self._overridden(profile)
        self._profiles: dict[tuple[str | None, str | None], tuple[Profile, str]] = {}
        # Name of each output, and each folder that they need -> the input that it is for.
        self._names: dict[str, str] = {self._key(name): "the report" for name in reserved}
        self._folders: dict[str, str] = {}
        self._seen: dict[bytes, WorkUnit] = {}
        self._count = 0
        if self._plain.enhance is not None:
            self._profile(None, None)  # what is wrong with its network is no picture's fault

    def plan(self, found: Iterable[Item | Problem]) -> Planned:
        """Units of all pictures.

        Raises:
            OptionError: Two outputs would have one name (with collide="error").
        """
        planned = Planned()
        collisions: list[str] = []
        for one in found:
            try:
                made = self.unit(one) if isinstance(one, Item) else one
            except _CollisionError as error:
                collisions.append(str(error))
                continue
            if isinstance(made, Problem):
                planned.problems.append(made)
            elif made is not None:
                planned.units.append(made)
        if collisions:
            more = len(collisions) - _SHOWN
            raise OptionError(
                "; ".join(collisions[:_SHOWN])
                + (f"; and {more} more" if more > 0 else "")
                + ". Nothing was done. Use --collide suffix (the later one gets -2), or a --name "
                "that tells them apart"
            )
        return planned

    def unit(self, item: Item, *, again: bool = False) -> WorkUnit | Problem | None:
        """The unit of one picture; None where it was planned already, unless it is wanted again.

        Raises:
            OptionError: An output's name is taken (with collide="error").
        """
        try:
            profile, recipe = self._profile(item.profile, item.background)
        except NssbgError as error:
            return Problem(item.path, type(error).__name__, f"{item.path}: {error}")
        made = WorkUnit(
            input=item.path,
            profile=profile,
            dir=item.dir,
            stem=Path(item.path).stem,
            index=self._count + 1,
            sku=item.sku,
        )
        known = self._seen.get(made.identity)
        if known is not None:
            return known if again else None
        try:
            made = replace(self._named(made), corrections=self._corrections_of(item))
        except OptionError as error:
            if isinstance(error, _CollisionError) and self._collide == "error":
                raise
            return Problem(item.path, "OptionError", f"{item.path}: {error}")
        self._count += 1
        fingerprint = None if made.corrections is None else made.corrections[1]
        made = replace(made, settings=settings_digest(recipe, made.outputs, fingerprint))
        self._seen[made.identity] = made
        return made

    def _corrections_of(self, item: Item) -> tuple[str, str] | None:
        """Where a picture's corrections lie, and their fingerprint."""
        path = None if item.corrections is None else Path(item.corrections)
        if path is None:
            source = Path(item.path)
            path = sidecar_path(
                source, folder=self._corrections, relative=str(Path(item.dir, source.name))
            )
        return None if path is None else (str(path), read_corrections(path).fingerprint)

    def _profile(self, name: str | None, background: str | None) -> tuple[Profile, str]:
        key = (name, background)
        if key not in self._profiles:
            profile = self._plain
            if name is not None:
                profile = self._overridden(load_profile(name))
            if background is not None:
                profile = with_overrides(profile, background=background)
            digest = recipe_digest(profile, self._options, self._model, self._extra)
            self._profiles[key] = (profile, digest)
        return self._profiles[key]

    def _overridden(self, profile: Profile) -> Profile:
        """A profile with the batch's name and metadata, its outputs in the mirrored tree."""
        made = with_overrides(
            profile, name=self._name, metadata=self._metadata, enhance=self._enhance
        )
        if self._name is not None:
            return made
        outputs = tuple(
            # A template without folders says how a picture's files are called, not where they lie.
            one if "/" in one.name else replace(one, name=f"{{dir}}/{one.name}")
            for one in made.outputs
        )
        return replace(made, outputs=outputs)

    def _named(self, unit: WorkUnit) -> WorkUnit:
        """The unit with names that no other has."""
        asked = output_names(unit.profile, stem=unit.stem, fields=unit.fields)
        for name in asked:
            if PurePosixPath(name).parts[0].casefold() == STATE_FOLDER:
                raise OptionError(f"{name} would lie in the folder that the run keeps its state in")
            above = self._file_above(name)
            if above is not None:  # another name of its own would not help
                file, other = above
                raise _CollisionError(
                    f"{unit.input} needs the folder {file}, where the output of {other} would be "
                    "written"
                )
        names, number = asked, 1
        while (taken := next(filter(self._taken_by, names), None)) is not None:
            if self._collide == "error":
                raise _CollisionError(
                    f"{self._taken_by(taken)} and {unit.input} would both be written to {taken}"
                )
            number += 1
            names = tuple(_suffixed(name, number) for name in asked)
        for name in names:
            key = self._key(name)
            self._names[key] = unit.input
            for parent in PurePosixPath(key).parents:
                self._folders.setdefault(str(parent), unit.input)
        return replace(unit, outputs=names)

    def _taken_by(self, name: str) -> str | None:
        """The input whose output has this name, or needs a folder of it."""
        key = self._key(name)
        return self._names.get(key) or self._folders.get(key)

    def _file_above(self, name: str) -> tuple[str, str] | None:
        """A file that would lie where this name needs a folder, and the input that it is of."""
        for parent in PurePosixPath(name).parents:
            found = self._names.get(self._key(str(parent)))
            if found is not None:
                return str(parent), found
        return None

    def _key(self, name: str) -> str:
        return name.casefold() if self._fold_case else name


def _suffixed(name: str, number: int) -> str:
    path = PurePosixPath(name)
    return str(path.with_name(f"{path.stem}-{number}{path.suffix}"))


class _CollisionError(OptionError):
    """Two outputs would have one name."""
