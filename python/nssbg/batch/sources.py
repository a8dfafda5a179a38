"""Finds the pictures of a batch: files, folders, globs and lists, lazily and in a fixed order.

What comes in are paths and patterns; what goes out is an `Item` for each picture, with the folder
that it is mirrored to, and a `Problem` for each thing that could not be looked at. Nothing is
opened, changed or followed in circles here.
"""

from __future__ import annotations

import csv
import fnmatch
import glob
import io
import json
import os
import re
import stat
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from nssbg._errors import ImageDecodeError, OptionError
from nssbg._io import has_picture_suffix
from nssbg.batch.address import is_uri, joined

__all__ = ["STATE_FOLDER", "Filter", "Item", "Problem", "arrived", "listed", "scan"]

# The folder inside an output folder that holds what a run knows about it.
STATE_FOLDER = ".nssbg"
# Part files of `_fs`; a listed one is no picture either.
_PART = re.compile(r"\..*\.nssbg-[0-9a-f]{8}-[0-9]+-[0-9a-f]{8}\.part", re.DOTALL)
_COLUMNS = ("path", "sku", "background", "profile", "corrections")
_GLOB = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class Item:
    """One picture to be cut out.

    Attributes:
        path: Where it lies.
        dir: Folder below the output folder that it is mirrored to, with "/"; "" is the top.
        sku: Product that it shows; "" where none is named.
        background: Colour in place of the profile's; None: the profile's.
        profile: Profile in place of the batch's; None: the batch's.
        corrections: Path of its corrections; None: none is named.
    """

    path: str
    dir: str = ""
    sku: str = ""
    background: str | None = None
    profile: str | None = None
    corrections: str | None = None


@dataclass(frozen=True)
class Problem:
    """Something among the sources that is no picture to work on.

    Attributes:
        path: Where it lies.
        kind: What is wrong, as `Row.error.kind` has it.
        message: The same in words.
        status: "failed" where a picture may have been missed, else "skipped".
    """

    path: str
    kind: str
    message: str
    status: Literal["failed", "skipped"] = "failed"


@dataclass(frozen=True)
class Filter:
    """Which of the files of a folder are taken.

    A pattern without "/" is held against the file's name, one with "/" against its path below the
    source folder; `*` also spans "/". Case counts.

    Attributes:
        include: Only what one of these matches; (): what has a picture's suffix.
        exclude: Not what one of these matches. A folder that is matched is not entered.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    _skip: frozenset[tuple[int, int]] = field(default=frozenset(), repr=False)

    def takes(self, relative: str) -> bool:
        """Whether a file of a folder is taken."""
        if self.excludes(relative):
            return False
        if self.include:
            return any(_matches(relative, pattern) for pattern in self.include)
        return has_picture_suffix(relative)

    def excludes(self, relative: str) -> bool:
        """Whether a file or folder is left out by name."""
        return any(_matches(relative, pattern) for pattern in self.exclude)

    def enters(self, status: os.stat_result) -> bool:
        """Whether a folder may be entered: not the output folder."""
        return (status.st_dev, status.st_ino) not in self._skip


def _matches(relative: str, pattern: str) -> bool:
    pattern = pattern.rstrip("/")
    text = relative if "/" in pattern else relative.rpartition("/")[2]
    return fnmatch.fnmatchcase(text, pattern.lstrip("/"))


def scan(
    sources: Iterable[str | os.PathLike[str]],
    *,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    output: str | os.PathLike[str] | None = None,
) -> Iterator[Item | Problem]:
    """The pictures that sources name, one after the other, those of a folder sorted by name.

    Args:
        sources: Files (taken whatever their suffix), folders (recursively; hidden files and folders
            are left out), and globs (`**` spans folders).
        include: See `Filter`; counts for folders and globs.
        exclude: The same.
        output: The output folder; it is not read back where it lies inside a source.

    Raises:
        OptionError: A source is not there, or is the output folder itself.
    """
    skip = set()
    if output is not None:
        found = _identity(output)
        if found is not None:
            skip.add(found)
    chosen = Filter(tuple(include), tuple(exclude), frozenset(skip))
    for source in sources:
        path = os.fspath(source)
        if "\0" in path:
            raise OptionError(f"{path!r}: a path cannot hold a null character")
        if os.path.isdir(path):  # noqa: PTH112  (Path drops a trailing slash and "./")
            if _identity(path) in skip:
                raise OptionError(
                    f"{path}: this is the output folder itself; results would lie among the "
                    "pictures. Give another output folder (one inside the source is fine)"
                )
            yield from _walk(path, chosen)
        elif os.path.lexists(path):
            yield _file(path, "")
        elif _GLOB.search(path):
            yield from _globbed(path, chosen)
        else:
            raise OptionError(f"{path}: there is no such file or folder")


def arrived(
    path: str,
    tops: Iterable[str | os.PathLike[str]],
    *,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    output: str | os.PathLike[str] | None = None,
) -> Item | Problem | None:
    """A file that came into one of several folders, as `scan` of them would give it; else None."""
    skip = None if output is None else _identity(output)
    chosen = Filter(tuple(include), tuple(exclude), frozenset(() if skip is None else (skip,)))
    for top in tops:
        try:
            relative = Path(os.path.abspath(path)).relative_to(os.path.abspath(top))  # noqa: PTH100
        except ValueError:
            continue
        folders = relative.parts[:-1]
        if any(part.startswith(".") for part in relative.parts) or _below(path, chosen):
            return None
        above = ["/".join(folders[: depth + 1]) for depth in range(len(folders))]
        if any(map(chosen.excludes, above)) or not chosen.takes(relative.as_posix()):
            return None
        return _file(path, "/".join(folders))
    return None


def listed(
    list_file: str,
    *,
    base: str | None = None,
    stdin: io.BufferedIOBase | None = None,
) -> Iterator[Item | Problem]:
    """The pictures that a list names, in its order.

    Args:
        list_file: A path, or "-" for standard input. `.csv` is read as CSV with a heading, `.jsonl`
            as one JSON object a line, both with the columns path, sku, background, profile and
            corrections; anything else holds one path a line, or paths separated by null
            characters. A list on standard input is told by its first line.
        base: Folder that relative paths start from; None: the current one.
        stdin: In place of the process's standard input, as bytes.

    Raises:
        OptionError: The list cannot be read, or is malformed; the line is named.
    """
    data = _list_bytes(list_file, stdin)
    name = "stdin" if list_file == "-" else list_file
    suffix = Path(list_file).suffix.lower()
    if suffix in (".jsonl", ".ndjson") or (list_file == "-" and data.lstrip()[:1] == b"{"):
        rows = _json_rows(data, name)
    elif suffix == ".csv" or (list_file == "-" and _has_heading(data)):
        rows = _csv_rows(data, name)
    else:
        rows = iter({"path": path} for path in _paths(data))
    for row in rows:
        path = row.pop("path")
        if is_uri(path) or (base is not None and is_uri(base)):
            at = path if is_uri(path) else joined(str(base), path)
            yield Item(at, "" if is_uri(path) else _list_dir(path), **row)
            continue
        at = os.path.join(base, path) if base is not None else path  # noqa: PTH118
        if os.path.isdir(at):  # noqa: PTH112
            yield Problem(at, "source", f"cannot read {at}: it is a folder; a list names files")
            continue
        yield _file(at, _list_dir(path), **row)


def _list_dir(path: str) -> str:
    """The folder that a listed path is mirrored to: its own, where that stays below the top."""
    head = os.path.dirname(os.path.normpath(path)).replace(os.sep, "/")  # noqa: PTH120
    outside = os.path.isabs(path) or head == ".." or head.startswith("../")  # noqa: PTH117
    return "" if outside else head


def _file(path: str, folder: str, **options: Any) -> Item | Problem:
    """A file as an item, if it is one that can be read to its end."""
    try:
        kind = os.stat(path).st_mode  # noqa: PTH116
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        return Problem(path, ImageDecodeError.__name__, f"cannot read {path}: {why}")
    if not stat.S_ISREG(kind):
        what = "a FIFO" if stat.S_ISFIFO(kind) else "a device or socket"
        return Problem(path, "source", f"cannot read {path}: it is {what}; expected a file")
    return Item(path, folder, **options)


def _walk(top: str, chosen: Filter) -> Iterator[Item | Problem]:
    """The pictures below a folder, sorted by name, each folder's files before its folders."""
    # Folders yet to be entered, the next one last: path, path below the top, identities above.
    waiting: list[tuple[str, str, tuple[tuple[int, int], ...]]] = [(top, "", ())]
    while waiting:
        folder, relative, above = waiting.pop()
        try:
            status = os.stat(folder)  # noqa: PTH116
            here = (status.st_dev, status.st_ino)
            if here in above:
                yield Problem(
                    folder,
                    "loop",
                    f"{folder}: this link leads back to a folder above it; it is not followed",
                    "skipped",
                )
                continue
            if not chosen.enters(status):
                continue
            with os.scandir(folder) as entries:
                found = sorted(entries, key=lambda entry: os.fsencode(entry.name))
        except OSError as error:
            why = error.strerror or str(error)
            yield Problem(folder, "source", f"cannot look into {folder}: {why}")
            continue
        folders = []
        for entry in found:
            name = f"{relative}/{entry.name}" if relative else entry.name
            if entry.name.startswith("."):  # hidden, a Mac's ._copies, part files, .nssbg
                continue
            if _is_folder(entry):
                if not chosen.excludes(name):
                    folders.append((entry.path, name, (*above, here)))
            elif chosen.takes(name):
                yield _file(entry.path, relative)
        waiting += reversed(folders)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle: told of as a file that cannot be read
        return False


def _globbed(pattern: str, chosen: Filter) -> Iterator[Item | Problem]:
    """What a glob matches, mirrored below the part of it that has no wildcard."""
    parts = pattern.split("/")
    fixed = next(number for number, part in enumerate(parts) if _GLOB.search(part))
    top = "/".join(parts[:fixed])
    cut = len(top) + 1 if fixed else 0
    matched = False
    for path in sorted(glob.iglob(pattern, recursive=True), key=os.fsencode):  # noqa: PTH207
        relative = path[cut:]
        parted = relative.split("/")
        if STATE_FOLDER in parted or os.path.isdir(path):  # noqa: PTH112
            continue
        if _below(path, chosen) or not chosen.takes(relative):
            continue
        matched = True
        yield _file(path, "/".join(parted[:-1]))
    if not matched:
        raise OptionError(f"{pattern}: no picture matches this pattern")


def _below(path: str, chosen: Filter) -> bool:
    """Whether a file lies in the output folder."""
    if not chosen._skip:
        return False
    return any(_identity(parent) in chosen._skip for parent in Path(path).parents)


def _identity(path: str | os.PathLike[str]) -> tuple[int, int] | None:
    try:
        status = os.stat(path)  # noqa: PTH116
    except (OSError, ValueError):
        return None
    return (status.st_dev, status.st_ino)


def _list_bytes(list_file: str, stdin: io.BufferedIOBase | None) -> bytes:
    try:
        if list_file != "-":
            return Path(list_file).read_bytes()
        stream = stdin if stdin is not None else getattr(sys.stdin, "buffer", None)
        if stream is None:
            raise OptionError("cannot read the list from stdin: it is closed")
        return stream.read()
    except OSError as error:
        why = error.strerror or str(error)
        raise OptionError(f"cannot read the list {list_file}: {why}") from error


def _paths(data: bytes) -> Iterator[str]:
    ends_by_null = b"\0" in data
    for part in data.split(b"\0" if ends_by_null else b"\n"):
        part = part if ends_by_null else part.rstrip(b"\r")
        if part.strip():
            yield os.fsdecode(part)


def _has_heading(data: bytes) -> bool:
    heading = data.partition(b"\n")[0].strip().removeprefix(b"\xef\xbb\xbf").split(b",")
    return len(heading) > 1 and b"path" in [name.strip().strip(b'"') for name in heading]


def _text(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise OptionError(
            f"{name}: byte {error.start} is no UTF-8; save the list as UTF-8, or give names of "
            "other bytes in a plain list"
        ) from error


def _csv_rows(data: bytes, name: str) -> Iterator[dict[str, Any]]:
    text = _text(data, name)
    first = text.partition("\n")[0]
    # What a spreadsheet saves as CSV has semicolons in half of the world.
    delimiter = max(",;\t", key=first.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        _check_columns(name, 1, reader.fieldnames or ())
        for row in reader:
            if None in row or None in row.values():
                raise OptionError(
                    f"{name}, line {reader.line_num}: expected {len(reader.fieldnames or ())} "
                    "columns, as the heading has"
                )
            yield _row(name, reader.line_num, dict(row))
    except csv.Error as error:
        raise OptionError(f"{name}, line {reader.line_num}: {error}") from error


def _json_rows(data: bytes, name: str) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(_text(data, name).split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise OptionError(f"{name}, line {number}: no JSON: {error}") from error
        if not isinstance(row, dict):
            raise OptionError(f'{name}, line {number}: expected an object, {{"path": ...}}')
        _check_columns(name, number, row)
        yield _row(name, number, row)


def _check_columns(name: str, number: int, columns: Iterable[str]) -> None:
    given = list(columns)
    known = ", ".join(_COLUMNS)
    for column in given:
        if column not in _COLUMNS:
            raise OptionError(f"{name}, line {number}: unknown column {column!r}; expected {known}")
    if "path" not in given:
        raise OptionError(f"{name}, line {number}: there is no column path; expected {known}")


def _row(name: str, number: int, row: dict[str, Any]) -> dict[str, Any]:
    made = {}
    for column, value in row.items():
        if value is None or value == "":
            continue
        if not isinstance(value, str) or "\0" in value:
            raise OptionError(f"{name}, line {number}: {column} must be text, not {value!r}")
        made[column] = value
    if "path" not in made:
        raise OptionError(f"{name}, line {number}: there is no path")
    return made
