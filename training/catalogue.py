"""What sources.toml names: open photographs, their kinds, and where their clones lie."""

from __future__ import annotations

import csv
import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

import memmap_dataset
import tomllib

CATALOGUE = Path(__file__).with_name("sources.toml")
MASKS = ("teacher", "outlines", "trimaps", "polygons", "frames", "none")
KINDS = ("folder", "csv", "one")
LISTED = re.compile(r"([\w.-]+/[\w.-]+)@([0-9a-f]{40}):(.+)")
PICTURE = re.compile(r"\.(jpe?g|png|webp)$", re.IGNORECASE)


class CatalogueError(Exception):
    """sources.toml, or a clone that it names, is not as it must be."""


@dataclass(frozen=True)
class Source:
    """One source: a folder of one commit of a public repository."""

    name: str
    repository: str
    commit: str
    folder: str
    licence: str
    masks: str
    kinds: str
    share: float
    leave_out: tuple[str, ...] = ()
    table: str = ""
    most: int = 1_000_000
    apart: int = 1
    listed: str = ""  # OWNER/NAME@COMMIT:PATH of a text that names every picture that is taken

    def __post_init__(self) -> None:
        if self.masks not in MASKS or self.kinds not in KINDS:
            raise CatalogueError(
                f"{self.name}: masks must be one of {', '.join(MASKS)} and kinds one of "
                f"{', '.join(KINDS)}, not {self.masks!r} and {self.kinds!r}"
            )
        if not re.fullmatch(r"[0-9a-f]{40}", self.commit):
            raise CatalogueError(f"{self.name}: commit must be 40 hexadecimal digits")

        if self.listed and not LISTED.fullmatch(self.listed):
            raise CatalogueError(
                f"{self.name}: listed must be OWNER/NAME@COMMIT:PATH, not {self.listed!r}"
            )

    @property
    def clone(self) -> Path:
        return clones_folder() / self.repository

    @property
    def root(self) -> Path:
        return self.clone / self.folder


@dataclass(frozen=True)
class Picture:
    """A picture of a source; `identifier` is fixed, whatever the clone's place."""

    source: Source
    identifier: str
    path: Path
    kind: str

    def content(self) -> str:
        """A name for its bytes: two sources may hold the same picture."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()


def clones_folder() -> Path:
    """Where the clones lie (NSSBG_CLONES, or `clones` in the work folder): OWNER/NAME each."""
    return Path(os.environ.get("NSSBG_CLONES", memmap_dataset.work_folder() / "clones"))


def read_catalogue(path: Path = CATALOGUE) -> list[Source]:
    """The sources, in the order of the file: of two that hold one picture the former keeps it."""
    entries = tomllib.loads(path.read_text())["sources"]
    found = [Source(**{**e, "leave_out": tuple(e.get("leave_out", ()))}) for e in entries]
    names = [s.name for s in found]
    if len(set(names)) != len(names):
        raise CatalogueError(f"{path}: a name occurs twice")
    return found


def list_of(source: Source) -> tuple[str, str, str] | None:
    """Repository, commit and path of the text that names a source's pictures, if it has one."""
    match = LISTED.fullmatch(source.listed)
    return match and (match[1], match[2], match[3])


def _names_listed(source: Source) -> str:
    """That text: the licences of photographs whose folder holds others as well."""
    listed = list_of(source)
    if listed is None:
        return ""
    path = clones_folder() / listed[0] / listed[2]
    if not path.is_file():
        raise CatalogueError(f"{path} is missing: `make training-sources` clones {listed[0]}")
    return path.read_text(errors="replace")


def _labels_of(table: Path) -> dict[str, str]:
    with table.open(newline="") as text:
        return {row["image"]: row["label"] for row in csv.DictReader(text)}


def pictures(source: Source) -> list[Picture]:
    """The pictures of a source in a fixed order; CatalogueError where the clone lacks them."""
    if not source.root.is_dir():
        raise CatalogueError(
            f"{source.root} is missing: `make training-sources` clones {source.repository}, or "
            "set NSSBG_CLONES to a folder that has OWNER/NAME of each repository"
        )
    labels = _labels_of(source.clone / source.table) if source.kinds == "csv" else {}
    listed = _names_listed(source)
    found = []
    for path in sorted(source.root.rglob("*")):
        inside = path.relative_to(source.root)
        if not PICTURE.search(path.name) or not path.is_file():
            continue
        if any(part in source.leave_out for part in inside.parts):
            continue
        if source.listed and path.name not in listed:
            continue
        if source.masks == "trimaps" and "trimaps" in inside.parts:
            continue
        if source.masks == "frames" and inside.parts[0] != "JPEGImages":
            continue
        kind = {"folder": path.parent.name, "csv": labels.get(path.stem, ""), "one": ""}
        identifier = str(inside.with_suffix(""))
        found.append(Picture(source, identifier, path, kind[source.kinds] or source.name))
    if source.apart > 1:
        counts: dict[str, int] = {}
        kept = []
        for picture in found:
            counts[picture.kind] = counts.get(picture.kind, -1) + 1
            if counts[picture.kind] % source.apart == 0:
                kept.append(picture)
        found = kept
    if not found:
        raise CatalogueError(f"{source.root} holds no pictures")
    return found
