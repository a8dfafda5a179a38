"""The folder command of `nssbg rembg`: which picture goes where, once or for as long as it watches.

Folders are mirrored, no two results share a place, and an input is deleted only once its own result
is on the disk. Files are waited for as by `nssbg batch --watch`.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from nssbg import _fs
from nssbg._errors import ImageEncodeError
from nssbg.cli.console import printable, stopping_gently

__all__ = ["Work", "every_picture", "tell", "watch_folder", "write_result"]

# A file of this name in a watched folder ends the watch, as in rembg.
_STOP = "stop.txt"
# Seconds that the picture in hand gets after a signal.
_GRACE = 60.0


@dataclass
class Work:
    """What is to be done with a folder, and what came of it so far.

    Attributes:
        source: The folder.
        target: Where its results go.
        delete: Whether an input goes once its result is written.
        begun: Pictures so far.
        failed: Those of them without a result.
        tried: Pictures that were begun.
        made: Results of this run: no pictures to cut out, where source and target are one.
    """

    source: Path
    target: Path
    delete: bool
    begun: int = 0
    failed: int = 0
    tried: set[Path] = field(default_factory=set)
    made: set[Path] = field(default_factory=set)


def every_picture(work: Work, cut: Callable[[Path], bytes]) -> None:
    """Cut out all pictures that are there."""
    below = (path for path in work.source.rglob("*") if path.is_dir() and not path.is_symlink())
    folders = [work.source, *sorted(below)]
    # All names before the first input is deleted: they depend on what lies beside a picture.
    for path, goal in [pair for folder in folders for pair in _goals(folder, work)]:
        _one(path, goal, work, cut)


def watch_folder(work: Work, cut: Callable[[Path], bytes]) -> None:
    """Cut out what is there and what comes, until stop.txt does; that one is removed.

    Pictures that were whole when it came are done first. A picture counts once it has stopped
    changing for two seconds.

    Raises:
        OptionError: nssbg[watch] is not installed.
        KeyboardInterrupt: Ctrl-C, once the picture in hand is done.
    """
    from nssbg.batch.watch import arrivals

    top = work.source.resolve()
    stop = work.source / _STOP
    ended = False

    def end() -> None:
        nonlocal ended
        ended = True

    with stopping_gently(end, lambda: None, grace=_GRACE):
        for name in arrivals([top], lambda: ended or stop.exists()):
            _arrived(work.source / Path(name).relative_to(top), work, cut)
        if ended:
            return
        if not stop.exists():  # the watch takes what Ctrl-C raises for its own end
            raise KeyboardInterrupt
        since = _changed(stop)
        for path in sorted(work.source.rglob("*")):
            if path not in work.tried and _changed(path) <= since:
                _arrived(path, work, cut)
        stop.unlink(missing_ok=True)


def _changed(path: Path) -> float:
    """When a file was last written to; infinity where it is gone."""
    try:
        return path.stat().st_mtime
    except OSError:
        return math.inf


def _arrived(path: Path, work: Work, cut: Callable[[Path], bytes]) -> None:
    """Cut out one file, where it is a picture that is to be."""
    for one, goal in _goals(path.parent, work):
        if one == path:
            _one(one, goal, work, cut)


def _goals(folder: Path, work: Work) -> Iterator[tuple[Path, Path]]:
    """Each picture of one folder and where its result goes; no two share a place.

    photo.jpg becomes photo.png; where photo.jpg and photo.webp lie side by side, photo.jpg.png
    and photo.webp.png.
    """
    from nssbg._io import has_picture_suffix

    inside, top = work.target.resolve(), work.source.resolve()
    if inside != top and folder.resolve().is_relative_to(inside):
        return
    try:
        there = sorted(folder.iterdir())
    except OSError as error:
        work.failed += 1
        tell(f"cannot look into {folder}: {error.strerror or error}")
        return
    paths = [
        path
        for path in there
        if has_picture_suffix(path.name) and path not in work.made and path.is_file()
    ]
    stems: dict[str, int] = {}
    for path in paths:
        stems[path.stem.casefold()] = stems.get(path.stem.casefold(), 0) + 1
    taken: set[str] = set()
    for path in paths:
        name = f"{path.stem if stems[path.stem.casefold()] == 1 else path.name}.png"
        while name.casefold() in taken:  # of a picture photo.jpg.png
            name = f"{name}.png"
        taken.add(name.casefold())
        yield path, work.target / path.relative_to(work.source).with_name(name)


def _one(path: Path, goal: Path, work: Work, cut: Callable[[Path], bytes]) -> None:
    """One picture; its input goes only after this run wrote its result. Failures are told."""
    work.begun += 1
    work.tried.add(path)
    try:
        there = _fs.identity(goal)
        if there is not None and there != _fs.identity(path):
            tell(f"{path}: {goal} is there already; left as it is")
            return
        if there is not None:
            raise ImageEncodeError(f"{goal}: the result would be written over the picture itself")
        write_result(goal, cut(path), overwrite=False)
        work.made.add(goal)
        if work.delete:
            path.unlink()
    except Exception as error:
        work.failed += 1
        tell(f"{path}: {error}" if str(path) not in str(error) else str(error))


def write_result(path: Path, data: bytes, *, overwrite: bool) -> None:
    """Write a result, whole or not at all; its folder is made.

    Raises:
        ImageEncodeError: It cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _fs.write(path, data, overwrite=overwrite)
    except OSError as error:
        raise ImageEncodeError(f"cannot write {path}: {error.strerror or error}") from error


def tell(line: str) -> None:
    """A line on standard error."""
    print(f"nssbg: {printable(line)}", file=sys.stderr, flush=True)
